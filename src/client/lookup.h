/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inodes asked for and waited for, by name or by number; and what the session's
 * identity may do in a directory.
 *
 * Units    bytes, nanoseconds.
 * Threads  the session's owner.
 * Failure  the code of the call; the text is set, and names `what`.
 */
#ifndef CAPSTAN_CLIENT_LOOKUP_H
#define CAPSTAN_CLIENT_LOOKUP_H

#include "client/call.h"
#include "client/path.h"

#include "base/cred.h"

/* An inode, and what its home knows of its bytes. Zero it; `data' and `want'
 * may be set to have the bytes of a small file. */
struct cli_found {
    struct inode inode;
    uint64_t object_size;
    uint64_t object_mtime_ns;
    void *data;
    uint32_t want;
    uint32_t data_len; /* a stuffed file: its first bytes, `want' at most */
    unsigned may;      /* CRED_*: what the inode must allow */
    bool is_dir_gone;  /* set with -ENOENT: the directory was removed */
};

/** Find a name, wherever its inode is kept; remembers directories. The text of
 *  a symbolic link is then in session->link.
 *  @return 0, -ENOENT, -EACCES (may). */
int cli_lookup(struct capstan_session *session, const struct cli_name *name,
               uint64_t deadline_ns, const char *what,
               struct cli_found *found);

/** The inode of a number. @return 0, -ESTALE, -EACCES (may). */
int cli_getattr(struct capstan_session *session, uint64_t ino,
                uint64_t deadline_ns, const char *what,
                struct cli_found *found);

/** The attributes of a directory, remembered or asked for.
 *  @return 0, -ESTALE, -ENOTDIR. */
int cli_dir_attrs(struct capstan_session *session, uint64_t dir,
                  uint64_t deadline_ns, const char *what,
                  struct inode *inode_out);

/** May names be looked for in it? @return 0, -EACCES, and as above. */
int cli_may_search(struct capstan_session *session, uint64_t dir,
                   uint64_t deadline_ns, const char *what);

/** May a name be made? A name that is there is told first. dir_out: the
 *  directory's attributes. @return 0, -EACCES, -EEXIST. */
int cli_may_insert(struct capstan_session *session,
                   const struct cli_name *name, uint64_t deadline_ns,
                   const char *what, struct inode *dir_out);

/** May a name be removed, the sticky bit minded?
 *  @return 0, -EACCES, -EPERM, -ENOENT. */
int cli_may_remove(struct capstan_session *session,
                   const struct cli_name *name, uint64_t deadline_ns,
                   const char *what);

/** The identity as a request carries it. */
static inline struct proto_bytes cli_cred(const struct capstan_session *session)
{
    return (struct proto_bytes){session->cred_bytes, session->cred_len};
}

/** A name as a request carries it. */
static inline struct proto_bytes cli_text(const struct cli_name *name)
{
    return (struct proto_bytes){(const uint8_t *)name->text,
                                (uint32_t)name->len};
}

/** The target that keeps an inode. */
static inline uint16_t cli_home(const struct capstan_session *session,
                                uint64_t ino)
{
    return ino_home(ino, session->cluster->target_ids);
}

#endif
