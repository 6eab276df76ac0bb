/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session from inside: what every file of the client shares.
 *
 * The public calls are all of one kind: check the session (cli_enter), work
 * out what to ask of whom, start calls, and turn the session (cli_turn) until
 * they have ended. Nothing moves outside cli_turn() and cli_progress().
 *
 * Units    bytes, nanoseconds.
 * Threads  the session's one owner.
 * Failure  cli_fail() keeps the text of the last failure; codes as public.
 */
#ifndef CAPSTAN_CLIENT_CLI_H
#define CAPSTAN_CLIENT_CLI_H

/* The library is built with hidden symbols; what the installed headers declare
 * is what leaves it (together with libcapstan.map). */
#pragma GCC visibility push(default)
#include <capstan/check.h>
#include <capstan/cluster.h>
#include <capstan/error.h>
#include <capstan/file.h>
#include <capstan/inode.h>
#include <capstan/namespace.h>
#include <capstan/session.h>
#pragma GCC visibility pop

#include "base/clock.h"
#include "base/err.h"
#include "net/net.h"
#include "rpc/cluster.h"
#include "rpc/rpc.h"

#include <sys/types.h>

#define CLI_TIMEOUT_MS_DEFAULT 30000u
#define CLI_RECEIVES 32u   /* receive buffers posted */
#define CLI_DIRS_MAX 1024u /* directories cached */
#define CLI_DIRS_TTL_NS NS_PER_SEC
#define CLI_AHEAD_MAX 4096u /* bytes of a file that come when it is opened */
#define CLI_AWAY_NS NS_PER_SEC /* a program that is away longer computes */
#define CLI_PAUSE_NS (2 * NS_PER_MS) /* before a frozen name is asked again */

struct cli_dirs;

/* What a session is made of; the simulated cluster fills it by hand. */
struct cli_config {
    const struct net_driver *net_driver;
    void *fabric; /* for net_sim, else NULL */
    const struct clock *clock;
    struct cluster *cluster; /* borrowed unless owns_cluster */
    bool owns_cluster;       /* on success the session destroys it */
    uint64_t client;         /* 0: chosen at random */
    uint32_t timeout_ms;     /* 0: the default */
    bool no_sums;            /* no sums of data between us and servers */
};

struct capstan_session {
    pid_t maker; /* the process that may use it */
    volatile uint8_t *mark; /* 0 in its children; NULL: ask who we are */
    const struct clock *clock;
    struct cluster *cluster;
    bool owns_cluster;
    struct net *net;
    struct rpc *rpc; /* at a fixed place: the net's receive callback reads it */
    bool no_sums;
    uint64_t timeout_ns;
    uint64_t left_ns; /* when the program was last in here; 0: never */
    struct cred cred;
    uint8_t cred_bytes[PROTO_CRED_MAX]; /* as requests carry it */
    uint32_t cred_len;
    char prefix[PATH_LEN_MAX + 1]; /* of the root, to programs; "": none */
    size_t prefix_len;
    char link[SYMLINK_MAX + 1]; /* text of the link looked up last */
    size_t link_len;
    struct cli_dirs *dirs;
    struct capstan_file *files;       /* open ones */
    struct capstan_request *requests; /* under way, all files */
    struct io_bounce *bounces;        /* free ones: io_pack.h */
    unsigned nbounces;                /* made */
    struct capstan_lock *locks;       /* held or asked for */
    struct cli_hold *holds;           /* removed files that are open */
    uint64_t next_lock;
    uint64_t started;                 /* calls so far */
    size_t moving;                    /* bytes of parts under way */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t sums_repeats; /* transfers made again, for their sums */
    char error[CAPSTAN_ERROR_TEXT_MAX];
};

/**
 * Make a session over given parts.
 *
 * @param text  CLUSTER_TEXT_MAX bytes: set on failure.
 * @return 0, -ENOMEM, or what net_open() says.
 */
int cli_session_create(const struct cli_config *config,
                       struct capstan_session **session_out, char *text);

/** May this process use the session? @return 0 or -EPERM (made before a
 *  fork); the text is set. */
int cli_enter(struct capstan_session *session);

/** Is this the process that made it, not a child? Costs no system call. A child
 *  that shares our memory (vfork) passes for us. */
bool cli_is_ours(const struct capstan_session *session);

/** Keep the text of a failure: "<what>: <cause of rc>". @return rc. */
int cli_fail(struct capstan_session *session, int rc, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/** As cli_fail(), with the words a server added; "" if it added none. */
int cli_fail_said(struct capstan_session *session, int rc, const char *said,
                  const char *what, ...) __attribute__((format(printf, 4, 5)));

/** rpc_call_start(), and see to it that nobody sleeps before it is on its way:
 *  calls start between rpc_poll() and net_wait(). */
void cli_rpc_start(struct capstan_session *session, struct rpc_call *call);

/** When something started now must have ended. */
uint64_t cli_deadline(const struct capstan_session *session);

/** Move calls and requests on without blocking. @return things done. */
int cli_progress(struct capstan_session *session);

/** Move on; if there was nothing to do, wait for something until until_ns. */
void cli_turn(struct capstan_session *session, uint64_t until_ns);

/** "target 3 (server s1)": for texts; static to the buffer given. */
#define CLI_TARGET_TEXT_MAX 96
const char *cli_target_text(const struct capstan_session *session, uint16_t id,
                            char text[CLI_TARGET_TEXT_MAX]);

#endif
