/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that are waited for.
 *
 * The happy path: cli_call_start() hands the call to rpc; its end is noted in
 * the callback; cli_calls_wait() turns the session until all have ended.
 *
 * Possible failure modes are: a call fails (the others are still waited for,
 * so that nothing is under way afterwards); the deadline passes (rpc ends the
 * call with -ETIMEDOUT; should it not, the call is cancelled here).
 */
#include "client/call.h"

#include <string.h>

static void on_done(struct rpc_call *rpc, int rc, const union proto_rep *rep)
{
    struct cli_call *call = rpc->ctx;

    if (rc == 0) {
        call->rep = *rep;
        if (call->take != NULL)
            rc = call->take(call->take_ctx, rep);
    }
    call->rc = rc;
    call->is_done = true;
}

void cli_call_start(struct capstan_session *session, struct cli_call *call,
                    uint64_t deadline_ns)
{
    call->is_done = false;
    call->rc = 0;
    memset(&call->rpc, 0, sizeof(call->rpc));
    call->rpc.target = call->target;
    call->rpc.opcode = call->opcode;
    call->rpc.req = &call->req;
    call->rpc.deadline_ns = deadline_ns;
    call->rpc.done = on_done;
    call->rpc.ctx = call;
    cli_rpc_start(session, &call->rpc);
}

void cli_call_stop(struct capstan_session *session, struct cli_call *call)
{
    if (call->is_done)
        return;
    rpc_call_cancel(session->rpc, &call->rpc);
    call->rpc.text[0] = '\0';
    call->rc = -ETIMEDOUT;
    call->is_done = true;
}

static bool all_done(const struct cli_call *calls, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++)
        if (!calls[i].is_done)
            return false;
    return true;
}

int cli_calls_wait(struct capstan_session *session, struct cli_call *calls,
                   unsigned n, uint64_t deadline_ns,
                   struct cli_call **failed_out)
{
    unsigned i;

    while (!all_done(calls, n)) {
        cli_turn(session, deadline_ns);
        if (clock_now(session->clock) <= deadline_ns)
            continue;
        cli_progress(session);
        for (i = 0; i < n; i++)
            cli_call_stop(session, &calls[i]);
    }
    for (i = 0; i < n; i++) {
        if (calls[i].rc == 0)
            continue;
        if (failed_out != NULL)
            *failed_out = &calls[i];
        return calls[i].rc;
    }
    return 0;
}

int cli_call(struct capstan_session *session, struct cli_call *call,
             uint64_t deadline_ns)
{
    cli_call_start(session, call, deadline_ns);
    return cli_calls_wait(session, call, 1, deadline_ns, NULL);
}

int cli_call_fail(struct capstan_session *session, const struct cli_call *call,
                  const char *what)
{
    char target[CLI_TARGET_TEXT_MAX];

    return cli_fail_said(session, call->rc, call->rpc.text, "%s: %s", what,
                         cli_target_text(session, call->target, target));
}
