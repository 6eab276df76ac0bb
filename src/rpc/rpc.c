/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One endpoint that calls and serves: makes the parts, hands each arrived
 * message to the side that it is for. See rpc.h for the whole story.
 */
#include "rpc/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

int rpc_create(const struct rpc_config *config, struct rpc **rpc_out)
{
    struct rpc *rpc = mem_calloc(1, sizeof(*rpc));
    int rc = -ENOMEM;

    if (rpc == NULL)
        return rc;
    rpc->config = *config;
    rpc->next_timer_ns = UINT64_MAX;
    rpc->name_len = sizeof(rpc->name);
    rc = net_name(config->net, rpc->name, &rpc->name_len);
    if (rc != 0)
        goto err_rpc;
    rc = message_pools_init(rpc);
    if (rc != 0)
        goto err_rpc;
    rc = links_init(rpc);
    if (rc != 0)
        goto err_pools;
    rc = serve_init(rpc);
    if (rc != 0)
        goto err_serve;
    *rpc_out = rpc;
    return 0;

err_serve:
    serve_fini(rpc);
    links_fini(rpc);
err_pools:
    message_pools_fini(rpc);
err_rpc:
    free(rpc);
    return rc;
}

void rpc_destroy(struct rpc **rpc_p)
{
    struct rpc *rpc = *rpc_p;

    if (rpc == NULL)
        return;
    serve_fini(rpc);
    links_fini(rpc);
    message_pools_fini(rpc);
    free(rpc);
    *rpc_p = NULL;
}

void rpc_receive(void *ctx, struct net *net, void *buffer, size_t len)
{
    struct rpc *rpc = *(struct rpc **)ctx;
    struct proto_header header;
    int rc;

    if (rpc == NULL) {
        net_release(net, buffer);
        return;
    }
    rc = proto_header_decode(buffer, len, &header);
    if (rc == -ERR_PROTOCOL || header.body > len - PROTO_HEADER_SIZE) {
        rpc_count(rpc, COUNTER_malformed);
        log_debug("dropped a malformed message of %zu bytes", len);
    } else if (header.flags & PROTO_FLAG_REPLY) {
        link_receive(rpc, &header, rc, (uint8_t *)buffer + PROTO_HEADER_SIZE);
    } else if (serve_receive(rpc, &header, rc, buffer)) {
        return;
    }
    net_release(net, buffer);
}

int rpc_poll(struct rpc *rpc)
{
    int moved = net_poll(rpc->config.net);

    if (rpc->unsent != NULL)
        moved += message_flush(rpc);
    moved += links_poll(rpc);
    if (rpc->config.counters != NULL)
        rpc->config.counters->value[COUNTER_sessions] = rpc->nsessions;
    return moved;
}

uint64_t rpc_next_timer(const struct rpc *rpc)
{
    return rpc->next_timer_ns;
}

void rpc_drain(struct rpc *rpc)
{
    rpc->is_draining = true;
}

unsigned rpc_active(const struct rpc *rpc)
{
    return rpc->active;
}
