/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_dir: directories that are being removed, over both key-value stores.
 */
#include "meta/names_dir.c"

#include "tests/meta/names_fixture.h"

#include <errno.h>
#include <string.h>

static struct name dir_name;
static struct inode dir;

/* A directory "d" in the root. */
static void start_with_directory(void)
{
    fixture_start();
    dir_name = name_of(INO_ROOT, "d");
    dir = new_dir();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &dir_name, &dir), 0);
}

static int insert_below(const char *text)
{
    struct name name = name_of(dir.ino, text);
    struct inode inode = new_file();

    return names_insert(fixture.names, &name, &inode);
}

static void test_a_frozen_directory_takes_no_entry(void)
{
    start_with_directory();
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(insert_below("a"), -ERR_FROZEN);
    CU_ASSERT_EQUAL(names_bury(fixture.names, dir.ino), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(insert_below("a"), -ENOENT);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(insert_below("a"), -ENOENT); /* the tombstone stays */
    fixture_stop();
}

static void test_directory_with_entries_is_not_frozen(void)
{
    start_with_directory();
    CU_ASSERT_EQUAL(insert_below("a"), 0);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), -ENOTEMPTY);
    CU_ASSERT_EQUAL(insert_below("b"), 0); /* no mark was left */
    fixture_stop();
}

static void test_thawed_directory_lives_on(void)
{
    start_with_directory();
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(insert_below("a"), 0);
    fixture_stop();
}

static void test_damaged_marks_are_errors(void)
{
    struct names_key mark;

    start_with_directory();
    mark = names_key_number(NAMES_FROZEN, dir.ino);
    fixture_damage(&mark, "\3", 1);
    CU_ASSERT_EQUAL(insert_below("a"), -EIO);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), -EIO);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), -EIO);
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_frozen_directory_takes_no_entry),
        UNIT_TEST(test_directory_with_entries_is_not_frozen),
        UNIT_TEST(test_thawed_directory_lives_on),
        UNIT_TEST(test_damaged_marks_are_errors),
    };

    return FIXTURE_MAIN("meta/names_dir", tests);
}
