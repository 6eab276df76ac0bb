/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and attributes by inode number: for callers that are given numbers and
 * names rather than paths, such as a mount.
 *
 * An inode number is good for ever: it is never given to another file, and it
 * tells which target keeps the inode. One whose file is gone gives -ESTALE.
 * The root is CAPSTAN_ROOT.
 *
 * The directory calls need write and search permission in `dir`, or return
 * -EACCES; -ESTALE if `dir` was removed; -ENOTDIR; -ENAMETOOLONG (a name over
 * 255 bytes); -EINVAL (an empty name, "." or "..", or one with a slash).
 *
 * Units    bytes, nanoseconds since the epoch.
 * Threads  as the session.
 * Failure  as the session; calls name what they add. stat_out may be NULL.
 */
#ifndef CAPSTAN_INODE_H
#define CAPSTAN_INODE_H

#include <capstan/file.h>
#include <capstan/namespace.h>
#include <capstan/session.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAPSTAN_ROOT 1ull

enum capstan_lookup_flags {
    CAPSTAN_LOOKUP_QUICK = 1, /* one call at most: stat may be partial */
};

/** Find a name in a directory; ".." is its parent. A symbolic link is not
 *  followed. @return 0, -ENOENT, -EACCES (dir may not be searched), -ESTALE
 *  (dir was removed). */
int capstan_lookup_at(struct capstan_session *session, uint64_t dir,
                      const char *name, unsigned flags,
                      struct capstan_stat *stat_out);

int capstan_inode_stat(struct capstan_session *session, uint64_t ino,
                       struct capstan_stat *stat_out);

/** @return as capstan_setattr(); stat_out is after the change. */
int capstan_inode_setattr(struct capstan_session *session, uint64_t ino,
                          const struct capstan_change *change,
                          struct capstan_stat *stat_out);

int capstan_inode_access(struct capstan_session *session, uint64_t ino,
                         unsigned mask);

int capstan_inode_readlink(struct capstan_session *session, uint64_t ino,
                           char *text, size_t room, size_t *len_out);

int capstan_mkdir_at(struct capstan_session *session, uint64_t dir,
                     const char *name, uint32_t mode,
                     struct capstan_stat *stat_out);
int capstan_mknod_at(struct capstan_session *session, uint64_t dir,
                     const char *name, enum capstan_type type, uint32_t mode,
                     uint64_t rdev, struct capstan_stat *stat_out);
int capstan_symlink_at(struct capstan_session *session, const char *text,
                       uint64_t dir, const char *name,
                       struct capstan_stat *stat_out);
int capstan_link_at(struct capstan_session *session, uint64_t ino,
                    uint64_t dir, const char *name,
                    struct capstan_stat *stat_out);
int capstan_unlink_at(struct capstan_session *session, uint64_t dir,
                      const char *name);
int capstan_rmdir_at(struct capstan_session *session, uint64_t dir,
                     const char *name);
int capstan_rename_at(struct capstan_session *session, uint64_t from_dir,
                      const char *from, uint64_t to_dir, const char *to,
                      unsigned flags);

/**
 * Open a file by number. The identity's permission is checked once, here.
 *
 * @param flags  READ, WRITE, TRUNCATE of enum capstan_open_flags.
 * @return 0, -EACCES, -EISDIR, -EINVAL (no file), -ELOOP (a symbolic link).
 */
int capstan_inode_open(struct capstan_session *session, uint64_t ino,
                       unsigned flags, struct capstan_file **file_out,
                       struct capstan_stat *stat_out);

/*
 * A file that was opened, as other sessions of the same program may open it: the
 * rights have been judged, so no server is asked. Lives without its session.
 */
struct capstan_opened;

/** @param opened_out  ended with capstan_opened_free(). @return 0, -ENOMEM. */
int capstan_file_opened(const struct capstan_file *file,
                        struct capstan_opened **opened_out);
void capstan_opened_free(struct capstan_opened **opened_p);

/** As capstan_lookup_at(); a file as if it had been opened by nobody, whose
 *  rights are judged later. @param opened_out  NULL if it is no file. */
int capstan_lookup_opened(struct capstan_session *session, uint64_t dir,
                          const char *name, unsigned flags,
                          struct capstan_stat *stat_out,
                          struct capstan_opened **opened_out);

/** May the session's identity open it, as far as was known then? @param flags
 *  READ, WRITE. @return 0, -EACCES. */
int capstan_opened_may(const struct capstan_session *session,
                       const struct capstan_opened *opened, unsigned flags);

/** @param flags  READ, WRITE, NOSYNC. @return 0, -EINVAL, -ENOMEM. */
int capstan_opened_open(struct capstan_session *session,
                        const struct capstan_opened *opened, unsigned flags,
                        struct capstan_file **file_out);

/** Make a file and open it; with neither EXCL nor an obstacle, open what is
 *  there. @param layout  its mode counts. @return 0, -EEXIST (EXCL), and as
 *  capstan_inode_open(). */
int capstan_create_at(struct capstan_session *session, uint64_t dir,
                      const char *name, unsigned flags,
                      const struct capstan_layout *layout,
                      struct capstan_file **file_out,
                      struct capstan_stat *stat_out);

int capstan_inode_dir_open(struct capstan_session *session, uint64_t ino,
                           struct capstan_dir **dir_out);

/*
 * Extended attributes: names to 255 bytes that begin with "user.", "trusted."
 * (user 0) or "security."; values to CAPSTAN_XATTR_MAX. All of one inode's
 * names and values together are at most CAPSTAN_XATTRS_MAX.
 */
#define CAPSTAN_XATTR_MAX 4096
#define CAPSTAN_XATTRS_MAX 8192

enum capstan_xattr_flags {
    CAPSTAN_XATTR_CREATE = 1,  /* -EEXIST if it is there */
    CAPSTAN_XATTR_REPLACE = 2, /* -ENODATA if it is not */
};

/** @param room  0: only the length is wanted.
 *  @return 0, -ENODATA, -ERANGE (room too small), -EOPNOTSUPP (the name). */
int capstan_xattr_get(struct capstan_session *session, uint64_t ino,
                      const char *name, void *value, size_t room,
                      size_t *len_out);
/** @return 0, -EEXIST, -ENODATA, -EPERM, -EACCES, -ENOSPC (too many), -E2BIG,
 *          -ERANGE (name), -EOPNOTSUPP. */
int capstan_xattr_set(struct capstan_session *session, uint64_t ino,
                      const char *name, const void *value, size_t len,
                      unsigned flags);
/** Names, each with its NUL. @return 0, -ERANGE. */
int capstan_xattr_list(struct capstan_session *session, uint64_t ino,
                       char *names, size_t room, size_t *len_out);
/** @return 0, -ENODATA, -EPERM, -EACCES. */
int capstan_xattr_remove(struct capstan_session *session, uint64_t ino,
                         const char *name);

struct capstan_statfs {
    uint64_t total_bytes; /* of all targets that answer */
    uint64_t free_bytes;
    unsigned targets;
    unsigned silent; /* targets that do not answer */
};

/** Space of the cluster. @return 0, -ETIMEDOUT (no target answers). */
int capstan_statfs(struct capstan_session *session,
                   struct capstan_statfs *statfs_out);

#ifdef __cplusplus
}
#endif

#endif
