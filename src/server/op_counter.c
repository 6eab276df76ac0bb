/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of open files: counter_step, counter_drop.
 *
 * The happy path: the step is one operation in the metadata executor, with its
 * answer in the same transaction, so that a retry, also one that comes after a
 * restart, does not add twice.
 *
 * Possible failure modes are those of names_counter_step().
 */
#include "base/clock.h"
#include "server/names_task.h"

static void run_step(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_counter_step *req =
        &task->request->body.counter_step;
    struct names_counter_step step = {
        .ino = req->ino,
        .handle = req->handle,
        .generation = req->generation,
        .start = (int64_t)req->start,
        .value = (int64_t)req->value,
        .is_set = req->is_set != 0,
        .age_ns = req->age_ns,
        .now_ns = clock_wall(task->target->clock),
    };
    int64_t before = 0;

    if (names_task_is_decided(task, names))
        return;
    op->rc = names_counter_step(names, &step, &before);
    task->rep.counter_step.before = (uint64_t)before;
    if (op->rc == 0)
        names_task_keep(task, names);
}

void op_counter_step(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_step, .done = names_task_finish, .is_write = true};

    names_task_submit(target, request, &plan);
}

static void run_drop(struct names_op *op, struct names *names)
{
    const struct names_task *task = (struct names_task *)op;
    const struct proto_req_counter_drop *req =
        &task->request->body.counter_drop;

    op->rc = names_counter_drop(names, req->ino, req->handle);
}

void op_counter_drop(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_drop, .done = names_task_finish, .is_write = true};

    names_task_submit(target, request, &plan);
}
