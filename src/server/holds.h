/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files without a name that clients have open: kept from the reaper under a
 * lease, which the client renews until its last close.
 *
 * The table is in memory. What was held before the start is added by the first
 * sweep of the reaper, for a client 0, and stays for a lease, in which time its
 * clients renew; until that sweep has ended, everything is taken for held.
 *
 * Units    nanoseconds.
 * Threads  the target's reactor.
 * Failure  a table that is full, or memory that is short, holds no more: such a
 *          file goes as if nobody had it open.
 */
#ifndef CAPSTAN_SERVER_HOLDS_H
#define CAPSTAN_SERVER_HOLDS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define HOLD_LEASE_NS (3600 * NS_PER_SEC) /* a program may compute for long */
#define HOLDS_MAX 65536u

struct holds;

/** @return 0 or -ENOMEM. */
int holds_create(uint64_t now, struct holds **holds_out);
void holds_destroy(struct holds **holds_p);

/** A client has it open: for another lease. */
void holds_add(struct holds *holds, uint64_t ino, uint64_t client,
               uint64_t now);
void holds_drop(struct holds *holds, uint64_t ino, uint64_t client);

/** What was held before the start has been added. */
void holds_settle(struct holds *holds);

/** Must it stay? */
bool holds_has(struct holds *holds, uint64_t ino, uint64_t now);

#endif
