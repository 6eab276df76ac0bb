/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which runs go to which columns, in how large portions, and which bytes of a
 * run lie on a column.
 *
 * A run is cut only where a portion would become too large: the server takes
 * from it what lies on its column, so a run over many stripes is sent whole to
 * every column it touches. The bytes of a run on a column, in order of block
 * and offset, are its pieces; inline data is their concatenation.
 *
 * Units    bytes. run.mem is passed through.
 * Threads  pure; a cursor or iterator belongs to one thread.
 * Failure  none.
 */
#ifndef CAPSTAN_CLIENT_IO_SPLIT_H
#define CAPSTAN_CLIENT_IO_SPLIT_H

#include "base/inode.h"
#include "base/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a file's bytes lie on columns. */
struct split_map {
    uint32_t stripe_size;
    uint16_t columns; /* 1 .. LAYOUT_WIDTH_MAX */
};

/**
 * The columns that a run touches, as bits. Exact for one block; for a vector
 * whose blocks' places cannot be told in a bounded number of steps it may hold
 * columns too many, never too few.
 */
uint64_t split_columns(const struct split_map *map, const struct run *run);

/** How many of a run's bytes lie on a column. Exact for up to SPLIT_EXACT_MAX
 *  blocks, else an upper bound. */
#define SPLIT_EXACT_MAX 64
uint64_t split_bytes(const struct split_map *map, unsigned column,
                     const struct run *run);

/**
 * At most how many fragments of 4 KiB (doc/wire-protocol.md) a run has on any
 * one column.
 */
#define SPLIT_FRAGMENT 4096u
uint64_t split_fragments(const struct run *run);

/* Walks a list of runs in portions. Zero `at`, `block`, `within` to start. */
struct split_cursor {
    const struct run *runs;
    size_t nruns;
    size_t at;       /* run */
    uint64_t block;  /* in it */
    uint64_t within; /* bytes of that block that are done */
};

/**
 * Take the next portion: (part of) a run with about `limit` bytes a column at
 * most, cut between blocks or, in a block, at a multiple of whole rows (or of
 * limit when a stripe is larger). Empty runs are skipped.
 *
 * @param limit  a multiple of STRIPE_SIZE_MIN.
 * @return false at the end.
 */
bool split_next(const struct split_map *map, struct split_cursor *cursor,
                uint64_t limit, struct run *portion_out);

/* Walks the pieces of one run on one column. */
struct split_pieces {
    struct split_map map;
    unsigned column;
    struct run run;
    uint64_t block;
    uint64_t within; /* bytes of that block that are done */
};

struct split_piece {
    uint64_t offset;        /* in the file */
    uint64_t object_offset; /* in the column's object */
    uint64_t length;
    uint64_t mem; /* as the run's */
};

void split_pieces_init(struct split_pieces *pieces, const struct split_map *map,
                       unsigned column, const struct run *run);

/** @return false at the end. */
bool split_piece_next(struct split_pieces *pieces,
                      struct split_piece *piece_out);

/** How many bytes lie below `size`, wherever in the list: runs may overlap, so
 *  that some below it come after some above. */
uint64_t split_bytes_below(const struct run *runs, size_t nruns, uint64_t size);

#endif
