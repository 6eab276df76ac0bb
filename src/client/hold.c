/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: unlink and rename tell the server that the file may be open
 * here; if it is, it joins the session's list, and HOLD renews its lease now and
 * then; the last close drops it, and need not wait for the answer.
 *
 * Possible failure modes are: the name was that of another file (it is dropped
 * at once); a program that is not in here for a whole lease (the file goes); a
 * home that does not answer (the close waits a moment for the first one only,
 * the end of the session a little longer for all together; the lease ends).
 */
#include "client/hold.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/file.h"
#include "client/lookup.h"

#include <endian.h>
#include <string.h>
#include <utlist.h>

#define RENEW_NS (600 * NS_PER_SEC) /* well within a lease */
#define CLOSE_NS NS_PER_SEC         /* that a close waits */
#define END_NS (5 * NS_PER_SEC)     /* that the end of a session waits */

struct cli_hold {
    struct cli_hold *prev, *next;
    uint64_t ino;
    uint64_t next_ns; /* when to renew */
    bool is_asking;   /* the call is under way */
    bool is_dropping; /* with it; then this is freed */
    uint64_t wire; /* ino, little-endian, while the call is under way */
    struct cli_call call;
};

static bool is_open(const struct capstan_session *session, uint64_t ino)
{
    const struct capstan_file *file;

    DL_FOREACH(session->files, file)
        if (file->inode.ino == ino)
            return true;
    return false;
}

bool cli_may_hold(const struct capstan_session *session,
                  const struct cli_name *name)
{
    uint64_t ino;

    if (session->files == NULL)
        return false;
    ino = cli_hint_find(session->dirs, name->parent, name->text, name->len);
    return ino == 0 || is_open(session, ino);
}

static void call_init(const struct capstan_session *session, uint64_t ino,
                      bool is_drop, uint64_t *wire, struct cli_call *call)
{
    *wire = htole64(ino);
    *call = (struct cli_call){
        .target = cli_home(session, ino),
        .opcode = PROTO_OP_hold,
        .req.hold = {.inos = {(const uint8_t *)wire, sizeof(*wire)},
                     .is_drop = is_drop},
    };
}

static void drop(struct capstan_session *session, uint64_t ino,
                 uint64_t deadline_ns)
{
    struct cli_call call;
    uint64_t wire;

    call_init(session, ino, true, &wire, &call);
    cli_call(session, &call, deadline_ns); /* else the lease ends */
}

static struct cli_hold *find(const struct capstan_session *session,
                             uint64_t ino)
{
    struct cli_hold *hold;

    DL_FOREACH(session->holds, hold)
        if (hold->ino == ino)
            return hold;
    return NULL;
}

void cli_hold_begin(struct capstan_session *session, uint64_t ino,
                    uint64_t deadline_ns)
{
    struct cli_hold *hold;

    if (cluster_target(session->cluster, cli_home(session, ino)) == NULL)
        return;
    if (!is_open(session, ino)) {
        drop(session, ino, deadline_ns);
        return;
    }
    if (find(session, ino) != NULL)
        return;
    hold = mem_calloc(1, sizeof(*hold));
    if (hold == NULL)
        return;
    hold->ino = ino;
    hold->next_ns = clock_now(session->clock) + RENEW_NS;
    DL_APPEND(session->holds, hold);
}

static void hold_free(struct capstan_session *session, struct cli_hold *hold)
{
    DL_DELETE(session->holds, hold);
    if (hold->is_asking)
        cli_call_stop(session, &hold->call);
    free(hold);
}

static void ask(struct capstan_session *session, struct cli_hold *hold,
                bool is_drop)
{
    if (hold->is_asking)
        cli_call_stop(session, &hold->call);
    call_init(session, hold->ino, is_drop, &hold->wire, &hold->call);
    hold->is_asking = true;
    hold->is_dropping = is_drop;
    cli_call_start(session, &hold->call, cli_deadline(session));
}

static bool is_dropping(const struct capstan_session *session)
{
    const struct cli_hold *hold;

    DL_FOREACH(session->holds, hold)
        if (hold->is_dropping)
            return true;
    return false;
}

/* @param most_ns  how long, at most; the session's timeout is another limit. */
static void wait_for_drops(struct capstan_session *session, uint64_t most_ns)
{
    uint64_t until_ns = clock_now(session->clock) + most_ns;

    while (is_dropping(session) && clock_now(session->clock) < until_ns)
        cli_turn(session, until_ns);
}

void cli_hold_end(struct capstan_session *session, uint64_t ino)
{
    struct cli_hold *hold = find(session, ino);
    bool is_waiting;

    if (hold == NULL || hold->is_dropping || is_open(session, ino))
        return;
    is_waiting = is_dropping(session); /* somebody else does not answer */
    ask(session, hold, true);
    if (!is_waiting)
        wait_for_drops(session, CLOSE_NS);
}

static int pump(struct capstan_session *session, struct cli_hold *hold,
                uint64_t now)
{
    if (hold->is_asking) {
        if (!hold->call.is_done)
            return 0;
        hold->is_asking = false;
        hold->next_ns = now + RENEW_NS;
        if (hold->is_dropping)
            hold_free(session, hold); /* done, or the lease ends */
        return 1;
    }
    if (now < hold->next_ns)
        return 0;
    ask(session, hold, false);
    return 1;
}

int cli_holds_pump(struct capstan_session *session)
{
    struct cli_hold *hold, *next;
    uint64_t now;
    int n = 0;

    if (session->holds == NULL)
        return 0;
    now = clock_now(session->clock);
    DL_FOREACH_SAFE(session->holds, hold, next)
    n += pump(session, hold, now);
    return n;
}

uint64_t cli_holds_next_timer(const struct capstan_session *session)
{
    const struct cli_hold *hold;
    uint64_t next = UINT64_MAX;

    DL_FOREACH(session->holds, hold)
        if (!hold->is_asking && hold->next_ns < next)
            next = hold->next_ns;
    return next;
}

void cli_holds_abandon(struct capstan_session *session, bool is_ours)
{
    struct cli_hold *hold, *next;

    DL_FOREACH(session->holds, hold)
        if (is_ours && !hold->is_dropping)
            ask(session, hold, true);
    if (is_ours)
        wait_for_drops(session, END_NS);
    DL_FOREACH_SAFE(session->holds, hold, next)
    {
        if (is_ours) {
            hold_free(session, hold);
        } else {
            DL_DELETE(session->holds, hold);
            free(hold);
        }
    }
}
