/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan pack: make shards with an index of ordinary files, here or straight
 * into a cluster.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tools/options.h"
#include "tools/shard.h"

#define THREADS_MAX 64
#define SHARDS_MAX 1000000

struct wish {
    struct tool_place place;
    const char *format;
    uint64_t limit;
    uint64_t max_sample;
    uint64_t shards;
    uint64_t shard_size;
    uint64_t threads;
};

static bool is_same_sample(const struct dataset *dataset,
                           const struct source *a, const struct source *b)
{
    return dataset->format == INDEX_TAR && a->key == b->key &&
           memcmp(a->name, b->name, a->key) == 0;
}

/* A digest of what a shard is made of, so that a part can be believed later. */
static uint64_t origin_of(const struct shard_range *range)
{
    uint64_t sum = 1;

    for (size_t i = 0; i < range->count; i++) {
        const struct source *source = &range->first[i];
        uint64_t fields[] = {sum, source->length, source->mtime_ns,
                             hash_name(1, source->path, strlen(source->path))};

        sum = hash_name(1, (const char *)fields, sizeof(fields));
    }
    return sum;
}

static int add_shard(struct dataset *dataset, struct shard_range range)
{
    const char *suffix = dataset->format == INDEX_TAR        ? ".tar"
                         : dataset->format == INDEX_TFRECORD ? ".tfrecord"
                                                             : "";
    struct dataset_file *file = &dataset->files[dataset->count];

    if (dataset->count == SHARDS_MAX) {
        tool_error(dataset->directory, "more than %u shards", SHARDS_MAX);
        return -1;
    }
    file->sources = malloc(sizeof(range));
    if (file->sources == NULL ||
        asprintf(&file->name, "shard-%06zu%s", dataset->count, suffix) < 0) {
        tool_error(dataset->directory, "%s", strerror(ENOMEM));
        return -1;
    }
    *(struct shard_range *)file->sources = range;
    file->origin = origin_of(&range);
    for (size_t i = 0; i < range.count; i++)
        file->bytes += range.first[i].length;
    dataset->count++;
    return 0;
}

/* Cut the sources into shards, none within a sample. */
static int cut(struct dataset *dataset, const struct sources *sources,
               uint64_t size)
{
    struct shard_range range = {.first = sources->list};
    uint64_t bytes = 0;
    int rc = 0;

    dataset->files = calloc(sources->count + 1, sizeof(*dataset->files));
    if (dataset->files == NULL)
        return -1;
    for (size_t i = 0; rc == 0 && i < sources->count; i++) {
        const struct source *source = &sources->list[i];

        if (bytes >= size && range.count > 0 &&
            !is_same_sample(dataset, source - 1, source)) {
            rc = add_shard(dataset, range);
            range = (struct shard_range){.first = source};
            bytes = 0;
        }
        range.count++;
        bytes += source->length;
    }
    return rc == 0 && range.count > 0 ? add_shard(dataset, range) : rc;
}

static int make_directory(const struct dataset *dataset)
{
    struct place place;
    int rc;

    if (place_open(&place, dataset->directory, dataset->cluster) != 0)
        return -1;
    rc = place_make(&place);
    place_close(&place);
    return rc;
}

static void say_left(uint64_t count, const char *why)
{
    if (count > 0)
        printf("; left out %" PRIu64 " %s", count, why);
}

static void say(const struct dataset *dataset, const struct index *total,
                const struct sources *sources)
{
    uint64_t unreadable = 0;

    for (size_t i = 0; i < dataset->count; i++)
        unreadable +=
            ((struct shard_range *)dataset->files[i].sources)->unreadable;
    printf("packed %" PRIu64 " samples of %zu files, %" PRIu64
           " bytes, into %u shards",
           total->nrows, sources->count - (size_t)unreadable, sources->bytes,
           total->nfiles);
    if (dataset->skipped > 0)
        printf("; %zu were done before", dataset->skipped);
    say_left(sources->too_long, "that are too long");
    say_left(sources->too_short, "that are empty");
    say_left(sources->links, "that are symbolic links");
    say_left(unreadable, "that cannot be read");
    putchar('\n');
}

static int run(struct dataset *dataset, const struct wish *wish,
               const char *from)
{
    struct sources sources;
    struct index total;
    uint64_t size = wish->shard_size;
    /* A member of a sample may be empty; a sample may not. */
    struct sources_limits limits = {.length_min = dataset->format != INDEX_TAR,
                                    .length_max = wish->max_sample,
                                    .total = wish->limit};
    int rc = sources_find(&sources, from, &limits);

    if (rc != 0)
        return -1;
    if (size == 0)
        size = (sources.bytes + wish->shards - 1) / wish->shards;
    if (size == 0) /* all are empty */
        size = 1;
    rc = cut(dataset, &sources, size);
    if (rc == 0)
        rc = make_directory(dataset);
    if (rc == 0)
        rc = dataset_run(dataset, &total);
    if (rc == 0) {
        say(dataset, &total, &sources);
        index_fini(&total);
    }
    for (size_t i = 0; i < dataset->count; i++) {
        index_fini(&dataset->files[i].part);
        free(dataset->files[i].sources);
        free(dataset->files[i].name);
    }
    free(dataset->files);
    sources_fini(&sources);
    return rc;
}

int cmd_pack(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {
        .format = "tar", .max_sample = 1u << 30, .shards = 8, .threads = 2};
    const struct option_row rows[] = {
        {0, "format", "NAME", "tar, tfrecord or raw (tar)", OPTION_TEXT,
         &wish.format, 0, 0},
        {0, "shards", "N", "aim at so many shards (8)", OPTION_SIZE,
         &wish.shards, 1, SHARDS_MAX},
        {0, "shard-size", "SIZE", "or: close a shard that has reached SIZE",
         OPTION_SIZE, &wish.shard_size, 1, INT64_MAX},
        {0, "max-sample", "SIZE", "leave out longer files (1G)", OPTION_SIZE,
         &wish.max_sample, 1, INDEX_SAMPLE_MAX},
        {0, "limit", "SIZE", "of the sources at most (all)", OPTION_SIZE,
         &wish.limit, 1, INT64_MAX},
        {0, "threads", "N", "shards written at a time (2)", OPTION_SIZE,
         &wish.threads, 1, THREADS_MAX},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    struct dataset dataset = {.make = shard_make, .index = "index"};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    dataset.directory = argv[first + 1];
    dataset.cluster = &wish.place;
    dataset.threads = (unsigned)wish.threads;
    dataset.format = index_format_parse(wish.format);
    if ((int)dataset.format == 0 || dataset.format == INDEX_RECORDS ||
        dataset.format == INDEX_HDF5) {
        tool_error(wish.format, "no such format: tar, tfrecord or raw");
        return TOOL_USAGE;
    }
    tool_catch_interrupts();
    return run(&dataset, &wish, argv[first]) == 0 ? TOOL_OK : TOOL_FAILED;
}
