/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked objects whose operations share blocks: neighbours, small ones that
 * join, reads that bring sums alone. Over obj_mem, then over obj_uring.
 */
#include "store/sums_format.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "tests/store/sums_kit.h"

#include <string.h>

static void test_from_here_on_the_store_is_real(void)
{
    obj_fixture.driver = &over_uring;
}

static void test_from_here_on_the_store_is_simulated(void)
{
    obj_fixture.driver = &over_mem;
}

/* Read into `out`, which may be left alone. @return the result. */
static int64_t read_lent(struct obj_store *store, uint64_t offset, size_t n,
                         char *out, uint32_t *sums)
{
    struct obj_io io = {.verb = OBJ_READ,
                        .ino = INO,
                        .offset = offset,
                        .length = n,
                        .memory = out,
                        .sums = sums,
                        .is_compared_later = true,
                        .is_lent = true,
                        .done = ended};

    memset(out, 'u', n);
    obj_submit(store, &io);
    while (io.ino != 0)
        obj_poll(store);
    return io.result;
}

static void test_lent_blocks_bring_their_sums_alone(void)
{
    enum { SIZE = (SUMS_UNIT_BLOCKS + 2) * SUMS_BLOCK + 100 };
    static char bytes[SIZE], out[SIZE + SUMS_BLOCK];
    static uint32_t sums[SUMS_UNIT_BLOCKS + 4];
    const size_t whole = SIZE - 100 - SUMS_BLOCK;
    struct obj_store *store = fixture_open();
    struct rng rng;

    rng_init(&rng, unit_seed());
    random_bytes(&rng, bytes, SIZE);
    do_io(store, OBJ_WRITE, INO, 0, bytes, SIZE);
    CU_ASSERT_EQUAL(read_lent(store, SUMS_BLOCK, whole, out, sums),
                    (int64_t)whole);
    for (size_t i = 0; i < whole / SUMS_BLOCK; i++)
        CU_ASSERT_EQUAL(sums[i],
                        crc32c(0, bytes + (i + 1) * SUMS_BLOCK, SUMS_BLOCK));
    CU_ASSERT_EQUAL(out[0], 'u');
    CU_ASSERT_EQUAL(memcmp(out, out + 1, whole - 1), 0);
    /* What is no whole block is read, and what ends early. */
    CU_ASSERT_EQUAL(read_lent(store, 7, whole, out, sums), (int64_t)whole);
    CU_ASSERT_EQUAL(memcmp(out, bytes + 7, whole), 0);
    CU_ASSERT_EQUAL(read_lent(store, 0, SIZE + SUMS_BLOCK - 100, out, sums),
                    SIZE);
    CU_ASSERT_EQUAL(memcmp(out, bytes, SIZE), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* Writes that share blocks, and reads of them, all at once. */
static void test_neighbours_in_a_block_do_not_collide(void)
{
    enum { N = 200, STEP = 100 };
    static struct obj_io writes[N], reads[N];
    static char in[N * STEP], out[N * STEP];
    struct obj_store *store = fixture_open();

    for (unsigned i = 0; i < N; i++) {
        memset(in + i * STEP, (int)i, STEP);
        writes[i] = (struct obj_io){.verb = OBJ_WRITE,
                                    .ino = INO,
                                    .offset = i * STEP,
                                    .length = STEP,
                                    .memory = in + i * STEP,
                                    .done = ended};
        reads[i] = writes[i];
        reads[i].verb = OBJ_READ;
        reads[i].memory = out + i * STEP;
        obj_submit(store, &writes[i]);
        obj_submit(store, &reads[i]);
    }
    drain_to(store, 0);
    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(writes[i].result, STEP);
        CU_ASSERT_EQUAL(reads[i].result, STEP);
    }
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* Small writes to a few blocks, from the end to the start, one over another:
 * most are made by another one, and the last of each place wins. */
static void test_small_writes_to_a_block_join(void)
{
    enum { N = 300, STEP = 40, LENGTH = 60, SIZE = N * STEP + LENGTH };
    static struct obj_io writes[N];
    static char in[N][LENGTH], out[SIZE], want[SIZE];
    struct obj_store *store = fixture_open();
    uint64_t before = stats_of(store).writes_joined;

    memset(want, 'o', sizeof(want));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, want, SIZE), SIZE);
    for (unsigned i = 0; i < N; i++) {
        unsigned at = (N - 1 - i) * STEP;

        memset(in[i], (int)i, LENGTH);
        memset(want + at, (int)i, LENGTH);
        writes[i] = (struct obj_io){.verb = OBJ_WRITE,
                                    .ino = INO,
                                    .offset = at,
                                    .length = LENGTH,
                                    .memory = in[i],
                                    .done = ended};
        obj_submit(store, &writes[i]);
    }
    drain_to(store, 0);
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(writes[i].result, LENGTH);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, SIZE), SIZE);
    CU_ASSERT_EQUAL(memcmp(out, want, SIZE), 0);
    CU_ASSERT(stats_of(store).writes_joined - before > N / 2);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* Beyond the end: the block grows by what joined, and is zeros in between. */
static void test_joined_writes_make_an_object_grow(void)
{
    enum { N = 6 };
    struct obj_io writes[N];
    char in[N], out[100] = {0}, want[100] = {0};
    struct obj_store *store = fixture_open();

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "first", 5), 5);
    memcpy(want, "first", 5);
    for (int i = 0; i < N; i++) {
        unsigned at = 10 + 15 * (unsigned)((i + 3) % N);

        want[at] = in[i] = (char)('a' + i);
        writes[i] = (struct obj_io){.verb = OBJ_WRITE,
                                    .ino = INO,
                                    .offset = at,
                                    .length = 1,
                                    .memory = &in[i],
                                    .done = ended};
        obj_submit(store, &writes[i]);
    }
    drain_to(store, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, sizeof(out)),
                    10 + 15 * (N - 1) + 1);
    CU_ASSERT_EQUAL(memcmp(out, want, sizeof(out)), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* Reads and writes of a few bytes, all there at once: each read brings what the
 * writes before it left, its sum, and nothing of those behind it. */
static void test_small_reads_of_a_block_join(void)
{
    enum { N = 400, MOST = 90, SIZE = 3 * SUMS_BLOCK + 777, REACH = SIZE + 50 };
    static char now[4 * SUMS_BLOCK], want[N][MOST], got[N][MOST];
    static struct obj_io ios[N];
    static uint32_t sums[N][2], want_sums[N];
    struct obj_store *store = fixture_open();
    uint64_t before = stats_of(store).reads_joined, at = 0;
    struct rng rng;

    rng_init(&rng, unit_seed());
    memset(ios, 0, sizeof(ios));
    memset(now, 0, sizeof(now));
    random_bytes(&rng, now, SIZE);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, now, SIZE), SIZE);
    for (unsigned i = 0; i < N; i++) {
        bool is_write = rng_chance(&rng, 4);
        size_t length = 1 + rng_below(&rng, MOST);

        at = is_write || rng_chance(&rng, 10)
                 ? rng_below(&rng, REACH)
                 : (at + rng_below(&rng, 60)) % REACH;
        if (is_write && at + length > SIZE)
            continue;
        if (is_write)
            random_bytes(&rng, now + at, length);
        memcpy(want[i], now + at, length);
        want_sums[i] = crc32c(0, now + at - at % SUMS_BLOCK, SUMS_BLOCK);
        if (is_write)
            memcpy(got[i], want[i], length);
        ios[i] = (struct obj_io){.verb = is_write ? OBJ_WRITE : OBJ_READ,
                                 .ino = INO,
                                 .offset = at,
                                 .length = length,
                                 .memory = got[i],
                                 .sums = is_write ? NULL : sums[i],
                                 .done = ended};
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    for (unsigned i = 0; i < N; i++) {
        uint64_t rest = ios[i].offset < SIZE ? SIZE - ios[i].offset : 0;

        if (ios[i].length == 0)
            continue; /* it was no write within the object */
        CU_ASSERT_EQUAL(ios[i].result,
                        (int64_t)(ios[i].length < rest ? ios[i].length : rest));
        CU_ASSERT_EQUAL(memcmp(got[i], want[i], (size_t)ios[i].result), 0);
        if (ios[i].sums != NULL && ios[i].result > 0)
            CU_ASSERT_EQUAL(sums[i][0], want_sums[i]);
    }
    CU_ASSERT(stats_of(store).reads_joined - before > N / 4);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_a_flip_ends_all_that_joined(void)
{
    enum { N = 20 };
    struct obj_store *store = fixture_open();
    static char bytes[2 * SUMS_BLOCK], out[N];
    struct obj_io ios[N];

    memset(bytes, 'f', sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes)),
                    sizeof(bytes));
    flip(0, SUMS_BLOCK + 4000, 3);
    for (unsigned i = 0; i < N; i++) {
        ios[i] = (struct obj_io){.verb = OBJ_READ,
                                 .ino = INO,
                                 .offset = SUMS_BLOCK + 1 + 16 * i,
                                 .length = 1,
                                 .memory = &out[i],
                                 .done = ended};
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(ios[i].result, -ERR_CORRUPT);
        CU_ASSERT_EQUAL(ios[i].bad_offset, SUMS_BLOCK);
        CU_ASSERT_EQUAL(out[i], 0);
    }
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

#define SHARED                                                                 \
    UNIT_TEST(test_neighbours_in_a_block_do_not_collide),                      \
        UNIT_TEST(test_small_writes_to_a_block_join),                          \
        UNIT_TEST(test_joined_writes_make_an_object_grow),                     \
        UNIT_TEST(test_small_reads_of_a_block_join),                           \
        UNIT_TEST(test_lent_blocks_bring_their_sums_alone),                    \
        UNIT_TEST(test_a_flip_ends_all_that_joined)

static const struct unit_test tests[] = {
    SHARED,
    UNIT_TEST(test_from_here_on_the_store_is_real),
    SHARED,
    UNIT_TEST(test_from_here_on_the_store_is_simulated),
};

int main(void)
{
    int rc;

    if (kit_init() != 0)
        return EXIT_FAILURE;
    rc = UNIT_MAIN("sums_join", tests);
    kit_fini();
    return rc;
}
