/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/file_table.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#include <fcntl.h>
#include <stdbool.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static struct file *use(struct file_table *table, uint64_t ino)
{
    struct file *file = file_table_get(table, ino, 0);

    if (file->fd < 0)
        file->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return file;
}

static void test_path_tells_shard_and_number(void)
{
    struct file_table table;
    struct file *file;
    char path[FILE_PATH_LEN];

    CU_ASSERT_EQUAL_FATAL(file_table_init(&table, 1, 1), 0);
    file = file_table_get(&table, 0x2cd, 0);
    snprintf(path, sizeof(path), "%02x/00000000000002cd", file_shard(0x2cd));
    CU_ASSERT_STRING_EQUAL(file->path, path);
    file_table_put(&table, file);
    file_table_fini(&table);
}

static void test_oldest_quiet_file_is_closed_first(void)
{
    struct file_table table;
    int fds[4];

    CU_ASSERT_EQUAL_FATAL(file_table_init(&table, 1, 2), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct file *file = use(&table, i + 1);

        fds[i] = file->fd;
        file_table_put(&table, file);
    }
    file_table_put(&table, use(&table, 1)); /* now 2 is the oldest */
    file_table_put(&table, use(&table, 3));
    CU_ASSERT(is_open(fds[0]));
    CU_ASSERT_EQUAL(table.nquiet, 2);
    CU_ASSERT_EQUAL(use(&table, 1)->fd, fds[0]);
    file_table_put(&table, file_table_get(&table, 1, 0));
    CU_ASSERT(file_table_evict(&table));
    CU_ASSERT(file_table_evict(&table));
    CU_ASSERT(!file_table_evict(&table));
    CU_ASSERT(!is_open(fds[0]));
    file_table_fini(&table);
}

static void test_closed_file_is_forgotten(void)
{
    struct file_table table;
    struct file *file;

    CU_ASSERT_EQUAL_FATAL(file_table_init(&table, 1, 4), 0);
    file = file_table_get(&table, 9, 0);
    file->is_absent = true;
    file_table_put(&table, file);
    CU_ASSERT_EQUAL(table.nquiet, 0);
    file = file_table_get(&table, 9, 0);
    CU_ASSERT(!file->is_absent);
    file_table_put(&table, file);
    file_table_fini(&table);
}

static bool is_absent(struct file_table *table, uint64_t ino, uint8_t part)
{
    struct file *file = file_table_get(table, ino, part);
    bool is_one = file->is_absent;

    file_table_put(table, file);
    return is_one;
}

static void test_what_is_not_there_is_remembered_until_made(void)
{
    struct file_table table;

    CU_ASSERT_EQUAL_FATAL(file_table_init(&table, 1, 1), 0);
    CU_ASSERT(!is_absent(&table, 0, 0)); /* no free place is its */
    CU_ASSERT(!is_absent(&table, 9, 0));
    file_table_note_absent(&table, 9, 0);
    CU_ASSERT(is_absent(&table, 9, 0));
    CU_ASSERT(!is_absent(&table, 9, 1));
    file_table_note_made(&table, 9, 1);
    CU_ASSERT(is_absent(&table, 9, 0));
    file_table_note_made(&table, 9, 0);
    CU_ASSERT(!is_absent(&table, 9, 0));
    for (uint64_t ino = 1; ino <= 4 * (uint64_t)FILE_ABSENT_MAX; ino++)
        file_table_note_absent(&table, ino, 0);
    CU_ASSERT(!is_absent(&table, 4 * (uint64_t)FILE_ABSENT_MAX + 1, 0));
    file_table_fini(&table);
}

/* Random use keeps the bounds; every slot is found again. */
static void test_random_use_keeps_the_bounds(void)
{
    enum { BUSY = 8, QUIET = 16 };
    struct file *busy[BUSY] = {0};
    struct file_table table;
    struct rng rng;

    rng_init(&rng, unit_seed());
    CU_ASSERT_EQUAL_FATAL(file_table_init(&table, BUSY, QUIET), 0);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rng_below(&rng, BUSY);

        if (busy[i] != NULL) {
            CU_ASSERT_EQUAL(busy[i]->ino % BUSY, i);
            file_table_put(&table, busy[i]);
            busy[i] = NULL;
        } else {
            busy[i] = use(&table, rng_below(&rng, 100) * BUSY + i);
        }
        CU_ASSERT(table.nquiet <= QUIET);
    }
    for (unsigned i = 0; i < BUSY; i++)
        if (busy[i] != NULL)
            file_table_put(&table, busy[i]);
    file_table_fini(&table);
}

static void test_init_survives_failing_allocations(void)
{
    struct file_table table;
    int rc = -1;

    for (int n = 0; rc != 0 && n < 10; n++) {
        mem_fault_set(n);
        rc = file_table_init(&table, 4, 4);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    file_table_fini(&table);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_path_tells_shard_and_number),
        UNIT_TEST(test_oldest_quiet_file_is_closed_first),
        UNIT_TEST(test_closed_file_is_forgotten),
        UNIT_TEST(test_what_is_not_there_is_remembered_until_made),
        UNIT_TEST(test_random_use_keeps_the_bounds),
        UNIT_TEST(test_init_survives_failing_allocations),
    };

    return UNIT_MAIN("store/file_table", tests);
}
