/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fixed number of equal buffers in one page-aligned mapping, so that the
 * whole can be registered once with a fabric and with io_uring.
 *
 * Units    bytes; every buffer starts on a page when its size is a multiple of
 *          4096.
 * Threads  one owner thread.
 * Failure  pool_get returns NULL when every buffer is out.
 */
#ifndef CAPSTAN_BASE_POOL_H
#define CAPSTAN_BASE_POOL_H

#include <stddef.h>

struct pool {
    char *base;
    size_t buffer_size;
    size_t nbuffers;
    size_t nfree;
    void **free_list;
};

/** Map nbuffers buffers. @return 0, -EINVAL (a zero size) or -ENOMEM. */
int pool_init(struct pool *pool, size_t nbuffers, size_t buffer_size);

/** Unmap; every buffer should be back. A zeroed pool is allowed. */
void pool_fini(struct pool *pool);

/** Take a buffer, or NULL when none is free. */
void *pool_get(struct pool *pool);

/** Give a buffer back. */
void pool_put(struct pool *pool, void *buffer);

/** Which buffer of the pool holds this address: 0 .. nbuffers - 1. */
size_t pool_index(const struct pool *pool, const void *buffer);

#endif
