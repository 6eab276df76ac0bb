/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same through struct net, so that what our layer costs, or saves, can be
 * read off beside it.
 */
#include "benchmarks/fabric.h"

#include "net/net.h"

#include <errno.h>
#include <string.h>

#define OPS 512

static struct net *net;
static struct net_mr *mr;
static uint64_t peer;
static struct fabric_name remote;
static char *memory;
static struct fabric_counts counts;
static struct net_op ops[OPS];
static struct net_op *free_ops[OPS];
static unsigned nfree;
static char message[FABRIC_MESSAGE];

static void on_receive(void *ctx, struct net *from, void *buffer, size_t len)
{
    counts.received++;
    counts.last = *(char *)buffer;
    net_release(from, buffer);
}

static void on_sent(struct net_op *op, int rc)
{
    fabric_must("send", rc);
    counts.sent++;
    free_ops[nfree++] = op;
}

static void on_moved(struct net_op *op, int rc)
{
    fabric_must("rma", rc);
    counts.moved++;
    free_ops[nfree++] = op;
}

static int way_open(const char *provider, char *shared, bool no_shortcut)
{
    struct net_config config = {.provider = provider,
                                .node = "127.0.0.1",
                                .message_max = FABRIC_MESSAGE,
                                .receives = 256,
                                .recv = on_receive,
                                .clock = clock_real(),
                                .no_shortcut = no_shortcut};
    int rc = net_open(&net_ofi, &config, &net);

    if (rc != 0)
        return rc;
    memory = shared;
    fabric_must("register",
                net_mr_reg(net, memory, FABRIC_MEMORY, NET_MEM_HOST,
                           NET_REMOTE_READ | NET_REMOTE_WRITE, &mr));
    for (nfree = 0; nfree < OPS; nfree++)
        free_ops[nfree] = &ops[nfree];
    memset(&counts, 0, sizeof(counts));
    return 0;
}

static int net_way_open(const char *provider, char *shared)
{
    return way_open(provider, shared, false);
}

static int wire_way_open(const char *provider, char *shared)
{
    return way_open(provider, shared, true);
}

static void net_way_name(struct fabric_name *name)
{
    size_t len = sizeof(name->bytes);
    struct net_remote here;

    fabric_must("name", net_name(net, name->bytes, &len));
    name->len = (uint32_t)len;
    net_mr_remote(net, mr, &here);
    name->key = here.key;
    name->addr = here.addr;
}

static void net_way_connect(const struct fabric_name *name)
{
    remote = *name;
    fabric_must("peer", net_peer_insert(net, name->bytes, name->len, &peer));
}

static bool started(struct net_op *op, int rc)
{
    if (rc == 0)
        return true;
    free_ops[nfree++] = op;
    if (rc != -EAGAIN)
        fabric_must("start", rc);
    return false;
}

static bool net_way_send(char first)
{
    struct net_op *op = nfree == 0 ? NULL : free_ops[--nfree];

    if (op == NULL)
        return false;
    op->done = on_sent;
    message[0] = first;
    return started(op, net_send(net, op, peer, message, sizeof(message), NULL));
}

static bool net_way_move(bool is_write, size_t offset, size_t len)
{
    struct net_op *op = nfree == 0 ? NULL : free_ops[--nfree];

    if (op == NULL)
        return false;
    op->done = on_moved;
    return started(op, is_write
                           ? net_write(net, op, peer, memory + offset, len, mr,
                                       remote.addr + offset, remote.key)
                           : net_read(net, op, peer, memory + offset, len, mr,
                                      remote.addr + offset, remote.key));
}

static void net_way_progress(struct fabric_counts *counts_inout)
{
    net_poll(net);
    *counts_inout = counts;
}

static void net_way_close(void)
{
    net_mr_dereg(net, mr);
    net_close(net);
}

const struct fabric_way fabric_net = {
    "net",        net_way_open, net_way_name,     net_way_connect,
    net_way_send, net_way_move, net_way_progress, net_way_close};
const struct fabric_way fabric_wire = {
    "net, no shortcut", wire_way_open, net_way_name,     net_way_connect,
    net_way_send,       net_way_move,  net_way_progress, net_way_close};
