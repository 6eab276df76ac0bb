/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan up: start a cluster on this machine, or what is missing of it.
 *
 *  1. Lock the root. Read the shape of the cluster there, or take the options'.
 *  2. Find which servers live. If all do and answer, there is nothing to do.
 *  3. Start the others on the ports that the cluster file names, so that
 *     clients that are waiting for them go on.
 *  4. If a server says that its port is taken (it exits with EXIT_IN_USE), stop
 *     all, choose new ports, start all; at most ATTEMPTS times.
 *  5. Wait until every target has answered.
 *
 * Possible failure modes are: a server ends (its log is shown), a target does
 * not answer in time, an interrupt. Each stops what this run has started.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <capstan/cluster.h>

#include "tools/local.h"
#include "tools/options.h"

#define ATTEMPTS 5
#define EXIT_IN_USE 3    /* capstan-server: an address is in use */
#define ASK_MS 500       /* patience with one target before looking around */
#define STOP_WAIT_SEC 10 /* before SIGKILL */
#define STRIPE_SIZE_DEFAULT (1u << 20)

struct up {
    char root[PATH_MAX];
    char program[PATH_MAX];
    struct local_shape shape;
    uint64_t deadline_ns;
    pid_t pids[LOCAL_SERVERS_MAX];   /* children of this run; 0: not ours */
    bool is_ours[LOCAL_SERVERS_MAX]; /* started by this run */
};

/* What the options ask for; 0 and NULL: as it is, or the default. */
struct wish {
    const char *root;
    const char *provider;
    uint64_t servers;
    uint64_t targets;
    uint64_t stripe_size;
    uint64_t wait_sec;
};

enum outcome { UP_ANSWERS, UP_IN_USE, UP_FAILED };

static unsigned count_alive(const struct up *up, bool *alive)
{
    unsigned n = 0;

    for (unsigned i = 0; i < up->shape.servers; i++) {
        alive[i] = local_pid(up->root, i + 1) != 0;
        n += alive[i];
    }
    return n;
}

/* Has a server ended? Says so, unless it is one that may be tried again. */
static enum outcome check_servers(struct up *up)
{
    char name[16];
    int status;

    for (unsigned i = 0; i < up->shape.servers; i++) {
        snprintf(name, sizeof(name), "s%u", i + 1);
        if (up->pids[i] != 0 &&
            waitpid(up->pids[i], &status, WNOHANG) == up->pids[i]) {
            up->pids[i] = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_IN_USE)
                return UP_IN_USE;
            tool_error(name, "the server ended with %s %d",
                       WIFEXITED(status) ? "status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status)
                                         : WTERMSIG(status));
            local_show_log(up->root, i + 1);
            return UP_FAILED;
        }
        if (up->pids[i] == 0 && local_pid(up->root, i + 1) == 0) {
            tool_error(name, "the server has ended");
            local_show_log(up->root, i + 1);
            return UP_FAILED;
        }
    }
    return UP_ANSWERS;
}

static void ask_pause(uint64_t asked_ns)
{
    struct timespec pause = {0, 20000000};

    /* A refusal can come at once; do not ask in a tight loop. */
    if (tool_now_ns() - asked_ns < 20000000)
        nanosleep(&pause, NULL);
}

static enum outcome wait_target(struct up *up, struct capstan_session *session,
                                const struct capstan_target *target)
{
    struct capstan_counter counters[CAPSTAN_COUNTERS_MAX];
    enum outcome outcome;
    size_t count;

    for (;;) {
        uint64_t asked_ns = tool_now_ns();

        if (capstan_target_counters(session, target->id, counters,
                                    CAPSTAN_COUNTERS_MAX, &count) == 0)
            return UP_ANSWERS;
        outcome = check_servers(up);
        if (outcome != UP_ANSWERS)
            return outcome;
        if (tool_interrupted()) {
            tool_error("up", "interrupted");
            return UP_FAILED;
        }
        if (tool_now_ns() >= up->deadline_ns) {
            tool_session_error(session, target->server);
            local_show_log(up->root, (target->id - 1) / up->shape.targets + 1u);
            return UP_FAILED;
        }
        ask_pause(asked_ns);
    }
}

static enum outcome wait_all(struct up *up)
{
    struct capstan_session *session;
    struct tool_place place = {NULL, up->root, 0};
    enum outcome outcome = check_servers(up);

    if (outcome != UP_ANSWERS)
        return outcome;
    if (tool_session_open(&place, &session) != TOOL_OK)
        return UP_FAILED;
    capstan_session_set_timeout(session, ASK_MS);
    for (size_t i = 0;
         i < capstan_target_count(session) && outcome == UP_ANSWERS; i++) {
        struct capstan_target target;

        capstan_target_info(session, i, &target);
        outcome = wait_target(up, session, &target);
    }
    /* Two servers of one port: the other one's target has answered. */
    if (outcome == UP_ANSWERS)
        outcome = check_servers(up);
    capstan_session_close(&session);
    return outcome;
}

static void stop_ours(struct up *up)
{
    local_stop(up->root, up->is_ours, up->shape.servers, STOP_WAIT_SEC);
    memset(up->pids, 0, sizeof(up->pids));
    memset(up->is_ours, 0, sizeof(up->is_ours));
}

static enum outcome start_missing(struct up *up)
{
    for (unsigned i = 0; i < up->shape.servers; i++) {
        if (local_pid(up->root, i + 1) != 0)
            continue;
        up->pids[i] = local_start(up->root, i + 1, up->program);
        if (up->pids[i] < 0) {
            up->pids[i] = 0;
            return UP_FAILED;
        }
        up->is_ours[i] = true;
    }
    return wait_all(up);
}

/* New ports for all, so nobody may stay on the old ones. */
static int renumber(struct up *up)
{
    bool all[LOCAL_SERVERS_MAX];

    memset(all, true, sizeof(all));
    if (local_stop(up->root, all, up->shape.servers, STOP_WAIT_SEC) != 0)
        return -1;
    return local_shape_write(up->root, &up->shape);
}

static int start(struct up *up)
{
    enum outcome outcome = UP_FAILED;

    for (unsigned i = 0; i < ATTEMPTS; i++) {
        outcome = start_missing(up);
        if (outcome == UP_ANSWERS)
            return 0;
        stop_ours(up);
        if (outcome == UP_FAILED)
            return -1;
        if (renumber(up) != 0)
            return -1;
    }
    tool_error(up->root, "addresses were in use %d times running", ATTEMPTS);
    return -1;
}

static int choose_shape(struct local_shape *shape, const struct wish *wish)
{
    *shape = (struct local_shape){
        .servers = wish->servers ? (unsigned)wish->servers : 1,
        .targets = wish->targets ? (unsigned)wish->targets : 1,
        .stripe_size = wish->stripe_size ? (uint32_t)wish->stripe_size
                                         : STRIPE_SIZE_DEFAULT,
    };
    snprintf(shape->provider, sizeof(shape->provider), "%s",
             wish->provider != NULL ? wish->provider : "tcp;ofi_rxm");
    while (shape->cluster_id == 0)
        if (getrandom(&shape->cluster_id, sizeof(shape->cluster_id), 0) !=
            sizeof(shape->cluster_id)) {
            tool_error("getrandom", "%m");
            return -1;
        }
    return 0;
}

static int other_shape(const struct up *up, const char *option,
                       unsigned long long has, unsigned long long asked)
{
    tool_error(up->root,
               "the cluster here has --%s %llu, not %llu; choose another "
               "--root, or `capstan down --purge` to start anew",
               option, has, asked);
    return -1;
}

static int compare_shape(const struct up *up, const struct wish *wish)
{
    const struct local_shape *shape = &up->shape;

    if (wish->servers != 0 && wish->servers != shape->servers)
        return other_shape(up, "servers", shape->servers, wish->servers);
    if (wish->targets != 0 && wish->targets != shape->targets)
        return other_shape(up, "targets", shape->targets, wish->targets);
    if (wish->stripe_size != 0 && wish->stripe_size != shape->stripe_size)
        return other_shape(up, "stripe-size", shape->stripe_size,
                           wish->stripe_size);
    if (wish->provider != NULL &&
        strcmp(wish->provider, shape->provider) != 0) {
        tool_error(up->root,
                   "the cluster here has --provider '%s', not '%s'; choose "
                   "another --root, or `capstan down --purge` to start anew",
                   shape->provider, wish->provider);
        return -1;
    }
    return 0;
}

/* The cluster file comes last: what it names was there once. */
static int make_cluster(struct up *up, const struct wish *wish)
{
    if (choose_shape(&up->shape, wish) != 0 ||
        local_directories_make(up->root, &up->shape) != 0)
        return -1;
    return local_shape_write(up->root, &up->shape);
}

/* Adopt the cluster that is there, or make the files of a new one. A directory
 * that is missing from an old one is not made anew: it held data. */
static int prepare(struct up *up, const struct wish *wish)
{
    int rc = local_shape_read(up->root, &up->shape);

    if (rc == 0)
        return compare_shape(up, wish);
    return rc > 0 ? make_cluster(up, wish) : -1;
}

/* The default cluster is found without an environment: by a symlink in one of
 * the library's places. A file of the user's own is left alone. */
static void link_default(const struct up *up)
{
    const char *home = getenv("HOME");
    char root[PATH_MAX], standard[PATH_MAX], link[PATH_MAX];

    if (home == NULL)
        return;
    tool_path(standard, "%s/.capstan/local", home);
    tool_path(link, "%s/.capstan/cluster.yaml", home);
    if (realpath(standard, root) != NULL && strcmp(root, up->root) == 0 &&
        symlink("local/cluster.yaml", link) == 0)
        printf("%s now leads to it\n", link);
}

static int run(struct up *up, const struct wish *wish)
{
    bool alive[LOCAL_SERVERS_MAX];
    unsigned n;

    if (prepare(up, wish) != 0)
        return TOOL_FAILED;
    n = count_alive(up, alive);
    if (n < up->shape.servers &&
        local_find_program("capstan-server", "CAPSTAN_SERVER", "server",
                           up->program) != 0)
        return TOOL_FAILED;
    if (start(up) != 0)
        return TOOL_FAILED;
    printf("cluster %" PRIx64 ": %u server%s, %u target%s, %s %s\n",
           up->shape.cluster_id, up->shape.servers,
           up->shape.servers == 1 ? "" : "s",
           up->shape.servers * up->shape.targets,
           up->shape.servers * up->shape.targets == 1 ? "" : "s",
           n == up->shape.servers ? "already running under" : "up under",
           up->root);
    link_default(up);
    return TOOL_OK;
}

/* A provider goes into one line of the file, as one word. */
static int check_wish(const struct wish *wish)
{
    const char *provider = wish->provider;

    if (wish->stripe_size % 4096 != 0) {
        tool_error("--stripe-size", "%" PRIu64 " is not a multiple of 4096",
                   wish->stripe_size);
        return TOOL_USAGE;
    }
    if (provider == NULL)
        return TOOL_OK;
    for (size_t len = strlen(provider); *provider != '\0'; provider++)
        if (*provider <= ' ' || *provider > '~' || len >= LOCAL_PROVIDER_MAX)
            break;
    if (*provider != '\0' || *wish->provider == '\0') {
        tool_error("--provider", "not the name of a provider");
        return TOOL_USAGE;
    }
    return TOOL_OK;
}

int cmd_up(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.wait_sec = 30};
    const struct option_row rows[] = {
        {0, "servers", "N", "server processes (1)", OPTION_SIZE, &wish.servers,
         1, LOCAL_SERVERS_MAX},
        {0, "targets", "N", "targets of each server (1)", OPTION_SIZE,
         &wish.targets, 1, LOCAL_TARGETS_MAX},
        {0, "root", "DIR",
         "where it lives ($CAPSTAN_ROOT, else ~/.capstan/local)", OPTION_TEXT,
         &wish.root, 0, 0},
        {0, "provider", "NAME", "libfabric provider (tcp;ofi_rxm)", OPTION_TEXT,
         &wish.provider, 0, 0},
        {0, "stripe-size", "SIZE", "bytes, with k, M or G (1M)", OPTION_SIZE,
         &wish.stripe_size, 4096, 1u << 30},
        {0, "wait", "SECONDS", "how long the targets may take to answer (30)",
         OPTION_SIZE, &wish.wait_sec, 1, 3600},
        OPTIONS_END};
    struct up up = {0};
    int first, rc, lock_fd;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = check_wish(&wish);
    if (rc != TOOL_OK)
        return rc;
    tool_catch_interrupts();
    up.deadline_ns = tool_now_ns() + wish.wait_sec * 1000000000u;
    if (local_root(wish.root, up.root) != 0 || local_root_make(up.root) != 0)
        return TOOL_FAILED;
    lock_fd = local_lock(up.root, wish.wait_sec);
    if (lock_fd < 0)
        return TOOL_FAILED;
    rc = run(&up, &wish);
    close(lock_fd);
    return rc;
}
