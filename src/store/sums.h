/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked objects: a store over another store that keeps a CRC32C of each
 * block of 4 KiB and never returns bytes that do not fit it.
 *
 * The happy path: a write sums its blocks (what it covers in part is read
 * first, and must fit its sum), writes the bytes, then notes the sums in
 * memory. A read reads whole blocks and compares. Sums reach the device, in
 * the object's second part, when an object has been quiet for a while or its
 * memory is wanted: no read or write waits for that.
 *
 * What happens to a crash in between: a region of 64 MiB that is written to is
 * `dirty` on the device before its first byte goes there; so it is when the
 * object has no valid header yet. Who opens a store finds such regions `stale`
 * and sums them again at the first touch. A region is clean again when its
 * bytes and then its sums are durable. Sums of a process that ended in order
 * hold as long as the machine runs.
 *
 * Reads and writes of one object that share a block go one after the other, in
 * the order of their coming, if one of them writes.
 *
 * Possible failure modes are:
 *
 * - A block does not fit its sum: -ERR_CORRUPT, bad_offset says which. So does
 *   a write that would have kept a part of such a block.
 *
 * - A write fails: its region is stale, since nobody knows what it has left.
 *
 * - The device takes no more sums: who would need memory for further ones fails
 *   with its code (-ENOSPC); a quarter of the memory stays with those who read.
 *
 * - The second part is of a format of the future: -EIO, and it stays as it is.
 *
 * - The second part cannot be read or written: the operation that needs it
 *   fails with that code; a region stays dirty.
 *
 * Units    bytes.
 * Threads  as the store below.
 * Failure  as obj.h, and -ERR_CORRUPT.
 */
#ifndef CAPSTAN_STORE_SUMS_H
#define CAPSTAN_STORE_SUMS_H

#include "base/clock.h"
#include "store/obj.h"

/* 0 means the default in brackets. */
struct sums_config {
    const struct clock *clock; /* borrowed */
    uint64_t boot;             /* differs at each start, not 0 */
    uint64_t machine;     /* differs at each start of the machine; 0: unknown */
    unsigned ops_max;     /* reads and writes at once [256] */
    unsigned units_max;   /* sums in memory, 1 MiB of data each [8192] */
    unsigned objects_max; /* objects known in memory [8192] */
    uint64_t idle_ns;     /* quiet objects are cleaned after [2 s] */
};

/* Counts since the store was opened, and of now. */
struct sums_stats {
    uint64_t mismatches;     /* blocks that did not fit their sum */
    uint64_t bytes_resummed; /* of stale regions */
    uint64_t intents;        /* headers written before a region's first write */
    uint64_t cleanings;      /* objects whose regions became clean */
    uint64_t unit_reads;     /* sums read from the device */
    uint64_t unit_writes;    /* sums written to it */
    uint64_t writes_joined;  /* made by another write to the same block */
    uint64_t reads_joined;   /* answered by another read of the same block */
    uint64_t objects_dirty;  /* now */
    uint64_t headers_damaged; /* so all of their objects was summed again */
};

/**
 * Put sums over a store.
 *
 * @param below  taken on success: obj_close() of the new store closes it.
 * @return 0, -ENOMEM, or what reading the list of boots gave.
 */
int sums_create(struct obj_store *below, const struct sums_config *config,
                struct obj_store **store_out);

/** Write all sums, so that the next process may trust them: before an orderly
 *  end. obj_pending() tells when it has ended; nothing may be submitted. */
void sums_flush(struct obj_store *store);

/** The store that it lies over, to look at second parts as the device has them.
 *  Nothing may be written there. */
struct obj_store *sums_below(struct obj_store *store);

void sums_stats(const struct obj_store *store, struct sums_stats *stats_out);

#endif
