/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The libfabric driver: one reliable-datagram endpoint (FI_EP_RDM) with one
 * completion queue and one address vector.
 *
 * The happy path: open chooses a provider and an address, opens fabric, domain,
 * queue, vector and endpoint in that order, posts every receive buffer, and the
 * endpoint listens. Then net_ofi_peer.c finds peers, net_ofi_xfer.c starts
 * operations and net_ofi_poll.c ends them. Progress is manual: nothing moves,
 * on some providers not even a peer's RMA to us, unless somebody polls.
 *
 * Possible failure modes are: no such provider (-ENODATA), a bad address
 * (-EINVAL), a port or name that is taken (-EADDRINUSE), no memory. Whatever
 * was opened is closed again in reverse.
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>
#include <sys/random.h>

#define RECEIVES_MAX 65536

/* --- Opening --- */

static int say(const char *what, int rc)
{
    if (rc == -FI_EADDRINUSE || rc == -FI_EBUSY)
        rc = -EADDRINUSE;
    log_error("fabric: %s: %s", what, ofi_lib.strerror(-rc));
    return rc;
}

static int open_queue(struct ofi_net *net)
{
    struct fi_cq_attr attr = {.format = FI_CQ_FORMAT_DATA,
                              .wait_obj = FI_WAIT_FD,
                              .size = 2 * OFI_OPS_MAX + net->pool.nbuffers};
    int rc;

    rc = fi_cq_open(net->domain, &attr, &net->cq, NULL);
    if (rc == 0 && fi_control(&net->cq->fid, FI_GETWAIT, &net->wait_fd) == 0) {
        net->caps.has_wait_fd = true;
        return 0;
    }
    net->wait_fd = -1;
    if (rc == 0)
        fi_close(&net->cq->fid);
    net->cq = NULL;
    attr.wait_obj = FI_WAIT_NONE;
    return fi_cq_open(net->domain, &attr, &net->cq, NULL);
}

static int open_endpoint(struct ofi_net *net)
{
    struct fi_av_attr attr = {.type = FI_AV_UNSPEC};
    int rc;

    rc = fi_av_open(net->domain, &attr, &net->av, NULL);
    if (rc == 0)
        rc = fi_endpoint(net->domain, net->info, &net->ep, NULL);
    if (rc == 0)
        rc = fi_ep_bind(net->ep, &net->cq->fid, FI_TRANSMIT | FI_RECV);
    if (rc == 0)
        rc = fi_ep_bind(net->ep, &net->av->fid, 0);
    return rc != 0 ? rc : fi_enable(net->ep);
}

/* Claim the name first, then open under a provider name of its own. */
static int open_shm(struct ofi_net *net)
{
    char name[NET_NAME_MAX];
    int rc;

    ofi_shm_provider_name(net, name);
    free(net->info->src_addr);
    net->info->src_addr = strdup(name);
    net->info->src_addrlen = strlen(name) + 1;
    if (net->info->src_addr == NULL)
        return -ENOMEM;
    rc = open_endpoint(net);
    if (rc == 0)
        ofi_local_announce(net, name);
    return rc;
}

static int claim_shm(struct ofi_net *net, const struct net_config *config)
{
    int rc = ofi_shm_name(config->service, net->name);

    net->name_len = strlen(net->name) + 1;
    return rc == 0 ? ofi_local_create(net) : rc;
}

static int name_endpoint(struct ofi_net *net, const struct net_config *config)
{
    int rc;

    net->name_len = sizeof(net->name);
    rc = fi_getname(&net->ep->fid, net->name, &net->name_len);
    if (rc != 0)
        return say("name of the endpoint", rc);
    if (config->no_shortcut ||
        (net->info->domain_attr->mr_mode & FI_MR_PROV_KEY) != 0)
        return 0;
    rc = ofi_local_create(net);
    if (rc != 0)
        log_info("no shortcut between processes: %s", ofi_lib.strerror(-rc));
    ofi_lanes_open(net);
    return 0;
}

static int open_fabric(struct ofi_net *net, const struct net_config *config)
{
    int rc;

    rc = net->is_shm ? claim_shm(net, config) : 0;
    if (rc != 0)
        return say(config->service, rc);
    rc = ofi_lib.fabric(net->info->fabric_attr, &net->fabric, NULL);
    if (rc != 0)
        return say("open the fabric", rc);
    rc = fi_domain(net->fabric, net->info, &net->domain, NULL);
    if (rc != 0)
        return say("open the domain", rc);
    rc = open_queue(net);
    if (rc != 0)
        return say("open the completion queue", rc);
    rc = net->is_shm ? open_shm(net) : open_endpoint(net);
    if (rc != 0)
        return say(config->service == NULL ? "listen" : config->service, rc);
    return net->is_shm ? 0 : name_endpoint(net, config);
}

static void free_all_slots(struct ofi_net *net)
{
    net->free_slots = NULL;
    for (size_t i = OFI_OPS_MAX; i-- > 0;) {
        net->slots[i].next = net->free_slots;
        net->free_slots = &net->slots[i];
    }
}

static int make_slots(struct ofi_net *net)
{
    net->slots = mem_calloc(OFI_OPS_MAX, sizeof(*net->slots));
    net->receives = mem_calloc(net->pool.nbuffers, sizeof(*net->receives));
    if (net->slots == NULL || net->receives == NULL)
        return -ENOMEM;
    free_all_slots(net);
    for (size_t i = 0; i < net->pool.nbuffers; i++) {
        void *buffer = pool_get(&net->pool);

        net->receives[pool_index(&net->pool, buffer)].buffer = buffer;
    }
    return 0;
}

static int start_receiving(struct ofi_net *net)
{
    int rc;

    if (ofi_needs_local(net)) {
        rc = ofi_mr_reg(&net->net, net->pool.base,
                        net->pool.nbuffers * net->pool.buffer_size,
                        NET_MEM_HOST, NET_LOCAL, &net->pool_mr);
        if (rc != 0)
            return rc;
    }
    return ofi_receives_post(net);
}

static void close_fid(struct fid *fid, const char *what)
{
    int rc = fi_close(fid);

    if (rc != 0)
        log_warn("fabric: close the %s: %s", what, ofi_lib.strerror(-rc));
}

/* What a renewal closes and opens again. */
static void close_endpoint(struct ofi_net *net)
{
    if (net->ep != NULL)
        close_fid(&net->ep->fid, "endpoint");
    if (net->cq != NULL)
        close_fid(&net->cq->fid, "completion queue");
    if (net->av != NULL)
        close_fid(&net->av->fid, "address vector");
    net->ep = NULL;
    net->cq = NULL;
    net->av = NULL;
}

void ofi_renew(struct ofi_net *net)
{
    int rc;

    log_info("%s: endpoint opened anew", net->name);
    ofi_peers_fail_all(net);
    close_endpoint(net);
    free_all_slots(net);
    net->nslots = 0;
    rc = open_queue(net);
    if (rc == 0)
        rc = open_shm(net);
    if (rc == 0)
        rc = ofi_receives_post(net);
    if (rc != 0) { /* is_wedged stays: tried again at the next poll */
        log_error("%s: open anew: %s", net->name, ofi_lib.strerror(-rc));
        close_endpoint(net);
        return;
    }
    net->is_wedged = false;
}

/* Registrations first: after that no peer touches the caller's memory. */
static void ofi_close(struct net *base)
{
    struct ofi_net *net = ofi_of(base);

    while (net->mrs != NULL)
        ofi_mr_dereg(base, net->mrs);
    ofi_local_destroy(net);
    ofi_lanes_close(net);
    close_endpoint(net);
    for (size_t i = 0; net->slots != NULL && i < OFI_OPS_MAX; i++)
        if (net->slots[i].own_mr != NULL)
            fi_close(&net->slots[i].own_mr->fid);
    if (net->domain != NULL)
        close_fid(&net->domain->fid, "domain");
    if (net->fabric != NULL)
        close_fid(&net->fabric->fid, "fabric");
    ofi_lib.freeinfo(net->info);
    ofi_peers_free(net);
    free(net->slots);
    free(net->receives);
    pool_fini(&net->pool);
    free(net);
}

static bool is_config_sane(const struct net_config *config)
{
    return config->provider != NULL && config->recv != NULL &&
           config->message_max > 0 && config->receives > 0 &&
           config->receives <= RECEIVES_MAX;
}

static void init(struct ofi_net *net, const struct net_config *config)
{
    net->net.driver = &net_ofi;
    net->clock = config->clock == NULL ? clock_real() : config->clock;
    net->recv = config->recv;
    net->recv_ctx = config->recv_ctx;
    net->caps.message_max = config->message_max;
    net->is_shm = strcmp(config->provider, "shm") == 0;
    net->wait_fd = net->lock_fd = net->bell_fd = -1;
    net->timer_fd = net->both_fd = -1;
    ofi_line_init(&net->ended);
    if (getrandom(&net->next_key, sizeof(net->next_key), 0) < 0)
        net->next_key = clock_wall(net->clock);
    net->next_key &= 0xffffffff; /* some providers take no more */
}

static int ofi_open(const struct net_config *config, struct net **net_out)
{
    struct ofi_net *net;
    int rc;

    if (!is_config_sane(config))
        return -EINVAL;
    net = mem_calloc(1, sizeof(*net));
    if (net == NULL)
        return -ENOMEM;
    init(net, config);
    rc = ofi_info_get(config, &net->info);
    if (rc != 0) {
        free(net);
        return rc;
    }
    ofi_segments_init(net);
    net->caps.send_after_write =
        (net->info->tx_attr->msg_order & FI_ORDER_SAW) != 0;
    rc = pool_init(&net->pool, config->receives, config->message_max);
    if (rc == 0)
        rc = make_slots(net);
    if (rc == 0)
        rc = open_fabric(net, config);
    if (rc == 0)
        rc = start_receiving(net);
    if (rc != 0) {
        ofi_close(&net->net);
        return rc;
    }
    *net_out = &net->net;
    return 0;
}

/* --- The rest of the table --- */

static int ofi_name(struct net *base, void *name, size_t *len_inout)
{
    struct ofi_net *net = ofi_of(base);

    if (*len_inout < net->name_len)
        return -ENOSPC;
    memcpy(name, net->name, net->name_len);
    *len_inout = net->name_len;
    return 0;
}

static const struct net_caps *ofi_caps(const struct net *base)
{
    return &((const struct ofi_net *)base)->caps;
}

const struct net_driver net_ofi = {
    .name = "ofi",
    .open = ofi_open,
    .close = ofi_close,
    .name_get = ofi_name,
    .peer_resolve = ofi_peer_resolve,
    .peer_insert = ofi_peer_insert,
    .peer_remove = ofi_peer_remove,
    .mr_reg = ofi_mr_reg,
    .mr_dereg = ofi_mr_dereg,
    .mr_remote = ofi_mr_remote,
    .send = ofi_send,
    .write = ofi_write,
    .read = ofi_read,
    .can_copy = ofi_can_copy,
    .copy = ofi_copy,
    .eager_max = ofi_eager_max,
    .release = ofi_release,
    .poll = ofi_poll,
    .wait_fd = ofi_wait_fd,
    .may_sleep = ofi_may_sleep,
    .wait = ofi_wait,
    .caps = ofi_caps,
};
