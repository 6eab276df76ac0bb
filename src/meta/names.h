/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names that one target owns, and the inodes that it keeps: entries, inodes
 * with what belongs to them, frozen and removed directories, orphans, and
 * answers kept for retried requests.
 *
 * An entry is (parent ino, name) -> (ino, type); which target owns it is decided
 * by base/placement.h. An inode is kept by its home (ino_home()), for ever. A new
 * inode's home is the target that owns its first name, so that both are made in
 * one transaction; renames and links move entries, never inodes.
 *
 * Every call runs inside the kv store's open transaction and checks before it
 * writes: a call that fails has written nothing, so that many calls share one
 * transaction (group commit) and a failed one costs the others nothing.
 *
 * What needs several targets (removing a directory, renaming, links) is a
 * conversation that one of them leads: see "changes" below.
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

/**
 * This target is the home of the root directory: make it if it is missing, with
 * these attributes. Commits a transaction of its own.
 */
int names_root(struct names *names, const struct inode *attributes);

/** The open transaction was undone: forget what was remembered of it. */
void names_undone(struct names *names);

struct name {
    uint64_t parent;
    const char *text; /* not terminated; 1 .. NAME_LEN_MAX bytes, no '/' */
    size_t len;
};

/** Is it a name that may exist? @return 0, -EINVAL ('/', NUL, "." or "..",
 *  empty) or -ENAMETOOLONG. */
int names_check(const struct name *name);

/** Is this target the home of an inode? */
bool names_is_home(const struct names *names, uint64_t ino);

/** Read an entry and its inode. Of an inode that is kept elsewhere only ino and
 *  type are set. @return 0, -ENOENT. */
int names_lookup(struct names *names, const struct name *name,
                 struct inode *inode_out);

/** Read an inode that is kept here. @return 0, -ESTALE (there is none). */
int names_inode_get(struct names *names, uint64_t ino,
                    struct inode *inode_out);

/** Replace an inode. @return 0, -ESTALE, -EINVAL (another type; fields). */
int names_inode_put(struct names *names, const struct inode *inode);

/**
 * Make an inode and its entry. The inode comes with type, mode, owner, times and
 * layout; its number is issued here, nlink and parent are set.
 *
 * @return 0, -EEXIST (inode holds the one that is there), -ENOENT (the parent
 *         was removed), -ERR_FROZEN (the parent is being removed: look again),
 *         -ERR_BUSY (the name is being changed), -EINVAL (inode or name),
 *         -ENOSPC (every number was issued).
 */
int names_insert(struct names *names, const struct name *name,
                 struct inode *inode_inout);

/** An inode that is kept here has one name more.
 *  @return 0, -ESTALE, -EPERM (a directory), -EMLINK. */
int names_inode_link(struct names *names, uint64_t ino, uint64_t now_ns);

/** Remove an inode and what belongs to it, such as a directory's. */
int names_inode_forget(struct names *names, uint64_t ino);

/** Issue a number, of an inode or a change. @return 0, -ENOSPC, -ENOMEM. */
int names_issue(struct names *names, uint64_t *ino_out);

/** May the directory take an entry? @return 0, -ENOENT, -ERR_FROZEN, -EIO. */
int names_dir_check(struct names *names, uint64_t dir_ino);

/** The text of a symbolic link. @return put: 0; get: 0, -ESTALE. */
int names_symlink_put(struct names *names, uint64_t ino, const void *text,
                      size_t len);
int names_symlink_get(struct names *names, uint64_t ino, char *text,
                      size_t room, size_t *len_out);

/** How a name of an inode goes. */
struct names_gone {
    uint64_t now_ns;
    bool is_held; /* somebody has the file open: keep it for a while */
};

/**
 * Remove a name that is no directory. The inode follows if it is kept here and
 * this was its last name: a file's objects are remembered as an orphan.
 *
 * @param inode_out  after the change; of one that is kept elsewhere as
 *                   names_lookup(): its home must then be told.
 * @return 0, -ENOENT, -EISDIR, -ERR_BUSY (the name is being changed).
 */
int names_unlink(struct names *names, const struct name *name,
                 const struct names_gone *gone, struct inode *inode_out);

/** An inode that is kept here has one name less. inode_out may be NULL.
 *  @return 0, -ESTALE. */
int names_inode_unlink(struct names *names, uint64_t ino,
                       const struct names_gone *gone,
                       struct inode *inode_out);

/* Extended attributes; which of them an inode may have is for the caller. */
#define NAMES_XATTR_MAX 4096  /* bytes of a value */
#define NAMES_XATTRS_MAX 8192 /* of all names and values of an inode */
enum { NAMES_XATTR_CREATE = 1, NAMES_XATTR_REPLACE = 2 };

struct names_xattr {
    const char *text; /* 1 .. NAME_LEN_MAX bytes */
    size_t text_len;
    const void *value;
    size_t len;
    unsigned flags;
};

/** @return 0, -ENODATA. */
int names_xattr_get(struct names *names, uint64_t ino, const char *text,
                    size_t text_len, void *value, size_t room,
                    size_t *len_out);
/** All names, each with its NUL. @return 0, -ESTALE, -ERANGE. */
int names_xattr_list(struct names *names, uint64_t ino, char *texts,
                     size_t room, size_t *len_out);
/** @return 0, -ESTALE, -EEXIST, -ENODATA (flags), -ENOSPC. */
int names_xattr_set(struct names *names, uint64_t ino,
                    const struct names_xattr *xattr, uint64_t now_ns);
/** @return 0, -ESTALE, -ENODATA. */
int names_xattr_remove(struct names *names, uint64_t ino, const char *text,
                       size_t text_len, uint64_t now_ns);

/** Visit orphans, objects that some target may still hold, whose number is
 *  above `after`, in the order of their numbers. */
typedef bool names_orphan_fn(void *ctx, uint64_t ino,
                             const struct layout *layout, bool is_held);
int names_orphans(struct names *names, uint64_t after, names_orphan_fn *each,
                  void *ctx);

/** Every target has destroyed its object: forget the orphan. */
int names_orphan_done(struct names *names, uint64_t ino);

/**
 * One entry of a page, its inode as names_lookup() tells it; false: no room for
 * it, stop before it.
 */
typedef bool names_entry_fn(void *ctx, const char *text, size_t len,
                            const struct inode *inode);

/**
 * Visit the entries of a directory that this target holds, in order of place
 * (hash_place()).
 *
 * @param after      the place to begin behind; 0: at the start.
 * @param is_end_out true when no entry is left.
 */
int names_readdir(struct names *names, uint64_t dir_ino, uint64_t after,
                  names_entry_fn *each, void *ctx, bool *is_end_out);

/* What a fan-out target knows of a directory. */
enum names_frozen { NAMES_ALIVE = 0, NAMES_BEING_REMOVED = 1, NAMES_GONE = 2 };

struct names_dir_state {
    uint64_t frozen;     /* enum names_frozen */
    uint64_t changed_ns; /* when an entry last came or went here; 0: never */
    uint64_t entries;    /* here */
    uint64_t subdirs;    /* of them directories */
};

/** Read it; all 0 for a directory that has nothing here. */
int names_dir_get(struct names *names, uint64_t dir_ino,
                  struct names_dir_state *state_out);

/** Its times were set: forget the last change. */
int names_dir_reset(struct names *names, uint64_t dir_ino);

/** Fan-out target: refuse entries in dir_ino from now on.
 *  @return 0 (also when it was frozen), -ENOTEMPTY. */
int names_freeze(struct names *names, uint64_t dir_ino);
/** Fan-out target: the directory lives on. */
int names_thaw(struct names *names, uint64_t dir_ino);
/** Fan-out target: the directory is gone. */
int names_bury(struct names *names, uint64_t dir_ino);

/*
 * Changes that more than one target takes part in: see op_change.c. The target
 * that owns the name coordinates and keeps an intent; names that take part are
 * locked under the intent's id, here and at their owners.
 */
enum names_change {
    NAMES_RMDIR = 1,
    NAMES_RENAME = 2,
    NAMES_LINK = 3,
    NAMES_UNLINK = 4,
};

enum names_intent_flags {
    NAMES_IS_COMMITTED = 1,
    NAMES_IS_EXCHANGE = 2,
    NAMES_IS_HELD = 4,    /* the victim, by `holder` */
    NAMES_IS_LOCKING = 8, /* the lock on renames of directories */
};

struct names_intent {
    uint64_t id; /* issued by names_intent_begin(); its home coordinates */
    enum names_change kind;
    unsigned flags;
    struct name name; /* at the coordinator; what RENAME makes */
    struct name from; /* RENAME: the old name */
    uint64_t ino;     /* moved, linked; RMDIR, UNLINK: 0 */
    enum inode_type type;
    uint64_t victim; /* what loses this name; 0: none */
    enum inode_type victim_type;
    uint64_t now_ns;
    uint64_t holder; /* client */
};

/** Issue an id, keep the intent and lock its name.
 *  @return 0, -ERR_BUSY (the name is locked), -ENOSPC. */
int names_intent_begin(struct names *names, struct names_intent *intent);
/** Keep an intent anew: its flags changed. */
int names_intent_put(struct names *names, const struct names_intent *intent);
/** All is settled: forget it and unlock its name. */
int names_intent_end(struct names *names, const struct names_intent *intent);

/** The intents that are left. The texts live during the call. */
typedef bool names_intent_fn(void *ctx, const struct names_intent *intent);
int names_intents(struct names *names, names_intent_fn *each, void *ctx);

/** The least id of an intent here, or the next that will be issued. */
int names_intent_floor(struct names *names, uint64_t *id_out);

/**
 * Lock a name for a change; no error if it is locked for that already.
 *
 * @return 0; -ERR_BUSY: locked for a younger change, wait; -ERR_FROZEN: for an
 *         older one, give up and begin again, or both would wait for ever.
 */
int names_lock(struct names *names, const struct name *name, uint64_t id);
/** Whose it is; 0: nobody's. */
int names_lock_get(struct names *names, const struct name *name,
                   uint64_t *id_out);
/** Unlock it if it is locked for this change. */
int names_unlock(struct names *names, const struct name *name, uint64_t id);
/** May it be changed? @return 0, -ERR_BUSY. */
int names_lock_check(struct names *names, const struct name *name);
/** All locks, for fsck. */
typedef bool names_lock_fn(void *ctx, const struct name *name, uint64_t id);
int names_locks(struct names *names, names_lock_fn *each, void *ctx);

/** Lock the old name of a rename, which must stand for ino.
 *  @return 0, -ENOENT, and as names_lock(). */
int names_rename_lock(struct names *names, const struct name *from,
                      uint64_t ino, uint64_t id);

/**
 * The old name of a rename goes, or stands for what was replaced if `ino` is
 * not 0; and is unlocked. Nothing happens if it is not locked for this change.
 */
int names_rename_from(struct names *names, const struct name *from,
                      uint64_t id, uint64_t ino, enum inode_type type,
                      uint64_t now_ns);

/** The new name of a rename comes. intent->victim says what is there.
 *  @return 0, -ENOENT, -ERR_FROZEN (the directory is being removed). */
int names_rename_to(struct names *names, const struct names_intent *intent);

/** Make an entry for an inode that is there. @return as names_rename_to(). */
int names_link(struct names *names, const struct name *name, uint64_t ino,
               enum inode_type type, uint64_t now_ns);

/** Remove the entry of a directory. */
int names_rmdir(struct names *names, const struct name *name, uint64_t now_ns);

/* What a change asks of the home of an inode. */
enum names_settle {
    NAMES_ADD = 1,    /* one name more */
    NAMES_CANCEL = 2, /* undo, or refuse, the ADD of this change */
    NAMES_DROP = 3,   /* one name less; a directory: gone */
    NAMES_MOVE = 4,   /* has another parent, or just another name */
};

struct names_settle_step {
    enum names_settle what;
    uint64_t ino;
    uint64_t id;     /* of the change: ADD, CANCEL and DROP take effect once */
    uint64_t floor;  /* no change of that coordinator below is under way */
    uint64_t parent; /* MOVE of a directory */
    uint64_t now_ns;
    bool is_held;
};

/** @return 0; ADD: -ESTALE (gone), -EPERM (a directory), -EMLINK. */
int names_settle(struct names *names, const struct names_settle_step *step);

/*
 * Repairs, for fsck. @return 0, -ESTALE (it is not as it was seen).
 */

/** Remove an entry whose inode is not there. */
int names_repair_entry(struct names *names, const struct name *name,
                       uint64_t ino, uint64_t now_ns);
/** Set how many names an inode has; 0: it goes. */
int names_repair_nlink(struct names *names, uint64_t ino, uint32_t nlink,
                       uint64_t now_ns);
/** Set a directory's parent. */
int names_repair_parent(struct names *names, uint64_t ino, uint64_t parent);
/** Count a directory's entries here. */
int names_repair_counts(struct names *names, uint64_t dir);

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
