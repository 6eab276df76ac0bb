/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and attributes below the prefix: each call is one of the library's.
 *
 * Calls that exist for paths and for descriptors come as one function with both
 * a place and an open file, of which one is NULL.
 */
#include "posix/preload.h"

#include "base/clock.h"
#include "posix/attr.h"
#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x43415053 /* f_type: "CAPS" */

/* Do something inside the session: what follows runs with `session` set and
 * sets rc. */
#define INSIDE(rc, session, what)                                              \
    do {                                                                       \
        (rc) = px_enter(&(session));                                           \
        if ((rc) == 0) {                                                       \
            (rc) = (what);                                                     \
            px_leave();                                                        \
        }                                                                      \
    } while (0)

long px_stat(const char *place, unsigned flags, struct stat *attr_out)
{
    struct capstan_session *session;
    struct capstan_stat stat;
    long rc;

    INSIDE(rc, session,
           flags & CAPSTAN_NOFOLLOW ? capstan_lstat(session, place, &stat)
                                    : capstan_stat(session, place, &stat));
    if (rc == 0)
        attr_set(attr_out, &stat);
    return rc;
}

long px_fstat(struct px_open *open, struct stat *attr_out)
{
    struct capstan_session *session;
    struct capstan_stat stat;
    long rc;

    INSIDE(rc, session, capstan_inode_stat(session, open->ino, &stat));
    if (rc == 0)
        attr_set(attr_out, &stat);
    return rc;
}

static void set_time(struct statx_timestamp *out, const struct timespec *time)
{
    out->tv_sec = time->tv_sec;
    out->tv_nsec = (uint32_t)time->tv_nsec;
}

void px_statx_set(struct statx *out, const struct stat *attr)
{
    memset(out, 0, sizeof(*out));
    out->stx_mask = STATX_BASIC_STATS;
    out->stx_blksize = (uint32_t)attr->st_blksize;
    out->stx_nlink = (uint32_t)attr->st_nlink;
    out->stx_uid = attr->st_uid;
    out->stx_gid = attr->st_gid;
    out->stx_mode = (uint16_t)attr->st_mode;
    out->stx_ino = attr->st_ino;
    out->stx_size = (uint64_t)attr->st_size;
    out->stx_blocks = (uint64_t)attr->st_blocks;
    out->stx_rdev_major = major(attr->st_rdev);
    out->stx_rdev_minor = minor(attr->st_rdev);
    set_time(&out->stx_atime, &attr->st_atim);
    set_time(&out->stx_mtime, &attr->st_mtim);
    set_time(&out->stx_ctime, &attr->st_ctim);
}

long px_statvfs(struct statvfs *out)
{
    struct capstan_session *session;
    struct capstan_statfs space;
    long rc;

    INSIDE(rc, session, capstan_statfs(session, &space));
    if (rc == 0)
        attr_statvfs_set(out, &space);
    return rc;
}

long px_statfs(struct statfs *out)
{
    struct statvfs space;
    long rc = px_statvfs(&space);

    if (rc != 0)
        return rc;
    memset(out, 0, sizeof(*out));
    out->f_type = MAGIC;
    out->f_bsize = (long)space.f_bsize;
    out->f_frsize = (long)space.f_frsize;
    out->f_blocks = space.f_blocks;
    out->f_bfree = space.f_bfree;
    out->f_bavail = space.f_bavail;
    out->f_namelen = (long)space.f_namemax;
    return 0;
}

/* access(2) asks for the real user, which the session is made to be meanwhile.
 */
long px_access(const char *place, int mask, bool is_real)
{
    struct capstan_cred cred = {.uid = getuid(), .gid = getgid()};
    struct capstan_session *session;
    long rc;

    if ((mask & ~(R_OK | W_OK | X_OK)) != 0)
        return -EINVAL;
    is_real = is_real && (cred.uid != geteuid() || cred.gid != getegid());
    rc = px_enter(&session);
    if (rc != 0)
        return rc;
    if (is_real)
        capstan_session_set_cred(session, &cred);
    rc = capstan_access(session, place, (unsigned)mask);
    if (is_real)
        capstan_session_set_cred(session, NULL);
    px_leave();
    return rc;
}

long px_mkdir(const char *place, mode_t mode)
{
    struct capstan_session *session;
    long rc;

    INSIDE(rc, session,
           capstan_mkdir(session, place, mode & 07777 & ~px_umask()));
    return rc;
}

long px_mknod(const char *place, mode_t mode, dev_t rdev)
{
    struct capstan_session *session;
    long rc;

    INSIDE(rc, session,
           capstan_mknod(session, place, attr_type_of(mode),
                         mode & 07777 & ~px_umask(), rdev));
    return rc;
}

long px_rmdir(const char *place)
{
    struct capstan_session *session;
    long rc;

    INSIDE(rc, session, capstan_rmdir(session, place));
    return rc;
}

long px_unlink(const char *place)
{
    struct capstan_session *session;
    long rc;

    INSIDE(rc, session, capstan_unlink(session, place));
    return rc;
}

long px_unlinkat(const char *place, int flags)
{
    if ((flags & ~AT_REMOVEDIR) != 0)
        return -EINVAL;
    return flags & AT_REMOVEDIR ? px_rmdir(place) : px_unlink(place);
}

long px_symlink(const char *text, const char *place)
{
    struct capstan_session *session;
    long rc;

    INSIDE(rc, session, capstan_symlink(session, text, place));
    return rc;
}

long px_readlink(const char *place, char *text, size_t room)
{
    struct capstan_session *session;
    size_t len = 0;
    long rc;

    if (room == 0)
        return -EINVAL;
    INSIDE(rc, session, capstan_readlink(session, place, text, room, &len));
    return rc != 0 ? rc : (long)len;
}

/* Two paths of a call. @return 1: both ours; 0: neither; -EXDEV: one of them.
 */
static int claim_two(int from_dir, const char *from, char *from_place,
                     int to_dir, const char *to, char *to_place)
{
    int one = px_claim(from_dir, from, from_place);
    int two = px_claim(to_dir, to, to_place);

    if (one < 0 || two < 0)
        return one < 0 ? one : two;
    return one != two ? -EXDEV : one;
}

long px_rename(int from_dir, const char *from, int to_dir, const char *to,
               unsigned flags)
{
    char from_place[PX_PATH_MAX], to_place[PX_PATH_MAX];
    struct capstan_session *session;
    unsigned ours = 0;
    long rc = claim_two(from_dir, from, from_place, to_dir, to, to_place);

    if (rc == 0)
        return px_real()->renameat2(from_dir, from, to_dir, to, flags) == 0
                   ? 0
                   : -errno;
    if (rc < 0)
        return rc;
    if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
        return -EINVAL;
    if (flags & RENAME_NOREPLACE)
        ours |= CAPSTAN_RENAME_NOREPLACE;
    if (flags & RENAME_EXCHANGE)
        ours |= CAPSTAN_RENAME_EXCHANGE;
    INSIDE(rc, session, capstan_rename(session, from_place, to_place, ours));
    return rc;
}

static int link_followed(struct capstan_session *session, const char *from,
                         const char *to)
{
    char name[256];
    uint64_t ino = 0, dir = 0;
    int rc = capstan_resolve(session, from, 0, &ino);

    if (rc == 0)
        rc = capstan_resolve_parent(session, to, &dir, name);
    return rc != 0 ? rc : capstan_link_at(session, ino, dir, name, NULL);
}

long px_link(int from_dir, const char *from, int to_dir, const char *to,
             int flags)
{
    char from_place[PX_PATH_MAX], to_place[PX_PATH_MAX];
    struct capstan_session *session;
    long rc = claim_two(from_dir, from, from_place, to_dir, to, to_place);

    if (rc == 0)
        return px_real()->linkat(from_dir, from, to_dir, to, flags) == 0
                   ? 0
                   : -errno;
    if (rc < 0)
        return rc;
    if ((flags & ~AT_SYMLINK_FOLLOW) != 0)
        return -EINVAL;
    INSIDE(rc, session,
           flags & AT_SYMLINK_FOLLOW
               ? link_followed(session, from_place, to_place)
               : capstan_link(session, from_place, to_place));
    return rc;
}

long px_change(const char *place, struct px_open *open, unsigned flags,
               const struct capstan_change *change)
{
    struct capstan_session *session;
    long rc;

    if (open != NULL && (open->flags & O_PATH))
        return -EBADF;
    INSIDE(rc, session,
           open != NULL
               ? capstan_inode_setattr(session, open->ino, change, NULL)
               : capstan_setattr(session, place, flags, change));
    return rc;
}

long px_chmod(const char *place, struct px_open *open, mode_t mode)
{
    const struct capstan_change change = {.valid = CAPSTAN_SET_MODE,
                                          .mode = mode & 07777};

    return px_change(place, open, 0, &change);
}

long px_chown(const char *place, struct px_open *open, unsigned flags,
              uid_t uid, gid_t gid)
{
    struct capstan_change change = {.uid = uid, .gid = gid};

    if (uid != (uid_t)-1)
        change.valid |= CAPSTAN_SET_UID;
    if (gid != (gid_t)-1)
        change.valid |= CAPSTAN_SET_GID;
    return px_change(place, open, flags, &change);
}

static int take_time(const struct timespec *time, unsigned is_set,
                     unsigned is_now, struct capstan_change *change,
                     int64_t *ns_out)
{
    if (time == NULL || time->tv_nsec == UTIME_NOW) {
        change->valid |= is_now;
        return 0;
    }
    if (time->tv_nsec == UTIME_OMIT)
        return 0;
    if (time->tv_nsec < 0 || time->tv_nsec >= 1000000000)
        return -EINVAL;
    change->valid |= is_set;
    *ns_out = clock_stamp(time);
    return 0;
}

long px_times(const char *place, struct px_open *open, unsigned flags,
              const struct timespec times[2])
{
    struct capstan_change change = {.valid = 0};
    int rc = take_time(times, CAPSTAN_SET_ATIME, CAPSTAN_SET_ATIME_NOW, &change,
                       &change.atime_ns);

    if (rc == 0)
        rc = take_time(times != NULL ? &times[1] : NULL, CAPSTAN_SET_MTIME,
                       CAPSTAN_SET_MTIME_NOW, &change, &change.mtime_ns);
    return rc != 0 ? rc : px_change(place, open, flags, &change);
}

long px_truncate(const char *place, off_t size)
{
    const struct capstan_change change = {.valid = CAPSTAN_SET_SIZE,
                                          .size = (uint64_t)size};

    return size < 0 ? -EINVAL : px_change(place, NULL, 0, &change);
}

/* The number of what a call is about, inside the session. */
static int number_of(struct capstan_session *session, const char *place,
                     const struct px_open *open, unsigned flags,
                     uint64_t *ino_out)
{
    if (open == NULL)
        return capstan_resolve(session, place, flags, ino_out);
    *ino_out = open->ino;
    return 0;
}

long px_xattr_get(const char *place, struct px_open *open, unsigned flags,
                  const char *name, void *value, size_t room)
{
    struct capstan_session *session;
    uint64_t ino = 0;
    size_t len = 0;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    rc = number_of(session, place, open, flags, &ino);
    if (rc == 0)
        rc = capstan_xattr_get(session, ino, name, value, room, &len);
    px_leave();
    return rc != 0 ? rc : (long)len;
}

long px_xattr_list(const char *place, struct px_open *open, unsigned flags,
                   char *names, size_t room)
{
    struct capstan_session *session;
    uint64_t ino = 0;
    size_t len = 0;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    rc = number_of(session, place, open, flags, &ino);
    if (rc == 0)
        rc = capstan_xattr_list(session, ino, names, room, &len);
    px_leave();
    return rc != 0 ? rc : (long)len;
}

long px_xattr_set(const char *place, struct px_open *open, unsigned flags,
                  const char *name, const void *value, size_t len, int how)
{
    struct capstan_session *session;
    unsigned ours = 0;
    uint64_t ino = 0;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    if (how & XATTR_CREATE)
        ours |= CAPSTAN_XATTR_CREATE;
    if (how & XATTR_REPLACE)
        ours |= CAPSTAN_XATTR_REPLACE;
    rc = number_of(session, place, open, flags, &ino);
    if (rc == 0)
        rc = capstan_xattr_set(session, ino, name, value, len, ours);
    px_leave();
    return rc;
}

long px_xattr_remove(const char *place, struct px_open *open, unsigned flags,
                     const char *name)
{
    struct capstan_session *session;
    uint64_t ino = 0;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    rc = number_of(session, place, open, flags, &ino);
    if (rc == 0)
        rc = capstan_xattr_remove(session, ino, name);
    px_leave();
    return rc;
}
