/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers on libfabric, and operations that wait for a link.
 *
 * The happy path: a name or a host and service becomes an entry of the address
 * vector; the provider connects when the first operation comes. Until it takes
 * that operation, it and all behind it wait in the peer's line, and net_poll()
 * offers the first again, at growing intervals.
 *
 * The same address added twice is one peer with two references: some providers
 * forget an address at its first removal, however often it was inserted.
 *
 * Possible failure modes are:
 *  - nobody listens, or the host is silent: the provider reports neither (it
 *    says "again" for ever), so a line that has not moved for OFI_LINK_NS ends
 *    with ERR_LINK. The next operation connects anew. A full lane of a process
 *    that lives is waited for longer;
 *  - a shared-memory peer that does not exist yet, or died: the provider would
 *    crash or wait for ever, so it hears of an address only while the owner
 *    lives (net_ofi_local.c), and a dead one is removed with all its
 * operations;
 *  - a peer is removed while operations are under way: those in line end with
 *    ERR_LINK at the next poll, those posted when the provider says so, or at
 *    once where it never would (shm);
 *  - a name from outside that is none: refused before the provider sees it.
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define NAP_MIN_NS (20 * NS_PER_US)
#define NAP_MAX_NS (5 * NS_PER_MS)

/* --- Lines --- */

void ofi_line_add(struct ofi_line *line, struct net_op *op)
{
    ofi_start_of(op)->next = NULL;
    *line->end = op;
    line->end = &ofi_start_of(op)->next;
}

void ofi_line_move(struct ofi_line *to, struct ofi_line *from)
{
    if (from->first == NULL)
        return;
    *to->end = from->first;
    to->end = from->end;
    ofi_line_init(from);
}

void ofi_end_later(struct ofi_net *net, struct net_op *op, int rc)
{
    ofi_start_of(op)->rc = rc;
    ofi_line_add(&net->ended, op);
}

/* --- Adding --- */

/* Is this an address of the format that our provider speaks? */
static bool is_name(const struct ofi_net *net, const void *name, size_t len)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (net->is_shm)
        return ofi_shm_is_name(name, len);
    if (len != net->name_len)
        return false;
    switch (net->info->addr_format) {
    case FI_SOCKADDR_IN:
        if (len != sizeof(in))
            return false;
        memcpy(&in, name, sizeof(in));
        return in.sin_family == AF_INET && in.sin_port != 0;
    case FI_SOCKADDR_IN6:
        if (len != sizeof(in6))
            return false;
        memcpy(&in6, name, sizeof(in6));
        return in6.sin6_family == AF_INET6 && in6.sin6_port != 0;
    default:
        return true;
    }
}

static struct ofi_peer *find_name(const struct ofi_net *net, const void *name,
                                  size_t len, size_t *hole_out)
{
    *hole_out = net->npeers;
    for (size_t i = 0; i < net->npeers; i++) {
        if (net->peers[i] == NULL)
            *hole_out = i;
        else if (net->peers[i]->name_len == len &&
                 memcmp(net->peers[i]->name, name, len) == 0)
            return net->peers[i];
    }
    return NULL;
}

/* The provider hears of a shm peer only while that lives. */
static int attach_shm(struct ofi_net *net, struct ofi_peer *peer)
{
    char name[NET_NAME_MAX];

    if (!ofi_local_attach(net, peer))
        return -EAGAIN;
    if (ofi_local_provider_name(peer, name) &&
        fi_av_insert(net->av, name, 1, &peer->addr, 0, NULL) == 1) {
        if (++net->nslots >= OFI_SHM_SLOTS)
            net->is_wedged = true;
        return 0;
    }
    peer->addr = FI_ADDR_UNSPEC;
    ofi_local_detach(peer);
    return -EAGAIN;
}

int ofi_peer_attach(struct ofi_net *net, struct ofi_peer *peer)
{
    if (net->is_shm)
        return attach_shm(net, peer);
    if (fi_av_insert(net->av, peer->name, 1, &peer->addr, 0, NULL) == 1)
        return 0;
    peer->addr = FI_ADDR_UNSPEC;
    return -ENOMEM;
}

/*
 * Provider "shm" (libfabric 1.17) does not clear what it knew of a removed
 * address, and gives its place to the next: there, places are left behind, and
 * the endpoint is renewed before they are all used.
 */
static void detach(struct ofi_net *net, struct ofi_peer *peer)
{
    if (peer->addr != FI_ADDR_UNSPEC && !net->is_shm)
        fi_av_remove(net->av, &peer->addr, 1, 0);
    peer->addr = FI_ADDR_UNSPEC;
    ofi_local_detach(peer);
}

static int grow(struct ofi_net *net)
{
    struct ofi_peer **peers;

    if (net->npeers == OFI_PEERS_MAX)
        return -ENOMEM;
    peers = mem_grow(net->peers, net->npeers + 1, sizeof(struct ofi_peer *));
    if (peers == NULL)
        return -ENOMEM;
    net->peers = peers;
    net->peers[net->npeers++] = NULL;
    return 0;
}

/* name: NET_NAME_MAX bytes, zero behind len. */
static int add(struct ofi_net *net, const char *name, size_t len,
               uint64_t *peer_out)
{
    struct ofi_peer *peer;
    size_t hole;
    int rc;

    peer = find_name(net, name, len, &hole);
    if (peer != NULL) {
        peer->nrefs++;
        *peer_out = peer->id;
        return 0;
    }
    if (hole == net->npeers && grow(net) != 0)
        return -ENOMEM;
    peer = mem_calloc(1, sizeof(*peer));
    if (peer == NULL)
        return -ENOMEM;
    memcpy(peer->name, name, NET_NAME_MAX);
    peer->name_len = len;
    peer->id = hole;
    peer->nrefs = 1;
    peer->lock_fd = peer->bell_fd = -1;
    peer->addr = FI_ADDR_UNSPEC;
    ofi_line_init(&peer->line);
    rc = ofi_peer_attach(net, peer);
    if (rc != 0 && rc != -EAGAIN) {
        free(peer);
        return rc;
    }
    net->peers[hole] = peer;
    *peer_out = hole;
    return 0;
}

int ofi_peer_insert(struct net *base, const void *name, size_t len,
                    uint64_t *peer_out)
{
    struct ofi_net *net = ofi_of(base);
    char copy[NET_NAME_MAX] = {0};

    if (len == 0 || len >= sizeof(copy) || !is_name(net, name, len))
        return -EINVAL;
    memcpy(copy, name, len);
    return add(net, copy, len, peer_out);
}

int ofi_peer_resolve(struct net *base, const char *node, const char *service,
                     uint64_t *peer_out)
{
    struct ofi_net *net = ofi_of(base);
    char name[NET_NAME_MAX] = {0};
    struct fi_info *info;
    size_t len;
    int rc;

    if (net->is_shm) {
        rc = ofi_shm_name(service, name);
        return rc != 0 ? -EHOSTUNREACH
                       : add(net, name, strlen(name) + 1, peer_out);
    }
    rc = ofi_info_resolve(net, node, service, &info);
    if (rc != 0)
        return rc;
    len = info->dest_addrlen;
    if (info->dest_addr == NULL || len >= sizeof(name)) {
        ofi_lib.freeinfo(info);
        return -EHOSTUNREACH;
    }
    memcpy(name, info->dest_addr, len);
    ofi_lib.freeinfo(info);
    return add(net, name, len, peer_out);
}

/* --- Waiting for a link --- */

static void stop_waiting(struct ofi_net *net, struct ofi_peer *peer)
{
    struct ofi_peer **link = &net->waiting;

    if (!peer->is_waiting)
        return;
    while (*link != peer)
        link = &(*link)->next_waiting;
    *link = peer->next_waiting;
    peer->is_waiting = false;
}

/* Who lives on this machine and takes nothing is slow: a program that computes,
 * or that waits for a processor. */
static uint64_t patience_ends(const struct ofi_net *net,
                              const struct ofi_peer *peer)
{
    return clock_now(net->clock) +
           (peer->lane != NULL ? OFI_LANE_NS : OFI_LINK_NS);
}

void ofi_peer_wait(struct ofi_net *net, struct ofi_peer *peer,
                   struct net_op *op)
{
    ofi_start_of(op)->rc = -ERR_LINK; /* unless it gets further */
    ofi_line_add(&peer->line, op);
    if (peer->is_waiting)
        return;
    peer->is_waiting = true;
    peer->next_waiting = net->waiting;
    net->waiting = peer;
    peer->nap_ns = NAP_MIN_NS;
    peer->next_try_ns = clock_now(net->clock) + peer->nap_ns;
    peer->give_up_ns = patience_ends(net, peer);
}

static struct net_op *line_take(struct ofi_line *line)
{
    struct net_op *op = line->first;

    if (op == NULL)
        return NULL;
    line->first = ofi_start_of(op)->next;
    if (line->first == NULL)
        ofi_line_init(line);
    return op;
}

static void line_put_back(struct ofi_line *line, struct net_op *op,
                          const struct ofi_start *start)
{
    *ofi_start_of(op) = *start;
    ofi_start_of(op)->next = line->first;
    if (line->first == NULL)
        line->end = &ofi_start_of(op)->next;
    line->first = op;
}

/*
 * Offer the line until the provider takes no more. The operation offered is in
 * no line meanwhile: ofi_post() may find the peer dead and end all that waits.
 *
 * @return how many it took.
 */
static int offer(struct ofi_net *net, struct ofi_peer *peer)
{
    struct ofi_start start;
    struct net_op *op;
    int ntaken = 0, rc;

    while ((op = line_take(&peer->line)) != NULL) {
        start = *ofi_start_of(op);
        rc = ofi_post(net, peer, op, &start);
        if (rc == -EAGAIN && peer->is_waiting) {
            line_put_back(&peer->line, op, &start);
            return ntaken;
        }
        if (rc == -EAGAIN) /* the peer failed, and this with the others */
            rc = -ERR_LINK;
        if (rc != 0)
            ofi_end_later(net, op, rc);
        ntaken++;
    }
    stop_waiting(net, peer);
    return ntaken;
}

/*
 * Posted operations that the provider would keep for ever; and it completes
 * operations to all peers in one order, so those of others behind them too.
 */
static void abandon_posted(struct ofi_net *net, struct ofi_peer *peer)
{
    for (struct ofi_slot *slot = peer->posted; slot != NULL;
         slot = slot->next) {
        ofi_end_later(net, slot->op, -ERR_LINK);
        slot->op = NULL;
        slot->peer = NULL;
        net->is_wedged = true;
    }
    peer->posted = NULL;
}

void ofi_peer_fail(struct ofi_net *net, struct ofi_peer *peer)
{
    ofi_line_move(&net->ended, &peer->line);
    stop_waiting(net, peer);
    if (!net->is_shm)
        return;
    abandon_posted(net, peer);
    detach(net, peer);
}

int ofi_peers_retry(struct ofi_net *net)
{
    uint64_t now_ns = clock_now(net->clock);
    struct ofi_peer *next;
    int ntaken = 0, n;

    for (struct ofi_peer *peer = net->waiting; peer != NULL; peer = next) {
        next = peer->next_waiting;
        if (now_ns < peer->next_try_ns)
            continue;
        n = offer(net, peer);
        ntaken += n;
        if (!peer->is_waiting)
            continue;
        if (peer->give_up_ns > patience_ends(net, peer)) /* its lane is gone */
            peer->give_up_ns = patience_ends(net, peer);
        if (n > 0) {
            peer->nap_ns = NAP_MIN_NS;
            peer->give_up_ns = patience_ends(net, peer);
        } else if (now_ns >= peer->give_up_ns) {
            log_info("peer %llu: no link", (unsigned long long)peer->id);
            ofi_peer_fail(net, peer);
            continue;
        }
        peer->next_try_ns = now_ns + peer->nap_ns;
        if (peer->nap_ns < NAP_MAX_NS)
            peer->nap_ns *= 2;
    }
    return ntaken;
}

/* --- Removing --- */

static void forget(struct ofi_net *net, struct ofi_peer *peer)
{
    for (struct ofi_slot *slot = peer->posted; slot != NULL; slot = slot->next)
        slot->peer = NULL;
    detach(net, peer);
    net->peers[peer->id] = NULL;
    free(peer);
}

/*
 * A living shm peer may still read what was posted to it: then it is kept until
 * that has ended. Other providers end what they have in any case.
 */
void ofi_peer_remove(struct net *base, uint64_t id)
{
    struct ofi_net *net = ofi_of(base);
    struct ofi_peer *peer;

    assert(id < net->npeers && net->peers[id] != NULL);
    peer = net->peers[id];
    assert(peer->nrefs > 0);
    if (--peer->nrefs > 0)
        return;
    ofi_line_move(&net->ended, &peer->line);
    stop_waiting(net, peer);
    if (!net->is_shm || peer->posted == NULL)
        forget(net, peer);
}

void ofi_peers_check(struct ofi_net *net)
{
    for (size_t i = 0; i < net->npeers; i++) {
        struct ofi_peer *peer = net->peers[i];

        if (peer == NULL)
            continue;
        if (peer->table != NULL && (peer->posted != NULL || peer->is_waiting) &&
            ofi_local_is_stale(peer))
            ofi_peer_fail(net, peer);
        if (peer->nrefs == 0 && peer->posted == NULL)
            forget(net, peer);
    }
}

void ofi_peers_let_go(struct ofi_net *net)
{
    for (size_t i = 0; i < net->npeers; i++)
        if (net->peers[i] != NULL && net->peers[i]->table != NULL &&
            !net->is_shm && ofi_local_is_stale(net->peers[i]))
            ofi_local_detach(net->peers[i]);
}

void ofi_peers_fail_all(struct ofi_net *net)
{
    for (size_t i = 0; i < net->npeers; i++)
        if (net->peers[i] != NULL)
            ofi_peer_fail(net, net->peers[i]);
}

void ofi_peers_free(struct ofi_net *net)
{
    for (size_t i = 0; i < net->npeers; i++) {
        if (net->peers[i] == NULL)
            continue;
        ofi_local_detach(net->peers[i]);
        free(net->peers[i]);
    }
    free(net->peers);
}
