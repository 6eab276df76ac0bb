/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server in a process of its own: asked, killed with -9 in the middle,
 * started again at the same place, and talked to by strangers.
 */
#include "base/err.h"
#include "base/rng.h"
#include "tests/net/net_kit.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *provider;

static void on_done(struct net_op *op, int rc)
{
    struct kit_call *call = (struct kit_call *)op;

    call->nended++;
    call->rc = rc;
}

static void start(struct kit_server *server, char service[NET_NAME_MAX])
{
    CU_ASSERT_EQUAL_FATAL(
        kit_server_start(server, provider, kit_service(provider)), 0);
    snprintf(service, NET_NAME_MAX, "%s",
             kit_service_of(provider, server->name));
}

static int read_memory(struct kit_end *end, uint64_t peer, void *memory,
                       size_t len, const struct net_remote *remote)
{
    static struct kit_call call;

    call = (struct kit_call){.op.done = on_done};
    CU_ASSERT_EQUAL_FATAL(net_read(end->net, &call.op, peer, memory, len, NULL,
                                   remote->addr, remote->key),
                          0);
    return kit_until(end, NULL, &call.nended, 1) ? call.rc : -ETIMEDOUT;
}

static void test_other_process_answers_and_shows_its_memory(void)
{
    static char memory[KIT_MEMORY];
    char service[NET_NAME_MAX];
    struct kit_server server = {0};
    struct kit_end end;
    uint64_t peer;
    unsigned nwrong = 0;

    start(&server, service);
    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    CU_ASSERT_EQUAL(net_peer_resolve(end.net, "127.0.0.1", service, &peer), 0);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL_FATAL(kit_ask(&end, peer, i), 0);
    CU_ASSERT_EQUAL(
        read_memory(&end, peer, memory, sizeof(memory), &server.remote), 0);
    for (size_t i = 0; i < sizeof(memory); i++)
        nwrong += memory[i] != (char)(i % 251);
    CU_ASSERT_EQUAL(nwrong, 0);
    net_close(end.net);
    kit_server_stop(&server);
}

/* Ask until an answer comes, as a caller with a deadline would. */
static int ask_until_answered(struct kit_end *end, uint64_t peer)
{
    uint64_t until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;
    int rc;

    do {
        rc = kit_ask(end, peer, 4711);
    } while (rc != 0 && clock_now(clock_real()) < until_ns);
    return rc;
}

static void test_restarted_server_is_reached_again(void)
{
    char service[NET_NAME_MAX];
    struct kit_server server = {0};
    struct kit_call call;
    struct kit_end end;
    uint64_t peer;

    start(&server, service);
    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    CU_ASSERT_EQUAL(net_peer_resolve(end.net, "127.0.0.1", service, &peer), 0);
    CU_ASSERT_EQUAL(kit_ask(&end, peer, 1), 0);
    kit_server_kill(&server);
    /* Told within OFI_LINK_NS or so, first or second: some bytes may
     * still fit into a dead connection. */
    for (unsigned i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(kit_send(&end, NULL, &call, peer, "abcd", 4), 0);
        CU_ASSERT_FATAL(kit_until(&end, NULL, &call.nended, 1));
        if (call.rc != 0)
            break;
        net_wait(end.net, clock_now(clock_real()) + 10 * NS_PER_MS);
    }
    CU_ASSERT_EQUAL(call.rc, -ERR_LINK);
    CU_ASSERT_EQUAL_FATAL(kit_server_start(&server, provider, service), 0);
    CU_ASSERT_EQUAL(ask_until_answered(&end, peer), 0);
    CU_ASSERT_EQUAL(kit_ask(&end, peer, 2), 0);
    net_close(end.net);
    kit_server_stop(&server);
}

/* Operations that are under way at the moment of death all end, once. */
static void test_death_ends_everything_under_way(void)
{
    enum { N = 64, LEN = 65536 };
    static char memory[N][LEN];
    static struct kit_call calls[N];
    char service[NET_NAME_MAX];
    struct kit_server server = {0};
    struct kit_end end;
    uint64_t peer;

    start(&server, service);
    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    CU_ASSERT_EQUAL(net_peer_resolve(end.net, "127.0.0.1", service, &peer), 0);
    CU_ASSERT_EQUAL_FATAL(kit_ask(&end, peer, 1), 0);
    kill(server.pid, SIGSTOP);
    for (unsigned i = 0; i < N; i++) {
        calls[i] = (struct kit_call){.op.done = on_done};
        CU_ASSERT_EQUAL_FATAL(net_read(end.net, &calls[i].op, peer, memory[i],
                                       LEN, NULL, server.remote.addr,
                                       server.remote.key),
                              0);
    }
    net_poll(end.net);
    kit_server_kill(&server);
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT(kit_until(&end, NULL, &calls[i].nended, 1));
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT(calls[i].nended == 1 &&
                  (calls[i].rc == 0 || calls[i].rc == -ERR_LINK));

    CU_ASSERT_EQUAL_FATAL(kit_server_start(&server, provider, service), 0);
    CU_ASSERT_EQUAL(ask_until_answered(&end, peer), 0);
    CU_ASSERT_EQUAL(read_memory(&end, peer, memory[0], LEN, &server.remote), 0);
    net_close(end.net);
    kit_server_stop(&server);
}

/* The death of one peer does not stop the traffic with another. */
static void test_death_of_one_leaves_the_other(void)
{
    static char memory[2][65536], big[KIT_MESSAGE_MAX];
    char service[2][NET_NAME_MAX];
    struct kit_server servers[2] = {0};
    struct kit_call calls[2];
    struct kit_end end;
    uint64_t peers[2];

    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    for (unsigned i = 0; i < 2; i++) {
        start(&servers[i], service[i]);
        CU_ASSERT_EQUAL(
            net_peer_resolve(end.net, "127.0.0.1", service[i], &peers[i]), 0);
        CU_ASSERT_EQUAL_FATAL(kit_ask(&end, peers[i], i), 0);
    }
    kill(servers[0].pid, SIGSTOP);
    calls[0] = (struct kit_call){.op.done = on_done};
    CU_ASSERT_EQUAL_FATAL(net_read(end.net, &calls[0].op, peers[0], memory[0],
                                   65536, NULL, servers[0].remote.addr,
                                   servers[0].remote.key),
                          0);
    CU_ASSERT_EQUAL_FATAL(
        kit_send(&end, NULL, &calls[1], peers[0], big, sizeof(big)), 0);
    kit_server_kill(&servers[0]);
    CU_ASSERT(kit_until(&end, NULL, &calls[0].nended, 1));
    CU_ASSERT(kit_until(&end, NULL, &calls[1].nended, 1));
    CU_ASSERT_EQUAL(ask_until_answered(&end, peers[1]), 0);
    CU_ASSERT_EQUAL(
        read_memory(&end, peers[1], memory[1], 65536, &servers[1].remote), 0);
    CU_ASSERT_EQUAL(memory[1][252], 1);
    net_close(end.net);
    kit_server_stop(&servers[1]);
    CU_ASSERT_EQUAL_FATAL(kit_server_start(&servers[0], provider, service[0]),
                          0);
    kit_server_stop(&servers[0]);
}

/* --- Strangers at the port --- */

static void throw_bytes(const char *service, uint64_t seed, size_t len)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char bytes[4096];
    struct rng rng;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    rng_init(&rng, seed);
    to.sin_port = htons((uint16_t)atoi(service));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)rng_next(&rng);
    if (len > 0)
        send(fd, bytes, len, MSG_NOSIGNAL);
    close(fd);
}

static void test_garbage_at_the_port_does_no_harm(void)
{
    static const size_t lens[] = {0, 1, 7, 8, 64, 4096};
    char service[NET_NAME_MAX];
    struct kit_server server = {0};
    struct kit_end end;
    uint64_t peer;

    if (strcmp(provider, "shm") == 0)
        return; /* it has no port */
    start(&server, service);
    for (uint64_t seed = 0; seed < 30; seed++)
        throw_bytes(service, seed, lens[seed % 6]);
    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    CU_ASSERT_EQUAL(net_peer_resolve(end.net, "127.0.0.1", service, &peer), 0);
    CU_ASSERT_EQUAL(ask_until_answered(&end, peer), 0);
    for (uint64_t seed = 30; seed < 60; seed++)
        throw_bytes(service, seed, lens[seed % 6]);
    CU_ASSERT_EQUAL(kit_ask(&end, peer, 3), 0);
    net_close(end.net);
    kit_server_stop(&server);
}

static void test_silent_stranger_does_not_block_others(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char service[NET_NAME_MAX];
    struct kit_server server = {0};
    struct kit_end end;
    uint64_t peer;
    int fds[8];

    if (strcmp(provider, "shm") == 0)
        return; /* it has no port */
    start(&server, service);
    to.sin_port = htons((uint16_t)atoi(service));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    for (unsigned i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CU_ASSERT_EQUAL_FATAL(
            connect(fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
        send(fds[i], "\1\2\3", i % 4, MSG_NOSIGNAL);
    }
    CU_ASSERT_EQUAL_FATAL(kit_open(&end, provider, NULL, 8), 0);
    CU_ASSERT_EQUAL(net_peer_resolve(end.net, "127.0.0.1", service, &peer), 0);
    CU_ASSERT_EQUAL(ask_until_answered(&end, peer), 0);
    for (unsigned i = 0; i < 8; i++)
        close(fds[i]);
    net_close(end.net);
    kit_server_stop(&server);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"other process", test_other_process_answers_and_shows_its_memory},
        {"restarted server", test_restarted_server_is_reached_again},
        {"death ends everything", test_death_ends_everything_under_way},
        {"death of one", test_death_of_one_leaves_the_other},
        {"garbage", test_garbage_at_the_port_does_no_harm},
        {"silent stranger", test_silent_stranger_does_not_block_others},
        CU_TEST_INFO_NULL};

    if (argc == 4 && strcmp(argv[1], "--serve") == 0)
        return kit_serve(argv[2], argv[3]);
    provider = argc > 1 ? argv[1] : KIT_PROVIDER;
    if (!kit_has(provider)) {
        printf("skipped: fabric provider %s is not available\n", provider);
        return 77;
    }
    return kit_run(provider, tests);
}
