/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting operations on libfabric.
 *
 * The happy path: an operation takes a slot, whose first words are the
 * provider's context, and is posted. The slot, not the caller's net_op, is what
 * the provider knows: an operation that is given up early (a dead peer) leaves
 * its slot behind, and a completion that comes after all finds nobody.
 *
 * Providers say -FI_EAGAIN both while they connect and when a queue is full.
 * The caller need not care: the operation waits in its peer's line, in order,
 * and is offered again by net_poll() (net_ofi_peer.c). Only the bound on all
 * operations of an endpoint shows, as -EAGAIN.
 *
 * Possible failure modes are: too many operations (-EAGAIN), a message that is
 * too long (-EMSGSIZE), a link that fails at once (-ERR_LINK).
 */
#include "net/net_ofi_priv.h"

#include <assert.h>

#define CHECK_NS (10 * NS_PER_MS)

static void push_posted(struct ofi_peer *peer, struct ofi_slot *slot)
{
    slot->peer = peer;
    slot->next = peer->posted;
    slot->link = &peer->posted;
    if (slot->next != NULL)
        slot->next->link = &slot->next;
    peer->posted = slot;
}

struct net_op *ofi_slot_end(struct ofi_net *net, struct ofi_slot *slot)
{
    struct net_op *op = slot->op;

    if (slot->peer != NULL) {
        *slot->link = slot->next;
        if (slot->next != NULL)
            slot->next->link = slot->link;
    }
    if (slot->own_mr != NULL)
        fi_close(&slot->own_mr->fid);
    slot->own_mr = NULL;
    slot->op = NULL;
    slot->peer = NULL;
    slot->next = net->free_slots;
    net->free_slots = slot;
    return op;
}

/* Local memory that came without a registration, where one is demanded. */
static int register_own(struct ofi_net *net, struct ofi_slot *slot,
                        const struct ofi_start *start)
{
    if (!ofi_needs_local(net) || start->mr != NULL || start->len == 0)
        return 0;
    return fi_mr_reg(net->domain, start->memory, start->len,
                     FI_SEND | FI_READ | FI_WRITE, 0, net->next_key++, 0,
                     &slot->own_mr, NULL);
}

static ssize_t call_provider(struct ofi_net *net, fi_addr_t addr,
                             struct ofi_slot *slot,
                             const struct ofi_start *start)
{
    void *desc = NULL;

    if (start->mr != NULL)
        desc = fi_mr_desc(start->mr->fid);
    else if (slot->own_mr != NULL)
        desc = fi_mr_desc(slot->own_mr);
    switch (start->verb) {
    case OFI_SEND:
        if (start->data != 0)
            return fi_senddata(net->ep, start->memory, start->len, desc,
                               start->data, addr, &slot->context);
        return fi_send(net->ep, start->memory, start->len, desc, addr,
                       &slot->context);
    case OFI_WRITE:
        return fi_write(net->ep, start->memory, start->len, desc, addr,
                        start->remote_addr, start->key, &slot->context);
    case OFI_READ:
        return fi_read(net->ep, start->memory, start->len, desc, addr,
                       start->remote_addr, start->key, &slot->context);
    }
    return -FI_EINVAL;
}

/*
 * Is the peer on this machine, alive, and the one that we attached? A look at
 * the lock costs a system call: only now and then.
 */
static void look_at_local(struct ofi_net *net, struct ofi_peer *peer)
{
    uint64_t now_ns = clock_now(net->clock);

    if (now_ns < peer->next_check_ns)
        return;
    peer->next_check_ns = now_ns + CHECK_NS;
    if (peer->table == NULL) {
        if (net->table != NULL && !net->is_shm)
            ofi_local_attach(net, peer);
    } else if (ofi_local_is_stale(peer)) {
        if (net->is_shm)
            ofi_peer_fail(net, peer);
        else
            ofi_local_detach(peer);
    }
}

/* By the peer's lane. @return false: the provider must. */
static bool send_local(struct ofi_net *net, struct ofi_peer *peer,
                       struct net_op *op, const struct ofi_start *start,
                       int *rc_out)
{
    /* What has begun to go by the provider goes on there. */
    if (start->verb != OFI_SEND || peer->lane == NULL || start->given > 0)
        return false;
    *rc_out = ofi_lane_send(peer, start->memory, start->len);
    if (*rc_out == -ERR_LINK) {
        ofi_lane_drop(peer);
        return false;
    }
    if (*rc_out == 0)
        ofi_end_later(net, op, 0);
    return true;
}

/* Move the bytes ourselves. @return false: the provider must. */
static bool move_local(struct ofi_net *net, struct ofi_peer *peer,
                       struct net_op *op, const struct ofi_start *start)
{
    int rc;

    if (start->verb == OFI_SEND || peer->table == NULL || !peer->can_copy)
        return false;
    rc = ofi_cma_move(peer->table, start);
    if (rc == -EACCES && !net->is_shm) /* perhaps a namesake's table */
        return false;
    if (rc == -ERR_LINK && net->is_shm)
        ofi_peer_fail(net, peer);
    else if (rc == -ERR_LINK)
        ofi_local_detach(peer);
    ofi_end_later(net, op, rc);
    return true;
}

int ofi_post_one(struct ofi_net *net, struct ofi_peer *peer, struct net_op *op,
                 const struct ofi_start *start)
{
    struct ofi_slot *slot = net->free_slots;
    ssize_t rc;

    if (slot == NULL)
        return -EAGAIN;
    net->free_slots = slot->next;
    slot->op = op;
    push_posted(peer, slot);
    rc = register_own(net, slot, start);
    if (rc == 0)
        rc = call_provider(net, peer->addr, slot, start);
    if (rc == 0)
        return 0;
    ofi_slot_end(net, slot);
    if (rc == -FI_EAGAIN || rc == -FI_ENOMEM)
        return -EAGAIN;
    return ofi_error((int)-rc);
}

int ofi_post(struct ofi_net *net, struct ofi_peer *peer, struct net_op *op,
             struct ofi_start *start)
{
    int local;

    if (net->free_slots == NULL)
        return -EAGAIN;
    if (net->ep == NULL)
        return -ERR_LINK;
    look_at_local(net, peer);
    if (peer->addr == FI_ADDR_UNSPEC && ofi_peer_attach(net, peer) != 0)
        return -EAGAIN;
    if (send_local(net, peer, op, start, &local))
        return local;
    if (move_local(net, peer, op, start))
        return 0;
    if (start->verb != OFI_SEND) { /* no message may overtake it */
        peer->is_wired = true;
        ofi_lane_drop(peer);
    }
    if (ofi_is_cut(net, start))
        return ofi_segments_post(net, peer, op, start);
    return ofi_post_one(net, peer, op, start);
}

static int begin(struct net *base, struct net_op *op, uint64_t id,
                 struct ofi_start *start)
{
    struct ofi_net *net = ofi_of(base);
    struct ofi_peer *peer;
    int rc = -EAGAIN;

    assert(id < net->npeers && net->peers[id] != NULL);
    peer = net->peers[id];
    if (net->nops == OFI_OPS_MAX)
        return -EAGAIN;
    if (!peer->is_waiting)
        rc = ofi_post(net, peer, op, start);
    if (rc == -EAGAIN) {
        *ofi_start_of(op) = *start;
        ofi_peer_wait(net, peer, op);
    } else if (rc != 0) {
        return rc;
    }
    net->nops++;
    return 0;
}

/* Copying a peer's memory beats two copies through a lane; elsewhere a message
 * costs no more than RMA where segments keep the provider from asking first. */
size_t ofi_eager_max(const struct net *base, uint64_t id)
{
    const struct ofi_net *net = (const struct ofi_net *)base;
    const struct ofi_peer *peer = net->peers[id];

    if (net->segment_bytes == 0 || (peer->table != NULL && peer->can_copy))
        return 0;
    return net->caps.message_max;
}

int ofi_send(struct net *net, struct net_op *op, uint64_t peer,
             const void *message, size_t len, struct net_mr *mr)
{
    struct ofi_start start = {
        .verb = OFI_SEND, .memory = (void *)message, .len = len, .mr = mr};

    if (len > ofi_of(net)->caps.message_max)
        return -EMSGSIZE;
    return begin(net, op, peer, &start);
}

int ofi_write(struct net *net, struct net_op *op, uint64_t peer,
              const void *memory, size_t len, struct net_mr *mr,
              uint64_t remote_addr, uint64_t key)
{
    struct ofi_start start = {.verb = OFI_WRITE,
                              .memory = (void *)memory,
                              .len = len,
                              .mr = mr,
                              .remote_addr = remote_addr,
                              .key = key};

    return begin(net, op, peer, &start);
}

int ofi_read(struct net *net, struct net_op *op, uint64_t peer, void *memory,
             size_t len, struct net_mr *mr, uint64_t remote_addr, uint64_t key)
{
    struct ofi_start start = {.verb = OFI_READ,
                              .memory = memory,
                              .len = len,
                              .mr = mr,
                              .remote_addr = remote_addr,
                              .key = key};

    return begin(net, op, peer, &start);
}

bool ofi_can_copy(struct net *base, uint64_t id)
{
    struct ofi_net *net = ofi_of(base);
    struct ofi_peer *peer = net->peers[id];

    look_at_local(net, peer);
    return peer->table != NULL && peer->can_copy;
}

int ofi_copy(struct net *base, uint64_t id, const void *memory, size_t len,
             uint64_t remote_addr, uint64_t key)
{
    const struct ofi_start start = {.verb = OFI_WRITE,
                                    .memory = (void *)memory,
                                    .len = len,
                                    .remote_addr = remote_addr,
                                    .key = key};

    if (!ofi_can_copy(base, id))
        return -ENOTSUP;
    return ofi_cma_move(ofi_of(base)->peers[id]->table, &start);
}
