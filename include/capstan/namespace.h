/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: directories, attributes, removal.
 *
 * Paths are absolute within the cluster ("/dataset/shard-0007"; the leading
 * slash may be missing), of at most 4096 bytes, each name at most 255. Symbolic
 * links on the way are followed, at most CAPSTAN_LINKS_MAX; those that begin
 * with a slash begin at the cluster's root (capstan_session_set_prefix()
 * changes that). The last name is followed where the call says so. The same
 * calls by inode number, for callers that hold no paths, are in
 * capstan/inode.h.
 *
 * Permissions are those of the session's identity (capstan_session_set_cred()).
 * Every call that walks a path may return -EACCES (a directory on the way may
 * not be searched), -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ETIMEDOUT and
 * -ENOMEM; calls name only what they add.
 *
 * Units    bytes, nanoseconds since the epoch.
 * Threads  as the session.
 * Failure  as the session.
 */
#ifndef CAPSTAN_NAMESPACE_H
#define CAPSTAN_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capstan/session.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAPSTAN_LINKS_MAX 40

enum capstan_type {
    CAPSTAN_FILE = 1,
    CAPSTAN_DIRECTORY = 2,
    CAPSTAN_SYMLINK = 3,
    CAPSTAN_FIFO = 4, /* these four are records only: nothing opens them */
    CAPSTAN_SOCKET = 5,
    CAPSTAN_CHAR = 6,
    CAPSTAN_BLOCK = 7,
};

struct capstan_stat {
    uint64_t ino;
    enum capstan_type type;
    uint32_t mode; /* permission bits, 07777 */
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint64_t size; /* of a file; of a symbolic link its text; a directory: 0 */
    /* since 1970; before, negative: the years 1678 to 2261 */
    int64_t atime_ns; /* as set: reading does not change it */
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint64_t rdev;        /* CHAR, BLOCK: what mknod was given */
    uint32_t stripe_size; /* of a file */
    uint16_t width;
    bool is_striped;
    bool is_partial; /* size, nlink, mtime and ctime may be old: a listing or a
                        quick lookup did not ask every target; stat does */
};

/** Follows a last symbolic link; capstan_lstat() does not. */
int capstan_stat(struct capstan_session *session, const char *path,
                 struct capstan_stat *stat_out);
int capstan_lstat(struct capstan_session *session, const char *path,
                  struct capstan_stat *stat_out);

/** @param mode  permission bits, as they shall be (no umask); 0: 0755.
 *  @return 0, -EEXIST, -EACCES, -ENOSPC. */
int capstan_mkdir(struct capstan_session *session, const char *path,
                  uint32_t mode);

/** Remove an empty directory. @return 0, -ENOTEMPTY, -EBUSY (the root), -EPERM
 *  (sticky), -EACCES, -EINVAL (the path ends in "."). */
int capstan_rmdir(struct capstan_session *session, const char *path);

/** Remove a name that is no directory; a file's space is given back in the
 *  background when its last name is gone and this session has it open no more.
 *  @return 0, -EISDIR, -EPERM (sticky), -EACCES. */
int capstan_unlink(struct capstan_session *session, const char *path);

enum capstan_rename_flags {
    CAPSTAN_RENAME_NOREPLACE = 1, /* -EEXIST rather than replace */
    CAPSTAN_RENAME_EXCHANGE = 2,  /* both exist and change places */
};

/**
 * Rename; replaces a file, or an empty directory by a directory. Whoever looks
 * meanwhile finds the old or the new entry, never neither.
 *
 * @return 0, -EEXIST (NOREPLACE), -ENOTEMPTY, -EISDIR, -ENOTDIR, -EINVAL (into
 *         itself; flags), -EBUSY (the root), -EPERM (sticky), -EACCES,
 *         -ENOSPC, -ENOTSUP (flag).
 */
int capstan_rename(struct capstan_session *session, const char *from,
                   const char *to, unsigned flags);

/** Another name for a file; a last symbolic link is not followed.
 *  @return 0, -EEXIST, -EPERM (a directory), -EMLINK, -EACCES, -ENOSPC. */
int capstan_link(struct capstan_session *session, const char *from,
                 const char *to);

/** Make a symbolic link. @param text  1 .. 4095 bytes.
 *  @return 0, -EEXIST, -ENAMETOOLONG, -ENOENT (empty), -EACCES, -ENOSPC. */
int capstan_symlink(struct capstan_session *session, const char *text,
                    const char *path);

/** Read a symbolic link, without a NUL; cut to `room`.
 *  @return 0, -EINVAL (it is none). */
int capstan_readlink(struct capstan_session *session, const char *path,
                     char *text, size_t room, size_t *len_out);

/** Make a FIFO, socket, device record, or an empty file.
 *  @return 0, -EEXIST, -EPERM (a device, and not user 0), -EINVAL (type),
 *          -EACCES, -ENOSPC. */
int capstan_mknod(struct capstan_session *session, const char *path,
                  enum capstan_type type, uint32_t mode, uint64_t rdev);

/* What to change; 0 in `valid` leaves a thing as it is. */
enum capstan_change_valid {
    CAPSTAN_SET_MODE = 1,
    CAPSTAN_SET_UID = 2,
    CAPSTAN_SET_GID = 4,
    CAPSTAN_SET_ATIME = 8,      /* to atime_ns */
    CAPSTAN_SET_MTIME = 16,     /* to mtime_ns */
    CAPSTAN_SET_ATIME_NOW = 32, /* to the server's time */
    CAPSTAN_SET_MTIME_NOW = 64,
    CAPSTAN_SET_SIZE = 128,
};

struct capstan_change {
    unsigned valid; /* enum capstan_change_valid */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    int64_t atime_ns;
    int64_t mtime_ns;
    uint64_t size;
};

enum capstan_path_flags { CAPSTAN_NOFOLLOW = 1 };

/**
 * Change attributes, all or none. Clears set-user-id and set-group-id when
 * owner or size of a file change, as POSIX says.
 *
 * @return 0, -EPERM (not the owner), -EACCES (times to now, or size, without
 *         write permission), -EISDIR, -EINVAL (size of no file), -EFBIG.
 */
int capstan_setattr(struct capstan_session *session, const char *path,
                    unsigned flags, const struct capstan_change *change);

/** As access(2): may the session's identity do all of these?
 *  @param mask  R_OK | W_OK | X_OK as 4, 2, 1; 0: does it exist?
 *  @return 0, -EACCES. */
int capstan_access(struct capstan_session *session, const char *path,
                   unsigned mask);

/** The inode number behind a path, for the calls of capstan/inode.h.
 *  @param flags  enum capstan_path_flags. */
int capstan_resolve(struct capstan_session *session, const char *path,
                    unsigned flags, uint64_t *ino_out);

/** The directory that holds a path's last name, and that name.
 *  @param name_out  256 bytes; "" for the root. */
int capstan_resolve_parent(struct capstan_session *session, const char *path,
                           uint64_t *dir_out, char *name_out);

/*
 * Listing.
 */
struct capstan_dir;

struct capstan_dirent {
    const char *name; /* valid until the next call on the directory */
    struct capstan_stat stat;
    bool has_size;   /* false: stat.size of this striped file was not asked for;
                        stat.is_partial says so of all that was not */
    uint64_t cookie; /* capstan_dir_seek() to it goes on behind this entry */
};

/** Open a directory for listing. "." and ".." are not listed.
 *  @return 0, -ENOENT, -ENOTDIR, -EACCES. */
int capstan_dir_open(struct capstan_session *session, const char *path,
                     struct capstan_dir **dir_out);

/** The next entry, in no order. Entries that stay during the listing are seen
 *  once, whatever comes and goes. @return 0, -ENOENT at the end, or an error. */
int capstan_dir_read(struct capstan_dir *dir, struct capstan_dirent *entry_out);

/**
 * Go on behind the entry that had this cookie, also in another opening of the
 * directory, or after that entry was removed. 0: from the start. Cookies are
 * above CAPSTAN_COOKIE_MIN and below 2^63; smaller ones are the caller's.
 */
#define CAPSTAN_COOKIE_MIN 15
void capstan_dir_seek(struct capstan_dir *dir, uint64_t cookie);

/** The inode number of the directory. */
uint64_t capstan_dir_ino(const struct capstan_dir *dir);

void capstan_dir_close(struct capstan_dir **dir_p);

#ifdef __cplusplus
}
#endif

#endif
