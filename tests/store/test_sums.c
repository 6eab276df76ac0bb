/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked objects: the contract over obj_mem and over obj_uring, with few
 * operations, objects and units so that all of them run out; then flips,
 * crashes and what is written when.
 *
 *     test_sums [SEED [COUNT]]   crashes only, seeds SEED .. SEED + COUNT - 1
 */
#include "store/sums.h"
#include "store/sums_format.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/rng.h"
#include "tests/store/obj_contract.h"

#include <string.h>

#define INO 0x00010000000002cdull
#define CRASH_SEEDS 300
#define CRASH_OBJECTS 5
#define CRASH_BYTES 60000

struct obj_fixture obj_fixture;

static char directory[256];
static struct clock_virtual now;
static struct obj_store *below; /* of the store that was opened last */
static uint64_t boot = 1;
static uint64_t machine = 77;
static const struct sums_config small = {
    .ops_max = 7, .units_max = 8, .objects_max = 9};

static int open_over(const struct obj_driver *driver,
                     const struct obj_config *config,
                     struct obj_store **store_out)
{
    struct sums_config sums = small;
    int rc;

    rc = obj_open(driver, config, &below);
    if (rc != 0)
        return rc;
    sums.clock = &now.clock;
    sums.boot = boot++;
    sums.machine = machine;
    rc = sums_create(below, &sums, store_out);
    if (rc != 0)
        obj_close(below);
    return rc;
}

static int open_over_mem(const struct obj_config *config,
                         struct obj_store **store_out)
{
    return open_over(&obj_mem, config, store_out);
}

static int open_over_uring(const struct obj_config *config,
                           struct obj_store **store_out)
{
    return open_over(&obj_uring, config, store_out);
}

static const struct obj_driver over_mem = {.open = open_over_mem};
static const struct obj_driver over_uring = {.open = open_over_uring};

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

static void end_orderly(struct obj_store *store)
{
    sums_flush(store);
    drain_to(store, 0);
    obj_close(store);
}

static struct sums_stats stats_of(const struct obj_store *store)
{
    struct sums_stats stats;

    sums_stats(store, &stats);
    return stats;
}

/* Let quiet objects become clean. */
static void clean(struct obj_store *store)
{
    for (unsigned i = 0; i < 1000 && stats_of(store).objects_dirty > 0; i++) {
        clock_virtual_set(&now, now.now_ns + NS_PER_SEC);
        obj_poll(store);
        drain_to(store, 0);
    }
    CU_ASSERT_EQUAL(stats_of(store).objects_dirty, 0);
}

/* One operation of the store below, past the sums. */
static int64_t raw(enum obj_verb verb, uint8_t part, uint64_t offset,
                   void *memory, size_t length);

static void ended(struct obj_io *io)
{
    io->ino = 0;
}

static int64_t raw(enum obj_verb verb, uint8_t part, uint64_t offset,
                   void *memory, size_t length)
{
    struct obj_io io = {.verb = verb,
                        .part = part,
                        .ino = INO,
                        .offset = offset,
                        .memory = memory,
                        .length = length,
                        .done = ended};

    obj_submit(below, &io);
    while (io.ino != 0)
        obj_poll(below);
    return io.result;
}

static void flip(uint8_t part, uint64_t offset, unsigned bit)
{
    uint8_t byte = 0;

    CU_ASSERT_EQUAL_FATAL(raw(OBJ_READ, part, offset, &byte, 1), 1);
    byte ^= (uint8_t)(1u << bit);
    CU_ASSERT_EQUAL_FATAL(raw(OBJ_WRITE, part, offset, &byte, 1), 1);
}

static void random_bytes(struct rng *rng, char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)rng_next(rng);
}

/* Aligned extents go past the page cache, their neighbours through it. */
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
    machine++;
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

/*
 * Crashes: operations at random, then a kill, a loss of power or an orderly
 * end. What is read then has no mismatch, and bytes that were not touched
 * since they were durable are as they were.
 */

struct victim {
    char bytes[CRASH_BYTES];
    char is_sure[CRASH_BYTES]; /* durable, whatever comes */
    uint64_t size;
    bool is_size_sure;
};

static uint64_t crash_ino; /* of the first; no number is ever used again */
static struct victim victims[CRASH_OBJECTS];
static char scratch[CRASH_BYTES];

static void require(bool is_so, uint64_t seed, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, what);
    exit(EXIT_FAILURE);
}

static void crash_write(struct obj_store *store, struct rng *rng, unsigned i)
{
    struct victim *v = &victims[i];
    uint64_t at = rng_below(rng, CRASH_BYTES);
    size_t n = 1 + rng_below(rng, rng_chance(rng, 60) ? 900 : CRASH_BYTES);

    if (n > CRASH_BYTES - at)
        n = CRASH_BYTES - at;
    random_bytes(rng, v->bytes + at, n);
    memset(v->is_sure + at, 0, n);
    if (at + n > v->size) {
        v->size = at + n;
        v->is_size_sure = false;
    }
    require(do_io(store, OBJ_WRITE, crash_ino + i, at, v->bytes + at, n) ==
                (int64_t)n,
            0, "write");
}

static void crash_cut(struct obj_store *store, struct rng *rng, unsigned i)
{
    struct victim *v = &victims[i];
    uint64_t size = rng_below(rng, CRASH_BYTES);
    uint64_t low = size < v->size ? size : v->size;

    require(do_io(store, OBJ_TRUNCATE, crash_ino + i, size, NULL, 0) == 0, 0,
            "cut");
    memset(v->bytes + low, 0, CRASH_BYTES - low);
    memset(v->is_sure + low, 0, CRASH_BYTES - low);
    v->size = size;
    v->is_size_sure = false;
}

static void crash_step(struct obj_store *store, struct rng *rng)
{
    unsigned i = (unsigned)rng_below(rng, CRASH_OBJECTS);
    struct victim *v = &victims[i];
    uint64_t what = rng_below(rng, 20);

    if (what < 11) {
        crash_write(store, rng, i);
    } else if (what < 13) {
        crash_cut(store, rng, i);
    } else if (what < 15) {
        require(do_io(store, OBJ_SYNC, crash_ino + i, 0, NULL, 0) == 0, 0,
                "sync");
        memset(v->is_sure, 1, CRASH_BYTES);
        v->is_size_sure = true;
    } else if (what < 18) {
        clock_virtual_set(&now, now.now_ns + rng_below(rng, 3 * NS_PER_SEC));
        for (uint64_t n = rng_below(rng, 12); n > 0; n--)
            obj_poll(store);
    } else {
        require(do_io(store, OBJ_READ, crash_ino + i, 0, scratch,
                      CRASH_BYTES) == (int64_t)v->size,
                0, "read");
        require(memcmp(scratch, v->bytes, v->size) == 0, 0, "bytes");
    }
}

/* What is there now becomes the truth, if it may be the truth. */
static void crash_judge(struct obj_store *store, uint64_t seed, bool is_power)
{
    for (unsigned i = 0; i < CRASH_OBJECTS; i++) {
        struct victim *v = &victims[i];
        int64_t got;

        memset(scratch, 0, sizeof(scratch));
        got = do_io(store, OBJ_READ, crash_ino + i, 0, scratch, CRASH_BYTES);
        if (got < 0)
            fprintf(stderr, "round of object %u: %s\n", i, err_text((int)got));
        require(got >= 0, seed, "a read fails");
        if (!is_power || v->is_size_sure)
            require(got == (int64_t)v->size, seed, "size");
        for (uint64_t at = 0; at < v->size && at < (uint64_t)got; at++)
            require((is_power && !v->is_sure[at]) ||
                        scratch[at] == v->bytes[at],
                    seed, "a byte that was durable");
        memcpy(v->bytes, scratch, CRASH_BYTES);
        v->size = (uint64_t)got;
        if (is_power) { /* nothing is left that could be lost */
            memset(v->is_sure, 1, CRASH_BYTES);
            v->is_size_sure = true;
        }
    }
    require(stats_of(store).mismatches == 0, seed, "a mismatch");
}

static void crash_once(struct obj_mem_disk *disk, uint64_t seed)
{
    struct obj_store *store = fixture_open();
    struct rng rng;

    rng_init(&rng, seed);
    crash_ino += CRASH_OBJECTS;
    memset(victims, 0, sizeof(victims));
    for (unsigned round = 0; round < 4; round++) {
        uint64_t how = rng_below(&rng, 3);

        for (uint64_t n = rng_below(&rng, 40); n > 0; n--)
            crash_step(store, &rng);
        if (how == 0)
            end_orderly(store);
        else
            obj_close(store);
        if (how == 2) {
            obj_mem_disk_power_loss(disk, rng_next(&rng));
            machine++;
        }
        store = fixture_open();
        crash_judge(store, seed, how == 2);
    }
    for (unsigned i = 0; i < CRASH_OBJECTS; i++)
        do_io(store, OBJ_DESTROY, crash_ino + i, 0, NULL, 0);
    obj_close(store);
}

static void crash_many(uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++)
        crash_once(obj_fixture.config.disk, seed);
}

static uint64_t crash_first, crash_count; /* from the command line, or 0 */

static void test_crashes_lose_nothing_durable(void)
{
    if (crash_count > 0)
        crash_many(crash_first, crash_count);
    else
        crash_many(unit_seed(), CRASH_SEEDS);
}

static const struct unit_test crashes[] = {
    UNIT_TEST(test_crashes_lose_nothing_durable)};

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
    UNIT_TEST(test_lost_objects_leave_places_to_others),
    UNIT_TEST(test_neighbours_in_a_block_do_not_collide),
    UNIT_TEST(test_small_writes_to_a_block_join),
    UNIT_TEST(test_joined_writes_make_an_object_grow),
    UNIT_TEST(test_crashes_lose_nothing_durable),
    UNIT_TEST(test_from_here_on_the_store_is_real),
    OBJ_CONTRACT,
    UNIT_TEST(test_only_dirty_regions_are_summed_again),
    UNIT_TEST(test_neighbours_in_a_block_do_not_collide),
    UNIT_TEST(test_small_writes_to_a_block_join),
    UNIT_TEST(test_joined_writes_make_an_object_grow),
    UNIT_TEST(test_from_here_on_io_is_direct),
    OBJ_CONTRACT,
    UNIT_TEST(test_direct_and_cached_io_agree),
    UNIT_TEST(test_from_here_on_the_store_is_simulated),
};

int main(int argc, char **argv)
{
    struct obj_mem_disk *disk;
    int rc;

    setenv("CAPSTAN_LOG", "error", 0); /* damaged headers are warned of */
    clock_virtual_init(&now);
    unit_tempdir_make(directory);
    if (obj_mem_disk_create(1ull << 42, &disk) != 0)
        return EXIT_FAILURE;
    obj_fixture = (struct obj_fixture){
        .driver = &over_mem,
        .config = {.directory = directory, .queue_depth = 8, .disk = disk},
        .rounds = 1000,
    };
    if (argc > 1) {
        crash_first = strtoull(argv[1], NULL, 0);
        crash_count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
        rc = UNIT_MAIN("crashes", crashes);
    } else {
        rc = UNIT_MAIN("sums", tests);
    }
    obj_mem_disk_destroy(&disk);
    unit_tempdir_remove(directory);
    return rc;
}
