/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths, the cache of directories, and operations on names, against scripted
 * servers.
 */
#include "client/path.h"
#include "tests/base/unit.h"
#include "tests/client/fake.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake *start(unsigned ntargets)
{
    struct net_sim_config odds = fake_calm(1);

    return fake_create(ntargets, &odds);
}

static void test_long_names_and_paths_are_refused(void)
{
    struct fake *fake = start(1);
    struct capstan_stat stat;
    char text[PATH_LEN_MAX + 10];

    memset(text, 'x', sizeof(text));
    text[NAME_LEN_MAX] = '\0';
    CU_ASSERT_EQUAL(capstan_stat(fake->session, text, &stat), -ENOENT);
    text[NAME_LEN_MAX] = 'x';
    text[NAME_LEN_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(capstan_stat(fake->session, text, &stat), -ENAMETOOLONG);
    memset(text, '/', sizeof(text));
    text[PATH_LEN_MAX] = '\0';
    CU_ASSERT_EQUAL(capstan_stat(fake->session, text, &stat), 0);
    text[PATH_LEN_MAX] = '/';
    text[PATH_LEN_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(capstan_stat(fake->session, text, &stat), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "", &stat), -ENOENT);
    fake_destroy(fake);
}

static void test_dots_and_slashes_are_walked(void)
{
    static const struct {
        const char *path;
        int rc;
    } paths[] = {{"//a///b/", 0},     {"a/b", 0},          {"/a/./b/.", 0},
                 {"/a/../a/b", 0},    {"/../../a", 0},     {"/a/b/../..", 0},
                 {"/..a/.b", -ENOENT}, {"/a/none/..", -ENOENT},
                 {"/f/.", -ENOTDIR},  {"/f/..", -ENOTDIR}, {"/f/", -ENOTDIR}};
    struct fake *fake = start(3);
    struct capstan_session *session = fake->session;
    struct capstan_file *file;
    struct capstan_stat stat;

    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a", 0), 0);
    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a/b/", 0), 0);
    CU_ASSERT_EQUAL(capstan_file_open(session, "/f",
                                      CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE,
                                      NULL, &file),
                    0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CU_ASSERT_EQUAL(capstan_stat(session, paths[i].path, &stat),
                        paths[i].rc);
    CU_ASSERT_EQUAL(capstan_rmdir(session, "/a/b/."), -EINVAL);
    CU_ASSERT_EQUAL(capstan_rmdir(session, "/a/b/.."), -ENOTEMPTY);
    CU_ASSERT_EQUAL(capstan_unlink(session, "/f/"), -ENOTDIR);
    fake_destroy(fake);
}

static void make_deep(struct fake *fake)
{
    struct capstan_session *session = fake->session;

    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a", 0), 0);
    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a/b", 0700), 0);
    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a/b/c", 0), 0);
}

static void test_a_hot_path_costs_one_call(void)
{
    struct fake *fake = start(5);
    struct capstan_stat stat;

    make_deep(fake);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/c", &stat), 0);
    fake_count_anew(fake);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/c", &stat), 0);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_lookup], 1);
    CU_ASSERT_EQUAL(stat.type, CAPSTAN_DIRECTORY);
    clock_virtual_set(&fake->clock, fake->clock.now_ns + 2 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/c", &stat), 0);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_lookup], 4);
    fake_destroy(fake);
}

static void test_a_stale_directory_is_walked_again(void)
{
    struct fake *fake = start(3);
    struct capstan_stat stat;
    struct fake_name *b;

    make_deep(fake);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/c", &stat), 0);
    /* Another client removed /a/b and made it anew. */
    b = fake_find(fake, fake_find(fake, INO_ROOT, "a")->inode.ino, "b");
    fake_find(fake, b->inode.ino, "c")->parent = ino_make(1, 9999);
    b->inode.ino = ino_make(1, 9999);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/c", &stat), 0);
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/a/b/d", &stat), -ENOENT);
    fake_destroy(fake);
}

static void test_the_cache_is_bounded(void)
{
    struct fake *fake = start(1);
    struct capstan_stat stat;
    char path[64];

    for (unsigned i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "/d%u", i);
        CU_ASSERT_EQUAL(capstan_mkdir(fake->session, path, 0), 0);
        snprintf(path, sizeof(path), "/d%u/none", i);
        CU_ASSERT_EQUAL(capstan_stat(fake->session, path, &stat), -ENOENT);
    }
    CU_ASSERT(cli_dirs_count(fake->session->dirs) == 20);
    fake_destroy(fake);
}

static void test_errors_name_the_object_and_the_cause(void)
{
    struct fake *fake = start(3);
    struct capstan_session *session = fake->session;
    struct capstan_file *file;
    struct capstan_stat stat;

    make_deep(fake);
    CU_ASSERT_EQUAL(capstan_stat(session, "/no/such", &stat), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(capstan_session_error(session), "/no/such"));
    CU_ASSERT_PTR_NOT_NULL(strstr(capstan_session_error(session), "server s1"));
    CU_ASSERT_EQUAL(capstan_mkdir(session, "/a", 0), -EEXIST);
    CU_ASSERT_EQUAL(capstan_mkdir(session, "/", 0), -EEXIST);
    CU_ASSERT_EQUAL(capstan_rmdir(session, "/"), -EBUSY);
    CU_ASSERT_EQUAL(capstan_unlink(session, "/a"), -EISDIR);
    CU_ASSERT_EQUAL(
        capstan_file_open(session, "/a", CAPSTAN_OPEN_READ, NULL, &file),
        -EISDIR);
    CU_ASSERT_EQUAL(capstan_file_open(session, "/f",
                                      CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE,
                                      NULL, &file),
                    0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    CU_ASSERT_EQUAL(capstan_stat(session, "/f/x", &stat), -ENOTDIR);
    CU_ASSERT_EQUAL(capstan_file_open(session, "/f",
                                      CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                                          CAPSTAN_OPEN_EXCL,
                                      NULL, &file),
                    -EEXIST);
    CU_ASSERT_EQUAL(
        capstan_file_open(session, "/f", CAPSTAN_OPEN_CREATE, NULL, &file),
        -EINVAL);
    CU_ASSERT_EQUAL(capstan_rmdir(session, "/a/b/c"), 0);
    CU_ASSERT_EQUAL(capstan_stat(session, "/a/b/c", &stat), -ENOENT);
    CU_ASSERT_EQUAL(capstan_unlink(session, "/f"), 0);
    fake_destroy(fake);
}

static void test_a_frozen_parent_is_asked_again(void)
{
    struct fake *fake = start(2);
    uint64_t before;

    fake->fail_opcode = PROTO_OP_mkdir;
    fake->fail_rc = -ERR_FROZEN;
    fake->fail_count = 3;
    CU_ASSERT_EQUAL(capstan_mkdir(fake->session, "/d", 0), 0);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_mkdir], 4);
    fake->fail_count = 1u << 30;
    capstan_session_set_timeout(fake->session, 100);
    before = fake->clock.now_ns;
    CU_ASSERT_EQUAL(capstan_mkdir(fake->session, "/e", 0), -ERR_FROZEN);
    CU_ASSERT(fake->clock.now_ns - before < 200 * NS_PER_MS);
    CU_ASSERT_EQUAL(capstan_errno(-ERR_FROZEN), EBUSY);
    fake_destroy(fake);
}

static void test_a_silent_server_is_a_timeout(void)
{
    struct fake *fake = start(1);
    struct capstan_stat stat;
    uint64_t before;

    fake->targets[0].is_silent = true;
    capstan_session_set_timeout(fake->session, 3000);
    before = fake->clock.now_ns;
    CU_ASSERT_EQUAL(capstan_stat(fake->session, "/x", &stat), -ETIMEDOUT);
    CU_ASSERT(fake->clock.now_ns - before < 3100 * NS_PER_MS);
    fake_destroy(fake);
}

static void test_listing_visits_every_entry_once(void)
{
    struct fake *fake = start(11);
    struct capstan_dirent entry;
    struct capstan_dir *dir;
    unsigned seen[60] = {0}, n;
    char path[64];
    int rc;

    CU_ASSERT_EQUAL(capstan_mkdir(fake->session, "/d", 0), 0);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(path, sizeof(path), "/d/n%u", i);
        CU_ASSERT_EQUAL(capstan_mkdir(fake->session, path, 0), 0);
    }
    CU_ASSERT_EQUAL_FATAL(capstan_dir_open(fake->session, "/d", &dir), 0);
    while ((rc = capstan_dir_read(dir, &entry)) == 0) {
        CU_ASSERT_EQUAL_FATAL(sscanf(entry.name, "n%u", &n), 1);
        CU_ASSERT_FATAL(n < 60);
        seen[n]++;
    }
    CU_ASSERT_EQUAL(rc, -ENOENT);
    CU_ASSERT_EQUAL(capstan_dir_read(dir, &entry), -ENOENT);
    for (unsigned i = 0; i < 60; i++)
        CU_ASSERT_EQUAL(seen[i], 1);
    capstan_dir_close(&dir);
    CU_ASSERT_EQUAL(capstan_dir_open(fake->session, "/d/n1/x", &dir), -ENOENT);
    fake_destroy(fake);
}

static void test_counters_have_names_and_units(void)
{
    struct capstan_counter counters[CAPSTAN_COUNTERS_MAX];
    struct fake *fake = start(2);
    struct capstan_target target;
    size_t count = 0, i;

    CU_ASSERT_EQUAL(capstan_target_count(fake->session), 2);
    capstan_target_info(fake->session, 1, &target);
    CU_ASSERT_EQUAL(target.id, 2);
    CU_ASSERT_STRING_EQUAL(target.server, "s1");
    CU_ASSERT_EQUAL(capstan_target_counters(fake->session, 2, counters,
                                            CAPSTAN_COUNTERS_MAX, &count),
                    0);
    for (i = 0; i < count && strcmp(counters[i].name, "requests") != 0; i++)
        ;
    CU_ASSERT_FATAL(i < count);
    CU_ASSERT_EQUAL(counters[i].value, 42);
    CU_ASSERT_EQUAL(
        capstan_target_counters(fake->session, 77, counters, 1, &count),
        -EINVAL);
    fake_destroy(fake);
}

/* Run it in a child. @return its exit code; -1: it did not end so. */
static int in_child(int (*work)(struct capstan_session *session),
                    struct capstan_session *session)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(work(session));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int is_refused(struct capstan_session *session)
{
    struct capstan_stat stat;

    return capstan_stat(session, "/", &stat) == -EPERM &&
                   capstan_session_wait(session, 1000) == 0
               ? 0
               : 1;
}

static int is_refused_to_grandchild(struct capstan_session *session)
{
    return in_child(is_refused, session);
}

/* It closes its parent's, and opens one of its own. */
static int opens_its_own(struct capstan_session *session)
{
    struct capstan_stat stat;
    struct fake *own;
    int rc;

    capstan_session_close(&session);
    own = start(1);
    rc = capstan_stat(own->session, "/", &stat);
    if (rc == 0)
        rc = in_child(is_refused, own->session);
    fake_destroy(own);
    return rc == 0 ? 0 : 1;
}

/* Whatever children did, the parent goes on. */
static void check_children(struct capstan_session *session)
{
    struct capstan_stat stat;

    CU_ASSERT_EQUAL(in_child(is_refused, session), 0);
    CU_ASSERT_EQUAL(in_child(is_refused_to_grandchild, session), 0);
    CU_ASSERT_EQUAL(capstan_stat(session, "/", &stat), 0);
    CU_ASSERT_EQUAL(in_child(opens_its_own, session), 0);
    CU_ASSERT_EQUAL(capstan_stat(session, "/", &stat), 0);
}

static void test_a_child_after_fork_is_refused(void)
{
    struct fake *fake = start(1);

    check_children(fake->session);
    fake_destroy(fake);
}

/* As on a kernel that clears no page in children. */
static void test_a_child_is_refused_by_number(void)
{
    struct fake *fake = start(1);

    if (fake->session->mark != NULL)
        munmap((void *)(uintptr_t)fake->session->mark,
               (size_t)sysconf(_SC_PAGESIZE));
    fake->session->mark = NULL;
    check_children(fake->session);
    fake_destroy(fake);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_long_names_and_paths_are_refused),
        UNIT_TEST(test_dots_and_slashes_are_walked),
        UNIT_TEST(test_a_hot_path_costs_one_call),
        UNIT_TEST(test_a_stale_directory_is_walked_again),
        UNIT_TEST(test_the_cache_is_bounded),
        UNIT_TEST(test_errors_name_the_object_and_the_cause),
        UNIT_TEST(test_a_frozen_parent_is_asked_again),
        UNIT_TEST(test_a_silent_server_is_a_timeout),
        UNIT_TEST(test_listing_visits_every_entry_once),
        UNIT_TEST(test_counters_have_names_and_units),
        UNIT_TEST(test_a_child_after_fork_is_refused),
        UNIT_TEST(test_a_child_is_refused_by_number),
    };

    return UNIT_MAIN("client/names", tests);
}
