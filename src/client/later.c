/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the public headers that are not made yet: they say so.
 *
 * Possible failure modes are: -ENOTSUP, always.
 */
#include "client/cli.h"

#define S struct capstan_session *session
#define LATER(name, ...)                                                       \
    int name(S, __VA_ARGS__)                                                   \
    {                                                                          \
        return cli_fail(session, -ENOTSUP, #name);                             \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

LATER(capstan_xattr_get, uint64_t ino, const char *name, void *value,
      size_t room, size_t *len_out)
LATER(capstan_xattr_set, uint64_t ino, const char *name, const void *value,
      size_t len, unsigned flags)
LATER(capstan_xattr_list, uint64_t ino, char *names, size_t room,
      size_t *len_out)
LATER(capstan_xattr_remove, uint64_t ino, const char *name)
int capstan_file_append(struct capstan_file *file, const void *memory,
                        size_t length, uint64_t *end_out)
{
    return -ENOTSUP;
}
