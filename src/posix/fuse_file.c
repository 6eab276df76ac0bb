/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files on a mount: data.
 *
 * A read or write of the kernel (up to 1 MiB) is one call of the library: read
 * into the thread's own buffer, written from where the request lies. close(2)
 * of a written file brings it to the device, as the library's close does.
 *
 * Possible failure modes are the library's; a read beyond the end is short.
 */
#include "posix/fuse_fs.h"
#include "posix/fuse_open.h"

#include <errno.h>
#include <fcntl.h>

#define SET_UID 04000u
#define SET_GID 02000u
#define GROUP_EXEC 010u

static struct open_file *opened(const struct fuse_file_info *info)
{
    return (struct open_file *)(uintptr_t)info->fh;
}

static unsigned access_of(int flags)
{
    switch (flags & O_ACCMODE) {
    case O_WRONLY:
        return CAPSTAN_OPEN_WRITE;
    case O_RDWR:
        return CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE;
    default:
        return CAPSTAN_OPEN_READ;
    }
}

/* Remember an opened file. @return 0 or -ENOMEM; the file is then closed. */
static int keep(fuse_req_t req, struct capstan_file *file,
                const struct capstan_stat *stat, struct fuse_file_info *info)
{
    struct fuse_fs *fs = fs_of(req);
    struct open_file *open_file;
    int rc = opens_add(fs->opens, file, stat->ino, access_of(info->flags),
                       &open_file);

    if (rc != 0)
        return rc;
    open_file->is_set_id = (stat->mode & (SET_UID | SET_GID)) != 0;
    info->fh = (uintptr_t)open_file;
    info->direct_io = !fs->has_pages;
    info->keep_cache = 0;
    /* closing then has nothing to bring to the device */
    info->noflush = fs->is_lazy || !(open_file->flags & CAPSTAN_OPEN_WRITE);
    return 0;
}

static int open_ino(fuse_req_t req, struct capstan_session *session,
                    fuse_ino_t ino, unsigned flags, struct capstan_file **file,
                    struct capstan_stat *stat)
{
    int rc = -ENOENT;

    stat->ino = ino;
    if (!(flags & CAPSTAN_OPEN_TRUNCATE))
        rc = known_open(&fs_of(req)->known, session, ino, flags, file,
                        &stat->mode);
    return rc == -ENOENT ? capstan_inode_open(session, ino, flags, file, stat)
                         : rc;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    static const struct capstan_change to_nothing = {.valid = CAPSTAN_SET_SIZE};
    unsigned flags = access_of(info->flags) | CAPSTAN_OPEN_NOSYNC;
    bool is_cut = (info->flags & O_TRUNC) != 0;
    struct capstan_session *session =
        is_cut ? fs_enter_change(req) : fs_enter(req);
    struct capstan_file *file;
    struct capstan_stat stat;
    int rc = 0;

    if (is_cut && (flags & CAPSTAN_OPEN_WRITE))
        flags |= CAPSTAN_OPEN_TRUNCATE;
    else if (is_cut) /* O_RDONLY | O_TRUNC is what Linux allows to a writer */
        rc = capstan_inode_setattr(session, ino, &to_nothing, NULL);
    if (rc == 0)
        rc = open_ino(req, session, ino, flags, &file, &stat);
    if (rc == 0)
        rc = keep(req, file, &stat, info);
    if (rc != 0)
        fs_reply(req, rc);
    else if (fuse_reply_open(req, info) != 0) /* the program was interrupted */
        opens_end(fs_of(req)->opens, opened(info));
}

/* For the library no permission at all means the default. */
static int make_private(fuse_req_t req, struct capstan_stat *stat)
{
    static const struct capstan_change change = {.valid = CAPSTAN_SET_MODE};

    return capstan_inode_setattr(fs_enter_checked(req), stat->ino, &change,
                                 stat);
}

/* Whoever opens it next need not ask. What make_private() did is not in the
 * library's idea of the file. */
static void keep_known(fuse_req_t req, const struct open_file *open_file,
                       const struct capstan_stat *stat)
{
    struct known *known = &fs_of(req)->known;
    struct capstan_opened *copy = NULL;

    if (known_is_on(known) && stat->mode != 0 &&
        capstan_file_opened(open_file->files[crew_self()->index], &copy) == 0)
        known_keep(known, stat, copy);
}

static void op_create(fuse_req_t req, fuse_ino_t dir, const char *name,
                      mode_t mode, struct fuse_file_info *info)
{
    unsigned flags =
        access_of(info->flags) | CAPSTAN_OPEN_NOSYNC | CAPSTAN_OPEN_CREATE;
    struct capstan_layout layout = {.mode = mode & 07777};
    struct fuse_entry_param entry;
    struct capstan_file *file;
    struct capstan_stat stat;
    int rc;

    if (info->flags & O_EXCL)
        flags |= CAPSTAN_OPEN_EXCL;
    if ((info->flags & O_TRUNC) && (flags & CAPSTAN_OPEN_WRITE))
        flags |= CAPSTAN_OPEN_TRUNCATE;
    rc = capstan_create_at(fs_enter_change(req), dir, name, flags, &layout,
                           &file, &stat);
    /* the kernel asks to create only what it has just not found */
    if (rc == 0 && layout.mode == 0) {
        rc = make_private(req, &stat);
        if (rc != 0)
            capstan_file_close(&file);
    }
    if (rc == 0)
        rc = keep(req, file, &stat, info);
    if (rc != 0) {
        fs_reply(req, rc);
        return;
    }
    opens_named(fs_of(req)->opens, stat.ino, dir, name);
    keep_known(req, opened(info), &stat);
    fs_entry_set(fs_of(req), &entry, &stat);
    if (fuse_reply_create(req, &entry, info) != 0)
        opens_end(fs_of(req)->opens, opened(info));
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    struct crew_member *self = crew_self();
    struct capstan_file *file;
    size_t done = 0;
    int rc = opens_file(opened(info), &file);

    if (size > CREW_IO_MAX)
        size = CREW_IO_MAX;
    if (rc == 0)
        rc = capstan_file_read(file, (uint64_t)offset, self->buffer, size,
                               &done);
    if (rc != 0)
        fs_reply(req, rc);
    else
        fuse_reply_buf(req, self->buffer, done);
}

/* A file that others may run as its owner is that no longer once somebody else
 * has written to it. */
static void drop_set_id(fuse_req_t req, struct open_file *file)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_MODE};
    struct capstan_session *session;
    struct capstan_stat stat;

    if (!file->is_set_id || fuse_req_ctx(req)->uid == 0)
        return;
    session = fs_enter_checked(req);
    if (capstan_inode_stat(session, file->ino, &stat) != 0)
        return;
    change.mode = stat.mode & ~SET_UID;
    if (stat.mode & GROUP_EXEC)
        change.mode &= ~SET_GID;
    if (stat.mode == change.mode ||
        capstan_inode_setattr(session, file->ino, &change, NULL) == 0)
        file->is_set_id = false;
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data,
                     size_t size, off_t offset, struct fuse_file_info *info)
{
    struct open_file *open_file = opened(info);
    struct capstan_file *file;
    size_t done = size;
    int rc = opens_file(open_file, &file);

    atomic_fetch_add(&fs_of(req)->changes, 1);
    if (rc == 0) {
        drop_set_id(req, open_file);
        open_file->is_dirty = true;
        if ((info->flags & O_APPEND) && !info->writepage)
            rc = capstan_file_append(file, data, size, NULL);
        else
            rc = capstan_file_write(file, (uint64_t)offset, data, size, &done);
    }
    if (rc != 0)
        fs_reply(req, rc);
    else
        fuse_reply_write(req, done);
}

/* The kernel has looked at offset and length, and whether it may be written. */
static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
                         off_t length, struct fuse_file_info *info)
{
    unsigned flags = mode != 0 ? CAPSTAN_ALLOCATE_KEEP_SIZE : 0;
    struct open_file *open_file = opened(info);
    struct capstan_file *file;
    int rc = (mode & ~FALLOC_FL_KEEP_SIZE) != 0 ? -EOPNOTSUPP
                                                : opens_file(open_file, &file);

    atomic_fetch_add(&fs_of(req)->changes, 1);
    if (rc == 0) {
        drop_set_id(req, open_file);
        open_file->is_dirty = true;
        rc = capstan_file_allocate(file, (uint64_t)offset, (uint64_t)length,
                                   flags);
    }
    fs_reply(req, rc);
}

static int sync_file(fuse_req_t req, struct open_file *open_file)
{
    struct capstan_file *file;
    int rc = opens_file(open_file, &file);

    /* what is written from here on is not in it */
    open_file->is_dirty = false;
    if (rc == 0)
        rc = capstan_file_sync(file);
    if (rc != 0 && rc != -ESTALE)
        open_file->is_dirty = true;
    return rc == -ESTALE ? 0 : rc; /* removed: there is nothing to keep */
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int is_data_only,
                     struct fuse_file_info *info)
{
    fs_reply(req, sync_file(req, opened(info)));
}

static void op_flush(fuse_req_t req, fuse_ino_t ino,
                     struct fuse_file_info *info)
{
    struct open_file *open_file = opened(info);

    bool is_due = open_file->is_dirty && !fs_of(req)->is_lazy;

    fs_reply(req, is_due ? sync_file(req, open_file) : 0);
}

static void op_release(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *info)
{
    opens_end(fs_of(req)->opens, opened(info));
    fs_reply(req, 0);
}

void fs_file_ops(struct fuse_lowlevel_ops *ops)
{
    ops->open = op_open;
    ops->create = op_create;
    ops->read = op_read;
    ops->write = op_write;
    ops->fallocate = op_fallocate;
    ops->fsync = op_fsync;
    ops->flush = op_flush;
    ops->release = op_release;
}
