/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: directories, attributes, removal.
 *
 * Paths are absolute within the cluster ("/dataset/shard-0007"; the leading
 * slash may be missing), of at most 4096 bytes, each name at most 255. "." and
 * ".." are resolved by the library.
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

enum capstan_type { CAPSTAN_FILE = 1, CAPSTAN_DIRECTORY = 2 };

struct capstan_stat {
    uint64_t ino;
    enum capstan_type type;
    uint32_t mode; /* permission bits */
    uint32_t uid;
    uint32_t gid;
    uint64_t size; /* of a file; 0 for a directory */
    uint64_t atime_ns;
    uint64_t mtime_ns;
    uint64_t ctime_ns;
    uint32_t stripe_size;
    uint16_t width;
    bool is_striped;
};

/** @return 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ETIMEDOUT. */
int capstan_stat(struct capstan_session *session, const char *path,
                 struct capstan_stat *stat_out);

/** @param mode  permission bits; 0: 0755.
 *  @return 0, -EEXIST, -ENOENT (parent), -ENOTDIR, -ENAMETOOLONG. */
int capstan_mkdir(struct capstan_session *session, const char *path,
                  uint32_t mode);

/** Remove an empty directory. @return 0, -ENOTEMPTY, -ENOENT, -ENOTDIR, -EBUSY
 *  (the root). */
int capstan_rmdir(struct capstan_session *session, const char *path);

/** Remove a file; its space is given back in the background.
 *  @return 0, -ENOENT, -EISDIR. */
int capstan_unlink(struct capstan_session *session, const char *path);

struct capstan_dir;

struct capstan_dirent {
    const char *name; /* valid until the next call on the directory */
    struct capstan_stat stat;
    bool has_size; /* false: stat.size of this striped file was not asked for */
};

/** Open a directory for listing. "." and ".." are not listed.
 *  @return 0, -ENOENT, -ENOTDIR. */
int capstan_dir_open(struct capstan_session *session, const char *path,
                     struct capstan_dir **dir_out);

/** The next entry, in no order. @return 0, -ENOENT at the end, or an error. */
int capstan_dir_read(struct capstan_dir *dir, struct capstan_dirent *entry_out);

void capstan_dir_close(struct capstan_dir **dir_p);

#ifdef __cplusplus
}
#endif

#endif
