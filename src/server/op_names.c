/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on names that are one step in the executor: lookup, create,
 * mkdir, unlink, set_striped, freeze, thaw.
 *
 * The happy path: the handler checks that the name is this target's, takes a
 * task and submits it; run_*() does the work on the names thread, with the
 * request's body as its input; finish() answers on the reactor.
 *
 * A lookup of a file goes on to the object store, so that size and time of a
 * small file come with its record.
 *
 * Operations that take effect once first look for the answer of an earlier
 * try, and keep theirs in the transaction of their effect (once.c).
 *
 * Possible failure modes are: a request for another target's name (-ESTALE: the
 * client has another map), the codes of names.h, a commit that fails (all of
 * the batch get its code).
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/placement.h"
#include "server/names_task.h"
#include "server/reaper.h"
#include "server/server.h"

#include <assert.h>
#include <stddef.h>

#define MODE_MASK 07777u
#define RECORD_BYTES 1024 /* of a new name, about */

int names_tasks_init(struct srv_target *target)
{
    unsigned i, n = target->config.limits.requests_max;

    target->names_all = mem_calloc(n, sizeof(*target->names_all));
    if (target->names_all == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        target->names_all[i].target = target;
        target->names_all[i].next = target->names_free;
        target->names_free = &target->names_all[i];
    }
    return 0;
}

void names_tasks_fini(struct srv_target *target)
{
    free(target->names_all);
}

bool owns_name(const struct srv_target *target, uint64_t parent,
               const struct proto_bytes *text)
{
    return placement_owner(parent, (const char *)text->data, text->len,
                           target->cluster->target_ids,
                           target->cluster->ntargets) == target->config.target;
}

bool owns_directory(const struct srv_target *target, uint64_t dir)
{
    uint16_t fanout[FANOUT_MAX];
    unsigned i, n;

    n = placement_fanout(dir, target->cluster->target_ids,
                         target->cluster->ntargets, fanout);
    for (i = 0; i < n; i++)
        if (fanout[i] == target->config.target)
            return true;
    return false;
}

static void answer(struct names_task *task, int rc)
{
    struct srv_target *target = task->target;

    if (!target->is_closing)
        rpc_reply(task->request, rc, &task->rep, NULL);
    task->next = target->names_free;
    target->names_free = task;
}

void names_task_finish(struct names_op *op)
{
    answer((struct names_task *)op, op->rc);
}

void names_task_submit(struct srv_target *target, struct rpc_request *request,
                       const struct names_plan *plan)
{
    struct names_task *task = target->names_free;

    assert(task != NULL);
    target->names_free = task->next;
    srv_count(target, COUNTER_names_ops, 1);
    task->request = request;
    task->is_orphaning = false;
    task->rep = (union proto_rep){0};
    task->op.run = plan->run;
    task->op.done = plan->done;
    task->op.is_write = plan->is_write;
    task->op.wants_sync = plan->wants_sync;
    names_exec_submit(target->exec, &task->op);
}

/* For a name that must be ours. */
static void submit_owned(struct srv_target *target,
                         struct rpc_request *request, uint64_t parent,
                         const struct proto_bytes *text,
                         const struct names_plan *plan)
{
    struct name name = name_of(parent, text);
    int rc = names_check(&name);

    if (rc == 0 && !owns_name(target, parent, text))
        rc = -ESTALE;
    if (rc != 0)
        rpc_reply(request, rc, NULL, NULL);
    else
        names_task_submit(target, request, plan);
}

static struct once_key key_of(const struct names_task *task)
{
    const struct rpc_request *request = task->request;

    return (struct once_key){request->client, request->number, request->floor,
                             request->opcode};
}

bool names_task_is_decided(struct names_task *task, struct names *names)
{
    struct once_key key = key_of(task);

    task->op.rc = once_recall(names, &key, &task->rep);
    return task->op.rc != -ENOENT;
}

void names_task_keep(struct names_task *task, struct names *names)
{
    struct once_key key = key_of(task);

    task->op.rc = once_keep(task->target->once, names, &key, &task->rep);
    task->op.is_broken = task->op.rc != 0;
}

/*
 * lookup
 */

static void run_lookup(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_lookup *req = &task->request->body.lookup;
    struct name name = name_of(req->parent, &req->text);

    op->rc = names_lookup(names, &name, &task->rep.lookup.inode);
}

static void lookup_stat_done(struct obj_io *io)
{
    struct names_task *task =
        (struct names_task *)((char *)io - offsetof(struct names_task, stat));

    task->rep.lookup.object_size = io->size_out;
    task->rep.lookup.object_mtime_ns = io->mtime_ns_out;
    answer(task, io->result < 0 ? (int)io->result : 0);
}

static void lookup_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;
    const struct inode *inode = &task->rep.lookup.inode;

    if (op->rc != 0 || inode->type != INODE_FILE ||
        inode->layout.targets[0] != task->target->config.target) {
        names_task_finish(op);
        return;
    }
    task->stat = (struct obj_io){
        .verb = OBJ_STAT, .ino = inode->ino, .done = lookup_stat_done};
    obj_submit(task->target->objects, &task->stat);
}

void op_lookup(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_lookup,
                                           .done = lookup_done};

    submit_owned(target, request, request->body.lookup.parent,
                 &request->body.lookup.text, &plan);
}

/*
 * create, mkdir
 */

/* Column 0 is here, the others follow in the ring of target ids. */
static int choose_layout(const struct srv_target *target,
                         const struct proto_req_create *req,
                         struct layout *layout_out)
{
    const struct cluster *cluster = target->cluster;
    unsigned width = req->width != 0 ? req->width : cluster->width;
    unsigned i, at = 0;

    if (width > cluster->ntargets)
        width = cluster->ntargets;
    if (width > LAYOUT_WIDTH_MAX)
        width = LAYOUT_WIDTH_MAX;
    while (cluster->target_ids[at] != target->config.target)
        at++;
    *layout_out = (struct layout){
        .stripe_size =
            req->stripe_size != 0 ? req->stripe_size : cluster->stripe_size,
        .width = (uint16_t)width,
        .replicas = 1,
    };
    for (i = 0; i < width; i++)
        layout_out->targets[i] =
            cluster->target_ids[(at + i) % cluster->ntargets];
    return layout_check(layout_out);
}

static void stamp(const struct srv_target *target, struct inode *inode)
{
    inode->atime_ns = inode->mtime_ns = inode->ctime_ns =
        clock_wall(target->clock);
}

/* Little space is left: only what is there already may be opened. */
static bool is_refused(struct names_task *task, struct names *names,
                       const struct name *name)
{
    struct inode inode;

    if (!room_is_low(&task->target->room) ||
        names_lookup(names, name, &inode) != -ENOENT)
        return false;
    task->op.rc = -ENOSPC;
    return true;
}

static void run_create(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_create *req = &task->request->body.create;
    struct name name = name_of(req->parent, &req->text);
    struct inode inode = {
        .type = INODE_FILE,
        .mode = req->mode & MODE_MASK,
        .uid = req->uid,
        .gid = req->gid,
    };

    if (names_task_is_decided(task, names) || is_refused(task, names, &name))
        return;
    op->rc = choose_layout(task->target, req, &inode.layout);
    if (op->rc != 0)
        return;
    stamp(task->target, &inode);
    op->rc = names_insert(names, &name, &inode);
    task->rep.create.inode = inode;
    if (op->rc == -EEXIST && !req->is_exclusive)
        op->rc = inode.type == INODE_DIR ? -EISDIR : 0; /* as it was */
    else if (op->rc == 0) {
        task->rep.create.is_new = 1;
        names_task_keep(task, names);
    }
}

void op_create(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_create, .done = names_task_finish, .is_write = true};

    room_take(&target->room, RECORD_BYTES, clock_now(target->clock));
    submit_owned(target, request, request->body.create.parent,
                 &request->body.create.text, &plan);
}

static void run_mkdir(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_mkdir *req = &task->request->body.mkdir;
    struct name name = name_of(req->parent, &req->text);
    struct inode inode = {
        .type = INODE_DIR,
        .mode = req->mode & MODE_MASK,
        .uid = req->uid,
        .gid = req->gid,
    };

    if (names_task_is_decided(task, names) || is_refused(task, names, &name))
        return;
    stamp(task->target, &inode);
    op->rc = names_insert(names, &name, &inode);
    task->rep.mkdir.inode = inode;
    if (op->rc == 0)
        names_task_keep(task, names);
}

void op_mkdir(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_mkdir, .done = names_task_finish, .is_write = true};

    room_take(&target->room, RECORD_BYTES, clock_now(target->clock));
    submit_owned(target, request, request->body.mkdir.parent,
                 &request->body.mkdir.text, &plan);
}

/*
 * unlink
 */

static void run_unlink(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_unlink *req = &task->request->body.unlink;
    struct name name = name_of(req->parent, &req->text);
    struct inode inode;

    if (names_task_is_decided(task, names))
        return;
    op->rc = names_unlink(names, &name, &inode);
    if (op->rc != 0)
        return;
    task->rep.unlink.ino = inode.ino;
    task->is_orphaning = true;
    names_task_keep(task, names);
}

static void unlink_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;

    if (op->rc == 0 && task->is_orphaning)
        reaper_kick(task->target->reaper);
    names_task_finish(op);
}

void op_unlink(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_unlink, .done = unlink_done, .is_write = true};

    submit_owned(target, request, request->body.unlink.parent,
                 &request->body.unlink.text, &plan);
}

/*
 * set_striped: durable before it is answered, since afterwards bytes land on
 * other targets.
 */

static void run_set_striped(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_set_striped *req = &task->request->body.set_striped;
    struct name name = name_of(req->parent, &req->text);
    struct inode *inode = &task->rep.set_striped.inode;

    op->rc = names_lookup(names, &name, inode);
    if (op->rc == 0 && inode->ino != req->ino)
        op->rc = -ESTALE;
    else if (op->rc == 0 && inode->type != INODE_FILE)
        op->rc = -EISDIR;
    if (op->rc != 0 || inode->layout.is_striped)
        return;
    inode->layout.is_striped = true;
    op->rc = names_update(names, &name, inode);
}

void op_set_striped(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_set_striped,
                                           .done = names_task_finish,
                                           .is_write = true,
                                           .wants_sync = true};

    submit_owned(target, request, request->body.set_striped.parent,
                 &request->body.set_striped.text, &plan);
}

/*
 * freeze, thaw: what another target's removal of a directory asks (op_rmdir.c).
 * Durable before answered: the removal relies on it.
 */

static void run_freeze(struct names_op *op, struct names *names)
{
    const struct names_task *task = (struct names_task *)op;

    op->rc = names_freeze(names, task->request->body.freeze.dir);
}

static void run_thaw(struct names_op *op, struct names *names)
{
    const struct names_task *task = (struct names_task *)op;

    op->rc = names_thaw(names, task->request->body.thaw.dir);
}

void op_freeze(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_freeze, .done = names_task_finish, .is_write = true,
        .wants_sync = true};

    if (owns_directory(target, request->body.freeze.dir))
        names_task_submit(target, request, &plan);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
}

void op_thaw(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_thaw, .done = names_task_finish, .is_write = true,
        .wants_sync = true};

    if (owns_directory(target, request->body.thaw.dir))
        names_task_submit(target, request, &plan);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
}
