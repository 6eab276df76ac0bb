/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an inode is now, with what is spread over targets: a GETATTR at its home,
 * which knows its own column; then, of a striped file, an OBJ_STAT to each
 * other column, and of a directory a DIR_STATE to each target that holds
 * entries. No size is kept anywhere, so none is ever stale.
 *
 * Units    bytes, nanoseconds.
 * Threads  the session's owner.
 * Failure  -ESTALE (there is no such inode), -ENOMEM, or the code of the call
 *          that failed.
 */
#ifndef CAPSTAN_CLIENT_SIZE_H
#define CAPSTAN_CLIENT_SIZE_H

#include "client/call.h"
#include "client/lookup.h"

/* Zero it; fill ino, or `found' and has_found. Must not move. */
struct cli_size {
    uint64_t ino;
    struct cli_found found; /* the home's answer */
    bool has_found;         /* it is here already */
    /* results */
    struct inode inode; /* its times those of the whole */
    uint64_t size;
    uint64_t object_ns; /* the last change of any object */
    uint64_t entries;   /* of a directory */
    int rc;
    const struct cli_call *failed; /* the call whose code rc is, or NULL */
    /* inside */
    uint64_t deadline_ns;
    uint64_t subdirs;
    struct cli_call getattr;
    struct cli_call *calls; /* to the other targets */
    unsigned ncalls;
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

/** The times of a file, whose objects last changed at object_ns. */
void cli_size_times(struct inode *inode, uint64_t object_ns);

#endif
