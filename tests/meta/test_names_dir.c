/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_dir: the conversation of rmdir, over both key-value stores.
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

static void test_empty_directory_is_removed(void)
{
    struct inode found;

    start_with_directory();
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), 0);
    CU_ASSERT_EQUAL(found.ino, dir.ino);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(insert_below("a"), -ERR_FROZEN);
    CU_ASSERT_EQUAL(names_rmdir_commit(fixture.names, &dir_name), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &dir_name, &found), -ENOENT);
    CU_ASSERT_EQUAL(insert_below("a"), -ENOENT);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), 0);
    CU_ASSERT_EQUAL(insert_below("a"), -ENOENT); /* the tombstone stays */
    CU_ASSERT_EQUAL(names_rmdir_commit(fixture.names, &dir_name), -ENOENT);
    fixture_stop();
}

static void test_directory_with_entries_stays(void)
{
    struct inode found;

    start_with_directory();
    CU_ASSERT_EQUAL(insert_below("a"), 0);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), 0);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), -ENOTEMPTY);
    CU_ASSERT_EQUAL(insert_below("b"), 0); /* no mark was left */
    CU_ASSERT_EQUAL(names_rmdir_abort(fixture.names, &dir_name), 0);
    CU_ASSERT_EQUAL(names_rmdir_abort(fixture.names, &dir_name), 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &dir_name, &found), 0);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), 0);
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

static void test_begin_judges_its_name(void)
{
    struct name file = name_of(INO_ROOT, "f"), none = name_of(INO_ROOT, "n");
    struct inode inode = new_file(), found;

    start_with_directory();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &file, &inode), 0);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &file, &found), -ENOTDIR);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &none, &found), -ENOENT);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), 0);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found),
                    -ERR_BUSY);
    fixture_stop();
}

struct intent_seen {
    struct name name;
    char text[NAME_LEN_MAX];
    uint64_t ino;
    unsigned n;
};

static bool see_intent(void *ctx, const struct name *name, uint64_t ino)
{
    struct intent_seen *seen = ctx;

    seen->name = *name;
    seen->name.text = memcpy(seen->text, name->text, name->len);
    seen->ino = ino;
    seen->n++;
    return true;
}

static void test_intents_survive_a_restart(void)
{
    struct intent_seen seen = {.n = 0};
    struct inode found;

    start_with_directory();
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_intents(fixture.names, see_intent, &seen), 0);
    CU_ASSERT_EQUAL(seen.n, 1);
    CU_ASSERT_EQUAL(seen.ino, dir.ino);
    CU_ASSERT_EQUAL(seen.name.parent, INO_ROOT);
    CU_ASSERT_EQUAL(seen.name.len, 1);
    CU_ASSERT_EQUAL(names_rmdir_abort(fixture.names, &seen.name), 0);
    seen.n = 0;
    CU_ASSERT_EQUAL(names_intents(fixture.names, see_intent, &seen), 0);
    CU_ASSERT_EQUAL(seen.n, 0);
    fixture_stop();
}

static void test_damaged_marks_and_intents_are_errors(void)
{
    struct names_key mark, intent;
    struct intent_seen seen = {.n = 0};
    struct inode found;

    start_with_directory();
    mark = names_key_number(NAMES_FROZEN, dir.ino);
    intent = names_key_name(NAMES_INTENT, &dir_name);
    fixture_damage(&mark, "\3", 1);
    fixture_damage(&intent, "?", 1);
    CU_ASSERT_EQUAL(insert_below("a"), -EIO);
    CU_ASSERT_EQUAL(names_freeze(fixture.names, dir.ino), -EIO);
    CU_ASSERT_EQUAL(names_thaw(fixture.names, dir.ino), -EIO);
    CU_ASSERT_EQUAL(names_rmdir_begin(fixture.names, &dir_name, &found), -EIO);
    CU_ASSERT_EQUAL(names_rmdir_commit(fixture.names, &dir_name), -EIO);
    CU_ASSERT_EQUAL(names_intents(fixture.names, see_intent, &seen), -EIO);
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_empty_directory_is_removed),
        UNIT_TEST(test_directory_with_entries_stays),
        UNIT_TEST(test_thawed_directory_lives_on),
        UNIT_TEST(test_begin_judges_its_name),
        UNIT_TEST(test_intents_survive_a_restart),
        UNIT_TEST(test_damaged_marks_and_intents_are_errors),
    };

    return FIXTURE_MAIN("meta/names_dir", tests);
}
