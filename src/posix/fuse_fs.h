/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the operations of a mount share. A node of the kernel is an inode number
 * of the cluster: it is never given to another file, and it alone finds the
 * inode, so nothing need be remembered of what the kernel has looked up.
 *
 * An operation is one function of a table: it sets the session's identity to
 * the caller's (fs_enter), makes its call and answers. The kernel is told to
 * keep neither names nor attributes (unless the mount has cache_sec), and files
 * are read past its page cache: what another client has done is seen at once.
 *
 * Threads  the crew's: everything here is either the caller's own or locked.
 * Failure  an error is answered to the program as an errno.
 */
#ifndef CAPSTAN_POSIX_FUSE_FS_H
#define CAPSTAN_POSIX_FUSE_FS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <capstan/inode.h>
#include <capstan/namespace.h>

#include "posix/fuse_crew.h"
#include "posix/fuse_keep.h"
#include "posix/fuse_known.h"
#include "posix/fuse_recent.h"

struct opens;

struct fuse_fs {
    double cache_sec;    /* how long the kernel may keep names and attributes */
    bool is_lazy;        /* close(2) does not wait for the device */
    bool has_no_locks;   /* those of flock(2) and fcntl(2) are refused */
    bool has_pages;      /* reads and writes go through the page cache */
    bool is_mmap_direct; /* the kernel can map files that are read past it */
    bool is_started;     /* INIT was answered */
    struct opens *opens;
    struct recent recent;
    struct keep keep;
    struct known known;
    atomic_uint_fast64_t changes; /* operations that changed something */
    atomic_uint_fast64_t epoch;   /* and those that other sessions, which
                                     remember directories, must hear of */
};

static inline struct fuse_fs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/** Act for the caller of a request. @return the thread's session. */
struct capstan_session *fs_enter(fuse_req_t req);

/** As fs_enter(), for what the kernel or this mount itself wants: the rights
 *  were checked before. */
struct capstan_session *fs_enter_checked(fuse_req_t req);

/** As fs_enter(), for an operation that changes something. */
struct capstan_session *fs_enter_change(fuse_req_t req);

/** A directory, or who may search it, was changed: before the answer. */
void fs_directory_changed(fuse_req_t req);

/** Answer with 0 or an error of the library. */
void fs_reply(fuse_req_t req, int rc);

/** Answer with a node, found or made in `dir`. */
void fs_reply_entry(fuse_req_t req, int rc, uint64_t dir,
                    const struct capstan_stat *stat);
void fs_reply_attr(fuse_req_t req, int rc, const struct capstan_stat *stat);

/** An inode in the kernel's words. */
void fs_entry_set(const struct fuse_fs *fs, struct fuse_entry_param *entry_out,
                  const struct capstan_stat *stat);

/* The parts of the table, each in a file of its own. */
void fs_names_ops(struct fuse_lowlevel_ops *ops);
void fs_attr_ops(struct fuse_lowlevel_ops *ops);
void fs_xattr_ops(struct fuse_lowlevel_ops *ops);
void fs_file_ops(struct fuse_lowlevel_ops *ops);
void fs_dir_ops(struct fuse_lowlevel_ops *ops);

void fs_no_lock_ops(struct fuse_lowlevel_ops *ops); /* if there are to be none */

/** The whole table, but that last part. */
void fs_ops(struct fuse_lowlevel_ops *ops_out);

#endif
