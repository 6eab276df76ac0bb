/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kv_mem: the contract, then faults and loss of power.
 */
#include "meta/kv_mem.c"

#include "tests/meta/kv_contract.h"

struct kv_fixture kv_fixture;

static void test_fault_fails_the_nth_commit_only(void)
{
    struct kv *kv = fixture_open();

    kv_mem_disk_fault(kv_fixture.config.disk, 1, ENOSPC);
    CU_ASSERT_EQUAL(set_one(kv, "a", "1", false), 0);
    CU_ASSERT_EQUAL(set_one(kv, "a", "2", false), -ENOSPC);
    CU_ASSERT(has_one(kv, "a", "1"));
    CU_ASSERT_EQUAL(set_one(kv, "a", "3", false), 0);
    CU_ASSERT(has_one(kv, "a", "3"));
    clear_all(kv);
    kv_close(kv);
}

static int two_puts(struct kv *kv)
{
    int rc = kv_begin(kv);

    if (rc != 0)
        return rc;
    rc = kv_put(kv, "a", 1, "1", 1);
    if (rc == 0)
        rc = kv_put(kv, "b", 1, "1", 1);
    if (rc == 0)
        return kv_commit(kv, false);
    kv_rollback(kv);
    return rc;
}

static void test_failing_allocations_apply_nothing(void)
{
    int rc = -ENOMEM;

    for (int n = 0; rc != 0 && n < 100; n++) {
        struct kv_mem_disk *disk = NULL;
        struct kv_config config = {0};
        struct kv *kv = NULL;

        CU_ASSERT_EQUAL_FATAL(kv_mem_disk_create(&disk), 0);
        config.disk = disk;
        CU_ASSERT_EQUAL_FATAL(kv_open(&kv_mem, &config, &kv), 0);
        mem_fault_set(n);
        rc = two_puts(kv);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
        CU_ASSERT(has_one(kv, "a", rc == 0 ? "1" : NULL));
        CU_ASSERT(has_one(kv, "b", rc == 0 ? "1" : NULL));
        kv_close(kv);
        kv_mem_disk_destroy(&disk);
        CU_ASSERT_PTR_NULL(disk);
    }
    CU_ASSERT_EQUAL(rc, 0);
}

/* Ten commits, some of which delete; each prefix of them may be what is left,
 * and over the seeds each one is. */
static void test_loss_of_power_keeps_a_prefix(void)
{
    bool seen[11] = {false};

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct kv *kv = fixture_open();
        unsigned left = 0;
        char key[2] = "0";

        CU_ASSERT_EQUAL(set_one(kv, "last", "-", true), 0);
        for (unsigned i = 0; i < 10; i++) {
            key[0] = (char)('0' + i);
            kv_begin(kv);
            kv_put(kv, "last", 4, key, 1);
            kv_put(kv, key, 1, "v", 1);
            if (i > 0)
                kv_del(kv, (char[]){(char)(key[0] - 1)}, 1);
            CU_ASSERT_EQUAL(kv_commit(kv, false), 0);
        }
        kv_close(kv);
        kv_mem_disk_power_loss(kv_fixture.config.disk, seed);
        kv = fixture_open();
        while (left < 10 && !has_one(kv, "last", left == 0 ? "-" : key)) {
            key[0] = (char)('0' + left);
            left++;
        }
        if (left == 10)
            CU_ASSERT(has_one(kv, "last", "9"));
        seen[left] = true;
        for (unsigned i = 0; i < 10; i++) {
            key[0] = (char)('0' + i);
            CU_ASSERT(has_one(kv, key, i + 1 == left ? "v" : NULL));
        }
        clear_all(kv);
        kv_close(kv);
    }
    for (unsigned i = 0; i <= 10; i++)
        CU_ASSERT(seen[i]);
}

static void test_sync_keeps_every_commit(void)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct kv *kv = fixture_open();

        CU_ASSERT_EQUAL(set_one(kv, "a", "1", false), 0);
        CU_ASSERT_EQUAL(set_one(kv, "b", "1", false), 0);
        CU_ASSERT_EQUAL(kv_sync(kv), 0);
        kv_close(kv);
        kv_mem_disk_power_loss(kv_fixture.config.disk, seed);
        kv = fixture_open();
        CU_ASSERT(has_one(kv, "a", "1"));
        CU_ASSERT(has_one(kv, "b", "1"));
        clear_all(kv);
        kv_close(kv);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        KV_CONTRACT,
        UNIT_TEST(test_fault_fails_the_nth_commit_only),
        UNIT_TEST(test_failing_allocations_apply_nothing),
        UNIT_TEST(test_loss_of_power_keeps_a_prefix),
        UNIT_TEST(test_sync_keeps_every_commit),
    };
    struct kv_mem_disk *disk;
    int rc;

    if (kv_mem_disk_create(&disk) != 0)
        return EXIT_FAILURE;
    kv_fixture = (struct kv_fixture){
        .driver = &kv_mem, .config = {.disk = disk}, .rounds = 500};
    rc = UNIT_MAIN("meta/kv_mem", tests);
    kv_mem_disk_destroy(&disk);
    return rc;
}
