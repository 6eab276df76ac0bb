/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names: entries and orphans, over both key-value stores.
 */
#include "meta/names.c"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/meta/names_fixture.h"

static void test_names_that_may_not_be_are_refused(void)
{
    char long_text[NAME_LEN_MAX + 2];
    struct name name;
    struct inode inode;

    memset(long_text, 'n', sizeof(long_text));
    long_text[NAME_LEN_MAX + 1] = '\0';
    fixture_start();
    name = name_of(1, "");
    CU_ASSERT_EQUAL(names_check(&name), -EINVAL);
    name = name_of(1, ".");
    CU_ASSERT_EQUAL(names_check(&name), -EINVAL);
    name = name_of(1, "..");
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &inode), -EINVAL);
    name = name_of(1, "a/b");
    CU_ASSERT_EQUAL(names_check(&name), -EINVAL);
    name = (struct name){.parent = 1, .text = "a\0b", .len = 3};
    CU_ASSERT_EQUAL(names_check(&name), -EINVAL);
    name = name_of(1, long_text);
    CU_ASSERT_EQUAL(names_check(&name), -ENAMETOOLONG);
    inode = new_file();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), -ENAMETOOLONG);
    name.len = NAME_LEN_MAX;
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    name = name_of(1, "...");
    CU_ASSERT_EQUAL(names_check(&name), 0);
    fixture_stop();
}

static void test_inserted_name_is_found(void)
{
    struct name name = name_of(INO_ROOT, "shard-0007");
    struct inode inode = new_file(), found;

    fixture_start();
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &found), -ENOENT);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(inode.ino, ino_make(FIXTURE_TARGET, 1));
    fixture_reopen();
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &found), 0);
    CU_ASSERT_EQUAL(found.ino, inode.ino);
    CU_ASSERT_EQUAL(found.layout.targets[1], 8);
    fixture_stop();
}

static void test_second_insert_tells_the_first(void)
{
    struct name name = name_of(INO_ROOT, "a");
    struct inode first = new_file(), second = new_dir();

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &first), 0);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &second), -EEXIST);
    CU_ASSERT_EQUAL(second.ino, first.ino);
    CU_ASSERT_EQUAL(second.type, INODE_FILE);
    fixture_stop();
}

static void test_bad_inode_is_refused(void)
{
    struct name name = name_of(INO_ROOT, "a");
    struct inode inode = new_file();

    fixture_start();
    inode.layout.width = LAYOUT_WIDTH_MAX + 1;
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), -EINVAL);
    CU_ASSERT_EQUAL(inode.ino, 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &inode), -ENOENT);
    fixture_stop();
}

static void test_an_inode_is_replaced_by_number(void)
{
    struct name name = name_of(INO_ROOT, "a");
    struct inode inode = new_file(), other;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(inode.nlink, 1);
    inode.layout.is_striped = true;
    CU_ASSERT_EQUAL(names_inode_put(fixture.names, &inode), 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &other), 0);
    CU_ASSERT(other.layout.is_striped);
    other.ino++;
    CU_ASSERT_EQUAL(names_inode_put(fixture.names, &other), -ESTALE);
    other = inode;
    other.type = INODE_DIR;
    CU_ASSERT_EQUAL(names_inode_put(fixture.names, &other), -EINVAL);
    fixture_stop();
}

/* Of an inode that another target keeps only number and type are known. */
static void test_an_entry_may_stand_for_an_inode_elsewhere(void)
{
    struct name name = name_of(INO_ROOT, "a");
    uint64_t ino = ino_make(FIXTURE_TARGET + 1, 5);
    struct inode found;

    fixture_start();
    CU_ASSERT_EQUAL(names_link(fixture.names, &name, ino, INODE_FILE, 9), 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &found), 0);
    CU_ASSERT_EQUAL(found.ino, ino);
    CU_ASSERT_EQUAL(found.nlink, 0);
    CU_ASSERT_FALSE(names_is_home(fixture.names, ino));
    CU_ASSERT_EQUAL(unlink_name(&name, &found), 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &found), -ENOENT);
    fixture_stop();
}

static void test_a_held_file_keeps_its_inode(void)
{
    struct names_gone held = {.now_ns = 3, .is_held = true};
    struct name name = name_of(INO_ROOT, "a");
    struct inode inode = new_file(), found;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(names_unlink(fixture.names, &name, &held, &found), 0);
    CU_ASSERT_EQUAL(names_inode_get(fixture.names, inode.ino, &found), 0);
    CU_ASSERT_EQUAL(found.nlink, 0);
    CU_ASSERT_EQUAL(found.ctime_ns, 3);
    CU_ASSERT_EQUAL(names_inode_link(fixture.names, inode.ino, 4), -ESTALE);
    CU_ASSERT_EQUAL(names_orphan_done(fixture.names, inode.ino), 0);
    CU_ASSERT_EQUAL(names_inode_get(fixture.names, inode.ino, &found),
                    -ESTALE);
    fixture_stop();
}

static void test_a_file_goes_with_its_last_name(void)
{
    struct name a = name_of(INO_ROOT, "a"), b = name_of(5, "b");
    struct inode inode = new_file(), found;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &a, &inode), 0);
    CU_ASSERT_EQUAL(names_inode_link(fixture.names, inode.ino, 4), 0);
    CU_ASSERT_EQUAL(names_link(fixture.names, &b, inode.ino, INODE_FILE, 4),
                    0);
    CU_ASSERT_EQUAL(unlink_name(&a, &found), 0);
    CU_ASSERT_EQUAL(found.nlink, 1);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &b, &found), 0);
    CU_ASSERT_EQUAL(unlink_name(&b, &found), 0);
    CU_ASSERT_EQUAL(found.nlink, 0);
    CU_ASSERT_EQUAL(names_inode_get(fixture.names, inode.ino, &found),
                    -ESTALE);
    fixture_stop();
}

static void test_the_text_of_a_link_goes_with_it(void)
{
    struct name name = name_of(INO_ROOT, "l");
    struct inode inode = {.type = INODE_SYMLINK, .mode = 0777, .special = 3};
    char text[8];
    size_t len;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(names_symlink_put(fixture.names, inode.ino, "a/b", 3), 0);
    CU_ASSERT_EQUAL(
        names_symlink_get(fixture.names, inode.ino, text, 8, &len), 0);
    CU_ASSERT_EQUAL(len, 3);
    CU_ASSERT_EQUAL(unlink_name(&name, &inode), 0);
    CU_ASSERT_EQUAL(
        names_symlink_get(fixture.names, inode.ino, text, 8, &len), -ESTALE);
    fixture_stop();
}

/* Also those of inodes that cannot remember having any. */
static void test_attributes_go_with_their_inode(void)
{
    static const struct names_xattr xattr = {"trusted.a", 9, "one", 3, 0};
    static const enum inode_type types[] = {INODE_FILE, INODE_SYMLINK,
                                            INODE_FIFO, INODE_CHAR};
    struct name name = name_of(INO_ROOT, "l");
    char value[8];
    size_t len;

    fixture_start();
    for (unsigned i = 0; i < 4; i++) {
        struct inode inode = {.type = types[i], .special = types[i] == INODE_CHAR};

        if (types[i] == INODE_FILE)
            inode = new_file();
        CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
        CU_ASSERT_EQUAL(names_xattr_set(fixture.names, inode.ino, &xattr, 1),
                        0);
        fixture_commit();
        CU_ASSERT_EQUAL(names_xattr_get(fixture.names, inode.ino, "trusted.a",
                                        9, value, 8, &len),
                        0);
        CU_ASSERT_EQUAL(unlink_name(&name, &inode), 0);
        fixture_commit();
        CU_ASSERT_EQUAL(names_xattr_get(fixture.names, inode.ino, "trusted.a",
                                        9, value, 8, &len),
                        -ENODATA);
    }
    fixture_stop();
}

/* A directory's counts and time follow its entries. */
static void test_a_directory_knows_its_entries(void)
{
    struct name file = name_of(5, "f"), dir = name_of(5, "d");
    struct inode inode = new_file();
    struct names_dir_state state;

    fixture_start();
    inode.ctime_ns = 7;
    CU_ASSERT_EQUAL(names_insert(fixture.names, &file, &inode), 0);
    inode = new_dir();
    inode.ctime_ns = 8;
    CU_ASSERT_EQUAL(names_insert(fixture.names, &dir, &inode), 0);
    CU_ASSERT_EQUAL(inode.parent, 5);
    CU_ASSERT_EQUAL(inode.nlink, 2);
    CU_ASSERT_EQUAL(names_dir_get(fixture.names, 5, &state), 0);
    CU_ASSERT_EQUAL(state.entries, 2);
    CU_ASSERT_EQUAL(state.subdirs, 1);
    CU_ASSERT_EQUAL(state.changed_ns, 8);
    CU_ASSERT_EQUAL(names_dir_reset(fixture.names, 5), 0);
    CU_ASSERT_EQUAL(unlink_name(&file, &inode), 0);
    CU_ASSERT_EQUAL(names_dir_get(fixture.names, 5, &state), 0);
    CU_ASSERT_EQUAL(state.entries, 1);
    CU_ASSERT_EQUAL(state.changed_ns, 2);
    fixture_stop();
}

struct orphan_list {
    uint64_t inos[8];
    uint16_t widths[8];
    unsigned n;
};

static bool list_orphan(void *ctx, uint64_t ino, const struct layout *layout,
                        bool is_held)
{
    struct orphan_list *list = ctx;

    list->inos[list->n] = ino;
    list->widths[list->n] = layout->width;
    return ++list->n < 8;
}

static void test_unlinked_file_is_an_orphan_until_done(void)
{
    struct name name = name_of(INO_ROOT, "a"), dir = name_of(INO_ROOT, "d");
    struct inode inode = new_file(), gone, dir_inode = new_dir();
    struct orphan_list list = {.n = 0};

    fixture_start();
    CU_ASSERT_EQUAL(unlink_name(&name, &gone), -ENOENT);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &dir, &dir_inode), 0);
    CU_ASSERT_EQUAL(unlink_name(&dir, &gone), -EISDIR);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(unlink_name(&name, &gone), 0);
    CU_ASSERT_EQUAL(gone.ino, inode.ino);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &name, &gone), -ENOENT);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_orphans(fixture.names, 0, list_orphan, &list), 0);
    CU_ASSERT_EQUAL(list.n, 1);
    CU_ASSERT_EQUAL(list.inos[0], inode.ino);
    CU_ASSERT_EQUAL(list.widths[0], 2);
    CU_ASSERT_EQUAL(names_orphan_done(fixture.names, inode.ino), 0);
    list.n = 0;
    CU_ASSERT_EQUAL(names_orphans(fixture.names, 0, list_orphan, &list), 0);
    CU_ASSERT_EQUAL(list.n, 0);
    fixture_stop();
}

static void test_orphans_are_told_from_a_number_on(void)
{
    struct orphan_list list = {.n = 0};
    struct inode inode, gone;
    uint64_t inos[3];

    fixture_start();
    for (int i = 0; i < 3; i++) {
        struct name name = name_of(INO_ROOT, "a");

        inode = new_file();
        CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
        CU_ASSERT_EQUAL(unlink_name(&name, &gone), 0);
        inos[i] = gone.ino;
    }
    CU_ASSERT_EQUAL(names_orphans(fixture.names, inos[0], list_orphan, &list),
                    0);
    CU_ASSERT_EQUAL(list.n, 2);
    CU_ASSERT_EQUAL(list.inos[0], inos[1]);
    CU_ASSERT_EQUAL(list.inos[1], inos[2]);
    fixture_stop();
}

/* Many calls share a transaction; one that fails costs the others nothing. */
static void test_failed_call_leaves_the_others(void)
{
    struct name a = name_of(INO_ROOT, "a"), b = name_of(INO_ROOT, "b");
    struct inode inode = new_file(), found;

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &a, &inode), 0);
    CU_ASSERT_EQUAL(unlink_name(&b, &found), -ENOENT);
    CU_ASSERT_EQUAL(names_insert(fixture.names, &a, &inode), -EEXIST);
    inode = new_file();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &b, &inode), 0);
    fixture_reopen();
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &a, &found), 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &b, &found), 0);
    fixture_stop();
}

static void test_damaged_record_is_an_error_of_its_own(void)
{
    struct name a = name_of(INO_ROOT, "a\x01\xff"), b = name_of(INO_ROOT, "b");
    struct names_key key = names_key_entry(&a);
    struct inode inode = new_file(), found;
    unsigned char bytes[400] = {0};

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &a, &inode), 0);
    inode = new_file();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &b, &inode), 0);
    fixture_damage(&key, "", 0);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &a, &found), -EIO);
    fixture_damage(&key, bytes, 60);
    CU_ASSERT_EQUAL(unlink_name(&a, &found), -EIO);
    fixture_damage(&key, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(names_insert(fixture.names, &a, &found), -EIO);
    CU_ASSERT_EQUAL(names_lookup(fixture.names, &b, &found), 0);
    fixture_stop();
}

static void test_damaged_orphan_does_not_hide_others(void)
{
    struct names_key damaged = names_key_number(NAMES_ORPHAN, 1);
    struct name name = name_of(INO_ROOT, "a");
    struct inode inode = new_file();
    struct orphan_list list = {.n = 0};

    fixture_start();
    CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
    CU_ASSERT_EQUAL(unlink_name(&name, &inode), 0);
    fixture_damage(&damaged, "?", 1);
    CU_ASSERT_EQUAL(names_orphans(fixture.names, 0, list_orphan, &list), -EIO);
    CU_ASSERT_EQUAL(list.n, 1);
    CU_ASSERT_EQUAL(list.inos[0], inode.ino);
    fixture_stop();
}

/*
 * Readdir.
 */

struct page_seen {
    uint64_t dir;
    uint64_t last; /* place */
    unsigned room;
    unsigned n;
    bool is_sorted;
};

static bool see(void *ctx, const char *text, size_t len,
                const struct inode *inode)
{
    struct page_seen *page = ctx;
    uint64_t place = hash_place(hash_name(page->dir, text, len));

    if (page->room == 0)
        return false;
    if (place <= page->last)
        page->is_sorted = false;
    page->last = place;
    page->room--;
    page->n++;
    return true;
}

static unsigned list_by_pages(uint64_t dir, unsigned room)
{
    struct page_seen page = {.dir = dir, .is_sorted = true};
    bool is_end = false;
    unsigned npages = 0;

    while (!is_end && npages++ < 10000) {
        page.room = room;
        CU_ASSERT_EQUAL(names_readdir(fixture.names, dir, page.last, see,
                                      &page, &is_end),
                        0);
        CU_ASSERT(is_end || page.room == 0);
    }
    CU_ASSERT(page.is_sorted);
    return page.n;
}

static void test_readdir_pages_visit_each_entry_once_in_order(void)
{
    unsigned n = 500;
    char text[20];

    fixture_start();
    for (unsigned i = 0; i < n; i++) {
        struct inode inode = new_file();
        struct name name, other;

        sprintf(text, "%x", i * 7919 % n); /* lengths differ: a, a1, a10 */
        name = name_of(5, text);
        other = name_of(6, text);
        CU_ASSERT_EQUAL(names_insert(fixture.names, &name, &inode), 0);
        CU_ASSERT_EQUAL(names_insert(fixture.names, &other, &inode), 0);
        if (i == n / 2)
            fixture_commit(); /* half in the store, half in the transaction */
    }
    CU_ASSERT_EQUAL(list_by_pages(5, 1), n);
    CU_ASSERT_EQUAL(list_by_pages(5, 7), n);
    CU_ASSERT_EQUAL(list_by_pages(5, 500), n);
    CU_ASSERT_EQUAL(list_by_pages(5, 1000), n);
    CU_ASSERT_EQUAL(list_by_pages(4, 10), 0);
    fixture_stop();
}

static void test_readdir_stops_at_a_damaged_record(void)
{
    struct name name = name_of(5, "b");
    struct names_key key = names_key_entry(&name);
    struct page_seen page = {.dir = 5, .room = 10, .is_sorted = true};
    bool is_end = false;

    fixture_start();
    fixture_damage(&key, "?", 1);
    CU_ASSERT_EQUAL(names_readdir(fixture.names, 5, 0, see, &page, &is_end),
                    -EIO);
    CU_ASSERT(!is_end);
    CU_ASSERT_EQUAL(names_readdir(fixture.names, 5,
                                  hash_place(hash_name(5, "b", 1)), see, &page,
                                  &is_end),
                    0);
    CU_ASSERT(is_end);
    fixture_stop();
}

/* Random inserts and unlinks against a table of inode numbers. */
static void test_random_entries_match_a_model(void)
{
    enum { NNAMES = 60 };
    uint64_t model[NNAMES] = {0}, highest = 0;
    struct rng rng;

    fixture_start();
    rng_init(&rng, unit_seed());
    for (unsigned step = 0; step < 3000; step++) {
        unsigned i = (unsigned)rng_below(&rng, NNAMES);
        struct inode inode = new_file();
        char text[8];
        struct name name = {.parent = 2 + i % 3, .text = text};

        name.len = (size_t)sprintf(text, "n%u", i);
        if (rng_chance(&rng, 50)) {
            int rc = names_insert(fixture.names, &name, &inode);

            CU_ASSERT_EQUAL(rc, model[i] == 0 ? 0 : -EEXIST);
            CU_ASSERT(rc != 0 || inode.ino > highest);
            highest = rc == 0 ? inode.ino : highest;
            model[i] = inode.ino;
        } else {
            int rc = unlink_name(&name, &inode);

            CU_ASSERT_EQUAL(rc, model[i] == 0 ? -ENOENT : 0);
            CU_ASSERT(rc != 0 || inode.ino == model[i]);
            model[i] = 0;
        }
        if (rng_chance(&rng, 5))
            fixture_commit();
        if (step % 500 == 0)
            fixture_reopen();
    }
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_names_that_may_not_be_are_refused),
        UNIT_TEST(test_inserted_name_is_found),
        UNIT_TEST(test_second_insert_tells_the_first),
        UNIT_TEST(test_bad_inode_is_refused),
        UNIT_TEST(test_an_inode_is_replaced_by_number),
        UNIT_TEST(test_an_entry_may_stand_for_an_inode_elsewhere),
        UNIT_TEST(test_a_held_file_keeps_its_inode),
        UNIT_TEST(test_a_file_goes_with_its_last_name),
        UNIT_TEST(test_the_text_of_a_link_goes_with_it),
        UNIT_TEST(test_attributes_go_with_their_inode),
        UNIT_TEST(test_a_directory_knows_its_entries),
        UNIT_TEST(test_unlinked_file_is_an_orphan_until_done),
        UNIT_TEST(test_orphans_are_told_from_a_number_on),
        UNIT_TEST(test_failed_call_leaves_the_others),
        UNIT_TEST(test_damaged_record_is_an_error_of_its_own),
        UNIT_TEST(test_damaged_orphan_does_not_hide_others),
        UNIT_TEST(test_readdir_pages_visit_each_entry_once_in_order),
        UNIT_TEST(test_readdir_stops_at_a_damaged_record),
        UNIT_TEST(test_random_entries_match_a_model),
    };

    return FIXTURE_MAIN("meta/names", tests);
}
