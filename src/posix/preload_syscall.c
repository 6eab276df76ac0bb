/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syscall(2): programs call it for what their C library did not have yet. Those
 * calls go where their wrapped forms go; all other numbers to the kernel, as
 * does whoever makes a system call without the C library.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARGS = 6 };

static long dispatch(long number, const long args[ARGS])
{
    int fd = (int)args[0];
    const char *path = (const char *)args[1];
    unsigned flags = (unsigned)args[2];

    switch (number) {
    case SYS_copy_file_range:
        return copy_file_range(fd, (off_t *)args[1], (int)args[2],
                               (off_t *)args[3], (size_t)args[4],
                               (unsigned)args[5]);
    case SYS_statx:
        return statx(fd, path, (int)flags, (unsigned)args[3],
                     (struct statx *)args[4]);
    case SYS_renameat2:
        return renameat2(fd, path, (int)args[2], (const char *)args[3],
                         (unsigned)args[4]);
    case SYS_faccessat2:
        return faccessat(fd, path, (int)args[2], (int)args[3]);
    case SYS_close_range:
        return close_range((unsigned)args[0], (unsigned)args[1], (int)flags);
    case SYS_fallocate:
        return fallocate(fd, (int)args[1], (off_t)args[2], (off_t)args[3]);
    case SYS_sendfile:
        return sendfile(fd, (int)args[1], (off_t *)args[2], (size_t)args[3]);
    default:
        return px_real()->syscall(number, args[0], args[1], args[2], args[3],
                                  args[4], args[5]);
    }
}

PX_EXPORT long syscall(long number, ...)
{
    long args[ARGS];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < ARGS; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    return dispatch(number, args);
}
