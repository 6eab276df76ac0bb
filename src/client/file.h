/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files from inside.
 *
 * Units    bytes.
 * Threads  the session's owner.
 * Failure  as public.
 */
#ifndef CAPSTAN_CLIENT_FILE_H
#define CAPSTAN_CLIENT_FILE_H

#include "client/cli.h"

struct capstan_file {
    struct capstan_session *session;
    struct capstan_file *prev, *next; /* of the session */
    unsigned flags;                   /* enum capstan_open_flags */
    bool is_dirty;                    /* written and not yet synced */
    bool is_set_id; /* a write takes set-user-id and set-group-id away */
    unsigned active;                  /* requests under way */
    uint8_t *ahead; /* the whole file, as it was when it was opened; or NULL */
    uint32_t ahead_len;
    uint64_t ahead_until_ns;
    struct inode inode; /* its layout only ever goes from stuffed to striped */
    char path[]; /* as the caller said it */
};

/** Can every target of this layout be reached? @return 0 or -ERR_CLUSTER (one
 *  is not in this client's cluster file). */
int cli_layout_known(const struct capstan_session *session,
                     const struct layout *layout);

/** A file as it is known, for later. @return 0 or -ENOMEM. */
struct capstan_opened;
int cli_opened(const struct inode *inode, struct capstan_opened **opened_out);

/** Cut or extend the objects of a file of this layout, which is made striped if
 *  it needs be. @return 0; the text is set. */
int cli_resize(struct capstan_session *session, struct inode *inode,
               uint64_t size, uint64_t deadline_ns, const char *what);

/** Prepare SET_STRIPED for a file. */
struct cli_call;
void cli_set_striped_init(const struct capstan_file *file,
                          struct cli_call *call);

/** Read from what came when the file was opened, if that still may be.
 *  @return false: ask the servers. */
bool cli_ahead_read(struct capstan_file *file, uint64_t offset, void *memory,
                    size_t length, size_t *done_out);

/** A file is about to be changed by this session: what came ahead is old. */
void cli_ahead_drop(struct capstan_session *session, uint64_t ino);

/** This user is about to change a file that others may run as its owner: they
 *  may not any more. What fails is tried again at the next write. */
void cli_set_id_drop(struct capstan_file *file);

/** Free all open files without a word to servers: the session ends. */
void cli_files_abandon(struct capstan_session *session);

#endif
