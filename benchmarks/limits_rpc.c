/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls to servers as a layer of benchmarks/limits: READ and WRITE made by
 * hand, over memory that stays registered, without the client library. No sums
 * travel, and nothing is compared here.
 *
 * The happy path: a session of the library tells inode and layout, then an
 * endpoint and an rpc of our own do the work. A transfer is one call for each
 * stripe that it touches.
 */
#include "benchmarks/limits_io.h"

#include "base/inode.h"
#include "net/net.h"
#include "rpc/rpc.h"

#include <capstan/namespace.h>

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 64u
#define DEADLINE_NS (30 * NS_PER_SEC)
#define RECEIVES 64u

struct call {
    struct rpc_call rpc; /* first */
    union proto_req req;
    uint8_t runs[PROTO_RUNS_MAX];
    size_t runs_len;
    struct proto_runs encoder;
};

static struct cluster *cluster;
static struct net *net;
static struct rpc *rpc;
static struct net_mr *mr;
static struct net_remote remote;
static struct call calls[CALLS_MAX];
static unsigned ncalls, nended;
static uint64_t ino, bytes_moved;
static uint32_t stripe_size;
static uint16_t width, targets[LAYOUT_WIDTH_MAX];

static void find_file(const char *name)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    struct capstan_session *session;
    struct capstan_file_layout layout;
    struct capstan_file *file;
    struct capstan_stat stat;

    must(capstan_session_open(&options, &session) == 0 &&
             capstan_stat(session, name, &stat) == 0 &&
             capstan_file_open(session, name, CAPSTAN_OPEN_READ, NULL, &file) ==
                 0,
         "open the file");
    capstan_file_layout(file, &layout);
    ino = stat.ino;
    stripe_size = layout.stripe_size;
    width = layout.width;
    memcpy(targets, layout.targets, width * sizeof(*targets));
    capstan_file_close(&file);
    capstan_session_close(&session);
}

static void open_fabric(struct bench *bench)
{
    const char *node = cluster->servers[0].node;
    struct net_config config = {
        .provider = cluster->provider,
        .toward = &node,
        .toward_count = 1,
        .message_max = PROTO_MESSAGE_MAX,
        .receives = RECEIVES,
        .recv = rpc_receive,
        .recv_ctx = &rpc,
        .no_shortcut = getenv("CAPSTAN_NO_SHORTCUT") != NULL,
    };

    must(net_open(&net_ofi, &config, &net) == 0, "net_open");
    must(net_mr_reg(net, bench->memory, PART, NET_MEM_HOST,
                    NET_REMOTE_READ | NET_REMOTE_WRITE, &mr) == 0,
         "registration");
    net_mr_remote(net, mr, &remote);
}

static void rpc_layer_open(struct bench *bench)
{
    const char *name = strchr(bench->path, ':');
    char text[CLUSTER_TEXT_MAX];
    struct rpc_config config = {
        .clock = clock_real(),
        .client = clock_now(clock_real()) * 64 + (uint64_t)bench->rank + 1,
    };

    must(name != NULL, "path (capstan:/...)");
    find_file(name + 1);
    must(cluster_load(NULL, &cluster, text) == 0, "the cluster file");
    open_fabric(bench);
    config.net = net;
    config.cluster = cluster;
    must(rpc_create(&config, &rpc) == 0, "rpc_create");
}

static void rpc_layer_close(struct bench *bench)
{
    (void)bench;
    rpc_destroy(&rpc);
    net_mr_dereg(net, mr);
    net_close(net);
    cluster_destroy(&cluster);
}

static void on_done(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    const struct call *self = (struct call *)call;

    must(rc == 0, call->text);
    nended++;
    if (call->opcode == PROTO_OP_write) {
        bytes_moved += rep->write.bytes;
        return;
    }
    bytes_moved += rep->read.bytes;
    if (self->req.read.is_inline)
        memcpy((char *)self->rpc.ctx, rep->read.data.data, rep->read.data.len);
}

/* A call without runs yet, for a column. */
static struct call *call_new(uint16_t column, bool is_write)
{
    struct call *call = &calls[ncalls++];

    must(ncalls <= CALLS_MAX, "room for calls");
    memset(call, 0, offsetof(struct call, runs));
    call->runs_len = 0;
    memset(&call->encoder, 0, sizeof(call->encoder));
    call->rpc.target = targets[column];
    call->rpc.opcode = is_write ? PROTO_OP_write : PROTO_OP_read;
    call->rpc.req = &call->req;
    call->rpc.deadline_ns = clock_now(clock_real()) + DEADLINE_NS;
    call->rpc.done = on_done;
    return call;
}

static bool call_add(struct call *call, const struct bench *bench, uint64_t at,
                     size_t size)
{
    struct run run = {.offset = part_start(bench) + at,
                      .length = size,
                      .count = 1,
                      .mem = at};
    uint8_t *end = call->runs + call->runs_len;

    if (proto_run_encode(&call->encoder, &run, &end,
                         call->runs + sizeof(call->runs)) != 0)
        return false;
    call->runs_len = (size_t)(end - call->runs);
    return true;
}

/* Data of one block up to PROTO_INLINE_MAX rides in the message. */
static void call_start(struct call *call, uint16_t column, char *memory,
                       size_t inline_len)
{
    struct proto_bytes runs = {call->runs, (uint32_t)call->runs_len};

    call->rpc.ctx = memory;
    if (call->rpc.opcode == PROTO_OP_write)
        call->req.write = (struct proto_req_write){
            .ino = ino,
            .stripe_size = stripe_size,
            .columns = width,
            .column = column,
            .key = remote.key,
            .addr = remote.addr,
            .span = PART,
            .data = {(const uint8_t *)memory, (uint32_t)inline_len},
            .runs = runs};
    else
        call->req.read = (struct proto_req_read){.ino = ino,
                                                 .stripe_size = stripe_size,
                                                 .columns = width,
                                                 .column = column,
                                                 .is_inline = inline_len > 0,
                                                 .key = remote.key,
                                                 .addr = remote.addr,
                                                 .span = PART,
                                                 .runs = runs};
    rpc_call_start(rpc, &call->rpc);
}

static void finish(uint64_t bytes)
{
    while (nended < ncalls)
        if (rpc_poll(rpc) == 0)
            net_wait(net, rpc_next_timer(rpc));
    must(bytes_moved == bytes, "all bytes");
    ncalls = nended = 0;
    bytes_moved = 0;
}

static uint16_t column_of(const struct bench *bench, uint64_t at)
{
    return (uint16_t)((part_start(bench) + at) / stripe_size % width);
}

/* Blocks are aligned to their size, and sizes and stripes are powers of two. */
static void rpc_layer_move(struct bench *bench, bool is_write, uint64_t at,
                           size_t size)
{
    size_t step = size < stripe_size ? size : stripe_size;
    size_t inline_len = size <= PROTO_INLINE_MAX ? size : 0;
    struct call *call;
    uint16_t column;

    for (uint64_t done = 0; done < size; done += step) {
        column = column_of(bench, at + done);
        call = call_new(column, is_write);
        call_add(call, bench, at + done, step);
        call_start(call, column, bench->memory + at + done, inline_len);
    }
    finish(size);
}

static void rpc_layer_deep(struct bench *bench, unsigned depth)
{
    struct call *call;
    uint16_t column;
    uint64_t at;

    for (unsigned i = 0; i < depth; i++) {
        at = random_block(bench);
        column = column_of(bench, at);
        call = call_new(column, false);
        call_add(call, bench, at, SMALL);
        call_start(call, column, bench->memory + at, SMALL);
    }
    finish((uint64_t)depth * SMALL);
}

/* One call a column, or more when its runs do not fit. */
static void rpc_layer_list(struct bench *bench)
{
    struct call *open[LAYOUT_WIDTH_MAX] = {NULL};
    uint16_t column;
    uint64_t at;

    for (unsigned i = 0; i < LIST; i++) {
        at = random_block(bench);
        column = column_of(bench, at);
        if (open[column] != NULL && !call_add(open[column], bench, at, SMALL)) {
            call_start(open[column], column, NULL, 0);
            open[column] = NULL;
        }
        if (open[column] == NULL) {
            open[column] = call_new(column, false);
            call_add(open[column], bench, at, SMALL);
        }
    }
    for (column = 0; column < width; column++)
        if (open[column] != NULL)
            call_start(open[column], column, NULL, 0);
    finish((uint64_t)LIST * SMALL);
}

const struct layer layer_rpc = {
    "rpc",          rpc_layer_open, rpc_layer_close,
    rpc_layer_move, rpc_layer_deep, rpc_layer_list,
};
