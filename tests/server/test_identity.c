/* SPDX-License-Identifier: BSD-3-Clause */
/* The identity file: first start, later starts, and everything it refuses. */
#include "base/unit.h"

#include "server/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

static char dir[256];
static char text[IDENTITY_TEXT_MAX];

static void write_file(const char *name, const char *bytes)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(bytes, file);
    fclose(file);
}

static int claim(uint64_t cluster, uint16_t target)
{
    int fd = -1;
    int rc = identity_claim(dir, cluster, target, text, &fd);

    if (rc == 0)
        close(fd);
    return rc;
}

static void test_an_empty_directory_is_claimed_for_ever(void)
{
    unit_tempdir_make(dir);
    CU_ASSERT_EQUAL(claim(0x7d3c, 3), 0);
    CU_ASSERT_EQUAL(claim(0x7d3c, 3), 0);
    write_file("objects", "beside it");
    CU_ASSERT_EQUAL(claim(0x7d3c, 3), 0);
    unit_tempdir_remove(dir);
}

static void test_another_identity_is_named_and_refused(void)
{
    unit_tempdir_make(dir);
    CU_ASSERT_EQUAL_FATAL(claim(0x7d3c, 3), 0);
    CU_ASSERT_EQUAL(claim(0x7d3c, 4), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "target 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, dir));
    CU_ASSERT_EQUAL(claim(0x7d3d, 3), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "7d3c"));
    unit_tempdir_remove(dir);
}

static void test_a_directory_of_other_things_is_refused(void)
{
    unit_tempdir_make(dir);
    write_file("thesis.tex", "do not touch");
    CU_ASSERT_EQUAL(claim(1, 1), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "thesis.tex"));
    unit_tempdir_remove(dir);
}

static void test_damage_is_refused(void)
{
    static const char *const damaged[] = {
        "",
        "capstan target\n",
        "capstan target\nformat 1\ncluster 1\ntarget 1\n",
        "capstan target\nformat 1\ncluster 1\ntarget 1\ncheck 0\n",
        "something else",
    };
    size_t i;

    for (i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        unit_tempdir_make(dir);
        write_file("target", damaged[i]);
        CU_ASSERT_EQUAL(claim(1, 1), -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "damaged"));
        unit_tempdir_remove(dir);
    }
}

static void test_a_later_format_is_told_apart_from_damage(void)
{
    unit_tempdir_make(dir);
    write_file("target", "capstan target\nformat 2\nshape unknown\n");
    CU_ASSERT_EQUAL(claim(1, 1), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "format 2"));
    unit_tempdir_remove(dir);
}

static void test_an_unfinished_first_start_is_begun_anew(void)
{
    unit_tempdir_make(dir);
    write_file("target.new", "caps");
    CU_ASSERT_EQUAL(claim(1, 1), 0);
    unit_tempdir_remove(dir);
}

static void test_a_missing_directory_is_not_made(void)
{
    unit_tempdir_make(dir);
    unit_tempdir_remove(dir);
    CU_ASSERT_EQUAL(claim(1, 1), -ENOENT);
    CU_ASSERT_NOT_EQUAL(access(dir, F_OK), 0);
}

static void test_a_directory_in_use_is_refused(void)
{
    int fd = -1;

    unit_tempdir_make(dir);
    CU_ASSERT_EQUAL_FATAL(identity_claim(dir, 1, 1, text, &fd), 0);
    CU_ASSERT_EQUAL(claim(1, 1), -EBUSY);
    close(fd);
    CU_ASSERT_EQUAL(claim(1, 1), 0);
    unit_tempdir_remove(dir);
}

/* Target 1 was begun on a file system of its own, at `dir` below `above`, which
 * is not mounted now. @return false: mounting is not permitted here. */
static bool leave_without_mount(char above[256], char *mark, size_t room)
{
    unit_tempdir_make(above);
    snprintf(dir, sizeof(dir), "%.200s/t1", above);
    snprintf(mark, room, "%s.mount", dir);
    if (!unit_tiny_fs_mount(dir, "1m"))
        return false;
    CU_ASSERT_EQUAL(claim(1, 1), 0);
    CU_ASSERT_EQUAL(umount(dir), 0);
    return true;
}

static void test_a_target_whose_mount_is_missing_is_not_begun_anew(void)
{
    char above[256], mark[600];

    if (!leave_without_mount(above, mark, sizeof(mark)))
        return;
    CU_ASSERT_EQUAL(claim(1, 1), -ENODEV);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "not mounted"));
    CU_ASSERT_EQUAL(claim(1, 1), -ENODEV);
    CU_ASSERT_EQUAL(mount("tiny", dir, "tmpfs", 0, "size=1m"), 0);
    CU_ASSERT_EQUAL(claim(1, 1), 0); /* a new device in place of the old */
    CU_ASSERT_EQUAL(umount(dir), 0);
    CU_ASSERT_EQUAL(remove(mark), 0);
    CU_ASSERT_EQUAL(claim(1, 1), 0);
    snprintf(dir, sizeof(dir), "%s", above);
    unit_tempdir_remove(dir);
}

static void test_the_mark_of_another_target_says_nothing(void)
{
    char above[256], mark[600];

    if (!leave_without_mount(above, mark, sizeof(mark)))
        return;
    CU_ASSERT_EQUAL(claim(2, 1), 0);
    snprintf(dir, sizeof(dir), "%s", above);
    unit_tempdir_remove(dir);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_an_empty_directory_is_claimed_for_ever),
        UNIT_TEST(test_another_identity_is_named_and_refused),
        UNIT_TEST(test_a_directory_of_other_things_is_refused),
        UNIT_TEST(test_damage_is_refused),
        UNIT_TEST(test_a_later_format_is_told_apart_from_damage),
        UNIT_TEST(test_an_unfinished_first_start_is_begun_anew),
        UNIT_TEST(test_a_missing_directory_is_not_made),
        UNIT_TEST(test_a_directory_in_use_is_refused),
        UNIT_TEST(test_a_target_whose_mount_is_missing_is_not_begun_anew),
        UNIT_TEST(test_the_mark_of_another_target_says_nothing),
    };

    return UNIT_MAIN("identity", tests);
}
