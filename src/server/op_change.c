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
#define RECOVER_MAX 32         /* intents looked at in one go */
#define WALK_MAX PATH_LEN_MAX  /* directories on the way up */

/* The name at the root's home that is locked while a directory moves. */
#define MOVES_PARENT 0
#define MOVES_TEXT "directories"

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

static enter_fn enter_begin, enter_sync, enter_lock, enter_walk, enter_prepare,
    enter_commit, enter_settle, enter_unlock, enter_abort, enter_forget,
    enter_wait, enter_end;

static const struct {
    enter_fn *enter;
    enum change_state on_success, on_failure;
} table[] = {
    [CHANGE_BEGIN] = {enter_begin, CHANGE_KEEP, CHANGE_END},
    [CHANGE_KEEP] = {enter_sync, CHANGE_LOCK, CHANGE_FORGET},
    [CHANGE_LOCK] = {enter_lock, CHANGE_WALK, CHANGE_ABORT},
    [CHANGE_WALK] = {enter_walk, CHANGE_PREPARE, CHANGE_ABORT},
    [CHANGE_PREPARE] = {enter_prepare, CHANGE_COMMIT, CHANGE_ABORT},
    [CHANGE_COMMIT] = {enter_commit, CHANGE_SYNC, CHANGE_ABORT},
    [CHANGE_SYNC] = {enter_sync, CHANGE_SETTLE, CHANGE_WAIT},
    [CHANGE_SETTLE] = {enter_settle, CHANGE_UNLOCK, CHANGE_WAIT},
    [CHANGE_UNLOCK] = {enter_unlock, CHANGE_FORGET, CHANGE_WAIT},
    [CHANGE_ABORT] = {enter_abort, CHANGE_FORGET, CHANGE_WAIT},
    [CHANGE_FORGET] = {enter_forget, CHANGE_END, CHANGE_WAIT},
    [CHANGE_WAIT] = {enter_wait, CHANGE_ABORT, CHANGE_ABORT},
    [CHANGE_END] = {enter_end, CHANGE_END, CHANGE_END},
};

static bool is_committed(const struct change_task *task)
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
        is_committed(task))
        return CHANGE_SYNC;
    return task->step_rc == 0 ? table[task->state].on_success
                              : table[task->state].on_failure;
}

/* The current state is over: where to? What fails when it is committed is tried
 * again, and no matter of the client's. */
static void leave(struct change_task *task)
{
    if (task->target->is_closing)
        return;
    if (task->rc == 0 && !is_committed(task))
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
    leave(task);
}

static void submit_step(struct change_task *task, names_run_fn *run,
                        names_done_fn *done, bool is_sync)
{
    task->op.run = run;
    task->op.done = done;
    task->op.is_write = !is_sync;
    task->op.wants_sync = is_sync;
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
 * Asking parts.
 */

static void answered(struct change_task *task, int rc)
{
    if (task->step_rc == 0)
        task->step_rc = rc;
    if (--task->waiting == 0)
        leave(task);
}

static void run_ask(struct names_op *op, struct names *names)
{
    struct change_ask *ask = (struct change_ask *)op;
    const union proto_req *req = (const union proto_req *)&ask->req;

    if (ask->opcode == PROTO_OP_getattr)
        op->rc = names_inode_get(names, req->getattr.ino, &ask->inode);
    else
        op->rc = change_part(names, ask->opcode, req);
}

static void ask_op_done(struct names_op *op)
{
    struct change_ask *ask = (struct change_ask *)op;

    if (op->rc == 0 && !ask->task->target->is_closing)
        change_part_done(ask->task->target, ask->opcode,
                         (const union proto_req *)&ask->req);
    answered(ask->task, op->rc);
}

static void ask_call_done(struct rpc_call *call, int rc,
                          const union proto_rep *rep)
{
    struct change_ask *ask = call->ctx;

    if (rc == 0 && ask->opcode == PROTO_OP_getattr)
        ask->inode = rep->getattr.inode;
    answered(ask->task, rc);
}

static void ask_here(struct change_ask *ask)
{
    bool is_look = ask->opcode == PROTO_OP_getattr;

    ask->op = (struct names_op){.run = run_ask,
                                .done = ask_op_done,
                                .is_write = !is_look,
                                .wants_sync = !is_look};
    names_exec_submit(ask->task->target->exec, &ask->op);
}

static void ask_there(struct change_ask *ask, uint16_t id)
{
    struct srv_target *target = ask->task->target;

    ask->call = (struct rpc_call){
        .target = id,
        .opcode = ask->opcode,
        .req = (const union proto_req *)&ask->req,
        .deadline_ns = clock_now(target->clock) + CALL_TIMEOUT_NS,
        .done = ask_call_done,
        .ctx = ask,
    };
    rpc_call_start(target->rpc, &ask->call);
}

/* The next free ask of a state; send() it when its request is filled. */
static struct change_ask *new_ask(struct change_task *task, uint16_t opcode)
{
    struct change_ask *ask = &task->asks[task->waiting++];

    ask->task = task;
    ask->opcode = opcode;
    memset(&ask->req, 0, sizeof(ask->req));
    return ask;
}

static void run_nobody(struct names_op *op, struct names *names)
{
    (void)names;
    op->rc = -ESTALE;
}

/* A number that no target has issued has no home. */
static void ask_nobody(struct change_ask *ask)
{
    ask->op = (struct names_op){.run = run_nobody, .done = ask_op_done};
    names_exec_submit(ask->task->target->exec, &ask->op);
}

static void send(struct change_ask *ask, uint16_t id)
{
    struct srv_target *target = ask->task->target;

    if (id == target->config.target)
        ask_here(ask);
    else if (cluster_target(target->cluster, id) != NULL)
        ask_there(ask, id);
    else
        ask_nobody(ask);
}

/* A state collects its asks between these two, so that answers which come at
 * once do not end it early, and so that it may have none. */
static void asks_begin(struct change_task *task)
{
    task->waiting = 0;
}

static void asks_end(struct change_task *task)
{
    unsigned i, n = task->waiting;
    uint16_t ids[CHANGE_ASKS_MAX];

    if (n == 0) {
        leave(task);
        return;
    }
    for (i = 0; i < n; i++)
        ids[i] = task->asks[i].call.target;
    for (i = 0; i < n; i++)
        send(&task->asks[i], ids[i]);
}

static void address(struct change_ask *ask, uint16_t id)
{
    ask->call.target = id;
}

static struct proto_bytes bytes_of(const struct name *name)
{
    return (struct proto_bytes){(const uint8_t *)name->text,
                                (uint32_t)name->len};
}

static const struct name moves_name = {MOVES_PARENT, MOVES_TEXT,
                                       sizeof(MOVES_TEXT) - 1};

static uint16_t owner_of(const struct change_task *task,
                         const struct name *name)
{
    return name->parent == MOVES_PARENT ? task->target->cluster->target_ids[0]
                                        : change_owner(task->target, name);
}

static void ask_lock(struct change_task *task, const struct name *name,
                     uint64_t ino)
{
    struct change_ask *ask = new_ask(task, PROTO_OP_entry_lock);

    ask->req.entry_lock = (struct proto_req_entry_lock){
        name->parent, bytes_of(name), ino, task->intent.id};
    address(ask, owner_of(task, name));
}

static void ask_settle(struct change_task *task, const struct name *name)
{
    const struct names_intent *intent = &task->intent;
    bool is_exchange = (intent->flags & NAMES_IS_EXCHANGE) != 0;
    struct change_ask *ask = new_ask(task, PROTO_OP_entry_settle);

    ask->req.entry_settle = (struct proto_req_entry_settle){
        .parent = name->parent,
        .text = bytes_of(name),
        .id = intent->id,
        .is_committed = is_committed(task) && name->parent != MOVES_PARENT,
        .ino = is_exchange ? intent->victim : 0,
        .type = is_exchange ? (uint8_t)intent->victim_type : 0,
        .now_ns = intent->now_ns,
    };
    address(ask, owner_of(task, name));
}

static void ask_inode(struct change_task *task, uint64_t ino,
                      enum names_settle what, uint64_t parent)
{
    const struct names_intent *intent = &task->intent;
    struct change_ask *ask = new_ask(task, PROTO_OP_inode_settle);

    ask->req.inode_settle = (struct proto_req_inode_settle){
        .ino = ino,
        .what = (uint8_t)what,
        .id = intent->id,
        .floor = task->floor,
        .parent = parent,
        .now_ns = intent->now_ns,
        .holder = what == NAMES_DROP && (intent->flags & NAMES_IS_HELD)
                      ? intent->holder
                      : 0,
    };
    address(ask, ino_home(ino, task->target->cluster->target_ids));
}

static void ask_fanout(struct change_task *task, uint16_t opcode)
{
    uint16_t fanout[FANOUT_MAX];
    unsigned i, n = change_fanout(task->target, task->intent.victim, fanout);

    for (i = 0; i < n; i++) {
        struct change_ask *ask = new_ask(task, opcode);

        if (opcode == PROTO_OP_freeze)
            ask->req.freeze.dir = task->intent.victim;
        else
            ask->req.thaw.dir = task->intent.victim;
        address(ask, fanout[i]);
    }
}

/* Does a directory go? */
static bool removes_directory(const struct change_task *task)
{
    return task->intent.victim != 0 && task->intent.victim_type == INODE_DIR &&
           !(task->intent.flags & NAMES_IS_EXCHANGE);
}

/*
 * States that ask.
 */

static void enter_lock(struct change_task *task)
{
    asks_begin(task);
    if (task->intent.flags & NAMES_IS_LOCKING)
        ask_lock(task, &moves_name, 0);
    asks_end(task);
}

static void enter_prepare(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;

    asks_begin(task);
    if (intent->kind == NAMES_RENAME)
        ask_lock(task, &intent->from, intent->ino);
    if (intent->kind == NAMES_LINK)
        ask_inode(task, intent->ino, NAMES_ADD, 0);
    if (removes_directory(task))
        ask_fanout(task, PROTO_OP_freeze);
    asks_end(task);
}

static void enter_settle(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;

    asks_begin(task);
    if (intent->kind == NAMES_RENAME) {
        ask_settle(task, &intent->from);
        ask_inode(task, intent->ino, NAMES_MOVE, intent->name.parent);
    }
    if (intent->victim != 0)
        ask_inode(task, intent->victim,
                  intent->flags & NAMES_IS_EXCHANGE ? NAMES_MOVE : NAMES_DROP,
                  intent->from.parent);
    asks_end(task);
}

static void enter_unlock(struct change_task *task)
{
    asks_begin(task);
    if (task->intent.flags & NAMES_IS_LOCKING)
        ask_settle(task, &moves_name);
    asks_end(task);
}

static void enter_abort(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;

    asks_begin(task);
    if (intent->kind == NAMES_RENAME)
        ask_settle(task, &intent->from);
    if (intent->kind == NAMES_LINK)
        ask_inode(task, intent->ino, NAMES_CANCEL, 0);
    if (removes_directory(task))
        ask_fanout(task, PROTO_OP_thaw);
    if (intent->flags & NAMES_IS_LOCKING)
        ask_settle(task, &moves_name);
    asks_end(task);
}

/*
 * The walk up: from the new parent of what moves to the root, without meeting
 * what moves. Asks of one answer each, so `leave' is put off.
 */

static void walk_on(struct change_task *task);

static void walk_answered(struct change_task *task, int rc)
{
    if (task->target->is_closing)
        return;
    task->walk = task->asks[0].inode.parent;
    if (rc == 0 && ++task->walked < WALK_MAX) {
        walk_on(task);
        return;
    }
    task->step_rc = rc == 0 ? -ERR_BUSY : rc == -ESTALE ? -ENOENT : rc;
    leave(task);
}

static void walk_op_done(struct names_op *op)
{
    walk_answered(((struct change_ask *)op)->task, op->rc);
}

static void walk_call_done(struct rpc_call *call, int rc,
                           const union proto_rep *rep)
{
    struct change_ask *ask = call->ctx;

    if (rc == 0)
        ask->inode = rep->getattr.inode;
    walk_answered(ask->task, rc);
}

static void walk_ask(struct change_task *task)
{
    uint16_t id = ino_home(task->walk, task->target->cluster->target_ids);
    struct change_ask *ask;

    asks_begin(task);
    ask = new_ask(task, PROTO_OP_getattr);
    ask->req.getattr.ino = task->walk;
    send(ask, id);
    ask->op.done = walk_op_done;
    ask->call.done = walk_call_done;
}

/* The other way of an exchange is walked when the first has ended well. */
static void walk_top(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;

    if ((intent->flags & NAMES_IS_EXCHANGE) && !task->is_second_walk) {
        task->is_second_walk = true;
        task->walk = intent->from.parent;
        walk_on(task);
    } else {
        leave(task);
    }
}

static void walk_on(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;
    uint64_t moved = task->is_second_walk ? intent->victim : intent->ino;

    if (task->walk == moved) {
        task->step_rc = -EINVAL;
        leave(task);
    } else if (task->walk == INO_ROOT) {
        walk_top(task);
    } else {
        walk_ask(task);
    }
}

static void enter_walk(struct change_task *task)
{
    if (!(task->intent.flags & NAMES_IS_LOCKING)) {
        leave(task);
        return;
    }
    task->walk = task->intent.name.parent;
    task->walked = 0;
    task->is_second_walk = false;
    walk_on(task);
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
        enter(task, is_committed(task) ? CHANGE_SYNC : CHANGE_ABORT);
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
        leave(task);
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
