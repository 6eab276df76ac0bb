/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which open files are held when a name goes: the library and the crew are a
 * few lines here. A capstan_file is a pointer to its inode number.
 */
#include "posix/fuse_open.c"

#include "tests/base/unit.h"

#define DIR 7u
#define FILES 8

static struct crew_member member;
static struct opens *opens;
static uint64_t name_stands_for; /* 0: there is no such name */
static unsigned lookups;
static uint64_t files[FILES]; /* inode number of each file; 0: closed */

static struct capstan_file *file_new(uint64_t ino)
{
    for (int i = 0; i < FILES; i++)
        if (files[i] == 0) {
            files[i] = ino;
            return (struct capstan_file *)&files[i];
        }
    return NULL;
}

static unsigned count_open(unsigned index, uint64_t ino)
{
    struct open_node *node = find(opens, ino);
    struct open_file *file;
    unsigned count = 0;

    if (node != NULL)
        DL_FOREACH(node->files, file)
    count += file->files[index] != NULL;
    return count;
}

struct crew_member *crew_self(void)
{
    return &member;
}

void crew_close_later(struct crew *crew, unsigned index,
                      struct capstan_file *file)
{
    capstan_file_close(&file);
}

int capstan_file_close(struct capstan_file **file_p)
{
    if (*file_p != NULL)
        *(uint64_t *)*file_p = 0;
    *file_p = NULL;
    return 0;
}

int capstan_file_opened(const struct capstan_file *file,
                        struct capstan_opened **opened_out)
{
    uint64_t *ino = malloc(sizeof(*ino));

    *ino = *(const uint64_t *)file;
    *opened_out = (struct capstan_opened *)ino;
    return 0;
}

void capstan_opened_free(struct capstan_opened **opened_p)
{
    free(*opened_p);
    *opened_p = NULL;
}

int capstan_opened_open(struct capstan_session *session,
                        const struct capstan_opened *opened, unsigned flags,
                        struct capstan_file **file_out)
{
    *file_out = file_new(*(const uint64_t *)opened);
    return *file_out == NULL ? -ENOMEM : 0;
}

int capstan_lookup_at(struct capstan_session *session, uint64_t dir,
                      const char *name, unsigned flags,
                      struct capstan_stat *stat_out)
{
    lookups++;
    *stat_out = (struct capstan_stat){.ino = name_stands_for};
    return name_stands_for == 0 ? -ENOENT : 0;
}

static void begin(bool are_names_kept)
{
    memset(files, 0, sizeof(files));
    lookups = 0;
    member.index = 0;
    CU_ASSERT_EQUAL_FATAL(opens_create(are_names_kept, &opens), 0);
}

static struct open_file *open_one(uint64_t ino)
{
    struct open_file *file = NULL;

    CU_ASSERT_EQUAL_FATAL(opens_add(opens, file_new(ino), ino, 0, &file), 0);
    return file;
}

/* Another thread than the one that has opened files removes "a". */
static void remove_name(uint64_t stands_for)
{
    name_stands_for = stands_for;
    member.index = 1;
    opens_hold(opens, NULL, DIR, "a");
    member.index = 0;
}

static void end(struct open_file *one, struct open_file *two)
{
    opens_end(opens, one);
    if (two != NULL)
        opens_end(opens, two);
    for (int i = 0; i < FILES; i++)
        CU_ASSERT_EQUAL(files[i], 0);
    opens_destroy(&opens);
}

static void test_a_name_seen_after_opening_is_held(void)
{
    struct open_file *one, *two;

    begin(false);
    one = open_one(11);
    two = open_one(11);
    opens_named(opens, 11, DIR, "a");
    remove_name(11);
    CU_ASSERT_EQUAL(count_open(1, 11), 2);
    end(one, two);
}

static void test_a_name_seen_before_opening_is_held(void)
{
    struct open_file *one;

    begin(false);
    opens_named(opens, 11, DIR, "a");
    one = open_one(11);
    remove_name(11);
    CU_ASSERT_EQUAL(count_open(1, 11), 1);
    end(one, NULL);
}

/* A file that has lost its name and is still open does not hide the one that
 * has it now. */
static void test_of_two_that_had_the_name_the_one_that_has_it_is_held(void)
{
    struct open_file *one, *two;

    begin(false);
    one = open_one(11);
    opens_named(opens, 11, DIR, "a");
    two = open_one(12);
    opens_named(opens, 12, DIR, "a");
    remove_name(12);
    CU_ASSERT_EQUAL(count_open(1, 11), 0);
    CU_ASSERT_EQUAL(count_open(1, 12), 1);
    end(one, two);
}

static void test_a_file_of_which_no_name_was_seen_is_held(void)
{
    struct open_file *one;

    begin(false);
    one = open_one(11);
    remove_name(11);
    CU_ASSERT_EQUAL(count_open(1, 11), 1);
    end(one, NULL);
}

static void test_names_of_other_files_are_not_asked_for(void)
{
    struct open_file *one;

    begin(false);
    one = open_one(11);
    opens_named(opens, 11, DIR, "b");
    remove_name(12);
    CU_ASSERT_EQUAL(lookups, 0);
    opens_named(opens, 11, DIR + 1, "a");
    remove_name(12);
    CU_ASSERT_EQUAL(lookups, 0);
    CU_ASSERT_EQUAL(count_open(1, 11), 0);
    end(one, NULL);
}

/* With names in the kernel's keeping a file may have others than we know. */
static void test_when_the_kernel_keeps_names_every_name_is_asked_for(void)
{
    struct open_file *one;

    begin(true);
    remove_name(11);
    CU_ASSERT_EQUAL(lookups, 0); /* nothing is open */
    one = open_one(11);
    opens_named(opens, 11, DIR, "b");
    remove_name(11);
    CU_ASSERT_EQUAL(count_open(1, 11), 1);
    end(one, NULL);
}

static void test_a_name_that_is_gone_holds_nothing(void)
{
    struct open_file *one;

    begin(false);
    one = open_one(11);
    opens_named(opens, 11, DIR, "a");
    remove_name(0);
    CU_ASSERT_EQUAL(count_open(1, 11), 0);
    end(one, NULL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_name_seen_after_opening_is_held),
        UNIT_TEST(test_a_name_seen_before_opening_is_held),
        UNIT_TEST(test_of_two_that_had_the_name_the_one_that_has_it_is_held),
        UNIT_TEST(test_a_file_of_which_no_name_was_seen_is_held),
        UNIT_TEST(test_names_of_other_files_are_not_asked_for),
        UNIT_TEST(test_when_the_kernel_keeps_names_every_name_is_asked_for),
        UNIT_TEST(test_a_name_that_is_gone_holds_nothing),
    };

    return UNIT_MAIN("fuse_open", tests);
}
