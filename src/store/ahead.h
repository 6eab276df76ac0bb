/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading ahead: a store over another store that is told what will be read soon
 * and has it in memory by then.
 *
 * The happy path: ahead_plan() notes extents, in units of 64 KiB. Units with
 * memory are read from the store below, a few at a time; a read all of whose
 * bytes lie in units is a copy, and waits if they are still under way. A unit
 * whose planned bytes were all read is free for the next in the queue.
 *
 * Nobody sees old bytes: a write, truncation or destruction drops all units of
 * its object when it is submitted, and every change of an object goes through
 * here. Sums of blocks are kept with the bytes.
 *
 * Possible failure modes are:
 *
 * - More is planned than there is memory for: it waits in a queue of a bounded
 *   length; beyond that it is not taken.
 *
 * - What was planned is not read: after AHEAD_LIFE_NS its memory goes to what
 * is planned now.
 *
 * - A read ahead fails: the unit is dropped. Whoever reads is told by the store
 *   below.
 *
 * Units    bytes.
 * Threads  as the store below.
 * Failure  as obj.h.
 */
#ifndef CAPSTAN_STORE_AHEAD_H
#define CAPSTAN_STORE_AHEAD_H

#include "base/clock.h"
#include "store/obj.h"

#define AHEAD_UNIT 65536u
#define AHEAD_QUEUE_MAX 4096u /* units that wait for memory */
#define AHEAD_FILLS_MAX 16u   /* reads ahead at once */
#define AHEAD_LIFE_NS (10 * NS_PER_SEC)

struct ahead_config {
    const struct clock *clock; /* borrowed */
    uint64_t memory_max; /* at least AHEAD_UNIT; taken with the first plan */
};

/* Counts since the store was opened. */
struct ahead_stats {
    uint64_t bytes_read;    /* ahead, from the store below */
    uint64_t bytes_served;  /* of reads, from memory */
    uint64_t bytes_dropped; /* planned, read ahead, and never asked for */
};

/**
 * Put reading ahead over a store.
 *
 * @param below  taken on success: obj_close() of the new store closes it.
 * @return 0, -EINVAL (memory_max), -ENOMEM.
 */
int ahead_create(struct obj_store *below, const struct ahead_config *config,
                 struct obj_store **store_out);

/**
 * An extent will be read soon, once.
 *
 * @return how many of its bytes were taken; fewer: the queue is full, or there
 *         is no memory.
 */
uint64_t ahead_plan(struct obj_store *store, uint64_t ino, uint64_t offset,
                    uint64_t length);

void ahead_stats(const struct obj_store *store, struct ahead_stats *stats_out);

#endif
