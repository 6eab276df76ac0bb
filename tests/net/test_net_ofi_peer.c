/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The line of operations that wait for a peer's link, with a provider made of
 * one line: every operation ends exactly once, whatever happens to the link
 * while one of them is offered.
 */
#include "base/mem.h"

#include "net/net_ofi_peer.c"

#include "base/unit.h"

#define OPS 3

struct ofi_lib ofi_lib; /* not called here */

static struct ofi_net net;
static struct ofi_peer *peer;
static struct net_op ops[OPS];
static unsigned nposted;

/* What the provider does with the next operation. */
static enum { ACCEPTS, FAILS_LINK, FAILS_LINK_THEN_ACCEPTS, ENDS_TWICE } mode;

int ofi_post(struct ofi_net *net_, struct ofi_peer *peer_, struct net_op *op,
             struct ofi_start *start)
{
    (void)start;
    switch (mode) {
    case ACCEPTS:
        break;
    case FAILS_LINK: /* look_at_local() saw that the peer is dead */
        ofi_peer_fail(net_, peer_);
        return -EAGAIN;
    case FAILS_LINK_THEN_ACCEPTS: /* ... and that it has come back */
        ofi_peer_fail(net_, peer_);
        break;
    case ENDS_TWICE: /* move_local() found nobody */
        ofi_peer_fail(net_, peer_);
        ofi_end_later(net_, op, -ERR_LINK);
        return 0;
    }
    nposted++;
    return 0;
}

bool ofi_local_attach(struct ofi_net *net_, struct ofi_peer *peer_)
{
    (void)net_;
    (void)peer_;
    return false;
}

void ofi_local_detach(struct ofi_peer *peer_)
{
    (void)peer_;
}

bool ofi_local_is_stale(const struct ofi_peer *peer_)
{
    (void)peer_;
    return false;
}

bool ofi_local_provider_name(const struct ofi_peer *peer_,
                             char name[NET_NAME_MAX])
{
    (void)peer_;
    name[0] = '\0';
    return false;
}

int ofi_shm_name(const char *service, char name[NET_NAME_MAX])
{
    return snprintf(name, NET_NAME_MAX, "shm-%s", service) > 0 ? 0 : -EINVAL;
}

bool ofi_shm_is_name(const void *name, size_t len)
{
    (void)name;
    return len > 0;
}

int ofi_info_resolve(const struct ofi_net *net_, const char *node,
                     const char *service, struct fi_info **info_out)
{
    (void)net_;
    (void)node;
    (void)service;
    (void)info_out;
    return -EHOSTUNREACH;
}

/* A shm endpoint and a peer for which OPS operations wait. */
static void start(void)
{
    uint64_t id;

    net = (struct ofi_net){.is_shm = true, .clock = clock_real()};
    ofi_line_init(&net.ended);
    nposted = 0;
    CU_ASSERT_EQUAL_FATAL(ofi_peer_resolve(&net.net, NULL, "x", &id), 0);
    peer = net.peers[id];
    for (unsigned i = 0; i < OPS; i++)
        ofi_peer_wait(&net, peer, &ops[i]);
    peer->next_try_ns = 0;
}

/* @return how many operations are in a line; a cycle counts as too many. */
static unsigned length(const struct ofi_line *line)
{
    struct net_op *op;
    unsigned n = 0;

    for (op = line->first; op != NULL && n <= 2 * OPS;
         op = ofi_start_of(op)->next)
        n++;
    return n;
}

static void check_each_ends_once(unsigned posted)
{
    CU_ASSERT_EQUAL(nposted, posted);
    CU_ASSERT_EQUAL(length(&net.ended), OPS - posted);
    CU_ASSERT_EQUAL(length(&peer->line), 0);
    CU_ASSERT_FALSE(peer->is_waiting);
    CU_ASSERT_PTR_NULL(net.waiting);
    ofi_peers_free(&net);
}

static void test_all_are_taken_in_order(void)
{
    start();
    mode = ACCEPTS;
    CU_ASSERT_EQUAL(ofi_peers_retry(&net), OPS);
    check_each_ends_once(OPS);
}

static void test_a_dead_peer_ends_all(void)
{
    start();
    mode = FAILS_LINK;
    ofi_peers_retry(&net);
    check_each_ends_once(0);
}

static void test_a_peer_that_came_back_takes_one_and_ends_the_others(void)
{
    start();
    mode = FAILS_LINK_THEN_ACCEPTS;
    ofi_peers_retry(&net);
    check_each_ends_once(1);
}

static void test_a_move_that_finds_nobody_ends_once(void)
{
    start();
    mode = ENDS_TWICE;
    ofi_peers_retry(&net);
    check_each_ends_once(0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_all_are_taken_in_order),
        UNIT_TEST(test_a_dead_peer_ends_all),
        UNIT_TEST(test_a_peer_that_came_back_takes_one_and_ends_the_others),
        UNIT_TEST(test_a_move_that_finds_nobody_ends_once),
    };

    return UNIT_MAIN("net_ofi_peer", tests);
}
