/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time: one ops table, real (CLOCK_MONOTONIC) or virtual (moved by hand).
 *
 * Units    nanoseconds since an arbitrary start; never goes back. wall_ns is
 *          nanoseconds since the epoch, for time stamps of files only.
 * Threads  the real clock: any. A virtual clock belongs to one thread.
 * Failure  none.
 */
#ifndef CAPSTAN_BASE_CLOCK_H
#define CAPSTAN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

struct clock {
    uint64_t (*now_ns)(const struct clock *clock);
    uint64_t (*wall_ns)(const struct clock *clock);
};

/** The machine's clock. Static; never ends. */
const struct clock *clock_real(void);

/** A clock that stands still until moved. */
struct clock_virtual {
    struct clock clock; /* first: a pointer to it is a pointer to this */
    uint64_t now_ns;
};

/** Start a virtual clock at 1 s. */
void clock_virtual_init(struct clock_virtual *clock);

/** Move a virtual clock to now_ns; a time in the past is ignored. */
void clock_virtual_set(struct clock_virtual *clock, uint64_t now_ns);

/** A time stamp in nanoseconds; one that 64 bits do not hold (before 1678, after
 *  2261) becomes the nearest that they do. */
int64_t clock_stamp(const struct timespec *time);
struct timespec clock_timespec(int64_t stamp_ns);

static inline uint64_t clock_now(const struct clock *clock)
{
    return clock->now_ns(clock);
}

static inline uint64_t clock_wall(const struct clock *clock)
{
    return clock->wall_ns(clock);
}

#endif
