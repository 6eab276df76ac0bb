/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan-server: serves the targets that the cluster file gives to one server.
 *
 * The happy path: options, cluster file, one thread a target; each thread mounts
 * its device, if it has one, moves to the device's NUMA node, opens its target
 * and reports through a pipe; when all have, a line on stdout says so. SIGTERM or
 * SIGINT stops the threads, which drain, devices are unmounted, and the program
 * ends with 0.
 *
 * Possible failure modes are: wrong options (2); an address in use (3); any
 * other target that cannot be opened, or a cluster file that cannot be used
 * (1). One bad target stops the whole: a server that serves half of its
 * targets would look like data loss.
 */
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/numa_pin.h"
#include "base/rng.h"
#include "config.h"
#include "rpc/cluster.h"
#include "server/mount.h"
#include "server/priority.h"
#include "server/target.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef SERVER_OBJECTS /* tests put a device that fails in its place */
#define SERVER_OBJECTS obj_uring
#endif

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_ADDRESS = 3,
};

struct options {
    const char *cluster; /* NULL: where cluster_load() looks */
    const char *name;
    int nice;
};

struct host;

/* One target and its thread. */
struct station {
    struct host *host;
    const struct cluster_target *self;
    pthread_t thread;
    bool is_started;
    bool is_mounted; /* by us; set before the report */
    struct srv_target *target; /* set before the report */
};

struct host {
    struct cluster *cluster;
    struct station *stations;
    unsigned nstations;
    int reports[2]; /* pipe: one int a target, the code of its create */
    atomic_bool stop;
};

static const char usage[] =
    "usage: capstan-server --name SERVER [--cluster FILE] [--log LEVEL]\n"
    "                      [--nice N]\n"
    "\n"
    "Serve the targets that the cluster file gives to SERVER.\n"
    "\n"
    "  -c, --cluster FILE  the cluster file; without it $CAPSTAN_CLUSTER,\n"
    "                      ~/.capstan/cluster.yaml, /etc/capstan/cluster.yaml\n"
    "  -n, --name SERVER   which of its servers this is\n"
    "  -l, --log LEVEL     error, warn, info or debug; default $CAPSTAN_LOG,\n"
    "                      else warn\n"
    "  -N, --nice N        priority, -20 (first) to 19, where permitted;\n"
    "                      default -10\n"
    "  -V, --version       say the version and exit\n"
    "  -h, --help          say this and exit\n"
    "\n"
    "Exit status: 0 stopped by SIGTERM or SIGINT, 1 refused to start,\n"
    "2 wrong options, 3 address in use.\n";

/*
 * Options.
 */

static bool set_log_level(const char *level)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    size_t i;

    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(level, levels[i]) == 0)
            return setenv("CAPSTAN_LOG", level, 1) == 0;
    return false;
}

static bool parse_nice(const char *text, int *nice_out)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < -20 || value > 19)
        return false;
    *nice_out = (int)value;
    return true;
}

/* @return -1 to go on, or the exit code. */
static int take_option(int option, struct options *options)
{
    switch (option) {
    case 'c':
        options->cluster = optarg;
        return -1;
    case 'n':
        options->name = optarg;
        return -1;
    case 'l':
        if (set_log_level(optarg))
            return -1;
        fprintf(stderr, "capstan-server: no such log level: %s\n", optarg);
        return EXIT_USAGE;
    case 'N':
        if (parse_nice(optarg, &options->nice))
            return -1;
        fprintf(stderr, "capstan-server: no such nice value: %s\n", optarg);
        return EXIT_USAGE;
    case 'V':
        puts("capstan-server " PACKAGE_VERSION);
        return EXIT_DONE;
    case 'h':
        fputs(usage, stdout);
        return EXIT_DONE;
    default:
        return EXIT_USAGE; /* getopt has said why */
    }
}

static int parse_options(int argc, char **argv, struct options *options_out)
{
    static const struct option known[] = {
        {"cluster", required_argument, NULL, 'c'},
        {"name", required_argument, NULL, 'n'},
        {"log", required_argument, NULL, 'l'},
        {"nice", required_argument, NULL, 'N'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, rc;

    while ((option = getopt_long(argc, argv, "c:n:l:N:Vh", known, NULL)) != -1) {
        rc = take_option(option, options_out);
        if (rc >= 0)
            return rc;
    }
    if (options_out->name != NULL && optind == argc)
        return -1;
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/*
 * Threads.
 */

static uint64_t random_number(void)
{
    uint64_t number;

    do {
        while (getrandom(&number, sizeof(number), 0) != sizeof(number))
            ;
    } while (number == 0);
    return number;
}

/* The kernel tells its starts apart. */
static uint64_t machine_number(void)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    char id[64] = "";
    size_t len;

    if (file == NULL)
        return 0;
    len = fread(id, 1, sizeof(id), file);
    fclose(file);
    return len == 0 ? 0 : hash_name(0, id, len);
}

static int open_station(struct station *station)
{
    struct srv_target_config config = {
        .cluster = station->host->cluster,
        .target = station->self->id,
        .clock = clock_real(),
        .net = &net_ofi,
        .objects = &SERVER_OBJECTS,
        .names = &kv_rocksdb,
        .boot = random_number(),
        .machine = machine_number(),
        .client = random_number(),
    };
    int rc = srv_mount(station->self, &station->is_mounted);

    if (rc != 0)
        return rc;
    numa_pin_thread(numa_node_of_path(station->self->directory));
    rc = srv_target_create(&config, &station->target);
    if (rc != 0)
        log_info("target %u (%s) did not start: %s", station->self->id,
                 station->self->directory, err_text(rc));
    return rc;
}

static void *station_main(void *arg)
{
    struct station *station = arg;
    int rc = open_station(station);

    if (write(station->host->reports[1], &rc, sizeof(rc)) != sizeof(rc))
        log_error("target %u: cannot report: %m", station->self->id);
    if (rc == 0)
        srv_target_run(station->target, &station->host->stop);
    return NULL;
}

static int start_all(struct host *host)
{
    struct station *station;
    unsigned i;
    int rc;

    for (i = 0; i < host->nstations; i++) {
        station = &host->stations[i];
        rc = pthread_create(&station->thread, NULL, station_main, station);
        if (rc != 0) {
            errno = rc;
            log_error("cannot start a thread: %m");
            return -rc;
        }
        station->is_started = true;
    }
    return 0;
}

/* @return 0, or the code of a target that could not be opened; an address in
 *  use goes before others. */
static int await_all(struct host *host)
{
    unsigned i;
    int rc, worst = 0;

    for (i = 0; i < host->nstations && host->stations[i].is_started; i++) {
        if (read(host->reports[0], &rc, sizeof(rc)) != sizeof(rc))
            return -EIO;
        if (rc != 0 && worst != -EADDRINUSE)
            worst = rc;
    }
    return worst;
}

/* Every thread has reported, so station->target is set or never will be. */
static void stop_all(struct host *host)
{
    struct station *station;
    unsigned i;

    atomic_store(&host->stop, true);
    for (i = 0; i < host->nstations; i++) {
        station = &host->stations[i];
        if (!station->is_started)
            continue;
        if (station->target != NULL)
            srv_target_wake(station->target);
    }
    for (i = 0; i < host->nstations; i++) {
        station = &host->stations[i];
        if (station->is_started)
            pthread_join(station->thread, NULL);
        srv_target_destroy(&station->target);
        if (station->is_mounted)
            srv_unmount(station->self);
    }
}

static int serve(struct host *host, const char *name, const sigset_t *signals)
{
    int rc = start_all(host);
    int worst = await_all(host);
    int number;

    if (rc == 0)
        rc = worst;
    if (rc == 0) {
        printf("capstan-server %s ready: %u targets\n", name,
               host->nstations);
        fflush(stdout);
        sigwait(signals, &number);
        log_info("stopping: %s", strsignal(number));
    }
    stop_all(host);
    return rc;
}

/*
 * The process.
 */

/* Signals come through sigwait() only; threads inherit the mask. A write beyond
 * RLIMIT_FSIZE is an error of that write. */
static void block_signals(sigset_t *signals_out)
{
    sigemptyset(signals_out);
    sigaddset(signals_out, SIGTERM);
    sigaddset(signals_out, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals_out, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int host_init(struct host *host, const struct cluster_server *server)
{
    unsigned i;

    host->stations = mem_calloc(server->targets_count,
                                sizeof(*host->stations));
    if (host->stations == NULL)
        return -ENOMEM;
    host->nstations = server->targets_count;
    for (i = 0; i < host->nstations; i++) {
        host->stations[i].host = host;
        host->stations[i].self = &server->targets[i];
    }
    if (pipe(host->reports) == 0)
        return 0;
    free(host->stations);
    return -errno;
}

static int run_server(const struct options *options, const sigset_t *signals)
{
    char text[CLUSTER_TEXT_MAX];
    struct host host = {0};
    const struct cluster_server *server;
    int rc;

    if (cluster_load(options->cluster, &host.cluster, text) != 0) {
        fprintf(stderr, "capstan-server: %s\n", text);
        return EXIT_REFUSED;
    }
    server = cluster_server(host.cluster, options->name);
    if (server == NULL) {
        fprintf(stderr, "capstan-server: the cluster has no server %s\n",
                options->name);
        cluster_destroy(&host.cluster);
        return EXIT_REFUSED;
    }
    rc = host_init(&host, server);
    if (rc == 0) {
        rc = serve(&host, options->name, signals);
        close(host.reports[0]);
        close(host.reports[1]);
        free(host.stations);
    }
    cluster_destroy(&host.cluster);
    if (rc == -EADDRINUSE)
        return EXIT_ADDRESS;
    return rc == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    struct options options = {.nice = SRV_NICE_DEFAULT};
    sigset_t signals;
    int rc;

    rc = parse_options(argc, argv, &options);
    if (rc >= 0)
        return rc;
    block_signals(&signals);
    srv_priority_set(options.nice);
    return run_server(&options, &signals);
}
