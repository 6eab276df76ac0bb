/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed space: the parts of the file that anybody wants of an aggregator, laid
 * end to end. Rounds are equal slices of it, so a round's buffer is full
 * however thinly the wanted bytes are spread, and a vector that is dense in the
 * file stays one vector in the buffer.
 *
 * Units    bytes; a position is an offset in packed space.
 * Threads  pure; any.
 * Failure  -ENOMEM.
 */
#ifndef CAPSTAN_ADIO_COLL_SPACE_H
#define CAPSTAN_ADIO_COLL_SPACE_H

#include "adio/common/coll_runs.h"

struct coll_segment {
    uint64_t begin; /* in the file */
    uint64_t end;
    uint64_t position; /* of begin */
};

/* Disjoint segments, ascending. */
struct coll_space {
    struct coll_segment *segments;
    size_t n;
    size_t room;
    uint64_t bytes;
};

/** Add what a run touches: its hull when dense, else each block. */
int coll_space_add(struct coll_space *space, const struct run *run);

/** No more to add: sort, unite, number. */
void coll_space_end(struct coll_space *space);
void coll_space_fini(struct coll_space *space);

/** The last segment at or before a key: a position or a file offset. */
size_t coll_space_find(const struct coll_space *space, uint64_t key,
                       bool is_position);

/** File offset of a position; with is_end, one past position - 1. */
uint64_t coll_space_offset(const struct coll_space *space, uint64_t position,
                           bool is_end);

/**
 * Append a run, given by file offsets within the space, as seen in memory
 * where position `origin` lies at `base`.
 */
int coll_space_map(const struct coll_space *space, const struct run *run,
                   uint64_t origin, char *base, struct coll_list *out);

/* The bytes of a round that somebody wants: one bit a byte of the buffer. */
struct coll_union {
    uint64_t *bits;
    uint64_t nbits;
};

int coll_union_init(struct coll_union *set, uint64_t nbits);
void coll_union_fini(struct coll_union *set);
void coll_union_clear(struct coll_union *set);

/** Set the bytes of runs whose memory is in the buffer at base. */
void coll_union_add(struct coll_union *set, const struct run *runs, size_t n,
                    const char *base);

/** Append the set bytes as ascending runs: file offset, memory in base. */
int coll_union_list(const struct coll_union *set,
                    const struct coll_space *space, uint64_t origin, char *base,
                    struct coll_list *out);

#endif
