/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a name stands for now, with the size of a file: a LOOKUP at the owner,
 * which knows its own column, then, of a striped file, an OBJ_STAT to each
 * other column. No size is kept anywhere, so none is ever stale.
 *
 * Units    bytes, nanoseconds.
 * Threads  the session's owner.
 * Failure  -ENOENT, -ESTALE (another inode has the name), -ENOMEM, or the code
 *          of the call that failed.
 */
#ifndef CAPSTAN_CLIENT_SIZE_H
#define CAPSTAN_CLIENT_SIZE_H

#include "client/call.h"
#include "client/path.h"

/* Zero it; fill name and, to insist on an inode, ino. Must not move. */
struct cli_size {
    struct cli_name name; /* borrows its text */
    uint64_t ino;         /* 0: any */
    /* results */
    struct inode inode;
    uint64_t size;
    uint64_t mtime_ns;
    int rc;
    const struct cli_call *failed; /* the call whose code rc is, or NULL */
    /* inside */
    uint64_t deadline_ns;
    struct cli_call lookup;
    struct cli_call *columns; /* [width - 1], of a striped file */
    unsigned ncolumns;
};

/** Start to ask. */
void cli_size_start(struct capstan_session *session, struct cli_size *size,
                    uint64_t deadline_ns);

/** Go on. @return true when it has ended: results are set. */
bool cli_size_step(struct capstan_session *session, struct cli_size *size);

/** End it, under way or not; results stay except failed. */
void cli_size_stop(struct capstan_session *session, struct cli_size *size);

/** Start, wait and stop; on failure the text is set: "<what>: <cause>". */
int cli_size_run(struct capstan_session *session, struct cli_size *size,
                 uint64_t deadline_ns, const char *what);

#endif
