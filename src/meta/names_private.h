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

struct names {
    struct kv *kv;
    uint16_t target;
    uint64_t next; /* counter of the inode number to be issued next */
    unsigned ncounters; /* of open files: at most so many */
    bool is_counted;    /* they were counted since the start */
};

enum names_frozen { NAMES_ALIVE = 0, NAMES_BEING_REMOVED = 1, NAMES_GONE = 2 };

/** Read a value that fits in room. @return 0, -ENOENT, -EIO. */
int names_get(struct names *names, const struct names_key *key, void *value,
              size_t room, size_t *len_out);
int names_put(struct names *names, const struct names_key *key,
              const void *value, size_t len);
int names_del(struct names *names, const struct names_key *key);

/** Log that the value of a key is damaged. @return -EIO. */
int names_damaged(const struct names *names, const void *key, size_t len);

/** Issue an inode number. @return 0, -ENOSPC, -ENOMEM. */
int names_issue(struct names *names, uint64_t *ino_out);

/** What this target knows of a directory's removal. @return 0 or -EIO. */
int names_frozen_get(struct names *names, uint64_t dir_ino,
                     enum names_frozen *state_out);

#endif
