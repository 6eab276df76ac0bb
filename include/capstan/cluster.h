/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cluster as operators see it: targets, whether they answer, counters.
 *
 * Units    bytes, nanoseconds unless a counter's unit says otherwise.
 * Threads  as the session.
 * Failure  as the session.
 */
#ifndef CAPSTAN_CLUSTER_H
#define CAPSTAN_CLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include <capstan/session.h>

#ifdef __cplusplus
extern "C" {
#endif

struct capstan_target {
    uint16_t id;
    const char *server; /* name, node, ...: valid as long as the session */
    const char *node;
    const char *service;
    const char *directory;
};

/** How many targets the cluster has. */
size_t capstan_target_count(const struct capstan_session *session);

/** Target number `index` (0 .. count - 1), ascending by id. */
void capstan_target_info(const struct capstan_session *session, size_t index,
                         struct capstan_target *target_out);

/* A named counter of a target. Names, units and prose live in one table. */
struct capstan_counter {
    const char *name; /* e.g. "bytes_sent" */
    const char *unit; /* e.g. "bytes" */
    const char *help; /* a sentence */
    uint64_t value;
};

/**
 * Ask a target for its counters. Total and free space are among them.
 *
 * @param counters  room for `room` of them; CAPSTAN_COUNTERS_MAX suffices.
 * @param count_out how many were set.
 * @return 0, -ETIMEDOUT (does not answer), -EINVAL (no such target).
 */
#define CAPSTAN_COUNTERS_MAX 128
int capstan_target_counters(struct capstan_session *session, uint16_t id,
                            struct capstan_counter *counters, size_t room,
                            size_t *count_out);

/* Where a scrub of a target has come to, and what it has seen so far. Zero it to
 * start at the beginning. */
struct capstan_scrub {
    int is_done;
    uint32_t shard; /* the place: the library's */
    uint64_t ino;
    uint64_t offset;
    uint64_t objects; /* read to their end */
    uint64_t bytes;
    uint64_t bad; /* blocks of 4 KiB */
};

/* A block that does not fit its checksum, or that cannot be read. */
struct capstan_scrub_bad {
    uint64_t ino;
    uint64_t offset; /* in the object that the target has of the file */
};

/**
 * Scrub a target for a while: its server reads on from *scrub and compares
 * every block with its checksum. Repeat until is_done.
 *
 * @param budget    bytes to read, about; at most 64 MiB.
 * @param bad       room for `room` blocks; 256 suffice.
 * @param nbad_out  how many were set.
 * @return 0, -ETIMEDOUT (does not answer, or another scrub is at it), -EINVAL
 *         (no such target); *scrub is unchanged then.
 */
int capstan_target_scrub(struct capstan_session *session, uint16_t id,
                         uint64_t budget, struct capstan_scrub *scrub,
                         struct capstan_scrub_bad *bad, size_t room,
                         size_t *nbad_out);

#ifdef __cplusplus
}
#endif

#endif
