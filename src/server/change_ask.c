/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The states of a change in which other parts are asked: LOCK, WALK, PREPARE,
 * SETTLE, UNLOCK, ABORT. What they are for is told in op_change.c.
 *
 * The happy path: a state fills one ask for each part that the change
 * concerns; each is run here, as an operation of the executor, or sent to its
 * target as a call; when the last has answered the state is left. WALK asks
 * one directory after the other.
 *
 * Possible failure modes are those of the parts: the first code is the state's.
 */
#include "base/err.h"
#include "server/change.h"

#include <string.h>

#define WALK_MAX PATH_LEN_MAX /* directories on the way up */

/* The name at the root's home that is locked while a directory moves. */
#define MOVES_PARENT 0
#define MOVES_TEXT "directories"

/*
 * Asking parts.
 */

static void answered(struct change_task *task, int rc)
{
    if (task->step_rc == 0)
        task->step_rc = rc;
    if (--task->waiting == 0)
        change_leave(task);
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
        change_leave(task);
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
        .is_committed =
            change_is_committed(task) && name->parent != MOVES_PARENT,
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

void change_enter_lock(struct change_task *task)
{
    asks_begin(task);
    if (task->intent.flags & NAMES_IS_LOCKING)
        ask_lock(task, &moves_name, 0);
    asks_end(task);
}

void change_enter_prepare(struct change_task *task)
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

void change_enter_settle(struct change_task *task)
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

void change_enter_unlock(struct change_task *task)
{
    asks_begin(task);
    if (task->intent.flags & NAMES_IS_LOCKING)
        ask_settle(task, &moves_name);
    asks_end(task);
}

void change_enter_abort(struct change_task *task)
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
    change_leave(task);
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
        change_leave(task);
    }
}

static void walk_on(struct change_task *task)
{
    const struct names_intent *intent = &task->intent;
    uint64_t moved = task->is_second_walk ? intent->victim : intent->ino;

    if (task->walk == moved) {
        task->step_rc = -EINVAL;
        change_leave(task);
    } else if (task->walk == INO_ROOT) {
        walk_top(task);
    } else {
        walk_ask(task);
    }
}

void change_enter_walk(struct change_task *task)
{
    if (!(task->intent.flags & NAMES_IS_LOCKING)) {
        change_leave(task);
        return;
    }
    task->walk = task->intent.name.parent;
    task->walked = 0;
    task->is_second_walk = false;
    walk_on(task);
}
