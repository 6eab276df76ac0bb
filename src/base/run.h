/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run: `count` equal blocks, `stride` apart in the file and `mem_stride`
 * apart in memory. One run describes a vector of any length; a plain extent is
 * a run of one. Everything that reads or writes takes lists of them.
 *
 * Units    bytes. mem is an address, or an offset into a registered buffer.
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_BASE_RUN_H
#define CAPSTAN_BASE_RUN_H

#include <stddef.h>
#include <stdint.h>

struct run {
    uint64_t offset; /* of block 0 in the file */
    uint64_t length; /* of each block */
    uint64_t stride; /* from block to block in the file; 0 if count is 1 */
    uint64_t count;  /* blocks, at least 1 */
    uint64_t mem;    /* of block 0 in memory */
    int64_t mem_stride;
};

static inline uint64_t run_bytes(const struct run *run)
{
    return run->length * run->count;
}

/** One past the last byte in the file (stride >= 0 always). */
static inline uint64_t run_end(const struct run *run)
{
    return run->offset + (run->count - 1) * run->stride + run->length;
}

static inline uint64_t runs_bytes(const struct run *runs, size_t nruns)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < nruns; i++)
        bytes += run_bytes(&runs[i]);
    return bytes;
}

#endif
