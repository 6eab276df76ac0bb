/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling servers what will be read soon.
 *
 * The happy path: the runs are encoded, a message at a time, and each message
 * goes to all columns at once, which take from it what is theirs.
 *
 * Possible failure modes are: a server that is slow or gone: a plan is advice,
 * so it is not waited for longer than PLAN_WAIT_NS.
 */
#include "client/call.h"
#include "client/file.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PLAN_WAIT_NS (2 * NS_PER_SEC)

struct plan {
    struct capstan_file *file;
    struct cli_call *calls; /* one a column */
    unsigned ncalls;
    uint64_t deadline_ns;
    uint64_t bytes; /* that were taken */
    uint8_t runs[PROTO_RUNS_MAX];
};

static int take_bytes(void *ctx, const union proto_rep *rep)
{
    struct plan *plan = ctx;

    plan->bytes += rep->plan.bytes;
    return 0;
}

/* Encode runs from number *at on, as many as fit. @return their length. */
static uint32_t encode(struct plan *plan, const struct capstan_run *runs,
                       size_t nruns, size_t *at)
{
    struct proto_runs state = {0};
    uint8_t *end = plan->runs;

    for (; *at < nruns; ++*at) {
        struct run run = {.offset = runs[*at].offset,
                          .length = runs[*at].length,
                          .stride = runs[*at].count > 1 ? runs[*at].stride : 0,
                          .count = runs[*at].count};

        if (run.length == 0 || run.count == 0)
            continue;
        if (proto_run_encode(&state, &run, &end,
                             plan->runs + sizeof(plan->runs)) != 0)
            break;
    }
    return (uint32_t)(end - plan->runs);
}

static int send_all(struct plan *plan, uint32_t length)
{
    const struct inode *inode = &plan->file->inode;
    struct capstan_session *session = plan->file->session;
    struct cli_call *failed;
    int rc;

    for (unsigned i = 0; i < plan->ncalls; i++) {
        struct cli_call *call = &plan->calls[i];

        *call = (struct cli_call){.target = inode->layout.targets[i],
                                  .opcode = PROTO_OP_plan,
                                  .take = take_bytes,
                                  .take_ctx = plan};
        call->req.plan.ino = inode->ino;
        call->req.plan.stripe_size = inode->layout.stripe_size;
        call->req.plan.columns = inode->layout.width;
        call->req.plan.column = (uint16_t)i;
        call->req.plan.runs.data = plan->runs;
        call->req.plan.runs.len = length;
        cli_call_start(session, call, plan->deadline_ns);
    }
    rc = cli_calls_wait(session, plan->calls, plan->ncalls, plan->deadline_ns,
                        &failed);
    return rc == 0 ? 0 : cli_call_fail(session, failed, plan->file->path);
}

int capstan_file_plan(struct capstan_file *file, const struct capstan_run *runs,
                      size_t nruns, uint64_t *bytes_out)
{
    struct capstan_session *session = file->session;
    struct plan *plan;
    size_t at = 0;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (!(file->flags & CAPSTAN_OPEN_READ))
        return cli_fail(session, -EBADF, "plan to read %s: not opened for it",
                        file->path);
    plan = mem_calloc(1, sizeof(*plan));
    if (plan == NULL)
        return cli_fail(session, -ENOMEM, "plan to read %s", file->path);
    plan->file = file;
    plan->ncalls = layout_columns(&file->inode.layout);
    plan->deadline_ns = clock_now(session->clock) + PLAN_WAIT_NS;
    plan->calls = mem_calloc(plan->ncalls, sizeof(*plan->calls));
    if (plan->calls == NULL)
        rc = cli_fail(session, -ENOMEM, "plan to read %s", file->path);
    while (rc == 0 && at < nruns) {
        size_t first = at;
        uint32_t length = encode(plan, runs, nruns, &at);

        if (length > 0)
            rc = send_all(plan, length);
        else if (at == first)
            break; /* a run longer than any message: cannot be */
    }
    if (rc == 0)
        *bytes_out = plan->bytes;
    free(plan->calls);
    free(plan);
    return rc;
}
