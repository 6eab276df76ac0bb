/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static uint64_t real_now(const struct clock *clock)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t real_wall(const struct clock *clock)
{
    return read_clock(CLOCK_REALTIME);
}

const struct clock *clock_real(void)
{
    static const struct clock real = {real_now, real_wall};

    return &real;
}

static uint64_t virtual_now(const struct clock *clock)
{
    return ((const struct clock_virtual *)clock)->now_ns;
}

void clock_virtual_init(struct clock_virtual *clock)
{
    clock->clock.now_ns = virtual_now;
    clock->clock.wall_ns = virtual_now;
    clock->now_ns = NS_PER_SEC;
}

void clock_virtual_set(struct clock_virtual *clock, uint64_t now_ns)
{
    if (now_ns > clock->now_ns)
        clock->now_ns = now_ns;
}

int64_t clock_stamp(const struct timespec *time)
{
    const int64_t per_sec = (int64_t)NS_PER_SEC;
    int64_t sec = time->tv_sec;

    if (sec >= INT64_MAX / per_sec)
        return INT64_MAX / per_sec * per_sec;
    if (sec <= INT64_MIN / per_sec)
        return INT64_MIN / per_sec * per_sec;
    return sec * per_sec + time->tv_nsec;
}

struct timespec clock_timespec(int64_t stamp_ns)
{
    const int64_t per_sec = (int64_t)NS_PER_SEC;
    struct timespec time = {.tv_sec = stamp_ns / per_sec,
                            .tv_nsec = stamp_ns % per_sec};

    if (time.tv_nsec < 0) {
        time.tv_sec--;
        time.tv_nsec += per_sec;
    }
    return time;
}
