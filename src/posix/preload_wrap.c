/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wrapped calls of the table that are all alike.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned px_follow(int flags)
{
    return flags & AT_SYMLINK_NOFOLLOW ? CAPSTAN_NOFOLLOW : 0;
}

static long px_remove(const char *place)
{
    long rc = px_unlink(place);

    return rc == -EISDIR ? px_rmdir(place) : rc;
}

#define PATH(result, name, parameters, arguments, dirfd, path, ours)           \
    PX_EXPORT result name parameters                                           \
    {                                                                          \
        char place[PX_PATH_MAX];                                               \
        int saved_errno = errno;                                               \
        long rc = px_claim(dirfd, path, place);                                \
                                                                               \
        if (rc == 0)                                                           \
            return px_real()->name arguments;                                  \
        if (rc > 0)                                                            \
            rc = (ours);                                                       \
        return (result)px_result(rc, saved_errno);                             \
    }
#define FD(result, name, parameters, arguments, ours)                          \
    PX_EXPORT result name parameters                                           \
    {                                                                          \
        struct px_open *open = px_get(fd);                                     \
        int saved_errno = errno;                                               \
        long rc;                                                               \
                                                                               \
        if (open == NULL)                                                      \
            return px_real()->name arguments;                                  \
        rc = (ours);                                                           \
        px_put(open);                                                          \
        return (result)px_result(rc, saved_errno);                             \
    }
#define HAND(result, name, parameters)
/* by the assembler, for the headers give 64-bit twins types of their own */
#define ALIAS(name, of)                                                        \
    __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name        \
            ", " #of);
#include "posix/preload_calls.inc"

static_assert(sizeof(off_t) == 8 &&
                  sizeof(struct stat) == sizeof(struct stat64),
              "the 64-bit twins are the same");
