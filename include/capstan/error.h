/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Error codes of libcapstan: negative errno values and a few of its own.
 *
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_ERROR_H
#define CAPSTAN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Longest error text that the library makes, with its NUL. */
#define CAPSTAN_ERROR_TEXT_MAX 512

/** Name the cause of a negative code. Never NULL; static; not translated. */
const char *capstan_strerror(int code);

/** The nearest plain errno (positive) for a negative code, for callers that
 *  know nothing else: EIO, ESTALE, EPROTO, ... */
int capstan_errno(int code);

#ifdef __cplusplus
}
#endif

#endif
