/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/obj_over.h"

#include <errno.h>

static struct obj_store *below(struct obj_store *base)
{
    return ((struct obj_over *)base)->below;
}

int obj_over_wait_fd(struct obj_store *base)
{
    return obj_wait_fd(below(base));
}

int obj_over_space(struct obj_store *base, uint64_t *total_out,
                   uint64_t *free_out)
{
    return obj_space(below(base), total_out, free_out);
}

int obj_over_list(struct obj_store *base, unsigned shard, uint64_t after,
                  uint64_t *inos, unsigned room, unsigned *count_out)
{
    return obj_list(below(base), shard, after, inos, room, count_out);
}

void obj_over_fresh(struct obj_store *base, uint64_t ino)
{
    obj_fresh(below(base), ino);
}

const void *obj_over_lend(struct obj_store *base, uint64_t ino, uint64_t offset,
                          size_t length)
{
    return obj_lend(below(base), ino, offset, length);
}

int obj_over_open(const struct obj_config *config, struct obj_store **store_out)
{
    (void)config;
    (void)store_out;
    return -ENOTSUP;
}
