/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One slot a thread; a thread that shares its slot with another only loses the
 * shortcut.
 */
#include "posix/fuse_recent.h"

#include "base/clock.h"

void recent_init(struct recent *recent)
{
    pthread_mutex_init(&recent->lock, NULL);
    for (unsigned i = 0; i < RECENT_SLOTS; i++)
        recent->slots[i].thread = 0;
}

static struct recent_slot *slot_of(struct recent *recent, pid_t thread)
{
    return &recent->slots[(unsigned)thread % RECENT_SLOTS];
}

void recent_keep(struct recent *recent, pid_t thread, uint64_t changes,
                 const struct capstan_stat *stat)
{
    struct recent_slot *slot = slot_of(recent, thread);
    uint64_t now_ns = clock_now(clock_real());

    pthread_mutex_lock(&recent->lock);
    slot->thread = stat->is_partial ? 0 : thread;
    slot->changes = changes;
    slot->until_ns = now_ns + RECENT_NS;
    slot->stat = *stat;
    pthread_mutex_unlock(&recent->lock);
}

bool recent_take(struct recent *recent, pid_t thread, uint64_t changes,
                 uint64_t ino, struct capstan_stat *stat_out)
{
    struct recent_slot *slot = slot_of(recent, thread);
    uint64_t now_ns = clock_now(clock_real());
    bool is_good;

    pthread_mutex_lock(&recent->lock);
    is_good = slot->thread == thread && slot->changes == changes &&
              slot->stat.ino == ino && now_ns < slot->until_ns;
    if (is_good)
        *stat_out = slot->stat;
    slot->thread = 0;
    pthread_mutex_unlock(&recent->lock);
    return is_good;
}
