/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that are waited for: one, or one to each column of a file.
 *
 * Units    nanoseconds.
 * Threads  the session's owner.
 * Failure  a call cannot fail to start; its end is in rc. After
 * cli_calls_wait() no call of the list is under way, whatever it returned.
 */
#ifndef CAPSTAN_CLIENT_CALL_H
#define CAPSTAN_CLIENT_CALL_H

#include "client/cli.h"

/** See a successful reply while its byte fields live. @return 0 or the code
 *  that the call shall end with. */
typedef int cli_take_fn(void *ctx, const union proto_rep *rep);

/* One call. Zero it, then fill the first four. */
struct cli_call {
    uint16_t target;
    uint16_t opcode;
    union proto_req req;
    cli_take_fn *take; /* or NULL */
    void *take_ctx;
    /* results */
    bool is_done;
    int rc;
    union proto_rep rep; /* byte fields are dead; use take */
    struct rpc_call rpc;
};

/** Start a call. It stays the caller's and must not move until it is done. */
void cli_call_start(struct capstan_session *session, struct cli_call *call,
                    uint64_t deadline_ns);

/** Forget a call that may be under way. */
void cli_call_stop(struct capstan_session *session, struct cli_call *call);

/** Wait for all of n calls. @return 0, or the code of the first, by index,
 *  that failed; *failed_out (may be NULL) points at it. */
int cli_calls_wait(struct capstan_session *session, struct cli_call *calls,
                   unsigned n, uint64_t deadline_ns,
                   struct cli_call **failed_out);

/** Start one call and wait for it. @return its code. */
int cli_call(struct capstan_session *session, struct cli_call *call,
             uint64_t deadline_ns);

/** Keep a failed call's text: "<what>: <target>: <cause>". @return call->rc */
int cli_call_fail(struct capstan_session *session, const struct cli_call *call,
                  const char *what);

#endif
