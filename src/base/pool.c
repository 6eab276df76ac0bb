/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int pool_init(struct pool *pool, size_t nbuffers, size_t buffer_size)
{
    size_t i;

    memset(pool, 0, sizeof(*pool));
    if (nbuffers == 0 || buffer_size == 0)
        return -EINVAL;
    pool->free_list = mem_calloc(nbuffers, sizeof(*pool->free_list));
    if (pool->free_list == NULL)
        return -ENOMEM;
    pool->base = mmap(NULL, nbuffers * buffer_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool->base == MAP_FAILED)
        goto err_list;
    pool->nbuffers = pool->nfree = nbuffers;
    pool->buffer_size = buffer_size;
    for (i = 0; i < nbuffers; i++)
        pool->free_list[i] = pool->base + (nbuffers - 1 - i) * buffer_size;
    return 0;

err_list:
    free(pool->free_list);
    memset(pool, 0, sizeof(*pool));
    return -ENOMEM;
}

void pool_fini(struct pool *pool)
{
    if (pool->base != NULL)
        munmap(pool->base, pool->nbuffers * pool->buffer_size);
    free(pool->free_list);
    memset(pool, 0, sizeof(*pool));
}

void *pool_get(struct pool *pool)
{
    return pool->nfree == 0 ? NULL : pool->free_list[--pool->nfree];
}

void pool_put(struct pool *pool, void *buffer)
{
    assert(pool->nfree < pool->nbuffers);
    assert(pool_index(pool, buffer) < pool->nbuffers);
    pool->free_list[pool->nfree++] = buffer;
}

size_t pool_index(const struct pool *pool, const void *buffer)
{
    return (size_t)((const char *)buffer - pool->base) / pool->buffer_size;
}
