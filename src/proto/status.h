/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server says of a request's end. Numbers are for ever; errno values,
 * which differ between systems, never travel. This file is the one map.
 *
 * Threads  pure; any.
 * Failure  an errno without a status becomes EIO; a status without an errno too.
 */
#ifndef CAPSTAN_PROTO_STATUS_H
#define CAPSTAN_PROTO_STATUS_H

#include "base/err.h"

#include <stdint.h>

/* X(number, name, negative code's absolute value) */
#define PROTO_STATUS_TABLE(X)                                                  \
    X(0, OK, 0)                                                                \
    X(1, IO, EIO)                                                              \
    X(2, NOENT, ENOENT)                                                        \
    X(3, EXIST, EEXIST)                                                        \
    X(4, NOTDIR, ENOTDIR)                                                      \
    X(5, ISDIR, EISDIR)                                                        \
    X(6, NOTEMPTY, ENOTEMPTY)                                                  \
    X(7, NAMETOOLONG, ENAMETOOLONG)                                            \
    X(8, INVAL, EINVAL)                                                        \
    X(9, NOSPC, ENOSPC)                                                        \
    X(10, FBIG, EFBIG)                                                         \
    X(11, ROFS, EROFS)                                                         \
    X(12, ACCES, EACCES)                                                       \
    X(13, PERM, EPERM)                                                         \
    X(14, STALE, ESTALE)                                                       \
    X(15, NOTSUP, ENOTSUP)                                                     \
    X(16, NOMEM, ENOMEM)                                                       \
    X(17, DQUOT, EDQUOT)                                                       \
    X(18, TIMEDOUT, ETIMEDOUT)                                                 \
    X(19, MLINK, EMLINK)                                                       \
    X(20, NODATA, ENODATA)                                                     \
    X(21, RANGE, ERANGE)                                                       \
    X(22, TOOBIG, E2BIG)                                                       \
    X(23, LOOP, ELOOP)                                                         \
    X(100, BUSY, ERR_BUSY)                                                     \
    X(101, VERSION, ERR_VERSION)                                               \
    X(102, SESSION, ERR_SESSION)                                               \
    X(103, CORRUPT, ERR_CORRUPT)                                               \
    X(104, PROTOCOL, ERR_PROTOCOL)                                             \
    X(105, CLUSTER, ERR_CLUSTER)                                               \
    X(106, FROZEN, ERR_FROZEN)                                                 \
    X(107, GONE, ERR_GONE)

enum proto_status {
#define X(number, name, code) PROTO_STATUS_##name = number,
    PROTO_STATUS_TABLE(X)
#undef X
};

/** The status for 0 or a negative code. */
uint32_t proto_status_of(int code);

/** 0 or the negative code of a status. */
int proto_status_code(uint32_t status);

#endif
