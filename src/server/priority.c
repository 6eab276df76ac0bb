/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's place in the queue for processors.
 *
 * The happy path: the thread takes its nice value; so does the session's group,
 * within which alone a thread's own value counts where the kernel groups by
 * session; then slices of 0.1 ms are asked for: since Linux 6.12 a task of
 * short slices, once awake, is served before those of long ones.
 *
 * Possible failure modes are: no right to a negative value (the default user
 * has none), a kernel without session groups or without slices: each is left
 * out.
 */
#include "server/priority.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000 /* the least that the kernel takes */

static int set_group(int nice)
{
    char text[16];
    int len, fd, rc = 0;

    if (getsid(0) != getpid()) /* not ours alone */
        return 0;
    fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    len = snprintf(text, sizeof(text), "%d", nice);
    if (write(fd, text, (size_t)len) != len)
        rc = -errno;
    close(fd);
    return rc;
}

static int set_slice(int nice)
{
    struct sched_attr attr = {
        .size = sizeof(attr),
        .sched_policy = 0, /* SCHED_OTHER */
        .sched_nice = nice,
        .sched_runtime = SLICE_NS,
    };

    return syscall(SYS_sched_setattr, 0, &attr, 0) == 0 ? 0 : -errno;
}

static void say(const char *what, int rc)
{
    if (rc != 0)
        log_info("priority: %s: %s", what, strerror(-rc));
}

void srv_priority_set(int nice)
{
    if (setpriority(PRIO_PROCESS, 0, nice) != 0)
        say("nice value", -errno);
    say("group of the session", set_group(nice));
    errno = 0;
    nice = getpriority(PRIO_PROCESS, 0);
    say("time slice", set_slice(nice));
}
