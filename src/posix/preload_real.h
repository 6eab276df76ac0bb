/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The C library's own functions, by the names of the table of wrapped calls.
 *
 * Threads  any, after px_real_init().
 * Failure  a function that this C library has not is NULL, and is only called
 *          if the program itself could have called it.
 */
#ifndef CAPSTAN_POSIX_PRELOAD_REAL_H
#define CAPSTAN_POSIX_PRELOAD_REAL_H

#include <dirent.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <utime.h>

/* What wraps a call has no prototype but the C library's, whose attributes
 * (nonnull) promise what a caller need not have kept. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wnonnull-compare"
#endif

struct px_real {
#define PATH(result, name, parameters, ...) result(*name) parameters;
#define FD(result, name, parameters, ...) result(*name) parameters;
#define HAND(result, name, parameters) result(*name) parameters;
#define ALIAS(name, of)
#include "posix/preload_calls.inc"
#undef PATH
#undef FD
#undef HAND
#undef ALIAS
};

/** Look them up. May be called again. */
void px_real_init(void);

const struct px_real *px_real(void);

#endif
