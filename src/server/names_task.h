/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request that is one step in the metadata executor: what the handlers of
 * such requests share.
 *
 * Units    none.
 * Threads  run() on the names thread, with names_task_is_decided() and
 *          names_task_keep(); everything else on the reactor.
 * Failure  op->rc is what the request is answered with.
 */
#ifndef CAPSTAN_SERVER_NAMES_TASK_H
#define CAPSTAN_SERVER_NAMES_TASK_H

#include "server/server.h"

struct names_task {
    struct names_op op; /* first */
    struct srv_target *target;
    struct rpc_request *request;
    union proto_rep rep;
    struct obj_io stat;
    bool is_fresh; /* run() made a file, with a number of its own */
    uint8_t data[PROTO_INLINE_MAX]; /* that the reply's byte fields point to */
    struct names_task *next;
};

/* How a handler wants its operation run. */
struct names_plan {
    names_run_fn *run;
    names_done_fn *done; /* names_task_finish() answers with op->rc and rep */
    bool is_write;
    bool wants_sync;
    bool is_short;
};

/** Take a task for a request and submit it. */
void names_task_submit(struct srv_target *target, struct rpc_request *request,
                       const struct names_plan *plan);

/** Answer the task's request and give the task back. */
void names_task_finish(struct names_op *op);

/** Is it a retry, or can that not be told? Then op->rc is the end of it. */
bool names_task_is_decided(struct names_task *task, struct names *names);

/** The effect is in the transaction: see that its answer is too. */
void names_task_keep(struct names_task *task, struct names *names);

#endif
