/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names that one target owns: directory entries with their inodes, frozen
 * and removed directories, orphans, and answers kept for retried requests.
 *
 * A record is (parent ino, name) -> inode. Which target owns a record is
 * decided by names_owner(); the root directory has no record.
 *
 * Every call runs inside the kv store's open transaction and checks before it
 * writes: a call that fails has written nothing, so that many calls share one
 * transaction (group commit) and a failed one costs the others nothing.
 *
 * Removing a directory is a conversation between its owner and the fan-out
 * targets that hold its entries: names_rmdir_begin() records the intent at the
 * owner, names_freeze() at each fan-out target refuses new entries if there
 * are none, then names_rmdir_commit() deletes the record, or
 * names_rmdir_abort() and names_thaw() undo. After a crash the owner lists its
 * intents and aborts them (presumed abort); a frozen mark whose directory is
 * gone stays as its tombstone.
 *
 * Units    bytes; nanoseconds since the epoch.
 * Threads  the owner thread of the kv store.
 * Failure  -EIO from the kv store or for a damaged record (logged with its
 *          key), -EINVAL and -ENAMETOOLONG for a name that names_check()
 *          refuses, else as each call says. -ENOMEM, which kv_mem alone gives,
 *          may leave a call half written: roll the transaction back.
 */
#ifndef CAPSTAN_META_NAMES_H
#define CAPSTAN_META_NAMES_H

#include "base/inode.h"
#include "meta/kv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_REPLY_MAX 1024 /* bytes of a kept answer */
#define NAMES_COUNTERS_MAX 16384 /* of open files, at one target */
#define NAMES_COUNTER_IDLE_NS (7 * 86400 * 1000000000ull)

struct names;

/**
 * The names of target `target` in kv; borrows kv. Commits a transaction of its
 * own: a new store is given its format, an old one's inode counter moves on.
 *
 * @return 0, -EINVAL (not a store of this format and target; logged), -EIO,
 *         -ENOSPC, -ENOMEM.
 */
int names_create(struct kv *kv, uint16_t target, struct names **names_out);
void names_destroy(struct names **names_p);

struct name {
    uint64_t parent;
    const char *text; /* not terminated; 1 .. NAME_LEN_MAX bytes, no '/' */
    size_t len;
};

/** Is it a name that may exist? @return 0, -EINVAL ('/', NUL, "." or "..",
 *  empty) or -ENAMETOOLONG. */
int names_check(const struct name *name);

/**
 * The fan-out of a directory: the targets over which its entries are hashed.
 *
 * @param targets   every target id of the cluster, ascending.
 * @param fanout_out  min(FANOUT_MAX, ntargets) distinct ids.
 * @return how many.
 */
unsigned names_fanout(uint64_t dir_ino, const uint16_t *targets,
                      unsigned ntargets, uint16_t fanout_out[FANOUT_MAX]);

/** The target that owns a record. */
uint16_t names_owner(const struct name *name, const uint16_t *targets,
                     unsigned ntargets);

/** Read a record. @return 0, -ENOENT. */
int names_lookup(struct names *names, const struct name *name,
                 struct inode *inode_out);

/**
 * Make a record. The inode comes with type, mode, owner, times and layout; its
 * number is issued here.
 *
 * @return 0, -EEXIST (inode holds the one that is there), -ENOENT (the parent
 *         was removed), -ERR_FROZEN (the parent is being removed: look again),
 *         -EINVAL (inode or name), -ENOSPC (every number was issued).
 */
int names_insert(struct names *names, const struct name *name,
                 struct inode *inode_inout);

/** Replace a record's inode; its number must match. @return 0, -ENOENT,
 *  -ESTALE (another inode has that name now), -EINVAL (inode). */
int names_update(struct names *names, const struct name *name,
                 const struct inode *inode);

/** Remove a file's record and remember its objects as an orphan.
 *  @return 0, -ENOENT, -EISDIR. */
int names_unlink(struct names *names, const struct name *name,
                 struct inode *inode_out);

/** Visit orphans: objects that some target may still hold. */
typedef bool names_orphan_fn(void *ctx, uint64_t ino,
                             const struct layout *layout);
int names_orphans(struct names *names, names_orphan_fn *each, void *ctx);

/** Every target has destroyed its object: forget the orphan. */
int names_orphan_done(struct names *names, uint64_t ino);

/**
 * One entry of a page; false: no room for it, stop before it.
 */
typedef bool names_entry_fn(void *ctx, const char *text, size_t len,
                            const struct inode *inode);

/**
 * Visit the entries of a directory that this target holds, in order of name.
 *
 * @param after      the name to begin behind; length 0: at the start.
 * @param is_end_out true when no entry is left.
 */
int names_readdir(struct names *names, uint64_t dir_ino, const char *after,
                  size_t after_len, names_entry_fn *each, void *ctx,
                  bool *is_end_out);

/** Owner: the directory is about to go. @return 0, -ENOENT, -ENOTDIR,
 *  -ERR_BUSY (somebody else removes it). */
int names_rmdir_begin(struct names *names, const struct name *name,
                      struct inode *inode_out);
/** Owner: it is gone. @return 0 or -ENOENT (no intent). */
int names_rmdir_commit(struct names *names, const struct name *name);
/** Owner: it stays; no error if there is no intent. */
int names_rmdir_abort(struct names *names, const struct name *name);

/** Owner, after a restart: the intents that were left. */
typedef bool names_intent_fn(void *ctx, const struct name *name, uint64_t ino);
int names_intents(struct names *names, names_intent_fn *each, void *ctx);

/** Fan-out target: refuse entries in dir_ino from now on.
 *  @return 0 (also when it was frozen), -ENOTEMPTY. */
int names_freeze(struct names *names, uint64_t dir_ino);
/** Fan-out target: the directory lives on. */
int names_thaw(struct names *names, uint64_t dir_ino);

/**
 * Answers of requests that must take effect once, kept in the same transaction
 * as their effect, for a retry that comes after a restart.
 */
int names_reply_put(struct names *names, uint64_t client, uint64_t request,
                    const void *reply, size_t len);
/** @return 0, -ENOENT or -EOVERFLOW (room too small). */
int names_reply_get(struct names *names, uint64_t client, uint64_t request,
                    void *reply, size_t room, size_t *len_out);
/** The client needs no answer below `floor` any more. */
int names_reply_trim(struct names *names, uint64_t client, uint64_t floor);

/*
 * Counters of open files: shared file pointers. One belongs to one collective
 * open of a file, named by a random handle, and begins at its first step.
 */
struct names_counter_step {
    uint64_t ino;
    uint64_t handle;
    uint64_t generation; /* a higher one than before begins anew at start */
    int64_t start;
    int64_t value;
    bool is_set;     /* the counter becomes value; else value is added */
    uint64_t age_ns; /* how long the file has been open */
    uint64_t now_ns; /* wall clock */
};

/**
 * Add to a counter, or set it.
 *
 * @return 0, -ESTALE (the generation is over; or the counter is not there and
 *         may have been dropped as idle), -EINVAL (it would fall below 0),
 *         -EFBIG (it would pass 2^63), -ENOSPC (too many counters).
 */
int names_counter_step(struct names *names,
                       const struct names_counter_step *step,
                       int64_t *before_out);

/** Forget a counter; no error if it is not there. */
int names_counter_drop(struct names *names, uint64_t ino, uint64_t handle);

#endif
