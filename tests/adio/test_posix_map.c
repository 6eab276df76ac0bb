/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads out of a mapping, slice by slice: the bytes are the file's, a file that
 * was cut is told, and so is that the thread cannot be guarded any more.
 */
#include "adio/ad_posix/posix_map.h"

#include "tests/base/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE (256u << 10)
#define SLICE (64u << 10)

static char content[SIZE], out[SIZE];
static struct run whole = {.length = SIZE, .count = 1};
static struct posix_map map;
static struct posix_io io;
static int fd;

static void start(void)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];

    snprintf(path, sizeof(path), "%s/capstan-map.XXXXXX",
             dir != NULL ? dir : "/tmp");
    fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    unlink(path);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 7 + i / 251);
    memset(out, 0, SIZE);
    whole.mem = (uintptr_t)out;
    CU_ASSERT_EQUAL_FATAL(pwrite(fd, content, SIZE, 0), SIZE);
    CU_ASSERT_FATAL(posix_map_cover(&map, fd, &whole, 1));
    posix_map_start(&map, &io, fd, &whole, 1);
}

static void finish(void)
{
    posix_map_close(&map);
    close(fd);
}

/* Each slice leaves the rest for later. */
static void move_one(void)
{
    bool is_done = true;

    CU_ASSERT_EQUAL(posix_map_move(&map, &io, SLICE, &is_done), 0);
    CU_ASSERT_FALSE(is_done);
}

static void ends_with(int expected)
{
    bool is_done = false;
    int rc = 0;

    for (unsigned i = 0; i <= SIZE / SLICE && !is_done; i++)
        rc = posix_map_move(&map, &io, SLICE, &is_done);
    CU_ASSERT_TRUE(is_done);
    CU_ASSERT_EQUAL(rc, expected);
}

static void test_slices_bring_the_file(void)
{
    start();
    move_one();
    ends_with(0);
    CU_ASSERT_EQUAL(io.bytes, SIZE);
    CU_ASSERT_EQUAL(memcmp(out, content, SIZE), 0);
    finish();
}

static void test_a_cut_between_slices_is_told(void)
{
    start();
    move_one();
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SLICE), 0);
    ends_with(-EAGAIN);
    finish();
}

static void test_a_blocked_signal_between_slices_is_told(void)
{
    sigset_t bus, before;

    sigemptyset(&bus);
    sigaddset(&bus, SIGBUS);
    start();
    move_one();
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SLICE), 0);
    pthread_sigmask(SIG_BLOCK, &bus, &before);
    ends_with(-EAGAIN); /* the kernel would end the process */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    finish();
}

static void on_bus(int number)
{
    _exit(9);
}

static void test_a_handler_that_came_between_slices_is_left_alone(void)
{
    struct sigaction ours;

    start();
    move_one();
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SLICE), 0);
    sigaction(SIGBUS, NULL, &ours);
    signal(SIGBUS, on_bus);
    ends_with(-EAGAIN);
    sigaction(SIGBUS, &ours, NULL);
    finish();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_slices_bring_the_file),
        UNIT_TEST(test_a_cut_between_slices_is_told),
        UNIT_TEST(test_a_blocked_signal_between_slices_is_told),
        UNIT_TEST(test_a_handler_that_came_between_slices_is_left_alone),
    };

    return UNIT_MAIN("posix_map", tests);
}
