/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table with one slot for several files: what is overwritten is not known any
 * more. The library's calls under the lock ask no server.
 */
#include "posix/fuse_known.h"

#include "base/clock.h"

#include <errno.h>

void known_init(struct known *known, double keep_sec)
{
    *known = (struct known){.keep_ns = (uint64_t)(keep_sec * NS_PER_SEC)};
    pthread_mutex_init(&known->lock, NULL);
}

static void drop(struct known_slot *slot)
{
    capstan_opened_free(&slot->opened);
    slot->ino = 0;
}

void known_fini(struct known *known)
{
    for (unsigned i = 0; i < KNOWN_SLOTS; i++)
        drop(&known->slots[i]);
    pthread_mutex_destroy(&known->lock);
}

bool known_is_on(const struct known *known)
{
    return known->keep_ns > 0;
}

static struct known_slot *slot_of(struct known *known, uint64_t ino)
{
    return &known->slots[(ino ^ (ino >> 48) * 37) % KNOWN_SLOTS];
}

void known_keep(struct known *known, const struct capstan_stat *stat,
                struct capstan_opened *opened)
{
    struct known_slot *slot = slot_of(known, stat->ino);

    if (opened == NULL)
        return;
    pthread_mutex_lock(&known->lock);
    drop(slot);
    slot->ino = stat->ino;
    slot->mode = stat->mode;
    slot->opened = opened;
    slot->until_ns = clock_now(clock_real()) + known->keep_ns;
    pthread_mutex_unlock(&known->lock);
}

void known_forget(struct known *known, uint64_t ino)
{
    struct known_slot *slot = slot_of(known, ino);

    pthread_mutex_lock(&known->lock);
    if (slot->ino == ino)
        drop(slot);
    pthread_mutex_unlock(&known->lock);
}

int known_open(struct known *known, struct capstan_session *session,
               uint64_t ino, unsigned flags, struct capstan_file **file_out,
               uint32_t *mode_out)
{
    struct known_slot *slot = slot_of(known, ino);
    int rc = -ENOENT;

    if (!known_is_on(known))
        return rc;
    pthread_mutex_lock(&known->lock);
    if (slot->ino == ino && clock_now(clock_real()) < slot->until_ns)
        rc = capstan_opened_may(session, slot->opened, flags);
    if (rc == 0) {
        rc = capstan_opened_open(session, slot->opened, flags, file_out);
        *mode_out = slot->mode;
    }
    pthread_mutex_unlock(&known->lock);
    return rc;
}
