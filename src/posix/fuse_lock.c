/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks that are refused. Without these operations the kernel keeps the locks of
 * flock(2) and fcntl(2) itself, between the programs of this mount; a mount may
 * be told that this is worse than none.
 */
#include "posix/fuse_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

static void op_getlk(fuse_req_t req, fuse_ino_t ino,
                     struct fuse_file_info *info, struct flock *lock)
{
    fs_reply(req, -ENOLCK);
}

static void op_setlk(fuse_req_t req, fuse_ino_t ino,
                     struct fuse_file_info *info, struct flock *lock,
                     int is_waiting)
{
    fs_reply(req, lock->l_type == F_UNLCK ? 0 : -ENOLCK);
}

static void op_flock(fuse_req_t req, fuse_ino_t ino,
                     struct fuse_file_info *info, int operation)
{
    fs_reply(req, operation & LOCK_UN ? 0 : -ENOLCK);
}

void fs_no_lock_ops(struct fuse_lowlevel_ops *ops)
{
    ops->getlk = op_getlk;
    ops->setlk = op_setlk;
    ops->flock = op_flock;
}
