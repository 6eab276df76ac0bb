/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Error codes: -errno plus the few states that errno has no word for.
 *
 * Units    every function that can fail returns 0 or a negative code.
 * Threads  all calls are pure; any thread.
 * Failure  none of these calls fails; an unknown code has a text too.
 */
#ifndef CAPSTAN_BASE_ERR_H
#define CAPSTAN_BASE_ERR_H

#include <errno.h>

/*
 * X(name, value, text, what the caller should do). The values are private to
 * one build: they never travel on the wire (proto/status.h) nor reach a file.
 */
#define ERR_TABLE(X)                                                           \
    X(ERR_VERSION, 2001, "protocol version mismatch", GIVE_UP)                 \
    X(ERR_SESSION, 2002, "session unknown to the server", RECONNECT)           \
    X(ERR_BUSY, 2003, "server is busy", RETRY)                                 \
    X(ERR_CORRUPT, 2004, "checksum mismatch", GIVE_UP)                         \
    X(ERR_PROTOCOL, 2005, "malformed message", GIVE_UP)                        \
    X(ERR_CLUSTER, 2006, "not the cluster that was asked for", GIVE_UP)        \
    X(ERR_FROZEN, 2007, "directory is being removed", RETRY)                   \
    X(ERR_LINK, 2008, "connection lost", RECONNECT)                            \
    X(ERR_GONE, 2009, "directory was removed", GIVE_UP)

enum {
#define X(name, value, text, action) name = value,
    ERR_TABLE(X)
#undef X
};

enum err_action {
    ERR_GIVE_UP,   /* the answer is final */
    ERR_RETRY,     /* the same request may succeed later */
    ERR_RECONNECT, /* open the session anew, then repeat the request */
};

/** Name the cause of a negative code, in lower case. Never NULL; static. */
const char *err_text(int code);

/** What a caller that still has time should do about a negative code. */
enum err_action err_action(int code);

#endif
