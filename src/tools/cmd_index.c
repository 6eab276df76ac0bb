/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan index: find the samples of the data files in a directory and write
 * the index that the loader needs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/scan.h"
#include "tools/dataset.h"
#include "tools/options.h"

#define THREADS_MAX 64

struct wish {
    struct tool_place place;
    const char *format;
    const char *output;
    uint64_t record;
    uint64_t threads;
};

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);

    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

/* A name's format, as people name such files; 0: it does not say. */
static enum index_format format_of(const char *name)
{
    if (has_suffix(name, ".tar"))
        return INDEX_TAR;
    if (strstr(name, ".tfrecord") != NULL || has_suffix(name, ".tfrec"))
        return INDEX_TFRECORD;
    return (enum index_format)0;
}

/* Is it data, when the whole directory is indexed? */
static bool is_data(const struct dataset *dataset, const char *name)
{
    if (*name == '.' || dataset_is_part(name) ||
        strcmp(name, dataset->index) == 0)
        return false;
    return dataset->format == INDEX_RAW || dataset->format == INDEX_RECORDS ||
           format_of(name) == dataset->format;
}

static int place_source_read(void *context, uint64_t offset, void *buffer,
                             size_t length)
{
    return place_read(context, offset, buffer, length) != 0 ? -EIO : 0;
}

static int scan(struct dataset *dataset, struct place_file *data,
                struct dataset_file *file)
{
    struct scan_source source = {
        .read = place_source_read, .context = data, .size = data->size};
    uint64_t at = 0;
    int rc = index_add_file(&file->part, file->name, data->size);

    if (rc == 0)
        rc = scan_file(&source, dataset->format, dataset->record,
                       dataset_take_row, &file->part, &at);
    if (rc == -EPROTO)
        tool_error(file->name, "about byte %" PRIu64 ": not %s, or damaged", at,
                   index_format_name(dataset->format));
    else if (rc == -EFBIG)
        tool_error(file->name, "about byte %" PRIu64 ": a sample beyond 2 GiB",
                   at);
    else if (rc != 0 && rc != -EIO)
        tool_error(file->name, "%s", strerror(-rc));
    return rc != 0 ? -1 : 0;
}

static int make(struct dataset *dataset, const struct place *place,
                struct dataset_file *file)
{
    struct place_file data;
    int rc = place_read_open(place, file->name, &data);

    if (rc == -ENOENT)
        tool_error(file->name, "%s", strerror(ENOENT));
    if (rc != 0)
        return -1;
    rc = scan(dataset, &data, file);
    place_file_close(&data);
    if (rc == 0)
        dataset_progress(dataset, file->bytes);
    return rc;
}

/* The files that were named, or those in the directory that are data. */
static int find_files(struct dataset *dataset, const struct place *place,
                      char **operands, size_t count)
{
    char **names = operands;
    size_t found = count;
    bool is_all = count == 0;

    if (is_all && place_list(place, &names, &found) != 0)
        return -1;
    for (size_t i = 0; (int)dataset->format == 0 && i < found; i++)
        dataset->format = format_of(names[i]);
    dataset->files = calloc(found + 1, sizeof(*dataset->files));
    for (size_t i = 0; dataset->files != NULL && i < found; i++) {
        if (is_all && !is_data(dataset, names[i]))
            continue;
        dataset->files[dataset->count].name = strdup(names[i]);
        if (dataset->files[dataset->count++].name == NULL)
            break;
    }
    for (size_t i = 0; is_all && i < found; i++)
        free(names[i]);
    if (is_all)
        free(names);
    return dataset->files != NULL ? 0 : -1;
}

static void ask_sizes(struct dataset *dataset, const struct place *place)
{
    struct place_file data;

    for (size_t i = 0; i < dataset->count; i++)
        if (place_read_open(place, dataset->files[i].name, &data) == 0) {
            dataset->files[i].bytes = data.size;
            place_file_close(&data);
        }
}

static int prepare(struct dataset *dataset, const struct wish *wish,
                   char **operands, size_t count)
{
    struct place place;
    int rc;

    if (place_open(&place, dataset->directory, dataset->cluster) != 0)
        return -1;
    rc = find_files(dataset, &place, operands, count);
    if (rc == 0 && dataset->count > 0)
        ask_sizes(dataset, &place);
    place_close(&place);
    if (rc == 0 && (int)dataset->format == 0) {
        tool_error(dataset->directory,
                   "which format? names do not say; give --format");
        rc = -1;
    } else if (rc == 0 && dataset->count == 0) {
        tool_error(dataset->directory, "no %s files in it",
                   index_format_name(dataset->format));
        rc = -1;
    }
    return rc;
}

static void say(const struct dataset *dataset, const struct index *total)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < total->nrows; i++)
        bytes += total->rows[i].length;
    printf("indexed %" PRIu64 " samples, %" PRIu64 " bytes, in %u files",
           total->nrows, bytes, total->nfiles);
    if (dataset->skipped > 0)
        printf("; %zu were done before", dataset->skipped);
    putchar('\n');
}

static int check(const struct wish *wish, struct dataset *dataset)
{
    if (wish->format != NULL) {
        dataset->format = index_format_parse(wish->format);
        if ((int)dataset->format == 0 || dataset->format == INDEX_HDF5) {
            tool_error(wish->format,
                       "no such format: tar, tfrecord, records or raw; HDF5 has "
                       "capstan-index-hdf5");
            return -1;
        }
    } else if (wish->record > 0) {
        dataset->format = INDEX_RECORDS;
    }
    if ((dataset->format == INDEX_RECORDS) != (wish->record > 0)) {
        tool_error("--record-size", "goes with --format records");
        return -1;
    }
    return 0;
}

int cmd_index(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.threads = 2, .output = "index"};
    const struct option_row rows[] = {
        {0, "format", "NAME",
         "tar, tfrecord, records or raw: a file is a sample (by the names)",
         OPTION_TEXT, &wish.format, 0, 0},
        {0, "record-size", "SIZE", "of fixed-size records", OPTION_SIZE,
         &wish.record, 1, INDEX_SAMPLE_MAX},
        {0, "output", "NAME", "of the index, in the directory (index)",
         OPTION_TEXT, &wish.output, 0, 0},
        {0, "threads", "N", "files read at a time (2)", OPTION_SIZE,
         &wish.threads, 1, THREADS_MAX},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    struct dataset dataset = {.make = make};
    struct index total;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    dataset.directory = argv[first];
    dataset.cluster = &wish.place;
    dataset.index = wish.output;
    dataset.threads = (unsigned)wish.threads;
    dataset.record = wish.record;
    if (check(&wish, &dataset) != 0)
        return TOOL_USAGE;
    tool_catch_interrupts();
    rc = prepare(&dataset, &wish, argv + first + 1, (size_t)(argc - first - 1));
    if (rc == 0)
        rc = dataset_run(&dataset, &total);
    if (rc == 0) {
        say(&dataset, &total);
        index_fini(&total);
    }
    for (size_t i = 0; i < dataset.count; i++) {
        index_fini(&dataset.files[i].part);
        free(dataset.files[i].name);
    }
    free(dataset.files);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}
