/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on one object: obj_stat, obj_truncate, obj_allocate, obj_sync,
 * obj_destroy.
 *
 * The happy path: one operation of the object store, then the answer. A sync
 * is one of the names too, at the same time, for a file that is durable has a
 * durable name; it is answered when both are. A loss of power before that may
 * have left either: data without a name, under a number that is never given out
 * again, or a name whose data are missing in part, as after any write that was
 * not synced.
 *
 * obj_truncate that only grows must never cut what a write has just appended,
 * so it is a small protocol with the slots of writes (slots.c): while it stands
 * in `grows`, writes to its object that have not begun are put off; when no
 * extent of a write is under way and no other grow of that object has begun, it
 * asks the size and, if the object is shorter, makes it longer. obj_allocate has
 * the device set storage aside and then grows in that way, unless the size shall
 * stay; without room the object is as it was.
 *
 * Possible failure modes are the device's, told to that caller.
 */
#include "base/err.h"
#include "base/mem.h"
#include "server/server.h"

#include <assert.h>
#include <stdlib.h>

#define SUMS_SHARE 1024 /* bytes that take one byte of sums */

struct object_task {
    struct obj_io io; /* first */
    struct names_op sync; /* SYNC: of the names */
    unsigned nsyncs;      /* SYNC: of the object and the names, under way */
    int rc;               /* SYNC: of the one that has ended */
    struct srv_target *target;
    struct rpc_request *request;
    uint64_t size;     /* grow: at least this */
    bool is_growing;   /* its turn has come */
    struct object_task *next; /* in the free list or in grows */
};

int object_tasks_init(struct srv_target *target)
{
    unsigned i, n = target->config.limits.requests_max;

    target->objects_all = mem_calloc(n, sizeof(*target->objects_all));
    if (target->objects_all == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        target->objects_all[i].target = target;
        target->objects_all[i].next = target->objects_free;
        target->objects_free = &target->objects_all[i];
    }
    return 0;
}

void object_tasks_fini(struct srv_target *target)
{
    free(target->objects_all);
}

static struct object_task *task_take(struct srv_target *target,
                                     struct rpc_request *request,
                                     enum obj_verb verb, uint64_t ino,
                                     obj_done_fn *done)
{
    struct object_task *task = target->objects_free;

    assert(task != NULL);
    target->objects_free = task->next;
    task->request = request;
    task->io = (struct obj_io){.verb = verb, .ino = ino, .done = done};
    return task;
}

static void answer(struct object_task *task, int rc,
                   const union proto_rep *rep)
{
    struct srv_target *target = task->target;

    if (!target->is_closing)
        rpc_reply(task->request, rc, rep, NULL);
    task->next = target->objects_free;
    target->objects_free = task;
}

static int code_of(const struct obj_io *io)
{
    return io->result < 0 ? (int)io->result : 0;
}

/* The answer of an operation that says nothing but how it ended. */
static void plain_done(struct obj_io *io)
{
    union proto_rep rep = {0};

    answer((struct object_task *)io, code_of(io), &rep);
}

static void stat_done(struct obj_io *io)
{
    union proto_rep rep = {.obj_stat = {io->size_out, io->mtime_ns_out}};

    answer((struct object_task *)io, code_of(io), &rep);
}

void op_obj_stat(struct srv_target *target, struct rpc_request *request)
{
    struct object_task *task = task_take(
        target, request, OBJ_STAT, request->body.obj_stat.ino, stat_done);

    obj_submit(target->objects, &task->io);
}

void op_obj_destroy(struct srv_target *target, struct rpc_request *request)
{
    struct object_task *task =
        task_take(target, request, OBJ_DESTROY,
                  request->body.obj_destroy.ino, plain_done);

    obj_submit(target->objects, &task->io);
}

/*
 * obj_sync
 */

static void run_nothing(struct names_op *op, struct names *names)
{
    (void)names;
    op->rc = 0;
}

/* The object or the names are durable: the second to be so answers. */
static void half_synced(struct object_task *task, int rc)
{
    union proto_rep rep = {0};

    if (task->rc == 0)
        task->rc = rc;
    if (--task->nsyncs == 0)
        answer(task, task->rc, &rep);
}

static void object_synced(struct obj_io *io)
{
    half_synced((struct object_task *)io, code_of(io));
}

static void names_synced(struct names_op *op)
{
    half_synced((struct object_task *)((char *)op -
                                       offsetof(struct object_task, sync)),
                op->rc);
}

void op_obj_sync(struct srv_target *target, struct rpc_request *request)
{
    struct object_task *task = task_take(
        target, request, OBJ_SYNC, request->body.obj_sync.ino, object_synced);

    srv_count(target, COUNTER_syncs, 1);
    task->sync = (struct names_op){.run = run_nothing,
                                   .done = names_synced,
                                   .wants_sync = true,
                                   .is_short = true};
    task->nsyncs = 2;
    task->rc = 0;
    obj_submit(target->objects, &task->io);
    names_exec_submit(target->exec, &task->sync);
}

/*
 * obj_truncate, obj_allocate
 */

static void grow_end(struct object_task *task, int rc)
{
    struct object_task **at = &task->target->grows;
    union proto_rep rep = {0};

    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    answer(task, rc, &rep);
}

static void grown(struct obj_io *io)
{
    grow_end((struct object_task *)io, code_of(io));
}

static void grow_size_known(struct obj_io *io)
{
    struct object_task *task = (struct object_task *)io;

    if (io->result < 0 || io->size_out >= task->size ||
        task->target->is_closing) {
        grown(io);
        return;
    }
    task->io = (struct obj_io){.verb = OBJ_TRUNCATE,
                               .ino = io->ino,
                               .offset = task->size,
                               .done = grown};
    obj_submit(task->target->objects, &task->io);
}

static bool has_grow(const struct srv_target *target, uint64_t ino,
                     bool is_started)
{
    const struct object_task *task;

    for (task = target->grows; task != NULL; task = task->next)
        if (task->io.ino == ino && task->is_growing >= is_started)
            return true;
    return false;
}

bool object_is_growing(const struct srv_target *target, uint64_t ino)
{
    return has_grow(target, ino, false);
}

int object_tasks_poll(struct srv_target *target)
{
    struct object_task *task;
    int n = 0;

    for (task = target->grows; task != NULL; task = task->next) {
        if (task->is_growing || has_grow(target, task->io.ino, true) ||
            data_is_writing(target, task->io.ino))
            continue;
        task->is_growing = true;
        obj_submit(target->objects, &task->io);
        n++;
    }
    return n;
}

/* Stand in line to grow. */
static void start_grow(struct object_task *task)
{
    struct srv_target *target = task->target;

    task->io = (struct obj_io){
        .verb = OBJ_STAT, .ino = task->io.ino, .done = grow_size_known};
    task->is_growing = false;
    task->next = target->grows;
    target->grows = task;
}

static void allocated(struct obj_io *io)
{
    struct object_task *task = (struct object_task *)io;

    if (io->result < 0 || task->size == 0 || task->target->is_closing)
        plain_done(io);
    else
        start_grow(task);
}

/* The sums of what will be written take room too: 4 bytes for 4 KiB. */
static void start_allocate(struct srv_target *target,
                           struct rpc_request *request, uint64_t ino,
                           uint64_t offset, uint64_t length, uint64_t size)
{
    struct object_task *task =
        task_take(target, request, OBJ_ALLOCATE, ino, allocated);

    task->size = size;
    task->io.offset = offset;
    task->io.length = length;
    task->io.spare = room_reserve(&target->room) + length / SUMS_SHARE;
    if (length > 0)
        obj_submit(target->objects, &task->io);
    else
        start_grow(task);
}

void op_obj_allocate(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_obj_allocate *req = &request->body.obj_allocate;

    if (req->offset > INT64_MAX || req->length > INT64_MAX - req->offset)
        rpc_reply(request, -EFBIG, NULL, NULL);
    else
        start_allocate(target, request, req->ino, req->offset, req->length,
                       req->keeps_size ? 0 : req->offset + req->length);
}

void op_obj_truncate(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_obj_truncate *req = &request->body.obj_truncate;
    struct object_task *task;

    if (req->size > INT64_MAX) {
        rpc_reply(request, -EFBIG, NULL, NULL);
        return;
    }
    if (req->how == PROTO_ALLOCATE) { /* of clients before obj_allocate */
        start_allocate(target, request, req->ino, 0, req->size, req->size);
        return;
    }
    if (req->how == PROTO_RESIZE) {
        task = task_take(target, request, OBJ_TRUNCATE, req->ino, plain_done);
        task->io.offset = req->size;
        obj_submit(target->objects, &task->io);
        return;
    }
    task = task_take(target, request, OBJ_STAT, req->ino, NULL);
    task->size = req->size;
    start_grow(task);
}
