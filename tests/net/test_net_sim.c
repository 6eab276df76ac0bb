/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated fabric: order, odds, time, crashes, and that a seed is a
 * whole history.
 */
#include "base/err.h"
#include "base/mem.h"
#include "net/net_sim.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 256
#define SECOND NS_PER_SEC

/* What one endpoint has seen. */
struct seen {
    struct net *net;
    unsigned nreceived;
    unsigned nheld;
    void *held[64];
    bool keeps; /* do not release */
    uint32_t last;
    unsigned nbackward; /* messages with a lower number than one before */
    uint64_t hash;
};

struct call {
    struct net_op op; /* first */
    unsigned nended;
    int rc;
};

static struct clock_virtual clk;
static struct net_sim_fabric *fabric;

static void on_done(struct net_op *op, int rc)
{
    struct call *call = (struct call *)op;

    call->nended++;
    call->rc = rc;
}

static void on_recv(void *ctx, struct net *net, void *buffer, size_t len)
{
    struct seen *seen = ctx;
    uint32_t number = 0;

    memcpy(&number, buffer, len < 4 ? len : 4);
    seen->nreceived++;
    seen->nbackward += number < seen->last;
    seen->last = number;
    seen->hash = seen->hash * 31 + number;
    if (seen->keeps)
        seen->held[seen->nheld++] = buffer;
    else
        net_release(net, buffer);
}

static struct net *open_at(const char *service, struct seen *seen,
                           unsigned receives)
{
    struct net_config config = {.node = "n1",
                                .service = service,
                                .message_max = MESSAGE_MAX,
                                .receives = receives,
                                .recv = on_recv,
                                .recv_ctx = seen,
                                .clock = &clk.clock,
                                .fabric = fabric};
    struct net *net = NULL;

    memset(seen, 0, sizeof(*seen));
    CU_ASSERT_EQUAL_FATAL(net_open(&net_sim, &config, &net), 0);
    seen->net = net;
    return net;
}

static void start(uint64_t seed)
{
    struct net_sim_config config = {
        .seed = seed, .delay_min_ns = 1000, .delay_max_ns = 50000};

    clock_virtual_init(&clk);
    CU_ASSERT_EQUAL_FATAL(net_sim_create(&config, &clk, &fabric), 0);
}

static uint64_t peer_at(struct net *net, const char *service)
{
    uint64_t peer = NET_PEER_NONE;

    CU_ASSERT_EQUAL(net_peer_resolve(net, "n1", service, &peer), 0);
    return peer;
}

/* Wait until the world has been silent until the given time. */
static void settle(struct net *a, struct net *b, uint64_t ns)
{
    uint64_t until_ns = clk.now_ns + ns;

    while (clk.now_ns < until_ns) {
        net_sim_step(fabric, until_ns);
        net_poll(a);
        if (b != NULL)
            net_poll(b);
    }
}

static void test_message_arrives_once_and_op_ends_once(void)
{
    struct call call = {.op.done = on_done};
    struct seen at_a, at_b;
    struct net *a, *b;
    uint64_t before;

    start(1);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    before = clk.now_ns;
    CU_ASSERT_EQUAL(net_send(a, &call.op, peer_at(a, "b"), "abcd", 4, NULL), 0);
    CU_ASSERT_EQUAL(call.nended, 0);
    CU_ASSERT(net_wait(b, clk.now_ns + SECOND) > 0);
    CU_ASSERT(clk.now_ns >= before + 1000 && clk.now_ns <= before + 50000);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(at_b.nreceived, 1);
    CU_ASSERT_EQUAL(call.nended, 1);
    CU_ASSERT_EQUAL(call.rc, 0);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

static void test_messages_keep_order_unless_reordered(void)
{
    struct call calls[100] = {0};
    struct seen at_a, at_b;
    struct net *a, *b;

    for (unsigned percent = 0; percent <= 50; percent += 50) {
        start(2);
        net_sim_set_odds(fabric, 0, 0, percent);
        a = open_at("a", &at_a, 8);
        b = open_at("b", &at_b, 8);
        for (uint32_t i = 0; i < 100; i++) {
            calls[i] = (struct call){.op.done = on_done};
            CU_ASSERT_EQUAL(
                net_send(a, &calls[i].op, peer_at(a, "b"), &i, 4, NULL), 0);
        }
        settle(a, b, SECOND);
        CU_ASSERT_EQUAL(at_b.nreceived, 100);
        CU_ASSERT_EQUAL(at_b.nbackward > 0, percent > 0);
        net_close(a);
        net_close(b);
        net_sim_destroy(&fabric);
    }
}

static void test_send_never_overtakes_write(void)
{
    struct call calls[2];
    struct seen at_a, at_b;
    struct net_remote remote;
    struct net_mr *mr;
    struct net *a, *b;
    uint64_t value, memory;

    for (uint64_t seed = 0; seed < 50; seed++) {
        start(seed);
        net_sim_set_odds(fabric, 0, 0, 100);
        a = open_at("a", &at_a, 8);
        b = open_at("b", &at_b, 8);
        memory = 0;
        value = seed + 1;
        calls[0] = calls[1] = (struct call){.op.done = on_done};
        CU_ASSERT_EQUAL(
            net_mr_reg(b, &memory, 8, NET_MEM_HOST, NET_REMOTE_WRITE, &mr), 0);
        net_mr_remote(b, mr, &remote);
        CU_ASSERT_EQUAL(net_write(a, &calls[0].op, peer_at(a, "b"), &value, 8,
                                  NULL, remote.addr, remote.key),
                        0);
        CU_ASSERT_EQUAL(
            net_send(a, &calls[1].op, peer_at(a, "b"), "x", 1, NULL), 0);
        while (at_b.nreceived == 0 && clk.now_ns < 3 * SECOND)
            net_wait(b, 3 * SECOND);
        CU_ASSERT_EQUAL(memory, seed + 1);
        net_mr_dereg(b, mr);
        net_close(a);
        net_close(b);
        net_sim_destroy(&fabric);
    }
}

static void test_rma_both_ways_and_refused_without_right(void)
{
    struct call call;
    struct seen at_a, at_b;
    struct net_remote remote;
    struct net_mr *mr;
    struct net *a, *b;
    char memory[16] = "0123456789abcde", local[4];
    uint64_t peer;

    start(3);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    peer = peer_at(a, "b");
    CU_ASSERT_EQUAL(
        net_mr_reg(b, memory, 16, NET_MEM_HOST, NET_REMOTE_READ, &mr), 0);
    net_mr_remote(b, mr, &remote);

    call = (struct call){.op.done = on_done};
    net_read(a, &call.op, peer, local, 4, NULL, remote.addr + 12, remote.key);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(call.rc, 0);
    CU_ASSERT_EQUAL(memcmp(local, "cde", 4), 0);

    call = (struct call){.op.done = on_done};
    net_read(a, &call.op, peer, local, 4, NULL, remote.addr + 13, remote.key);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(call.rc, -EACCES);

    call = (struct call){.op.done = on_done};
    net_write(a, &call.op, peer, "zzzz", 4, NULL, remote.addr, remote.key);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(call.rc, -EACCES);
    CU_ASSERT_EQUAL(memory[0], '0');

    net_mr_dereg(b, mr);
    call = (struct call){.op.done = on_done};
    net_read(a, &call.op, peer, local, 4, NULL, remote.addr, remote.key);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(call.rc, -EACCES);
    CU_ASSERT_EQUAL(call.nended, 1);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

/* A write breaks the connection: the message behind it is lost with it, what
 * is started afterwards arrives. */
static void test_a_broken_link_takes_all_that_is_under_way(void)
{
    struct net_sim_config odds = {
        .seed = 1, .delay_min_ns = 1000, .delay_max_ns = 1000,
        .break_percent = 100};
    static char memory[8] = "01234567";
    struct net_remote remote;
    struct seen at_a, at_b;
    struct call write, send;
    struct net *a, *b;
    struct net_mr *mr;
    uint32_t number = 1;

    clock_virtual_init(&clk);
    CU_ASSERT_EQUAL_FATAL(net_sim_create(&odds, &clk, &fabric), 0);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(b, memory, sizeof(memory), NET_MEM_HOST,
                                     NET_REMOTE_WRITE, &mr), 0);
    net_mr_remote(b, mr, &remote);
    write = send = (struct call){.op.done = on_done};
    net_write(a, &write.op, peer_at(a, "b"), "zzzz", 4, NULL, remote.addr,
              remote.key);
    net_send(a, &send.op, peer_at(a, "b"), &number, 4, NULL);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(write.rc, -ERR_LINK);
    CU_ASSERT_EQUAL(memory[0], '0');
    CU_ASSERT_EQUAL(at_b.nreceived, 0);
    send = (struct call){.op.done = on_done};
    net_send(a, &send.op, peer_at(a, "b"), &number, 4, NULL);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(at_b.nreceived, 1);
    net_mr_dereg(b, mr);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

static void test_odds_drop_and_double(void)
{
    struct net_sim_counts counts;
    struct call calls[1000];
    struct seen at_a, at_b;
    struct net *a, *b;

    start(4);
    net_sim_set_odds(fabric, 20, 10, 0);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    for (uint32_t i = 0; i < 1000; i++) {
        calls[i] = (struct call){.op.done = on_done};
        net_send(a, &calls[i].op, peer_at(a, "b"), &i, 4, NULL);
    }
    settle(a, b, SECOND);
    net_sim_counts(fabric, &counts);
    CU_ASSERT_EQUAL(counts.sent, 1000);
    CU_ASSERT(counts.dropped > 150 && counts.dropped < 250);
    CU_ASSERT(counts.duplicated > 40 && counts.duplicated < 130);
    CU_ASSERT_EQUAL(at_b.nreceived,
                    counts.sent - counts.dropped + counts.duplicated);
    for (unsigned i = 0; i < 1000; i++)
        CU_ASSERT(calls[i].nended == 1 && calls[i].rc == 0);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

static uint64_t history(uint64_t seed)
{
    static struct call calls[500];
    struct seen at_a, at_b;
    struct net *a, *b;
    uint64_t result;

    start(seed);
    net_sim_set_odds(fabric, 10, 10, 30);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    for (uint32_t i = 0; i < 500; i++) {
        calls[i] = (struct call){.op.done = on_done};
        net_send(a, &calls[i].op, peer_at(a, "b"), &i, 4, NULL);
        if (i % 7 == 0)
            net_wait(b, clk.now_ns + 10000);
    }
    settle(a, b, SECOND);
    result = at_b.hash + at_b.nreceived;
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
    return result;
}

static void test_same_seed_is_same_history(void)
{
    CU_ASSERT_EQUAL(history(7), history(7));
    CU_ASSERT_NOT_EQUAL(history(7), history(8));
}

static void test_start_is_refused_when_queue_is_full(void)
{
    static struct call calls[5000];
    struct seen at_a, at_b;
    struct net *a, *b;
    unsigned n = 0;

    start(5);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    for (; n < 5000; n++) {
        calls[n] = (struct call){.op.done = on_done};
        if (net_send(a, &calls[n].op, peer_at(a, "b"), "x", 1, NULL) != 0)
            break;
    }
    CU_ASSERT(n > 0 && n < 5000);
    CU_ASSERT_EQUAL(net_send(a, &calls[n].op, peer_at(a, "b"), "x", 1, NULL),
                    -EAGAIN);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(calls[n].nended, 0);
    CU_ASSERT_EQUAL(net_send(a, &calls[n].op, peer_at(a, "b"), "x", 1, NULL),
                    0);
    CU_ASSERT_EQUAL(
        net_send(a, &calls[0].op, peer_at(a, "b"), "x", MESSAGE_MAX + 1, NULL),
        -EMSGSIZE);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

static void test_messages_wait_for_released_buffers(void)
{
    struct call calls[5];
    struct seen at_a, at_b;
    struct net *a, *b;

    start(6);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 2);
    at_b.keeps = true;
    for (uint32_t i = 0; i < 5; i++) {
        calls[i] = (struct call){.op.done = on_done};
        net_send(a, &calls[i].op, peer_at(a, "b"), &i, 4, NULL);
    }
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(at_b.nreceived, 2);
    net_release(b, at_b.held[1]);
    net_release(b, at_b.held[0]);
    net_poll(b);
    CU_ASSERT_EQUAL(at_b.nreceived, 4);
    net_close(a);
    net_close(b); /* frees what is still held */
    net_sim_destroy(&fabric);
}

static void test_crash_ends_operations_of_others(void)
{
    struct call to_b[2], of_b;
    struct seen at_a, at_b;
    struct net_remote remote;
    struct net_mr *mr;
    struct net *a, *b;
    char memory[8] = "before";
    uint64_t peer;

    start(9);
    a = open_at("a", &at_a, 8);
    b = open_at("b", &at_b, 8);
    peer = peer_at(a, "b");
    net_mr_reg(b, memory, 8, NET_MEM_HOST, NET_REMOTE_WRITE, &mr);
    net_mr_remote(b, mr, &remote);
    to_b[0] = to_b[1] = of_b = (struct call){.op.done = on_done};
    net_write(a, &to_b[0].op, peer, "after!!", 8, NULL, remote.addr,
              remote.key);
    net_send(b, &of_b.op, peer_at(b, "a"), "x", 1, NULL);
    net_sim_crash(fabric, b);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(to_b[0].nended, 1);
    CU_ASSERT_EQUAL(to_b[0].rc, -ERR_LINK);
    CU_ASSERT_EQUAL(of_b.nended, 0);
    CU_ASSERT_EQUAL(at_a.nreceived, 0);
    CU_ASSERT_STRING_EQUAL(memory, "before");
    CU_ASSERT_EQUAL(net_send(b, &of_b.op, peer, "x", 1, NULL), -ERR_LINK);
    net_close(b);

    CU_ASSERT_EQUAL(net_send(a, &to_b[1].op, peer, "x", 1, NULL), 0);
    settle(a, NULL, SECOND);
    CU_ASSERT_EQUAL(to_b[1].rc, -ERR_LINK);

    b = open_at("b", &at_b, 8); /* restarted: the same peer reaches it */
    to_b[1] = (struct call){.op.done = on_done};
    CU_ASSERT_EQUAL(net_send(a, &to_b[1].op, peer, "x", 1, NULL), 0);
    settle(a, b, SECOND);
    CU_ASSERT_EQUAL(to_b[1].rc, 0);
    CU_ASSERT_EQUAL(at_b.nreceived, 1);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

static void test_wait_ends_at_its_time(void)
{
    struct seen at_a;
    struct net *a;
    uint64_t until_ns;

    start(10);
    a = open_at("a", &at_a, 8);
    until_ns = clk.now_ns + 30 * SECOND;
    CU_ASSERT_EQUAL(net_wait(a, until_ns), 0);
    CU_ASSERT_EQUAL(clk.now_ns, until_ns);
    CU_ASSERT_EQUAL(net_wait(a, until_ns - SECOND), 0);
    CU_ASSERT_EQUAL(clk.now_ns, until_ns);
    net_close(a);
    net_sim_destroy(&fabric);
}

/* An actor that echoes, has a timer, and once waits inside its own turn. */
struct echo {
    struct seen seen;
    struct call call;
    uint64_t timer_ns;
    uint64_t late_ns;
    unsigned nturns, depth, deepest;
};

static int echo_run(void *ctx)
{
    struct echo *echo = ctx;
    int ndone;

    echo->nturns++;
    echo->depth++;
    if (echo->depth > echo->deepest)
        echo->deepest = echo->depth;
    ndone = net_poll(echo->seen.net);
    if (echo->nturns == 3)
        net_wait(echo->seen.net, clk.now_ns + NS_PER_MS);
    if (echo->timer_ns != 0 && clk.now_ns >= echo->timer_ns) {
        echo->late_ns = clk.now_ns - echo->timer_ns;
        echo->timer_ns = 0;
        ndone++;
    }
    echo->depth--;
    return ndone;
}

static void test_actors_run_while_others_wait(void)
{
    struct call call = {.op.done = on_done};
    struct echo echo = {0};
    struct seen at_a;
    struct net *a;
    uint64_t until_ns;

    start(11);
    a = open_at("a", &at_a, 8);
    open_at("b", &echo.seen, 8);
    echo.timer_ns = clk.now_ns + 500 * NS_PER_MS + 123;
    CU_ASSERT_EQUAL(net_sim_actor_add(fabric, echo_run, &echo), 0);
    net_send(a, &call.op, peer_at(a, "b"), "x", 1, NULL);
    until_ns = clk.now_ns + SECOND;
    while (clk.now_ns < until_ns)
        net_wait(a, until_ns);
    CU_ASSERT_EQUAL(echo.seen.nreceived, 1);
    CU_ASSERT_EQUAL(echo.deepest, 1);
    CU_ASSERT_EQUAL(echo.timer_ns, 0);
    CU_ASSERT(echo.late_ns <= NS_PER_MS);
    net_sim_actor_remove(fabric, &echo);
    echo.nturns = 0;
    net_wait(a, clk.now_ns + SECOND);
    CU_ASSERT_EQUAL(echo.nturns, 0);
    net_close(a);
    net_close(echo.seen.net);
    net_sim_destroy(&fabric);
}

static void test_names_and_addresses_are_checked(void)
{
    struct net_config config;
    struct seen at_a, at_b;
    struct net *a, *b, *c = NULL;
    char name[NET_NAME_MAX];
    size_t len = sizeof(name);
    uint64_t peer;

    start(12);
    a = open_at("a", &at_a, 8);
    b = open_at(NET_ANY_PORT, &at_b, 8);
    CU_ASSERT_EQUAL(net_name(b, name, &len), 0);
    CU_ASSERT_EQUAL(net_peer_insert(a, name, len, &peer), 0);
    CU_ASSERT_EQUAL(net_peer_insert(a, name, len - 1, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a, name, 0, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a, "sim:99", 6, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a, "sim:-1", 6, &peer), -EINVAL);
    CU_ASSERT_EQUAL(net_peer_insert(a, "\0\0\0\0\0\0", 6, &peer), -EINVAL);
    len = 1;
    CU_ASSERT_EQUAL(net_name(b, name, &len), -ENOSPC);
    config = (struct net_config){.service = "a",
                                 .message_max = 8,
                                 .receives = 1,
                                 .recv = on_recv,
                                 .fabric = fabric};
    CU_ASSERT_EQUAL(net_open(&net_sim, &config, &c), -EADDRINUSE);
    config.message_max = 0;
    CU_ASSERT_EQUAL(net_open(&net_sim, &config, &c), -EINVAL);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT_EQUAL(net_wait_fd(a), -1);
    CU_ASSERT_TRUE(net_caps(a)->send_after_write);
    net_close(a);
    net_close(b);
    net_sim_destroy(&fabric);
}

/* Fail allocation 0, 1, 2 ... of a whole conversation. */
static void test_every_allocation_may_fail(void)
{
    struct net_sim_config config = {.seed = 1};
    struct net_config at = {
        .message_max = 64, .receives = 2, .recv = on_recv, .clock = &clk.clock};
    struct seen seen = {0};
    struct call call;
    struct net *a;
    uint64_t peer;
    int n, rc;

    for (n = 0; n < 100; n++) {
        fabric = NULL;
        a = NULL;
        clock_virtual_init(&clk);
        call = (struct call){.op.done = on_done};
        mem_fault_set(n);
        rc = net_sim_create(&config, &clk, &fabric);
        if (rc == 0) {
            at.fabric = fabric;
            at.recv_ctx = &seen;
            rc = net_open(&net_sim, &at, &a);
        }
        if (rc == 0)
            rc = net_peer_resolve(a, NULL, "any-0", &peer);
        if (rc == 0)
            rc = net_send(a, &call.op, peer, "x", 1, NULL);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        if (rc == 0)
            while (net_wait(a, clk.now_ns + SECOND) > 0)
                ;
        CU_ASSERT_EQUAL(call.nended, rc == 0);
        if (a != NULL)
            net_close(a);
        net_sim_destroy(&fabric);
        if (rc == 0 && seen.nreceived > 0)
            break;
    }
    CU_ASSERT(n > 3 && n < 100);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"message arrives once", test_message_arrives_once_and_op_ends_once},
        {"order is kept", test_messages_keep_order_unless_reordered},
        {"send after write", test_send_never_overtakes_write},
        {"rma both ways", test_rma_both_ways_and_refused_without_right},
        {"a broken link", test_a_broken_link_takes_all_that_is_under_way},
        {"odds", test_odds_drop_and_double},
        {"same seed, same history", test_same_seed_is_same_history},
        {"queue full", test_start_is_refused_when_queue_is_full},
        {"buffers out", test_messages_wait_for_released_buffers},
        {"crash", test_crash_ends_operations_of_others},
        {"wait ends", test_wait_ends_at_its_time},
        {"actors", test_actors_run_while_others_wait},
        {"names are checked", test_names_and_addresses_are_checked},
        {"no memory", test_every_allocation_may_fail},
        CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{.pName = "net_sim", .pTests = tests},
                             CU_SUITE_INFO_NULL};
    unsigned nfailed;

    CU_initialize_registry();
    CU_register_suites(suites);
    CU_basic_run_tests();
    nfailed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return nfailed != 0;
}
