/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that this session has open and whose last name is gone: their homes
 * keep them under a lease.
 *
 * Units    nanoseconds.
 * Threads  the session's owner.
 * Failure  a lease that cannot be renewed ends, and the file with it.
 */
#ifndef CAPSTAN_CLIENT_HOLD_H
#define CAPSTAN_CLIENT_HOLD_H

#include "client/path.h"

/** May this name be that of a file which we have open? */
bool cli_may_hold(const struct capstan_session *session,
                  const struct cli_name *name);

/** A name of ino was removed, with the home told to hold it: note that, or say
 *  that we have it not open. */
void cli_hold_begin(struct capstan_session *session, uint64_t ino,
                    uint64_t deadline_ns);

/** A file was closed: if it was the last opening of a held one, drop it. */
void cli_hold_end(struct capstan_session *session, uint64_t ino);

/** Renew leases. @return things done. */
int cli_holds_pump(struct capstan_session *session);
uint64_t cli_holds_next_timer(const struct capstan_session *session);

/** The session ends: drop all, and free them. */
void cli_holds_abandon(struct capstan_session *session, bool is_ours);

#endif
