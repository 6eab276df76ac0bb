/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ordered key-value store with transactions: kv_rocksdb or kv_mem.
 *
 * The happy path: kv_begin(), then reads (which see the transaction's own
 * writes) and writes, then kv_commit(), which applies all of them or none.
 * One transaction at a time: its owner is the target's metadata thread.
 *
 * A commit survives kill -9 at once (it is in the log file); it survives loss
 * of power once a later kv_sync(), or a commit with `sync`, has returned.
 *
 * Units    bytes; keys are ordered as memcmp orders them.
 * Threads  one owner thread.
 * Failure  -EIO and -ENOSPC leave the store as it was before the transaction.
 *
 * A store in a hurry (kv_hurry()) does what it can from memory. What would have
 * to wait for the device, a read or a commit, gives -EAGAIN instead, and
 * has_missed tells of it until the next kv_begin(): so whoever swallows the
 * code does not hide that the transaction must be run again, without hurry.
 */
#ifndef CAPSTAN_META_KV_H
#define CAPSTAN_META_KV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_KEY_MAX 512
#define KV_VALUE_MAX 65536

struct kv;

struct kv_config {
    const char *directory; /* kv_rocksdb: made when missing */
    uint64_t machine; /* kv_rocksdb: differs at each start of it; 0: unknown */
    void *disk;            /* kv_mem: the struct kv_mem_disk */
};

/** Called for each pair in key order; returns false to stop. */
typedef bool kv_each_fn(void *ctx, const void *key, size_t key_len,
                        const void *value, size_t value_len);

struct kv_driver {
    const char *name;
    int (*open)(const struct kv_config *config, struct kv **kv_out);
    void (*close)(struct kv *kv);
    int (*begin)(struct kv *kv);
    int (*get)(struct kv *kv, const void *key, size_t key_len, void *value,
               size_t room, size_t *value_len_out);
    int (*put)(struct kv *kv, const void *key, size_t key_len,
               const void *value, size_t value_len);
    int (*del)(struct kv *kv, const void *key, size_t key_len);
    int (*each)(struct kv *kv, const void *from, size_t from_len,
                const void *prefix, size_t prefix_len, kv_each_fn *each,
                void *ctx);
    int (*commit)(struct kv *kv, bool sync);
    void (*rollback)(struct kv *kv);
    int (*sync)(struct kv *kv);
};

/* Drivers embed this first. */
struct kv {
    const struct kv_driver *driver;
    bool is_hurried;
    bool has_missed; /* in this transaction, or at its end */
};

extern const struct kv_driver kv_rocksdb;
extern const struct kv_driver kv_mem;

/** @return 0, -EIO/-EBUSY (logged: damaged, or in use by another process). */
static inline int kv_open(const struct kv_driver *driver,
                          const struct kv_config *config, struct kv **kv_out)
{
    return driver->open(config, kv_out);
}

/** Close; an open transaction is rolled back. */
static inline void kv_close(struct kv *kv)
{
    kv->driver->close(kv);
}

/** Start the one transaction. A store that has not recovered from a failed
 *  commit may still be read; kv_commit() then gives the code again. @return 0,
 *  -ENOMEM, or that code. */
static inline int kv_begin(struct kv *kv)
{
    kv->has_missed = false;
    return kv->driver->begin(kv);
}

/** Wait for the device from now on, or do not; between transactions. */
static inline void kv_hurry(struct kv *kv, bool is_hurried)
{
    kv->is_hurried = is_hurried;
}

/** Note, for a driver, that the device would have to be waited for. */
static inline int kv_miss(struct kv *kv)
{
    kv->has_missed = true;
    return -EAGAIN;
}

/** Read one value. @return 0, -ENOENT, -EOVERFLOW (room too small) or -EIO. */
static inline int kv_get(struct kv *kv, const void *key, size_t key_len,
                         void *value, size_t room, size_t *value_len_out)
{
    return kv->driver->get(kv, key, key_len, value, room, value_len_out);
}

/** Write within the transaction. @return 0, -EINVAL (too long), -ENOMEM. */
static inline int kv_put(struct kv *kv, const void *key, size_t key_len,
                         const void *value, size_t value_len)
{
    return kv->driver->put(kv, key, key_len, value, value_len);
}

/** Delete within the transaction; no error if it is not there. */
static inline int kv_del(struct kv *kv, const void *key, size_t key_len)
{
    return kv->driver->del(kv, key, key_len);
}

/**
 * Visit, in order, the pairs whose key is >= from and begins with prefix,
 * the transaction's writes included. The visitor must not write.
 */
static inline int kv_each(struct kv *kv, const void *from, size_t from_len,
                          const void *prefix, size_t prefix_len,
                          kv_each_fn *each, void *ctx)
{
    return kv->driver->each(kv, from, from_len, prefix, prefix_len, each, ctx);
}

/** Apply the transaction. @return 0; -EIO, -ENOSPC or -ENOMEM: nothing was
 *  applied. Either way the transaction has ended. */
static inline int kv_commit(struct kv *kv, bool sync)
{
    return kv->driver->commit(kv, sync);
}

/** Drop the transaction, if one is open. */
static inline void kv_rollback(struct kv *kv)
{
    kv->driver->rollback(kv);
}

/** Everything committed so far is durable when this returns 0. */
static inline int kv_sync(struct kv *kv)
{
    return kv->driver->sync(kv);
}

/* The simulated device below kv_mem; outlives the stores opened on it. */
struct kv_mem_disk;

int kv_mem_disk_create(struct kv_mem_disk **disk_out);
void kv_mem_disk_destroy(struct kv_mem_disk **disk_p);

/** Lose power: commits after the last sync are lost from some point on
 *  (a log is cut at its end: a seeded prefix of them survives). */
void kv_mem_disk_power_loss(struct kv_mem_disk *disk, uint64_t seed);

/** Let n more commits succeed, then fail one with -code; -1: off. */
void kv_mem_disk_fault(struct kv_mem_disk *disk, int n, int code);

/** Let every kv_sync() fail with -code; 0: off. */
void kv_mem_disk_sync_fault(struct kv_mem_disk *disk, int code);

/** Of what is done in a hurry, let each n-th read or commit miss; 0: none. */
void kv_mem_disk_miss(struct kv_mem_disk *disk, unsigned n);

#endif
