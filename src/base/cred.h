/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who asks, and what an inode's mode lets them do: the rules of POSIX.1-2017,
 * 4.5 (file access permissions), chmod() and chown(), as Linux has them.
 *
 * Threads  pure; any.
 * Failure  none; a verdict is 0 or a negative code.
 */
#ifndef CAPSTAN_BASE_CRED_H
#define CAPSTAN_BASE_CRED_H

#include "base/inode.h"

#include <stdbool.h>
#include <stdint.h>

#define CRED_GROUPS_MAX 64

struct cred {
    uint32_t uid;
    uint32_t gid;
    uint32_t ngroups;
    uint32_t groups[CRED_GROUPS_MAX];
    bool is_checked; /* somebody else has judged: everything is allowed */
};

enum { CRED_EXEC = 1, CRED_WRITE = 2, CRED_READ = 4 };

/* What may be changed; the values travel. */
enum cred_change_valid {
    CHANGE_MODE = 1,
    CHANGE_UID = 2,
    CHANGE_GID = 4,
    CHANGE_ATIME = 8,
    CHANGE_MTIME = 16,
    CHANGE_ATIME_NOW = 32,
    CHANGE_MTIME_NOW = 64,
    CHANGE_SIZE = 128,  /* is about to be set: mtime, set-id bits */
    CHANGE_WRITTEN = 256, /* by an open file: the same, without a check */
};

struct change {
    unsigned valid;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    int64_t atime_ns;
    int64_t mtime_ns;
};

bool cred_is_in_group(const struct cred *cred, uint32_t gid);

/** May they do all that mask says? @return 0 or -EACCES. */
int cred_may(const struct cred *cred, const struct inode *inode,
             unsigned mask);

/** Is it theirs, or are they user 0? */
bool cred_owns(const struct cred *cred, const struct inode *inode);

/** May they change this? @return 0, -EPERM, -EACCES. */
int cred_may_change(const struct cred *cred, const struct inode *inode,
                    const struct change *change);

/** Make the change, which was allowed: times, and the bits that go with it.
 *  now_ns becomes the time of change. */
void cred_apply(const struct cred *cred, const struct change *change,
                uint64_t now_ns, struct inode *inode_inout);

/** What a new inode gets from its directory: the group, and of a directory the
 *  set-group-id bit. */
void cred_inherit(const struct inode *dir, struct inode *inode_inout);

#endif
