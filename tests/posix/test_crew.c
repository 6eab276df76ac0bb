/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The crew on a pipe instead of a mount, with sessions that count.
 */
#include "posix/fuse_crew.c"

#include "tests/base/unit.h"

#include "base/clock.h"

#include <unistd.h>

#define WAIT_NS (20 * NS_PER_SEC)

static int requests[2]; /* what the kernel would send; closed: the mount ends */
static atomic_uint progressed, processed, closed;

int fuse_session_exited(struct fuse_session *fuse)
{
    return 0;
}

int fuse_session_receive_buf(struct fuse_session *fuse, struct fuse_buf *buf)
{
    char byte;
    ssize_t len = read(requests[0], &byte, 1);

    return len < 0 ? -errno : (int)len;
}

void fuse_session_process_buf(struct fuse_session *fuse,
                              const struct fuse_buf *buf)
{
    processed++;
}

int capstan_session_open(const struct capstan_options *options,
                         struct capstan_session **session_out)
{
    *session_out = mem_calloc(1, 1);
    return 0;
}

void capstan_session_close(struct capstan_session **session_p)
{
    free(*session_p);
    *session_p = NULL;
    closed++;
}

int capstan_session_progress(struct capstan_session *session)
{
    progressed++;
    return 0;
}

const char *capstan_open_error(void)
{
    return "";
}

int capstan_file_close(struct capstan_file **file_p)
{
    return 0;
}

static bool is_late(uint64_t begin)
{
    return clock_now(clock_real()) - begin > WAIT_NS;
}

static void start(struct crew **crew_out)
{
    progressed = processed = closed = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(requests), 0);
    CU_ASSERT_EQUAL_FATAL(crew_start(NULL, NULL, crew_out), 0);
}

static void stop(struct crew **crew_p)
{
    close(requests[1]);
    crew_wait(crew_p);
    close(requests[0]);
    CU_ASSERT_PTR_NULL(*crew_p);
}

static void test_a_request_is_served_and_another_thread_waits(void)
{
    uint64_t begin = clock_now(clock_real());
    struct crew *crew;

    start(&crew);
    CU_ASSERT_EQUAL(write(requests[1], "x", 1), 1);
    while (processed < 1 && !is_late(begin))
        sched_yield();
    CU_ASSERT_EQUAL(processed, 1);
    stop(&crew);
    CU_ASSERT_EQUAL(closed, 2);
}

/* Else what a session at rest holds would be lost when its lease ends. */
static void test_sessions_at_rest_are_moved_on(void)
{
    uint64_t begin = clock_now(clock_real());
    struct crew *crew;

    start(&crew);
    while (progressed < 2 && !is_late(begin)) {
        wake(crew, 0);
        sched_yield();
    }
    CU_ASSERT_TRUE(progressed >= 2);
    CU_ASSERT_EQUAL(processed, 0);
    stop(&crew);
    CU_ASSERT_EQUAL(closed, 1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_request_is_served_and_another_thread_waits),
        UNIT_TEST(test_sessions_at_rest_are_moved_on),
    };

    return UNIT_MAIN("fuse_crew", tests);
}
