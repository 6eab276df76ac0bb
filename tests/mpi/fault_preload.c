/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that fails, for any MPI-IO engine: preloaded, it stands before the
 * calls that move data between a file and memory, or map it. A program arms it
 * by fault_arm() with a part of the file's path and what is to happen; until
 * then, and for other files, calls pass.
 *
 * What happens: FAULT_SHORT moves half of what was asked, FAULT_END reads
 * nothing, as at the end of a file, anything else is the errno. Of a mapping
 * that is made meanwhile no page can be had but with FAULT_SHORT: whoever looks
 * at it gets SIGBUS, as from a device that fails or beyond the end of a file.
 *
 * Threads  armed and disarmed while no transfer is under way.
 * Failure  none.
 */
#include "tests/mpi/fault_preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static char armed_path[256];
static int armed_how;

void fault_arm(const char *path, int how)
{
    snprintf(armed_path, sizeof(armed_path), "%s", path);
    armed_how = how;
}

static int strikes(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    if (armed_how == 0)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return 0;
    path[n] = '\0';
    return strstr(path, armed_path) != NULL ? armed_how : 0;
}

/* Half of a buffer, and the first piece of a vector. */
static size_t half(size_t n)
{
    return n > 1 ? n / 2 : n;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* Fails by the armed errno, or ends the file, or leaves `how` FAULT_SHORT. */
#define STRIKE(fd)                                                             \
    int how = strikes(fd);                                                     \
    if (how == FAULT_END)                                                      \
        return 0;                                                              \
    if (how > 0) {                                                             \
        errno = how;                                                           \
        return -1;                                                             \
    }

ssize_t read(int fd, void *buffer, size_t n)
{
    STRIKE(fd)
    return REAL(read)(fd, buffer, how == FAULT_SHORT ? half(n) : n);
}

ssize_t write(int fd, const void *buffer, size_t n)
{
    STRIKE(fd)
    return REAL(write)(fd, buffer, how == FAULT_SHORT ? half(n) : n);
}

#define READS_AT(name)                                                         \
    ssize_t name(int fd, void *buffer, size_t n, off_t at)                     \
    {                                                                          \
        STRIKE(fd)                                                             \
        return REAL(name)(fd, buffer, how == FAULT_SHORT ? half(n) : n, at);   \
    }
#define WRITES_AT(name)                                                        \
    ssize_t name(int fd, const void *buffer, size_t n, off_t at)               \
    {                                                                          \
        STRIKE(fd)                                                             \
        return REAL(name)(fd, buffer, how == FAULT_SHORT ? half(n) : n, at);   \
    }
#define VECTOR_AT(name)                                                        \
    ssize_t name(int fd, const struct iovec *iov, int n, off_t at)             \
    {                                                                          \
        STRIKE(fd)                                                             \
        return REAL(name)(fd, iov, how == FAULT_SHORT && n > 1 ? n / 2 : n,    \
                          at);                                                 \
    }
#define VECTOR(name)                                                           \
    ssize_t name(int fd, const struct iovec *iov, int n)                       \
    {                                                                          \
        STRIKE(fd)                                                             \
        return REAL(name)(fd, iov, how == FAULT_SHORT && n > 1 ? n / 2 : n);   \
    }

READS_AT(pread)
READS_AT(pread64)
WRITES_AT(pwrite)
WRITES_AT(pwrite64)
VECTOR_AT(preadv)
VECTOR_AT(preadv64)
VECTOR_AT(pwritev)
VECTOR_AT(pwritev64)
VECTOR(readv)
VECTOR(writev)

/* What a mapping is to be of: an empty file for one that is struck. */
static int mapped_fd(int fd)
{
    int how = fd >= 0 ? strikes(fd) : 0;

    return how == 0 || how == FAULT_SHORT ? fd : memfd_create("empty", 0);
}

#define MAPS(name)                                                             \
    void *name(void *at, size_t n, int protection, int flags, int fd,          \
               off_t offset)                                                   \
    {                                                                          \
        int mine = mapped_fd(fd);                                              \
        void *map = REAL(name)(at, n, protection, flags, mine, offset);        \
                                                                               \
        if (mine != fd)                                                        \
            close(mine);                                                       \
        return map;                                                            \
    }

MAPS(mmap)
MAPS(mmap64)
