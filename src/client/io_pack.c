/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buffers of a session for packed pieces, and when to use them.
 *
 * The happy path: a part takes a buffer when it is opened and gives it back
 * when its answer was dealt with; the session keeps it for the next.
 *
 * Possible failure modes are: no memory, or all in use (NULL; see io_pack.h).
 */
#include "client/io_pack.h"

#include "base/mem.h"
#include "client/cli.h"

/* Does it lie in memory as it will on the way? Then the server joins it with
 * its neighbours, packed or not. */
static bool is_dense(const struct run *run)
{
    return run->count > 1 && run->mem_stride == (int64_t)run->length;
}

bool io_pack_pays(const struct run *runs, size_t nruns)
{
    uint64_t npieces = 0;

    for (size_t i = 0; i < nruns; i++) {
        if (runs[i].length > IO_PACK_LENGTH_MAX)
            return false;
        npieces += is_dense(&runs[i]) ? 1 : runs[i].count;
    }
    return npieces >= IO_PACK_PIECES_MIN;
}

struct io_bounce *io_bounce_take(struct capstan_session *session)
{
    struct io_bounce *bounce = session->bounces;

    if (bounce != NULL) {
        session->bounces = bounce->next;
        return bounce;
    }
    if (session->nbounces == IO_BOUNCES_MAX)
        return NULL;
    bounce = mem_calloc(1, sizeof(*bounce));
    if (bounce == NULL)
        return NULL;
    bounce->memory = mem_pages(IO_BOUNCE_BYTES);
    if (bounce->memory == NULL) {
        free(bounce);
        return NULL;
    }
    session->nbounces++;
    return bounce;
}

void io_bounce_put(struct capstan_session *session, struct io_bounce *bounce)
{
    if (bounce == NULL)
        return;
    bounce->next = session->bounces;
    session->bounces = bounce;
}

void io_bounces_free(struct capstan_session *session)
{
    struct io_bounce *bounce;

    while ((bounce = session->bounces) != NULL) {
        session->bounces = bounce->next;
        free(bounce->memory);
        free(bounce);
    }
}
