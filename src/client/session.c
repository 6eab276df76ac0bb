/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions.
 *
 * The happy path: the cluster file is read, an endpoint of its provider opened,
 * and calls go out over it when first needed. cli_turn() moves the calls, then
 * the requests that wait for them, and sleeps in the net when nothing moved.
 *
 * Possible failure modes are: no or a malformed cluster file, a provider that
 * is not here (capstan_open_error() says which); a session used by a child
 * after fork, whose endpoint is the parent's: every call refuses.
 */
#include "client/cli.h"

#include "base/mem.h"
#include "client/dirs.h"
#include "client/file.h"
#include "client/hold.h"
#include "client/io.h"
#include "client/io_pack.h"
#include "client/lock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define NODES_MAX 8 /* that the choice of our address looks at */

static __thread char open_error[CLUSTER_TEXT_MAX + CAPSTAN_ERROR_TEXT_MAX];

static uint64_t random_client(void)
{
    uint64_t id = 0;

    while (id == 0)
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
            id = 0;
    return id;
}

static uint32_t timeout_from_env(void)
{
    const char *text = getenv("CAPSTAN_TIMEOUT_MS");
    char *end;
    unsigned long value;

    if (text == NULL || *text == '\0')
        return CLI_TIMEOUT_MS_DEFAULT;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value == 0 || value > UINT32_MAX)
        return CLI_TIMEOUT_MS_DEFAULT;
    return (uint32_t)value;
}

/* CAPSTAN_CHECKSUMS=0: nothing is compared between us and the servers. */
static bool sums_are_off(void)
{
    const char *text = getenv("CAPSTAN_CHECKSUMS");

    return text != NULL && strcmp(text, "0") == 0;
}

/* The first few nodes of the cluster, each once if they are neighbours. */
static unsigned list_nodes(const struct cluster *cluster,
                           const char *nodes[NODES_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < cluster->servers_count && count < NODES_MAX; i++) {
        const char *node = cluster->servers[i].node;

        if (count == 0 || strcmp(nodes[count - 1], node) != 0)
            nodes[count++] = node;
    }
    return count;
}

static int open_net(struct capstan_session *session,
                    const struct cli_config *config)
{
    const char *nodes[NODES_MAX];
    struct net_config net = {
        .provider = config->cluster->provider,
        .toward = nodes,
        .toward_count = list_nodes(config->cluster, nodes),
        .message_max = PROTO_MESSAGE_MAX,
        .receives = CLI_RECEIVES,
        .recv = rpc_receive,
        .recv_ctx = &session->rpc,
        .clock = config->clock,
        .fabric = config->fabric,
        .no_shortcut = getenv("CAPSTAN_NO_SHORTCUT") != NULL,
    };

    return net_open(config->net_driver, &net, &session->net);
}

static int open_rpc(struct capstan_session *session,
                    const struct cli_config *config)
{
    struct rpc_config rpc = {
        .net = session->net,
        .clock = config->clock,
        .cluster = config->cluster,
        .client = config->client != 0 ? config->client : random_client(),
    };

    return rpc_create(&rpc, &session->rpc);
}

/* A page with a byte set, which the kernel clears in whatever child has a copy
 * of it. NULL: no memory, or a kernel older than 4.14. */
static volatile uint8_t *make_mark(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *mark = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mark == MAP_FAILED)
        return NULL;
    if (madvise(mark, size, MADV_WIPEONFORK) != 0) {
        munmap(mark, size);
        return NULL;
    }
    *mark = 1;
    return mark;
}

static void free_mark(volatile uint8_t *mark)
{
    if (mark != NULL)
        munmap((void *)(uintptr_t)mark, (size_t)sysconf(_SC_PAGESIZE));
}

bool cli_is_ours(const struct capstan_session *session)
{
    if (session->mark != NULL)
        return *session->mark != 0;
    return session->maker == getpid();
}

int cli_session_create(const struct cli_config *config,
                       struct capstan_session **session_out, char *text)
{
    struct capstan_session *session = mem_calloc(1, sizeof(*session));
    const char *what = "session";
    int rc = -ENOMEM;

    if (session == NULL)
        goto err_session;
    session->maker = getpid();
    session->mark = make_mark();
    session->clock = config->clock;
    session->cluster = config->cluster;
    session->no_sums = config->no_sums;
    capstan_session_set_cred(session, NULL);
    capstan_session_set_timeout(session, config->timeout_ms);
    rc = cli_dirs_create(&session->dirs);
    if (rc != 0)
        goto err_dirs;
    what = config->cluster->provider;
    rc = open_net(session, config);
    if (rc != 0)
        goto err_net;
    rc = open_rpc(session, config);
    if (rc != 0)
        goto err_rpc;
    session->owns_cluster = config->owns_cluster;
    *session_out = session;
    return 0;

err_rpc:
    net_close(session->net);
err_net:
    cli_dirs_destroy(&session->dirs);
err_dirs:
    free_mark(session->mark);
    free(session);
err_session:
    snprintf(text, CLUSTER_TEXT_MAX, "fabric %s: %s", what, err_text(rc));
    return rc;
}

int capstan_session_open(const struct capstan_options *options,
                         struct capstan_session **session_out)
{
    struct cli_config config = {
        .net_driver = &net_ofi,
        .clock = clock_real(),
        .owns_cluster = true,
        .timeout_ms = options != NULL ? options->timeout_ms : 0,
        .no_sums = sums_are_off(),
    };
    char text[CLUSTER_TEXT_MAX] = "";
    int rc;

    rc = cluster_load(options != NULL ? options->cluster_file : NULL,
                      &config.cluster, text);
    if (rc == 0) {
        rc = cli_session_create(&config, session_out, text);
        if (rc != 0)
            cluster_destroy(&config.cluster);
    }
    if (rc != 0)
        snprintf(open_error, sizeof(open_error), "%s",
                 text[0] != '\0' ? text : err_text(rc));
    return rc;
}

const char *capstan_open_error(void)
{
    return open_error;
}

void capstan_session_close(struct capstan_session **session_p)
{
    struct capstan_session *session = *session_p;

    if (session == NULL)
        return;
    *session_p = NULL;
    cli_requests_abandon(session);
    cli_locks_abandon(session, NULL);
    cli_files_abandon(session);
    cli_holds_abandon(session, cli_is_ours(session));
    if (cli_is_ours(session)) {
        rpc_destroy(&session->rpc);
        net_close(session->net);
    }
    io_bounces_free(session);
    cli_dirs_destroy(&session->dirs);
    if (session->owns_cluster)
        cluster_destroy(&session->cluster);
    free_mark(session->mark);
    free(session);
}

const char *capstan_session_error(const struct capstan_session *session)
{
    return session->error;
}

void capstan_session_set_timeout(struct capstan_session *session,
                                 uint32_t timeout_ms)
{
    if (timeout_ms == 0)
        timeout_ms = timeout_from_env();
    session->timeout_ns = timeout_ms * NS_PER_MS;
}

void capstan_session_stats(const struct capstan_session *session,
                           struct capstan_session_stats *stats_out)
{
    rpc_call_counts(session->rpc, &stats_out->requests, &stats_out->retries);
    stats_out->retries += session->sums_repeats;
    stats_out->bytes_read = session->bytes_read;
    stats_out->bytes_written = session->bytes_written;
}

void capstan_session_forget(struct capstan_session *session)
{
    if (cli_is_ours(session))
        cli_dirs_drop(session->dirs);
}

/*
 * Nothing moves while the program is elsewhere: what is under way has had no
 * chance in that time, and its deadline moves on.
 */
static void come_back(struct capstan_session *session)
{
    uint64_t now = clock_now(session->clock);
    uint64_t away_ns = now - session->left_ns;

    if (session->requests != NULL && away_ns > CLI_AWAY_NS) {
        rpc_calls_extend(session->rpc, away_ns);
        cli_requests_extend(session, away_ns);
    }
    session->left_ns = now;
}

/* Waiting in the net is not being away. */
static int wait_in_net(struct capstan_session *session, uint64_t until_ns)
{
    int moved;

    net_expect(session->net, session->moving);
    moved = net_wait(session->net, until_ns);
    session->left_ns = clock_now(session->clock);
    return moved;
}

/* When the session must be turned again, until_ns at the latest. */
static uint64_t next_timer(const struct capstan_session *session,
                           uint64_t until_ns)
{
    uint64_t timer = rpc_next_timer(session->rpc);

    if (timer < until_ns)
        until_ns = timer;
    timer = cli_locks_next_timer(session);
    if (timer < until_ns)
        until_ns = timer;
    timer = cli_holds_next_timer(session);
    return timer < until_ns ? timer : until_ns;
}

int capstan_session_wait(struct capstan_session *session, uint32_t timeout_us)
{
    uint64_t until_ns;
    int moved = capstan_session_progress(session);

    if (moved > 0 || !cli_is_ours(session))
        return moved;
    until_ns = clock_now(session->clock) + timeout_us * NS_PER_US;
    return wait_in_net(session, next_timer(session, until_ns));
}

int capstan_session_progress(struct capstan_session *session)
{
    return cli_is_ours(session) ? cli_progress(session) : 0;
}

int cli_enter(struct capstan_session *session)
{
    if (cli_is_ours(session)) {
        come_back(session);
        return 0;
    }
    return cli_fail(session, -EPERM,
                    "session of process %d used in process %d after fork",
                    (int)session->maker, (int)getpid());
}

static void keep_text(struct capstan_session *session, const char *cause,
                      const char *what, va_list args)
{
    size_t room = sizeof(session->error);
    int used = vsnprintf(session->error, room, what, args);

    if (used < 0 || (size_t)used >= room)
        return;
    snprintf(session->error + used, room - used, ": %s", cause);
}

int cli_fail(struct capstan_session *session, int rc, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    keep_text(session, err_text(rc), what, args);
    va_end(args);
    return rc;
}

int cli_fail_said(struct capstan_session *session, int rc, const char *said,
                  const char *what, ...)
{
    char cause[PROTO_TEXT_MAX + 64];
    va_list args;

    snprintf(cause, sizeof(cause), "%s%s%s", err_text(rc),
             said[0] != '\0' ? ": " : "", said);
    va_start(args, what);
    keep_text(session, cause, what, args);
    va_end(args);
    return rc;
}

uint64_t cli_deadline(const struct capstan_session *session)
{
    return clock_now(session->clock) + session->timeout_ns;
}

void cli_rpc_start(struct capstan_session *session, struct rpc_call *call)
{
    session->started++;
    rpc_call_start(session->rpc, call);
}

int cli_progress(struct capstan_session *session)
{
    uint64_t started = session->started;
    int done;

    come_back(session);
    done = rpc_poll(session->rpc);
    done += cli_requests_pump(session);
    done += cli_locks_pump(session);
    done += cli_holds_pump(session);
    return done + (session->started != started);
}

void cli_turn(struct capstan_session *session, uint64_t until_ns)
{
    if (cli_progress(session) > 0)
        return;
    wait_in_net(session, next_timer(session, until_ns));
}

const char *cli_target_text(const struct capstan_session *session, uint16_t id,
                            char text[CLI_TARGET_TEXT_MAX])
{
    const struct cluster_target *target = cluster_target(session->cluster, id);

    snprintf(text, CLI_TARGET_TEXT_MAX, "target %u (server %s)", id,
             target != NULL ? target->server->name : "unknown");
    return text;
}
