/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The attributes that a lookup has just brought, for the question that follows.
 *
 * The kernel asks twice for one stat(2): LOOKUP of the name, then at once
 * GETATTR of what it found, from the same thread. The answer to the second is
 * the first's, once, within RECENT_NS and if nothing was changed through this
 * mount in between.
 *
 * Units    nanoseconds.
 * Threads  any.
 * Failure  none: what is not found is asked for.
 */
#ifndef CAPSTAN_POSIX_FUSE_RECENT_H
#define CAPSTAN_POSIX_FUSE_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <capstan/namespace.h>

#define RECENT_NS 200000u
#define RECENT_SLOTS 64u /* threads, by their number modulo this */

struct recent {
    pthread_mutex_t lock;
    struct recent_slot {
        pid_t thread; /* 0: nothing kept */
        uint64_t changes;
        uint64_t until_ns;
        struct capstan_stat stat;
    } slots[RECENT_SLOTS];
};

void recent_init(struct recent *recent);

/** Keep what a thread has looked up. */
void recent_keep(struct recent *recent, pid_t thread, uint64_t changes,
                 const struct capstan_stat *stat);

/** Take it back, once. @return false: not there, or not to be trusted. */
bool recent_take(struct recent *recent, pid_t thread, uint64_t changes,
                 uint64_t ino, struct capstan_stat *stat_out);

#endif
