/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: serve() finds the handler of the opcode in a table; handlers
 * of names answer at once; READ and WRITE cut the runs into pieces and move
 * them one after the other, by RMA or in the message.
 *
 * Possible failure modes are those that a test scripts: silence, an error.
 */
#include "tests/client/fake.h"

#include "base/hash.h"
#include "base/placement.h"
#include "proto/counters.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 65536
#define OBJECT_MAX (64u << 20)

struct piece {
    uint64_t object;
    uint64_t mem;
    uint64_t length;
};

/* One READ or WRITE that moves by RMA. */
struct job {
    struct net_op op; /* first */
    struct fake_target *target;
    struct rpc_request *request;
    struct fake_object *object;
    bool is_write;
    uint64_t key, addr;
    struct piece *pieces;
    size_t npieces, at;
    uint64_t bytes;
    uint64_t object_size; /* when it began */
};

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* Room for all at once: transfers under way point into it. */
static void object_grow(struct fake_object *object, uint64_t size)
{
    assert(size <= OBJECT_MAX);
    if (object->bytes == NULL)
        object->bytes = must(calloc(1, OBJECT_MAX));
    if (size > object->size)
        object->size = size;
}

struct fake_name *fake_find(struct fake *fake, uint64_t parent,
                            const char *text)
{
    for (unsigned i = 0; i < FAKE_NAMES_MAX; i++)
        if (fake->names[i].parent == parent &&
            strcmp(fake->names[i].text, text) == 0)
            return &fake->names[i];
    return NULL;
}

static struct fake_name *find_bytes(struct fake *fake, uint64_t parent,
                                    const struct proto_bytes *text)
{
    char name[NAME_LEN_MAX + 1] = "";

    memcpy(name, text->data, text->len);
    return fake_find(fake, parent, name);
}

static struct fake_name *find_ino(struct fake *fake, uint64_t ino)
{
    for (unsigned i = 0; i < FAKE_NAMES_MAX; i++)
        if (fake->names[i].parent != 0 && fake->names[i].inode.ino == ino)
            return &fake->names[i];
    return NULL;
}

void fake_stripe(struct fake_name *name)
{
    name->inode.layout.is_striped = true;
}

void fake_poke(struct fake *fake, struct fake_name *name, uint64_t offset,
               uint8_t byte)
{
    const struct layout *layout = &name->inode.layout;
    uint64_t stripe = offset / layout->stripe_size;
    uint16_t id = layout->targets[stripe % layout->width];
    uint64_t at = stripe / layout->width * layout->stripe_size +
                  offset % layout->stripe_size;

    object_grow(&name->objects[id], at + 1);
    name->objects[id].bytes[at] = byte;
}

void fake_count_anew(struct fake *fake)
{
    memset(fake->served, 0, sizeof(fake->served));
    fake->runs = 0;
    fake->inlined = 0;
    fake->jumps = 0;
}

static struct fake_name *insert(struct fake *fake, uint64_t parent,
                                const struct proto_bytes *text)
{
    struct fake_name *name = NULL;

    for (unsigned i = 0; i < FAKE_NAMES_MAX && name == NULL; i++)
        if (fake->names[i].parent == 0)
            name = &fake->names[i];
    must(name);
    memset(name, 0, sizeof(*name));
    name->parent = parent;
    memcpy(name->text, text->data, text->len);
    name->inode.ino = fake->next_ino++;
    name->inode.mtime_ns = 1;
    name->inode.nlink = 1;
    return name;
}

static void give_layout(struct fake *fake, struct fake_name *name,
                        uint16_t owner, const struct proto_req_create *req)
{
    struct layout *layout = &name->inode.layout;

    layout->stripe_size =
        req->stripe_size != 0 ? req->stripe_size : fake->stripe_size;
    layout->width = req->width != 0 ? req->width : fake->width;
    layout->replicas = 1;
    for (unsigned i = 0; i < layout->width; i++)
        layout->targets[i] = (uint16_t)((owner - 1 + i) % fake->ntargets + 1);
}

static bool parent_lives(struct fake *fake, uint64_t parent)
{
    return parent == INO_ROOT || find_ino(fake, parent) != NULL;
}

typedef int serve_fn(struct fake_target *target, const union proto_req *req,
                     union proto_rep *rep);

static int serve_lookup(struct fake_target *target, const union proto_req *req,
                        union proto_rep *rep)
{
    struct fake_name *name =
        find_bytes(target->fake, req->lookup.parent, &req->lookup.text);

    assert(target->id == placement_owner(req->lookup.parent,
                                         (const char *)req->lookup.text.data,
                                         req->lookup.text.len,
                                         target->fake->cluster->target_ids,
                                         target->fake->ntargets));
    if (name == NULL)
        return -ENOENT;
    rep->lookup.inode = name->inode;
    rep->lookup.object_size = name->objects[target->id].size;
    rep->lookup.object_mtime_ns = 2;
    return 0;
}

/* All inodes are of target 1, as their numbers say. */
static int serve_getattr(struct fake_target *target, const union proto_req *req,
                         union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->getattr.ino);
    uint16_t owner;

    if (req->getattr.ino == INO_ROOT) {
        rep->getattr.inode = (struct inode){
            .ino = INO_ROOT, .type = INODE_DIR, .mode = 0777, .nlink = 2};
        return 0;
    }
    if (name == NULL)
        return -ESTALE;
    assert(target->id == 1);
    rep->getattr.inode = name->inode;
    if (name->inode.type == INODE_FILE) {
        owner = name->inode.layout.targets[0];
        rep->getattr.object_size = name->objects[owner].size;
    }
    rep->getattr.object_mtime_ns = 2;
    return 0;
}

static int serve_setattr(struct fake_target *target, const union proto_req *req,
                         union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->setattr.ino);

    if (name == NULL)
        return -ESTALE;
    rep->setattr.inode = name->inode;
    return 0;
}

static int serve_dir_state(struct fake_target *target,
                           const union proto_req *req, union proto_rep *rep)
{
    rep->dir_state.changed_ns = 5;
    return 0;
}

static int serve_create(struct fake_target *target, const union proto_req *req,
                        union proto_rep *rep)
{
    const struct proto_req_create *create = &req->create;
    struct fake_name *name =
        find_bytes(target->fake, create->parent, &create->text);

    if (!parent_lives(target->fake, create->parent))
        return -ENOENT;
    if (name != NULL && create->is_exclusive)
        return -EEXIST;
    rep->create.is_new = name == NULL;
    if (name == NULL) {
        name = insert(target->fake, create->parent, &create->text);
        name->inode.type = INODE_FILE;
        name->inode.mode = create->mode;
        give_layout(target->fake, name, target->id, create);
    }
    rep->create.inode = name->inode;
    return 0;
}

static int serve_mkdir(struct fake_target *target, const union proto_req *req,
                       union proto_rep *rep)
{
    const struct proto_req_mkdir *mkdir = &req->mkdir;
    struct fake_name *name;

    if (find_bytes(target->fake, mkdir->parent, &mkdir->text) != NULL)
        return -EEXIST;
    if (!parent_lives(target->fake, mkdir->parent))
        return -ENOENT;
    name = insert(target->fake, mkdir->parent, &mkdir->text);
    name->inode.type = INODE_DIR;
    name->inode.parent = mkdir->parent;
    name->inode.mode = mkdir->mode;
    rep->mkdir.inode = name->inode;
    return 0;
}

static int remove_name(struct fake_name *name, enum inode_type type, int rc)
{
    if (name == NULL)
        return -ENOENT;
    if (name->inode.type != type)
        return rc;
    for (unsigned i = 0; i <= FAKE_TARGETS_MAX; i++)
        free(name->objects[i].bytes);
    memset(name, 0, sizeof(*name));
    return 0;
}

static int serve_unlink(struct fake_target *target, const union proto_req *req,
                        union proto_rep *rep)
{
    return remove_name(
        find_bytes(target->fake, req->unlink.parent, &req->unlink.text),
        INODE_FILE, -EISDIR);
}

static int serve_rmdir(struct fake_target *target, const union proto_req *req,
                       union proto_rep *rep)
{
    return remove_name(
        find_bytes(target->fake, req->rmdir.parent, &req->rmdir.text),
        INODE_DIR, -ENOTDIR);
}

static bool is_mine(const struct fake_target *target,
                    const struct fake_name *name, uint64_t dir)
{
    return name->parent == dir && dir != 0 &&
           placement_owner(dir, name->text, strlen(name->text),
                           target->fake->cluster->target_ids,
                           target->fake->ntargets) == target->id;
}

static uint64_t place_of(const struct fake_name *name)
{
    return hash_place(hash_name(name->parent, name->text, strlen(name->text)));
}

/* The first name of ours behind a place. */
static struct fake_name *next_name(struct fake_target *target, uint64_t dir,
                                   uint64_t after)
{
    struct fake_name *name, *best = NULL;

    for (unsigned i = 0; i < FAKE_NAMES_MAX; i++) {
        name = &target->fake->names[i];
        if (is_mine(target, name, dir) && place_of(name) > after &&
            (best == NULL || place_of(name) < place_of(best)))
            best = name;
    }
    return best;
}

static int serve_readdir(struct fake_target *target, const union proto_req *req,
                         union proto_rep *rep)
{
    static uint8_t page[PROTO_ENTRIES_MAX];
    uint64_t after = req->readdir.after;
    struct proto_entry entry = {0};
    struct fake_name *name;
    uint8_t *at = page;

    while ((name = next_name(target, req->readdir.dir, after)) != NULL &&
           rep->readdir.count < FAKE_PAGE) {
        entry.text.data = (const uint8_t *)name->text;
        entry.text.len = (uint32_t)strlen(name->text);
        entry.inode = name->inode;
        entry.object_size = name->objects[target->id].size;
        if (proto_entry_encode(&entry, &at, page + sizeof(page)) != 0)
            abort();
        rep->readdir.count++;
        after = place_of(name);
    }
    rep->readdir.is_end = name == NULL;
    rep->readdir.entries.data = page;
    rep->readdir.entries.len = (uint32_t)(at - page);
    return 0;
}

static int serve_set_striped(struct fake_target *target,
                             const union proto_req *req, union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->set_striped.ino);

    if (name == NULL)
        return -ESTALE;
    fake_stripe(name);
    rep->set_striped.inode = name->inode;
    return 0;
}

static int serve_obj_stat(struct fake_target *target,
                          const union proto_req *req, union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->obj_stat.ino);

    rep->obj_stat.size = name != NULL ? name->objects[target->id].size : 0;
    rep->obj_stat.mtime_ns = 3;
    return 0;
}

static void object_set_size(struct fake_object *object, uint64_t size)
{
    object_grow(object, size);
    memset(object->bytes + size, 0, object->size - size);
    object->size = size;
}

static int serve_obj_truncate(struct fake_target *target,
                              const union proto_req *req, union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->obj_truncate.ino);
    struct fake_object *object = &name->objects[target->id];

    if (req->obj_truncate.how == PROTO_RESIZE ||
        object->size < req->obj_truncate.size)
        object_set_size(object, req->obj_truncate.size);
    return 0;
}

static int serve_obj_allocate(struct fake_target *target,
                              const union proto_req *req, union proto_rep *rep)
{
    struct fake_name *name = find_ino(target->fake, req->obj_allocate.ino);
    struct fake_object *object = &name->objects[target->id];
    uint64_t end = req->obj_allocate.offset + req->obj_allocate.length;

    target->fake->allocated += req->obj_allocate.length;
    if (!req->obj_allocate.keeps_size && object->size < end)
        object_set_size(object, end);
    return 0;
}

static int serve_obj_sync(struct fake_target *target,
                          const union proto_req *req, union proto_rep *rep)
{
    return 0;
}

static int serve_stats(struct fake_target *target, const union proto_req *req,
                       union proto_rep *rep)
{
    static uint8_t values[COUNTER_COUNT * 8];

    values[COUNTER_requests * 8] = 42;
    rep->stats.counters.data = values;
    rep->stats.counters.len = sizeof(values);
    return 0;
}

static serve_fn *const handlers[FAKE_OPCODES] = {
    [PROTO_OP_lookup] = serve_lookup,
    [PROTO_OP_getattr] = serve_getattr,
    [PROTO_OP_setattr] = serve_setattr,
    [PROTO_OP_dir_state] = serve_dir_state,
    [PROTO_OP_create] = serve_create,
    [PROTO_OP_mkdir] = serve_mkdir,
    [PROTO_OP_unlink] = serve_unlink,
    [PROTO_OP_rmdir] = serve_rmdir,
    [PROTO_OP_readdir] = serve_readdir,
    [PROTO_OP_set_striped] = serve_set_striped,
    [PROTO_OP_obj_stat] = serve_obj_stat,
    [PROTO_OP_obj_truncate] = serve_obj_truncate,
    [PROTO_OP_obj_allocate] = serve_obj_allocate,
    [PROTO_OP_obj_sync] = serve_obj_sync,
    [PROTO_OP_stats] = serve_stats,
};

/* Cut one run's block into what lies on a column, byte ranges by hand. */
static void cut_block(struct job *job, uint64_t offset, uint64_t length,
                      uint64_t mem, uint32_t stripe_size, unsigned columns,
                      unsigned column, uint64_t limit)
{
    uint64_t stripe, part, object;

    for (; length > 0; offset += part, mem += part, length -= part) {
        stripe = offset / stripe_size;
        part = stripe_size - offset % stripe_size;
        part = part < length ? part : length;
        object = stripe / columns * stripe_size + offset % stripe_size;
        if (stripe % columns != column || object >= limit)
            continue;
        assert(job->npieces < PIECES_MAX);
        if (job->npieces > 0 && job->pieces[job->npieces - 1].mem +
                                        job->pieces[job->npieces - 1].length !=
                                    mem)
            job->target->fake->jumps++;
        job->pieces[job->npieces].object = object;
        job->pieces[job->npieces].mem = mem;
        job->pieces[job->npieces].length =
            part < limit - object ? part : limit - object;
        job->bytes += job->pieces[job->npieces++].length;
    }
}

/* Also of runs without a byte on the column: a server looks at them all. */
static void check_span(struct job *job, const struct run *run, uint64_t span)
{
    uint64_t last = run->mem + (run->count - 1) * (uint64_t)run->mem_stride;

    if (run->mem > span || last > span || span - run->mem < run->length ||
        span - last < run->length)
        job->target->fake->strays++;
}

static void cut_runs(struct job *job, const struct proto_bytes *bytes,
                     uint32_t stripe_size, unsigned columns, unsigned column,
                     uint64_t limit, uint64_t span)
{
    struct proto_runs state = {0};
    const uint8_t *at = bytes->data;
    struct run run;

    job->pieces = must(calloc(PIECES_MAX, sizeof(*job->pieces)));
    while (proto_run_decode(&state, &at, bytes->data + bytes->len, &run) == 0) {
        job->target->fake->runs++;
        check_span(job, &run, span);
        for (uint64_t i = 0; i < run.count; i++)
            cut_block(job, run.offset + i * run.stride, run.length,
                      run.mem + i * (uint64_t)run.mem_stride, stripe_size,
                      columns, column, limit);
    }
}

static void job_end(struct job *job, int rc, const struct proto_bytes *data)
{
    union proto_rep rep = {0};

    if (job->is_write) {
        rep.write.bytes = job->bytes;
    } else {
        rep.read.bytes = job->bytes;
        rep.read.object_size = job->object_size;
        if (data != NULL)
            rep.read.data = *data;
    }
    rpc_reply(job->request, rc, &rep, rc != 0 ? "transfer" : NULL);
    free(job->pieces);
    free(job);
}

static void job_next(struct job *job);

static void job_moved(struct net_op *op, int rc)
{
    struct job *job = (struct job *)op;

    if (job->target->rpc == NULL)
        return;
    job->at++;
    if (rc != 0)
        job_end(job, rc, NULL);
    else
        job_next(job);
}

static void job_next(struct job *job)
{
    uint64_t peer = rpc_request_peer(job->request);
    struct piece *piece = &job->pieces[job->at];
    int rc;

    if (job->at == job->npieces) {
        job_end(job, 0, NULL);
        return;
    }
    job->op.done = job_moved;
    if (job->is_write)
        rc = net_read(job->target->net, &job->op, peer,
                      job->object->bytes + piece->object, piece->length, NULL,
                      job->addr + piece->mem, job->key);
    else
        rc = net_write(job->target->net, &job->op, peer,
                       job->object->bytes + piece->object, piece->length, NULL,
                       job->addr + piece->mem, job->key);
    if (rc != 0)
        job_end(job, rc, NULL);
}

static void job_inline_read(struct job *job)
{
    static uint8_t data[PROTO_INLINE_MAX];
    struct proto_bytes bytes = {data, 0};

    job->target->fake->inlined++;
    for (size_t i = 0; i < job->npieces; i++) {
        assert(bytes.len + job->pieces[i].length <= sizeof(data));
        memcpy(data + bytes.len, job->object->bytes + job->pieces[i].object,
               job->pieces[i].length);
        bytes.len += (uint32_t)job->pieces[i].length;
    }
    job_end(job, 0, &bytes);
}

static void job_inline_write(struct job *job, const struct proto_bytes *data)
{
    const uint8_t *from = data->data;

    job->target->fake->inlined++;
    assert(job->bytes == data->len);
    for (size_t i = 0; i < job->npieces; i++) {
        memcpy(job->object->bytes + job->pieces[i].object, from,
               job->pieces[i].length);
        from += job->pieces[i].length;
    }
    job_end(job, 0, NULL);
}

static void serve_read(struct job *job, const struct proto_req_read *req)
{
    job->object_size = job->object->size;
    cut_runs(job, &req->runs, req->stripe_size, req->columns, req->column,
             job->object_size, req->is_inline ? UINT64_MAX : req->span);
    job->key = req->key;
    job->addr = req->addr;
    if (req->is_inline)
        job_inline_read(job);
    else
        job_next(job);
}

static void serve_write(struct job *job, const struct proto_req_write *req)
{
    uint64_t end;

    cut_runs(job, &req->runs, req->stripe_size, req->columns, req->column,
             UINT64_MAX, req->data.len > 0 ? UINT64_MAX : req->span);
    for (size_t i = 0; i < job->npieces; i++) {
        end = job->pieces[i].object + job->pieces[i].length;
        object_grow(job->object, end);
    }
    job->key = req->key;
    job->addr = req->addr;
    job->is_write = true;
    if (req->data.len > 0)
        job_inline_write(job, &req->data);
    else
        job_next(job);
}

static void serve_data(struct fake_target *target, struct rpc_request *request)
{
    bool is_read = request->opcode == PROTO_OP_read;
    uint64_t ino = is_read ? request->body.read.ino : request->body.write.ino;
    struct fake_name *name = find_ino(target->fake, ino);
    static struct fake_object none;
    struct job *job = must(calloc(1, sizeof(*job)));

    job->target = target;
    job->request = request;
    job->object = name != NULL ? &name->objects[target->id] : &none;
    if (is_read)
        serve_read(job, &request->body.read);
    else
        serve_write(job, &request->body.write);
}

static void serve(void *ctx, struct rpc_request *request)
{
    struct fake_target *target = ctx;
    struct fake *fake = target->fake;
    union proto_rep rep = {0};
    void (*hook)(struct fake *) = fake->before_read;
    int rc;

    fake->served[request->opcode]++;
    if (target->is_silent)
        return;
    if (fake->fail_count > 0 && fake->fail_opcode == request->opcode) {
        fake->fail_count--;
        rpc_reply(request, fake->fail_rc, NULL, "as the test wants");
        return;
    }
    if (request->opcode == PROTO_OP_read || request->opcode == PROTO_OP_write) {
        serve_data(target, request);
        if (request->opcode == PROTO_OP_read && hook != NULL) {
            fake->before_read = NULL;
            hook(fake);
        }
        return;
    }
    rc = handlers[request->opcode](target, &request->body, &rep);
    rpc_reply(request, rc, &rep, NULL);
}

static int turn(void *ctx)
{
    return rpc_poll(((struct fake_target *)ctx)->rpc);
}

static void target_start(struct fake *fake, uint16_t id)
{
    struct fake_target *target = &fake->targets[id - 1];
    struct net_config net = {.provider = "sim",
                             .node = "sim",
                             .message_max = PROTO_MESSAGE_MAX,
                             .receives = 256,
                             .recv = rpc_receive,
                             .recv_ctx = &target->rpc,
                             .clock = &fake->clock.clock,
                             .fabric = fake->fabric};
    struct rpc_config rpc = {.clock = &fake->clock.clock,
                             .cluster = fake->cluster,
                             .client = 1000u + id,
                             .serve = serve,
                             .serve_ctx = target,
                             .target = id,
                             .boot = 1,
                             .requests_max = 64,
                             .sessions_max = 8};

    target->fake = fake;
    target->id = id;
    target->counters = must(calloc(1, sizeof(struct counters)));
    net.service = cluster_target(fake->cluster, id)->service;
    rpc.counters = target->counters;
    if (net_open(&net_sim, &net, &target->net) != 0)
        abort();
    rpc.net = target->net;
    if (rpc_create(&rpc, &target->rpc) != 0 ||
        net_sim_actor_add(fake->fabric, turn, target) != 0)
        abort();
}

static void target_stop(struct fake_target *target)
{
    net_sim_crash(target->fake->fabric, target->net);
    net_sim_actor_remove(target->fake->fabric, target);
    rpc_destroy(&target->rpc);
    net_close(target->net);
    free(target->counters);
}

static struct cluster *make_cluster(unsigned ntargets)
{
    char yaml[4096], text[CLUSTER_TEXT_MAX];
    struct cluster *cluster;
    int used = snprintf(yaml, sizeof(yaml),
                        "cluster: c0ffee\nservers:\n  - name: s1\n"
                        "    node: sim\n    targets:\n");

    for (unsigned i = 1; i <= ntargets; i++)
        used += snprintf(yaml + used, sizeof(yaml) - (size_t)used,
                         "      - id: %u\n        service: t%u\n"
                         "        directory: /nowhere/%u\n",
                         i, i, i);
    if (cluster_parse(yaml, (size_t)used, "fake", &cluster, text) != 0) {
        fprintf(stderr, "%s\n", text);
        abort();
    }
    return cluster;
}

struct net_sim_config fake_calm(uint64_t seed)
{
    struct net_sim_config config = {.seed = seed,
                                    .delay_min_ns = 1 * NS_PER_US,
                                    .delay_max_ns = 9 * NS_PER_US};

    return config;
}

struct fake *fake_create(unsigned ntargets, const struct net_sim_config *odds)
{
    struct fake *fake = must(calloc(1, sizeof(*fake)));
    struct cli_config config = {
        .no_sums = true, /* these servers know none; tests/sim has them */
        .net_driver = &net_sim, .clock = &fake->clock.clock, .client = 7};
    char text[CLUSTER_TEXT_MAX];

    assert(ntargets <= FAKE_TARGETS_MAX);
    clock_virtual_init(&fake->clock);
    if (net_sim_create(odds, &fake->clock, &fake->fabric) != 0)
        abort();
    fake->cluster = make_cluster(ntargets);
    fake->ntargets = ntargets;
    fake->stripe_size = STRIPE_SIZE_MIN;
    fake->width = (uint16_t)ntargets;
    fake->next_ino = ino_make(1, 2);
    for (unsigned i = 1; i <= ntargets; i++)
        target_start(fake, (uint16_t)i);
    config.fabric = fake->fabric;
    config.cluster = fake->cluster;
    if (cli_session_create(&config, &fake->session, text) != 0)
        abort();
    return fake;
}

void fake_destroy(struct fake *fake)
{
    /* Whatever became of the operations, nothing is waited for any more. */
    assert(fake->session->moving == 0);
    capstan_session_close(&fake->session);
    for (unsigned i = 0; i < fake->ntargets; i++)
        target_stop(&fake->targets[i]);
    for (unsigned i = 0; i < FAKE_NAMES_MAX; i++)
        for (unsigned t = 0; t <= FAKE_TARGETS_MAX; t++)
            free(fake->names[i].objects[t].bytes);
    cluster_destroy(&fake->cluster);
    net_sim_destroy(&fake->fabric);
    free(fake);
}
