/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Endpoints of the simulated fabric: the net_driver table over events.
 *
 * The happy path: a start draws a delay, puts events into the fabric's queue
 * and returns. When their time comes (net_sim_fabric.c) the events move to the
 * endpoint's ready list; its net_poll() takes them from there and calls back.
 * So a callback runs in its own endpoint's poll only, as on a real fabric.
 *
 * A message is two events: its end for the sender, its arrival for the
 * receiver. Messages and RMA to one peer keep their order; a message that is
 * reordered may pass other messages, but never an earlier RMA: endpoints
 * promise send_after_write.
 *
 * RMA addresses are neither zero-based nor real: a caller that guesses either
 * gets -EACCES here, as it would on some provider.
 *
 * Possible failure modes are: nobody listens (the operation ends with
 * ERR_LINK after a delay), the receiver's buffers are all out (the message
 * stays on its ready list), a key that is revoked or does not allow the access
 * (-EACCES), no memory for an event (-EAGAIN: nothing was started).
 */
#include "net/net_sim_priv.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPS_MAX 1024 /* under way at one endpoint */
#define MRS_MAX (1u << 20)

struct net_mr {
    struct net_mr *next;
    char *memory;
    size_t len;
    unsigned access;
    struct net_remote remote;
};

/* The latest event to one address, so that no other overtakes it. */
struct sim_lane {
    uint64_t last_ns;
    uint64_t rma_ns;
};

struct sim_ep {
    struct net net; /* first */
    struct net_sim_fabric *fabric;
    struct net_caps caps;
    uint64_t address;
    bool is_crashed;
    bool is_stalled;
    unsigned receives;
    unsigned nheld; /* messages handed over and not released */
    unsigned nops;
    net_recv_fn *recv;
    void *recv_ctx;
    struct net_mr *mrs;
    struct sim_lane *lanes; /* by address; grows with the addresses */
    size_t nlanes;
    struct sim_event *ready, **ready_end; /* ends of our operations */
    struct sim_event *inbox, **inbox_end; /* arrived messages */
    struct sim_event *held, **held_end;   /* handed over, not released */
};

static struct sim_ep *ep_of(struct net *net)
{
    return (struct sim_ep *)net;
}

/* --- Open and close --- */

static int listen_at(struct sim_ep *ep, const struct net_config *config)
{
    struct net_sim_fabric *fabric = ep->fabric;
    const char *service = config->service;
    char port[32];
    int rc;

    if (service == NULL || strcmp(service, NET_ANY_PORT) == 0) {
        snprintf(port, sizeof(port), "any-%" PRIu64, fabric->next_port++);
        service = port;
    }
    rc = sim_address_get(fabric, config->node == NULL ? "" : config->node,
                         service, &ep->address);
    if (rc != 0)
        return rc == -ENOMEM ? rc : -EINVAL;
    if (fabric->addresses[ep->address].ep != NULL)
        return -EADDRINUSE;
    fabric->addresses[ep->address].ep = ep;
    return 0;
}

static int sim_open(const struct net_config *config, struct net **net_out)
{
    struct sim_ep *ep;
    int rc;

    if (config->fabric == NULL || config->message_max == 0 ||
        config->receives == 0)
        return -EINVAL;
    ep = mem_calloc(1, sizeof(*ep));
    if (ep == NULL)
        return -ENOMEM;
    ep->net.driver = &net_sim;
    ep->fabric = config->fabric;
    ep->caps.send_after_write = true;
    ep->caps.message_max = config->message_max;
    ep->receives = config->receives;
    ep->recv = config->recv;
    ep->recv_ctx = config->recv_ctx;
    ep->ready_end = &ep->ready;
    ep->inbox_end = &ep->inbox;
    ep->held_end = &ep->held;
    rc = listen_at(ep, config);
    if (rc != 0) {
        free(ep);
        return rc;
    }
    *net_out = &ep->net;
    return 0;
}

static void free_events(struct sim_event **first, struct sim_event ***end)
{
    struct sim_event *next;

    for (struct sim_event *event = *first; event != NULL; event = next) {
        next = event->next;
        free(event);
    }
    *first = NULL;
    *end = first;
}

void sim_ep_detach(struct net_sim_fabric *fabric, struct sim_ep *ep)
{
    if (ep->is_crashed)
        return;
    ep->is_crashed = true;
    fabric->addresses[ep->address].ep = NULL;
    sim_queue_forget(&fabric->queue, ep);
    free_events(&ep->ready, &ep->ready_end);
    free_events(&ep->inbox, &ep->inbox_end);
}

void net_sim_crash(struct net_sim_fabric *fabric, struct net *net)
{
    sim_ep_detach(fabric, ep_of(net));
}

void net_sim_stall(struct net *net, bool is_stalled)
{
    ep_of(net)->is_stalled = is_stalled;
}

bool sim_ep_is_stalled(const struct sim_ep *ep)
{
    return ep != NULL && ep->is_stalled;
}

static void sim_close(struct net *net)
{
    struct sim_ep *ep = ep_of(net);
    struct net_mr *next;

    sim_ep_detach(ep->fabric, ep);
    free_events(&ep->held, &ep->held_end);
    for (struct net_mr *mr = ep->mrs; mr != NULL; mr = next) {
        next = mr->next;
        free(mr);
    }
    free(ep->lanes);
    free(ep);
}

/* --- Names and peers --- */

static int sim_name(struct net *net, void *name, size_t *len_inout)
{
    char text[32];
    int len;

    len = snprintf(text, sizeof(text), "sim:%" PRIu64, ep_of(net)->address);
    if (*len_inout < (size_t)len)
        return -ENOSPC;
    memcpy(name, text, (size_t)len);
    *len_inout = (size_t)len;
    return 0;
}

static int sim_peer_resolve(struct net *net, const char *node,
                            const char *service, uint64_t *peer_out)
{
    return sim_address_get(ep_of(net)->fabric, node == NULL ? "" : node,
                           service, peer_out);
}

static int sim_peer_insert(struct net *net, const void *name, size_t len,
                           uint64_t *peer_out)
{
    const char *digit = (const char *)name + 4;
    uint64_t index = 0;

    if (len < 5 || len > 12 || memcmp(name, "sim:", 4) != 0)
        return -EINVAL;
    for (; digit < (const char *)name + len; digit++) {
        if (*digit < '0' || *digit > '9')
            return -EINVAL;
        index = 10 * index + (uint64_t)(*digit - '0');
    }
    if (index >= ep_of(net)->fabric->naddresses)
        return -EINVAL;
    *peer_out = index;
    return 0;
}

static void sim_peer_remove(struct net *net, uint64_t peer)
{
    assert(peer < ep_of(net)->fabric->naddresses);
}

/* --- Registration --- */

static int sim_mr_reg(struct net *net, void *memory, size_t len,
                      enum net_mem_kind kind, unsigned access,
                      struct net_mr **mr_out)
{
    struct sim_ep *ep = ep_of(net);
    struct net_mr *mr;

    if (memory == NULL || len == 0 || kind != NET_MEM_HOST)
        return -EINVAL;
    mr = mem_calloc(1, sizeof(*mr));
    if (mr == NULL)
        return -ENOMEM;
    mr->memory = memory;
    mr->len = len;
    mr->access = access;
    mr->remote.key = ep->fabric->next_key++;
    mr->remote.addr = (mr->remote.key % MRS_MAX + 1) << 40;
    mr->next = ep->mrs;
    ep->mrs = mr;
    *mr_out = mr;
    return 0;
}

static void sim_mr_dereg(struct net *net, struct net_mr *mr)
{
    struct net_mr **link = &ep_of(net)->mrs;

    while (*link != mr) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = mr->next;
    free(mr);
}

static void sim_mr_remote(const struct net_mr *mr,
                          struct net_remote *remote_out)
{
    *remote_out = mr->remote;
}

static bool allows(const struct net_mr *mr, const struct sim_event *event)
{
    unsigned access =
        event->kind == SIM_WRITE ? NET_REMOTE_WRITE : NET_REMOTE_READ;

    return (mr->access & access) != 0 &&
           event->remote_addr >= mr->remote.addr && event->len <= mr->len &&
           event->remote_addr - mr->remote.addr <= mr->len - event->len;
}

/* What arrives has a bit flipped, now and then. */
static void flip(struct net_sim_fabric *fabric, char *bytes, size_t len,
                 uint64_t *count)
{
    uint64_t bit;

    if (fabric->config.flip_percent == 0 || len == 0 ||
        !rng_chance(&fabric->rng, fabric->config.flip_percent))
        return;
    bit = rng_below(&fabric->rng, 8 * len);
    bytes[bit / 8] ^= (char)(1u << bit % 8);
    ++*count;
}

int sim_ep_rma(struct sim_event *event)
{
    struct net_mr *mr;
    char *remote;

    if (event->to == NULL)
        return -ERR_LINK;
    for (mr = event->to->mrs; mr != NULL; mr = mr->next)
        if (mr->remote.key == event->key)
            break;
    if (mr == NULL || !allows(mr, event))
        return -EACCES;
    remote = mr->memory + (event->remote_addr - mr->remote.addr);
    if (event->kind == SIM_WRITE)
        memcpy(remote, event->memory, event->len);
    else
        memcpy(event->memory, remote, event->len);
    flip(event->from->fabric,
         event->kind == SIM_WRITE ? remote : event->memory, event->len,
         &event->from->fabric->counts.flipped_rma);
    return 0;
}

/* --- Starting operations --- */

static uint64_t draw_delay(struct net_sim_fabric *fabric)
{
    const struct net_sim_config *config = &fabric->config;

    return config->delay_min_ns +
           rng_below(&fabric->rng,
                     config->delay_max_ns - config->delay_min_ns + 1);
}

static int grow_lanes(struct sim_ep *ep)
{
    size_t want = ep->fabric->naddresses;
    struct sim_lane *lanes;

    if (ep->nlanes >= want)
        return 0;
    lanes = mem_grow(ep->lanes, want, sizeof(*lanes));
    if (lanes == NULL)
        return -EAGAIN;
    memset(lanes + ep->nlanes, 0, (want - ep->nlanes) * sizeof(*lanes));
    ep->lanes = lanes;
    ep->nlanes = want;
    return 0;
}

/* May this endpoint start an operation to this peer? */
static int check_start(struct sim_ep *ep, uint64_t peer)
{
    assert(peer < ep->fabric->naddresses);
    if (ep->is_crashed)
        return -ERR_LINK;
    if (ep->nops == OPS_MAX)
        return -EAGAIN;
    return grow_lanes(ep);
}

static struct sim_event *new_event(struct sim_ep *ep, enum sim_kind kind,
                                   uint64_t peer, size_t nbytes)
{
    struct sim_event *event = mem_calloc(1, sizeof(*event) + nbytes);

    if (event == NULL)
        return NULL;
    event->magic = SIM_EVENT_MAGIC;
    event->kind = kind;
    event->order = ep->fabric->order++;
    event->from = ep;
    event->to = ep->fabric->addresses[peer].ep;
    event->due_ns = ep->fabric->clock->now_ns + draw_delay(ep->fabric);
    event->len = nbytes;
    return event;
}

static void not_before(uint64_t *due_ns, uint64_t earliest_ns)
{
    if (*due_ns < earliest_ns)
        *due_ns = earliest_ns;
}

/* Send one copy on its way. A copy that finds no memory is lost. */
static void post_copy(struct sim_ep *ep, uint64_t peer, const void *message,
                      size_t len, bool keeps_order)
{
    struct sim_lane *lane = &ep->lanes[peer];
    struct sim_event *event = new_event(ep, SIM_MESSAGE, peer, len);

    if (event == NULL)
        return;
    memcpy(event->bytes, message, len);
    flip(ep->fabric, event->bytes, len, &ep->fabric->counts.flipped_messages);
    not_before(&event->due_ns, lane->rma_ns);
    if (keeps_order) {
        not_before(&event->due_ns, lane->last_ns);
        lane->last_ns = event->due_ns;
    }
    if (event->to == NULL || sim_queue_push(&ep->fabric->queue, event) != 0)
        free(event);
}

/* Toss the coins of one message: every draw is made, whatever comes out. */
static void toss(struct sim_ep *ep, uint64_t peer, const void *message,
                 size_t len)
{
    struct net_sim_fabric *fabric = ep->fabric;
    const struct net_sim_config *odds = &fabric->config;
    bool is_dropped = rng_chance(&fabric->rng, odds->drop_percent);
    bool is_doubled = rng_chance(&fabric->rng, odds->duplicate_percent);
    bool is_reordered = rng_chance(&fabric->rng, odds->reorder_percent);

    fabric->counts.sent++;
    fabric->counts.sent_bytes += len;
    if (is_dropped) {
        fabric->counts.dropped++;
        return;
    }
    post_copy(ep, peer, message, len, !is_reordered);
    if (is_doubled) {
        fabric->counts.duplicated++;
        post_copy(ep, peer, message, len, false);
    }
}

static int sim_send(struct net *net, struct net_op *op, uint64_t peer,
                    const void *message, size_t len, struct net_mr *mr)
{
    struct sim_ep *ep = ep_of(net);
    struct sim_event *done;
    int rc;

    if (len > ep->caps.message_max)
        return -EMSGSIZE;
    rc = check_start(ep, peer);
    if (rc != 0)
        return rc;
    done = new_event(ep, SIM_DONE, peer, 0);
    if (done == NULL)
        return -EAGAIN;
    done->op = op;
    done->rc = done->to == NULL ? -ERR_LINK : 0;
    if (sim_queue_push(&ep->fabric->queue, done) != 0) {
        free(done);
        return -EAGAIN;
    }
    ep->nops++;
    toss(ep, peer, message, len);
    return 0;
}

static int start_rma(struct sim_ep *ep, const struct sim_event *what,
                     uint64_t peer)
{
    struct sim_event *event;
    struct sim_lane *lane;
    int rc;

    rc = check_start(ep, peer);
    if (rc != 0)
        return rc;
    event = new_event(ep, what->kind, peer, 0);
    if (event == NULL)
        return -EAGAIN;
    event->op = what->op;
    event->memory = what->memory;
    event->len = what->len;
    event->remote_addr = what->remote_addr;
    event->key = what->key;
    lane = &ep->lanes[peer];
    not_before(&event->due_ns, lane->last_ns);
    if (sim_queue_push(&ep->fabric->queue, event) != 0) {
        free(event);
        return -EAGAIN;
    }
    lane->last_ns = lane->rma_ns = event->due_ns;
    ep->nops++;
    ep->fabric->counts.rma++;
    ep->fabric->counts.rma_bytes += event->len;
    return 0;
}

static int sim_write(struct net *net, struct net_op *op, uint64_t peer,
                     const void *memory, size_t len, struct net_mr *mr,
                     uint64_t remote_addr, uint64_t key)
{
    const struct sim_event what = {.kind = SIM_WRITE,
                                   .op = op,
                                   .memory = (void *)memory,
                                   .len = len,
                                   .remote_addr = remote_addr,
                                   .key = key};

    return start_rma(ep_of(net), &what, peer);
}

static int sim_read(struct net *net, struct net_op *op, uint64_t peer,
                    void *memory, size_t len, struct net_mr *mr,
                    uint64_t remote_addr, uint64_t key)
{
    const struct sim_event what = {.kind = SIM_READ,
                                   .op = op,
                                   .memory = memory,
                                   .len = len,
                                   .remote_addr = remote_addr,
                                   .key = key};

    return start_rma(ep_of(net), &what, peer);
}

/* --- Ends of operations --- */

static void append(struct sim_event ***end, struct sim_event *event)
{
    event->next = NULL;
    **end = event;
    *end = &event->next;
}

void sim_ep_ready(struct sim_ep *ep, struct sim_event *event)
{
    append(event->kind == SIM_MESSAGE ? &ep->inbox_end : &ep->ready_end, event);
}

static struct sim_event *take(struct sim_event **first, struct sim_event ***end)
{
    struct sim_event *event = *first;

    if (event == NULL)
        return NULL;
    *first = event->next;
    if (*first == NULL)
        *end = first;
    return event;
}

static int finish_one(struct sim_ep *ep)
{
    struct sim_event *event = take(&ep->ready, &ep->ready_end);
    struct net_op *op;
    int rc;

    if (event == NULL)
        return 0;
    op = event->op;
    rc = event->rc;
    ep->nops--;
    free(event);
    op->done(op, rc);
    return 1;
}

static int receive_one(struct sim_ep *ep)
{
    struct sim_event *event;

    if (ep->nheld == ep->receives)
        return 0;
    event = take(&ep->inbox, &ep->inbox_end);
    if (event == NULL)
        return 0;
    ep->nheld++;
    append(&ep->held_end, event);
    ep->recv(ep->recv_ctx, &ep->net, event->bytes, event->len);
    return 1;
}

static size_t sim_eager_max(const struct net *net, uint64_t peer)
{
    (void)peer;
    return ((const struct sim_ep *)net)->fabric->config.eager_max;
}

static void sim_release(struct net *net, void *buffer)
{
    struct sim_ep *ep = ep_of(net);
    struct sim_event **link = &ep->held;
    struct sim_event *event;

    while (*link != NULL && (*link)->bytes != (char *)buffer)
        link = &(*link)->next;
    event = *link;
    assert(event != NULL && event->magic == SIM_EVENT_MAGIC);
    *link = event->next;
    if (*link == NULL)
        ep->held_end = link;
    ep->nheld--;
    free(event);
}

/* Bounded by what is ready now: callbacks may start more. */
static int sim_poll(struct net *net)
{
    struct sim_ep *ep = ep_of(net);
    int nhandled = 0, n;

    sim_deliver(ep->fabric);
    do {
        n = finish_one(ep);
        if (!ep->is_crashed)
            n += receive_one(ep);
        nhandled += n;
    } while (n > 0 && nhandled < OPS_MAX);
    return nhandled;
}

/* Its peers are as far away as those of a network. */
static bool sim_can_copy(struct net *net, uint64_t peer)
{
    (void)net;
    (void)peer;
    return false;
}

static int sim_copy(struct net *net, uint64_t peer, const void *memory,
                    size_t len, uint64_t remote_addr, uint64_t key)
{
    (void)net;
    (void)peer;
    (void)memory;
    (void)len;
    (void)remote_addr;
    (void)key;
    return -ENOTSUP;
}

static int sim_wait_fd(struct net *net)
{
    return -1;
}

static int sim_may_sleep(struct net *net)
{
    return ep_of(net)->ready == NULL && ep_of(net)->inbox == NULL ? 0 : -EAGAIN;
}

static int sim_wait(struct net *net, uint64_t until_ns)
{
    struct net_sim_fabric *fabric = ep_of(net)->fabric;
    uint64_t hop_ns;
    int nhandled;

    for (;;) {
        nhandled = sim_poll(net);
        if (nhandled > 0 || fabric->clock->now_ns >= until_ns)
            return nhandled;
        /* An actor's poll may bring what we wait for: look after each hop. */
        hop_ns = fabric->clock->now_ns + SIM_HOP_NS;
        net_sim_step(fabric, hop_ns < until_ns ? hop_ns : until_ns);
    }
}

static const struct net_caps *sim_caps(const struct net *net)
{
    return &((const struct sim_ep *)net)->caps;
}

const struct net_driver net_sim = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .name_get = sim_name,
    .peer_resolve = sim_peer_resolve,
    .peer_insert = sim_peer_insert,
    .peer_remove = sim_peer_remove,
    .mr_reg = sim_mr_reg,
    .mr_dereg = sim_mr_dereg,
    .mr_remote = sim_mr_remote,
    .send = sim_send,
    .write = sim_write,
    .read = sim_read,
    .can_copy = sim_can_copy,
    .copy = sim_copy,
    .eager_max = sim_eager_max,
    .release = sim_release,
    .poll = sim_poll,
    .wait_fd = sim_wait_fd,
    .may_sleep = sim_may_sleep,
    .wait = sim_wait,
    .caps = sim_caps,
};
