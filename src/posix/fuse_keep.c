/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two tables, each with one slot for several keys: what is overwritten is not
 * known any more, which costs a question and no more.
 */
#include "posix/fuse_keep.h"

#include "base/clock.h"
#include "base/hash.h"

#include <string.h>
#include <time.h>

#define KNOWN_NS NS_PER_SEC
#define SEARCH 0111u

void keep_init(struct keep *keep)
{
    *keep = (struct keep){.until_ns = 0};
    pthread_mutex_init(&keep->lock, NULL);
}

static uint64_t now(void)
{
    return clock_now(clock_real());
}

static struct keep_slot *slot_of(struct keep *keep, uint64_t ino)
{
    return &keep->slots[(ino ^ (ino >> 48)) % KEEP_SLOTS];
}

bool keep_see(struct keep *keep, const struct capstan_stat *stat)
{
    struct keep_slot *slot = slot_of(keep, stat->ino);
    bool is_open = (stat->mode & SEARCH) == SEARCH;
    bool was_closed;

    if (stat->type != CAPSTAN_DIRECTORY)
        return false;
    pthread_mutex_lock(&keep->lock);
    was_closed = slot->ino == stat->ino && !slot->is_open;
    if (slot->ino != stat->ino) {
        slot->name = 0;
        slot->is_removed = false;
    }
    slot->ino = stat->ino;
    slot->stat = *stat;
    slot->is_open = is_open;
    slot->until_ns = now() + KNOWN_NS;
    pthread_mutex_unlock(&keep->lock);
    return !is_open && !was_closed;
}

void keep_wait(struct keep *keep)
{
    struct timespec left = {.tv_sec = 0};
    uint64_t until_ns, now_ns = now();

    pthread_mutex_lock(&keep->lock);
    until_ns = keep->until_ns;
    pthread_mutex_unlock(&keep->lock);
    if (until_ns <= now_ns)
        return;
    left.tv_nsec = (long)(until_ns - now_ns); /* below a second */
    nanosleep(&left, NULL);
}

bool keep_knows(struct keep *keep, uint64_t dir)
{
    struct keep_slot *slot = slot_of(keep, dir);
    bool is_known;

    pthread_mutex_lock(&keep->lock);
    is_known = slot->ino == dir && now() < slot->until_ns;
    pthread_mutex_unlock(&keep->lock);
    return is_known;
}

double keep_time(struct keep *keep, uint64_t dir,
                 const struct capstan_stat *stat)
{
    struct keep_slot *slot = slot_of(keep, dir);
    bool is_kept;

    if (stat->type != CAPSTAN_DIRECTORY)
        return 0;
    pthread_mutex_lock(&keep->lock);
    is_kept = slot->ino == dir && slot->is_open && now() < slot->until_ns;
    if (is_kept)
        keep->until_ns = now() + (uint64_t)(2 * KEEP_SEC * (double)NS_PER_SEC);
    pthread_mutex_unlock(&keep->lock);
    return is_kept ? KEEP_SEC : 0;
}

void keep_named(struct keep *keep, const struct capstan_stat *stat,
                uint64_t parent, const char *name)
{
    struct keep_slot *slot = slot_of(keep, stat->ino);

    keep_see(keep, stat);
    pthread_mutex_lock(&keep->lock);
    if (slot->ino == stat->ino)
        slot->name = hash_name(parent, name, strlen(name));
    pthread_mutex_unlock(&keep->lock);
}

/* Others that had the name before have lost it otherwise: they are there, and
 * nobody will ask. */
void keep_remove(struct keep *keep, uint64_t parent, const char *name)
{
    uint64_t hash = hash_name(parent, name, strlen(name));

    pthread_mutex_lock(&keep->lock);
    for (unsigned i = 0; i < KEEP_SLOTS; i++)
        if (keep->slots[i].name == hash)
            keep->slots[i].is_removed = true;
    pthread_mutex_unlock(&keep->lock);
}

bool keep_removed(struct keep *keep, uint64_t ino,
                  struct capstan_stat *stat_out)
{
    struct keep_slot *slot = slot_of(keep, ino);
    bool is_removed;

    pthread_mutex_lock(&keep->lock);
    is_removed = slot->ino == ino && slot->is_removed;
    if (is_removed)
        *stat_out = slot->stat;
    pthread_mutex_unlock(&keep->lock);
    if (is_removed)
        stat_out->nlink = 0;
    return is_removed;
}

bool keep_is_stale(struct keep *keep, pid_t thread, uint64_t dir)
{
    unsigned at = (unsigned)thread % KEEP_THREADS;
    bool is_stale;

    pthread_mutex_lock(&keep->lock);
    if (keep->told[at].thread != thread || keep->told[at].dir != dir)
        keep->told[at].times = 0;
    is_stale = keep->told[at].times++ < KEEP_TIMES;
    keep->told[at].thread = is_stale ? thread : 0;
    keep->told[at].dir = dir;
    pthread_mutex_unlock(&keep->lock);
    return is_stale;
}
