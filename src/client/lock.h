/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks from inside.
 *
 * Units    nanoseconds.
 * Threads  the session's owner.
 * Failure  as public.
 */
#ifndef CAPSTAN_CLIENT_LOCK_H
#define CAPSTAN_CLIENT_LOCK_H

#include "client/cli.h"

/** Ask again, renew leases, note losses. @return things done. */
int cli_locks_pump(struct capstan_session *session);

/** When cli_locks_pump() must run again at the latest. */
uint64_t cli_locks_next_timer(const struct capstan_session *session);

/** Free the locks of a file, or all (NULL), without a word to servers. */
void cli_locks_abandon(struct capstan_session *session,
                       const struct capstan_file *file);

#endif
