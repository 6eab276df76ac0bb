/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making an index, file by file, by several threads, so that it can be taken up
 * again where it was interrupted.
 *
 * A data file that is done has its own small index beside it, NAME.part: it is
 * written last, sums to what it says, and names what it was made of. A run
 * skips files whose part is right. In the end the parts become `index` and go.
 *
 * Units    bytes.
 * Threads  dataset_run() starts them; each has a place of its own.
 * Failure  said on stderr; parts that are done stay.
 */
#ifndef CAPSTAN_TOOLS_DATASET_H
#define CAPSTAN_TOOLS_DATASET_H

#include <pthread.h>
#include <stdbool.h>

#include "loader/index.h"
#include "tools/place.h"
#include "tools/progress.h"

struct dataset;

struct dataset_file {
    char *name;
    uint64_t origin; /* of what it is made of */
    uint64_t bytes;  /* for the progress bar */
    void *sources;   /* the maker's */
    bool is_done;
    struct index part;
};

/** Make a file's part: its one file and its rows. Any thread.
 *  @return 0 or -1 (said). */
typedef int (*dataset_make_fn)(struct dataset *dataset,
                               const struct place *place,
                               struct dataset_file *file);

struct dataset {
    const char *directory;
    const struct tool_place *cluster;
    enum index_format format;
    uint64_t record;
    const char *index; /* name of the result */
    unsigned threads;
    dataset_make_fn make;
    void *context; /* the maker's */
    struct dataset_file *files;
    size_t count;

    /* Under lock. */
    pthread_mutex_t lock;
    size_t next;
    bool has_failed;
    size_t skipped;
    struct progress progress;
};

/** Make all parts that are missing, then the index.
 *  @param total_out  the index, ended with index_fini(). @return 0 or -1. */
int dataset_run(struct dataset *dataset, struct index *total_out);

/** So many bytes more are done. Any thread. */
void dataset_progress(struct dataset *dataset, uint64_t bytes);

/** For index_add_row() as a scan_row_fn: context is the struct index. */
int dataset_take_row(void *context, const struct index_row *row);

/** Is this the name of a part? */
bool dataset_is_part(const char *name);

#endif
