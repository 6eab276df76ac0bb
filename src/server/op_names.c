/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on names and inodes that are one step in the executor: lookup,
 * getattr, setattr, create, mkdir, make, set_striped, dir_state.
 *
 * The happy path: the handler checks that the name is this target's, takes a
 * task and submits it; run_*() does the work on the names thread, with the
 * request's body as its input; finish() answers on the reactor.
 *
 * A lookup of a file goes on to the object store, so that size and time of a
 * small file come with its record, and its bytes if they are wanted.
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

static struct names_task *task_take(struct srv_target *target,
                                    struct rpc_request *request,
                                    const struct names_plan *plan)
{
    struct names_task *task = target->names_free;

    assert(task != NULL);
    target->names_free = task->next;
    srv_count(target, COUNTER_names_ops, 1);
    task->request = request;
    task->stat = (struct obj_io){.verb = OBJ_STAT};
    task->rep = (union proto_rep){0};
    task->is_fresh = false;
    task->op.run = plan->run;
    task->op.done = plan->done;
    task->op.is_write = plan->is_write;
    task->op.wants_sync = plan->wants_sync;
    task->op.is_short = plan->is_short;
    return task;
}

void names_task_submit(struct srv_target *target, struct rpc_request *request,
                       const struct names_plan *plan)
{
    names_exec_submit(target->exec, &task_take(target, request, plan)->op);
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
 * lookup, getattr: an inode, and what its size needs
 */

/* Does the inode allow what the request says? */
static int check_may(const struct inode *inode, unsigned may,
                     const struct proto_bytes *bytes)
{
    struct cred cred;
    int rc;

    if (may == 0)
        return 0;
    rc = proto_cred_decode(bytes, &cred);
    return rc == 0 ? cred_may(&cred, inode, may) : rc;
}

/* The text of a symbolic link comes along. */
static int add_link_text(struct names_task *task, struct names *names)
{
    struct proto_rep_getattr *rep = &task->rep.getattr;
    size_t len;
    int rc;

    if (rep->inode.type != INODE_SYMLINK)
        return 0;
    rc = names_symlink_get(names, rep->inode.ino, (char *)task->data,
                           sizeof(task->data), &len);
    if (rc != 0)
        return rc;
    rep->data.data = task->data;
    rep->data.len = (uint32_t)len;
    return 0;
}

/* LOOKUP and GETATTR have the same reply. */
static_assert(offsetof(struct proto_rep_lookup, data) ==
                  offsetof(struct proto_rep_getattr, data),
              "replies are alike");

/* No such name: because the directory itself was removed, or is about to be? */
static int why_missing(struct names *names, uint64_t dir)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir, &state);

    if (rc != 0)
        return rc;
    return state.frozen != NAMES_ALIVE ? -ERR_GONE : -ENOENT;
}

static void run_lookup(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_lookup *req = &task->request->body.lookup;
    struct proto_rep_lookup *rep = &task->rep.lookup;
    struct name name = name_of(req->parent, &req->text);

    op->rc = names_lookup(names, &name, &rep->inode);
    if (op->rc == -ENOENT)
        op->rc = why_missing(names, req->parent);
    if (op->rc != 0)
        return;
    rep->is_away = !names_is_home(names, rep->inode.ino);
    if (rep->is_away)
        return;
    op->rc = check_may(&rep->inode, req->may, &req->cred);
    if (op->rc == 0)
        op->rc = add_link_text(task, names);
}

static void run_getattr(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_getattr *req = &task->request->body.getattr;
    struct proto_rep_getattr *rep = &task->rep.getattr;

    op->rc = names_inode_get(names, req->ino, &rep->inode);
    if (op->rc == 0)
        op->rc = check_may(&rep->inode, req->may, &req->cred);
    if (op->rc == 0)
        op->rc = add_link_text(task, names);
}

static void stat_done(struct obj_io *io)
{
    struct names_task *task =
        (struct names_task *)((char *)io - offsetof(struct names_task, stat));

    task->rep.getattr.object_size = io->size_out;
    task->rep.getattr.object_mtime_ns = io->mtime_ns_out;
    answer(task, io->result < 0 ? (int)io->result : 0);
}

static void ask_stat(struct names_task *task, uint64_t ino, obj_done_fn *done)
{
    task->stat = (struct obj_io){.verb = OBJ_STAT, .ino = ino, .done = done};
    obj_submit(task->target->objects, &task->stat);
}

/* The bytes of a small file are here; its size and time follow. */
static void data_read(struct obj_io *io)
{
    struct names_task *task =
        (struct names_task *)((char *)io - offsetof(struct names_task, stat));

    if (io->result < 0 || task->target->is_closing) {
        answer(task, io->result < 0 ? (int)io->result : 0);
        return;
    }
    task->rep.getattr.data.data = task->data;
    task->rep.getattr.data.len = (uint32_t)io->result;
    ask_stat(task, io->ino, stat_done);
}

static uint32_t want_of(const struct names_task *task)
{
    uint32_t want = task->request->opcode == PROTO_OP_lookup
                        ? task->request->body.lookup.want
                        : task->request->body.getattr.want;

    return want < PROTO_INLINE_MAX ? want : PROTO_INLINE_MAX;
}

static void inode_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;
    const struct inode *inode = &task->rep.getattr.inode;
    uint32_t want = want_of(task);

    if (op->rc != 0 || inode->type != INODE_FILE || task->rep.getattr.is_away ||
        inode->layout.targets[0] != task->target->config.target) {
        names_task_finish(op);
        return;
    }
    if (want == 0 || inode->layout.is_striped) {
        ask_stat(task, inode->ino, stat_done);
        return;
    }
    task->stat = (struct obj_io){.verb = OBJ_READ,
                                 .ino = inode->ino,
                                 .length = want,
                                 .memory = task->data,
                                 .done = data_read};
    obj_submit(task->target->objects, &task->stat);
}

void op_lookup(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_lookup, .done = inode_done, .is_short = true};

    submit_owned(target, request, request->body.lookup.parent,
                 &request->body.lookup.text, &plan);
}

bool is_home(const struct srv_target *target, uint64_t ino)
{
    return ino_home(ino, target->cluster->target_ids) == target->config.target;
}

/* For an inode that must be ours. */
static void submit_home(struct srv_target *target, struct rpc_request *request,
                        uint64_t ino, const struct names_plan *plan)
{
    if (is_home(target, ino))
        names_task_submit(target, request, plan);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
}

void op_getattr(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_getattr, .done = inode_done, .is_short = true};

    submit_home(target, request, request->body.getattr.ino, &plan);
}

/*
 * setattr: the object is asked first, for its time is what a new mtime must
 * outlive.
 */

static void run_setattr(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_setattr *req = &task->request->body.setattr;
    struct proto_rep_setattr *rep = &task->rep.setattr;
    struct change change = {req->valid, req->mode,     req->uid,
                            req->gid,   req->atime_ns, req->mtime_ns};
    uint64_t object_ns = task->stat.mtime_ns_out;
    struct cred cred;

    if (names_task_is_decided(task, names))
        return;
    op->rc = proto_cred_decode(&req->cred, &cred);
    if (op->rc == 0)
        op->rc = names_inode_get(names, req->ino, &rep->inode);
    if (op->rc == 0)
        op->rc = cred_may_change(&cred, &rep->inode, &change);
    if (op->rc != 0)
        return;
    cred_apply(&cred, &change, clock_wall(task->target->clock), &rep->inode);
    if (req->valid & (CHANGE_MTIME | CHANGE_MTIME_NOW))
        rep->inode.object_ns =
            object_ns > req->object_ns ? object_ns : req->object_ns;
    rep->object_size = task->stat.size_out;
    rep->object_mtime_ns = object_ns;
    op->rc = names_inode_put(names, &rep->inode);
    if (op->rc == 0)
        names_task_keep(task, names);
}

static void setattr_stated(struct obj_io *io)
{
    struct names_task *task =
        (struct names_task *)((char *)io - offsetof(struct names_task, stat));

    if (io->result < 0 || task->target->is_closing)
        answer(task, io->result < 0 ? (int)io->result : 0);
    else
        names_exec_submit(task->target->exec, &task->op);
}

void op_setattr(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_setattr,
                                           .done = names_task_finish,
                                           .is_write = true,
                                           .is_short = true};
    uint64_t ino = request->body.setattr.ino;

    if (is_home(target, ino))
        ask_stat(task_take(target, request, &plan), ino, setattr_stated);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
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

    if (width > cluster->ntargets)
        width = cluster->ntargets;
    if (width > LAYOUT_WIDTH_MAX)
        width = LAYOUT_WIDTH_MAX;
    *layout_out = (struct layout){
        .stripe_size =
            req->stripe_size != 0 ? req->stripe_size : cluster->stripe_size,
        .width = (uint16_t)width,
        .replicas = 1,
    };
    placement_columns(target->config.target, cluster->target_ids,
                      cluster->ntargets, width, layout_out->targets);
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
    task->op.rc = room_code(&task->target->room);
    return true;
}

/* Not made, for it was there: may it be opened? */
static int open_existing(const struct names_task *task)
{
    const struct proto_req_create *req = &task->request->body.create;
    const struct inode *inode = &task->rep.create.inode;

    if (inode->type == INODE_DIR)
        return -EISDIR;
    return task->rep.create.is_away || inode->type != INODE_FILE
               ? 0
               : check_may(inode, req->may, &req->cred);
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
    task->rep.create.is_away = op->rc == -EEXIST &&
                               !names_is_home(names, inode.ino);
    if (op->rc == -EEXIST && !req->is_exclusive)
        op->rc = open_existing(task); /* as it was */
    else if (op->rc == 0) {
        task->is_fresh = true;
        task->rep.create.is_new = 1;
        names_task_keep(task, names);
    }
}

/* Not for an answer that was recalled: the file may have been written since. */
static void made(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;

    if (op->rc == 0 && task->is_fresh && !task->target->is_closing)
        obj_fresh(task->target->objects, task->rep.create.inode.ino);
    names_task_finish(op);
}

void op_create(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_create, .done = made, .is_write = true, .is_short = true};

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
    static const struct names_plan plan = {.run = run_mkdir,
                                           .done = names_task_finish,
                                           .is_write = true,
                                           .is_short = true};

    room_take(&target->room, RECORD_BYTES, clock_now(target->clock));
    submit_owned(target, request, request->body.mkdir.parent,
                 &request->body.mkdir.text, &plan);
}

/*
 * make: what has no bytes, or none yet
 */

static int make_inode(struct names_task *task, struct inode *inode)
{
    const struct proto_req_make *req = &task->request->body.make;
    struct proto_req_create as_created = {0};

    if (req->type == INODE_FILE)
        return choose_layout(task->target, &as_created, &inode->layout);
    if (req->type == INODE_SYMLINK && req->link.len == 0)
        return -EINVAL;
    return req->type == INODE_DIR || req->type > INODE_TYPE_MAX ? -EINVAL : 0;
}

static void run_make(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_make *req = &task->request->body.make;
    struct name name = name_of(req->parent, &req->text);
    bool is_link = req->type == INODE_SYMLINK;
    struct inode inode = {
        .type = req->type,
        .mode = req->mode & MODE_MASK,
        .uid = req->uid,
        .gid = req->gid,
        .special = is_link ? req->link.len : req->special,
    };

    if (names_task_is_decided(task, names) || is_refused(task, names, &name))
        return;
    op->rc = make_inode(task, &inode);
    if (op->rc != 0)
        return;
    stamp(task->target, &inode);
    op->rc = names_insert(names, &name, &inode);
    task->rep.make.inode = inode;
    if (op->rc != 0)
        return;
    if (is_link)
        op->rc = names_symlink_put(names, inode.ino, req->link.data,
                                   req->link.len);
    op->is_broken = op->rc != 0;
    if (op->rc == 0)
        names_task_keep(task, names);
}

void op_make(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_make,
                                           .done = names_task_finish,
                                           .is_write = true,
                                           .is_short = true};

    room_take(&target->room, RECORD_BYTES, clock_now(target->clock));
    submit_owned(target, request, request->body.make.parent,
                 &request->body.make.text, &plan);
}

/*
 * set_striped: durable before it is answered, since afterwards bytes land on
 * other targets.
 */

static void run_set_striped(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_set_striped *req = &task->request->body.set_striped;
    struct inode *inode = &task->rep.set_striped.inode;

    op->rc = names_inode_get(names, req->ino, inode);
    if (op->rc == 0 && inode->type != INODE_FILE)
        op->rc = inode->type == INODE_DIR ? -EISDIR : -EINVAL;
    if (op->rc != 0 || inode->layout.is_striped)
        return;
    inode->layout.is_striped = true;
    op->rc = names_inode_put(names, inode);
}

void op_set_striped(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_set_striped,
                                           .done = names_task_finish,
                                           .is_write = true,
                                           .wants_sync = true};

    submit_home(target, request, request->body.set_striped.ino, &plan);
}

/*
 * dir_state
 */

static void run_dir_state(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_dir_state *req = &task->request->body.dir_state;
    struct proto_rep_dir_state *rep = &task->rep.dir_state;
    struct names_dir_state state;

    if (req->is_reset)
        op->rc = names_dir_reset(names, req->dir);
    else
        op->rc = 0;
    if (op->rc == 0)
        op->rc = names_dir_get(names, req->dir, &state);
    if (op->rc != 0)
        return;
    rep->changed_ns = state.changed_ns;
    rep->entries = state.entries;
    rep->subdirs = state.subdirs;
}

void op_dir_state(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan look = {
        .run = run_dir_state, .done = names_task_finish, .is_short = true};
    static const struct names_plan reset = {.run = run_dir_state,
                                            .done = names_task_finish,
                                            .is_write = true};

    if (owns_directory(target, request->body.dir_state.dir))
        names_task_submit(target, request,
                          request->body.dir_state.is_reset ? &reset : &look);
    else
        rpc_reply(request, -ESTALE, NULL, NULL);
}
