/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked objects: the contract over obj_mem and over obj_uring; then flips and
 * what is written when. Operations that share blocks: test_sums_join.c;
 * crashes: test_sums_crash.c.
 */
#include "store/sums_format.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "tests/store/sums_kit.h"

#include <string.h>

static void test_from_here_on_the_store_is_real(void)
{
    obj_fixture.driver = &over_uring;
    obj_fixture.rounds = 200;
}

static void test_from_here_on_io_is_direct(void)
{
    obj_fixture.config.is_direct = true;
}

static void test_from_here_on_the_store_is_simulated(void)
{
    obj_fixture.driver = &over_mem;
}

/* Let quiet objects become clean. */
static void clean(struct obj_store *store)
{
    for (unsigned i = 0; i < 1000 && stats_of(store).objects_dirty > 0; i++) {
        clock_virtual_set(&kit.now, kit.now.now_ns + NS_PER_SEC);
        obj_poll(store);
        drain_to(store, 0);
    }
    CU_ASSERT_EQUAL(stats_of(store).objects_dirty, 0);
}

static void test_direct_and_cached_io_agree(void)
{
    enum { SIZE = 16 * SUMS_BLOCK };
    static _Alignas(4096) char bytes[SIZE], out[SIZE];
    struct obj_store *store = fixture_open();
    struct rng rng;
    uint64_t at, n;

    rng_init(&rng, unit_seed());
    for (unsigned i = 0; i < 300; i++) {
        at = rng_below(&rng, 16);
        n = 1 + rng_below(&rng, 16 - at);
        at *= SUMS_BLOCK;
        n *= SUMS_BLOCK;
        if (rng_chance(&rng, 50)) {
            at += rng_below(&rng, 100);
            n = 1 + rng_below(&rng, n - 100);
        }
        random_bytes(&rng, bytes + at, n);
        CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, at, bytes + at, n),
                        (int64_t)n);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, at, out + at, n),
                        (int64_t)n);
        CU_ASSERT_EQUAL(memcmp(bytes + at, out + at, n), 0);
    }
    n = (uint64_t)do_io(store, OBJ_READ, INO, 0, out, SIZE);
    CU_ASSERT_EQUAL(n, size_of(store, INO));
    CU_ASSERT_EQUAL(memcmp(bytes, out, n), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_sum_of_zeros_is_kept_as_zero(void)
{
    static const char zeros[SUMS_BLOCK];

    CU_ASSERT_EQUAL(crc32c(0, zeros, sizeof(zeros)), SUMS_ZERO_CRC);
    CU_ASSERT_EQUAL(sums_of_block(zeros, sizeof(zeros)), 0);
    CU_ASSERT_EQUAL(sums_of_block(zeros, 100), 0);
}

/* Every bit of a block matters, and only reads that touch the block fail. */
static void test_every_flip_of_data_is_found(void)
{
    enum { SIZE = 3 * SUMS_BLOCK + 1000 };
    struct obj_store *store = fixture_open();
    static char bytes[SIZE], out[SIZE];
    struct rng rng;

    rng_init(&rng, unit_seed());
    random_bytes(&rng, bytes, SIZE);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, SIZE), SIZE);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t at = rng_below(&rng, SIZE), block = at / SUMS_BLOCK;
        uint64_t other = (block + 1) % 4 * SUMS_BLOCK;
        unsigned bit = (unsigned)rng_below(&rng, 8);

        flip(0, at, bit);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, at, out, 1), -ERR_CORRUPT);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, SIZE),
                        -ERR_CORRUPT);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, other, out, 1000), 1000);
        CU_ASSERT_EQUAL(memcmp(out, bytes + other, 1000), 0);
        flip(0, at, bit);
    }
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, SIZE), SIZE);
    CU_ASSERT_EQUAL(stats_of(store).mismatches, 4000);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_a_write_launders_no_flip(void)
{
    struct obj_store *store = fixture_open();
    char bytes[2 * SUMS_BLOCK], out[2 * SUMS_BLOCK];

    memset(bytes, 'w', sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, 8192), 8192);
    flip(0, 5000, 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 6000, "x", 1), -ERR_CORRUPT);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 4000, bytes, 200),
                    -ERR_CORRUPT);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 6000, NULL, 0),
                    -ERR_CORRUPT);
    CU_ASSERT_EQUAL(size_of(store, INO), 8192);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 4200, out, 9), -ERR_CORRUPT);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 4096, bytes, 4096), 4096);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 8192), 8192);
    CU_ASSERT_EQUAL(memcmp(bytes, out, 8192), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_every_flip_of_sums_is_found(void)
{
    enum { BLOCKS = 8 };
    struct obj_store *store = fixture_open();
    static char bytes[BLOCKS * SUMS_BLOCK], out[BLOCKS * SUMS_BLOCK];

    memset(bytes, 's', sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes)),
                    sizeof(bytes));
    clean(store);
    end_orderly(store);
    for (unsigned bit = 0; bit < BLOCKS * 32; bit++) {
        store = fixture_open();
        flip(1, SUMS_FIRST + bit / 8, bit % 8);
        CU_ASSERT_EQUAL(
            do_io(store, OBJ_READ, INO, bit / 32 * SUMS_BLOCK, out, 10),
            -ERR_CORRUPT);
        CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 0);
        flip(1, SUMS_FIRST + bit / 8, bit % 8);
        end_orderly(store);
    }
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, sizeof(out)),
                    sizeof(out));
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A header that is damaged makes all of the object stale, never wrong. */
static void test_every_flip_of_a_header_is_found(void)
{
    struct obj_store *store = fixture_open();
    char out[5000];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "header", 6), 6);
    clean(store);
    end_orderly(store);
    for (unsigned at = 0; at < SUMS_HEADER_SIZE; at += 7) {
        store = fixture_open();
        flip(1, at, at % 8);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 5000), 6);
        CU_ASSERT_EQUAL(memcmp(out, "header", 6), 0);
        CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 6);
        clean(store); /* a valid header again */
        end_orderly(store);
    }
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 5000), 6);
    CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A header that is whole, but says a format that we do not know. */
static void test_sums_of_the_future_are_left_alone(void)
{
    struct obj_store *store = fixture_open();
    uint32_t head[SUMS_HEADER_SIZE / 4];
    char out[8];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "future", 6), 6);
    clean(store);
    end_orderly(store);
    store = fixture_open();
    CU_ASSERT_EQUAL(raw(OBJ_READ, 1, 0, head, sizeof(head)), sizeof(head));
    head[1] = 2;
    head[2] = 0;
    head[2] = crc32c(0, head, sizeof(head));
    CU_ASSERT_EQUAL(raw(OBJ_WRITE, 1, 0, head, sizeof(head)), sizeof(head));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 8), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, out, 8), -EIO);
    CU_ASSERT_EQUAL(stats_of(store).headers_damaged, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_sums_are_given_and_told(void)
{
    struct obj_store *store = fixture_open();
    static char bytes[3 * SUMS_BLOCK];
    uint32_t sums[3] = {1, 2, 3};
    struct obj_io io = {.verb = OBJ_WRITE,
                        .ino = INO,
                        .offset = SUMS_BLOCK,
                        .memory = bytes,
                        .length = sizeof(bytes),
                        .sums = sums,
                        .done = ended};

    memset(bytes, 'g', sizeof(bytes));
    sums[0] = sums[1] = crc32c(0, bytes, SUMS_BLOCK);
    obj_submit(store, &io);
    drain_to(store, 0);
    CU_ASSERT_EQUAL(io.result, sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 12000), 12000);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 12289),
                    -ERR_CORRUPT); /* the third sum was a lie */
    memset(sums, 0, sizeof(sums));
    io = (struct obj_io){.verb = OBJ_READ,
                         .ino = INO,
                         .offset = 5000,
                         .memory = bytes,
                         .length = 5000,
                         .sums = sums,
                         .done = ended};
    obj_submit(store, &io);
    drain_to(store, 0);
    CU_ASSERT_EQUAL(io.result, 5000);
    memset(bytes, 'g', sizeof(bytes));
    CU_ASSERT_EQUAL(sums[0], crc32c(0, bytes, SUMS_BLOCK));
    CU_ASSERT_EQUAL(sums[1], sums[0]);
    CU_ASSERT_EQUAL(sums[2], 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* Only what was written to is summed again after a crash, and nothing after
 * an orderly end. */
static void test_only_dirty_regions_are_summed_again(void)
{
    enum { REGION = 1 << SUMS_REGION_SHIFT };
    struct obj_store *store = fixture_open();
    char byte;

    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, i * REGION, "abc", 3), 3);
    CU_ASSERT_EQUAL(stats_of(store).intents, 0); /* no header yet */
    clean(store);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 3 * REGION + 2, "de", 2), 2);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 3 * REGION + 9, "f", 1), 1);
    CU_ASSERT_EQUAL(stats_of(store).intents, 1);
    obj_close(store);

    store = fixture_open();
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, i * REGION, &byte, 1), 1);
    CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 10);
    end_orderly(store);
    store = fixture_open();
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, i * REGION, &byte, 1), 1);
    CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_orderly_end_counts_on_the_same_machine_only(void)
{
    struct obj_store *store = fixture_open();
    char byte;

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    end_orderly(store);
    kit.machine++;
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 1);
    CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* An object was cut to nothing before the crash: its region is stale, and
 * empty. Operations that wait for that meanwhile all end. */
static void test_a_stale_region_may_be_empty(void)
{
    struct obj_io ios[6] = {{.verb = OBJ_READ},  {.verb = OBJ_READ},
                            {.verb = OBJ_WRITE}, {.verb = OBJ_READ},
                            {.verb = OBJ_SYNC},  {.verb = OBJ_READ}};
    struct obj_store *store = fixture_open();
    char bytes[6][4] = {"...", "...", "abc", "...", "...", "..."};

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "old", 3), 3);
    clean(store);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "new", 3), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 0, NULL, 0), 0);
    obj_close(store);
    store = fixture_open();
    for (unsigned i = 0; i < 6; i++) {
        ios[i].ino = INO;
        ios[i].memory = bytes[i];
        ios[i].length = 3;
        ios[i].done = ended;
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    CU_ASSERT(ios[0].result == 0 && ios[1].result == 0);
    CU_ASSERT(ios[2].result == 3 && ios[3].result == 3);
    CU_ASSERT(ios[4].result == 0 && ios[5].result == 3);
    CU_ASSERT_EQUAL(memcmp(bytes[5], "abc", 3), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A server that knew no sums has left an object. */
static void test_object_without_sums_gets_them(void)
{
    struct obj_store *store = fixture_open();
    char bytes[9000], out[9000];

    memset(bytes, 'v', sizeof(bytes));
    CU_ASSERT_EQUAL(raw(OBJ_WRITE, 0, 0, bytes, 9000), 9000);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 100, "x", 1), 1);
    bytes[100] = 'x';
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 9000), 9000);
    CU_ASSERT_EQUAL(memcmp(bytes, out, 9000), 0);
    CU_ASSERT_EQUAL(stats_of(store).bytes_resummed, 9000);
    flip(0, 8999, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 9000), -ERR_CORRUPT);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_a_failed_write_leaves_no_wrong_sums(void)
{
    struct obj_store *store = fixture_open();
    char bytes[10000], out[10000];
    int64_t result;

    memset(bytes, 'a', sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, 10000), 10000);
    for (int n = 0; n < 12; n++) {
        obj_mem_disk_fault(obj_fixture.config.disk, n, EIO);
        result = do_io(store, OBJ_WRITE, INO, 4000 + (uint64_t)n, "bcd", 3);
        CU_ASSERT(result == 3 || result == -EIO);
        result = do_io(store, OBJ_READ, INO, 0, out, 10000);
        CU_ASSERT(result == 10000 || result == -EIO);
        obj_mem_disk_fault(obj_fixture.config.disk, -1, 0);
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 10000), 10000);
    }
    CU_ASSERT_EQUAL(stats_of(store).mismatches, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static int64_t sync_of(struct obj_store *store, uint64_t ino)
{
    return do_io(store, OBJ_SYNC, ino, 0, NULL, 0);
}

/* The kernel says it once; nobody may be told afterwards that all is well. */
static void test_a_failed_sync_stays_failed(void)
{
    struct obj_store *store = fixture_open();
    char out[8];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 8), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 1, NULL, 0), 0);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    CU_ASSERT_EQUAL(sync_of(store, INO), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* The first to sync was the store itself, in the background. */
static void test_a_failed_cleaning_is_told_to_who_syncs(void)
{
    struct obj_store *store = fixture_open();

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    clean(store);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(sync_of(store, INO), 0);
    obj_close(store);
}

/* A fault at the first step then meets the sums, and not the bytes. */
static void test_what_a_caller_synced_is_not_synced_again(void)
{
    struct obj_store *store = fixture_open();

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    CU_ASSERT_EQUAL(sync_of(store, INO), 0);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    clean(store);
    CU_ASSERT_EQUAL(sync_of(store, INO), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    clean(store);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A write behind a sync does not wait for it, and may begin before it and end
 * after it. Its bytes are still to be synced then: the fault meets that. */
static void test_a_write_that_passes_a_sync_is_synced(void)
{
    static char bytes[2 * SUMS_BLOCK];
    struct obj_io ios[3] = {
        {.verb = OBJ_WRITE, .length = SUMS_BLOCK},
        {.verb = OBJ_SYNC},
        {.verb = OBJ_WRITE, .offset = SUMS_BLOCK + 7, .length = 3}};
    struct obj_store *store = fixture_open();

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes)),
                    sizeof(bytes));
    for (unsigned i = 0; i < 3; i++) {
        ios[i].ino = INO;
        ios[i].memory = bytes + ios[i].offset;
        ios[i].done = ended;
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    CU_ASSERT(ios[0].result == SUMS_BLOCK && ios[1].result == 0);
    CU_ASSERT_EQUAL(ios[2].result, 3);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    clean(store);
    CU_ASSERT_EQUAL(sync_of(store, INO), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* More lost objects than there are places to remember them. */
static void test_lost_objects_leave_places_to_others(void)
{
    enum { N = 40, LOST = 2 }; /* a fourth of the nine objects */
    struct obj_store *store = fixture_open();

    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + i, 0, "abc", 3), 3);
        if (i >= LOST)
            continue;
        obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
        CU_ASSERT_EQUAL(sync_of(store, INO + i), -EIO);
    }
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(sync_of(store, INO + i), i < LOST ? -EIO : 0);
    obj_mem_disk_fault(obj_fixture.config.disk, 0, EIO);
    CU_ASSERT_EQUAL(sync_of(store, INO + LOST), -EIO); /* one too many */
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(sync_of(store, INO + i), -EIO);
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0), 0);
    obj_close(store);
}

static const struct unit_test tests[] = {
    OBJ_CONTRACT,
    UNIT_TEST(test_sum_of_zeros_is_kept_as_zero),
    UNIT_TEST(test_every_flip_of_data_is_found),
    UNIT_TEST(test_a_write_launders_no_flip),
    UNIT_TEST(test_every_flip_of_sums_is_found),
    UNIT_TEST(test_every_flip_of_a_header_is_found),
    UNIT_TEST(test_sums_of_the_future_are_left_alone),
    UNIT_TEST(test_sums_are_given_and_told),
    UNIT_TEST(test_only_dirty_regions_are_summed_again),
    UNIT_TEST(test_orderly_end_counts_on_the_same_machine_only),
    UNIT_TEST(test_object_without_sums_gets_them),
    UNIT_TEST(test_a_stale_region_may_be_empty),
    UNIT_TEST(test_a_failed_write_leaves_no_wrong_sums),
    UNIT_TEST(test_a_failed_sync_stays_failed),
    UNIT_TEST(test_a_failed_cleaning_is_told_to_who_syncs),
    UNIT_TEST(test_what_a_caller_synced_is_not_synced_again),
    UNIT_TEST(test_a_write_that_passes_a_sync_is_synced),
    UNIT_TEST(test_lost_objects_leave_places_to_others),
    UNIT_TEST(test_from_here_on_the_store_is_real),
    OBJ_CONTRACT,
    UNIT_TEST(test_only_dirty_regions_are_summed_again),
    UNIT_TEST(test_from_here_on_io_is_direct),
    OBJ_CONTRACT,
    UNIT_TEST(test_direct_and_cached_io_agree),
    UNIT_TEST(test_from_here_on_the_store_is_simulated),
};

int main(void)
{
    int rc;

    if (kit_init() != 0)
        return EXIT_FAILURE;
    rc = UNIT_MAIN("sums", tests);
    kit_fini();
    return rc;
}
