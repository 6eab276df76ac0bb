/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UNLINK, RMDIR, LINK and RENAME: changes of names that may concern several
 * targets, led by the target that owns the name which comes or goes, as a
 * table-driven state machine.
 *
 * The happy path. When all that the change concerns is kept here it is done in
 * one transaction (change_begin.c), and that is the end of it. Else:
 *
 * 1. BEGIN keeps an intent and locks the name; KEEP makes that durable.
 * 2. LOCK and WALK, only when a directory gets another parent: one such change
 *    at a time in the whole cluster, by a lock at the root's home; then the
 *    parents are walked up, lest a directory come to lie in itself.
 * 3. PREPARE: the old name is locked at its owner; a directory that goes is
 *    frozen, if empty, on the targets that hold its entries; a link is counted
 *    at the inode's home.
 * 4. COMMIT: the name comes or goes, and the intent says so, with the answer;
 *    SYNC makes that durable.
 * 5. SETTLE: the old name goes; inodes learn of their names. UNLOCK.
 * 6. FORGET the intent, and the name is free. The request is answered.
 *
 * Possible failure modes are:
 *
 * - Something refuses, or does not answer in CALL_TIMEOUT_NS, before COMMIT:
 *   ABORT undoes every part; then the intent is forgotten. The request is
 *   answered with the first cause; "busy, later" if that is a target's silence,
 *   since nothing has happened and the client may have more time than we had.
 *
 * - A part cannot be settled, or undone, now: the request is answered all the
 *   same, and the change WAITs and tries again until that target is back. The
 *   names stay locked until then.
 *
 * - This target dies: the intent is found at the next start. Committed, it is
 *   settled; not committed, it is undone (presumed abort). A retry of the
 *   request meanwhile finds the answer that was kept, or a locked name: "busy,
 *   later".
 *
 * - Power is lost anywhere: what others rely on is durable before they are
 *   told: the intent before PREPARE, locks and marks before they are
 *   acknowledged, the commit before SETTLE.
 */
#include "base/err.h"
#include "base/mem.h"
#include "server/change.h"
#include "server/holds.h"
#include "server/reaper.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_NS NS_PER_SEC
#define RECOVER_MAX 32 /* intents looked at in one go */

/* The intents found at the start, copied on the names thread. */
struct recovery {
    struct names_op op; /* first */
    struct srv_target *target;
    bool is_running;
    unsigned n;
    uint64_t floor;
    struct {
        struct names_intent intent;
        char texts[2][NAME_LEN_MAX];
    } found[RECOVER_MAX];
};

struct changes {
    struct recovery recovery;
    struct change_task tasks[];
};

typedef void enter_fn(struct change_task *task);

static enter_fn enter_begin, enter_sync, enter_commit, enter_forget, enter_wait,
    enter_end;

static const struct {
    enter_fn *enter;
    enum change_state on_success, on_failure;
} table[] = {
    [CHANGE_BEGIN] = {enter_begin, CHANGE_KEEP, CHANGE_END},
    [CHANGE_KEEP] = {enter_sync, CHANGE_LOCK, CHANGE_FORGET},
    [CHANGE_LOCK] = {change_enter_lock, CHANGE_WALK, CHANGE_ABORT},
    [CHANGE_WALK] = {change_enter_walk, CHANGE_PREPARE, CHANGE_ABORT},
    [CHANGE_PREPARE] = {change_enter_prepare, CHANGE_COMMIT, CHANGE_ABORT},
    [CHANGE_COMMIT] = {enter_commit, CHANGE_SYNC, CHANGE_ABORT},
    [CHANGE_SYNC] = {enter_sync, CHANGE_SETTLE, CHANGE_WAIT},
    [CHANGE_SETTLE] = {change_enter_settle, CHANGE_UNLOCK, CHANGE_WAIT},
    [CHANGE_UNLOCK] = {change_enter_unlock, CHANGE_FORGET, CHANGE_WAIT},
    [CHANGE_ABORT] = {change_enter_abort, CHANGE_FORGET, CHANGE_WAIT},
    [CHANGE_FORGET] = {enter_forget, CHANGE_END, CHANGE_WAIT},
    [CHANGE_WAIT] = {enter_wait, CHANGE_ABORT, CHANGE_ABORT},
    [CHANGE_END] = {enter_end, CHANGE_END, CHANGE_END},
};

bool change_is_committed(const struct change_task *task)
{
    return (task->intent.flags & NAMES_IS_COMMITTED) != 0;
}

static void enter(struct change_task *task, enum change_state state)
{
    task->state = state;
    task->step_rc = 0;
    table[state].enter(task);
}

static enum change_state next_state(const struct change_task *task)
{
    if (task->state == CHANGE_BEGIN && task->is_over)
        return CHANGE_END;
    if ((task->state == CHANGE_KEEP || task->state == CHANGE_WAIT) &&
        change_is_committed(task))
        return CHANGE_SYNC;
    return task->step_rc == 0 ? table[task->state].on_success
                              : table[task->state].on_failure;
}

/* The current state is over: where to? What fails when it is committed is tried
 * again, and no matter of the client's. */
void change_leave(struct change_task *task)
{
    if (task->target->is_closing)
        return;
    if (task->rc == 0 && !change_is_committed(task))
        task->rc = task->step_rc;
    enter(task, next_state(task));
}

/*
 * States of one operation at this target.
 */

static void step_done(struct names_op *op)
{
    struct change_task *task = (struct change_task *)op;

    task->step_rc = op->rc;
    change_leave(task);
}

/* To see that a directory is empty may take long: many have been removed. */
static void submit_step(struct change_task *task, names_run_fn *run,
                        names_done_fn *done, bool is_sync)
{
    task->op.run = run;
    task->op.done = done;
    task->op.is_write = !is_sync;
    task->op.wants_sync = is_sync;
    task->op.is_short = task->intent.kind != NAMES_RMDIR;
    names_exec_submit(task->target->exec, &task->op);
}

static void run_begin(struct names_op *op, struct names *names)
{
    struct change_task *task = (struct change_task *)op;

    op->rc = once_recall(names, &task->key, &task->rep);
    task->is_over = op->rc == 0;
    if (op->rc == -ENOENT)
        op->rc = change_begin(task, names);
}

/* What the transaction did, it did not when it failed. */
static void begun(struct names_op *op)
{
    struct change_task *task = (struct change_task *)op;

    if (op->rc != 0) {
        task->is_over = true;
        task->orphan = 0;
        task->intent.flags &= ~(unsigned)NAMES_IS_COMMITTED;
    }
    step_done(op);
}

static void enter_begin(struct change_task *task)
{
    submit_step(task, run_begin, begun, false);
}

static void run_nothing(struct names_op *op, struct names *names)
{
    (void)names;
    op->rc = 0;
}

static void enter_sync(struct change_task *task)
{
    submit_step(task, run_nothing, step_done, true);
}

static void run_commit(struct names_op *op, struct names *names)
{
    struct change_task *task = (struct change_task *)op;

    op->rc = change_commit(task, names);
    if (op->rc != 0)
        return;
    task->intent.flags |= NAMES_IS_COMMITTED;
    op->rc = names_intent_put(names, &task->intent);
    if (op->rc == 0)
        op->rc = once_keep(task->target->once, names, &task->key, &task->rep);
    op->is_broken = op->rc != 0;
}

static void committed(struct names_op *op)
{
    struct change_task *task = (struct change_task *)op;

    if (op->rc != 0)
        task->intent.flags &= ~(unsigned)NAMES_IS_COMMITTED;
    step_done(op);
}

static void enter_commit(struct change_task *task)
{
    submit_step(task, run_commit, committed, false);
}

static void run_forget(struct names_op *op, struct names *names)
{
    op->rc = names_intent_end(names, &((struct change_task *)op)->intent);
}

static void enter_forget(struct change_task *task)
{
    submit_step(task, run_forget, step_done, false);
}

/*
 * The others.
 */

static void answer(struct change_task *task)
{
    int rc = task->rc == -ETIMEDOUT ? -ERR_BUSY : task->rc;

    if (task->request != NULL)
        rpc_reply(task->request, rc, &task->rep, NULL);
    task->request = NULL;
}

static void enter_wait(struct change_task *task)
{
    answer(task);
    task->target->nwaiting++;
    task->again_ns = clock_now(task->target->clock) + RETRY_NS;
}

/* A file lost its last name here, in one transaction. */
static void note_orphan(struct change_task *task)
{
    struct srv_target *target = task->target;

    if (task->orphan == 0)
        return;
    if (task->intent.flags & NAMES_IS_HELD)
        holds_add(target->holds, task->orphan, task->intent.holder,
                  clock_now(target->clock));
    reaper_kick(target->reaper);
}

static void enter_end(struct change_task *task)
{
    struct srv_target *target = task->target;

    note_orphan(task);
    answer(task);
    task->is_active = false;
    task->next = target->changes_free;
    target->changes_free = task;
    if (task->is_recovered)
        changes_recover(target);
}

static void set_name(struct name *name, char *text, const struct name *from)
{
    memcpy(text, from->text, from->len);
    *name = (struct name){from->parent, text, from->len};
}

static struct change_task *task_take(struct srv_target *target,
                                     const struct names_intent *intent)
{
    struct change_task *task = target->changes_free;

    target->changes_free = task->next;
    memset(task, 0, offsetof(struct change_task, asks));
    task->target = target;
    task->is_active = true;
    task->intent = *intent;
    set_name(&task->intent.name, task->texts[0], &intent->name);
    if (intent->from.len > 0)
        set_name(&task->intent.from, task->texts[1], &intent->from);
    return task;
}

static bool has_home(const struct srv_target *target, uint64_t ino)
{
    return cluster_target(target->cluster,
                          ino_home(ino, target->cluster->target_ids)) != NULL;
}

/* Judge the names, take a task, begin. */
static void start(struct srv_target *target, struct rpc_request *request,
                  struct names_intent *intent, unsigned rename_flags)
{
    struct change_task *task;
    int rc = names_check(&intent->name);

    if (rc == 0 && intent->kind == NAMES_RENAME)
        rc = names_check(&intent->from);
    if (rc == 0 && change_owner(target, &intent->name) != target->config.target)
        rc = -ESTALE;
    if (rc == 0 && intent->ino != 0 && !has_home(target, intent->ino))
        rc = -ESTALE;
    if (rc == 0 && target->changes_free == NULL)
        rc = -ERR_BUSY;
    if (rc != 0) {
        rpc_reply(request, rc, NULL, NULL);
        return;
    }
    srv_count(target, COUNTER_names_ops, 1);
    intent->now_ns = clock_wall(target->clock);
    intent->holder = request->client;
    task = task_take(target, intent);
    task->request = request;
    task->rename_flags = rename_flags;
    task->key = (struct once_key){request->client, request->number,
                                  request->floor, request->opcode};
    enter(task, CHANGE_BEGIN);
}

void op_unlink(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_unlink *req = &request->body.unlink;
    struct names_intent intent = {
        .kind = NAMES_UNLINK,
        .flags = req->is_held ? NAMES_IS_HELD : 0,
        .name = name_of(req->parent, &req->text),
    };

    start(target, request, &intent, 0);
}

void op_rmdir(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_rmdir *req = &request->body.rmdir;
    struct names_intent intent = {
        .kind = NAMES_RMDIR,
        .name = name_of(req->parent, &req->text),
    };

    start(target, request, &intent, 0);
}

void op_link(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_link *req = &request->body.link;
    struct names_intent intent = {
        .kind = NAMES_LINK,
        .name = name_of(req->parent, &req->text),
        .ino = req->ino,
        .type = req->type,
    };

    if (req->type == INODE_DIR || req->type < INODE_FILE ||
        req->type > INODE_TYPE_MAX)
        rpc_reply(request, req->type == INODE_DIR ? -EPERM : -EINVAL, NULL,
                  NULL);
    else
        start(target, request, &intent, 0);
}

void op_rename(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_rename *req = &request->body.rename;
    struct names_intent intent = {
        .kind = NAMES_RENAME,
        .flags = req->is_held ? NAMES_IS_HELD : 0,
        .name = name_of(req->parent, &req->text),
        .from = name_of(req->from_parent, &req->from_text),
        .ino = req->ino,
        .type = req->type,
    };

    if (req->type < INODE_FILE || req->type > INODE_TYPE_MAX ||
        req->flags > 2)
        rpc_reply(request, -EINVAL, NULL, NULL);
    else
        start(target, request, &intent, req->flags);
}

/*
 * After a restart.
 */

static bool note_intent(void *ctx, const struct names_intent *intent)
{
    struct recovery *recovery = ctx;
    unsigned n = recovery->n;

    if (n == RECOVER_MAX)
        return false;
    if (n == 0)
        recovery->floor = intent->id;
    recovery->found[n].intent = *intent;
    memcpy(recovery->found[n].texts[0], intent->name.text, intent->name.len);
    memcpy(recovery->found[n].texts[1], intent->from.text, intent->from.len);
    recovery->found[n].intent.name.text = recovery->found[n].texts[0];
    recovery->found[n].intent.from.text = recovery->found[n].texts[1];
    recovery->n++;
    return true;
}

static void run_recovery(struct names_op *op, struct names *names)
{
    struct recovery *recovery = (struct recovery *)op;

    recovery->n = 0;
    op->rc = names_intents(names, note_intent, recovery);
}

static bool is_known(const struct srv_target *target, uint64_t id)
{
    for (unsigned i = 0; i < target->config.limits.requests_max; i++)
        if (target->changes->tasks[i].is_active &&
            target->changes->tasks[i].intent.id == id)
            return true;
    return false;
}

static void recovery_done(struct names_op *op)
{
    struct recovery *recovery = (struct recovery *)op;
    struct srv_target *target = recovery->target;
    struct change_task *task;
    unsigned i;

    recovery->is_running = false;
    for (i = 0; op->rc == 0 && i < recovery->n; i++) {
        if (target->is_closing || target->changes_free == NULL ||
            is_known(target, recovery->found[i].intent.id))
            continue;
        task = task_take(target, &recovery->found[i].intent);
        task->floor = recovery->floor;
        task->is_recovered = true;
        enter(task, change_is_committed(task) ? CHANGE_SYNC : CHANGE_ABORT);
    }
}

void changes_recover(struct srv_target *target)
{
    struct recovery *recovery = &target->changes->recovery;

    if (recovery->is_running)
        return;
    recovery->is_running = true;
    recovery->target = target;
    recovery->op =
        (struct names_op){.run = run_recovery, .done = recovery_done};
    names_exec_submit(target->exec, &recovery->op);
}

int changes_init(struct srv_target *target)
{
    unsigned i, n = target->config.limits.requests_max;

    target->changes = mem_calloc(1, sizeof(*target->changes) +
                                        n * sizeof(target->changes->tasks[0]));
    if (target->changes == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        target->changes->tasks[i].next = target->changes_free;
        target->changes_free = &target->changes->tasks[i];
    }
    return 0;
}

void changes_fini(struct srv_target *target)
{
    free(target->changes);
}

int changes_poll(struct srv_target *target, uint64_t now)
{
    struct change_task *task;
    int n = 0;

    if (target->nwaiting == 0)
        return 0;
    for (unsigned i = 0; i < target->config.limits.requests_max; i++) {
        task = &target->changes->tasks[i];
        if (!task->is_active || task->state != CHANGE_WAIT ||
            task->again_ns > now)
            continue;
        target->nwaiting--;
        change_leave(task);
        n++;
    }
    return n;
}

uint64_t changes_next_timer(const struct srv_target *target)
{
    const struct change_task *task;
    uint64_t next = UINT64_MAX;

    if (target->nwaiting == 0)
        return next;
    for (unsigned i = 0; i < target->config.limits.requests_max; i++) {
        task = &target->changes->tasks[i];
        if (task->is_active && task->state == CHANGE_WAIT &&
            task->again_ns < next)
            next = task->again_ns;
    }
    return next;
}
