/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wire: everything encoded decodes to itself, everything cut short or
 * changed is refused or decodes to something in range, never beyond the bytes.
 */
#include "base/err.h"
#include "base/rng.h"
#include "proto/counters.h"
#include "proto/proto.h"
#include "proto/status.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rng rng;
static uint8_t wire[PROTO_MESSAGE_MAX];
static uint8_t again[PROTO_MESSAGE_MAX];
static uint8_t noise[PROTO_MESSAGE_MAX];

static struct inode random_inode(void)
{
    struct inode inode = {0};
    unsigned i;

    inode.ino = rng_next(&rng);
    inode.type = rng_chance(&rng, 50) ? INODE_FILE : INODE_DIR;
    inode.mode = (uint32_t)rng_next(&rng) & 07777;
    inode.mtime_ns = rng_next(&rng);
    if (inode.type == INODE_FILE) {
        inode.layout.stripe_size = 4096 * (1 + (uint32_t)rng_below(&rng, 99));
        inode.layout.width = (uint16_t)(1 + rng_below(&rng, LAYOUT_WIDTH_MAX));
        inode.layout.replicas = 1;
        inode.layout.is_striped = rng_chance(&rng, 50);
        for (i = 0; i < inode.layout.width; i++)
            inode.layout.targets[i] = (uint16_t)(1 + rng_below(&rng, 65535));
    }
    return inode;
}

static struct proto_bytes random_bytes(uint32_t limit)
{
    struct proto_bytes bytes = {noise, (uint32_t)rng_below(&rng, limit + 1)};

    return bytes;
}

#define FILL_U8(name) m->name = (uint8_t)rng_next(&rng);
#define FILL_U16(name) m->name = (uint16_t)rng_next(&rng);
#define FILL_U32(name) m->name = (uint32_t)rng_next(&rng);
#define FILL_U64(name) m->name = rng_next(&rng);
#define FILL_INODE(name) m->name = random_inode();
#define FILL_BYTES(name, limit) m->name = random_bytes(limit);

static void fill_req(unsigned opcode, union proto_req *req)
{
    switch (opcode) {
#define X(value, op, flags)                                                    \
    case value: {                                                              \
        struct proto_req_##op *m = &req->op;                                   \
        PROTO_REQ_##op(FILL_U8, FILL_U16, FILL_U32, FILL_U64, FILL_INODE,      \
                       FILL_BYTES) break;                                      \
    }
        PROTO_MSGS(X)
#undef X
    }
    if (opcode == PROTO_OP_write && req->write.data.len > PROTO_INLINE_MAX) {
        req->write.sums.len = 0; /* nor do long lists fit beside it */
        req->write.runs.len %= 16384;
    }
}

static void fill_rep(unsigned opcode, union proto_rep *rep)
{
    switch (opcode) {
#define X(value, op, flags)                                                    \
    case value: {                                                              \
        struct proto_rep_##op *m = &rep->op;                                   \
        PROTO_REP_##op(FILL_U8, FILL_U16, FILL_U32, FILL_U64, FILL_INODE,      \
                       FILL_BYTES) break;                                      \
    }
        PROTO_MSGS(X)
#undef X
    }
}

static const unsigned opcodes[] = {
#define X(value, name, flags) value,
    PROTO_MSGS(X)
#undef X
};
#define NOPCODES (sizeof(opcodes) / sizeof(opcodes[0]))

static void test_every_message_survives_the_wire(void)
{
    union proto_req req, req2;
    union proto_rep rep, rep2;
    size_t len, len2, i;
    int round;

    for (i = 0; i < NOPCODES; i++)
        for (round = 0; round < 20; round++) {
            fill_req(opcodes[i], &req);
            CU_ASSERT_EQUAL_FATAL(proto_req_encode(opcodes[i], &req, wire,
                                                   sizeof(wire), &len),
                                  0);
            CU_ASSERT_EQUAL_FATAL(
                proto_req_decode(opcodes[i], wire, len, &req2), 0);
            CU_ASSERT_EQUAL_FATAL(proto_req_encode(opcodes[i], &req2, again,
                                                   sizeof(again), &len2),
                                  0);
            CU_ASSERT(len == len2 && memcmp(wire, again, len) == 0);
            fill_rep(opcodes[i], &rep);
            CU_ASSERT_EQUAL_FATAL(proto_rep_encode(opcodes[i], &rep, wire,
                                                   sizeof(wire), &len),
                                  0);
            CU_ASSERT_EQUAL_FATAL(
                proto_rep_decode(opcodes[i], wire, len, &rep2), 0);
            CU_ASSERT_EQUAL_FATAL(proto_rep_encode(opcodes[i], &rep2, again,
                                                   sizeof(again), &len2),
                                  0);
            CU_ASSERT(len == len2 && memcmp(wire, again, len) == 0);
        }
}

static void test_every_message_fits(void)
{
    union proto_req req;
    size_t len, i;

    /* The longest read request and inline write must fit one message. */
    memset(&req, 0, sizeof(req));
    req.write.runs = (struct proto_bytes){noise, PROTO_RUNS_MAX};
    req.write.data = (struct proto_bytes){noise, PROTO_INLINE_MAX};
    CU_ASSERT_EQUAL(proto_req_encode(PROTO_OP_write, &req, wire,
                                     PROTO_MESSAGE_MAX - PROTO_HEADER_SIZE,
                                     &len),
                    0);
    /* Or few runs and much data, with the header 48 KiB. */
    req.write.runs.len = 384;
    req.write.data.len = PROTO_WRITE_INLINE_MAX;
    CU_ASSERT_EQUAL(proto_req_encode(PROTO_OP_write, &req, wire,
                                     (48u << 10) - PROTO_HEADER_SIZE, &len),
                    0);
    req.write.data.len++;
    CU_ASSERT_EQUAL(
        proto_req_encode(PROTO_OP_write, &req, wire, sizeof(wire), &len),
        -EMSGSIZE);
    for (i = 0; i < NOPCODES; i++)
        CU_ASSERT_PTR_NOT_NULL(proto_op_name(opcodes[i]));
    CU_ASSERT_PTR_NULL(proto_op_name(9999));
    CU_ASSERT_EQUAL(proto_req_decode(9999, wire, 0, &req), -ERR_PROTOCOL);
}

static void test_truncated_bodies_are_refused(void)
{
    union proto_req req, out;
    size_t len, cut, i;

    for (i = 0; i < NOPCODES; i++) {
        fill_req(opcodes[i], &req);
        CU_ASSERT_EQUAL_FATAL(
            proto_req_encode(opcodes[i], &req, wire, sizeof(wire), &len), 0);
        for (cut = 0; cut < len; cut += 1 + len / 257)
            CU_ASSERT_EQUAL(proto_req_decode(opcodes[i], wire, cut, &out),
                            -ERR_PROTOCOL);
        CU_ASSERT_EQUAL(proto_req_decode(opcodes[i], wire, len + 1, &out),
                        -ERR_PROTOCOL);
    }
}

/* Copies into a block of the exact size, so that a sanitizer sees a read
 * beyond it. */
static void test_mutated_bodies_stay_in_bounds(void)
{
    union proto_req req;
    union proto_rep rep;
    size_t len, i, n;
    uint8_t *exact;
    int round;

    for (round = 0; round < 20000; round++) {
        i = rng_below(&rng, NOPCODES);
        fill_req(opcodes[i], &req);
        if (proto_req_encode(opcodes[i], &req, wire, 4096, &len) != 0)
            continue;
        exact = malloc(len + 1);
        memcpy(exact, wire, len);
        for (n = 1 + rng_below(&rng, 8); n > 0 && len > 0; n--)
            exact[rng_below(&rng, len)] = (uint8_t)rng_next(&rng);
        if (proto_req_decode(opcodes[i], exact, len, &req) == 0 &&
            opcodes[i] == PROTO_OP_lookup)
            CU_ASSERT(req.lookup.text.data + req.lookup.text.len <=
                      exact + len);
        proto_rep_decode(opcodes[i], exact, len, &rep);
        free(exact);
    }
}

static void test_header_survives_and_rejects(void)
{
    struct proto_header header = {.magic = PROTO_MAGIC,
                                  .version = PROTO_VERSION,
                                  .opcode = PROTO_OP_read,
                                  .request = 77,
                                  .session = 1ull << 60,
                                  .body = 10};
    struct proto_header out;

    proto_header_encode(&header, wire);
    CU_ASSERT_EQUAL(proto_header_decode(wire, PROTO_HEADER_SIZE + 10, &out), 0);
    CU_ASSERT(out.request == 77 && out.session == 1ull << 60);
    CU_ASSERT_EQUAL(proto_header_decode(wire, PROTO_HEADER_SIZE + 9, &out),
                    -ERR_PROTOCOL);
    CU_ASSERT_EQUAL(proto_header_decode(wire, 5, &out), -ERR_PROTOCOL);
    header.version = PROTO_VERSION + 1;
    proto_header_encode(&header, wire);
    CU_ASSERT_EQUAL(proto_header_decode(wire, PROTO_HEADER_SIZE + 10, &out),
                    -ERR_VERSION);
    CU_ASSERT_EQUAL(out.version, PROTO_VERSION + 1);
    wire[0] ^= 1;
    CU_ASSERT_EQUAL(proto_header_decode(wire, PROTO_HEADER_SIZE + 10, &out),
                    -ERR_PROTOCOL);
}

static struct run random_run(void)
{
    struct run run = {0};

    run.offset = rng_below(&rng, 1ull << 40);
    run.length = 1 + rng_below(&rng, 1 << 20);
    run.count = 1;
    run.mem = rng_below(&rng, 1ull << 30);
    if (rng_chance(&rng, 40)) {
        run.count = 2 + rng_below(&rng, 1 << 20);
        run.stride = rng_below(&rng, 1 << 21);
        run.mem_stride = (int64_t)rng_below(&rng, 1 << 21);
        if (rng_chance(&rng, 20)) {
            run.mem += run.count * (uint64_t)run.mem_stride;
            run.mem_stride = -run.mem_stride;
        }
    }
    return run;
}

static void test_runs_survive(void)
{
    struct run runs[200], got;
    struct proto_runs state;
    const uint8_t *in;
    uint8_t *out;
    size_t n, i;
    int round;

    for (round = 0; round < 500; round++) {
        n = 1 + rng_below(&rng, 200);
        out = wire;
        memset(&state, 0, sizeof(state));
        for (i = 0; i < n; i++) {
            runs[i] = random_run();
            CU_ASSERT_EQUAL_FATAL(proto_run_encode(&state, &runs[i], &out,
                                                   wire + sizeof(wire)),
                                  0);
        }
        in = wire;
        memset(&state, 0, sizeof(state));
        for (i = 0; i < n; i++) {
            CU_ASSERT_EQUAL_FATAL(proto_run_decode(&state, &in, out, &got), 0);
            CU_ASSERT_EQUAL_FATAL(memcmp(&got, &runs[i], sizeof(got)), 0);
        }
        CU_ASSERT_EQUAL(proto_run_decode(&state, &in, out, &got), -ENOENT);
    }
}

static void test_equal_samples_are_short(void)
{
    struct proto_runs state = {0};
    struct run run = {.length = 4096, .count = 1};
    uint8_t *out = wire;
    int i;

    for (i = 0; i < 1000; i++) {
        run.offset = rng_below(&rng, 1ull << 36) & ~4095ull;
        CU_ASSERT_EQUAL_FATAL(
            proto_run_encode(&state, &run, &out, wire + sizeof(wire)), 0);
        run.mem += 4096;
    }
    CU_ASSERT(out - wire < 10 * 1000);
}

static void test_a_full_list_leaves_the_cursor(void)
{
    struct proto_runs state = {0};
    struct run run = {.offset = 1ull << 50, .length = 1 << 20, .count = 1};
    uint8_t *out = wire;

    CU_ASSERT_EQUAL(proto_run_encode(&state, &run, &out, wire + 3), -EMSGSIZE);
    CU_ASSERT_PTR_EQUAL(out, wire);
    CU_ASSERT_EQUAL(state.end, 0);
}

static void test_noise_is_never_an_insane_run(void)
{
    struct proto_runs state;
    struct run run;
    const uint8_t *in;
    size_t len, i;
    uint8_t *exact;
    int round;

    for (round = 0; round < 50000; round++) {
        len = 1 + rng_below(&rng, 60);
        exact = malloc(len);
        for (i = 0; i < len; i++)
            exact[i] = (uint8_t)(rng_next(&rng) >> (rng_chance(&rng, 50) * 5));
        in = exact;
        memset(&state, 0, sizeof(state));
        while (proto_run_decode(&state, &in, exact + len, &run) == 0) {
            CU_ASSERT(run.count > 0 && run.length > 0);
            CU_ASSERT(run_end(&run) < 1ull << 63);
            CU_ASSERT(run.mem + (run.count - 1) * (uint64_t)run.mem_stride <
                      1ull << 63);
        }
        free(exact);
    }
}

static void test_entries_survive(void)
{
    struct proto_entry entry = {.is_away = true}, got;
    const uint8_t *in = wire;
    uint8_t *out = wire;
    int i;

    for (i = 0; i < 100; i++) {
        entry.text = (struct proto_bytes){(const uint8_t *)"some-name", 9};
        entry.inode = random_inode();
        entry.object_size = rng_next(&rng);
        entry.object_mtime_ns = rng_next(&rng);
        CU_ASSERT_EQUAL_FATAL(
            proto_entry_encode(&entry, &out, wire + sizeof(wire)), 0);
        CU_ASSERT_EQUAL_FATAL(proto_entry_decode(&in, out, &got), 0);
        CU_ASSERT(got.text.len == 9 && memcmp(got.text.data, "some-name", 9) == 0);
        CU_ASSERT(got.inode.ino == entry.inode.ino &&
                  got.object_size == entry.object_size &&
                  got.object_mtime_ns == entry.object_mtime_ns && got.is_away);
    }
    CU_ASSERT_EQUAL(proto_entry_decode(&in, out, &got), -ENOENT);
}

static void test_statuses_map_both_ways(void)
{
#define X(number, name, code)                                                  \
    CU_ASSERT_EQUAL(proto_status_code(number), -(code));                       \
    CU_ASSERT_EQUAL(proto_status_of(-(code)), number);
    PROTO_STATUS_TABLE(X)
#undef X
    CU_ASSERT_EQUAL(proto_status_of(-EXDEV), PROTO_STATUS_IO);
    CU_ASSERT_EQUAL(proto_status_code(4242), -EIO);
}

static void test_counters_have_names(void)
{
    int i;

    CU_ASSERT(COUNTER_COUNT <= PROTO_COUNTERS_MAX);
    for (i = 0; i < COUNTER_COUNT; i++)
        CU_ASSERT(counter_info[i].name[0] != '\0' &&
                  counter_info[i].prose[0] != '\0');
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20260101;
    CU_pSuite suite;
    unsigned failures;
    size_t i;

    printf("seed %llu\n", (unsigned long long)seed);
    rng_init(&rng, seed);
    for (i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)rng_next(&rng);
    CU_initialize_registry();
    suite = CU_add_suite("proto", NULL, NULL);
    CU_ADD_TEST(suite, test_every_message_survives_the_wire);
    CU_ADD_TEST(suite, test_every_message_fits);
    CU_ADD_TEST(suite, test_truncated_bodies_are_refused);
    CU_ADD_TEST(suite, test_mutated_bodies_stay_in_bounds);
    CU_ADD_TEST(suite, test_header_survives_and_rejects);
    CU_ADD_TEST(suite, test_runs_survive);
    CU_ADD_TEST(suite, test_equal_samples_are_short);
    CU_ADD_TEST(suite, test_a_full_list_leaves_the_cursor);
    CU_ADD_TEST(suite, test_noise_is_never_an_insane_run);
    CU_ADD_TEST(suite, test_entries_survive);
    CU_ADD_TEST(suite, test_statuses_map_both_ways);
    CU_ADD_TEST(suite, test_counters_have_names);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
