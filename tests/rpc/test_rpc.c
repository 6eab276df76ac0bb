/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls over the simulated fabric: each takes effect once and ends once,
 * whatever the fabric drops, repeats or delays, and whatever dies.
 */
#include "base/err.h"
#include "base/rng.h"
#include "net/net_sim.h"
#include "proto/counters.h"
#include "proto/status.h"
#include "rpc/rpc.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 400

static uint64_t seed = 1;

static const char yaml[] = "cluster: c0ffee\n"
                           "servers:\n"
                           "  - name: s1\n"
                           "    node: sim\n"
                           "    targets:\n"
                           "      - id: 1\n"
                           "        service: t1\n"
                           "        directory: /nowhere\n";

/* A server that counts how often each write takes effect. */
struct server {
    struct net *net;
    struct rpc *rpc;
    struct counters counters;
    unsigned effects[CALLS];
    struct rpc_request *held; /* when holding: not answered */
    bool is_holding;
    unsigned refuse_busy; /* answer so many with "busy" */
};

struct world {
    struct clock_virtual clock;
    struct net_sim_fabric *fabric;
    struct cluster *cluster;
    struct server server;
    struct net *net;
    struct rpc *client;
};

static void serve(void *ctx, struct rpc_request *request)
{
    struct server *server = ctx;
    union proto_rep rep = {0};

    if (server->is_holding) {
        server->held = request;
        return;
    }
    if (server->refuse_busy > 0) {
        server->refuse_busy--;
        rpc_reply(request, -ERR_BUSY, NULL, NULL);
        return;
    }
    if (request->opcode == PROTO_OP_unlink) {
        rpc_reply(request, -ENOENT, NULL, "no such name");
        return;
    }
    if (request->opcode == PROTO_OP_write) {
        server->effects[request->body.write.ino]++;
        rep.write.bytes = request->body.write.ino;
    }
    rpc_reply(request, 0, &rep, NULL);
}

static int server_turn(void *ctx)
{
    struct server *server = ctx;

    return server->rpc == NULL ? 0 : rpc_poll(server->rpc);
}

static void open_net(struct world *world, const char *service, struct rpc **slot,
                     struct net **net_out)
{
    struct net_config config = {.provider = "sim",
                                .node = "sim",
                                .service = service,
                                .message_max = PROTO_MESSAGE_MAX,
                                .receives = 256,
                                .recv = rpc_receive,
                                .recv_ctx = slot,
                                .clock = &world->clock.clock,
                                .fabric = world->fabric};

    CU_ASSERT_EQUAL_FATAL(net_open(&net_sim, &config, net_out), 0);
}

static void start_server(struct world *world, uint64_t boot)
{
    struct server *server = &world->server;
    struct rpc_config config = {.clock = &world->clock.clock,
                                .cluster = world->cluster,
                                .client = 99,
                                .serve = serve,
                                .serve_ctx = server,
                                .target = 1,
                                .boot = boot,
                                .requests_max = 32,
                                .sessions_max = 8,
                                .counters = &server->counters};

    open_net(world, "t1", &server->rpc, &server->net);
    config.net = server->net;
    CU_ASSERT_EQUAL_FATAL(rpc_create(&config, &server->rpc), 0);
    net_sim_actor_add(world->fabric, server_turn, server);
}

static void stop_server(struct world *world)
{
    struct server *server = &world->server;

    net_sim_crash(world->fabric, server->net);
    net_sim_actor_remove(world->fabric, server);
    rpc_destroy(&server->rpc);
    net_close(server->net);
}

static void world_init(struct world *world, const struct net_sim_config *odds)
{
    struct rpc_config config = {.clock = &world->clock.clock, .client = 7};
    char text[CLUSTER_TEXT_MAX];

    memset(world, 0, sizeof(*world));
    clock_virtual_init(&world->clock);
    CU_ASSERT_EQUAL_FATAL(
        net_sim_create(odds, &world->clock, &world->fabric), 0);
    CU_ASSERT_EQUAL_FATAL(cluster_parse(yaml, sizeof(yaml) - 1, "test",
                                        &world->cluster, text),
                          0);
    start_server(world, 1);
    open_net(world, NULL, &world->client, &world->net);
    config.net = world->net;
    config.cluster = world->cluster;
    CU_ASSERT_EQUAL_FATAL(rpc_create(&config, &world->client), 0);
}

static void world_fini(struct world *world)
{
    stop_server(world);
    rpc_destroy(&world->client);
    net_close(world->net);
    cluster_destroy(&world->cluster);
    net_sim_destroy(&world->fabric);
}

static struct net_sim_config calm(void)
{
    struct net_sim_config config = {.seed = seed,
                                    .delay_min_ns = 10 * NS_PER_US,
                                    .delay_max_ns = 100 * NS_PER_US};

    return config;
}

struct tracked {
    struct rpc_call call;
    union proto_req req;
    int ended;
    int rc;
    uint64_t bytes;
};

static void ended(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    struct tracked *tracked = call->ctx;

    tracked->ended++;
    tracked->rc = rc;
    if (rc == 0 && call->opcode == PROTO_OP_write)
        tracked->bytes = rep->write.bytes;
}

static void start(struct world *world, struct tracked *tracked,
                  unsigned opcode, uint64_t ino, uint64_t timeout_ns)
{
    memset(tracked, 0, sizeof(*tracked));
    tracked->req.write.ino = ino;
    tracked->call.target = 1;
    tracked->call.opcode = (uint16_t)opcode;
    tracked->call.req = &tracked->req;
    tracked->call.deadline_ns = world->clock.now_ns + timeout_ns;
    tracked->call.done = ended;
    tracked->call.ctx = tracked;
    rpc_call_start(world->client, &tracked->call);
}

/* Run the world until the call has ended; bounded by virtual time. */
static void finish(struct world *world, struct tracked *tracked)
{
    uint64_t limit = world->clock.now_ns + 1000 * NS_PER_SEC;
    uint64_t timer;

    while (tracked->ended == 0 && world->clock.now_ns < limit) {
        if (rpc_poll(world->client) > 0)
            continue;
        timer = rpc_next_timer(world->client);
        net_wait(world->net, timer < limit ? timer : limit);
    }
    CU_ASSERT_EQUAL(tracked->ended, 1);
}

static void test_a_call_is_answered(void)
{
    struct net_sim_config odds = calm();
    struct tracked tracked;
    struct world world;

    world_init(&world, &odds);
    start(&world, &tracked, PROTO_OP_write, 5, NS_PER_SEC);
    CU_ASSERT_EQUAL(tracked.ended, 0);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, 0);
    CU_ASSERT_EQUAL(tracked.bytes, 5);
    CU_ASSERT_EQUAL(world.server.effects[5], 1);
    world_fini(&world);
}

static void test_an_error_brings_its_text(void)
{
    struct net_sim_config odds = calm();
    struct tracked tracked;
    struct world world;

    world_init(&world, &odds);
    start(&world, &tracked, PROTO_OP_unlink, 0, NS_PER_SEC);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, -ENOENT);
    CU_ASSERT_STRING_EQUAL(tracked.call.text, "no such name");
    world_fini(&world);
}

static void run_many(struct world *world, struct tracked *tracked)
{
    unsigned i;

    for (i = 0; i < CALLS; i++)
        start(world, &tracked[i], PROTO_OP_write, i, 900 * NS_PER_SEC);
    for (i = 0; i < CALLS; i++)
        finish(world, &tracked[i]);
    for (i = 0; i < CALLS; i++) {
        CU_ASSERT_EQUAL(tracked[i].rc, 0);
        CU_ASSERT_EQUAL(tracked[i].ended, 1);
        CU_ASSERT_EQUAL(world->server.effects[i], 1);
    }
}

static void test_every_call_takes_effect_once(void)
{
    static struct tracked tracked[CALLS];
    struct net_sim_config odds = calm();
    struct world world;
    unsigned round;

    for (round = 0; round < 20; round++) {
        odds.seed = seed + round;
        odds.drop_percent = round;
        odds.duplicate_percent = round;
        odds.reorder_percent = round * 2;
        world_init(&world, &odds);
        run_many(&world, tracked);
        world_fini(&world);
    }
}

static void test_a_busy_server_is_asked_again(void)
{
    static struct tracked tracked[CALLS];
    struct net_sim_config odds = calm();
    struct world world;

    world_init(&world, &odds);
    world.server.refuse_busy = 300;
    run_many(&world, tracked);
    CU_ASSERT(world.server.counters.value[COUNTER_busy] >= 300);
    world_fini(&world);
}

static void test_a_deadline_ends_a_call(void)
{
    struct net_sim_config odds = calm();
    struct tracked first, second;
    struct world world;
    union proto_rep rep = {0};
    uint64_t began;

    world_init(&world, &odds);
    world.server.is_holding = true;
    began = world.clock.now_ns;
    start(&world, &first, PROTO_OP_write, 1, 3 * NS_PER_SEC);
    finish(&world, &first);
    CU_ASSERT_EQUAL(first.rc, -ETIMEDOUT);
    CU_ASSERT(strstr(first.call.text, "server s1") != NULL);
    CU_ASSERT(world.clock.now_ns - began < 4 * NS_PER_SEC);
    /* The late answer does no harm, and the link still works. */
    world.server.is_holding = false;
    rpc_reply(world.server.held, 0, &rep, NULL);
    start(&world, &second, PROTO_OP_write, 2, 3 * NS_PER_SEC);
    finish(&world, &second);
    CU_ASSERT_EQUAL(second.rc, 0);
    CU_ASSERT_EQUAL(first.ended, 1);
    world_fini(&world);
}

static void test_a_restarted_server_is_found_again(void)
{
    static struct tracked tracked[CALLS];
    struct net_sim_config odds = calm();
    struct world world;
    unsigned i;

    world_init(&world, &odds);
    start(&world, &tracked[0], PROTO_OP_write, 0, 60 * NS_PER_SEC);
    finish(&world, &tracked[0]);
    stop_server(&world);
    for (i = 1; i < CALLS; i++)
        start(&world, &tracked[i], PROTO_OP_ping, i, 60 * NS_PER_SEC);
    for (i = 0; i < 50; i++) {
        rpc_poll(world.client);
        net_sim_step(world.fabric, world.clock.now_ns + 50 * NS_PER_MS);
    }
    CU_ASSERT_EQUAL(tracked[1].ended, 0);
    start_server(&world, 2);
    for (i = 1; i < CALLS; i++) {
        finish(&world, &tracked[i]);
        CU_ASSERT_EQUAL(tracked[i].rc, 0);
    }
    world_fini(&world);
}

static void test_a_dead_server_ends_in_time(void)
{
    struct net_sim_config odds = calm();
    struct tracked tracked;
    struct world world;
    uint64_t began;

    world_init(&world, &odds);
    stop_server(&world);
    began = world.clock.now_ns;
    start(&world, &tracked, PROTO_OP_ping, 0, 5 * NS_PER_SEC);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, -ETIMEDOUT);
    CU_ASSERT(world.clock.now_ns - began <= 6 * NS_PER_SEC);
    start_server(&world, 2);
    world_fini(&world);
}

static void test_another_cluster_is_refused(void)
{
    struct net_sim_config odds = calm();
    struct tracked tracked;
    struct world world;

    world_init(&world, &odds);
    /* Both share the map: change what the client will say. */
    start(&world, &tracked, PROTO_OP_ping, 0, 5 * NS_PER_SEC);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, 0);
    stop_server(&world);
    {
        struct cluster other = *world.cluster;
        struct cluster *kept = world.cluster;

        other.id++;
        world.cluster = &other;
        start_server(&world, 3);
        world.cluster = kept;
        start(&world, &tracked, PROTO_OP_ping, 0, 5 * NS_PER_SEC);
        finish(&world, &tracked);
        CU_ASSERT_EQUAL(tracked.rc, -ERR_CLUSTER);
        CU_ASSERT(strstr(tracked.call.text, "s1") != NULL);
        world_fini(&world);
    }
}

/* A server of another version: answers every HELLO with its own. */
struct stranger {
    struct net *net;
    struct net_op op;
    uint8_t answer[PROTO_HEADER_SIZE];
    bool is_asked;
    uint16_t version; /* that it says */
};

static void stranger_sent(struct net_op *op, int rc)
{
}

static void stranger_receive(void *ctx, struct net *net, void *buffer,
                             size_t len)
{
    struct stranger *stranger = ctx;
    struct proto_header header;
    union proto_req req;
    uint64_t peer;

    if (!stranger->is_asked && proto_header_decode(buffer, len, &header) == 0 &&
        proto_req_decode(header.opcode, (uint8_t *)buffer + PROTO_HEADER_SIZE,
                         header.body, &req) == 0 &&
        net_peer_insert(net, req.hello.name.data, req.hello.name.len, &peer) ==
            0) {
        stranger->is_asked = true;
        header.version = stranger->version;
        header.flags = PROTO_FLAG_REPLY;
        header.status = PROTO_STATUS_VERSION;
        header.body = 0;
        proto_header_encode(&header, stranger->answer);
        stranger->op.done = stranger_sent;
        net_send(net, &stranger->op, peer, stranger->answer,
                 sizeof(stranger->answer), NULL);
    }
    net_release(net, buffer);
}

static int stranger_turn(void *ctx)
{
    return net_poll(((struct stranger *)ctx)->net);
}

static void expect_both_versions(uint16_t version)
{
    struct net_sim_config odds = calm();
    struct stranger stranger = {.version = version};
    char text[64];
    struct tracked tracked;
    struct world world;
    struct net_config config = {.provider = "sim",
                                .node = "sim",
                                .service = "t1",
                                .message_max = PROTO_MESSAGE_MAX,
                                .receives = 4,
                                .recv = stranger_receive,
                                .recv_ctx = &stranger};

    world_init(&world, &odds);
    stop_server(&world);
    config.clock = &world.clock.clock;
    config.fabric = world.fabric;
    CU_ASSERT_EQUAL_FATAL(net_open(&net_sim, &config, &stranger.net), 0);
    net_sim_actor_add(world.fabric, stranger_turn, &stranger);
    start(&world, &tracked, PROTO_OP_ping, 0, 5 * NS_PER_SEC);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, -ERR_VERSION);
    snprintf(text, sizeof(text), "version %u, this client %u", version,
             PROTO_VERSION);
    CU_ASSERT(strstr(tracked.call.text, text) != NULL);
    net_sim_actor_remove(world.fabric, &stranger);
    net_close(stranger.net);
    start_server(&world, 4);
    world_fini(&world);
}

static void test_a_client_names_both_versions(void)
{
    expect_both_versions(PROTO_VERSION - 1);
    expect_both_versions(PROTO_VERSION + 1);
}

static struct proto_header last_answer;

static void note_answer(void *ctx, struct net *net, void *buffer, size_t len)
{
    proto_header_decode(buffer, len, &last_answer);
    net_release(net, buffer);
}

static void expect_version_answer(uint16_t version)
{
    struct net_sim_config odds = calm();
    struct net_config config = {.provider = "sim",
                                .node = "sim",
                                .message_max = PROTO_MESSAGE_MAX,
                                .receives = 4,
                                .recv = note_answer};
    struct proto_header header = {.magic = PROTO_MAGIC,
                                  .version = version,
                                  .opcode = PROTO_OP_hello,
                                  .target = 1,
                                  .request = 1};
    uint8_t message[512], name[NET_NAME_MAX];
    size_t name_len = sizeof(name), len;
    union proto_req req = {0};
    struct net_op op = {.done = stranger_sent};
    struct world world;
    struct net *net;
    uint64_t peer;
    int i;

    world_init(&world, &odds);
    config.clock = &world.clock.clock;
    config.fabric = world.fabric;
    CU_ASSERT_EQUAL_FATAL(net_open(&net_sim, &config, &net), 0);
    CU_ASSERT_EQUAL(net_name(net, name, &name_len), 0);
    req.hello.name = (struct proto_bytes){name, (uint32_t)name_len};
    CU_ASSERT_EQUAL(proto_req_encode(PROTO_OP_hello, &req,
                                     message + PROTO_HEADER_SIZE,
                                     sizeof(message) - PROTO_HEADER_SIZE, &len),
                    0);
    header.body = (uint32_t)len;
    proto_header_encode(&header, message);
    CU_ASSERT_EQUAL(net_peer_resolve(net, "sim", "t1", &peer), 0);
    CU_ASSERT_EQUAL(
        net_send(net, &op, peer, message, PROTO_HEADER_SIZE + len, NULL), 0);
    memset(&last_answer, 0, sizeof(last_answer));
    for (i = 0; i < 100; i++) {
        net_poll(net);
        net_sim_step(world.fabric, world.clock.now_ns + NS_PER_MS);
    }
    CU_ASSERT_EQUAL(last_answer.status, PROTO_STATUS_VERSION);
    CU_ASSERT_EQUAL(last_answer.version, PROTO_VERSION);
    net_close(net);
    world_fini(&world);
}

static void test_a_server_answers_another_version(void)
{
    expect_version_answer(PROTO_VERSION - 1);
    expect_version_answer(PROTO_VERSION + 1);
}

static void sent_garbage(struct net_op *op, int rc)
{
}

static void test_garbage_does_not_disturb(void)
{
    struct net_sim_config odds = calm();
    struct tracked tracked;
    struct world world;
    static uint8_t garbage[2000];
    struct net_op op[100];
    struct rng rng;
    uint64_t peer;
    unsigned i, j;

    world_init(&world, &odds);
    rng_init(&rng, seed);
    CU_ASSERT_EQUAL_FATAL(net_peer_resolve(world.net, "sim", "t1", &peer), 0);
    for (i = 0; i < 100; i++) {
        for (j = 0; j < sizeof(garbage); j++)
            garbage[j] = (uint8_t)rng_next(&rng);
        if (i % 2) { /* ours at first sight */
            struct proto_header header = {.magic = PROTO_MAGIC,
                                          .version = PROTO_VERSION,
                                          .opcode = (uint16_t)(i % 40),
                                          .flags = i % 3 == 0,
                                          .session = rng_next(&rng),
                                          .target = 1,
                                          .body = sizeof(garbage) - 64};
            proto_header_encode(&header, garbage);
        }
        memset(&op[i], 0, sizeof(op[i]));
        op[i].done = sent_garbage;
        while (net_send(world.net, &op[i], peer, garbage, sizeof(garbage),
                        NULL) == -EAGAIN)
            net_sim_step(world.fabric, world.clock.now_ns + NS_PER_MS);
        net_sim_step(world.fabric, world.clock.now_ns + NS_PER_MS);
    }
    start(&world, &tracked, PROTO_OP_write, 3, 60 * NS_PER_SEC);
    finish(&world, &tracked);
    CU_ASSERT_EQUAL(tracked.rc, 0);
    CU_ASSERT_EQUAL(world.server.effects[3], 1);
    CU_ASSERT(world.server.counters.value[COUNTER_malformed] > 0);
    world_fini(&world);
}

int main(int argc, char **argv)
{
    CU_pSuite suite;
    unsigned failures;

    if (argc > 1)
        seed = strtoull(argv[1], NULL, 0);
    printf("seed %llu\n", (unsigned long long)seed);
    CU_initialize_registry();
    suite = CU_add_suite("rpc", NULL, NULL);
    CU_ADD_TEST(suite, test_a_call_is_answered);
    CU_ADD_TEST(suite, test_an_error_brings_its_text);
    CU_ADD_TEST(suite, test_every_call_takes_effect_once);
    CU_ADD_TEST(suite, test_a_busy_server_is_asked_again);
    CU_ADD_TEST(suite, test_a_deadline_ends_a_call);
    CU_ADD_TEST(suite, test_a_restarted_server_is_found_again);
    CU_ADD_TEST(suite, test_a_dead_server_ends_in_time);
    CU_ADD_TEST(suite, test_another_cluster_is_refused);
    CU_ADD_TEST(suite, test_a_client_names_both_versions);
    CU_ADD_TEST(suite, test_a_server_answers_another_version);
    CU_ADD_TEST(suite, test_garbage_does_not_disturb);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
