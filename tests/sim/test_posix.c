/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What POSIX says of names, attributes and permissions, on a simulated cluster of
 * four targets.
 */
#include "client/cli.h"
#include "client/dirs.h"
#include "sim/posix_kit.h"
#include "tests/base/unit.h"

#include <string.h>

/*
 * Permissions.
 */

static void test_modes_are_minded(void)
{
    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0755), 0);
    make_closed("/d/f", 0640);
    CU_ASSERT_EQUAL(chown_as(0, "/d/f", 10, 20), 0);
    become(1, 10, 99);
    CU_ASSERT_EQUAL(open_as(1, "/d/f", CAPSTAN_OPEN_WRITE), 0);
    become(1, 11, 20);
    CU_ASSERT_EQUAL(open_as(1, "/d/f", CAPSTAN_OPEN_READ), 0);
    CU_ASSERT_EQUAL(open_as(1, "/d/f", CAPSTAN_OPEN_WRITE), -EACCES);
    CU_ASSERT_EQUAL(capstan_access(s(1), "/d/f", 4), 0);
    CU_ASSERT_EQUAL(capstan_access(s(1), "/d/f", 2), -EACCES);
    become(1, 12, 21);
    CU_ASSERT_EQUAL(open_as(1, "/d/f", CAPSTAN_OPEN_READ), -EACCES);
    CU_ASSERT_EQUAL(chmod_as(1, "/d/f", 0777), -EPERM);
    CU_ASSERT_EQUAL(capstan_mkdir(s(1), "/d/x", 0), -EACCES);
    CU_ASSERT_EQUAL(capstan_mkdir(s(1), "/d/f", 0), -EEXIST);
    CU_ASSERT_EQUAL(capstan_unlink(s(1), "/d/f"), -EACCES);
    CU_ASSERT_EQUAL(capstan_unlink(s(1), "/d/none"), -ENOENT);
    CU_ASSERT_EQUAL(capstan_rename(s(1), "/d/f", "/d/g", 0), -EACCES);
    CU_ASSERT_EQUAL(open_as(1, "/d/f",
                            CAPSTAN_OPEN_READ | CAPSTAN_OPEN_CREATE),
                    -EACCES);
    CU_ASSERT_EQUAL(chmod_as(0, "/d", 0700), 0);
    cli_dirs_drop(s(1)->dirs);
    CU_ASSERT_EQUAL(open_as(1, "/d/f", CAPSTAN_OPEN_READ), -EACCES);
    CU_ASSERT_EQUAL(capstan_access(s(1), "/d", 1), -EACCES);
    stop();
}

static void test_who_has_checked_is_not_checked(void)
{
    struct capstan_cred cred = {.uid = 12, .gid = 21, .is_checked = true};
    struct capstan_stat stat;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0700), 0);
    capstan_session_set_cred(s(1), &cred);
    CU_ASSERT_EQUAL(capstan_mkdir_at(s(1), ino_of("/d"), "x", 0711, &stat), 0);
    CU_ASSERT_EQUAL(stat.uid, 12);
    CU_ASSERT_EQUAL(stat.gid, 21);
    CU_ASSERT_EQUAL(stat.mode, 0711);
    stop();
}

static void test_sticky_directories_keep_what_is_not_ours(void)
{
    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/t", 01777), 0);
    become(0, 10, 10);
    make_closed("/t/f", 0666);
    become(1, 11, 11);
    CU_ASSERT_EQUAL(capstan_unlink(s(1), "/t/f"), -EPERM);
    CU_ASSERT_EQUAL(capstan_rename(s(1), "/t/f", "/t/g", 0), -EPERM);
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/t/f"), 0);
    stop();
}

static void test_set_id_bits_come_and_go(void)
{
    struct capstan_change size = {.valid = CAPSTAN_SET_SIZE, .size = 1};

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/g", 0777), 0);
    CU_ASSERT_EQUAL(chown_as(0, "/g", 0, 77), 0);
    CU_ASSERT_EQUAL(chmod_as(0, "/g", 02777), 0);
    become(0, 10, 10);
    make_closed("/g/f", 0777);
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/g/d", 0755), 0);
    CU_ASSERT_EQUAL(stat_of("/g/f").gid, 77);
    CU_ASSERT_EQUAL(stat_of("/g/d").gid, 77);
    CU_ASSERT_EQUAL(stat_of("/g/d").mode, 02755);
    CU_ASSERT_EQUAL(chmod_as(0, "/g/f", 06755), 0);
    CU_ASSERT_EQUAL(stat_of("/g/f").mode, 04755); /* not in that group */
    CU_ASSERT_EQUAL(capstan_setattr(s(0), "/g/f", 0, &size), 0);
    CU_ASSERT_EQUAL(stat_of("/g/f").mode, 0755);
    become(0, 0, 0);
    CU_ASSERT_EQUAL(chmod_as(0, "/g/f", 06755), 0);
    CU_ASSERT_EQUAL(chown_as(0, "/g/f", 11, 12), 0);
    CU_ASSERT_EQUAL(stat_of("/g/f").mode, 0755);
    become(0, 11, 12);
    CU_ASSERT_EQUAL(chown_as(0, "/g/f", 10, 12), -EPERM);
    CU_ASSERT_EQUAL(chown_as(0, "/g/f", 11, 13), -EPERM);
    CU_ASSERT_EQUAL(chown_as(0, "/g/f", 11, 12), 0);
    become(0, 0, 0);
    stop();
}

/* What others run as its owner is that no longer once somebody has changed it;
 * user 0 may. */
static void test_writing_takes_set_id_bits_away(void)
{
    struct capstan_file *file;
    size_t done;

    start();
    make_closed("/f", 0777);
    CU_ASSERT_EQUAL(chmod_as(0, "/f", 06777), 0);
    CU_ASSERT_EQUAL(
        capstan_file_open(s(0), "/f", CAPSTAN_OPEN_WRITE, NULL, &file), 0);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "root", 4, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    CU_ASSERT_EQUAL(stat_of("/f").mode, 06777);

    become(0, 10, 10);
    CU_ASSERT_EQUAL(
        capstan_file_open(s(0), "/f", CAPSTAN_OPEN_WRITE, NULL, &file), 0);
    CU_ASSERT_EQUAL(stat_of("/f").mode, 06777); /* not by opening it */
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "user", 4, &done), 0);
    CU_ASSERT_EQUAL(stat_of("/f").mode, 0777);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);

    become(0, 0, 0);
    CU_ASSERT_EQUAL(chmod_as(0, "/f", 04777), 0);
    become(0, 10, 10);
    CU_ASSERT_EQUAL(
        capstan_file_open(s(0), "/f", CAPSTAN_OPEN_WRITE, NULL, &file), 0);
    CU_ASSERT_EQUAL(capstan_file_truncate(file, 1), 0);
    CU_ASSERT_EQUAL(stat_of("/f").mode, 0777);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    become(0, 0, 0);
    stop();
}

/*
 * Links.
 */

static void test_symbolic_links_are_followed(void)
{
    struct capstan_stat stat;
    char text[16];
    size_t len;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d/e", 0), 0);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "d/e", "/to_e"), 0);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "/to_e/f", "/d/to_f"), 0);
    make_closed("/d/to_f", 0600); /* made where the link leads */
    CU_ASSERT_EQUAL(stat_of("/d/e/f").type, CAPSTAN_FILE);
    CU_ASSERT_EQUAL(capstan_stat(s(1), "/to_e/../to_f", &stat), 0);
    CU_ASSERT_EQUAL(stat.ino, ino_of("/d/e/f"));
    CU_ASSERT_EQUAL(stat_of("/to_e").type, CAPSTAN_SYMLINK);
    CU_ASSERT_EQUAL(stat_of("/to_e").size, 3);
    CU_ASSERT_EQUAL(capstan_readlink(s(0), "/to_e", text, 2, &len), 0);
    CU_ASSERT_EQUAL(len, 2);
    CU_ASSERT_EQUAL(capstan_readlink(s(0), "/d", text, 2, &len), -EINVAL);
    CU_ASSERT_EQUAL(open_as(0, "/d/to_f",
                            CAPSTAN_OPEN_READ | CAPSTAN_OPEN_NOFOLLOW),
                    -ELOOP);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "b", "/a"), 0);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "a", "/b"), 0);
    CU_ASSERT_EQUAL(capstan_stat(s(0), "/a", &stat), -ELOOP);
    CU_ASSERT_EQUAL(capstan_stat(s(0), "/a/x", &stat), -ELOOP);
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/a"), 0);
    CU_ASSERT_EQUAL(capstan_stat(s(0), "/b", &stat), -ENOENT);
    CU_ASSERT_EQUAL(capstan_session_set_prefix(s(0), "/capstan/"), 0);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "/capstan/d/e", "/in"), 0);
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "/etc", "/out"), 0);
    CU_ASSERT_EQUAL(capstan_stat(s(0), "/in/f", &stat), 0);
    CU_ASSERT_EQUAL(capstan_stat(s(0), "/out/f", &stat), -EXDEV);
    stop();
}

static void test_hard_links_share_one_file(void)
{
    struct capstan_file *file;
    char path[16];
    size_t done;
    uint64_t ino;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    file = make("/f", 0644);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "abc", 3, &done), 0);
    ino = capstan_file_ino(file);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "/d/l%u", i);
        CU_ASSERT_EQUAL(capstan_link(s(i % 2), "/f", path), 0);
    }
    CU_ASSERT_EQUAL(stat_of("/d/l3").nlink, 9);
    CU_ASSERT_EQUAL(ino_of("/d/l3"), ino);
    CU_ASSERT_EQUAL(stat_of("/d/l5").size, 3);
    CU_ASSERT_EQUAL(capstan_link(s(0), "/d", "/e"), -EPERM);
    CU_ASSERT_EQUAL(capstan_link(s(0), "/f", "/d/l0"), -EEXIST);
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/f"), 0);
    for (unsigned i = 0; i < 7; i++) {
        snprintf(path, sizeof(path), "/d/l%u", i);
        CU_ASSERT_EQUAL(capstan_unlink(s(i % 2), path), 0);
    }
    CU_ASSERT_EQUAL(stat_of("/d/l7").nlink, 1);
    CU_ASSERT_EQUAL(stat_of("/d/l7").size, 3);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    stop();
}

/*
 * Times.
 */

static void test_times_follow_what_is_done(void)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_MTIME |
                                             CAPSTAN_SET_ATIME,
                                    .mtime_ns = -1000,
                                    .atime_ns = -2000};
    struct capstan_stat before, after;
    static char bytes[20000];
    struct capstan_file *file;
    size_t done;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    before = stat_of("/d");
    sim_run(&sim, NS_PER_SEC);
    file = make("/d/f", 0644);
    after = stat_of("/d");
    CU_ASSERT(after.mtime_ns > before.mtime_ns);
    CU_ASSERT(after.ctime_ns > before.ctime_ns);
    before = stat_of("/d/f");
    sim_run(&sim, NS_PER_SEC);
    CU_ASSERT_EQUAL(
        capstan_file_write(file, 0, bytes, sizeof(bytes), &done), 0);
    after = stat_of("/d/f");
    CU_ASSERT(after.mtime_ns > before.mtime_ns);
    CU_ASSERT(after.ctime_ns > before.ctime_ns);
    CU_ASSERT_EQUAL(capstan_setattr(s(1), "/d/f", 0, &change), 0);
    CU_ASSERT_EQUAL(stat_of("/d/f").mtime_ns, -1000); /* striped: all columns */
    CU_ASSERT_EQUAL(stat_of("/d/f").atime_ns, -2000);
    CU_ASSERT_EQUAL(stat_of("/d/f").size, sizeof(bytes));
    sim_run(&sim, NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_write(file, 9000, bytes, 1, &done), 0);
    CU_ASSERT(stat_of("/d/f").mtime_ns > after.mtime_ns);
    CU_ASSERT_EQUAL(capstan_setattr(s(1), "/d", 0, &change), 0);
    CU_ASSERT_EQUAL(stat_of("/d").mtime_ns, -1000);
    before = stat_of("/d/f");
    sim_run(&sim, NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_truncate(file, 5), 0);
    CU_ASSERT(stat_of("/d/f").mtime_ns > before.mtime_ns);
    CU_ASSERT_EQUAL(stat_of("/d/f").size, 5);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    before = stat_of("/d/f");
    sim_run(&sim, NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_rename(s(0), "/d/f", "/d/g", 0), 0);
    CU_ASSERT(stat_of("/d/g").ctime_ns > before.ctime_ns);
    CU_ASSERT_EQUAL(stat_of("/d/g").mtime_ns, before.mtime_ns);
    stop();
}

/*
 * Extended attributes.
 */

static void test_extended_attributes(void)
{
    char value[CAPSTAN_XATTR_MAX + 1] = "", names[64];
    size_t len;
    uint64_t ino;

    start();
    make_closed("/f", 0644);
    ino = ino_of("/f");
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.a", "one", 3, 0), 0);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.b", "", 0, 0), 0);
    CU_ASSERT_EQUAL(capstan_xattr_get(s(1), ino, "user.a", value, 8, &len), 0);
    CU_ASSERT_EQUAL(len, 3);
    CU_ASSERT_EQUAL(capstan_xattr_get(s(1), ino, "user.a", value, 2, &len),
                    -ERANGE);
    CU_ASSERT_EQUAL(capstan_xattr_get(s(1), ino, "user.a", NULL, 0, &len), 0);
    CU_ASSERT_EQUAL(capstan_xattr_list(s(1), ino, names, 64, &len), 0);
    CU_ASSERT_EQUAL(len, 14);
    CU_ASSERT_EQUAL(memcmp(names, "user.a\0user.b", 14), 0);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.a", "", 0,
                                      CAPSTAN_XATTR_CREATE),
                    -EEXIST);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.c", "", 0,
                                      CAPSTAN_XATTR_REPLACE),
                    -ENODATA);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.big", value,
                                      CAPSTAN_XATTR_MAX, 0),
                    0);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.big2", value,
                                      CAPSTAN_XATTR_MAX, 0),
                    -ENOSPC);
    /* in place of itself it needs no more room */
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.big", value,
                                      CAPSTAN_XATTR_MAX, 0),
                    0);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.big3", value,
                                      CAPSTAN_XATTR_MAX + 1, 0),
                    -E2BIG);
    CU_ASSERT_EQUAL(
        capstan_xattr_get(s(0), ino, "system.posix_acl_access", value, 8, &len),
        -EOPNOTSUPP);
    CU_ASSERT_EQUAL(capstan_xattr_remove(s(0), ino, "user.b"), 0);
    CU_ASSERT_EQUAL(capstan_xattr_remove(s(0), ino, "user.b"), -ENODATA);
    become(1, 10, 10);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(1), ino, "user.a", "", 0, 0), -EACCES);
    CU_ASSERT_EQUAL(capstan_xattr_set(s(1), ino, "trusted.a", "", 0, 0),
                    -EPERM);
    stop();
}

/* Those of user 0 and the system. */
static void test_links_and_nodes_have_attributes(void)
{
    static const char *const paths[] = {"/l", "/p", "/c"};
    char value[8];
    size_t len;

    start();
    CU_ASSERT_EQUAL(capstan_symlink(s(0), "to", "/l"), 0);
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/p", CAPSTAN_FIFO, 0600, 0), 0);
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/c", CAPSTAN_CHAR, 0600, 0x103), 0);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t ino = stat_of(paths[i]).ino;

        CU_ASSERT_EQUAL(capstan_xattr_set(s(0), ino, "user.a", "", 0, 0),
                        -EPERM);
        CU_ASSERT_EQUAL(
            capstan_xattr_set(s(0), ino, "trusted.a", "one", 3, 0), 0);
        CU_ASSERT_EQUAL(
            capstan_xattr_set(s(0), ino, "trusted.b", "two", 3, 0), 0);
        CU_ASSERT_EQUAL(capstan_xattr_remove(s(0), ino, "trusted.a"), 0);
        CU_ASSERT_EQUAL(
            capstan_xattr_get(s(1), ino, "trusted.b", value, 8, &len), 0);
        CU_ASSERT_EQUAL(len, 3);
    }
    CU_ASSERT_EQUAL(stat_of("/l").size, 2);
    CU_ASSERT_EQUAL(stat_of("/c").rdev, 0x103);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(capstan_unlink(s(0), paths[i]), 0);
    stop();
}

/*
 * Listing and space.
 */

/* Every second entry is removed while the listing goes on, also from the
 * middle, where a program went back by cookie. */
static void test_listing_loses_nothing_while_entries_go(void)
{
    enum { N = 2000 };
    unsigned seen[N] = {0}, n, i;
    struct capstan_dirent entry;
    struct capstan_dir *dir;
    uint64_t cookie = 0, middle = 0;
    char path[32];

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    for (i = 0; i < N; i++) {
        snprintf(path, sizeof(path), "/d/%u", i);
        CU_ASSERT_EQUAL(capstan_symlink(s(0), "x", path), 0);
    }
    CU_ASSERT_EQUAL_FATAL(capstan_dir_open(s(1), "/d", &dir), 0);
    for (i = 0; capstan_dir_read(dir, &entry) == 0; i++) {
        CU_ASSERT_FATAL(sscanf(entry.name, "%u", &n) == 1 && n < N);
        CU_ASSERT(entry.cookie > CAPSTAN_COOKIE_MIN);
        CU_ASSERT(entry.cookie > cookie);
        cookie = entry.cookie;
        seen[n]++;
        if (n % 2 == 0) {
            snprintf(path, sizeof(path), "/d/%u", n);
            CU_ASSERT_EQUAL(capstan_unlink(s(0), path), 0);
        }
        if (i == N / 2)
            middle = entry.cookie;
    }
    for (i = 0; i < N; i++)
        CU_ASSERT_EQUAL(seen[i], 1);
    capstan_dir_seek(dir, middle);
    for (n = 0; capstan_dir_read(dir, &entry) == 0; n++)
        CU_ASSERT(entry.cookie > middle);
    CU_ASSERT(n > N / 8 && n < N / 2);
    capstan_dir_close(&dir);
    CU_ASSERT_EQUAL(stat_of("/").nlink, 3);
    stop();
}

static void test_space_is_that_of_all_targets(void)
{
    struct capstan_statfs statfs;

    start();
    CU_ASSERT_EQUAL(capstan_statfs(s(0), &statfs), 0);
    CU_ASSERT_EQUAL(statfs.targets, 4);
    CU_ASSERT_EQUAL(statfs.silent, 0);
    CU_ASSERT_EQUAL(statfs.total_bytes, 4 * (1ull << 32));
    CU_ASSERT(statfs.free_bytes <= statfs.total_bytes);
    stop();
}

static void test_nodes_are_records(void)
{
    struct capstan_stat stat;

    start();
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/p", CAPSTAN_FIFO, 0600, 0), 0);
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/c", CAPSTAN_CHAR, 0600, 0x103), 0);
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/f", CAPSTAN_FILE, 0600, 0), 0);
    CU_ASSERT_EQUAL(capstan_mknod(s(0), "/l", CAPSTAN_SYMLINK, 0600, 0),
                    -EINVAL);
    stat = stat_of("/c");
    CU_ASSERT_EQUAL(stat.type, CAPSTAN_CHAR);
    CU_ASSERT_EQUAL(stat.rdev, 0x103);
    CU_ASSERT_EQUAL(open_as(0, "/p", CAPSTAN_OPEN_READ), -EINVAL);
    CU_ASSERT_EQUAL(open_as(0, "/f", CAPSTAN_OPEN_READ), 0);
    become(1, 10, 10);
    CU_ASSERT_EQUAL(capstan_mknod(s(1), "/x", CAPSTAN_BLOCK, 0600, 1), -EPERM);
    stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_modes_are_minded),
        UNIT_TEST(test_who_has_checked_is_not_checked),
        UNIT_TEST(test_sticky_directories_keep_what_is_not_ours),
        UNIT_TEST(test_set_id_bits_come_and_go),
        UNIT_TEST(test_writing_takes_set_id_bits_away),
        UNIT_TEST(test_symbolic_links_are_followed),
        UNIT_TEST(test_hard_links_share_one_file),
        UNIT_TEST(test_times_follow_what_is_done),
        UNIT_TEST(test_extended_attributes),
        UNIT_TEST(test_links_and_nodes_have_attributes),
        UNIT_TEST(test_listing_loses_nothing_while_entries_go),
        UNIT_TEST(test_space_is_that_of_all_targets),
        UNIT_TEST(test_nodes_are_records),
    };

    return UNIT_MAIN("sim/posix", tests);
}
