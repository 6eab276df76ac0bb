/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes on a mount: stat, chmod, chown, utimens, truncate, access, statfs.
 */
#include "posix/fuse_fs.h"

#include "base/clock.h"
#include "posix/attr.h"

#include <errno.h>

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *info)
{
    struct fuse_fs *fs = fs_of(req);
    struct capstan_stat stat;
    int rc = 0;

    if (info != NULL || !recent_take(&fs->recent, fuse_req_ctx(req)->pid,
                                     atomic_load(&fs->changes), ino, &stat))
        rc = capstan_inode_stat(fs_enter(req), ino, &stat);
    if (rc == -ESTALE && keep_removed(&fs->keep, ino, &stat))
        rc = 0;
    fs_reply_attr(req, rc, &stat);
}

static void change_of(const struct stat *attr, int to_set,
                      struct capstan_change *change_out)
{
    static const struct {
        int theirs;
        unsigned ours;
    } map[] = {
        {FUSE_SET_ATTR_MODE, CAPSTAN_SET_MODE},
        {FUSE_SET_ATTR_UID, CAPSTAN_SET_UID},
        {FUSE_SET_ATTR_GID, CAPSTAN_SET_GID},
        {FUSE_SET_ATTR_SIZE, CAPSTAN_SET_SIZE},
        {FUSE_SET_ATTR_ATIME, CAPSTAN_SET_ATIME},
        {FUSE_SET_ATTR_MTIME, CAPSTAN_SET_MTIME},
        {FUSE_SET_ATTR_ATIME_NOW, CAPSTAN_SET_ATIME_NOW},
        {FUSE_SET_ATTR_MTIME_NOW, CAPSTAN_SET_MTIME_NOW},
    };

    *change_out = (struct capstan_change){
        .mode = attr->st_mode & 07777,
        .uid = attr->st_uid,
        .gid = attr->st_gid,
        .size = (uint64_t)attr->st_size,
        .atime_ns = clock_stamp(&attr->st_atim),
        .mtime_ns = clock_stamp(&attr->st_mtim),
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (to_set & map[i].theirs)
            change_out->valid |= map[i].ours;
    /* "now" comes with a time too; the server's counts */
    if (change_out->valid & CAPSTAN_SET_ATIME_NOW)
        change_out->valid &= ~(unsigned)CAPSTAN_SET_ATIME;
    if (change_out->valid & CAPSTAN_SET_MTIME_NOW)
        change_out->valid &= ~(unsigned)CAPSTAN_SET_MTIME;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
                       int to_set, struct fuse_file_info *info)
{
    struct capstan_session *session = fs_enter_change(req);
    struct capstan_change change;
    struct capstan_stat stat;
    int rc;

    change_of(attr, to_set, &change);
    /* ftruncate(2): what counts is how the file was opened */
    if (info != NULL && change.valid == CAPSTAN_SET_SIZE)
        session = fs_enter_checked(req);
    rc = capstan_inode_setattr(session, ino, &change, &stat);
    known_forget(&fs_of(req)->known, ino);
    if (rc == 0 && stat.type == CAPSTAN_DIRECTORY) {
        fs_directory_changed(req);
        if (keep_see(&fs_of(req)->keep, &stat))
            keep_wait(&fs_of(req)->keep);
    }
    fs_reply_attr(req, rc, &stat);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    fs_reply(req,
             capstan_inode_access(fs_enter(req), ino, (unsigned)mask & 07));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct capstan_statfs space;
    struct statvfs out;
    int rc = capstan_statfs(fs_enter(req), &space);

    if (rc != 0) {
        fs_reply(req, rc);
        return;
    }
    attr_statvfs_set(&out, &space);
    fuse_reply_statfs(req, &out);
}

void fs_attr_ops(struct fuse_lowlevel_ops *ops)
{
    ops->getattr = op_getattr;
    ops->setattr = op_setattr;
    ops->access = op_access;
    ops->statfs = op_statfs;
}
