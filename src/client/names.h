/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes in their public form, and the acts on names that paths and inode
 * numbers share.
 *
 * Threads  the session's owner.
 * Failure  as public; the text is set.
 */
#ifndef CAPSTAN_CLIENT_NAMES_H
#define CAPSTAN_CLIENT_NAMES_H

#include "client/lookup.h"
#include "client/path.h"
#include "client/size.h"

#define CLI_MODE_MASK 07777u
#define CLI_MODE_DIR 0755u
#define CLI_MODE_FILE 0644u

/** Public attributes of an inode whose data has this size; times are those of
 *  the inode (cli_size_times()). stat may be NULL. */
void cli_stat_set(struct capstan_stat *stat, const struct inode *inode,
                  uint64_t size);

/** What a lookup told, before other targets were asked. */
void cli_stat_quick(struct capstan_stat *stat, const struct cli_found *found);

/** The whole truth about an inode of which the home's part is known. */
int cli_stat_full(struct capstan_session *session,
                  const struct cli_found *found, uint64_t deadline_ns,
                  const char *what, struct capstan_stat *stat);

/* A new name: a directory, link, FIFO, socket, device or empty file. */
struct cli_make {
    const char *what; /* for texts */
    enum inode_type type;
    uint32_t mode;
    uint64_t special;
    const char *link; /* of a symbolic link */
    struct capstan_stat *stat_out;
};
cli_name_fn cli_make_name; /* ctx: struct cli_make */

/* A name that goes. */
struct cli_remove {
    const char *what;
    bool is_dir;
};
cli_name_fn cli_remove_name;

/* Another name for an inode. */
struct cli_link {
    const char *what;
    uint64_t ino;
    struct capstan_stat *stat_out;
};
cli_name_fn cli_link_name;

/* The act is on the new name. */
struct cli_rename {
    const char *what;
    const char *from_path; /* or NULL: */
    struct cli_name from;
    unsigned flags;
};
cli_name_fn cli_rename_name;

/** What is wrong with arguments? @return 0 or a code; the text is set. */
int cli_check_link(struct capstan_session *session, const char *text);
int cli_check_node(struct capstan_session *session, enum capstan_type type);
int cli_check_rename(struct capstan_session *session, unsigned flags);

/** Change attributes of an inode. `found' is set to what it is afterwards, but
 *  for its size. */
int cli_setattr(struct capstan_session *session, uint64_t ino,
                const struct capstan_change *change, uint64_t deadline_ns,
                const char *what, struct cli_found *found);

/** The file is about to be written otherwise than by bytes: its times. */
int cli_touch(struct capstan_session *session, uint64_t ino,
              uint64_t deadline_ns, const char *what, struct inode *inode_out);

#endif
