/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locks of a file are one list in order of arrival. One rule decides: a
 * lock may be held when it conflicts with no lock before it in the list. A new
 * lock goes to the end; when one leaves, those behind it are looked at again.
 *
 * Lists are walked, not trees: a lock lives for one access, and there are as
 * many as there are accesses to one file at a time; locks_max bounds them.
 */
#include "server/locks.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

struct lock {
    struct lock_key key;
    struct lock_range range;
    bool is_held;
    void *asker;       /* waits for an answer, or NULL */
    uint64_t until_ns; /* of the lease; with an asker: of the patience */
    struct lock *prev, *next;
};

struct lock_file {
    uint64_t ino;
    struct lock *list;
    UT_hash_handle hh;
};

struct locks {
    struct locks_config config;
    struct lock_file *files;
    unsigned nlocks;
    unsigned naskers;
    uint64_t next_ns; /* nothing ends before */
};

int locks_create(const struct locks_config *config, struct locks **locks_out)
{
    struct locks *locks = mem_calloc(1, sizeof(*locks));

    if (locks == NULL)
        return -ENOMEM;
    locks->config = *config;
    locks->next_ns = UINT64_MAX;
    *locks_out = locks;
    return 0;
}

static void file_free(struct locks *locks, struct lock_file *file)
{
    HASH_DEL(locks->files, file);
    free(file);
}

void locks_destroy(struct locks **locks_p)
{
    struct locks *locks = *locks_p;
    struct lock_file *file, *next_file;
    struct lock *lock, *next;

    *locks_p = NULL;
    if (locks == NULL)
        return;
    HASH_ITER(hh, locks->files, file, next_file)
    {
        DL_FOREACH_SAFE(file->list, lock, next)
            free(lock);
        file_free(locks, file);
    }
    free(locks);
}

static struct lock_file *file_find(struct locks *locks, uint64_t ino)
{
    struct lock_file *file;

    HASH_FIND(hh, locks->files, &ino, sizeof(ino), file);
    return file;
}

static struct lock *lock_find(const struct lock_file *file,
                              const struct lock_key *key)
{
    struct lock *lock;

    if (file == NULL)
        return NULL;
    DL_FOREACH(file->list, lock)
    {
        if (lock->key.client == key->client && lock->key.id == key->id)
            return lock;
    }
    return NULL;
}

static bool conflicts(const struct lock_range *a, const struct lock_range *b)
{
    return (!a->is_shared || !b->is_shared) &&
           a->offset < b->offset + b->length &&
           b->offset < a->offset + a->length;
}

/* The rule. */
static bool may_hold(const struct lock_file *file, const struct lock *lock)
{
    const struct lock *before;

    for (before = file->list; before != lock; before = before->next)
        if (conflicts(&before->range, &lock->range))
            return false;
    return true;
}

static void lives_until(struct locks *locks, struct lock *lock, uint64_t when)
{
    lock->until_ns = when;
    if (when < locks->next_ns)
        locks->next_ns = when;
}

static void answer(struct locks *locks, struct lock *lock, bool is_granted)
{
    void *asker = lock->asker;

    if (asker == NULL)
        return;
    lock->asker = NULL;
    locks->naskers--;
    locks->config.answer(locks->config.ctx, asker, is_granted);
}

static void hold(struct locks *locks, struct lock *lock, uint64_t now_ns)
{
    lock->is_held = true;
    lives_until(locks, lock, now_ns + LOCKS_LEASE_NS);
    answer(locks, lock, true);
}

/* A lock leaves its file, which goes when it was the last. */
static void leave(struct locks *locks, struct lock_file *file,
                  struct lock *lock, uint64_t now_ns)
{
    struct lock *later = lock->next;

    answer(locks, lock, false);
    DL_DELETE(file->list, lock);
    free(lock);
    locks->nlocks--;
    for (; later != NULL; later = later->next)
        if (!later->is_held && may_hold(file, later))
            hold(locks, later, now_ns);
    if (file->list == NULL)
        file_free(locks, file);
}

static int append(struct locks *locks, const struct lock_key *key,
                  const struct lock_range *range, struct lock_file **file_out,
                  struct lock **lock_out)
{
    struct lock_file *file = file_find(locks, key->ino);
    struct lock *lock;

    if (locks->nlocks >= locks->config.locks_max)
        return -ERR_BUSY;
    lock = mem_calloc(1, sizeof(*lock));
    if (lock == NULL)
        return -ENOMEM;
    if (file == NULL) {
        file = mem_calloc(1, sizeof(*file));
        if (file == NULL) {
            free(lock);
            return -ENOMEM;
        }
        file->ino = key->ino;
        HASH_ADD(hh, locks->files, ino, sizeof(file->ino), file);
    }
    lock->key = *key;
    lock->range = *range;
    DL_APPEND(file->list, lock);
    locks->nlocks++;
    *file_out = file;
    *lock_out = lock;
    return 0;
}

static bool is_sound(const struct lock_range *range)
{
    return range->length > 0 && range->offset <= INT64_MAX &&
           range->length <= INT64_MAX - range->offset;
}

static bool is_same(const struct lock_range *a, const struct lock_range *b)
{
    return a->offset == b->offset && a->length == b->length &&
           a->is_shared == b->is_shared;
}

int locks_ask(struct locks *locks, const struct lock_key *key,
              const struct lock_range *range, uint64_t now_ns, void *asker)
{
    struct lock_file *file = file_find(locks, key->ino);
    struct lock *lock = lock_find(file, key);
    int rc;

    if (!is_sound(range) || (lock != NULL && !is_same(&lock->range, range)))
        return -EINVAL;
    if (lock == NULL) {
        rc = append(locks, key, range, &file, &lock);
        if (rc != 0)
            return rc;
        lock->is_held = may_hold(file, lock);
    }
    answer(locks, lock, false); /* an asker that he has given up */
    lives_until(locks, lock, now_ns + LOCKS_LEASE_NS);
    if (lock->is_held)
        return 0;
    if (locks->naskers >= locks->config.askers_max)
        return -EAGAIN;
    lock->asker = asker;
    locks->naskers++;
    lives_until(locks, lock, now_ns + LOCKS_PATIENCE_NS);
    return -EINPROGRESS;
}

int locks_renew(struct locks *locks, const struct lock_key *key,
                uint64_t now_ns)
{
    struct lock *lock = lock_find(file_find(locks, key->ino), key);

    if (lock == NULL || !lock->is_held)
        return -ESTALE;
    lives_until(locks, lock, now_ns + LOCKS_LEASE_NS);
    return 0;
}

int locks_release(struct locks *locks, const struct lock_key *key,
                  uint64_t now_ns)
{
    struct lock_file *file = file_find(locks, key->ino);
    struct lock *lock = lock_find(file, key);
    bool was_held;

    if (lock == NULL)
        return -ESTALE;
    was_held = lock->is_held;
    leave(locks, file, lock, now_ns);
    return was_held ? 0 : -ESTALE;
}

void locks_dismiss(struct locks *locks)
{
    struct lock_file *file;
    struct lock *lock;

    for (file = locks->files; file != NULL; file = file->hh.next)
        DL_FOREACH(file->list, lock)
            answer(locks, lock, false);
}

/* The time of a lock has come: the asker's patience, or the lease. */
static void end_time(struct locks *locks, struct lock_file *file,
                     struct lock *lock, uint64_t now_ns)
{
    if (lock->asker == NULL) {
        leave(locks, file, lock, now_ns);
        return;
    }
    answer(locks, lock, false);
    lives_until(locks, lock, now_ns + LOCKS_LEASE_NS);
}

/* One that is over, or NULL; on the way it learns when the next one is. */
static struct lock *find_over(struct locks *locks, uint64_t now_ns,
                              struct lock_file **file_out)
{
    struct lock_file *file;
    struct lock *lock;

    locks->next_ns = UINT64_MAX;
    for (file = locks->files; file != NULL; file = file->hh.next)
        DL_FOREACH(file->list, lock)
        {
            *file_out = file;
            if (lock->until_ns <= now_ns)
                return lock;
            lives_until(locks, lock, lock->until_ns);
        }
    return NULL;
}

int locks_poll(struct locks *locks, uint64_t now_ns)
{
    struct lock_file *file;
    struct lock *lock;
    int n = 0;

    if (now_ns < locks->next_ns)
        return 0;
    while ((lock = find_over(locks, now_ns, &file)) != NULL) {
        end_time(locks, file, lock, now_ns);
        n++;
    }
    return n;
}

uint64_t locks_next_timer(const struct locks *locks)
{
    return locks->next_ns;
}

unsigned locks_count(const struct locks *locks)
{
    return locks->nlocks;
}
