/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading ahead: the contract of all stores over it, then plans.
 *
 *     test_ahead [SEED [COUNT]]   random operations only, seeds SEED on
 */
#include "store/ahead.h"
#include "store/sums.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tests/store/obj_contract.h"

#include <string.h>

#define INO 0x00010000000000aaull
#define SEEDS 40
#define STEPS 400
#define OBJECTS 3
#define OBJECT_SIZE (5 * AHEAD_UNIT)

struct obj_fixture obj_fixture;

static struct clock_virtual now;
static uint64_t boot = 1;

/* Over checked objects, as in a target. */
static int open_over_mem(const struct obj_config *config,
                         struct obj_store **store_out)
{
    struct sums_config sums = {
        .clock = &now.clock, .boot = boot++, .machine = 7};
    struct ahead_config ahead = {.clock = &now.clock,
                                 .memory_max = 4 * AHEAD_UNIT};
    struct obj_store *below, *checked;
    int rc = obj_open(&obj_mem, config, &below);

    if (rc != 0)
        return rc;
    rc = sums_create(below, &sums, &checked);
    if (rc != 0) {
        obj_close(below);
        return rc;
    }
    rc = ahead_create(checked, &ahead, store_out);
    if (rc != 0)
        obj_close(checked);
    return rc;
}

static const struct obj_driver over_mem = {.open = open_over_mem};

static struct ahead_stats stats_of(const struct obj_store *store)
{
    struct ahead_stats stats;

    ahead_stats(store, &stats);
    return stats;
}

static void settle(struct obj_store *store)
{
    for (int i = 0; i < 20; i++)
        obj_poll(store);
    drain_to(store, 0);
}

static unsigned char bytes[OBJECT_SIZE], got[OBJECT_SIZE];

static void fill(unsigned char *at, size_t length, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < length; i++)
        at[i] = (unsigned char)rng_next(&rng);
}

static struct obj_store *open_filled(void)
{
    struct obj_store *store = fixture_open();

    fill(bytes, sizeof(bytes), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes)),
                    (int64_t)sizeof(bytes));
    return store;
}

static void end(struct obj_store *store)
{
    do_io(store, OBJ_DESTROY, INO, 0, NULL, 0);
    obj_close(store);
}

static void check_read(struct obj_store *store, uint64_t offset, size_t length)
{
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, offset, got, length),
                    (int64_t)length);
    CU_ASSERT_EQUAL(memcmp(got, bytes + offset, length), 0);
}

static void test_planned_bytes_come_from_memory_once(void)
{
    struct obj_store *store = open_filled();

    CU_ASSERT_EQUAL(ahead_plan(store, INO, 5000, 100000), 100000);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 102400); /* whole blocks */
    check_read(store, 5000, 60000);
    check_read(store, 65000, 40000);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 100000);
    check_read(store, 5000, 60000);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 100000);
    end(store);
}

static void test_read_waits_for_what_is_under_way(void)
{
    struct obj_store *store = open_filled();

    ahead_plan(store, INO, 0, AHEAD_UNIT);
    obj_poll(store);
    check_read(store, 100, 1000);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 1000);
    end(store);
}

static void test_a_plan_beside_another_reads_only_what_is_missing(void)
{
    struct obj_store *store = open_filled();

    ahead_plan(store, INO, 8192, 4096);
    settle(store);
    ahead_plan(store, INO, 16384, 4096);
    ahead_plan(store, INO, 0, 4096);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 20480); /* the hull, once */
    check_read(store, 8192, 4096);
    check_read(store, 16384, 4096);
    check_read(store, 0, 4096);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 3 * 4096);
    end(store);
}

static void test_what_is_written_is_not_served_from_memory(void)
{
    struct obj_store *store = open_filled();

    ahead_plan(store, INO, 0, AHEAD_UNIT);
    settle(store);
    fill(bytes + 300, 5, 2);
    do_io(store, OBJ_WRITE, INO, 300, bytes + 300, 5);
    check_read(store, 0, AHEAD_UNIT);
    ahead_plan(store, INO, 0, AHEAD_UNIT);
    settle(store);
    do_io(store, OBJ_TRUNCATE, INO, 10, NULL, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, got, 100), 10);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 0);
    end(store);
}

static void test_memory_is_bounded_and_goes_round(void)
{
    struct obj_store *store = open_filled();

    CU_ASSERT_EQUAL(ahead_plan(store, INO, 0, OBJECT_SIZE), OBJECT_SIZE);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 4 * AHEAD_UNIT);
    check_read(store, 0, AHEAD_UNIT);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 5 * AHEAD_UNIT);
    end(store);
}

static void test_what_nobody_comes_for_gives_way(void)
{
    struct obj_store *store = open_filled();

    ahead_plan(store, INO, 0, 4 * AHEAD_UNIT);
    settle(store);
    ahead_plan(store, INO, 4 * AHEAD_UNIT, AHEAD_UNIT);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 4 * AHEAD_UNIT);
    clock_virtual_set(&now, now.now_ns + AHEAD_LIFE_NS);
    settle(store);
    CU_ASSERT_EQUAL(stats_of(store).bytes_read, 5 * AHEAD_UNIT);
    CU_ASSERT_EQUAL(stats_of(store).bytes_dropped, AHEAD_UNIT);
    end(store);
}

static void test_plan_without_end_is_cut_short(void)
{
    struct obj_store *store = open_filled();
    uint64_t taken = ahead_plan(store, INO, 0, UINT64_MAX / 2);

    CU_ASSERT(taken <= (AHEAD_QUEUE_MAX + 4ull) * AHEAD_UNIT);
    settle(store);
    check_read(store, 0, AHEAD_UNIT);
    end(store);
}

static void note_end(struct obj_io *io)
{
    io->done = NULL;
}

static void read_with_sums(struct obj_store *store, uint32_t *sums)
{
    struct obj_io io = {.verb = OBJ_READ,
                        .ino = INO,
                        .offset = 60000,
                        .length = 10000,
                        .memory = got,
                        .sums = sums,
                        .done = note_end};

    obj_submit(store, &io);
    drain_to(store, 0);
    CU_ASSERT_EQUAL(io.result, 10000);
}

static void test_sums_come_with_the_bytes(void)
{
    struct obj_store *store = open_filled();
    uint32_t plain[4] = {0}, ahead[4] = {0};

    read_with_sums(store, plain);
    ahead_plan(store, INO, 60000, 10000);
    settle(store);
    read_with_sums(store, ahead);
    CU_ASSERT_EQUAL(stats_of(store).bytes_served, 10000);
    CU_ASSERT_NOT_EQUAL(plain[0], 0);
    CU_ASSERT_EQUAL(memcmp(plain, ahead, 3 * sizeof(*plain)), 0);
    end(store);
}

/* Random operations with plans among them, against memory. */
static struct {
    unsigned char bytes[OBJECT_SIZE];
    uint64_t size;
} models[OBJECTS];

static void random_step(struct obj_store *store, struct rng *rng)
{
    unsigned which = (unsigned)rng_below(rng, OBJECTS);
    uint64_t offset = rng_below(rng, OBJECT_SIZE - 1);
    size_t length = 1 + (size_t)rng_below(rng, OBJECT_SIZE - offset);
    uint64_t size = models[which].size, most;

    switch (rng_below(rng, 8)) {
    case 0:
        fill(bytes, length, rng_next(rng));
        if (offset > size)
            memset(models[which].bytes + size, 0, offset - size);
        memcpy(models[which].bytes + offset, bytes, length);
        if (offset + length > size)
            models[which].size = offset + length;
        CU_ASSERT_EQUAL(
            do_io(store, OBJ_WRITE, INO + which, offset, bytes, length),
            (int64_t)length);
        break;
    case 1:
        if (offset > size)
            memset(models[which].bytes + size, 0, offset - size);
        models[which].size = offset;
        do_io(store, OBJ_TRUNCATE, INO + which, offset, NULL, 0);
        break;
    case 2:
    case 3:
    case 4:
        ahead_plan(store, INO + which, offset, length);
        if (rng_below(rng, 2) == 0)
            obj_poll(store);
        break;
    default:
        most = offset < size ? size - offset : 0;
        most = most < length ? most : length;
        CU_ASSERT_EQUAL(
            do_io(store, OBJ_READ, INO + which, offset, got, length),
            (int64_t)most);
        CU_ASSERT_EQUAL(memcmp(got, models[which].bytes + offset, most), 0);
    }
    if (rng_below(rng, 50) == 0)
        clock_virtual_set(&now, now.now_ns + AHEAD_LIFE_NS);
}

static void run_random(uint64_t seed)
{
    struct obj_store *store = fixture_open();
    unsigned before = CU_get_number_of_failures();
    struct rng rng;

    memset(models, 0, sizeof(models));
    rng_init(&rng, seed);
    for (int i = 0; i < STEPS; i++)
        random_step(store, &rng);
    for (unsigned i = 0; i < OBJECTS; i++)
        do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0);
    obj_close(store);
    if (CU_get_number_of_failures() != before)
        printf("seed %llu failed\n", (unsigned long long)seed);
}

static uint64_t first_seed = 1, seeds = SEEDS;

static void test_random_operations_with_plans_match_a_model(void)
{
    for (uint64_t i = 0; i < seeds; i++)
        run_random(first_seed + i);
}

static void test_plan_survives_failing_allocations(void)
{
    struct obj_store *store = fixture_open();

    for (int n = 0; n < 4; n++) {
        mem_fault_set(n);
        CU_ASSERT_EQUAL(ahead_plan(store, INO, 0, 100), 0);
        mem_fault_set(-1);
    }
    CU_ASSERT_EQUAL(ahead_plan(store, INO, 0, 100), 100);
    settle(store);
    end(store);
}

static const struct unit_test tests[] = {
    OBJ_CONTRACT,
    UNIT_TEST(test_planned_bytes_come_from_memory_once),
    UNIT_TEST(test_read_waits_for_what_is_under_way),
    UNIT_TEST(test_a_plan_beside_another_reads_only_what_is_missing),
    UNIT_TEST(test_what_is_written_is_not_served_from_memory),
    UNIT_TEST(test_memory_is_bounded_and_goes_round),
    UNIT_TEST(test_what_nobody_comes_for_gives_way),
    UNIT_TEST(test_plan_without_end_is_cut_short),
    UNIT_TEST(test_sums_come_with_the_bytes),
    UNIT_TEST(test_plan_survives_failing_allocations),
    UNIT_TEST(test_random_operations_with_plans_match_a_model),
};

static const struct unit_test random_alone[] = {
    UNIT_TEST(test_random_operations_with_plans_match_a_model),
};

int main(int argc, char **argv)
{
    struct obj_mem_disk *disk;
    int rc;

    clock_virtual_init(&now);
    if (obj_mem_disk_create(1ull << 42, &disk) != 0)
        return EXIT_FAILURE;
    obj_fixture = (struct obj_fixture){
        .driver = &over_mem,
        .config = {.queue_depth = 8, .disk = disk},
        .rounds = 1000,
    };
    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 0);
        seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
        rc = UNIT_MAIN("ahead, random", random_alone);
    } else {
        rc = UNIT_MAIN("ahead", tests);
    }
    obj_mem_disk_destroy(&disk);
    return rc;
}
