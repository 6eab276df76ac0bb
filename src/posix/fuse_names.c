/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names on a mount: each operation is one call of the library by the numbers
 * and names that the kernel gave.
 *
 * A name that goes while programs here have its file open: see fuse_open.h.
 */
#include "posix/attr.h"
#include "posix/fuse_fs.h"
#include "posix/fuse_open.h"

#include <errno.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

/* What a name stood for has just gone: there is no such name. */
static int gone(int rc)
{
    return rc == -ESTALE ? -ENOENT : rc;
}

/* A file's size must be right whenever the kernel hears it, for it maps pages
 * by it; a directory's attributes are asked for when somebody wants them. */
static int look_up(fuse_req_t req, fuse_ino_t dir, const char *name,
                   struct capstan_stat *stat_out)
{
    struct capstan_session *session = fs_enter(req);
    struct known *known = &fs_of(req)->known;
    struct capstan_opened *opened = NULL;
    int rc =
        known_is_on(known)
            ? capstan_lookup_opened(session, dir, name, CAPSTAN_LOOKUP_QUICK,
                                    stat_out, &opened)
            : capstan_lookup_at(session, dir, name, CAPSTAN_LOOKUP_QUICK,
                                stat_out);

    if (rc == 0)
        known_keep(known, stat_out, opened);
    if (rc == 0 && stat_out->is_partial && stat_out->type == CAPSTAN_FILE)
        return gone(capstan_inode_stat(session, stat_out->ino, stat_out));
    return rc;
}

/* The root is looked up by nobody, so it is asked about once a second. */
static void know_root(fuse_req_t req)
{
    struct fuse_fs *fs = fs_of(req);
    struct capstan_stat stat;

    if (!keep_knows(&fs->keep, CAPSTAN_ROOT) &&
        capstan_inode_stat(fs_enter(req), CAPSTAN_ROOT, &stat) == 0)
        keep_see(&fs->keep, &stat);
}

static void op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
    struct fuse_fs *fs = fs_of(req);
    uint64_t changes = atomic_load(&fs->changes);
    struct capstan_stat stat;
    int rc = look_up(req, dir, name, &stat);

    if (rc == -ESTALE && !keep_is_stale(&fs->keep, fuse_req_ctx(req)->pid, dir))
        rc = -ENOENT;
    if (rc == 0 && dir == CAPSTAN_ROOT && stat.type == CAPSTAN_DIRECTORY)
        know_root(req);
    if (rc == 0) {
        recent_keep(&fs->recent, fuse_req_ctx(req)->pid, changes, &stat);
        if (stat.type == CAPSTAN_DIRECTORY)
            keep_named(&fs->keep, &stat, dir, name);
        else
            opens_named(fs->opens, stat.ino, dir, name);
    }
    fs_reply_entry(req, rc, dir, &stat);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name,
                     mode_t mode)
{
    struct capstan_stat stat;
    int rc =
        capstan_mkdir_at(fs_enter_change(req), dir, name, mode & 07777, &stat);

    if (rc == 0)
        keep_named(&fs_of(req)->keep, &stat, dir, name);
    fs_reply_entry(req, rc, dir, &stat);
}

static void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name,
                     mode_t mode, dev_t rdev)
{
    struct capstan_stat stat;
    int rc = capstan_mknod_at(fs_enter_change(req), dir, name,
                              attr_type_of(mode), mode & 07777, rdev, &stat);

    fs_reply_entry(req, rc, dir, &stat);
}

static void op_symlink(fuse_req_t req, const char *text, fuse_ino_t dir,
                       const char *name)
{
    struct capstan_stat stat;
    int rc = capstan_symlink_at(fs_enter_change(req), text, dir, name, &stat);

    fs_reply_entry(req, rc, dir, &stat);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir,
                    const char *name)
{
    struct capstan_stat stat;
    int rc = capstan_link_at(fs_enter_change(req), ino, dir, name, &stat);

    fs_reply_entry(req, rc, dir, &stat);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char text[4097];
    size_t len = 0;
    int rc = capstan_inode_readlink(fs_enter(req), ino, text, sizeof(text) - 1,
                                    &len);

    if (rc != 0) {
        fs_reply(req, rc);
        return;
    }
    text[len] = '\0';
    fuse_reply_readlink(req, text);
}

static void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
    opens_hold(fs_of(req)->opens, fs_enter_checked(req), dir, name);
    fs_reply(req, capstan_unlink_at(fs_enter_change(req), dir, name));
}

static void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
    int rc = capstan_rmdir_at(fs_enter_change(req), dir, name);

    if (rc == 0)
        keep_remove(&fs_of(req)->keep, dir, name);
    fs_directory_changed(req);
    fs_reply(req, rc);
}

static void op_rename(fuse_req_t req, fuse_ino_t from_dir, const char *from,
                      fuse_ino_t to_dir, const char *to, unsigned int flags)
{
    unsigned ours = 0;
    int rc;

    if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    if (flags & RENAME_NOREPLACE)
        ours |= CAPSTAN_RENAME_NOREPLACE;
    if (flags & RENAME_EXCHANGE)
        ours |= CAPSTAN_RENAME_EXCHANGE;
    if (flags == 0)
        opens_hold(fs_of(req)->opens, fs_enter_checked(req), to_dir, to);
    rc = capstan_rename_at(fs_enter_change(req), from_dir, from, to_dir, to,
                           ours);
    if (rc == 0 && flags == 0)
        keep_remove(&fs_of(req)->keep, to_dir, to);
    fs_directory_changed(req);
    fs_reply(req, rc);
}

void fs_names_ops(struct fuse_lowlevel_ops *ops)
{
    ops->lookup = op_lookup;
    ops->mkdir = op_mkdir;
    ops->mknod = op_mknod;
    ops->symlink = op_symlink;
    ops->link = op_link;
    ops->readlink = op_readlink;
    ops->unlink = op_unlink;
    ops->rmdir = op_rmdir;
    ops->rename = op_rename;
}
