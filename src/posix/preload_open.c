/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wrapped calls that make, copy and change descriptors.
 *
 * The kernel does the work on the memory file behind a descriptor of ours; what
 * is left for us is to keep the table in step. In a child of vfork, which has
 * its parent's memory, the table is the parent's and is left alone: what such a
 * child arranges for the program it executes, that program finds by itself.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define TEMPORARY_TRIES 100
#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT)

static bool has_mode(int flags)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    char place[PX_PATH_MAX];
    int saved_errno = errno;
    int rc = px_claim(dir, path, place);

    if (rc == 0)
        return px_real()->openat(dir, path, flags, mode);
    if (rc > 0)
        rc = px_is_borrowed() ? -EAGAIN : px_open(place, flags, mode);
    return (int)px_result(rc, saved_errno);
}

PX_EXPORT int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (has_mode(flags))
        mode = va_arg(args, mode_t);
    va_end(args);
    return open_at(dir, path, flags, mode);
}

PX_EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (has_mode(flags))
        mode = va_arg(args, mode_t);
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

PX_EXPORT int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* What programs call that were compiled with fortification. */
PX_EXPORT int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

PX_EXPORT int __openat_2(int dir, const char *path, int flags)
{
    return open_at(dir, path, flags, 0);
}

__asm__(".globl open64\n.set open64, open\n"
        ".globl __open\n.set __open, open\n"
        ".globl __open64\n.set __open64, open\n"
        ".globl openat64\n.set openat64, openat\n"
        ".globl creat64\n.set creat64, creat\n"
        ".globl __open64_2\n.set __open64_2, __open_2\n"
        ".globl __openat64_2\n.set __openat64_2, __openat_2\n");

/* A random name in place of XXXXXX: no one of the kind is tried twice. */
static void fill(char *at)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    unsigned char random[6];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        memset(random, (int)getpid(), sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        at[i] = letters[random[i] % (sizeof(letters) - 1)];
}

/* @return where XXXXXX stands, or NULL. */
static char *find_pattern(char *pattern, int suffix_len)
{
    size_t len = strlen(pattern);

    if (suffix_len < 0 || len < 6 + (size_t)suffix_len)
        return NULL;
    pattern += len - 6 - (size_t)suffix_len;
    return strncmp(pattern, "XXXXXX", 6) == 0 ? pattern : NULL;
}

PX_EXPORT int mkostemps(char *pattern, int suffix_len, int flags)
{
    char place[PX_PATH_MAX];
    char *at;
    int fd = -1;

    if (px_claim(AT_FDCWD, pattern, place) == 0)
        return px_real()->mkostemps(pattern, suffix_len, flags);
    at = find_pattern(pattern, suffix_len);
    if (at == NULL)
        return (int)px_result(-EINVAL, 0);
    for (int i = 0; fd < 0 && i < TEMPORARY_TRIES; i++) {
        fill(at);
        fd =
            open_at(AT_FDCWD, pattern, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

PX_EXPORT int mkstemp(char *pattern)
{
    return mkostemps(pattern, 0, 0);
}

PX_EXPORT int mkostemp(char *pattern, int flags)
{
    return mkostemps(pattern, 0, flags);
}

PX_EXPORT int mkstemps(char *pattern, int suffix_len)
{
    return mkostemps(pattern, suffix_len, 0);
}

__asm__(".globl mkstemp64\n.set mkstemp64, mkstemp\n"
        ".globl mkostemp64\n.set mkostemp64, mkostemp\n"
        ".globl mkstemps64\n.set mkstemps64, mkstemps\n"
        ".globl mkostemps64\n.set mkostemps64, mkostemps\n");

PX_EXPORT char *mkdtemp(char *pattern)
{
    char place[PX_PATH_MAX];
    char *at;

    if (px_claim(AT_FDCWD, pattern, place) == 0)
        return px_real()->mkdtemp(pattern);
    at = find_pattern(pattern, 0);
    if (at == NULL) {
        px_result(-EINVAL, 0);
        return NULL;
    }
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        fill(at);
        if (mkdir(pattern, 0700) == 0)
            return pattern;
        if (errno != EEXIST)
            break;
    }
    return NULL;
}

PX_EXPORT int dup(int fd)
{
    int copy = px_real()->dup(fd);

    if (copy >= 0 && !px_is_inside() && !px_is_borrowed())
        px_fd_copied(fd, copy);
    return copy;
}

PX_EXPORT int dup3(int fd, int new_fd, int flags)
{
    int copy = px_real()->dup3(fd, new_fd, flags);

    if (copy >= 0 && !px_is_inside() && !px_is_borrowed())
        px_fd_copied(fd, copy);
    return copy;
}

PX_EXPORT int dup2(int fd, int new_fd)
{
    int copy = px_real()->dup2(fd, new_fd);

    if (copy >= 0 && fd != new_fd && !px_is_inside() && !px_is_borrowed())
        px_fd_copied(fd, copy);
    return copy;
}

/* The access mode and O_APPEND of a file of ours are in the table. */
static int get_flags(int fd)
{
    struct px_open *open = px_get(fd);
    int flags;

    if (open == NULL)
        return px_real()->fcntl(fd, F_GETFL);
    flags = open->flags & (O_ACCMODE | STATUS_FLAGS | O_DIRECTORY | O_PATH);
    px_put(open);
    return flags;
}

static int set_flags(int fd, int flags)
{
    struct px_open *open = px_get(fd);

    if (open == NULL)
        return px_real()->fcntl(fd, F_SETFL, flags);
    open->flags = (open->flags & ~STATUS_FLAGS) | (flags & STATUS_FLAGS);
    px_put(open);
    return 0;
}

PX_EXPORT int fcntl(int fd, int command, ...)
{
    va_list args;
    void *argument;
    int rc;

    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    if (!px_has(fd))
        return px_real()->fcntl(fd, command, argument);
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        rc = px_real()->fcntl(fd, command, argument);
        if (rc >= 0 && !px_is_borrowed())
            px_fd_copied(fd, rc);
        return rc;
    case F_GETFD:
    case F_SETFD:
        return px_real()->fcntl(fd, command, argument);
    case F_GETFL:
        return get_flags(fd);
    case F_SETFL:
        return set_flags(fd, (int)(intptr_t)argument);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return (int)px_result(-ENOLCK, 0);
    default:
        return (int)px_result(-EINVAL, 0);
    }
}

__asm__(".globl fcntl64\n.set fcntl64, fcntl\n"
        ".globl __fcntl\n.set __fcntl, fcntl\n");

PX_EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *argument;

    va_start(args, request);
    argument = va_arg(args, void *);
    va_end(args);
    if (px_has(fd) && request != FIOCLEX && request != FIONCLEX)
        return (int)px_result(-ENOTTY, 0);
    return px_real()->ioctl(fd, request, argument);
}

PX_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if (!(flags & CLOSE_RANGE_CLOEXEC) && !px_is_inside() && !px_is_borrowed())
        px_fds_closed(first, last);
    return px_real()->close_range(first, last, flags);
}

PX_EXPORT void closefrom(int first)
{
    if (!px_is_inside() && !px_is_borrowed())
        px_fds_closed((unsigned)(first > 0 ? first : 0), INT_MAX);
    px_real()->closefrom(first);
}

PX_EXPORT void *mmap(void *address, size_t len, int protection, int flags,
                     int fd, off_t at)
{
    struct px_open *open = flags & MAP_ANONYMOUS ? NULL : px_get(fd);
    void *memory;

    if (open == NULL)
        return px_real()->mmap(address, len, protection, flags, fd, at);
    memory = px_mmap(open, address, len, protection, flags, at);
    px_put(open);
    return memory;
}

__asm__(".globl mmap64\n.set mmap64, mmap\n");
