/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing against scripted servers: what is read is what was
 * written, however it was cut; and memory is the caller's again when a call has
 * ended, however it ended. Lists: test_io_list.c.
 */
#include "base/mem.h"
#include "tests/base/unit.h"
#include "tests/client/io_kit.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_MAX 400000

static void test_a_small_file_stays_on_one_target_and_inline(void)
{
    struct capstan_file *file;
    struct fake *fake = start(4, &file);
    uint8_t in[1000], out[1000];

    fill(in, sizeof(in), 1);
    write_all(file, 0, in, sizeof(in));
    CU_ASSERT_EQUAL(fake->inlined, 1);
    fake_count_anew(fake);
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), sizeof(out));
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_read], 1);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_lookup], 0);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_set_striped], 0);
    finish(fake, &file);
}

static const uint8_t *bytes_of(struct fake *fake)
{
    return fake_find(fake, INO_ROOT, "f")->objects[1].bytes;
}

/* One file of one column, where long messages cost less than RMA. */
static struct fake *start_eager(struct capstan_file **file_out)
{
    struct net_sim_config odds = fake_calm(1);
    struct fake *fake;

    odds.eager_max = PROTO_MESSAGE_MAX;
    fake = fake_create(1, &odds);
    *file_out = open_new(fake, "/f");
    return fake;
}

static void test_writes_ride_where_long_messages_are_cheap(void)
{
    static uint8_t in[PROTO_WRITE_INLINE_MAX + 1];
    struct capstan_file *file;
    struct fake *fake = start_eager(&file);

    fill(in, sizeof(in), 1);
    fake_count_anew(fake);
    write_all(file, 3, in, sizeof(in) - 1);
    CU_ASSERT_EQUAL(fake->inlined, 1);
    CU_ASSERT_EQUAL(memcmp(bytes_of(fake) + 3, in, sizeof(in) - 1), 0);
    write_all(file, 9, in, sizeof(in)); /* too many */
    CU_ASSERT_EQUAL(fake->inlined, 1);
    CU_ASSERT_EQUAL(memcmp(bytes_of(fake) + 9, in, sizeof(in)), 0);
    finish(fake, &file);
}

/* Two pieces that lie apart in memory ride only if they travel packed. */
static void test_lists_ride_when_they_are_packed(void)
{
    enum { PIECES = 20, SIZE = 2000 };
    static uint8_t in[2 * PIECES * SIZE];
    struct capstan_run runs[PIECES];
    struct capstan_file *file;
    struct fake *fake = start_eager(&file);
    uint64_t done;

    fill(in, sizeof(in), 1);
    for (unsigned i = 0; i < PIECES; i++)
        runs[i] = (struct capstan_run){.offset = (PIECES - i) * 3 * SIZE,
                                       .length = SIZE,
                                       .count = 1,
                                       .memory = in + 2 * i * SIZE};
    fake_count_anew(fake);
    CU_ASSERT_EQUAL(capstan_file_writev(file, runs, PIECES, &done), 0);
    CU_ASSERT_EQUAL(fake->inlined, 1);
    for (unsigned i = 0; i < PIECES; i++)
        CU_ASSERT_EQUAL(
            memcmp(bytes_of(fake) + runs[i].offset, runs[i].memory, SIZE), 0);
    runs[0].length = runs[1].length = 5 * SIZE;
    runs[1].memory = in + 6 * SIZE;
    runs[1].offset = runs[0].offset + 6 * SIZE;
    CU_ASSERT_EQUAL(capstan_file_writev(file, runs, 2, &done), 0);
    CU_ASSERT_EQUAL(fake->inlined, 1);
    CU_ASSERT_EQUAL(
        memcmp(bytes_of(fake) + runs[1].offset, in + 6 * SIZE, 5 * SIZE), 0);
    finish(fake, &file);
}

static void test_writing_beyond_the_first_stripe_stripes_once(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[10 * STRIPE], out[10 * STRIPE];
    struct capstan_file_layout layout;
    uint64_t size = 0;

    fill(in, sizeof(in), 2);
    write_all(file, 0, in, sizeof(in));
    write_all(file, 100, in + 100, sizeof(in) - 100);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_set_striped], 1);
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), sizeof(out));
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
    CU_ASSERT_EQUAL(size, sizeof(in));
    capstan_file_layout(file, &layout);
    CU_ASSERT_TRUE(layout.is_striped);
    CU_ASSERT_EQUAL(layout.width, 3);
    finish(fake, &file);
}

static void test_reads_beyond_the_end_are_short(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[5 * STRIPE + 7], out[9 * STRIPE];

    CU_ASSERT_EQUAL(read_some(file, 0, out, 10), 0);
    fill(in, sizeof(in), 3);
    write_all(file, 0, in, 100);
    memset(out, 0xee, sizeof(out));
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), 100);
    CU_ASSERT_EQUAL(out[100], 0xee);
    write_all(file, 0, in, sizeof(in));
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), sizeof(in));
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(out[sizeof(in)], 0xee);
    CU_ASSERT_EQUAL(read_some(file, 1u << 30, out, sizeof(out)), 0);
    finish(fake, &file);
}

static void test_holes_are_zeros(void)
{
    struct capstan_file *file;
    struct fake *fake = start(4, &file);
    static uint8_t out[12 * STRIPE];
    uint8_t byte = 7;
    size_t i;

    write_all(file, sizeof(out) - 1, &byte, 1);
    memset(out, 0xee, sizeof(out));
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), sizeof(out));
    for (i = 0; i < sizeof(out) - 1 && out[i] == 0; i++)
        ;
    CU_ASSERT_EQUAL(i, sizeof(out) - 1);
    CU_ASSERT_EQUAL(out[i], 7);
    finish(fake, &file);
}

/* Another client stripes the file between the reads of this one. */
static void grow_by_another(struct fake *fake)
{
    struct fake_name *name = fake_find(fake, INO_ROOT, "f");

    fake_stripe(name);
    for (uint64_t at = STRIPE; at < 6 * STRIPE; at++)
        fake_poke(fake, name, at, (uint8_t)(at / STRIPE));
}

static void check_grown(struct capstan_file *file, const uint8_t *first)
{
    static uint8_t out[8 * STRIPE];
    size_t i;

    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), 6 * STRIPE);
    CU_ASSERT_EQUAL(memcmp(out, first, STRIPE), 0);
    for (i = STRIPE; i < 6 * STRIPE && out[i] == i / STRIPE; i++)
        ;
    CU_ASSERT_EQUAL(i, 6 * STRIPE);
}

static void test_a_file_striped_by_another_is_read_whole(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    uint8_t in[STRIPE];

    fill(in, sizeof(in), 4);
    write_all(file, 0, in, sizeof(in));
    grow_by_another(fake);
    check_grown(file, in);
    finish(fake, &file);
}

static void test_a_file_striped_during_a_read_is_read_whole(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    uint8_t in[STRIPE];

    fill(in, sizeof(in), 5);
    write_all(file, 0, in, sizeof(in));
    fake->before_read = grow_by_another;
    check_grown(file, in);
    finish(fake, &file);
}

static void test_big_transfers_are_cut(void)
{
    enum { BIG = 40 << 20 };
    struct capstan_file *file;
    struct net_sim_config odds = fake_calm(1);
    struct fake *fake = fake_create(1, &odds);
    uint8_t *in = malloc(BIG), *out = calloc(1, BIG);

    fake->stripe_size = 1u << 20;
    file = open_new(fake, "/big");
    fill(in, BIG, 8);
    write_all(file, 0, in, BIG);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_write], 5);
    CU_ASSERT_EQUAL(read_some(file, 0, out, BIG), BIG);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_read], 5);
    CU_ASSERT_EQUAL(memcmp(in, out, BIG), 0);
    free(in);
    free(out);
    finish(fake, &file);
}

static void test_empty_and_backward_runs_are_fine(void)
{
    struct capstan_file *file;
    struct fake *fake = start(2, &file);
    uint8_t in[16], out[16] = {0};
    struct capstan_run runs[3] = {
        {.offset = 1u << 20, .length = 0, .count = 5, .stride = 9},
        {.offset = 0,
         .length = 4,
         .stride = 4,
         .count = 4,
         .memory = out + 12,
         .mem_stride = -4},
        {.offset = 3, .length = 8, .count = 0},
    };
    uint64_t done = 1;

    fill(in, sizeof(in), 9);
    write_all(file, 0, in, sizeof(in));
    CU_ASSERT_EQUAL(capstan_file_readv(file, runs, 3, &done), 0);
    CU_ASSERT_EQUAL(done, 16);
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(out[12 - i / 4 * 4 + i % 4], in[i]);
    CU_ASSERT_EQUAL(capstan_file_readv(file, runs, 1, &done), 0);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(capstan_file_writev(file, NULL, 0, &done), 0);
    finish(fake, &file);
}

static void test_wrong_use_is_refused(void)
{
    struct capstan_file *file, *reader;
    struct fake *fake = start(2, &file);
    struct capstan_run run = {
        .offset = INT64_MAX, .length = 1, .count = 1, .memory = &run};
    uint64_t done = 77;
    size_t n = 77;

    CU_ASSERT_EQUAL(capstan_file_open(fake->session, "/f", CAPSTAN_OPEN_READ,
                                      NULL, &reader),
                    0);
    CU_ASSERT_EQUAL(capstan_file_write(reader, 0, "x", 1, &n), -EBADF);
    CU_ASSERT_EQUAL(n, 77);
    CU_ASSERT_EQUAL(capstan_file_truncate(reader, 0), -EBADF);
    CU_ASSERT_EQUAL(capstan_file_readv(file, &run, 1, &done), -EFBIG);
    run.offset = 0;
    run.count = UINT64_MAX;
    run.stride = 2;
    CU_ASSERT_EQUAL(capstan_file_readv(file, &run, 1, &done), -EFBIG);
    CU_ASSERT_EQUAL(done, 77);
    CU_ASSERT_EQUAL(capstan_file_close(&reader), 0);
    finish(fake, &file);
}

static void test_truncate_sets_the_size(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static const uint64_t sizes[] = {
        0, 10, STRIPE, 5 * STRIPE + 3, 100 * STRIPE, 2 * STRIPE, 1, 0};
    struct capstan_stat stat;
    uint64_t size;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CU_ASSERT_EQUAL(capstan_file_truncate(file, sizes[i]), 0);
        CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
        CU_ASSERT_EQUAL(size, sizes[i]);
        CU_ASSERT_EQUAL(capstan_stat(fake->session, "/f", &stat), 0);
        CU_ASSERT_EQUAL(stat.size, sizes[i]);
    }
    finish(fake, &file);
}

static void test_allocate_only_grows(void)
{
    struct capstan_file *file, *reader;
    struct fake *fake = start(3, &file);
    static const uint64_t sizes[] = {0, 10, 7 * STRIPE + 3, STRIPE, 0};
    uint64_t size, most = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        most = sizes[i] > most ? sizes[i] : most;
        CU_ASSERT_EQUAL(capstan_file_allocate(file, 0, sizes[i], 0), 0);
        CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
        CU_ASSERT_EQUAL(size, most);
    }
    CU_ASSERT_EQUAL(capstan_file_allocate(file, 0, UINT64_MAX, 0), -EFBIG);
    CU_ASSERT_EQUAL(capstan_file_allocate(file, 1, UINT64_MAX, 0), -EFBIG);
    CU_ASSERT_EQUAL(capstan_file_allocate(file, 0, 1, 2), -EINVAL);
    CU_ASSERT_EQUAL(capstan_file_open(fake->session, "/f", CAPSTAN_OPEN_READ,
                                      NULL, &reader),
                    0);
    CU_ASSERT_EQUAL(capstan_file_allocate(reader, 0, 1, 0), -EBADF);
    CU_ASSERT_EQUAL(capstan_file_close(&reader), 0);
    finish(fake, &file);
}

/* What each column sets aside is its part of the range, not more. */
static void test_allocate_a_range(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    uint64_t size;
    size_t done;

    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "abc", 3, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_allocate(file, STRIPE + 10, 2 * STRIPE,
                                          CAPSTAN_ALLOCATE_KEEP_SIZE),
                    0);
    CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(fake->allocated, 2 * STRIPE);
    CU_ASSERT_EQUAL(capstan_file_allocate(file, 9 * STRIPE, 7, 0), 0);
    CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
    CU_ASSERT_EQUAL(size, 9 * STRIPE + 7);
    CU_ASSERT_EQUAL(fake->allocated, 2 * STRIPE + 7);
    finish(fake, &file);
}

static void test_a_failure_says_where_and_why(void)
{
    struct capstan_file *file;
    struct fake *fake = start(2, &file);
    const char *text;
    uint8_t byte = 1;
    size_t n = 77;

    write_all(file, 0, &byte, 1);
    fake->fail_opcode = PROTO_OP_read;
    fake->fail_rc = -ERR_CORRUPT;
    fake->fail_count = 2; /* once is repeated */
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, &byte, 1, &n), -ERR_CORRUPT);
    CU_ASSERT_EQUAL(n, 77);
    text = capstan_session_error(fake->session);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "read /f"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "offset 0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "server s1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "as the test wants"));
    CU_ASSERT_EQUAL(capstan_errno(-ERR_CORRUPT), EIO);
    finish(fake, &file);
}

/* A bit that was flipped on the way is not flipped again. */
static void test_what_came_damaged_is_moved_once_more(void)
{
    struct capstan_session_stats before, after;
    struct capstan_file *file;
    struct fake *fake = start(2, &file);
    uint8_t byte = 1, out = 0;
    size_t n = 0;

    capstan_session_stats(fake->session, &before);
    for (unsigned i = 0; i < 2; i++) {
        fake->fail_opcode = i == 0 ? PROTO_OP_write : PROTO_OP_read;
        fake->fail_rc = -ERR_CORRUPT;
        fake->fail_count = 1;
        if (i == 0)
            CU_ASSERT_EQUAL(capstan_file_write(file, 0, &byte, 1, &n), 0);
        if (i == 1)
            CU_ASSERT_EQUAL(capstan_file_read(file, 0, &out, 1, &n), 0);
    }
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(out, 1);
    capstan_session_stats(fake->session, &after);
    CU_ASSERT_EQUAL(after.retries - before.retries, 2);
    finish(fake, &file);
}

static void test_a_removed_file_is_stale(void)
{
    struct capstan_file *file;
    struct fake *fake = start(2, &file);
    uint8_t byte = 1;
    uint64_t size;
    size_t n;

    write_all(file, 0, &byte, 1);
    CU_ASSERT_EQUAL(capstan_unlink(fake->session, "/f"), 0);
    CU_ASSERT_EQUAL(capstan_file_size(file, &size), -ESTALE);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, &byte, 1, &n), -ESTALE);
    finish(fake, &file);
}

static void test_a_timeout_gives_the_memory_back(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[30 * STRIPE], out[30 * STRIPE];
    struct net_sim_counts before, after;
    uint64_t begin;
    size_t n, i;

    fill(in, sizeof(in), 10);
    write_all(file, 0, in, sizeof(in));
    fake->targets[1].is_silent = true;
    capstan_session_set_timeout(fake->session, 50);
    begin = fake->clock.now_ns;
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, out, sizeof(out), &n),
                    -ETIMEDOUT);
    CU_ASSERT(fake->clock.now_ns - begin < 60 * NS_PER_MS);
    memset(out, 0xee, sizeof(out));
    net_sim_counts(fake->fabric, &before);
    for (i = 0; i < 10000; i++)
        net_sim_step(fake->fabric, fake->clock.now_ns + NS_PER_MS);
    net_sim_counts(fake->fabric, &after);
    for (i = 0; i < sizeof(out) && out[i] == 0xee; i++)
        ;
    CU_ASSERT_EQUAL(i, sizeof(out));
    capstan_session_set_timeout(fake->session, 30000);
    fake->targets[1].is_silent = false;
    finish(fake, &file);
}

/* A deadline in the middle of many RMA transfers: none lands afterwards. */
static void test_a_late_server_cannot_touch_the_memory(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[300 * STRIPE], out[300 * STRIPE];
    size_t n, i;

    fill(in, sizeof(in), 11);
    write_all(file, 0, in, sizeof(in));
    memset(out, 0, sizeof(out));
    fake->session->timeout_ns = 200 * NS_PER_US;
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, out, sizeof(out), &n),
                    -ETIMEDOUT);
    for (i = 0; i < sizeof(out) && out[i] == 0; i++)
        ;
    CU_ASSERT(i < sizeof(out)); /* it was under way */
    memset(out, 0xee, sizeof(out));
    for (i = 0; i < 10000; i++)
        net_sim_step(fake->fabric, fake->clock.now_ns + NS_PER_MS);
    for (i = 0; i < sizeof(out) && out[i] == 0xee; i++)
        ;
    CU_ASSERT_EQUAL(i, sizeof(out));
    capstan_session_set_timeout(fake->session, 30000);
    finish(fake, &file);
}

/* A program computes for longer than the timeout; the servers answer at once,
 * and the operation needs more of them when the program comes back. */
static void test_time_spent_elsewhere_is_no_timeout(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[4000 * STRIPE], out[4000 * STRIPE];
    struct capstan_run run = {.length = sizeof(in), .count = 1, .memory = out};
    struct capstan_request *request;
    uint64_t bytes = 0;

    fill(in, sizeof(in), 12);
    write_all(file, 0, in, sizeof(in));
    CU_ASSERT_EQUAL_FATAL(capstan_file_readv_start(file, &run, 1, &request), 0);
    clock_virtual_set(&fake->clock, fake->clock.now_ns + 100 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_request_wait(&request, &bytes), 0);
    CU_ASSERT_EQUAL(bytes, sizeof(in));
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    finish(fake, &file);
}

static void test_requests_overlap_and_end_by_test(void)
{
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[8][3 * STRIPE], out[8][3 * STRIPE];
    struct capstan_request *requests[8];
    uint64_t bytes;
    unsigned left = 8;
    bool is_done;

    for (unsigned i = 0; i < 8; i++) {
        struct capstan_run run = {.offset = i * sizeof(in[0]),
                                  .length = sizeof(in[0]),
                                  .count = 1,
                                  .memory = in[i]};

        fill(in[i], sizeof(in[i]), i);
        CU_ASSERT_EQUAL(capstan_file_writev_start(file, &run, 1, &requests[i]),
                        0);
    }
    for (unsigned i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(capstan_request_wait(&requests[i], &bytes), 0);
    for (unsigned i = 0; i < 8; i++) {
        struct capstan_run run = {.offset = i * sizeof(in[0]),
                                  .length = sizeof(in[0]),
                                  .count = 1,
                                  .memory = out[i]};

        CU_ASSERT_EQUAL(capstan_file_readv_start(file, &run, 1, &requests[i]),
                        0);
    }
    for (unsigned turns = 0; left > 0 && turns < 1000000; turns++) {
        for (unsigned i = 0; i < 8; i++) {
            if (requests[i] == NULL)
                continue;
            CU_ASSERT_EQUAL(
                capstan_request_test(&requests[i], &is_done, &bytes), 0);
            CU_ASSERT_EQUAL(is_done, requests[i] == NULL);
            left -= is_done;
        }
        net_sim_step(fake->fabric, fake->clock.now_ns + NS_PER_MS);
    }
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    finish(fake, &file);
}

static void test_every_failed_allocation_is_survived(void)
{
    struct capstan_file *file;
    struct fake *fake = start(2, &file);
    static uint8_t in[3 * STRIPE], out[3 * STRIPE];
    unsigned failures = 0;
    size_t n;
    int rc = -1;

    fill(in, sizeof(in), 12);
    write_all(file, 0, in, sizeof(in));
    for (int i = 0; i < 5 && rc != 0; i++) {
        struct capstan_run run = {
            .length = sizeof(out), .count = 1, .memory = out};
        struct capstan_request *request;

        mem_fault_set(i);
        rc = capstan_file_readv_start(file, &run, 1, &request);
        mem_fault_set(-1);
        failures += rc == -ENOMEM;
        if (rc == 0)
            CU_ASSERT_EQUAL(capstan_request_wait(&request, &n), 0);
    }
    CU_ASSERT_EQUAL(failures, 5);
    CU_ASSERT_EQUAL(read_some(file, 0, out, sizeof(out)), sizeof(out));
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    finish(fake, &file);
}

/* The model: bytes in memory and a size. */
struct model {
    uint8_t bytes[MODEL_MAX];
    uint64_t size;
};

static size_t draw_runs(struct rng *rng, struct capstan_run *runs,
                        uint8_t *memory)
{
    size_t nruns = 1 + rng_below(rng, 6);
    uint8_t *at = memory;

    for (size_t i = 0; i < nruns; i++) {
        struct capstan_run *run = &runs[i];

        run->count = rng_chance(rng, 50) ? 1 : 1 + rng_below(rng, 30);
        run->length = rng_below(rng, run->count == 1 ? 30000 : 1000);
        run->stride = run->length + rng_below(rng, 3000);
        run->mem_stride = (int64_t)run->length + (int64_t)rng_below(rng, 10);
        run->offset = rng_below(rng, 100000);
        run->memory = at;
        at += (uint64_t)run->mem_stride * run->count;
        if (rng_chance(rng, 20)) {
            run->memory =
                (char *)run->memory + run->mem_stride * (run->count - 1);
            run->mem_stride = -run->mem_stride;
        }
    }
    return nruns;
}

static void model_write(struct model *model, const struct capstan_run *runs,
                        size_t nruns)
{
    for (size_t i = 0; i < nruns; i++)
        for (uint64_t b = 0; b < runs[i].count; b++) {
            uint64_t at = runs[i].offset + b * runs[i].stride;

            memcpy(model->bytes + at,
                   (char *)runs[i].memory + (int64_t)b * runs[i].mem_stride,
                   runs[i].length);
            if (runs[i].length > 0 && at + runs[i].length > model->size)
                model->size = at + runs[i].length;
        }
}

/* @return bytes below the end; *is_same_out: memory holds what the model does,
 * for every one of them. */
static uint64_t model_read(const struct model *model,
                           const struct capstan_run *runs, size_t nruns,
                           bool *is_same_out)
{
    uint64_t below = 0;

    *is_same_out = true;
    for (size_t i = 0; i < nruns; i++)
        for (uint64_t b = 0; b < runs[i].count; b++)
            for (uint64_t j = 0; j < runs[i].length; j++) {
                uint64_t at = runs[i].offset + b * runs[i].stride + j;
                uint8_t byte =
                    ((uint8_t *)runs[i]
                         .memory)[(int64_t)b * runs[i].mem_stride + (int64_t)j];

                if (at >= model->size)
                    continue;
                below++;
                if (byte != model->bytes[at])
                    *is_same_out = false;
            }
    return below;
}

static void one_step(struct rng *rng, struct capstan_file *file,
                     struct model *model)
{
    static uint8_t memory[400000];
    struct capstan_run runs[6];
    size_t nruns = draw_runs(rng, runs, memory);
    uint64_t done = 0, want;
    bool is_same;

    if (rng_chance(rng, 8)) {
        want = rng_below(rng, 120000);
        CU_ASSERT_EQUAL_FATAL(capstan_file_truncate(file, want), 0);
        if (want < model->size)
            memset(model->bytes + want, 0, sizeof(model->bytes) - want);
        model->size = want;
    } else if (rng_chance(rng, 40)) {
        fill(memory, sizeof(memory), rng_next(rng));
        CU_ASSERT_EQUAL_FATAL(capstan_file_writev(file, runs, nruns, &done), 0);
        model_write(model, runs, nruns);
    } else {
        memset(memory, 0xee, sizeof(memory));
        CU_ASSERT_EQUAL_FATAL(capstan_file_readv(file, runs, nruns, &done), 0);
        want = model_read(model, runs, nruns, &is_same);
        CU_ASSERT_EQUAL_FATAL(done, want);
        CU_ASSERT_TRUE_FATAL(is_same);
    }
}

static void run_model(uint64_t seed, unsigned drop_percent, unsigned steps)
{
    struct net_sim_config odds = fake_calm(seed);
    struct model *model = calloc(1, sizeof(*model));
    struct capstan_file *file, *other;
    struct fake *fake;
    struct rng rng;

    odds.drop_percent = drop_percent;
    odds.duplicate_percent = drop_percent;
    odds.eager_max = seed % 2 == 0 ? PROTO_MESSAGE_MAX : 0;
    rng_init(&rng, seed);
    fake = fake_create(1 + (unsigned)rng_below(&rng, 8), &odds);
    fake->stripe_size = STRIPE * (uint32_t)(1 + rng_below(&rng, 3));
    capstan_session_set_timeout(fake->session, 600000);
    file = open_new(fake, "/f");
    other = open_new(fake, "/f"); /* as another client: learns late */
    for (unsigned i = 0; i < steps; i++)
        one_step(&rng, rng_chance(&rng, 50) ? file : other, model);
    CU_ASSERT_EQUAL(capstan_file_close(&other), 0);
    finish(fake, &file);
    free(model);
}

static void test_random_io_matches_a_model(void)
{
    uint64_t seed = unit_seed();

    for (unsigned i = 0; i < 40; i++)
        run_model(seed + i, 0, 20);
}

static void test_random_io_survives_lost_messages(void)
{
    uint64_t seed = unit_seed();

    for (unsigned i = 0; i < 15; i++)
        run_model(seed + i, 5, 12);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_small_file_stays_on_one_target_and_inline),
        UNIT_TEST(test_writes_ride_where_long_messages_are_cheap),
        UNIT_TEST(test_lists_ride_when_they_are_packed),
        UNIT_TEST(test_writing_beyond_the_first_stripe_stripes_once),
        UNIT_TEST(test_reads_beyond_the_end_are_short),
        UNIT_TEST(test_holes_are_zeros),
        UNIT_TEST(test_a_file_striped_by_another_is_read_whole),
        UNIT_TEST(test_a_file_striped_during_a_read_is_read_whole),
        UNIT_TEST(test_big_transfers_are_cut),
        UNIT_TEST(test_empty_and_backward_runs_are_fine),
        UNIT_TEST(test_wrong_use_is_refused),
        UNIT_TEST(test_truncate_sets_the_size),
        UNIT_TEST(test_allocate_only_grows),
        UNIT_TEST(test_allocate_a_range),
        UNIT_TEST(test_a_failure_says_where_and_why),
        UNIT_TEST(test_what_came_damaged_is_moved_once_more),
        UNIT_TEST(test_a_removed_file_is_stale),
        UNIT_TEST(test_a_timeout_gives_the_memory_back),
        UNIT_TEST(test_a_late_server_cannot_touch_the_memory),
        UNIT_TEST(test_time_spent_elsewhere_is_no_timeout),
        UNIT_TEST(test_requests_overlap_and_end_by_test),
        UNIT_TEST(test_every_failed_allocation_is_survived),
        UNIT_TEST(test_random_io_matches_a_model),
        UNIT_TEST(test_random_io_survives_lost_messages),
    };

    return UNIT_MAIN("client/io", tests);
}
