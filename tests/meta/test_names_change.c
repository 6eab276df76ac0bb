/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of several targets, part by part: each part may come twice, and what
 * was refused or undone leaves nothing.
 */
#include "meta/names_change.c"

#include "tests/meta/names_fixture.h"

#include <string.h>

static struct name from, to;
static struct inode file;

/* A file "from" in directory 5. */
static void start_with_file(void)
{
    fixture_start();
    from = name_of(5, "from");
    to = name_of(6, "to");
    file = new_file();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &from, &file), 0);
}

static struct names_intent rename_intent(void)
{
    return (struct names_intent){.kind = NAMES_RENAME,
                                 .name = to,
                                 .from = from,
                                 .ino = file.ino,
                                 .type = INODE_FILE,
                                 .now_ns = 10};
}

static uint64_t ino_at(const struct name *name)
{
    struct inode inode = {.ino = 0};

    return names_lookup(fixture.names, name, &inode) == 0 ? inode.ino : 0;
}

static void test_a_rename_is_both_or_nothing(void)
{
    struct names_intent intent;

    start_with_file();
    intent = rename_intent();
    CU_ASSERT_EQUAL(names_intent_begin(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(
        names_rename_lock(fixture.names, &from, file.ino, intent.id), 0);
    CU_ASSERT_EQUAL(
        names_rename_lock(fixture.names, &from, file.ino, intent.id), 0);
    CU_ASSERT_EQUAL(ino_at(&from), file.ino);
    CU_ASSERT_EQUAL(names_rename_to(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(
        names_rename_from(fixture.names, &from, intent.id, 0, 0, 10), 0);
    CU_ASSERT_EQUAL(
        names_rename_from(fixture.names, &from, intent.id, 0, 0, 10), 0);
    CU_ASSERT_EQUAL(names_intent_end(fixture.names, &intent), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(ino_at(&from), 0);
    CU_ASSERT_EQUAL(ino_at(&to), file.ino);
    CU_ASSERT_EQUAL(unlink_name(&to, &file), 0); /* nothing is locked */
    fixture_stop();
}

static void test_locked_names_are_left_alone(void)
{
    struct names_intent intent;
    struct inode inode = new_file();

    start_with_file();
    intent = rename_intent();
    CU_ASSERT_EQUAL(names_intent_begin(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(
        names_rename_lock(fixture.names, &from, file.ino, intent.id), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(unlink_name(&from, &inode), -ERR_BUSY);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &to, &inode), -ERR_BUSY);
    CU_ASSERT_EQUAL(names_intent_begin(fixture.names, &intent), -ERR_BUSY);
    CU_ASSERT_EQUAL(names_lock(fixture.names, &from, intent.id + 1),
                    -ERR_FROZEN); /* younger: gives up */
    CU_ASSERT_EQUAL(names_lock(fixture.names, &from, intent.id - 1),
                    -ERR_BUSY); /* older: waits */
    CU_ASSERT_EQUAL(names_unlock(fixture.names, &from, intent.id + 1), 0);
    CU_ASSERT_EQUAL(names_lock_check(fixture.names, &from), -ERR_BUSY);
    CU_ASSERT_EQUAL(names_unlock(fixture.names, &from, intent.id), 0);
    CU_ASSERT_EQUAL(names_lock_check(fixture.names, &from), 0);
    fixture_stop();
}

static void test_another_file_is_not_renamed(void)
{
    start_with_file();
    CU_ASSERT_EQUAL(names_rename_lock(fixture.names, &from, file.ino + 1, 3),
                    -ENOENT);
    CU_ASSERT_EQUAL(names_rename_lock(fixture.names, &to, file.ino, 3),
                    -ENOENT);
    CU_ASSERT_EQUAL(names_lock_check(fixture.names, &from), 0);
    fixture_stop();
}

static bool see_intent(void *ctx, const struct names_intent *intent)
{
    struct names_intent *seen = ctx;
    static char texts[2][NAME_LEN_MAX];

    *seen = *intent;
    seen->name.text = memcpy(texts[0], intent->name.text, intent->name.len);
    seen->from.text = memcpy(texts[1], intent->from.text, intent->from.len);
    return true;
}

static void test_intents_survive_a_restart(void)
{
    struct names_intent intent, seen = {.id = 0};
    uint64_t floor;

    start_with_file();
    intent = rename_intent();
    intent.flags = NAMES_IS_HELD | NAMES_IS_LOCKING;
    intent.victim = 99;
    intent.victim_type = INODE_SYMLINK;
    intent.holder = 1234;
    CU_ASSERT_EQUAL(names_intent_begin(fixture.names, &intent), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_intents(fixture.names, see_intent, &seen), 0);
    CU_ASSERT_EQUAL(seen.id, intent.id);
    CU_ASSERT_EQUAL(seen.kind, NAMES_RENAME);
    CU_ASSERT_EQUAL(seen.flags, intent.flags);
    CU_ASSERT_EQUAL(seen.name.parent, 6);
    CU_ASSERT_EQUAL(seen.from.len, 4);
    CU_ASSERT_EQUAL(memcmp(seen.from.text, "from", 4), 0);
    CU_ASSERT_EQUAL(seen.victim, 99);
    CU_ASSERT_EQUAL(seen.victim_type, INODE_SYMLINK);
    CU_ASSERT_EQUAL(seen.holder, 1234);
    CU_ASSERT_EQUAL(names_intent_floor(fixture.names, &floor), 0);
    CU_ASSERT_EQUAL(floor, intent.id);
    CU_ASSERT_EQUAL(names_intent_end(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(names_intent_floor(fixture.names, &floor), 0);
    CU_ASSERT(floor > intent.id);
    fixture_stop();
}

static int settle(enum names_settle what, uint64_t id, uint64_t floor)
{
    struct names_settle_step step = {.what = what,
                                     .ino = file.ino,
                                     .id = id,
                                     .floor = floor,
                                     .now_ns = 20};

    return names_settle(fixture.names, &step);
}

static unsigned nlink_now(void)
{
    struct inode inode = {.nlink = 0};

    names_inode_get(fixture.names, file.ino, &inode);
    return inode.nlink;
}

static void test_links_are_counted_once(void)
{
    uint64_t id = ino_make(3, 100);

    start_with_file();
    CU_ASSERT_EQUAL(settle(NAMES_ADD, id, id), 0);
    CU_ASSERT_EQUAL(settle(NAMES_ADD, id, id), 0);
    CU_ASSERT_EQUAL(nlink_now(), 2);
    CU_ASSERT_EQUAL(settle(NAMES_CANCEL, id, id), 0);
    CU_ASSERT_EQUAL(settle(NAMES_CANCEL, id, id), 0);
    CU_ASSERT_EQUAL(nlink_now(), 1);
    CU_ASSERT_EQUAL(settle(NAMES_ADD, id, id), -ESTALE); /* too late */
    CU_ASSERT_EQUAL(settle(NAMES_CANCEL, id + 1, id), 0); /* never added */
    CU_ASSERT_EQUAL(settle(NAMES_ADD, id + 1, id), -ESTALE);
    CU_ASSERT_EQUAL(nlink_now(), 1);
    CU_ASSERT_EQUAL(settle(NAMES_ADD, id + 2, id + 2), 0); /* trims */
    CU_ASSERT_EQUAL(settle(NAMES_DROP, id + 3, id + 2), 0);
    CU_ASSERT_EQUAL(settle(NAMES_DROP, id + 3, id + 2), 0);
    CU_ASSERT_EQUAL(nlink_now(), 1);
    CU_ASSERT_EQUAL(settle(NAMES_DROP, id + 4, id + 4), 0);
    CU_ASSERT_EQUAL(nlink_now(), 0);
    fixture_stop();
}

struct seen_orphan {
    unsigned n;
    bool is_held;
};

static bool see_orphan(void *ctx, uint64_t ino, const struct layout *layout,
                       bool is_held)
{
    struct seen_orphan *seen = ctx;

    seen->n++;
    seen->is_held = is_held;
    return true;
}

static void test_a_held_victim_is_told_so(void)
{
    struct names_settle_step step = {.what = NAMES_DROP, .is_held = true};
    struct seen_orphan seen = {0};

    start_with_file();
    step.ino = file.ino;
    step.id = step.floor = ino_make(3, 1);
    CU_ASSERT_EQUAL(names_settle(fixture.names, &step), 0);
    CU_ASSERT_EQUAL(names_orphans(fixture.names, 0, see_orphan, &seen), 0);
    CU_ASSERT_EQUAL(seen.n, 1);
    CU_ASSERT_TRUE(seen.is_held);
    fixture_stop();
}

static void test_a_moved_directory_knows_its_parent(void)
{
    struct names_settle_step step = {.what = NAMES_MOVE, .parent = 77};
    struct name name = name_of(5, "d");
    struct inode dir = new_dir(), found;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &dir), 0);
    step.ino = dir.ino;
    step.now_ns = 50;
    CU_ASSERT_EQUAL(names_settle(fixture.names, &step), 0);
    CU_ASSERT_EQUAL(names_inode_get(fixture.names, dir.ino, &found), 0);
    CU_ASSERT_EQUAL(found.parent, 77);
    CU_ASSERT_EQUAL(found.ctime_ns, 50);
    fixture_stop();
}

static void test_an_exchange_leaves_the_other(void)
{
    struct inode other = new_file();
    struct name there = name_of(6, "to");
    struct names_intent intent;

    start_with_file();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &there, &other), 0);
    intent = rename_intent();
    intent.victim = other.ino;
    intent.victim_type = INODE_FILE;
    CU_ASSERT_EQUAL(names_intent_begin(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(
        names_rename_lock(fixture.names, &from, file.ino, intent.id), 0);
    CU_ASSERT_EQUAL(names_rename_to(fixture.names, &intent), 0);
    CU_ASSERT_EQUAL(names_rename_from(fixture.names, &from, intent.id,
                                      other.ino, INODE_FILE, 10),
                    0);
    CU_ASSERT_EQUAL(ino_at(&from), other.ino);
    CU_ASSERT_EQUAL(ino_at(&to), file.ino);
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_rename_is_both_or_nothing),
        UNIT_TEST(test_locked_names_are_left_alone),
        UNIT_TEST(test_another_file_is_not_renamed),
        UNIT_TEST(test_intents_survive_a_restart),
        UNIT_TEST(test_links_are_counted_once),
        UNIT_TEST(test_a_held_victim_is_told_so),
        UNIT_TEST(test_a_moved_directory_knows_its_parent),
        UNIT_TEST(test_an_exchange_leaves_the_other),
    };

    return FIXTURE_MAIN("meta/names_change", tests);
}
