/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RMDIR: a conversation between the owner of a directory's record and the
 * fan-out targets that hold its entries, as a table-driven state machine.
 *
 * The happy path, at the owner:
 *
 * 1. BEGIN writes a persistent intent next to the record.
 * 2. FREEZE asks every fan-out target to refuse new entries, which each does
 *    if it holds none; what this target holds itself it asks its own executor.
 * 3. COMMIT deletes record and intent and keeps the answer, in one transaction.
 *    The frozen marks stay behind as the directory's tombstones.
 *
 * Possible failure modes are:
 *
 * - A target holds entries, or does not answer in CALL_TIMEOUT_NS, or the
 *   commit fails: THAW asks every fan-out target to take entries again, and
 *   when all have done so, ABORT deletes the intent. The request is answered
 *   with the first cause; "busy, later" if that is a target's silence, since
 *   nothing has happened and the client may have more time than we had.
 *
 * - A target cannot be thawed now: the request is answered, and the removal
 *   WAITs and thaws again, until that target is back. Until then nobody else
 *   can begin to remove this directory ("busy, later").
 *
 * - This target dies anywhere before COMMIT: the intent is found at the next
 *   start and undone from THAW on (presumed abort). A retry of the request
 *   meanwhile is told "busy, later", and begins anew afterwards.
 *
 * - This target dies after COMMIT: the retry gets the answer that was kept.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/placement.h"
#include "server/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS NS_PER_SEC
#define RECOVER_MAX 32 /* intents looked at in one go */

enum rmdir_state {
    RMDIR_BEGIN,
    RMDIR_FREEZE,
    RMDIR_COMMIT,
    RMDIR_THAW,
    RMDIR_ABORT,
    RMDIR_WAIT,
    RMDIR_END,
};

struct rmdir_ask {
    struct names_op op; /* first; when it is this target that is asked */
    struct rpc_call call;
    struct rmdir_task *task;
    union {
        struct proto_req_freeze freeze;
        struct proto_req_thaw thaw;
    } req;
};

struct rmdir_task {
    struct names_op op; /* first */
    struct srv_target *target;
    struct rpc_request *request; /* NULL: answered, or found at the start */
    struct once_key key;
    enum rmdir_state state;
    uint64_t parent;
    char text[NAME_LEN_MAX];
    uint32_t text_len;
    uint64_t ino;
    bool is_active;
    bool is_recovered;
    bool is_repeat; /* recalled: done before */
    bool has_begun; /* the intent was written, durable or not */
    int step_rc;    /* of the state we are in: the first failure */
    int rc;         /* of the whole */
    unsigned waiting;
    uint64_t again_ns;
    struct rmdir_ask asks[FANOUT_MAX];
    struct rmdir_task *next;
};

/* The intents found at the start, copied on the names thread. */
struct rmdir_recovery {
    struct names_op op; /* first */
    struct srv_target *target;
    bool is_running;
    unsigned n;
    struct {
        uint64_t parent, ino;
        char text[NAME_LEN_MAX];
        uint32_t text_len;
    } found[RECOVER_MAX];
};

struct rmdirs {
    struct rmdir_recovery recovery;
    struct rmdir_task tasks[];
};

typedef void enter_fn(struct rmdir_task *task);

static enter_fn enter_begin, enter_freeze, enter_commit, enter_thaw,
    enter_abort, enter_wait, enter_end;

static const struct {
    enter_fn *enter;
    enum rmdir_state on_success, on_failure;
} table[] = {
    [RMDIR_BEGIN] = {enter_begin, RMDIR_FREEZE, RMDIR_END},
    [RMDIR_FREEZE] = {enter_freeze, RMDIR_COMMIT, RMDIR_THAW},
    [RMDIR_COMMIT] = {enter_commit, RMDIR_END, RMDIR_THAW},
    [RMDIR_THAW] = {enter_thaw, RMDIR_ABORT, RMDIR_WAIT},
    [RMDIR_ABORT] = {enter_abort, RMDIR_END, RMDIR_WAIT},
    [RMDIR_WAIT] = {enter_wait, RMDIR_THAW, RMDIR_THAW},
    [RMDIR_END] = {enter_end, RMDIR_END, RMDIR_END},
};

static void enter(struct rmdir_task *task, enum rmdir_state state)
{
    task->state = state;
    task->step_rc = 0;
    table[state].enter(task);
}

static enum rmdir_state next_state(const struct rmdir_task *task)
{
    if (task->state == RMDIR_BEGIN && task->is_repeat)
        return RMDIR_END;
    if (task->state == RMDIR_BEGIN && task->step_rc != 0 && task->has_begun)
        return RMDIR_ABORT;
    return task->step_rc == 0 ? table[task->state].on_success
                              : table[task->state].on_failure;
}

/* The current state is over: where to? */
static void leave(struct rmdir_task *task)
{
    if (task->target->is_closing)
        return;
    if (task->rc == 0)
        task->rc = task->step_rc;
    enter(task, next_state(task));
}

static struct name name_of_task(const struct rmdir_task *task)
{
    return (struct name){task->parent, task->text, task->text_len};
}

/*
 * States of one operation at this target.
 */

static void step_done(struct names_op *op)
{
    struct rmdir_task *task = (struct rmdir_task *)op;

    task->step_rc = op->rc;
    leave(task);
}

static void submit_step(struct rmdir_task *task, names_run_fn *run,
                        bool wants_sync)
{
    task->op.run = run;
    task->op.done = step_done;
    task->op.is_write = true;
    task->op.wants_sync = wants_sync;
    names_exec_submit(task->target->exec, &task->op);
}

static void run_begin(struct names_op *op, struct names *names)
{
    struct rmdir_task *task = (struct rmdir_task *)op;
    struct name name = name_of_task(task);
    union proto_rep rep;
    struct inode inode;

    op->rc = once_recall(names, &task->key, &rep);
    task->is_repeat = op->rc == 0;
    if (task->is_repeat)
        task->ino = rep.rmdir.ino;
    if (op->rc != -ENOENT)
        return;
    op->rc = names_rmdir_begin(names, &name, &inode);
    task->has_begun = op->rc == 0;
    if (op->rc == 0)
        task->ino = inode.ino;
}

/* Durable, lest power fails and frozen marks outlive their intent. */

static void enter_begin(struct rmdir_task *task)
{
    submit_step(task, run_begin, true);
}

static void run_commit(struct names_op *op, struct names *names)
{
    struct rmdir_task *task = (struct rmdir_task *)op;
    struct name name = name_of_task(task);
    union proto_rep rep = {.rmdir = {task->ino}};

    op->rc = names_rmdir_commit(names, &name);
    if (op->rc != 0)
        return;
    op->rc = once_keep(task->target->once, names, &task->key, &rep);
    op->is_broken = op->rc != 0;
}

static void enter_commit(struct rmdir_task *task)
{
    submit_step(task, run_commit, false);
}

static void run_abort(struct names_op *op, struct names *names)
{
    struct name name = name_of_task((struct rmdir_task *)op);

    op->rc = names_rmdir_abort(names, &name);
    if (op->rc == -ENOENT)
        op->rc = 0; /* gone before we were */
}

static void enter_abort(struct rmdir_task *task)
{
    submit_step(task, run_abort, false);
}

/*
 * States that ask every fan-out target.
 */

static void answered(struct rmdir_task *task, int rc)
{
    if (task->step_rc == 0)
        task->step_rc = rc;
    if (--task->waiting == 0)
        leave(task);
}

static void ask_op_done(struct names_op *op)
{
    answered(((struct rmdir_ask *)op)->task, op->rc);
}

static void ask_call_done(struct rpc_call *call, int rc,
                          const union proto_rep *rep)
{
    (void)rep;
    answered(call->ctx, rc);
}

static void run_freeze(struct names_op *op, struct names *names)
{
    op->rc = names_freeze(names, ((struct rmdir_ask *)op)->req.freeze.dir);
}

static void run_thaw(struct names_op *op, struct names *names)
{
    op->rc = names_thaw(names, ((struct rmdir_ask *)op)->req.thaw.dir);
}

static void ask_here(struct srv_target *target, struct rmdir_ask *ask,
                     names_run_fn *run)
{
    ask->op.run = run;
    ask->op.done = ask_op_done;
    ask->op.is_write = true;
    ask->op.wants_sync = true;
    names_exec_submit(target->exec, &ask->op);
}

static void ask_there(struct srv_target *target, struct rmdir_ask *ask,
                      uint16_t id, uint16_t opcode)
{
    ask->call = (struct rpc_call){
        .target = id,
        .opcode = opcode,
        .req = (const union proto_req *)&ask->req,
        .deadline_ns = clock_now(target->clock) + CALL_TIMEOUT_NS,
        .done = ask_call_done,
        .ctx = ask->task,
    };
    rpc_call_start(target->rpc, &ask->call);
}

static void ask_all(struct rmdir_task *task, uint16_t opcode,
                    names_run_fn *run)
{
    struct srv_target *target = task->target;
    uint16_t fanout[FANOUT_MAX];
    unsigned i, n;

    n = placement_fanout(task->ino, target->cluster->target_ids,
                         target->cluster->ntargets, fanout);
    task->waiting = n;
    for (i = 0; i < n; i++) {
        task->asks[i].task = task;
        if (opcode == PROTO_OP_freeze)
            task->asks[i].req.freeze.dir = task->ino;
        else
            task->asks[i].req.thaw.dir = task->ino;
        if (fanout[i] == target->config.target)
            ask_here(target, &task->asks[i], run);
        else
            ask_there(target, &task->asks[i], fanout[i], opcode);
    }
}

static void enter_freeze(struct rmdir_task *task)
{
    ask_all(task, PROTO_OP_freeze, run_freeze);
}

static void enter_thaw(struct rmdir_task *task)
{
    ask_all(task, PROTO_OP_thaw, run_thaw);
}

/*
 * The others.
 */

static void answer(struct rmdir_task *task)
{
    union proto_rep rep = {.rmdir = {task->ino}};
    int rc = task->rc == -ETIMEDOUT ? -ERR_BUSY : task->rc;

    if (task->request != NULL)
        rpc_reply(task->request, rc, &rep, NULL);
    task->request = NULL;
}

static void enter_wait(struct rmdir_task *task)
{
    answer(task);
    task->again_ns = clock_now(task->target->clock) + RETRY_NS;
}

static void enter_end(struct rmdir_task *task)
{
    struct srv_target *target = task->target;

    answer(task);
    task->is_active = false;
    task->next = target->rmdirs_free;
    target->rmdirs_free = task;
    if (task->is_recovered)
        rmdirs_recover(target);
}

static struct rmdir_task *task_take(struct srv_target *target, uint64_t parent,
                                    const void *text, uint32_t text_len)
{
    struct rmdir_task *task = target->rmdirs_free;

    target->rmdirs_free = task->next;
    *task = (struct rmdir_task){
        .target = target,
        .parent = parent,
        .text_len = text_len,
        .is_active = true,
    };
    memcpy(task->text, text, text_len);
    return task;
}

void op_rmdir(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_rmdir *req = &request->body.rmdir;
    struct name name = name_of(req->parent, &req->text);
    struct rmdir_task *task;
    int rc = names_check(&name);

    if (rc == 0 && !owns_name(target, req->parent, &req->text))
        rc = -ESTALE;
    if (rc == 0 && target->rmdirs_free == NULL)
        rc = -ERR_BUSY;
    if (rc != 0) {
        rpc_reply(request, rc, NULL, NULL);
        return;
    }
    srv_count(target, COUNTER_names_ops, 1);
    task = task_take(target, req->parent, req->text.data, req->text.len);
    task->request = request;
    task->key = (struct once_key){request->client, request->number,
                                  request->floor, request->opcode};
    enter(task, RMDIR_BEGIN);
}

/*
 * After a restart.
 */

static bool note_intent(void *ctx, const struct name *name, uint64_t ino)
{
    struct rmdir_recovery *recovery = ctx;

    if (recovery->n == RECOVER_MAX)
        return false;
    recovery->found[recovery->n].parent = name->parent;
    recovery->found[recovery->n].ino = ino;
    recovery->found[recovery->n].text_len = (uint32_t)name->len;
    memcpy(recovery->found[recovery->n].text, name->text, name->len);
    recovery->n++;
    return true;
}

static void run_recovery(struct names_op *op, struct names *names)
{
    struct rmdir_recovery *recovery = (struct rmdir_recovery *)op;

    recovery->n = 0;
    op->rc = names_intents(names, note_intent, recovery);
}

static bool is_known(const struct srv_target *target, uint64_t ino)
{
    unsigned i;

    for (i = 0; i < target->config.limits.rmdirs_max; i++)
        if (target->rmdirs->tasks[i].is_active &&
            target->rmdirs->tasks[i].ino == ino)
            return true;
    return false;
}

static void recovery_done(struct names_op *op)
{
    struct rmdir_recovery *recovery = (struct rmdir_recovery *)op;
    struct srv_target *target = recovery->target;
    struct rmdir_task *task;
    unsigned i;

    recovery->is_running = false;
    for (i = 0; op->rc == 0 && i < recovery->n; i++) {
        if (target->is_closing || target->rmdirs_free == NULL ||
            is_known(target, recovery->found[i].ino))
            continue;
        task = task_take(target, recovery->found[i].parent,
                         recovery->found[i].text,
                         recovery->found[i].text_len);
        task->ino = recovery->found[i].ino;
        task->is_recovered = true;
        enter(task, RMDIR_THAW);
    }
}

void rmdirs_recover(struct srv_target *target)
{
    struct rmdir_recovery *recovery = &target->rmdirs->recovery;

    if (recovery->is_running)
        return;
    recovery->is_running = true;
    recovery->target = target;
    recovery->op = (struct names_op){.run = run_recovery,
                                     .done = recovery_done};
    names_exec_submit(target->exec, &recovery->op);
}

int rmdirs_init(struct srv_target *target)
{
    unsigned i, n = target->config.limits.rmdirs_max;

    target->rmdirs = mem_calloc(1, sizeof(*target->rmdirs) +
                                       n * sizeof(target->rmdirs->tasks[0]));
    if (target->rmdirs == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        target->rmdirs->tasks[i].next = target->rmdirs_free;
        target->rmdirs_free = &target->rmdirs->tasks[i];
    }
    return 0;
}

void rmdirs_fini(struct srv_target *target)
{
    free(target->rmdirs);
}

int rmdirs_poll(struct srv_target *target, uint64_t now)
{
    struct rmdir_task *task;
    unsigned i;
    int n = 0;

    for (i = 0; i < target->config.limits.rmdirs_max; i++) {
        task = &target->rmdirs->tasks[i];
        if (!task->is_active || task->state != RMDIR_WAIT ||
            task->again_ns > now)
            continue;
        leave(task);
        n++;
    }
    return n;
}

uint64_t rmdirs_next_timer(const struct srv_target *target)
{
    const struct rmdir_task *task;
    uint64_t next = UINT64_MAX;
    unsigned i;

    for (i = 0; i < target->config.limits.rmdirs_max; i++) {
        task = &target->rmdirs->tasks[i];
        if (task->is_active && task->state == RMDIR_WAIT &&
            task->again_ns < next)
            next = task->again_ns;
    }
    return next;
}
