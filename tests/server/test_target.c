/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole targets, spoken to by bare calls: data against an image in memory,
 * requests that lie, devices that fail, callers that vanish.
 */
#include "base/unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "server/kit.h"

#include <string.h>

#define INO 0x1000000000042ull
#define STRIPE 4096u
#define IMAGE (1u << 20)

static struct kit kit;
static uint8_t encoded[PROTO_RUNS_MAX];
static uint8_t image[IMAGE];

static struct proto_bytes encode(const struct run *runs, size_t nruns)
{
    struct proto_runs state = {0};
    uint8_t *at = encoded;
    size_t i;

    for (i = 0; i < nruns; i++)
        CU_ASSERT_EQUAL_FATAL(proto_run_encode(&state, &runs[i], &at,
                                               encoded + sizeof(encoded)), 0);
    return (struct proto_bytes){encoded, (uint32_t)(at - encoded)};
}

static struct proto_req_read read_req(uint16_t columns, uint16_t column)
{
    return (struct proto_req_read){
        .ino = INO,
        .stripe_size = STRIPE,
        .columns = columns,
        .column = column,
        .key = kit.remote.key,
        .addr = kit.remote.addr,
        .span = KIT_MEMORY,
    };
}

static struct proto_req_write write_req(uint16_t columns, uint16_t column)
{
    return (struct proto_req_write){
        .ino = INO,
        .stripe_size = STRIPE,
        .columns = columns,
        .column = column,
        .key = kit.remote.key,
        .addr = kit.remote.addr,
        .span = KIT_MEMORY,
    };
}

/* Every column's target does its part of runs. @return bytes in all. */
static uint64_t read_all(const struct run *runs, size_t nruns)
{
    struct proto_req_read req;
    uint64_t bytes = 0;
    uint16_t column;

    for (column = 0; column < KIT_TARGETS; column++) {
        req = read_req(KIT_TARGETS, column);
        req.runs = encode(runs, nruns);
        CU_ASSERT_EQUAL_FATAL(
            kit_call(&kit, column + 1, PROTO_OP_read, &req), 0);
        bytes += kit.rep.read.bytes;
    }
    return bytes;
}

static uint64_t write_all(const struct run *runs, size_t nruns)
{
    struct proto_req_write req;
    uint64_t bytes = 0;
    uint16_t column;

    for (column = 0; column < KIT_TARGETS; column++) {
        req = write_req(KIT_TARGETS, column);
        req.runs = encode(runs, nruns);
        CU_ASSERT_EQUAL_FATAL(
            kit_call(&kit, column + 1, PROTO_OP_write, &req), 0);
        bytes += kit.rep.write.bytes;
    }
    return bytes;
}

static void fill(struct rng *rng, uint8_t *at, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        at[i] = (uint8_t)rng_next(rng);
}

static uint64_t object_size(uint16_t target)
{
    return kit_object_size(&kit, target, INO);
}

/* The image goes out whole; afterwards it is what the file holds. */
static void write_image(struct rng *rng)
{
    struct run whole = {.length = IMAGE, .count = 1};

    fill(rng, image, IMAGE);
    memcpy(kit.memory, image, IMAGE);
    CU_ASSERT_EQUAL_FATAL(write_all(&whole, 1), IMAGE);
}

/* Disjoint in memory, so that the order of blocks does not matter. */
static size_t random_runs(struct rng *rng, struct run *runs, size_t most)
{
    size_t i, n = 1 + rng_below(rng, most);
    uint64_t mem = 0;

    for (i = 0; i < n; i++) {
        runs[i] = (struct run){
            .length = 1 + rng_below(rng, rng_chance(rng, 50) ? 100 : 9000),
            .count = 1 + rng_below(rng, 30),
            .mem = mem + rng_below(rng, 100),
        };
        runs[i].stride = runs[i].length + rng_below(rng, 20000);
        runs[i].mem_stride = (int64_t)(runs[i].length + rng_below(rng, 50));
        runs[i].offset = rng_below(rng, IMAGE / 2);
        mem = runs[i].mem +
              runs[i].count * (uint64_t)runs[i].mem_stride;
    }
    return n;
}

static void test_runs_read_what_the_file_holds(void)
{
    static uint8_t expected[KIT_MEMORY];
    struct run runs[40], *run;
    struct rng rng;
    uint64_t at, block, bytes;
    size_t i, n;
    int round;

    rng_init(&rng, unit_seed());
    kit_init(&kit);
    write_image(&rng);
    for (round = 0; round < 40; round++) {
        n = random_runs(&rng, runs, 40);
        memset(kit.memory, 0xee, KIT_MEMORY);
        memset(expected, 0xee, KIT_MEMORY);
        for (i = 0, bytes = 0; i < n; i++)
            for (block = 0, run = &runs[i]; block < run->count; block++) {
                at = run->offset + block * run->stride;
                if (at >= IMAGE)
                    continue;
                at = at + run->length > IMAGE ? IMAGE - at : run->length;
                memcpy(expected + run->mem +
                           block * (uint64_t)run->mem_stride,
                       image + run->offset + block * run->stride, at);
                bytes += at;
            }
        CU_ASSERT_EQUAL_FATAL(read_all(runs, n), bytes);
        CU_ASSERT_EQUAL_FATAL(memcmp(kit.memory, expected, KIT_MEMORY), 0);
    }
    kit_fini(&kit);
}

static void test_runs_write_only_what_they_name(void)
{
    struct run whole = {.length = IMAGE, .count = 1};
    struct run run;
    struct rng rng;
    uint64_t block;
    int round;

    rng_init(&rng, unit_seed());
    kit_init(&kit);
    write_image(&rng);
    for (round = 0; round < 30; round++) {
        run = (struct run){
            .offset = rng_below(&rng, 5000),
            .length = 1 + rng_below(&rng, 6000),
            .count = 1 + rng_below(&rng, 60),
            .mem = rng_below(&rng, 1000),
        };
        run.stride = run.length + rng_below(&rng, 6000);
        run.mem_stride = (int64_t)(run.length + rng_below(&rng, 10));
        fill(&rng, kit.memory, run.mem + 60 * 6100);
        for (block = 0; block < run.count; block++)
            memcpy(image + run.offset + block * run.stride,
                   kit.memory + run.mem + block * (uint64_t)run.mem_stride,
                   run.length);
        CU_ASSERT_EQUAL_FATAL(write_all(&run, 1), run_bytes(&run));
        CU_ASSERT_EQUAL_FATAL(read_all(&whole, 1), IMAGE);
        CU_ASSERT_EQUAL_FATAL(memcmp(kit.memory, image, IMAGE), 0);
    }
    kit_fini(&kit);
}

static void test_inline_data_goes_both_ways(void)
{
    struct proto_req_write out = write_req(KIT_TARGETS, 1);
    struct proto_req_read in = read_req(KIT_TARGETS, 1);
    struct run all = {.offset = STRIPE, .length = 2, .stride = 4,
                      .count = 1000};
    uint8_t data[2000];
    struct rng rng;

    rng_init(&rng, unit_seed());
    kit_init(&kit);
    fill(&rng, data, sizeof(data));
    out.data = (struct proto_bytes){data, sizeof(data)};
    out.runs = encode(&all, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 2, PROTO_OP_write, &out), 0);
    CU_ASSERT_EQUAL(kit.rep.write.bytes, sizeof(data));
    in.is_inline = 1;
    CU_ASSERT_EQUAL(kit_call(&kit, 2, PROTO_OP_read, &in), 0);
    CU_ASSERT_EQUAL(kit.rep.read.data.len, 0); /* no runs */
    in.runs = encode(&all, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 2, PROTO_OP_read, &in), 0);
    CU_ASSERT_EQUAL(kit.rep.read.bytes, sizeof(data));
    CU_ASSERT_EQUAL(kit.rep.read.object_size, 999 * 4 + 2);
    CU_ASSERT_EQUAL_FATAL(kit.rep.read.data.len, sizeof(data));
    CU_ASSERT_EQUAL(memcmp(kit.rep.read.data.data, data, sizeof(data)), 0);
    kit_fini(&kit);
}

/* Read back in messages, which hold less. */
static void expect_blocks(const struct run *run, const uint8_t *data)
{
    struct proto_req_read in = read_req(1, 0);
    struct run some = *run;
    uint64_t most = PROTO_INLINE_MAX / run->length, i;

    in.is_inline = 1;
    for (i = 0; i < run->count; i += some.count) {
        some.offset = run->offset + i * run->stride;
        some.count = run->count - i < most ? run->count - i : most;
        in.runs = encode(&some, 1);
        CU_ASSERT_EQUAL_FATAL(kit_call(&kit, 1, PROTO_OP_read, &in), 0);
        CU_ASSERT_EQUAL_FATAL(kit.rep.read.data.len, some.count * run->length);
        CU_ASSERT_EQUAL(memcmp(kit.rep.read.data.data, data + i * run->length,
                               kit.rep.read.data.len),
                        0);
    }
}

/* In one extent, and in more than a buffer has room for. */
static void test_a_write_takes_more_inline_than_a_read(void)
{
    static const struct run all[] = {
        {.offset = 77, .length = 4864, .stride = 4864, .count = 10},
        {.offset = 5, .length = 5, .stride = 9, .count = 9728},
    };
    static uint8_t data[PROTO_WRITE_INLINE_MAX];
    struct proto_req_write out;
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned i = 0; i < 2; i++) {
        kit_init(&kit);
        fill(&rng, data, sizeof(data));
        out = write_req(1, 0);
        out.data = (struct proto_bytes){data, sizeof(data)};
        out.runs = encode(&all[i], 1);
        CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), 0);
        CU_ASSERT_EQUAL(kit.rep.write.bytes, sizeof(data));
        expect_blocks(&all[i], data);
        out.data.len--;
        CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -EINVAL);
        kit_fini(&kit);
    }
}

static void test_inline_that_does_not_fit_is_refused(void)
{
    struct proto_req_write out = write_req(1, 0);
    struct proto_req_read in = read_req(1, 0);
    struct run run = {.length = 101, .count = 1};
    uint8_t data[100] = {0};

    kit_init(&kit);
    out.data = (struct proto_bytes){data, sizeof(data)};
    out.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -EINVAL);
    run.length = 99;
    out.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -EINVAL);
    CU_ASSERT_EQUAL(object_size(1), 0);
    run.length = 100000;
    out.data.len = 0;
    out.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), 0);
    in.runs = encode(&run, 1);
    in.is_inline = 1;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &in), -EINVAL);
    kit_fini(&kit);
}

static void test_requests_that_lie_are_refused(void)
{
    struct proto_req_write out = write_req(1, 0);
    struct proto_req_read in = read_req(1, 0);
    struct run run = {.length = 100, .count = 1, .mem = KIT_MEMORY - 99};
    static const uint8_t garbage[] = {0xff, 0xff};

    kit_init(&kit);
    out.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -EINVAL);
    CU_ASSERT(strlen(kit.text) > 0);
    CU_ASSERT_EQUAL(object_size(1), 0);
    run.mem = 0;
    out = write_req(1, 0);
    out.addr = UINT64_MAX - 10;
    out.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -EINVAL);
    out = write_req(1, 0);
    out.key ^= 0x5555;
    out.runs = encode(&run, 1);
    CU_ASSERT_NOT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), 0);
    CU_ASSERT_EQUAL(object_size(1), 0);
    in = read_req(0, 0);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &in), -EINVAL);
    in = read_req(3, 3);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &in), -EINVAL);
    out = write_req(1, 0);
    out.runs = (struct proto_bytes){garbage, sizeof(garbage)};
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &out), -ERR_PROTOCOL);
    CU_ASSERT(srv_target_is_idle(kit.servers[0].target));
    kit_fini(&kit);
}

static void test_a_huge_run_ends_at_the_objects_end(void)
{
    struct run run = {.length = 7 << 20, .count = 1};
    struct rng rng;

    rng_init(&rng, unit_seed());
    kit_init(&kit);
    write_image(&rng);
    memset(kit.memory, 0, KIT_MEMORY);
    CU_ASSERT_EQUAL(read_all(&run, 1), IMAGE);
    CU_ASSERT_EQUAL(memcmp(kit.memory, image, IMAGE), 0);
    CU_ASSERT_EQUAL(kit.memory[IMAGE], 0);
    kit_fini(&kit);
}

/* The caller's patience ends first; the job must end too. */
static void test_a_run_without_end_is_given_up(void)
{
    struct run one = {.length = 4096, .count = 1};
    struct run endless = {.length = 1, .count = 1ull << 60};
    struct proto_req_write write;
    struct proto_req_read read;
    struct rpc_call call;
    unsigned i;

    kit_init(&kit);
    write = write_req(1, 0);
    write.runs = encode(&one, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &write), 0);
    read = read_req(1, 0);
    read.runs = encode(&endless, 1);
    kit_call_start(&kit, &call, 1, PROTO_OP_read, &read);
    kit_run(&kit, 2 * NS_PER_MS);
    CU_ASSERT(!srv_target_is_idle(kit.servers[0].target));
    rpc_call_cancel(kit.rpc, &call);
    clock_virtual_set(&kit.clock, kit.clock.now_ns + 61 * NS_PER_SEC);
    for (i = 0; i < 1000 && !srv_target_is_idle(kit.servers[0].target); i++)
        net_sim_step(kit.fabric, kit.clock.now_ns + NS_PER_MS);
    CU_ASSERT(srv_target_is_idle(kit.servers[0].target));
    kit_fini(&kit);
}

static void test_a_vector_of_samples_is_packed(void)
{
    struct run run = {.length = 512, .stride = 1024, .count = 512,
                      .mem_stride = 512};
    struct proto_req_read req;
    struct rng rng;
    uint64_t writes;

    rng_init(&rng, unit_seed());
    kit_init(&kit);
    write_image(&rng);
    writes = kit_counter(&kit, 0, COUNTER_rma_writes);
    req = read_req(KIT_TARGETS, 0);
    req.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &req), 0);
    CU_ASSERT_EQUAL(kit.rep.read.bytes, 43 * 4 * 512);
    /* Four samples a stripe are neighbours in memory: a move a stripe. */
    CU_ASSERT(kit_counter(&kit, 0, COUNTER_rma_writes) - writes <= 46);
    kit_fini(&kit);
}

static void test_a_device_error_reaches_its_caller_only(void)
{
    struct proto_req_write req = write_req(1, 0);
    struct run run = {.length = 300000, .count = 1};

    kit_init(&kit);
    req.runs = encode(&run, 1);
    obj_mem_disk_fault(kit.servers[0].disk, 2, ENOSPC);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &req), -ENOSPC);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_write, &req), 0);
    CU_ASSERT_EQUAL(kit_counter(&kit, 0, COUNTER_errors), 1);
    kit_fini(&kit);
}

static void test_a_caller_that_vanishes_leaves_nothing(void)
{
    struct proto_req_read req = read_req(1, 0);
    struct run run = {.length = 1 << 20, .count = 1};
    struct rpc_call calls[8];
    struct rng rng;
    unsigned i;

    rng_init(&rng, unit_seed());
    for (i = 1; i < 60; i += 3) { /* gone at every stage */
        kit_init(&kit);
        write_image(&rng);
        req.key = kit.remote.key;
        req.addr = kit.remote.addr;
        req.runs = encode(&run, 1);
        for (unsigned c = 0; c < 8; c++)
            kit_call_start(&kit, &calls[c], 1, PROTO_OP_read, &req);
        kit_run(&kit, i * 10 * NS_PER_US);
        net_sim_crash(kit.fabric, kit.net);
        while (!srv_target_is_idle(kit.servers[0].target) &&
               kit.clock.now_ns < 100 * NS_PER_SEC)
            net_sim_step(kit.fabric, kit.clock.now_ns + NS_PER_MS);
        CU_ASSERT(srv_target_is_idle(kit.servers[0].target));
        kit_fini(&kit);
    }
}

/* A second caller; one that sleeps has its RMA hang once its requests are out. */
#define CALLS 24

struct sleeper {
    struct net *net;
    struct rpc *rpc;
    struct rpc_call calls[CALLS];
    struct proto_req_read req;
    unsigned ndone;
};

static void sleeper_done(struct rpc_call *call, int rc,
                         const union proto_rep *rep)
{
    (void)rep;
    ((struct sleeper *)call->ctx)->ndone += rc == 0;
}

static void sleeper_open(struct sleeper *sleeper)
{
    struct net_config net_config = {
        .node = "sim",
        .service = "sleeper",
        .message_max = PROTO_MESSAGE_MAX,
        .receives = 64,
        .recv = rpc_receive,
        .recv_ctx = &sleeper->rpc,
        .clock = &kit.clock.clock,
        .fabric = kit.fabric,
    };
    struct rpc_config rpc_config = {
        .clock = &kit.clock.clock, .cluster = kit.cluster, .client = 78};

    sleeper->ndone = 0;
    CU_ASSERT_EQUAL_FATAL(net_open(&net_sim, &net_config, &sleeper->net), 0);
    rpc_config.net = sleeper->net;
    CU_ASSERT_EQUAL_FATAL(rpc_create(&rpc_config, &sleeper->rpc), 0);
}

static void sleeper_close(struct sleeper *sleeper)
{
    rpc_destroy(&sleeper->rpc);
    net_close(sleeper->net);
}

static void sleeper_call(struct sleeper *sleeper, const struct run *run,
                         unsigned ncalls)
{
    unsigned i;

    sleeper->req.runs = encode(run, 1);
    for (i = 0; i < ncalls; i++) {
        sleeper->calls[i] = (struct rpc_call){
            .target = 1,
            .opcode = PROTO_OP_read,
            .req = (const union proto_req *)&sleeper->req,
            .deadline_ns = UINT64_MAX,
            .done = sleeper_done,
            .ctx = sleeper,
        };
        rpc_call_start(sleeper->rpc, &sleeper->calls[i]);
    }
}

static void test_a_caller_that_sleeps_leaves_buffers_to_others(void)
{
    static struct sleeper sleeper;
    struct run run = {.length = IMAGE, .count = 1};
    struct proto_req_write write;
    struct proto_req_read read;

    kit_init(&kit);
    write = write_req(1, 0);
    write.runs = encode(&run, 1);
    CU_ASSERT_EQUAL_FATAL(kit_call(&kit, 1, PROTO_OP_write, &write), 0);
    sleeper_open(&sleeper);
    net_sim_stall(sleeper.net, true);
    sleeper.req = read_req(1, 0);
    sleeper_call(&sleeper, &run, 8);
    for (unsigned i = 0; i < 20; i++) {
        rpc_poll(sleeper.rpc);
        kit_run(&kit, NS_PER_MS);
    }
    read = read_req(1, 0);
    read.runs = encode(&run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &read), 0);
    CU_ASSERT_EQUAL(kit.rep.read.bytes, IMAGE);
    net_sim_stall(sleeper.net, false);
    sleeper_close(&sleeper);
    kit_fini(&kit);
}

/* The time that a read of the image takes. */
static uint64_t time_of_read(const struct run *run)
{
    struct proto_req_read read = read_req(1, 0);
    uint64_t begin = kit.clock.now_ns;

    read.runs = encode(run, 1);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_read, &read), 0);
    CU_ASSERT_EQUAL(kit.rep.read.bytes, IMAGE);
    return kit.clock.now_ns - begin;
}

/* One client has many requests waiting; another comes with one: it has every
 * second turn from then on, so it takes at most twice as long as alone. */
static void test_a_client_with_many_requests_leaves_turns_to_others(void)
{
    static struct sleeper many;
    struct proto_req_obj_truncate size = {INO, IMAGE, 0};
    struct run run = {.length = IMAGE, .count = 1};
    struct net_remote remote;
    struct net_mr *mr;
    uint64_t alone_ns, took_ns;

    kit_init(&kit);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &size), 0);
    alone_ns = time_of_read(&run);
    sleeper_open(&many);
    CU_ASSERT_EQUAL_FATAL(net_mr_reg(many.net, kit.memory, KIT_MEMORY,
                                     NET_MEM_HOST, NET_REMOTE_WRITE, &mr), 0);
    net_mr_remote(many.net, mr, &remote);
    many.req = read_req(1, 0);
    many.req.key = remote.key;
    many.req.addr = remote.addr;
    sleeper_call(&many, &run, CALLS);
    while (kit_counter(&kit, 0, COUNTER_queued) < CALLS) {
        rpc_poll(many.rpc);
        kit_run(&kit, 10 * NS_PER_US);
    }
    took_ns = time_of_read(&run);
    CU_ASSERT(took_ns < 2 * alone_ns);
    rpc_poll(many.rpc); /* who else has been answered by now? */
    CU_ASSERT(many.ndone < CALLS / 4);
    while (many.ndone < CALLS && kit.clock.now_ns < 100 * NS_PER_SEC) {
        rpc_poll(many.rpc);
        kit_run(&kit, NS_PER_MS);
    }
    CU_ASSERT_EQUAL(many.ndone, CALLS);
    net_mr_dereg(many.net, mr);
    sleeper_close(&many);
    kit_fini(&kit);
}

static void test_truncate_sets_a_size(void)
{
    struct proto_req_obj_truncate req = {INO, 5000, PROTO_GROW};

    kit_init(&kit);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    req.size = 100;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    req.how = PROTO_RESIZE;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 100);
    req.size = UINT64_MAX;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), -EFBIG);
    kit_fini(&kit);
}

static void test_allocation_grows_or_leaves_alone(void)
{
    struct proto_req_obj_truncate req = {INO, 5000, PROTO_ALLOCATE};

    kit_init(&kit);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    req.size = 1ull << 40; /* the device has not so much */
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), -ENOSPC);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    req.size = 100;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    req.size = 0;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), 0);
    obj_mem_disk_fault(kit.servers[0].disk, 0, EIO);
    req.size = 9000;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &req), -EIO);
    CU_ASSERT_EQUAL(object_size(1), 5000);
    kit_fini(&kit);
}

static void test_allocation_of_a_part_may_keep_the_size(void)
{
    struct proto_req_obj_allocate req = {INO, 8192, 4096, 1};

    kit_init(&kit);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 0);
    req.keeps_size = 0;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 12288);
    req.offset = 20000; /* what lies elsewhere makes it longer too */
    req.length = 0;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), 0);
    CU_ASSERT_EQUAL(object_size(1), 20000);
    req.length = 1ull << 40;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), -ENOSPC);
    req.offset = INT64_MAX;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), -EFBIG);
    req.offset = (uint64_t)INT64_MAX + 1;
    req.length = 0;
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_allocate, &req), -EFBIG);
    CU_ASSERT_EQUAL(object_size(1), 20000);
    kit_fini(&kit);
}

/* A grow at every moment of a write of a new object. */
static void test_growing_never_cuts_a_write(void)
{
    struct proto_req_obj_truncate grow = {.size = 5000, .how = PROTO_GROW};
    struct proto_req_write req;
    struct run run = {.length = 400000, .count = 1};
    struct rpc_call write;
    unsigned i;

    kit_init(&kit);
    for (i = 0; i < 150; i++) {
        req = write_req(1, 0);
        req.ino = grow.ino = INO + i;
        req.runs = encode(&run, 1);
        kit_call_start(&kit, &write, 1, PROTO_OP_write, &req);
        kit_run(&kit, 2 * i * NS_PER_US);
        CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_obj_truncate, &grow), 0);
        kit_run(&kit, 10 * NS_PER_MS);
        CU_ASSERT_EQUAL_FATAL(kit_object_size(&kit, 1, req.ino), run.length);
    }
    kit_fini(&kit);
}

static void test_stats_come_in_the_order_of_the_table(void)
{
    struct proto_req_stats req = {0};
    const uint8_t *at;
    uint64_t total = 0;
    unsigned i;

    kit_init(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_call(&kit, 2, PROTO_OP_stats, &req), 0);
    CU_ASSERT_EQUAL_FATAL(kit.rep.stats.counters.len, COUNTER_COUNT * 8);
    at = kit.rep.stats.counters.data + COUNTER_space_total * 8;
    for (i = 0; i < 8; i++)
        total |= (uint64_t)at[i] << (8 * i);
    CU_ASSERT_EQUAL(total, 64u << 20);
    kit_fini(&kit);
}

static void test_a_draining_target_takes_nothing_new(void)
{
    struct proto_req_ping req = {0};

    kit_init(&kit);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_ping, &req), 0);
    srv_target_drain(kit.servers[0].target);
    CU_ASSERT_EQUAL(kit_call(&kit, 1, PROTO_OP_ping, &req), -ETIMEDOUT);
    CU_ASSERT(srv_target_is_idle(kit.servers[0].target));
    kit_fini(&kit);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_runs_read_what_the_file_holds),
        UNIT_TEST(test_runs_write_only_what_they_name),
        UNIT_TEST(test_inline_data_goes_both_ways),
        UNIT_TEST(test_a_write_takes_more_inline_than_a_read),
        UNIT_TEST(test_inline_that_does_not_fit_is_refused),
        UNIT_TEST(test_requests_that_lie_are_refused),
        UNIT_TEST(test_a_huge_run_ends_at_the_objects_end),
        UNIT_TEST(test_a_run_without_end_is_given_up),
        UNIT_TEST(test_a_vector_of_samples_is_packed),
        UNIT_TEST(test_a_device_error_reaches_its_caller_only),
        UNIT_TEST(test_a_caller_that_vanishes_leaves_nothing),
        UNIT_TEST(test_a_caller_that_sleeps_leaves_buffers_to_others),
        UNIT_TEST(test_a_client_with_many_requests_leaves_turns_to_others),
        UNIT_TEST(test_truncate_sets_a_size),
        UNIT_TEST(test_allocation_grows_or_leaves_alone),
        UNIT_TEST(test_allocation_of_a_part_may_keep_the_size),
        UNIT_TEST(test_growing_never_cuts_a_write),
        UNIT_TEST(test_stats_come_in_the_order_of_the_table),
        UNIT_TEST(test_a_draining_target_takes_nothing_new),
    };

    return UNIT_MAIN("target", tests);
}
