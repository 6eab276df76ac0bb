/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pack a tree of real files into shards with an index (shard_index.h), as a
 * dataset is packed for training. One regular file is one sample.
 *
 *   1. Walk the tree and note each regular, non-empty file not longer than
 *      --max-sample. Symbolic links are not followed.
 *   2. Sort by path, so that the same tree packs alike on any file system, and
 *      keep the first --limit bytes.
 *   3. Copy file after file into the open shard, summing what was read from the
 *      source; a shard that has reached its size is closed.
 *   4. Write the index last: a dataset with an index is complete.
 *
 * Possible failures: a file that cannot be read (no permission, removed since
 * the walk) is left out and counted. A shard that cannot be written ends the
 * program with status 1, and there is no index.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "benchmarks/shard_index.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SAMPLE_DEFAULT (1u << 20)
#define SHARDS_DEFAULT 8
#define WALK_FDS 16

struct source {
    char *path;
    uint64_t length;
};

/* nftw(3) gives its callback no argument: what it finds has to lie here. */
static struct walk {
    struct source *files;
    size_t count;
    size_t room;
    uint64_t max_sample;
    bool is_out_of_memory;
} walk;

struct options {
    const char *source;
    const char *output;
    uint64_t limit;
    uint64_t max_sample;
    uint64_t shard_size;
    uint32_t shards;
};

struct packer {
    const struct options *options;
    struct shard_index index;
    int fd; /* of the open shard, or -1 */
    uint64_t shard_size;
    uint64_t shard_used;
    uint64_t bytes;
    uint64_t unreadable;
    unsigned char *buffer; /* max_sample bytes */
};

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    fputs("pack: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static bool walk_has_room(void)
{
    size_t room = walk.room == 0 ? 1024 : walk.room * 2;
    void *grown;

    if (walk.count < walk.room)
        return true;
    grown = mem_grow(walk.files, room, sizeof(*walk.files));
    if (grown == NULL)
        return false;
    walk.files = grown;
    walk.room = room;
    return true;
}

static int note_file(const char *path, const struct stat *info, int type,
                     struct FTW *ftw)
{
    struct source source;

    if (type != FTW_F || !S_ISREG(info->st_mode) || info->st_size == 0 ||
        (uint64_t)info->st_size > walk.max_sample)
        return 0;
    source.length = (uint64_t)info->st_size;
    source.path = mem_strdup(path);
    if (source.path == NULL || !walk_has_room()) {
        free(source.path);
        walk.is_out_of_memory = true;
        return 1;
    }
    walk.files[walk.count++] = source;
    return 0;
}

static int by_path(const void *left, const void *right)
{
    const struct source *a = left, *b = right;

    return strcmp(a->path, b->path);
}

/* Step 1 and 2. @return the bytes of the files that are kept. */
static uint64_t find_files(const struct options *options)
{
    uint64_t total = 0;
    size_t kept = 0;

    walk.max_sample = options->max_sample;
    if (nftw(options->source, note_file, WALK_FDS, FTW_PHYS) != 0) {
        if (walk.is_out_of_memory)
            die("out of memory after %zu files", walk.count);
        die("cannot walk %s: %m", options->source);
    }
    if (walk.count == 0)
        die("%s holds no file of 1 to %llu bytes", options->source,
            (unsigned long long)options->max_sample);
    qsort(walk.files, walk.count, sizeof(*walk.files), by_path);
    while (kept < walk.count &&
           (kept == 0 || options->limit == 0 ||
            total + walk.files[kept].length <= options->limit))
        total += walk.files[kept++].length;
    for (size_t i = kept; i < walk.count; i++)
        free(walk.files[i].path);
    walk.count = kept;
    return total;
}

static void forget_files(void)
{
    for (size_t i = 0; i < walk.count; i++)
        free(walk.files[i].path);
    free(walk.files);
}

static int create_in(const char *directory, const char *name)
{
    char *path;
    int fd;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        die("out of memory");
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("cannot create %s: %m", path);
    free(path);
    return fd;
}

static void write_all(int fd, const void *data, size_t length)
{
    const unsigned char *at = data;

    while (length > 0) {
        ssize_t n = write(fd, at, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("cannot write: %m");
        at += n;
        length -= (size_t)n;
    }
}

static void close_written(int fd)
{
    if (close(fd) != 0)
        die("cannot close what was written: %m");
}

/* Up to `room` bytes of a file. @return how many, 0 if it cannot be read. */
static size_t read_source(const char *path, unsigned char *buffer, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t have = 0;
    ssize_t n;

    if (fd < 0)
        return 0;
    do {
        n = read(fd, buffer + have, room - have);
        if (n > 0)
            have += (size_t)n;
    } while ((n > 0 && have < room) || (n < 0 && errno == EINTR));
    close(fd);
    return n < 0 ? 0 : have;
}

static void shard_close(struct packer *packer)
{
    if (packer->fd < 0)
        return;
    close_written(packer->fd);
    packer->fd = -1;
}

static void shard_open(struct packer *packer)
{
    char name[32];

    if (packer->index.shards == SHARDS_MAX)
        die("more than %u shards: give a larger --shard-size", SHARDS_MAX);
    snprintf(name, sizeof(name), "shard-%04u", packer->index.shards);
    packer->fd = create_in(packer->options->output, name);
    packer->index.shards++;
    packer->shard_used = 0;
}

static void pack_file(struct packer *packer, const struct source *source)
{
    size_t length =
        read_source(source->path, packer->buffer, packer->options->max_sample);

    if (length == 0) {
        packer->unreadable++;
        return;
    }
    if (packer->fd < 0)
        shard_open(packer);
    write_all(packer->fd, packer->buffer, length);
    packer->index.samples[packer->index.count++] = (struct sample){
        .shard = packer->index.shards - 1,
        .crc32c = crc32c(0, packer->buffer, length),
        .offset = packer->shard_used,
        .length = length,
    };
    packer->shard_used += length;
    packer->bytes += length;
    if (packer->shard_used >= packer->shard_size)
        shard_close(packer);
}

static void write_index(const struct packer *packer)
{
    void *data;
    size_t size;
    int fd;

    if (shard_index_encode(&packer->index, &data, &size) != 0)
        die("out of memory");
    fd = create_in(packer->options->output, "index");
    write_all(fd, data, size);
    close_written(fd);
    free(data);
}

static void pack(const struct options *options)
{
    uint64_t total = find_files(options);
    struct packer packer = {.options = options, .fd = -1};

    packer.shard_size = options->shard_size;
    if (packer.shard_size == 0)
        packer.shard_size = (total + options->shards - 1) / options->shards;
    packer.buffer = mem_calloc(1, options->max_sample);
    packer.index.samples = mem_calloc(walk.count, sizeof(struct sample));
    if (packer.buffer == NULL || packer.index.samples == NULL)
        die("out of memory");
    for (size_t i = 0; i < walk.count; i++)
        pack_file(&packer, &walk.files[i]);
    shard_close(&packer);
    if (packer.index.count == 0)
        die("none of the files in %s can be read", options->source);
    write_index(&packer);
    printf("packed %llu files, %llu bytes, into %u shards",
           (unsigned long long)packer.index.count,
           (unsigned long long)packer.bytes, packer.index.shards);
    if (packer.unreadable > 0)
        printf("; left out %llu that cannot be read",
               (unsigned long long)packer.unreadable);
    putchar('\n');
    shard_index_fini(&packer.index);
    free(packer.buffer);
    forget_files();
}

static void usage(FILE *to)
{
    fputs("usage: pack [options] SOURCE OUTPUT\n"
          "Pack the regular files below SOURCE into OUTPUT/shard-NNNN and\n"
          "OUTPUT/index. OUTPUT must exist.\n"
          "  --limit BYTES       at most so much of SOURCE (default: all)\n"
          "  --max-sample BYTES  leave out longer files (default 1048576)\n"
          "  --shards N          aim at N shards (default 8)\n"
          "  --shard-size BYTES  or: close a shard that has reached BYTES\n",
          to);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
        value < min || value > max)
        die("%s is not a number from %llu to %llu", text,
            (unsigned long long)min, (unsigned long long)max);
    return value;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"limit", required_argument, NULL, 'l'},
        {"max-sample", required_argument, NULL, 'm'},
        {"shards", required_argument, NULL, 'n'},
        {"shard-size", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.max_sample = MAX_SAMPLE_DEFAULT,
                              .shards = SHARDS_DEFAULT};
    int c;

    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 'l':
            options.limit = number(optarg, 1, INT64_MAX);
            break;
        case 'm':
            options.max_sample = number(optarg, 1, SAMPLE_LENGTH_MAX);
            break;
        case 'n':
            options.shards = (uint32_t)number(optarg, 1, SHARDS_MAX);
            break;
        case 's':
            options.shard_size = number(optarg, 1, INT64_MAX);
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (argc - optind != 2) {
        usage(stderr);
        return 2;
    }
    options.source = argv[optind];
    options.output = argv[optind + 1];
    pack(&options);
    return 0;
}
