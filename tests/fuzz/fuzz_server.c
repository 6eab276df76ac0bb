/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged and lying requests, thrown at a real target over the simulated
 * fabric. Each round is a cluster of its own: a stranger says HELLO, sends
 * requests of every kind that were changed at random after they were encoded,
 * and goes. Afterwards nothing is under way on the target, and it serves an
 * honest caller. To be run with sanitizers.
 *
 *     fuzz_server [SEED [COUNT]]    rounds SEED .. SEED + COUNT - 1
 */
#include "base/rng.h"
#include "proto/status.h"
#include "server/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 40
#define MESSAGES 300
#define SENDS 64
#define MEMORY (1u << 20)
#define PATIENCE_NS (61 * NS_PER_SEC) /* no job lives longer than a minute */
#define LEAPS 5
#define STRANGER 4711

struct send {
    struct net_op op; /* first */
    bool is_under_way;
    uint8_t bytes[PROTO_MESSAGE_MAX];
};

struct fuzz {
    struct kit kit;
    struct rng rng;
    uint64_t seed;
    struct net *net;
    uint64_t peer;
    uint64_t session; /* 0: not open */
    uint64_t number;
    uint8_t *memory;
    struct net_mr *mr;
    struct net_remote remote;
    struct send sends[SENDS];
    uint8_t runs[PROTO_RUNS_MAX];
    uint8_t data[PROTO_WRITE_INLINE_MAX];
    char text[256];
    uint64_t nsent, nanswered, nok;
};

static void fail(const struct fuzz *f, const char *why)
{
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)f->seed, why);
    exit(1);
}

static uint64_t any(struct fuzz *f, uint64_t below)
{
    return rng_below(&f->rng, below);
}

/* Numbers at which sums and comparisons go wrong. */
static uint64_t any_number(struct fuzz *f)
{
    uint64_t power = 1ull << any(f, 64);

    switch (any(f, 6)) {
    case 0:
        return any(f, 4);
    case 1:
        return power - any(f, 3);
    case 2:
        return 0 - any(f, 5000);
    case 3:
        return power + any(f, 5000);
    default:
        return any(f, 1 << 20);
    }
}

static uint64_t any_ino(struct fuzz *f)
{
    return any(f, 10) == 0 ? any_number(f) : 0x1000000000040ull + any(f, 4);
}

static struct proto_bytes any_name(struct fuzz *f)
{
    size_t len = any(f, 8) == 0 ? any(f, 256) : 1 + any(f, 3);

    for (size_t i = 0; i < len; i++)
        f->text[i] = (char)("abc./"[any(f, 40) == 0 ? 3 + any(f, 2)
                                                    : any(f, 3)]);
    return (struct proto_bytes){(const uint8_t *)f->text, (uint32_t)len};
}

/* Mostly runs that fit memory and small files, some that do not. */
static struct proto_bytes any_runs(struct fuzz *f)
{
    struct proto_runs state = {0};
    uint8_t *at = f->runs;
    size_t n = any(f, 10) == 0 ? any(f, 3000) : 1 + any(f, 20);

    for (size_t i = 0; i < n; i++) {
        struct run run = {
            .offset = any(f, 200000),
            .length = 1 + any(f, any(f, 2) == 0 ? 100 : 40000),
            .count = any(f, 3) == 0 ? 1 + any(f, 50) : 1,
            .mem = any(f, MEMORY / 2),
        };

        run.stride = run.count > 1 ? any(f, 60000) : 0;
        run.mem_stride = run.count > 1 ? (int64_t)any(f, 20000) - 2000 : 0;
        if (any(f, 30) == 0)
            run.count = 1 + (any_number(f) >> any(f, 40));
        if (any(f, 60) == 0)
            run.offset = any_number(f) >> 2;
        if (any(f, 60) == 0)
            run.length = 1 + (any_number(f) >> 2);
        if (proto_run_encode(&state, &run, &at,
                             f->runs + sizeof(f->runs)) != 0)
            break;
    }
    return (struct proto_bytes){f->runs, (uint32_t)(at - f->runs)};
}

static const uint16_t opcodes[] = {
#define X(value, name, flags) value,
    PROTO_MSGS(X)
#undef X
};

static uint32_t any_length(struct fuzz *f)
{
    return (uint32_t)any(
        f, 1 + (any(f, 2) == 0 ? PROTO_INLINE_MAX : PROTO_WRITE_INLINE_MAX));
}

static void fill_io(struct fuzz *f, uint16_t opcode, union proto_req *req)
{
    uint16_t columns = (uint16_t)(any(f, 2) == 0 ? 1 : 1 + any(f, 64));

    if (opcode == PROTO_OP_read) {
        req->read = (struct proto_req_read){
            .ino = any_ino(f),
            .stripe_size = 4096,
            .columns = columns,
            .column = (uint16_t)any(f, columns),
            .is_inline = any(f, 4) == 0,
            .key = f->remote.key,
            .addr = f->remote.addr,
            .span = MEMORY,
            .runs = any_runs(f),
        };
        return;
    }
    req->write = (struct proto_req_write){
        .ino = any_ino(f),
        .stripe_size = 4096,
        .columns = columns,
        .column = (uint16_t)any(f, columns),
        .key = f->remote.key,
        .addr = f->remote.addr,
        .span = MEMORY,
        .data = {f->data, any(f, 4) == 0 ? any_length(f) : 0},
        .runs = any_runs(f),
    };
}

static void fill_who(struct fuzz *f, struct proto_bytes *cred, uint8_t *may)
{
    *cred = (struct proto_bytes){f->data, (uint32_t)any(f, PROTO_CRED_MAX)};
    *may = (uint8_t)any(f, 8);
}

/* Inodes, links, renames, and what targets say to each other. */
static void fill_inode(struct fuzz *f, uint16_t opcode, union proto_req *req)
{
    uint8_t may;

    switch (opcode) {
    case PROTO_OP_getattr:
        req->getattr.ino = any_ino(f);
        req->getattr.want = (uint32_t)any_number(f);
        fill_who(f, &req->getattr.cred, &req->getattr.may);
        break;
    case PROTO_OP_setattr:
        req->setattr.ino = any(f, 2) == 0 ? 1 : any_ino(f);
        req->setattr.valid = (uint32_t)any_number(f);
        req->setattr.mode = (uint32_t)any_number(f);
        fill_who(f, &req->setattr.cred, &may);
        break;
    case PROTO_OP_make:
        req->make.parent = 1;
        req->make.text = any_name(f);
        req->make.type = (uint8_t)any(f, 10);
        req->make.link = any_name(f);
        break;
    case PROTO_OP_rename:
        req->rename.parent = req->rename.from_parent = 1;
        req->rename.text = any_name(f);
        req->rename.from_text = any_name(f);
        req->rename.ino = any_ino(f);
        req->rename.type = (uint8_t)any(f, 9);
        req->rename.flags = (uint8_t)any(f, 4);
        req->rename.is_held = (uint8_t)any(f, 2);
        break;
    case PROTO_OP_link:
        req->link.parent = 1;
        req->link.text = any_name(f);
        req->link.ino = any_ino(f);
        req->link.type = (uint8_t)any(f, 9);
        break;
    case PROTO_OP_xattr_get:
        req->xattr_get.ino = any(f, 2) == 0 ? 1 : any_ino(f);
        req->xattr_get.name = any_name(f);
        fill_who(f, &req->xattr_get.cred, &may);
        break;
    case PROTO_OP_xattr_set:
        req->xattr_set.ino = any(f, 2) == 0 ? 1 : any_ino(f);
        req->xattr_set.name = any_name(f);
        req->xattr_set.flags = (uint8_t)any(f, 4);
        req->xattr_set.is_removal = (uint8_t)any(f, 2);
        fill_who(f, &req->xattr_set.cred, &may);
        break;
    case PROTO_OP_hold:
        req->hold.inos = (struct proto_bytes){f->data, (uint32_t)any(f, 4096)};
        req->hold.is_drop = (uint8_t)any(f, 2);
        break;
    case PROTO_OP_entry_settle:
        req->entry_settle.parent = any(f, 2);
        req->entry_settle.text = any_name(f);
        req->entry_settle.is_committed = (uint8_t)any(f, 2);
        req->entry_settle.id = any_number(f);
        break;
    case PROTO_OP_inode_settle:
        req->inode_settle.ino = any_ino(f);
        req->inode_settle.what = (uint8_t)any(f, 6);
        req->inode_settle.id = any_number(f);
        req->inode_settle.floor = any_number(f);
        req->inode_settle.holder = any(f, 2);
        break;
    default:
        break;
    }
}

/* A request that a client might send. */
static void fill(struct fuzz *f, uint16_t opcode, union proto_req *req)
{
    uint64_t parent = any(f, 4) != 0 ? 1 : any_number(f);

    memset(req, 0, sizeof(*req));
    switch (opcode) {
    case PROTO_OP_hello:
        req->hello.name = any_name(f);
        req->hello.name.len %= PROTO_NAME_MAX;
        req->hello.client = any_number(f);
        req->hello.cluster = any(f, 2) == 0 ? 0x7e57 : any_number(f);
        req->hello.floor = any_number(f);
        req->hello.target = 1;
        break;
    case PROTO_OP_create:
        req->create.parent = parent;
        req->create.text = any_name(f);
        req->create.mode = (uint32_t)any_number(f);
        req->create.stripe_size = any(f, 4) == 0 ? (uint32_t)any_number(f) : 0;
        req->create.width = (uint16_t)(any(f, 4) == 0 ? any_number(f) : 0);
        break;
    case PROTO_OP_lookup:
    case PROTO_OP_mkdir:
    case PROTO_OP_unlink:
    case PROTO_OP_rmdir: /* parent and name come first in all of them */
        req->lookup.parent = parent;
        req->lookup.text = any_name(f);
        if (opcode == PROTO_OP_lookup)
            fill_who(f, &req->lookup.cred, &req->lookup.may);
        break;
    case PROTO_OP_readdir:
        req->readdir.dir = parent;
        req->readdir.after = any_number(f);
        break;
    case PROTO_OP_set_striped:
        req->set_striped.ino = any_ino(f);
        break;
    default:
        fill_inode(f, opcode, req);
        break;
    case PROTO_OP_freeze:
    case PROTO_OP_thaw:
        req->freeze.dir = 2 + any_number(f);
        break;
    case PROTO_OP_read:
    case PROTO_OP_write:
        fill_io(f, opcode, req);
        break;
    case PROTO_OP_obj_stat:
    case PROTO_OP_obj_sync:
    case PROTO_OP_obj_destroy:
        req->obj_stat.ino = any_ino(f);
        break;
    case PROTO_OP_obj_truncate:
        req->obj_truncate.ino = any_ino(f);
        req->obj_truncate.size = any_number(f);
        req->obj_truncate.how = (uint8_t)any(f, 4);
        break;
    case PROTO_OP_obj_allocate:
        req->obj_allocate.ino = any_ino(f);
        req->obj_allocate.offset = any_number(f);
        req->obj_allocate.length = any_number(f);
        req->obj_allocate.keeps_size = (uint8_t)any(f, 2);
        break;
    }
}

static size_t damage(struct fuzz *f, uint8_t *bytes, size_t len)
{
    uint64_t number;
    size_t at, size;

    switch (any(f, 4)) {
    case 0:
        bytes[any(f, len)] ^= (uint8_t)(1u << any(f, 8));
        break;
    case 1: /* a number, anywhere */
        number = any_number(f);
        size = 1u << any(f, 4);
        at = any(f, len);
        if (at + size <= len)
            memcpy(bytes + at, &number, size);
        break;
    case 2:
        len = any(f, len + 1);
        break;
    default:
        at = any(f, len);
        size = any(f, len - at + 1);
        memmove(bytes + any(f, len - size + 1), bytes + at, size);
        break;
    }
    return len;
}

static void sent(struct net_op *op, int rc)
{
    (void)rc;
    ((struct send *)op)->is_under_way = false;
}

static struct send *free_send(struct fuzz *f)
{
    for (unsigned i = 0; i < SENDS; i++)
        if (!f->sends[i].is_under_way)
            return &f->sends[i];
    return NULL;
}

static void post(struct fuzz *f, struct send *send, size_t len)
{
    send->op.done = sent;
    send->is_under_way = true;
    if (net_send(f->net, &send->op, f->peer, send->bytes, len, NULL) != 0)
        send->is_under_way = false;
    else
        f->nsent++;
}

static void step(struct fuzz *f, uint64_t ns)
{
    net_poll(f->net);
    kit_run(&f->kit, ns);
}

static void send_hello(struct fuzz *f)
{
    struct send *send = free_send(f);
    uint8_t name[NET_NAME_MAX];
    size_t name_len = sizeof(name), len;
    union proto_req req = {.hello = {.client = STRANGER,
                                     .cluster = 0x7e57,
                                     .target = 1}};
    struct proto_header header = {.magic = PROTO_MAGIC,
                                  .version = PROTO_VERSION,
                                  .opcode = PROTO_OP_hello,
                                  .target = 1};

    if (send == NULL || net_name(f->net, name, &name_len) != 0)
        fail(f, "no HELLO");
    req.hello.name = (struct proto_bytes){name, (uint32_t)name_len};
    if (proto_req_encode(PROTO_OP_hello, &req, send->bytes + PROTO_HEADER_SIZE,
                         1024, &len) != 0)
        fail(f, "HELLO does not encode");
    header.body = (uint32_t)len;
    proto_header_encode(&header, send->bytes);
    post(f, send, PROTO_HEADER_SIZE + len);
}

static void send_one(struct fuzz *f)
{
    struct send *send = free_send(f);
    uint16_t opcode = opcodes[any(f, sizeof(opcodes) / sizeof(opcodes[0]))];
    struct proto_header header = {.magic = PROTO_MAGIC,
                                  .version = PROTO_VERSION,
                                  .target = 1};
    union proto_req req;
    size_t len, more;

    if (send == NULL)
        return;
    if (any(f, 2) == 0) /* where most of the code is */
        opcode = any(f, 2) == 0 ? PROTO_OP_read : PROTO_OP_write;
    fill(f, opcode, &req);
    if (proto_req_encode(opcode, &req, send->bytes + PROTO_HEADER_SIZE,
                         PROTO_MESSAGE_MAX - PROTO_HEADER_SIZE, &len) != 0)
        return;
    header.opcode = opcode;
    header.session = f->session;
    header.request = any(f, 20) == 0 ? any_number(f) : ++f->number;
    header.floor = f->number > 40 ? f->number - 40 : 1;
    header.flags = any(f, 40) == 0 ? PROTO_FLAG_REPLY : 0;
    header.status = any(f, 40) == 0 ? (uint32_t)any(f, 120) : 0;
    for (more = any(f, 4); more > 0 && len > 0; more--)
        len = damage(f, send->bytes + PROTO_HEADER_SIZE, len);
    header.body = (uint32_t)len;
    proto_header_encode(&header, send->bytes);
    len += PROTO_HEADER_SIZE;
    if (any(f, 20) == 0)
        len = damage(f, send->bytes, len);
    post(f, send, len);
}

static void receive(void *ctx, struct net *net, void *buffer, size_t len)
{
    struct fuzz *f = ctx;
    struct proto_header header;

    if (proto_header_decode(buffer, len, &header) != 0)
        fail(f, "an answer that is malformed");
    if (header.opcode == PROTO_OP_hello && header.status == 0 &&
        f->session == 0)
        f->session = header.session;
    f->nanswered++;
    f->nok += header.status == PROTO_STATUS_OK;
    net_release(net, buffer);
}

static void open_stranger(struct fuzz *f)
{
    struct net_config config = {
        .node = "sim",
        .service = "stranger",
        .message_max = PROTO_MESSAGE_MAX,
        .receives = 64,
        .recv = receive,
        .recv_ctx = f,
        .clock = &f->kit.clock.clock,
        .fabric = f->kit.fabric,
    };

    f->memory = calloc(1, MEMORY);
    if (f->memory == NULL || net_open(&net_sim, &config, &f->net) != 0 ||
        net_mr_reg(f->net, f->memory, MEMORY, NET_MEM_HOST,
                   NET_REMOTE_READ | NET_REMOTE_WRITE, &f->mr) != 0 ||
        net_peer_resolve(f->net, "sim", "t1", &f->peer) != 0)
        fail(f, "no endpoint");
    net_mr_remote(f->net, f->mr, &f->remote);
}

static void check_target(struct fuzz *f)
{
    struct srv_target *target = f->kit.servers[0].target;
    struct proto_req_ping ping = {0};
    unsigned i, k;

    /* The first leaps may find messages that had not yet arrived. */
    for (i = 0; i < LEAPS && !srv_target_is_idle(target); i++) {
        clock_virtual_set(&f->kit.clock, f->kit.clock.now_ns + PATIENCE_NS);
        for (k = 0; k < 200 && !srv_target_is_idle(target); k++)
            step(f, 50 * NS_PER_US);
    }
    if (!srv_target_is_idle(target))
        fail(f, "requests do not end");
    if (kit_call(&f->kit, 1, PROTO_OP_ping, &ping) != 0)
        fail(f, "the target does not answer any more");
}

static void play(struct fuzz *f, uint64_t seed)
{
    f->seed = seed;
    rng_init(&f->rng, seed);
    kit_init(&f->kit);
    open_stranger(f);
    f->session = f->number = 0;
    for (unsigned i = 0; i < SENDS; i++)
        f->sends[i].is_under_way = false; /* they went with the last net */
    send_hello(f);
    while (f->session == 0)
        step(f, NS_PER_MS);
    for (unsigned i = 0; i < MESSAGES; i++) {
        send_one(f);
        if (any(f, 3) == 0)
            step(f, any(f, 300) * NS_PER_US + 1);
    }
    check_target(f);
    net_close(f->net); /* ends the registration */
    kit_fini(&f->kit);
    free(f->memory);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : ROUNDS;
    struct fuzz *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return 1;
    if (first == 0)
        first = (uint64_t)time(NULL) * 1000;
    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1));
    fflush(stdout);
    for (uint64_t seed = first; seed < first + count; seed++)
        play(f, seed);
    printf("%llu messages, %llu answers, %llu of them successes\n",
           (unsigned long long)f->nsent, (unsigned long long)f->nanswered,
           (unsigned long long)f->nok);
    free(f);
    return 0;
}
