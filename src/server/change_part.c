/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a target does as a part of a change that another one leads: FREEZE,
 * THAW, ENTRY_LOCK, ENTRY_SETTLE, INODE_SETTLE. All of them may come twice.
 *
 * The happy path: the handler checks that the name or inode is this target's;
 * the part is one operation of the executor, durable before it is answered, for
 * the leader forgets what was acknowledged.
 *
 * Possible failure modes are those of names.h, told to the leader.
 */
#include "base/err.h"
#include "server/change.h"
#include "server/holds.h"
#include "server/names_task.h"
#include "server/reaper.h"

static int lock_entry(struct names *names,
                      const struct proto_req_entry_lock *req)
{
    struct name name = name_of(req->parent, &req->text);

    return req->ino == 0 ? names_lock(names, &name, req->id)
                         : names_rename_lock(names, &name, req->ino, req->id);
}

static int settle_entry(struct names *names,
                        const struct proto_req_entry_settle *req)
{
    struct name name = name_of(req->parent, &req->text);

    if (!req->is_committed)
        return names_unlock(names, &name, req->id);
    return names_rename_from(names, &name, req->id, req->ino, req->type,
                             req->now_ns);
}

static int settle_inode(struct names *names,
                        const struct proto_req_inode_settle *req)
{
    struct names_settle_step step = {
        .what = (enum names_settle)req->what,
        .ino = req->ino,
        .id = req->id,
        .floor = req->floor,
        .parent = req->parent,
        .now_ns = req->now_ns,
        .is_held = req->holder != 0,
    };

    if (req->what < NAMES_ADD || req->what > NAMES_MOVE)
        return -EINVAL;
    return names_settle(names, &step);
}

int change_part(struct names *names, uint16_t opcode,
                const union proto_req *req)
{
    switch (opcode) {
    case PROTO_OP_freeze:
        return names_freeze(names, req->freeze.dir);
    case PROTO_OP_thaw:
        return names_thaw(names, req->thaw.dir);
    case PROTO_OP_entry_lock:
        return lock_entry(names, &req->entry_lock);
    case PROTO_OP_entry_settle:
        return settle_entry(names, &req->entry_settle);
    case PROTO_OP_inode_settle:
        return settle_inode(names, &req->inode_settle);
    default:
        return -ENOTSUP;
    }
}

void change_part_done(struct srv_target *target, uint16_t opcode,
                      const union proto_req *req)
{
    if (opcode != PROTO_OP_inode_settle ||
        req->inode_settle.what != NAMES_DROP)
        return;
    if (req->inode_settle.holder != 0)
        holds_add(target->holds, req->inode_settle.ino,
                  req->inode_settle.holder, clock_now(target->clock));
    reaper_kick(target->reaper);
}

/*
 * Handlers.
 */

static void run_part(struct names_op *op, struct names *names)
{
    const struct names_task *task = (struct names_task *)op;

    op->rc = change_part(names, task->request->opcode, &task->request->body);
    op->is_broken = false;
}

static void part_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;

    if (op->rc == 0 && !task->target->is_closing)
        change_part_done(task->target, task->request->opcode,
                         &task->request->body);
    names_task_finish(op);
}

static bool is_ours(const struct srv_target *target,
                    const struct rpc_request *request)
{
    const union proto_req *body = &request->body;
    struct name name;

    switch (request->opcode) {
    case PROTO_OP_freeze:
        return owns_directory(target, body->freeze.dir);
    case PROTO_OP_thaw:
        return owns_directory(target, body->thaw.dir);
    case PROTO_OP_inode_settle:
        return is_home(target, body->inode_settle.ino);
    default:
        name = name_of(body->entry_lock.parent, &body->entry_lock.text);
        return name.parent == 0 ||
               change_owner(target, &name) == target->config.target;
    }
}

/* ENTRY_LOCK and ENTRY_SETTLE both begin with parent and text. */
void op_part(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_part, .done = part_done, .is_write = true,
        .wants_sync = true};

    if (is_ours(target, request))
        names_task_submit(target, request, &plan);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
}
