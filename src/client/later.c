/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the public headers that are not made yet: they say so.
 *
 * Possible failure modes are: -ENOTSUP, always.
 */
#include "client/cli.h"

#include <unistd.h>

#define S struct capstan_session *session
#define LATER(name, ...)                                                       \
    int name(S, __VA_ARGS__)                                                   \
    {                                                                          \
        return cli_fail(session, -ENOTSUP, #name);                             \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

LATER(capstan_rename, const char *from, const char *to, unsigned flags)
LATER(capstan_link, const char *from, const char *to)
LATER(capstan_symlink, const char *text, const char *path)
LATER(capstan_readlink, const char *path, char *text, size_t room,
      size_t *len_out)
LATER(capstan_mknod, const char *path, enum capstan_type type, uint32_t mode,
      uint64_t rdev)
LATER(capstan_setattr, const char *path, unsigned flags,
      const struct capstan_change *change)
LATER(capstan_access, const char *path, unsigned mask)
LATER(capstan_resolve, const char *path, unsigned flags, uint64_t *ino_out)
LATER(capstan_resolve_parent, const char *path, uint64_t *dir_out,
      char *name_out)
LATER(capstan_session_set_prefix, const char *prefix)
LATER(capstan_lookup_at, uint64_t dir, const char *name, unsigned flags,
      struct capstan_stat *stat_out)
LATER(capstan_inode_stat, uint64_t ino, struct capstan_stat *stat_out)
LATER(capstan_inode_setattr, uint64_t ino, const struct capstan_change *change,
      struct capstan_stat *stat_out)
LATER(capstan_inode_access, uint64_t ino, unsigned mask)
LATER(capstan_inode_readlink, uint64_t ino, char *text, size_t room,
      size_t *len_out)
LATER(capstan_mkdir_at, uint64_t dir, const char *name, uint32_t mode,
      struct capstan_stat *stat_out)
LATER(capstan_mknod_at, uint64_t dir, const char *name, enum capstan_type type,
      uint32_t mode, uint64_t rdev, struct capstan_stat *stat_out)
LATER(capstan_symlink_at, const char *text, uint64_t dir, const char *name,
      struct capstan_stat *stat_out)
LATER(capstan_link_at, uint64_t ino, uint64_t dir, const char *name,
      struct capstan_stat *stat_out)
LATER(capstan_unlink_at, uint64_t dir, const char *name)
LATER(capstan_rmdir_at, uint64_t dir, const char *name)
LATER(capstan_rename_at, uint64_t from_dir, const char *from, uint64_t to_dir,
      const char *to, unsigned flags)
LATER(capstan_inode_open, uint64_t ino, unsigned flags,
      struct capstan_file **file_out, struct capstan_stat *stat_out)
LATER(capstan_create_at, uint64_t dir, const char *name, unsigned flags,
      const struct capstan_layout *layout, struct capstan_file **file_out,
      struct capstan_stat *stat_out)
LATER(capstan_inode_dir_open, uint64_t ino, struct capstan_dir **dir_out)
LATER(capstan_xattr_get, uint64_t ino, const char *name, void *value,
      size_t room, size_t *len_out)
LATER(capstan_xattr_set, uint64_t ino, const char *name, const void *value,
      size_t len, unsigned flags)
LATER(capstan_xattr_list, uint64_t ino, char *names, size_t room,
      size_t *len_out)
LATER(capstan_xattr_remove, uint64_t ino, const char *name)
LATER(capstan_statfs, struct capstan_statfs *statfs_out)

int capstan_file_append(struct capstan_file *file, const void *memory,
                        size_t length, uint64_t *end_out)
{
    return -ENOTSUP;
}

void capstan_session_set_cred(struct capstan_session *session,
                              const struct capstan_cred *cred)
{
    session->uid = cred != NULL ? cred->uid : (uint32_t)geteuid();
    session->gid = cred != NULL ? cred->gid : (uint32_t)getegid();
}
