/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_mem: what reaches the durable image, and when.
 */
#include "store/journal_mem.c"

#include "tests/base/unit.h"

static void test_settle_moves_one_object_only(void)
{
    struct image durable = {0};
    struct journal journal;

    journal_init(&journal);
    CU_ASSERT_EQUAL(journal_add(&journal, &durable, CHANGE_WRITE, 1, 0, "a", 1),
                    0);
    CU_ASSERT_EQUAL(journal_add(&journal, &durable, CHANGE_WRITE, 2, 0, "b", 1),
                    0);
    CU_ASSERT_EQUAL(
        journal_add(&journal, &durable, CHANGE_TRUNCATE, 1, 9, NULL, 0), 0);
    CU_ASSERT_EQUAL(journal_settle(&journal, &durable, 1), 0);
    CU_ASSERT_EQUAL(image_find(&durable, 1)->size, 9);
    CU_ASSERT_PTR_NULL(image_find(&durable, 2));
    CU_ASSERT_EQUAL(journal_settle(&journal, &durable, 2), 0);
    CU_ASSERT_EQUAL(journal.bytes, 0);
    CU_ASSERT_PTR_NULL(journal.head);
    CU_ASSERT_EQUAL(
        journal_add(&journal, &durable, CHANGE_DESTROY, 1, 0, NULL, 0), 0);
    CU_ASSERT_PTR_NOT_NULL(image_find(&durable, 1));
    CU_ASSERT_EQUAL(journal_settle(&journal, &durable, 1), 0);
    CU_ASSERT_PTR_NULL(image_find(&durable, 1));
    journal_fini(&journal);
    image_fini(&durable);
}

static void test_old_changes_become_durable_by_themselves(void)
{
    struct image durable = {0};
    struct journal journal;
    size_t length = JOURNAL_BYTES_MAX / 4;
    char *bytes = calloc(1, length);

    journal_init(&journal);
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(
            journal_add(&journal, &durable, CHANGE_WRITE, i, 0, bytes, length),
            0);
    CU_ASSERT(journal.bytes < 2 * JOURNAL_BYTES_MAX);
    CU_ASSERT_PTR_NOT_NULL(image_find(&durable, 0));
    CU_ASSERT_PTR_NULL(image_find(&durable, 5));
    journal_fini(&journal);
    image_fini(&durable);
    free(bytes);
}

static void test_loss_of_power_follows_from_the_seed(void)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct image images[2] = {{0}, {0}};
        char seen[2][4096];

        for (unsigned i = 0; i < 2; i++) {
            struct journal journal;
            char bytes[1500];

            journal_init(&journal);
            for (unsigned n = 0; n < 10; n++) {
                memset(bytes, 'a' + (int)n, sizeof(bytes));
                journal_add(&journal, &images[i], CHANGE_WRITE, 1, n * 250,
                            bytes, sizeof(bytes));
            }
            CU_ASSERT_EQUAL(journal_power_loss(&journal, &images[i], seed), 0);
            CU_ASSERT_PTR_NULL(journal.head);
            memset(seen[i], 0, sizeof(seen[i]));
            image_read(&images[i], 1, 0, seen[i], sizeof(seen[i]));
        }
        CU_ASSERT_EQUAL(memcmp(seen[0], seen[1], sizeof(seen[0])), 0);
        image_fini(&images[0]);
        image_fini(&images[1]);
    }
}

static void test_want_of_memory_keeps_the_change(void)
{
    struct image durable = {0};
    struct journal journal;
    int rc = -1;

    journal_init(&journal);
    mem_fault_set(0);
    CU_ASSERT_EQUAL(journal_add(&journal, &durable, CHANGE_WRITE, 1, 0, "a", 1),
                    -ENOMEM);
    mem_fault_set(-1);
    CU_ASSERT_EQUAL(journal_add(&journal, &durable, CHANGE_WRITE, 1, 0, "a", 1),
                    0);
    for (int n = 0; rc != 0 && n < 10; n++) {
        mem_fault_set(n);
        rc = journal_settle(&journal, &durable, 1);
        mem_fault_set(-1);
        CU_ASSERT_EQUAL(rc == 0, journal.head == NULL);
    }
    CU_ASSERT_EQUAL(image_find(&durable, 1)->size, 1);
    image_fini(&durable);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_settle_moves_one_object_only),
        UNIT_TEST(test_old_changes_become_durable_by_themselves),
        UNIT_TEST(test_loss_of_power_follows_from_the_seed),
        UNIT_TEST(test_want_of_memory_keeps_the_change),
    };

    return UNIT_MAIN("store/journal_mem", tests);
}
