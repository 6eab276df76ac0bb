/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key-value store in memory, for simulated targets.
 *
 * The happy path: a transaction is a second set of pairs over the committed
 * one; reads look there first. A commit exchanges each of its pairs with the
 * committed one of that key (a tombstone where there was none), so that what
 * the transaction then holds is exactly what undoes it. It is kept on the
 * disk's list of unsynced commits until a sync forgets that list.
 *
 * Loss of power undoes commits from the last one backward, as a log loses its
 * tail: a seeded number of them survives.
 *
 * Possible failure modes are the test's fault (-EIO or what it asks for) and
 * want of memory: a commit takes what it needs before it changes anything, and
 * a commit that failed has dropped its transaction.
 */
#include "meta/kv.h"

#include "base/mem.h"
#include "base/rng.h"
#include "meta/pairs_mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A transaction, and after its commit, what undoes it. */
struct batch {
    struct batch *older;
    struct pairs pairs;
};

struct kv_mem_disk {
    struct pairs pairs;
    struct batch *unsynced; /* newest first */
    size_t nunsynced;
    int fault_after; /* commits; -1: never */
    int fault_code;
    int sync_fault;      /* code of every sync, or 0 */
    unsigned miss_every; /* of what is done in a hurry; 0: nothing */
    unsigned hurried;
    bool is_open;
};

struct kv_mem {
    struct kv kv; /* first */
    struct kv_mem_disk *disk;
    struct batch *batch; /* the transaction, or NULL */
};

static struct kv_mem *mem_of(struct kv *kv)
{
    assert(kv->driver == &kv_mem);
    return (struct kv_mem *)kv;
}

static void batch_destroy(struct batch *batch)
{
    if (batch == NULL)
        return;
    pairs_clear(&batch->pairs);
    free(batch);
}

/*
 * Commit and undo.
 */

/* Apply a tombstone: take the committed pair, or keep the tombstone. */
static struct pair *bury(struct pairs *pairs, struct pair *tombstone)
{
    struct pair *old = pairs_take(pairs, tombstone->bytes, tombstone->key_len);

    if (old == NULL)
        return tombstone;
    free(tombstone);
    return old;
}

/* Exchange a batch with what is committed; fresh[i] is a tombstone for the
 * i-th key in case that it is new. */
static void exchange(struct pairs *pairs, struct batch *batch,
                     struct pair **fresh)
{
    for (size_t i = 0; i < batch->pairs.n; i++) {
        struct pair *pair = batch->pairs.list[i];
        struct pair *old;

        if (pair->is_tombstone) {
            batch->pairs.list[i] = bury(pairs, pair);
            continue;
        }
        old = pairs_exchange(pairs, pair);
        if (old == NULL) {
            old = fresh[i];
            fresh[i] = NULL;
        }
        batch->pairs.list[i] = old;
    }
}

static void free_fresh(struct pair **fresh, size_t n)
{
    for (size_t i = 0; fresh != NULL && i < n; i++)
        free(fresh[i]);
    free(fresh);
}

/* A tombstone for each key of a batch, or NULL. */
static struct pair **make_fresh(const struct batch *batch)
{
    size_t n = batch->pairs.n;
    struct pair **fresh = mem_calloc(n + 1, sizeof(*fresh));

    for (size_t i = 0; fresh != NULL && i < n; i++) {
        const struct pair *pair = batch->pairs.list[i];

        fresh[i] = pair_create(pair->bytes, pair->key_len, NULL, 0);
        if (fresh[i] == NULL) {
            free_fresh(fresh, n);
            return NULL;
        }
    }
    return fresh;
}

static int apply(struct kv_mem_disk *disk, struct batch *batch)
{
    struct pair **fresh;

    if (pairs_reserve(&disk->pairs, batch->pairs.n) != 0)
        return -ENOMEM;
    fresh = make_fresh(batch);
    if (fresh == NULL)
        return -ENOMEM;
    exchange(&disk->pairs, batch, fresh);
    free_fresh(fresh, batch->pairs.n);
    return 0;
}

static void forget_unsynced(struct kv_mem_disk *disk)
{
    struct batch *batch;

    while ((batch = disk->unsynced) != NULL) {
        disk->unsynced = batch->older;
        batch_destroy(batch);
    }
    disk->nunsynced = 0;
}

/*
 * The driver.
 */

static int mem_open(const struct kv_config *config, struct kv **kv_out)
{
    struct kv_mem_disk *disk = config->disk;
    struct kv_mem *mem;

    if (disk->is_open)
        return -EBUSY;
    mem = mem_calloc(1, sizeof(*mem));
    if (mem == NULL)
        return -ENOMEM;
    mem->kv.driver = &kv_mem;
    mem->disk = disk;
    disk->is_open = true;
    *kv_out = &mem->kv;
    return 0;
}

static void mem_rollback(struct kv *kv)
{
    struct kv_mem *mem = mem_of(kv);

    batch_destroy(mem->batch);
    mem->batch = NULL;
}

static void mem_close(struct kv *kv)
{
    mem_rollback(kv);
    mem_of(kv)->disk->is_open = false;
    free(kv);
}

static int mem_begin(struct kv *kv)
{
    struct kv_mem *mem = mem_of(kv);

    assert(mem->batch == NULL);
    mem->batch = mem_calloc(1, sizeof(*mem->batch));
    return mem->batch == NULL ? -ENOMEM : 0;
}

/* Would the device have to be waited for? */
static bool misses(struct kv_mem *mem)
{
    struct kv_mem_disk *disk = mem->disk;

    return mem->kv.is_hurried && disk->miss_every > 0 &&
           ++disk->hurried % disk->miss_every == 0;
}

static int mem_get(struct kv *kv, const void *key, size_t key_len, void *value,
                   size_t room, size_t *value_len_out)
{
    struct kv_mem *mem = mem_of(kv);
    const struct pair *pair = NULL;

    if (misses(mem))
        return kv_miss(kv);
    if (mem->batch != NULL)
        pair = pairs_find(&mem->batch->pairs, key, key_len);
    if (pair == NULL)
        pair = pairs_find(&mem->disk->pairs, key, key_len);
    if (pair == NULL || pair->is_tombstone)
        return -ENOENT;
    if (pair->value_len > room)
        return -EOVERFLOW;
    if (pair->value_len > 0)
        memcpy(value, pair->bytes + pair->key_len, pair->value_len);
    *value_len_out = pair->value_len;
    return 0;
}

/* Put a pair, or a tombstone, into the transaction. */
static int set(struct kv_mem *mem, const void *key, size_t key_len,
               const void *value, size_t value_len)
{
    struct pair *pair;

    assert(mem->batch != NULL);
    if (pairs_reserve(&mem->batch->pairs, 1) != 0)
        return -ENOMEM;
    pair = pair_create(key, key_len, value, value_len);
    if (pair == NULL)
        return -ENOMEM;
    free(pairs_exchange(&mem->batch->pairs, pair));
    return 0;
}

static int mem_put(struct kv *kv, const void *key, size_t key_len,
                   const void *value, size_t value_len)
{
    if (key_len > KV_KEY_MAX || value_len > KV_VALUE_MAX)
        return -EINVAL;
    return set(mem_of(kv), key, key_len, value == NULL ? "" : value, value_len);
}

static int mem_del(struct kv *kv, const void *key, size_t key_len)
{
    if (key_len > KV_KEY_MAX)
        return -EINVAL;
    return set(mem_of(kv), key, key_len, NULL, 0);
}

/* The smaller of two keys, where equal keys are the upper set's alone. */
static const struct pair *step(const struct pairs *lower, size_t *lower_at,
                               const struct pairs *upper, size_t *upper_at)
{
    const struct pair *low = NULL, *high = NULL;
    int order;

    if (*lower_at < lower->n)
        low = lower->list[*lower_at];
    if (*upper_at < upper->n)
        high = upper->list[*upper_at];
    if (low == NULL || high == NULL)
        order = low == NULL ? 1 : -1;
    else
        order =
            pairs_compare(low->bytes, low->key_len, high->bytes, high->key_len);
    *lower_at += low != NULL && order <= 0;
    *upper_at += high != NULL && order >= 0;
    return order < 0 ? low : high;
}

static bool has_prefix(const struct pair *pair, const void *prefix,
                       size_t prefix_len)
{
    return pair->key_len >= prefix_len &&
           (prefix_len == 0 || memcmp(pair->bytes, prefix, prefix_len) == 0);
}

static int mem_each(struct kv *kv, const void *from, size_t from_len,
                    const void *prefix, size_t prefix_len, kv_each_fn *each,
                    void *ctx)
{
    static const struct pairs none;
    struct kv_mem *mem = mem_of(kv);
    const struct pairs *lower = &mem->disk->pairs;
    const struct pairs *upper = mem->batch ? &mem->batch->pairs : &none;
    const struct pair *pair;
    size_t lower_at, upper_at;

    if (misses(mem))
        return kv_miss(kv);
    if (pairs_compare(from, from_len, prefix, prefix_len) < 0) {
        from = prefix;
        from_len = prefix_len;
    }
    lower_at = pairs_slot(lower, from, from_len);
    upper_at = pairs_slot(upper, from, from_len);
    while ((pair = step(lower, &lower_at, upper, &upper_at)) != NULL) {
        if (!has_prefix(pair, prefix, prefix_len))
            break;
        if (!pair->is_tombstone &&
            !each(ctx, pair->bytes, pair->key_len, pair->bytes + pair->key_len,
                  pair->value_len))
            break;
    }
    return 0;
}

static bool fault_is_due(struct kv_mem_disk *disk)
{
    return disk->fault_after >= 0 && disk->fault_after-- == 0;
}

static int mem_commit(struct kv *kv, bool sync)
{
    struct kv_mem *mem = mem_of(kv);
    struct kv_mem_disk *disk = mem->disk;
    int rc;

    assert(mem->batch != NULL);
    if (misses(mem))
        rc = kv_miss(kv);
    else
        rc = fault_is_due(disk) ? -disk->fault_code : apply(disk, mem->batch);
    if (rc != 0) {
        mem_rollback(kv);
        return rc;
    }
    mem->batch->older = disk->unsynced;
    disk->unsynced = mem->batch;
    disk->nunsynced++;
    mem->batch = NULL;
    if (sync)
        forget_unsynced(disk);
    return 0;
}

static int mem_sync(struct kv *kv)
{
    struct kv_mem_disk *disk = mem_of(kv)->disk;

    if (disk->sync_fault != 0)
        return -disk->sync_fault;
    forget_unsynced(disk);
    return 0;
}

const struct kv_driver kv_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .begin = mem_begin,
    .get = mem_get,
    .put = mem_put,
    .del = mem_del,
    .each = mem_each,
    .commit = mem_commit,
    .rollback = mem_rollback,
    .sync = mem_sync,
};

/*
 * The device.
 */

int kv_mem_disk_create(struct kv_mem_disk **disk_out)
{
    struct kv_mem_disk *disk = mem_calloc(1, sizeof(*disk));

    if (disk == NULL)
        return -ENOMEM;
    disk->fault_after = -1;
    *disk_out = disk;
    return 0;
}

void kv_mem_disk_destroy(struct kv_mem_disk **disk_p)
{
    struct kv_mem_disk *disk = *disk_p;

    if (disk == NULL)
        return;
    forget_unsynced(disk);
    pairs_clear(&disk->pairs);
    free(disk);
    *disk_p = NULL;
}

void kv_mem_disk_power_loss(struct kv_mem_disk *disk, uint64_t seed)
{
    struct rng rng;
    size_t nlost;
    int rc;

    rng_init(&rng, seed);
    nlost = rng_below(&rng, disk->nunsynced + 1);
    for (; nlost > 0; nlost--) {
        struct batch *batch = disk->unsynced;

        rc = apply(disk, batch);
        assert(rc == 0); /* a test without memory has nothing more to show */
        (void)rc;
        disk->unsynced = batch->older;
        batch_destroy(batch);
    }
    forget_unsynced(disk); /* what survived is on the device */
}

void kv_mem_disk_fault(struct kv_mem_disk *disk, int n, int code)
{
    disk->fault_after = n;
    disk->fault_code = code;
}

void kv_mem_disk_sync_fault(struct kv_mem_disk *disk, int code)
{
    disk->sync_fault = code;
}

void kv_mem_disk_miss(struct kv_mem_disk *disk, unsigned n)
{
    disk->miss_every = n;
}
