/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session: one client's connection to a cluster. Everything starts here.
 *
 *     struct capstan_options options = CAPSTAN_OPTIONS_INIT;
 *     struct capstan_session *session;
 *     struct capstan_file *file;
 *     size_t done;
 *
 *     if (capstan_session_open(&options, &session) != 0)
 *         ...
 *     if (capstan_file_open(session, "/dataset/shard-0007",
 *                           CAPSTAN_OPEN_READ, NULL, &file) != 0)
 *         puts(capstan_session_error(session));
 *     capstan_file_read(file, 0, buffer, sizeof(buffer), &done);
 *     capstan_file_close(&file);
 *     capstan_session_close(&session);
 *
 * Units    bytes, milliseconds.
 * Threads  a session and all that came from it belong to one thread at a time;
 *          the caller serialises. No thread is started: requests move on inside
 *          calls that wait and inside capstan_session_progress().
 * Failure  calls return 0 or a negative code (capstan/error.h) and leave
 *          outputs unmodified; capstan_session_error() says more. No call waits
 *          longer than the session's timeout for any one answer; a transfer of
 *          any size goes on as long as answers come.
 */
#ifndef CAPSTAN_SESSION_H
#define CAPSTAN_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capstan/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct capstan_session;

struct capstan_options {
    /* Cluster file; NULL: CAPSTAN_CLUSTER, else ~/.capstan/cluster.yaml,
     * else /etc/capstan/cluster.yaml. */
    const char *cluster_file;
    /* Longest time for one request, retries included; 0: CAPSTAN_TIMEOUT_MS,
     * else 30000. */
    uint32_t timeout_ms;
};

#define CAPSTAN_OPTIONS_INIT {NULL, 0}

/**
 * Open a session. Reads the cluster file and opens a fabric endpoint; servers
 * are connected when first used.
 *
 * @param session_out  set on success only; ended with capstan_session_close().
 * @return 0, -ENOENT (no cluster file), -EINVAL (malformed: the log names line
 *         and field), -ENODATA (fabric provider not here), -ENOMEM.
 */
int capstan_session_open(const struct capstan_options *options,
                         struct capstan_session **session_out);

/** Why the last capstan_session_open() of this thread failed: file, line, cause.
 *  Static storage of the thread. */
const char *capstan_open_error(void);

/** Close files' and the session's resources; *session_p becomes NULL. */
void capstan_session_close(struct capstan_session **session_p);

/** The text of the last call that failed: object and cause. Never NULL. */
const char *capstan_session_error(const struct capstan_session *session);

/** Move requests on without blocking. @return events handled, 0 if idle. */
int capstan_session_progress(struct capstan_session *session);

/**
 * Move requests on; if there was nothing to do, wait for something, at most
 * timeout_us. Spins a little, then sleeps: for loops that test requests.
 *
 * @return events handled, 0 if the time came first.
 */
int capstan_session_wait(struct capstan_session *session, uint32_t timeout_us);

/** Change the longest time for requests started from now on. */
void capstan_session_set_timeout(struct capstan_session *session,
                                 uint32_t timeout_ms);

/*
 * Whose rights the calls that follow are judged by, and who owns what they
 * make. A session begins with the process's effective user and groups. Cheap:
 * a mount sets it before each call.
 */
struct capstan_cred {
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups; /* supplementary; copied */
    size_t ngroups;         /* more than CAPSTAN_GROUPS_MAX: the first ones */
    bool is_checked; /* the caller (a kernel) has checked the rights: identity
                        only says who will own new files */
};
#define CAPSTAN_GROUPS_MAX 64

/** @param cred  NULL: the process's own again. */
void capstan_session_set_cred(struct capstan_session *session,
                              const struct capstan_cred *cred);

/**
 * Where the cluster's root seems to be to programs, such as "/capstan": a
 * symbolic link that begins with it goes on below the root, and one that is
 * absolute otherwise leads out of the cluster: -EXDEV. Without a prefix all
 * absolute links begin at the root.
 *
 * @param prefix  copied; NULL: none. @return 0, -ENAMETOOLONG.
 */
int capstan_session_set_prefix(struct capstan_session *session,
                               const char *prefix);

/**
 * Forget what was looked up. A session remembers directories, and who may search
 * them, for a second; a program with several sessions can so make a change that
 * it made through one of them count for the others at once.
 */
void capstan_session_forget(struct capstan_session *session);

/* What this session has done so far, for reports. */
struct capstan_session_stats {
    uint64_t requests;       /* calls sent to servers, retries not counted */
    uint64_t retries;        /* requests sent again */
    uint64_t bytes_read;     /* payload that came from servers */
    uint64_t bytes_written;  /* payload that went to servers */
};
void capstan_session_stats(const struct capstan_session *session,
                           struct capstan_session_stats *stats_out);

#ifdef __cplusplus
}
#endif

#endif
