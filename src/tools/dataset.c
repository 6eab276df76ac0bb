/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dataset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART ".part"

bool dataset_is_part(const char *name)
{
    size_t length = strlen(name), suffix = strlen(PART);

    return length > suffix && strcmp(name + length - suffix, PART) == 0;
}

void dataset_progress(struct dataset *dataset, uint64_t bytes)
{
    pthread_mutex_lock(&dataset->lock);
    progress_add(&dataset->progress, bytes);
    pthread_mutex_unlock(&dataset->lock);
}

int dataset_take_row(void *context, const struct index_row *row)
{
    return index_add_row(context, row);
}

static char *part_name(const struct dataset_file *file)
{
    char *name;

    if (asprintf(&name, "%s" PART, file->name) >= 0)
        return name;
    tool_error(file->name, "%s", strerror(ENOMEM));
    return NULL;
}

/* How long the data file is. @return 0, -ENOENT or -1. */
static int size_of(const struct place *place, const char *name,
                   uint64_t *size_out)
{
    struct place_file file;
    int rc = place_read_open(place, name, &file);

    if (rc != 0)
        return rc;
    *size_out = file.size;
    return place_file_close(&file);
}

/* Is there a part that was made of the same, and is the file still as it says?
 */
static bool find_part(const struct dataset *dataset, const struct place *place,
                      struct dataset_file *file)
{
    char *name = part_name(file);
    struct index part;
    void *data;
    size_t size;
    uint64_t bytes = 0;
    bool is_right = false;

    if (name != NULL && place_load(place, name, &data, &size) == 0) {
        if (index_decode(data, size, &part) == 0) {
            is_right = part.format == dataset->format &&
                       part.record == dataset->record &&
                       part.origin == file->origin && part.nfiles == 1 &&
                       strcmp(part.files[0].name, file->name) == 0 &&
                       size_of(place, file->name, &bytes) == 0 &&
                       part.files[0].size == bytes;
            if (is_right)
                file->part = part;
            else
                index_fini(&part);
        }
        free(data);
    }
    free(name);
    return is_right;
}

static int save(const struct place *place, const char *name,
                const struct index *index)
{
    void *data;
    size_t size;
    int rc = -1;

    if (index_encode(index, &data, &size) != 0) {
        tool_error(name, "%s", strerror(ENOMEM));
        return -1;
    }
    rc = place_save(place, name, data, size);
    free(data);
    return rc;
}

static int make_part(struct dataset *dataset, const struct place *place,
                     struct dataset_file *file)
{
    char *name = part_name(file);
    int rc = -1;

    index_init(&file->part, dataset->format);
    file->part.record = dataset->record;
    file->part.origin = file->origin;
    if (name != NULL)
        rc = dataset->make(dataset, place, file);
    if (rc == 0)
        rc = save(place, name, &file->part);
    free(name);
    return rc;
}

static int do_file(struct dataset *dataset, const struct place *place,
                   struct dataset_file *file)
{
    if (find_part(dataset, place, file)) {
        dataset_progress(dataset, file->bytes);
        pthread_mutex_lock(&dataset->lock);
        dataset->skipped++;
        pthread_mutex_unlock(&dataset->lock);
    } else if (make_part(dataset, place, file) != 0) {
        return -1;
    }
    file->is_done = true;
    return 0;
}

/* The next file for a thread, NULL if there is none or something failed. */
static struct dataset_file *take(struct dataset *dataset)
{
    struct dataset_file *file = NULL;

    pthread_mutex_lock(&dataset->lock);
    if (!dataset->has_failed && !tool_interrupted() &&
        dataset->next < dataset->count)
        file = &dataset->files[dataset->next++];
    pthread_mutex_unlock(&dataset->lock);
    return file;
}

static void *work(void *argument)
{
    struct dataset *dataset = argument;
    struct dataset_file *file;
    struct place place;
    int rc = place_open(&place, dataset->directory, dataset->cluster);

    if (rc == 0) {
        while (rc == 0 && (file = take(dataset)) != NULL)
            rc = do_file(dataset, &place, file);
        place_close(&place);
    }
    if (rc != 0) {
        pthread_mutex_lock(&dataset->lock);
        dataset->has_failed = true;
        pthread_mutex_unlock(&dataset->lock);
    }
    return NULL;
}

static void run_threads(struct dataset *dataset)
{
    unsigned count = 0;
    pthread_t threads[64];

    /* This one works too. */
    while (count + 1 < dataset->threads && count + 1 < dataset->count &&
           count < sizeof(threads) / sizeof(threads[0]) &&
           pthread_create(&threads[count], NULL, work, dataset) == 0)
        count++;
    work(dataset);
    while (count > 0)
        pthread_join(threads[--count], NULL);
}

static int merge(const struct dataset *dataset, struct index *total)
{
    int rc = 0;

    index_init(total, dataset->format);
    total->record = dataset->record;
    for (size_t i = 0; rc == 0 && i < dataset->count; i++)
        rc = index_append(total, &dataset->files[i].part);
    if (rc == 0)
        return 0;
    tool_error(dataset->directory, "index: %s", strerror(-rc));
    index_fini(total);
    return -1;
}

static void remove_parts(const struct dataset *dataset,
                         const struct place *place)
{
    for (size_t i = 0; i < dataset->count; i++) {
        char *name = part_name(&dataset->files[i]);

        if (name != NULL)
            place_remove(place, name);
        free(name);
    }
}

/* All parts are there: the index, then nothing else is needed. */
static int finish(const struct dataset *dataset, struct index *total)
{
    struct place place;
    int rc;

    if (place_open(&place, dataset->directory, dataset->cluster) != 0)
        return -1;
    rc = merge(dataset, total);
    if (rc == 0) {
        rc = save(&place, dataset->index, total);
        if (rc == 0)
            remove_parts(dataset, &place);
        else
            index_fini(total);
    }
    place_close(&place);
    return rc;
}

int dataset_run(struct dataset *dataset, struct index *total_out)
{
    uint64_t bytes = 0;
    int rc;

    for (size_t i = 0; i < dataset->count; i++)
        bytes += dataset->files[i].bytes;
    pthread_mutex_init(&dataset->lock, NULL);
    progress_start(&dataset->progress, bytes);
    run_threads(dataset);
    progress_stop(&dataset->progress);
    if (tool_interrupted() && !dataset->has_failed)
        tool_error(dataset->directory,
                   "interrupted; the same command goes on from here");
    rc = dataset->has_failed || tool_interrupted() ? -1 : 0;
    if (rc == 0)
        rc = finish(dataset, total_out);
    pthread_mutex_destroy(&dataset->lock);
    return rc;
}
