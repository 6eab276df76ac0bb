/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stores over other stores have in common: which store is below, and the
 * calls that go to it as they are.
 *
 * Units    as obj.h.
 * Threads  one owner thread.
 */
#ifndef CAPSTAN_STORE_OBJ_OVER_H
#define CAPSTAN_STORE_OBJ_OVER_H

#include "store/obj.h"

/* The beginning of such a store. */
struct obj_over {
    struct obj_store store; /* first */
    struct obj_store *below;
};

/** Rows of a driver's table: what the store below answers. */
int obj_over_wait_fd(struct obj_store *base);
int obj_over_space(struct obj_store *base, uint64_t *total_out,
                   uint64_t *free_out);
int obj_over_list(struct obj_store *base, unsigned shard, uint64_t after,
                  uint64_t *inos, unsigned room, unsigned *count_out);
void obj_over_fresh(struct obj_store *base, uint64_t ino);
const void *obj_over_lend(struct obj_store *base, uint64_t ino, uint64_t offset,
                          size_t length);

/** The row of a store that is made by a function of its own. @return -ENOTSUP.
 */
int obj_over_open(const struct obj_config *config,
                  struct obj_store **store_out);

#endif
