/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A crew of threads that copies files, each member with a session of its own.
 *
 * Units    -
 * Threads  crew_add() by the one that started the crew.
 * Failure  said on stderr; crew_end() tells of any.
 */
#ifndef CAPSTAN_TOOLS_CREW_H
#define CAPSTAN_TOOLS_CREW_H

#include "tools/tree.h"

struct crew;

/**
 * @param session  borrowed: with one job at a time no thread is started, and
 *                 crew_add() copies through it. NULL if neither side is remote.
 * @return 0 or -1.
 */
int crew_start(const struct tree_wish *wish, struct capstan_session *session,
               struct progress *progress, struct crew **crew_out);

/** Have a file copied; waits while too many are waiting.
 *  @param stat_buf  of the file that is copied. */
void crew_add(struct crew *crew, const char *from, const char *to,
              const struct capstan_stat *stat_buf);

/** Wait for all. *crew_p becomes NULL. @return 0 or -1. */
int crew_end(struct crew **crew_p);

#endif
