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
#define CAPSTAN_COUNTERS_MAX 64
int capstan_target_counters(struct capstan_session *session, uint16_t id,
                            struct capstan_counter *counters, size_t room,
                            size_t *count_out);

#ifdef __cplusplus
}
#endif

#endif
