/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small scattered pieces travel packed: one behind the other, through a buffer
 * of ours, as one transfer.
 *
 * A transfer of 4 KiB costs nearly as much as one of 64 KiB, on either side and
 * with every way of moving bytes; a copy of 4 KiB costs a tenth of it. So the
 * server is told that the pieces lie packed in memory, and makes few moves of
 * them; we copy them to or from where the program has them.
 *
 * A buffer is registered anew for each message that uses it, as the program's
 * memory would be: a server that answers late finds its key gone.
 *
 * Units    bytes.
 * Threads  the session's owner.
 * Failure  no buffer to be had: the pieces move one by one.
 */
#ifndef CAPSTAN_CLIENT_IO_PACK_H
#define CAPSTAN_CLIENT_IO_PACK_H

#include "base/run.h"

#include <stdbool.h>

#define IO_BOUNCE_BYTES (512u << 10)
#define IO_BOUNCES_MAX 32u /* of a session; made when first needed */
#define IO_PACK_LENGTH_MAX (16u << 10) /* longer: worth a transfer */
#define IO_PACK_PIECES_MIN 4u

struct capstan_session;

struct io_bounce {
    struct io_bounce *next; /* free */
    char *memory;           /* IO_BOUNCE_BYTES */
};

/** Are these runs made of pieces so small and scattered that they are packed?
 */
bool io_pack_pays(const struct run *runs, size_t nruns);

/** A buffer, or NULL: too many are in use, or no memory. */
struct io_bounce *io_bounce_take(struct capstan_session *session);
void io_bounce_put(struct capstan_session *session, struct io_bounce *bounce);

/** Free those that are not in use: the session ends. */
void io_bounces_free(struct capstan_session *session);

#endif
