/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * obj_mem: the contract, then faults, capacity and loss of power.
 */
#include "store/obj_mem.c"

#include "base/rng.h"
#include "tests/store/obj_contract.h"

#include <string.h>

#define INO 0x00010000000002cdull

struct obj_fixture obj_fixture;

static struct obj_mem_disk *disk_of_fixture(void)
{
    return obj_fixture.config.disk;
}

static void test_fault_fails_the_nth_operation_only(void)
{
    struct obj_store *store = fixture_open();

    obj_mem_disk_fault(disk_of_fixture(), 1, EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "b", 1), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "c", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_full_device_writes_nothing(void)
{
    struct obj_mem_disk *disk = NULL;
    struct obj_config config = {0};
    struct obj_store *store;
    char bytes[3 * IMAGE_PAGE] = {0};
    uint64_t total, left;

    CU_ASSERT_EQUAL_FATAL(obj_mem_disk_create(2 * IMAGE_PAGE, &disk), 0);
    config.disk = disk;
    CU_ASSERT_EQUAL_FATAL(obj_open(&obj_mem, &config, &store), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes)),
                    -ENOSPC);
    CU_ASSERT_EQUAL(size_of(store, INO), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 10, bytes, IMAGE_PAGE),
                    IMAGE_PAGE);
    CU_ASSERT_EQUAL(obj_space(store, &total, &left), 0);
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, 100), 100);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + 1, 0, bytes, 1), -ENOSPC);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + 1, 0, bytes, 1), 1);
    obj_close(store);
    obj_mem_disk_destroy(&disk);
    CU_ASSERT_PTR_NULL(disk);
}

static void test_failing_allocations_fail_one_operation(void)
{
    struct obj_store *store = fixture_open();
    char bytes[10000], out[10000];
    int64_t result = -1;

    memset(bytes, 'm', sizeof(bytes));
    for (int n = 0; result < 0 && n < 100; n++) {
        mem_fault_set(n);
        result = do_io(store, OBJ_WRITE, INO + (uint64_t)n, 0, bytes, 10000);
        mem_fault_set(-1);
        CU_ASSERT(result == 10000 || result == -ENOMEM);
        if (result == 10000)
            CU_ASSERT_EQUAL(
                do_io(store, OBJ_READ, INO + (uint64_t)n, 0, out, 10000),
                10000);
        CU_ASSERT_EQUAL(
            do_io(store, OBJ_DESTROY, INO + (uint64_t)n, 0, NULL, 0), 0);
    }
    CU_ASSERT_EQUAL(result, 10000);
    CU_ASSERT_EQUAL(memcmp(bytes, out, 10000), 0);
    obj_close(store);
}

static void test_synced_bytes_survive_loss_of_power(void)
{
    struct rng rng;
    uint64_t seed = unit_seed();

    rng_init(&rng, seed);
    for (unsigned round = 0; round < 100; round++) {
        struct obj_store *store = fixture_open();
        char out[4];

        CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 5, "keep", 4), 4);
        CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
        do_io(store, OBJ_WRITE, INO, 9, "maybe", 5);
        obj_close(store);
        obj_mem_disk_power_loss(disk_of_fixture(), rng_next(&rng));
        store = fixture_open();
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 5, out, 4), 4);
        CU_ASSERT_EQUAL(memcmp(out, "keep", 4), 0);
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
        CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
        obj_close(store);
    }
}

/* Count, over seeds, each fate of an unsynced write of two sectors. */
static void test_unsynced_write_is_there_or_not_or_torn(void)
{
    unsigned there = 0, gone = 0, torn = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct obj_store *store = fixture_open();
        char bytes[1024], out[1024] = {0};
        bool has_first, has_second;

        memset(bytes, 'w', sizeof(bytes));
        do_io(store, OBJ_TRUNCATE, INO, 1024, NULL, 0);
        do_io(store, OBJ_SYNC, INO, 0, NULL, 0);
        do_io(store, OBJ_WRITE, INO, 0, bytes, 1024);
        obj_close(store);
        obj_mem_disk_power_loss(disk_of_fixture(), seed);
        store = fixture_open();
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, out, 1024), 1024);
        has_first = memcmp(out, bytes, 512) == 0;
        has_second = memcmp(out + 512, bytes, 512) == 0;
        there += has_first && has_second;
        gone += !has_first && !has_second;
        torn += has_first != has_second;
        do_io(store, OBJ_DESTROY, INO, 0, NULL, 0);
        do_io(store, OBJ_SYNC, INO, 0, NULL, 0);
        obj_close(store);
    }
    CU_ASSERT(there > 0 && gone > 0 && torn > 0);
    CU_ASSERT_EQUAL(there + gone + torn, 200);
}

static void test_killed_process_loses_nothing(void)
{
    struct obj_store *store = fixture_open();
    char byte = 0;

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "k", 1), 1);
    obj_close(store);
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'k');
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

int main(void)
{
    static const struct unit_test tests[] = {
        OBJ_CONTRACT,
        UNIT_TEST(test_fault_fails_the_nth_operation_only),
        UNIT_TEST(test_full_device_writes_nothing),
        UNIT_TEST(test_failing_allocations_fail_one_operation),
        UNIT_TEST(test_synced_bytes_survive_loss_of_power),
        UNIT_TEST(test_unsynced_write_is_there_or_not_or_torn),
        UNIT_TEST(test_killed_process_loses_nothing),
    };
    struct obj_mem_disk *disk;
    int rc;

    if (obj_mem_disk_create((uint64_t)1 << 30, &disk) != 0)
        return EXIT_FAILURE;
    obj_fixture = (struct obj_fixture){
        .driver = &obj_mem,
        .config = {.disk = disk, .queue_depth = 8},
        .rounds = 200,
    };
    rc = UNIT_MAIN("store/obj_mem", tests);
    obj_mem_disk_destroy(&disk);
    return rc;
}
