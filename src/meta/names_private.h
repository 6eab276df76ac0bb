/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the name store share.
 *
 * Units    bytes.
 * Threads  the owner thread of the kv store.
 * Failure  as names.h; what is decided here is logged here.
 */
#ifndef CAPSTAN_META_NAMES_PRIVATE_H
#define CAPSTAN_META_NAMES_PRIVATE_H

#include "meta/names.h"
#include "meta/names_key.h"
#include "meta/names_record.h"

#define NAMES_TRIMMED 1024 /* clients, by a hash of their number */

/* Below this number no answer is kept for the client. */
struct names_trimmed {
    uint64_t client;
    uint64_t floor;
};

struct names {
    struct kv *kv;
    uint16_t target;
    uint64_t next; /* counter of the inode number to be issued next */
    unsigned ncounters; /* of open files: at most so many */
    bool is_counted;    /* they were counted since the start */
    bool has_root;      /* keeps the root directory's inode */
    bool may_lock;      /* there may be locked names */
    unsigned nchecks;   /* of locks, since that was last looked at */
    struct names_trimmed trimmed[NAMES_TRIMMED];
};

/** Read a value that fits in room. @return 0, -ENOENT, -EIO. */
int names_get(struct names *names, const struct names_key *key, void *value,
              size_t room, size_t *len_out);
int names_put(struct names *names, const struct names_key *key,
              const void *value, size_t len);
int names_del(struct names *names, const struct names_key *key);

/** Log that the value of a key is damaged. @return -EIO. */
int names_damaged(const struct names *names, const void *key, size_t len);

int names_dir_put(struct names *names, uint64_t dir_ino,
                  const struct names_dir_state *state);

/** Write an inode, there or not. */
int names_inode_write(struct names *names, const struct inode *inode);

/** Remove all extended attributes of an inode. */
int names_xattr_forget(struct names *names, uint64_t ino);

/** Does `special` tell whether it may have some? */
bool names_xattr_is_marked(const struct inode *inode);

/**
 * Make or remove an entry; nothing is judged.
 *
 * @param more  1 or -1: how the directory's counts change.
 */
int names_entry_put(struct names *names, const struct name *name, uint64_t ino,
                    enum inode_type type);
int names_entry_del(struct names *names, const struct name *name);
int names_dir_touch(struct names *names, uint64_t dir_ino,
                    enum inode_type type, int more, uint64_t now_ns);

/** Make a store of format 1 one of ours, in transactions of its own; the format
 *  record is the caller's. @return 0, -EIO, -ENOMEM. */
int names_convert(struct names *names);

#endif
