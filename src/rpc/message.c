/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages on their way out: two pools of registered buffers, small ones for
 * nearly everything and large ones for long lists, pages and inline data.
 *
 * A message belongs to the sender until message_send(), then to the net until
 * its operation ends, then to its pool. What the net refuses with -EAGAIN waits
 * in order in rpc->unsent.
 *
 * Possible failure modes are: no message free (the caller waits or says busy);
 * a lost connection (the link is told; a lost reply is asked for again).
 */
#include "rpc/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <utlist.h>

static int pool_make(struct rpc *rpc, struct rpc_message_pool *pool,
                     size_t count, size_t size, bool is_large)
{
    size_t i;
    int rc;

    rc = pool_init(&pool->buffers, count, size);
    if (rc != 0)
        return rc;
    rc = net_mr_reg(rpc->config.net, pool->buffers.base, count * size,
                    NET_MEM_HOST, NET_LOCAL, &pool->mr);
    if (rc != 0)
        goto err_buffers;
    pool->all = mem_calloc(count, sizeof(*pool->all));
    if (pool->all == NULL) {
        rc = -ENOMEM;
        goto err_mr;
    }
    for (i = 0; i < count; i++) {
        pool->all[i].rpc = rpc;
        pool->all[i].is_large = is_large;
        pool->all[i].bytes = pool_get(&pool->buffers);
        LL_PREPEND(pool->free, &pool->all[i]);
    }
    return 0;

err_mr:
    net_mr_dereg(rpc->config.net, pool->mr);
err_buffers:
    pool_fini(&pool->buffers);
    return rc;
}

static void pool_unmake(struct rpc *rpc, struct rpc_message_pool *pool)
{
    if (pool->all == NULL)
        return;
    net_mr_dereg(rpc->config.net, pool->mr);
    pool_fini(&pool->buffers);
    free(pool->all);
}

int message_pools_init(struct rpc *rpc)
{
    int rc;

    rc = pool_make(rpc, &rpc->small, RPC_SMALL_COUNT, RPC_SMALL_SIZE, false);
    if (rc != 0)
        return rc;
    rc = pool_make(rpc, &rpc->large,
                   rpc->config.serve == NULL ? RPC_LARGE_COUNT
                                             : RPC_LARGE_COUNT_SERVER,
                   PROTO_MESSAGE_MAX, true);
    if (rc != 0)
        pool_unmake(rpc, &rpc->small);
    return rc;
}

void message_pools_fini(struct rpc *rpc)
{
    pool_unmake(rpc, &rpc->large);
    pool_unmake(rpc, &rpc->small);
}

struct rpc_message *message_get(struct rpc *rpc, bool is_large)
{
    struct rpc_message_pool *pool = is_large ? &rpc->large : &rpc->small;
    struct rpc_message *message = pool->free;

    if (message == NULL)
        return NULL;
    LL_DELETE(pool->free, message);
    message->link = NULL;
    message->session = 0;
    message->forget_peer = false;
    return message;
}

void message_put(struct rpc_message *message)
{
    struct rpc *rpc = message->rpc;
    struct rpc_message_pool *pool =
        message->is_large ? &rpc->large : &rpc->small;

    if (message->forget_peer)
        net_peer_remove(rpc->config.net, message->peer);
    LL_PREPEND(pool->free, message);
}

static void sent(struct net_op *op, int rc)
{
    struct rpc_message *message = (struct rpc_message *)op;

    if (rc != 0) {
        log_debug("message of %zu bytes was not sent: %s", message->len,
                  err_text(rc));
        if (message->link == NULL)
            session_lost(message->rpc, message->session);
        else if (message->link->peer == message->peer)
            link_lost(message->link);
    }
    message_put(message);
}

static int try_send(struct rpc_message *message)
{
    struct rpc *rpc = message->rpc;
    struct rpc_message_pool *pool =
        message->is_large ? &rpc->large : &rpc->small;

    message->op.done = sent;
    return net_send(rpc->config.net, &message->op, message->peer,
                    message->bytes, message->len, pool->mr);
}

void message_send(struct rpc_message *message, uint64_t peer)
{
    struct rpc *rpc = message->rpc;
    int rc = -EAGAIN;

    message->peer = peer;
    if (rpc->unsent == NULL)
        rc = try_send(message);
    if (rc == -EAGAIN)
        DL_APPEND(rpc->unsent, message);
    else if (rc != 0)
        sent(&message->op, rc);
}

int message_flush(struct rpc *rpc)
{
    struct rpc_message *message;
    int moved = 0;
    int rc;

    while ((message = rpc->unsent) != NULL) {
        rc = try_send(message);
        if (rc == -EAGAIN)
            break;
        DL_DELETE(rpc->unsent, message);
        if (rc != 0)
            sent(&message->op, rc);
        moved++;
    }
    return moved;
}

void message_seal(struct rpc_message *message, struct proto_header *header,
                  size_t body_len)
{
    header->magic = PROTO_MAGIC;
    header->version = PROTO_VERSION;
    header->body = (uint32_t)body_len;
    proto_header_encode(header, message->bytes);
    message->len = PROTO_HEADER_SIZE + body_len;
}
