/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What POSIX says of open files, and what each call costs in requests, on a
 * simulated cluster of four targets.
 */
#include "sim/posix_kit.h"
#include "tests/base/unit.h"

#include <string.h>

/*
 * Open files.
 */

static void test_a_file_outlives_its_name_while_it_is_open(void)
{
    struct capstan_file *file, *other;
    struct capstan_stat stat;
    char bytes[8] = "";
    size_t done;
    uint64_t ino;

    start();
    file = make("/f", 0644);
    ino = capstan_file_ino(file);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "hold", 4, &done), 0);
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/f"), 0);
    sim_run(&sim, 60 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 8, &done), 0);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_EQUAL(capstan_file_write(file, 4, "er", 2, &done), 0);
    CU_ASSERT_EQUAL(capstan_inode_stat(s(0), ino, &stat), 0);
    CU_ASSERT_EQUAL(stat.nlink, 0);
    CU_ASSERT_EQUAL(stat.size, 6);
    sim_kill(&sim, ino_target(ino) - 1u);
    sim_run(&sim, 20 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 8, &done), 0);
    CU_ASSERT_EQUAL(done, 6);
    other = make("/g", 0644); /* renamed over what is open */
    CU_ASSERT_EQUAL(capstan_file_write(other, 0, "old", 3, &done), 0);
    make_closed("/h", 0644);
    CU_ASSERT_EQUAL(capstan_rename(s(0), "/h", "/g", 0), 0);
    sim_run(&sim, 60 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_read(other, 0, bytes, 8, &done), 0);
    CU_ASSERT_EQUAL(done, 3);
    CU_ASSERT_EQUAL(capstan_file_close(&other), 0);
    ino = capstan_file_ino(file);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    sim_run(&sim, 3700 * NS_PER_SEC); /* the restarted server's grace */
    CU_ASSERT_EQUAL(capstan_inode_stat(s(0), ino, &stat), -ESTALE);
    stop();
}

/* Its space with it, also in the first hour of a server; what was held before a
 * restart stays for a lease. */
static void test_a_removed_file_goes_with_its_last_close(void)
{
    struct capstan_file *file, *other;

    start();
    for (unsigned i = 0; i < 2; i++) {
        file = make("/f", 0644);
        CU_ASSERT_EQUAL(capstan_unlink(s(0), "/f"), 0);
        sim_run(&sim, 10 * NS_PER_SEC);
        CU_ASSERT_EQUAL(sim_counter(&sim, COUNTER_orphans), 1);
        CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
        sim_run(&sim, 10 * NS_PER_SEC);
        CU_ASSERT_EQUAL(sim_counter(&sim, COUNTER_orphans), 0);
        for (unsigned k = 0; k < 4; k++) /* the same again after a restart */
            sim_kill(&sim, k);
        sim_run(&sim, 20 * NS_PER_SEC);
    }
    other = make("/g", 0644);
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/g"), 0);
    for (unsigned k = 0; k < 4; k++)
        sim_kill(&sim, k);
    sim_run(&sim, 3000 * NS_PER_SEC);
    CU_ASSERT_EQUAL(sim_counter(&sim, COUNTER_orphans), 1);
    sim_run(&sim, 700 * NS_PER_SEC);
    CU_ASSERT_EQUAL(sim_counter(&sim, COUNTER_orphans), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&other), 0);
    stop();
}

/* Removed files whose homes are dead are closed at once all the same: one close
 * waits a moment, not each for as long as the session would. */
static void test_closing_removed_files_does_not_wait_for_dead_servers(void)
{
    enum { N = 20 };
    struct capstan_file *files[N];
    uint64_t begin;
    char path[16];

    start();
    for (unsigned i = 0; i < N; i++) {
        snprintf(path, sizeof(path), "/f%u", i);
        files[i] = make(path, 0644);
        CU_ASSERT_EQUAL(capstan_unlink(s(0), path), 0);
    }
    begin = clock_now(s(0)->clock);
    for (unsigned i = 0; i < 4; i++) {
        sim_kill(&sim, i);
        sim.servers[i].restart_ns = begin + 300 * NS_PER_SEC;
    }
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(capstan_file_close(&files[i]), 0);
    CU_ASSERT(clock_now(s(0)->clock) - begin < 2 * NS_PER_SEC);
    sim_run(&sim, 4200 * NS_PER_SEC); /* restarted, and their grace */
    CU_ASSERT_EQUAL(stat_of("/").nlink, 2);
    CU_ASSERT_PTR_NULL(s(0)->holds);
    stop();
}

static void test_appends_stand_one_behind_the_other(void)
{
    struct capstan_file *file[2];
    char bytes[5000], read[20000];
    uint64_t end, wanted = 0;
    size_t done;

    start();
    file[0] = make("/f", 0666);
    CU_ASSERT_EQUAL_FATAL(capstan_file_open(s(1), "/f", CAPSTAN_OPEN_WRITE,
                                            NULL, &file[1]),
                          0);
    for (unsigned i = 0; i < 4; i++) {
        memset(bytes, 'a' + (int)i, sizeof(bytes));
        wanted += 1000 * (i + 1);
        CU_ASSERT_EQUAL(
            capstan_file_append(file[i % 2], bytes, 1000 * (i + 1), &end), 0);
        CU_ASSERT_EQUAL(end, wanted);
    }
    CU_ASSERT_EQUAL(capstan_file_read(file[0], 0, read, sizeof(read), &done),
                    0);
    CU_ASSERT_EQUAL(done, 10000);
    CU_ASSERT(read[0] == 'a' && read[999] == 'a' && read[1000] == 'b' &&
              read[3000] == 'c' && read[9999] == 'd');
    CU_ASSERT_EQUAL(capstan_file_close(&file[0]), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file[1]), 0);
    stop();
}

/* What came when the file was opened is good for a second, and until this
 * session changes the file. */
static void test_bytes_that_came_ahead_grow_old(void)
{
    struct capstan_file *file, *other;
    char bytes[16];
    size_t done;

    start();
    other = make("/f", 0644);
    CU_ASSERT_EQUAL(capstan_file_write(other, 0, "one", 3, &done), 0);
    CU_ASSERT_EQUAL_FATAL(
        capstan_file_open(s(0), "/f", CAPSTAN_OPEN_READ | CAPSTAN_OPEN_AHEAD,
                          NULL, &file),
        0);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 16, &done), 0);
    CU_ASSERT_EQUAL(done, 3);
    CU_ASSERT_EQUAL(capstan_file_write(other, 3, "two", 3, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 16, &done), 0);
    CU_ASSERT_EQUAL(done, 6);
    CU_ASSERT_EQUAL(memcmp(bytes, "onetwo", 6), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    CU_ASSERT_EQUAL_FATAL(
        capstan_file_open(s(1), "/f", CAPSTAN_OPEN_READ | CAPSTAN_OPEN_AHEAD,
                          NULL, &file),
        0);
    CU_ASSERT_EQUAL(capstan_file_truncate(other, 2), 0);
    sim_run(&sim, 2 * NS_PER_SEC);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 16, &done), 0);
    CU_ASSERT_EQUAL(done, 2);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&other), 0);
    stop();
}

static void test_renamed_files_stay_open(void)
{
    struct capstan_file *file;
    char bytes[4];
    size_t done;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    file = make("/f", 0644);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, "abc", 3, &done), 0);
    CU_ASSERT_EQUAL(capstan_rename(s(1), "/f", "/d/g", 0), 0);
    CU_ASSERT_EQUAL(capstan_file_write(file, 5000, "x", 1, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, bytes, 3, &done), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, "abc", 3), 0);
    CU_ASSERT_EQUAL(stat_of("/d/g").size, 5001);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    stop();
}

/*
 * What it costs.
 */

static uint64_t requests(void)
{
    struct capstan_session_stats stats;

    capstan_session_stats(s(0), &stats);
    return stats.requests;
}

#define COSTS(n, call)                                                         \
    do {                                                                       \
        uint64_t before = requests();                                          \
        CU_ASSERT_EQUAL(call, 0);                                              \
        CU_ASSERT_EQUAL(requests() - before, n);                               \
    } while (0)

static void test_requests_are_few(void)
{
    struct capstan_stat stat;
    struct capstan_file *file;
    char path[32], bytes[4096] = "";
    size_t done;

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    make_closed("/d/warm", 0644);
    for (unsigned i = 0; i < 8; i++) { /* whatever target it is */
        snprintf(path, sizeof(path), "/d/f%u", i);
        COSTS(1, capstan_file_open(s(0), path,
                                   CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                                       CAPSTAN_OPEN_EXCL,
                                   NULL, &file));
        COSTS(1, capstan_file_write(file, 0, bytes, 3901, &done));
        COSTS(2, capstan_file_close(&file)); /* layout, sync */
        COSTS(1, capstan_stat(s(0), path, &stat));
        CU_ASSERT_EQUAL(stat.size, 3901);
        COSTS(1, capstan_access(s(0), path, 4));
        COSTS(1, capstan_file_open(s(0), path, CAPSTAN_OPEN_READ, NULL, &file));
        COSTS(1, capstan_file_read(file, 0, bytes, 3901, &done));
        COSTS(0, capstan_file_close(&file));
        COSTS(1, capstan_file_open(s(0), path,
                                   CAPSTAN_OPEN_READ | CAPSTAN_OPEN_AHEAD, NULL,
                                   &file));
        COSTS(0, capstan_file_read(file, 1, bytes, 4000, &done));
        CU_ASSERT_EQUAL(done, 3900);
        COSTS(0, capstan_file_close(&file));
        COSTS(1, capstan_unlink(s(0), path));
        COSTS(1, capstan_mkdir(s(0), path, 0));
        COSTS(1, capstan_rmdir(s(0), path));
    }
    COSTS(5, capstan_stat(s(0), "/d", &stat)); /* and its four targets */
    stop();
}

/* So that a kernel which kept the name of the old directory looks anew. */
static void test_a_lookup_tells_of_a_removed_directory(void)
{
    struct capstan_stat stat;
    uint64_t dir = 0;
    char name[16];

    start();
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    CU_ASSERT_EQUAL(capstan_resolve(s(0), "/d", 0, &dir), 0);
    CU_ASSERT_EQUAL(capstan_lookup_at(s(1), dir, "x", 0, &stat), -ENOENT);
    CU_ASSERT_EQUAL(capstan_rmdir(s(0), "/d"), 0);
    CU_ASSERT_EQUAL(capstan_mkdir(s(0), "/d", 0), 0);
    make_closed("/d/f0", 0644);
    for (unsigned i = 0; i < 8; i++) { /* whatever target it is */
        snprintf(name, sizeof(name), "f%u", i);
        CU_ASSERT_EQUAL(capstan_lookup_at(s(1), dir, name, 0, &stat), -ESTALE);
    }
    CU_ASSERT_EQUAL(capstan_stat(s(1), "/d/f0", &stat), 0);
    CU_ASSERT_EQUAL(capstan_stat(s(1), "/d/f1", &stat), -ENOENT);
    stop();
}

static void test_an_opened_file_opens_elsewhere_without_a_request(void)
{
    struct capstan_session_stats before, after;
    struct capstan_file *file, *other;
    struct capstan_opened *opened;
    char bytes[6000] = "here", back[6000];
    size_t done;

    start();
    file = make("/f", 0600);
    CU_ASSERT_EQUAL(capstan_file_opened(file, &opened), 0);
    become(1, 1000, 1000); /* who might not open it by name */
    capstan_session_stats(s(1), &before);
    CU_ASSERT_EQUAL(capstan_opened_open(s(1), opened, 0, &other), -EINVAL);
    CU_ASSERT_EQUAL_FATAL(
        capstan_opened_open(s(1), opened, CAPSTAN_OPEN_READ, &other), 0);
    capstan_session_stats(s(1), &after);
    CU_ASSERT_EQUAL(after.requests, before.requests);
    CU_ASSERT_EQUAL(capstan_file_ino(other), capstan_file_ino(file));
    /* it is striped only now: what the other knows of it is old */
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, bytes, 6000, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_read(other, 0, back, 6000, &done), 0);
    CU_ASSERT_EQUAL(done, 6000);
    CU_ASSERT(memcmp(bytes, back, 6000) == 0);
    CU_ASSERT_EQUAL(capstan_file_write(other, 0, bytes, 1, &done), -EBADF);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    capstan_opened_free(&opened);
    CU_ASSERT_PTR_NULL(opened);
    CU_ASSERT_EQUAL(capstan_file_read(other, 0, back, 10, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&other), 0);
    stop();
}

static uint64_t taken(void)
{
    struct counters counters;
    uint64_t sum = 0;

    for (unsigned i = 0; i < 4; i++) {
        srv_target_counters(sim.servers[i].target, &counters);
        sum += counters.value[COUNTER_requests];
    }
    return sum;
}

/* Nor does a small file's removal cost the targets that it never lay on. */
static void test_a_small_file_is_freed_at_its_home_alone(void)
{
    struct capstan_file *file;
    uint64_t before;
    char bytes[6000] = "";
    size_t done;

    start();
    file = make("/small", 0600);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, bytes, 4096, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    file = make("/large", 0600);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, bytes, 6000, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    before = taken();
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/small"), 0);
    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT_EQUAL(taken() - before, 1);
    before = taken();
    CU_ASSERT_EQUAL(capstan_unlink(s(0), "/large"), 0);
    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT_EQUAL(taken() - before, 1 + 3);
    stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_file_outlives_its_name_while_it_is_open),
        UNIT_TEST(test_a_removed_file_goes_with_its_last_close),
        UNIT_TEST(test_closing_removed_files_does_not_wait_for_dead_servers),
        UNIT_TEST(test_appends_stand_one_behind_the_other),
        UNIT_TEST(test_bytes_that_came_ahead_grow_old),
        UNIT_TEST(test_renamed_files_stay_open),
        UNIT_TEST(test_requests_are_few),
        UNIT_TEST(test_a_lookup_tells_of_a_removed_directory),
        UNIT_TEST(test_an_opened_file_opens_elsewhere_without_a_request),
        UNIT_TEST(test_a_small_file_is_freed_at_its_home_alone),
    };

    return UNIT_MAIN("sim/posix_files", tests);
}
