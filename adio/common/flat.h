/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flattened datatype: the bytes of one instance as vectors of equal blocks,
 * in typemap order. The face (src/mpiio) pushes pieces; equal neighbours melt
 * into one vector, so a vector type of a million blocks is one flat_vec.
 *
 * Units    bytes; displacements are signed and relative to the buffer.
 * Threads  a flat is built by one thread and read-only after flat_end();
 *          any thread may take and drop references.
 * Failure  -ENOMEM leaves the flat usable for flat_destroy() only.
 */
#ifndef CAPSTAN_ADIO_FLAT_H
#define CAPSTAN_ADIO_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flat_vec {
    int64_t disp; /* of block 0 */
    uint64_t length;
    int64_t stride;
    uint64_t count;
};

struct flat {
    struct flat_vec *vecs;
    size_t nvecs;
    size_t room;
    uint64_t size;      /* data bytes of one instance */
    int64_t lb;         /* lower bound */
    int64_t extent;     /* from instance to instance */
    bool is_contiguous; /* one block as long as the extent, at 0 */
    bool has_open;      /* while built: the last vector may still grow */
    unsigned refs;
};

/** An empty flat with one reference. @return 0 or -ENOMEM. */
int flat_create(struct flat **flat_out);

/** Append a piece in typemap order. Zero length is ignored. */
int flat_push(struct flat *flat, int64_t disp, uint64_t length);

/** The same as flat_push() of `count` blocks `stride` apart, at the cost of a
 *  few. @return 0 or -ENOMEM. */
int flat_push_blocks(struct flat *flat, int64_t disp, uint64_t length,
                     int64_t stride, uint64_t count);

/** No more pieces: set the bounds, compute size and is_contiguous. */
void flat_end(struct flat *flat, int64_t lb, int64_t extent);

struct flat *flat_get(struct flat *flat);
/** Drop a reference; *flat_p becomes NULL. NULL is allowed. */
void flat_put(struct flat **flat_p);

#endif
