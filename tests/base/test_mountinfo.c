/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountinfo: lines as the kernel writes them, and this machine's own table.
 */
#include "base/mountinfo.c"

#include "tests/base/unit.h"

static void test_line_is_taken_apart(void)
{
    struct mountinfo mount;

    CU_ASSERT_TRUE(mountinfo_parse(
        "36 35 0:50 /sub /mnt\\040two rw,nosuid shared:1 master:2 - "
        "fuse.capstan capstan:/etc/a\\134b.yaml rw,user_id=0\n",
        &mount));
    CU_ASSERT_STRING_EQUAL(mount.root, "/sub");
    CU_ASSERT_STRING_EQUAL(mount.point, "/mnt two");
    CU_ASSERT_STRING_EQUAL(mount.type, "fuse.capstan");
    CU_ASSERT_STRING_EQUAL(mount.source, "capstan:/etc/a\\b.yaml");
}

static void test_broken_lines_are_refused(void)
{
    static const char *const lines[] = {
        "", "\n", "36 35 0:50 / /mnt rw fuse.capstan x rw\n", "36 35 - x\n",
        "36 35 0:50 / /mnt rw - fuse.capstan\n"};
    struct mountinfo mount;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        CU_ASSERT_FALSE(mountinfo_parse(lines[i], &mount));
}

static void test_below_goes_by_whole_names(void)
{
    CU_ASSERT_TRUE(mountinfo_is_below("/mnt", "/mnt"));
    CU_ASSERT_TRUE(mountinfo_is_below("/mnt/a", "/mnt/"));
    CU_ASSERT_TRUE(mountinfo_is_below("/mnt", "/"));
    CU_ASSERT_FALSE(mountinfo_is_below("/mntx", "/mnt"));
    CU_ASSERT_FALSE(mountinfo_is_below("/", "/mnt"));
}

static void test_longest_mount_is_found(void)
{
    struct mountinfo mount;

    CU_ASSERT_TRUE(mountinfo_find("/proc/self/status", &mount));
    CU_ASSERT_STRING_EQUAL(mount.point, "/proc");
    CU_ASSERT_STRING_EQUAL(mount.type, "proc");
    /* Nothing is found only where the root is no mount, as below chroot(2). */
    CU_ASSERT_EQUAL(mountinfo_find("/no/such/place", &mount),
                    mountinfo_find("/", &mount));
    CU_ASSERT_TRUE(mountinfo_has_type("proc"));
    CU_ASSERT_FALSE(mountinfo_has_type("proc.not"));
    CU_ASSERT_FALSE(mountinfo_has_type("pro"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_line_is_taken_apart),
        UNIT_TEST(test_broken_lines_are_refused),
        UNIT_TEST(test_below_goes_by_whole_names),
        UNIT_TEST(test_longest_mount_is_found),
    };

    return UNIT_MAIN("base/mountinfo", tests);
}
