/* SPDX-License-Identifier: BSD-3-Clause */
#include "posix/fuse_keep.c"

#include "tests/base/unit.h"

#define DIR 77u

static struct keep keep;

static struct capstan_stat directory(uint64_t ino, uint32_t mode)
{
    return (struct capstan_stat){
        .ino = ino, .type = CAPSTAN_DIRECTORY, .mode = mode};
}

static bool see(uint64_t ino, uint32_t mode)
{
    struct capstan_stat stat = directory(ino, mode);

    return keep_see(&keep, &stat);
}

static double time_in(uint64_t dir, enum capstan_type type)
{
    struct capstan_stat stat = {.ino = 5, .type = type, .mode = 0755};

    return keep_time(&keep, dir, &stat);
}

static void test_only_directories_in_open_ones_are_kept(void)
{
    keep_init(&keep);
    CU_ASSERT_FALSE(keep_knows(&keep, DIR));
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_DIRECTORY), 0);
    CU_ASSERT_FALSE(see(DIR, 0755));
    CU_ASSERT_TRUE(keep_knows(&keep, DIR));
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_DIRECTORY), KEEP_SEC);
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_FILE), 0);
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_SYMLINK), 0);
    CU_ASSERT_EQUAL(time_in(DIR + 1, CAPSTAN_DIRECTORY), 0);
}

static void test_whoever_may_not_search_closes_it(void)
{
    static const uint32_t closed[] = {0700, 0750, 0754, 0655, 0};

    keep_init(&keep);
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        see(DIR, 0711);
        CU_ASSERT_TRUE(see(DIR, closed[i]));  /* names of it may be kept */
        CU_ASSERT_FALSE(see(DIR, closed[i])); /* none since */
        CU_ASSERT_TRUE(keep_knows(&keep, DIR));
        CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_DIRECTORY), 0);
    }
}

/* One that shares its slot with another: nothing is known, all is possible. */
static void test_what_was_overwritten_may_be_kept(void)
{
    keep_init(&keep);
    see(DIR, 0755);
    see(DIR + KEEP_SLOTS, 0755);
    CU_ASSERT_FALSE(keep_knows(&keep, DIR));
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_DIRECTORY), 0);
    CU_ASSERT_TRUE(see(DIR, 0700));
}

static void test_closing_waits_until_nothing_is_kept(void)
{
    uint64_t begin;

    keep_init(&keep);
    begin = now();
    keep_wait(&keep); /* nothing was given: at once, or this never ends */
    see(DIR, 0755);
    CU_ASSERT_EQUAL(time_in(DIR, CAPSTAN_DIRECTORY), KEEP_SEC);
    keep_wait(&keep);
    CU_ASSERT_TRUE(now() - begin >= (uint64_t)(KEEP_SEC * (double)NS_PER_SEC));
    CU_ASSERT_TRUE(keep.until_ns <= now());
}

static void test_a_removed_directory_is_stale_and_then_empty(void)
{
    keep_init(&keep);
    for (unsigned i = 0; i < KEEP_TIMES; i++)
        CU_ASSERT_TRUE(keep_is_stale(&keep, 10, DIR));
    CU_ASSERT_FALSE(keep_is_stale(&keep, 10, DIR));
    CU_ASSERT_TRUE(keep_is_stale(&keep, 10, DIR)); /* anew */
    CU_ASSERT_TRUE(keep_is_stale(&keep, 10, DIR + 1));
    CU_ASSERT_TRUE(keep_is_stale(&keep, 11, DIR));
}

static void find_named(uint64_t ino, uint64_t parent, const char *name)
{
    struct capstan_stat stat = directory(ino, 0750);

    stat.nlink = 2;
    keep_named(&keep, &stat, parent, name);
}

static void test_a_directory_that_we_removed_is_shown_as_it_was(void)
{
    struct capstan_stat stat;

    keep_init(&keep);
    find_named(DIR, 5, "a");
    find_named(DIR + 1, 5, "b");
    CU_ASSERT_FALSE(keep_removed(&keep, DIR, &stat));
    keep_remove(&keep, 6, "a");
    CU_ASSERT_FALSE(keep_removed(&keep, DIR, &stat));
    keep_remove(&keep, 5, "a");
    CU_ASSERT_TRUE_FATAL(keep_removed(&keep, DIR, &stat));
    CU_ASSERT_EQUAL(stat.ino, DIR);
    CU_ASSERT_EQUAL(stat.mode, 0750);
    CU_ASSERT_EQUAL(stat.nlink, 0);
    CU_ASSERT_FALSE(keep_removed(&keep, DIR + 1, &stat));
    see(DIR + KEEP_SLOTS, 0755); /* takes its place */
    CU_ASSERT_FALSE(keep_removed(&keep, DIR, &stat));
    CU_ASSERT_FALSE(keep_removed(&keep, DIR + KEEP_SLOTS, &stat));
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_only_directories_in_open_ones_are_kept),
        UNIT_TEST(test_whoever_may_not_search_closes_it),
        UNIT_TEST(test_what_was_overwritten_may_be_kept),
        UNIT_TEST(test_closing_waits_until_nothing_is_kept),
        UNIT_TEST(test_a_removed_directory_is_stale_and_then_empty),
        UNIT_TEST(test_a_directory_that_we_removed_is_shown_as_it_was),
    };

    return UNIT_MAIN("fuse_keep", tests);
}
