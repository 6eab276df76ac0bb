/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file view (MPI-3.1, 13.3), and the step from (view, memory type, count)
 * to the runs that coll.h and the drivers take.
 *
 * Units    view offsets are data bytes from the view's start, holes not
 *          counted; file offsets are bytes from the file's start.
 * Threads  read-only once made.
 * Failure  -EINVAL, -ENOMEM, -EOVERFLOW.
 */
#ifndef CAPSTAN_ADIO_VIEW_H
#define CAPSTAN_ADIO_VIEW_H

#include "adio/common/flat.h"
#include "base/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adio_view {
    uint64_t disp;
    uint64_t etype_size;
    struct flat *filetype;
    uint64_t *starts;   /* data bytes of a tile before each of its vectors */
    bool is_interlaced; /* a tile reaches into the next one */
};

/** The default view: disp 0, bytes. */
int view_create_bytes(struct adio_view **view_out);

/** Takes a reference of its own of filetype. @return 0, -EINVAL (negative or
 *  decreasing displacements, size not a multiple of the etype's), -ENOMEM. */
int view_create(uint64_t disp, uint64_t etype_size, struct flat *filetype,
                struct adio_view **view_out);
void view_destroy(struct adio_view **view_p);

/** The file offset of the data byte at view offset `at`. */
uint64_t view_file_offset(const struct adio_view *view, uint64_t at);

/** The vector of the filetype that holds data byte at_in_tile of a tile. */
size_t view_find_vec(const struct adio_view *view, uint64_t at_in_tile);

/** How many data bytes of the view lie below a file offset. */
uint64_t view_bytes_below(const struct adio_view *view, uint64_t file_offset);

/* A growing list of runs. Zero it to start; free(list.runs) to end. */
struct run_list {
    struct run *runs;
    size_t nruns;
    size_t room;
    uint64_t bytes;
};

/**
 * The runs of count instances of a memory type at view offset `at`, in file
 * order; memory addresses are absolute. Vectors on both sides stay vectors:
 * the cost follows the pattern, not the number of blocks.
 *
 * @param list_out  zeroed or used before; what it held is dropped.
 * @return 0, -ENOMEM, -EOVERFLOW (beyond 2^63), or -EINVAL (data in a view
 *         without any).
 */
int view_runs(const struct adio_view *view, uint64_t at, const void *memory,
              const struct flat *memtype, uint64_t count,
              struct run_list *list_out);

void run_list_fini(struct run_list *list);

#endif
