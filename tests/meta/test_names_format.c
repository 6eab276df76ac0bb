/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_format: versions, owners and the inode counter, over both key-value
 * stores; loss of power over kv_mem.
 */
#include "meta/names_format.c"

#include "base/rng.h"
#include "tests/meta/names_fixture.h"

#include <string.h>

/* Close the names, give a key this value, and try to open them again. */
static int reopen_with(enum names_kind kind, const void *value, size_t len,
                       uint16_t target)
{
    struct names_key key = names_key_kind(kind);
    struct names *names = NULL;
    int rc;

    fixture_damage(&key, value, len);
    CU_ASSERT_EQUAL(kv_commit(fixture.kv, false), 0);
    rc = names_create(fixture.kv, target, &names);
    CU_ASSERT_EQUAL(rc == 0, names != NULL);
    names_destroy(&names);
    CU_ASSERT_EQUAL_FATAL(kv_begin(fixture.kv), 0);
    return rc;
}

static void test_other_formats_are_refused(void)
{
    fixture_start();
    CU_ASSERT_EQUAL(reopen_with('v', "\3\0\0\0\7\0", 6, 7), -EINVAL);
    CU_ASSERT_EQUAL(reopen_with('v', "\3\0\0\0new fields", 14, 7), -EINVAL);
    CU_ASSERT_EQUAL(reopen_with('v', "\2\0\0\0\7\0", 6, 8), -EINVAL);
    CU_ASSERT_EQUAL(reopen_with('v', "\2\0\0\0\7", 5, 7), -EIO);
    CU_ASSERT_EQUAL(reopen_with('v', "", 0, 7), -EIO);
    CU_ASSERT_EQUAL(reopen_with('v', "\2\0\0\0\7\0", 6, 7), 0);
    fixture_stop();
}

/* Format 1: entry and inode in one record. More of them than fit one
 * transaction of the conversion. */
static void put_old(uint64_t parent, unsigned number, unsigned char type)
{
    unsigned char record[] = {1, 0, 0, 0, 0xa4, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
                              0, 0, 0, 0, 0,    0, 7, 0, 3, 0, 0, 0, 0, 0, 0, 0,
                              4, 0, 0, 0, 0,    0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
                              0, 0, 1, 0, 1,    0, 1, 0, 0, 0, 7, 0};
    char text[16];
    struct name name = name_of(parent, text);
    struct names_key key;

    name.len = (size_t)sprintf(text, "n%u", number);
    key = names_key_name(NAMES_ENTRY, &name);
    record[1] = type;
    record[16] = (unsigned char)number;
    record[17] = (unsigned char)(number >> 8);
    if (type == INODE_DIR)
        memset(record + 48, 0, 10);
    fixture_damage(&key, record, type == INODE_DIR ? 58 : 60);
}

static void test_a_store_of_format_1_is_converted(void)
{
    enum { N = 700 };
    struct names_dir_state state;
    struct inode inode;
    char text[16];

    fixture_start();
    for (unsigned i = 1; i <= N; i++)
        put_old(5, i, i % 10 == 0 ? INODE_DIR : INODE_FILE);
    CU_ASSERT_EQUAL(reopen_with('v', "\1\0\0\0\7\0", 6, 7), 0);
    for (unsigned i = 1; i <= N; i++) {
        struct name name = name_of(5, text);

        name.len = (size_t)sprintf(text, "n%u", i);
        CU_ASSERT_EQUAL_FATAL(names_lookup(fixture.names, &name, &inode), 0);
        CU_ASSERT_EQUAL(inode.ino, ino_make(7, i));
        CU_ASSERT_EQUAL(inode.mtime_ns, 4);
        CU_ASSERT_EQUAL(inode.parent, i % 10 == 0 ? 5 : 0);
    }
    CU_ASSERT_EQUAL(names_dir_get(fixture.names, 5, &state), 0);
    CU_ASSERT_EQUAL(state.entries, N);
    CU_ASSERT_EQUAL(state.subdirs, N / 10);
    fixture_reopen(); /* it is of format 2 now */
    CU_ASSERT_EQUAL(names_dir_get(fixture.names, 5, &state), 0);
    CU_ASSERT_EQUAL(state.entries, N);
    fixture_stop();
}

static void test_damaged_counter_is_an_error(void)
{
    fixture_start();
    CU_ASSERT_EQUAL(reopen_with('n', "\0\0\0\0\0\0\0\0", 8, 7), -EIO);
    CU_ASSERT_EQUAL(reopen_with('n', "\0\0\0\0\0\0\2\0", 8, 7), -EIO);
    CU_ASSERT_EQUAL(reopen_with('n', "\1", 1, 7), -EIO);
    CU_ASSERT_EQUAL(reopen_with('n', "\1\0\0\0\0\0\0\0", 8, 7), 0);
    fixture_stop();
}

static void test_foreign_store_is_refused(void)
{
    struct names_key key = names_key_kind(NAMES_FORMAT);

    fixture_start();
    CU_ASSERT_EQUAL(kv_del(fixture.kv, key.bytes, key.len), 0);
    CU_ASSERT_EQUAL(reopen_with('x', "?", 1, 7), -EINVAL);
    fixture_stop();
}

static uint64_t issue(void)
{
    uint64_t ino = 0;

    CU_ASSERT_EQUAL(names_issue(fixture.names, &ino), 0);
    CU_ASSERT_EQUAL(ino_target(ino), FIXTURE_TARGET);
    return ino;
}

static void test_numbers_rise_over_rollback_and_reopening(void)
{
    uint64_t last, next;

    fixture_start();
    last = issue();
    CU_ASSERT_EQUAL(last, ino_make(FIXTURE_TARGET, 1));
    kv_rollback(fixture.kv);
    CU_ASSERT_EQUAL(kv_begin(fixture.kv), 0);
    for (unsigned round = 0; round < 3; round++) {
        next = issue();
        CU_ASSERT(next > last);
        last = next;
        fixture_reopen();
    }
    fixture_stop();
}

static void test_last_number_is_the_last(void)
{
    struct names_key key = names_key_kind(NAMES_COUNTER);
    unsigned char value[8];
    uint64_t ino = 0;

    fixture_start();
    names_u64_encode(COUNTER_MAX - COUNTER_JUMP, value);
    fixture_damage(&key, value, 8);
    fixture_reopen();
    CU_ASSERT_EQUAL(issue(), ino_make(FIXTURE_TARGET, COUNTER_MAX));
    CU_ASSERT_EQUAL(names_issue(fixture.names, &ino), -ENOSPC);
    CU_ASSERT_EQUAL(ino, 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_issue(fixture.names, &ino), -ENOSPC);
    fixture_stop();
}

/* Numbers of commits that the power took are not issued again. */
static void test_numbers_are_new_after_loss_of_power(void)
{
    uint64_t last = 0;
    struct rng rng;

    if (fixture.driver != &kv_mem)
        return; /* RocksDB's device does not lose power on request */
    fixture_start();
    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < 50; round++) {
        for (uint64_t n = 1 + rng_below(&rng, 20); n > 0; n--) {
            uint64_t ino = issue();

            CU_ASSERT(ino > last);
            last = ino;
            fixture_commit();
        }
        names_destroy(&fixture.names);
        kv_close(fixture.kv);
        kv_mem_disk_power_loss(fixture.config.disk, rng_next(&rng));
        CU_ASSERT_EQUAL(kv_open(&kv_mem, &fixture.config, &fixture.kv), 0);
        CU_ASSERT_EQUAL_FATAL(
            names_create(fixture.kv, FIXTURE_TARGET, &fixture.names), 0);
        CU_ASSERT_EQUAL(kv_begin(fixture.kv), 0);
    }
    fixture_stop();
}

static void test_create_survives_failures(void)
{
    struct names *names = NULL;
    int rc = -ENOMEM;

    if (fixture.driver != &kv_mem)
        return; /* its faults are of kv_mem's making */
    fixture_start();
    kv_rollback(fixture.kv);
    for (int n = 0; rc != 0 && n < 50; n++) {
        mem_fault_set(n);
        rc = names_create(fixture.kv, FIXTURE_TARGET, &names);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || (rc == -ENOMEM && names == NULL));
    }
    CU_ASSERT_EQUAL(rc, 0);
    names_destroy(&names);
    kv_mem_disk_fault(fixture.config.disk, 0, ENOSPC);
    CU_ASSERT_EQUAL(names_create(fixture.kv, FIXTURE_TARGET, &names), -ENOSPC);
    CU_ASSERT_PTR_NULL(names);
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_other_formats_are_refused),
        UNIT_TEST(test_a_store_of_format_1_is_converted),
        UNIT_TEST(test_damaged_counter_is_an_error),
        UNIT_TEST(test_foreign_store_is_refused),
        UNIT_TEST(test_numbers_rise_over_rollback_and_reopening),
        UNIT_TEST(test_last_number_is_the_last),
        UNIT_TEST(test_numbers_are_new_after_loss_of_power),
        UNIT_TEST(test_create_survives_failures),
    };

    return FIXTURE_MAIN("meta/names_format", tests);
}
