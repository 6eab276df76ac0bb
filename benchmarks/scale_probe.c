/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What operations cost real servers and clients here, for benchmarks/scale: the
 * processor time of either side, requests and operations a second.
 *
 *     scale_probe SHAPE CLIENTS SECONDS SERVER-PID...
 *
 * CLIENTS processes do the same; one line of JSON tells what all did together.
 * Shapes: random (4 KiB, DEPTH at once), list (of LIST pieces of 4 KiB at
 * random places), stream (1 MiB, STREAM_DEPTH at once), and sessions: CLIENTS
 * sessions of one process, whose memory is told, theirs and the servers'.
 *
 * Possible failure modes: a call that fails, or takes longer than ALARM_S, ends
 * the program.
 */
#include <capstan/file.h>
#include <capstan/session.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (64ull << 20)
#define SMALL 4096u
#define LARGE (1u << 20)
#define LIST 1024u
#define DEPTH 32u
#define STREAM_DEPTH 4u
#define CLIENTS_MAX 1024
#define ALARM_S 60

struct client {
    uint64_t operations, requests, cpu_ns, took_ns;
};

/* In memory that all processes share. */
struct shared {
    pthread_barrier_t barrier;
    uint64_t server_ns; /* in the time measured */
    struct client clients[CLIENTS_MAX];
};

static struct shared *shared;
static struct capstan_session *session;
static struct capstan_file *file;
static char *memory;
static uint64_t state;

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "scale_probe: %s\n", what);
    exit(1);
}

static uint64_t now_of(clockid_t clock)
{
    struct timespec now;

    must(clock_gettime(clock, &now) == 0, "clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t server_ns(char **pids)
{
    clockid_t clock;
    uint64_t sum = 0;

    for (; *pids != NULL; pids++) {
        must(clock_getcpuclockid(atoi(*pids), &clock) == 0, *pids);
        sum += now_of(clock);
    }
    return sum;
}

static uint64_t below(uint64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

/* --- Operations --- */

static void open_all(void)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;

    must(capstan_session_open(&options, &session) == 0, "session");
    must(capstan_file_open(session, "/probe",
                           CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                               CAPSTAN_OPEN_CREATE,
                           NULL, &file) == 0,
         capstan_session_error(session));
}

static void close_all(void)
{
    capstan_file_close(&file);
    capstan_session_close(&session);
}

static void several(unsigned depth, size_t size)
{
    struct capstan_request *requests[DEPTH];
    struct capstan_run run = {.length = size, .count = 1};
    uint64_t bytes;

    for (unsigned i = 0; i < depth; i++) {
        run.offset = below(FILE_BYTES / size) * size;
        run.memory = memory + i * size;
        must(capstan_file_readv_start(file, &run, 1, &requests[i]) == 0,
             "start");
    }
    for (unsigned i = 0; i < depth; i++)
        must(capstan_request_wait(&requests[i], &bytes) == 0 && bytes == size,
             "read");
}

static unsigned do_random(void)
{
    several(DEPTH, SMALL);
    return DEPTH;
}

static unsigned do_stream(void)
{
    several(STREAM_DEPTH, LARGE);
    return STREAM_DEPTH;
}

static unsigned do_list(void)
{
    static struct capstan_run runs[LIST];
    uint64_t bytes;

    for (unsigned i = 0; i < LIST; i++)
        runs[i] =
            (struct capstan_run){.offset = below(FILE_BYTES / SMALL) * SMALL,
                                 .length = SMALL,
                                 .count = 1,
                                 .memory = memory + i * SMALL};
    must(capstan_file_readv(file, runs, LIST, &bytes) == 0 &&
             bytes == LIST * SMALL,
         "list");
    return 1;
}

static const struct shape {
    const char *name;
    unsigned (*run)(void); /* @return operations done */
} shapes[] = {{"random", do_random}, {"list", do_list}, {"stream", do_stream}};

/* --- Clients --- */

static void make_file(void)
{
    size_t done;

    open_all();
    memset(memory, 'x', LARGE);
    for (uint64_t at = 0; at < FILE_BYTES; at += LARGE)
        must(capstan_file_write(file, at, memory, LARGE, &done) == 0 &&
                 done == LARGE,
             "write");
    close_all();
}

static void measure(const struct shape *shape, double seconds, char **pids,
                    struct client *client)
{
    struct capstan_session_stats before, after;
    bool is_first = client == shared->clients;
    uint64_t start, cpu, servers = 0;

    shape->run();
    shape->run();
    pthread_barrier_wait(&shared->barrier);
    servers = is_first ? server_ns(pids) : 0;
    capstan_session_stats(session, &before);
    cpu = now_of(CLOCK_PROCESS_CPUTIME_ID);
    start = now_of(CLOCK_MONOTONIC);
    do {
        client->operations += shape->run();
        client->took_ns = now_of(CLOCK_MONOTONIC) - start;
    } while ((double)client->took_ns < seconds * 1e9);
    client->cpu_ns = now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    capstan_session_stats(session, &after);
    client->requests = after.requests - before.requests;
    if (is_first)
        shared->server_ns = server_ns(pids) - servers;
    pthread_barrier_wait(&shared->barrier);
}

static void run_clients(const struct shape *shape, unsigned nclients,
                        double seconds, char **pids)
{
    int status;
    bool is_well = true;

    for (unsigned i = 0; i < nclients; i++)
        if (fork() == 0) {
            alarm(ALARM_S);
            state = 88172645463325252u + i;
            open_all();
            measure(shape, seconds, pids, &shared->clients[i]);
            close_all();
            exit(0);
        }
    for (unsigned i = 0; i < nclients; i++)
        is_well = wait(&status) > 0 && status == 0 && is_well;
    must(is_well, "a client failed");
}

static void print_clients(const char *shape, unsigned nclients)
{
    struct client sum = {0};

    for (unsigned i = 0; i < nclients; i++) {
        sum.operations += shared->clients[i].operations;
        sum.requests += shared->clients[i].requests;
        sum.cpu_ns += shared->clients[i].cpu_ns;
        sum.took_ns += shared->clients[i].took_ns;
    }
    printf("{\"shape\": \"%s\", \"clients\": %u, \"operations\": %llu, "
           "\"requests\": %llu, \"client_ns\": %llu, \"server_ns\": %llu, "
           "\"seconds\": %.6f}\n",
           shape, nclients, (unsigned long long)sum.operations,
           (unsigned long long)sum.requests, (unsigned long long)sum.cpu_ns,
           (unsigned long long)shared->server_ns,
           (double)sum.took_ns / nclients / 1e9);
}

/* --- Memory of sessions --- */

static uint64_t resident(char **pids)
{
    unsigned long size, pages;
    uint64_t sum = 0;
    char name[64];
    FILE *stat;

    for (; *pids != NULL; pids++) {
        snprintf(name, sizeof(name), "/proc/%.20s/statm", *pids);
        stat = fopen(name, "r");
        must(stat != NULL && fscanf(stat, "%lu %lu", &size, &pages) == 2, name);
        fclose(stat);
        sum += (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return sum;
}

static uint64_t own(void)
{
    char *self[] = {"self", NULL};

    return resident(self);
}

/* Every session reads from every target; the first one does not count. */
static void measure_sessions(unsigned n, char **pids)
{
    struct capstan_session *sessions[CLIENTS_MAX];
    struct capstan_file *files[CLIENTS_MAX];
    uint64_t servers = 0, client = 0;

    for (unsigned i = 0; i <= n; i++) {
        open_all();
        do_list();
        sessions[i] = session;
        files[i] = file;
        if (i == 0) {
            servers = resident(pids);
            client = own();
        }
    }
    printf("{\"shape\": \"sessions\", \"clients\": %u, "
           "\"client_bytes\": %.1f, \"server_bytes\": %.1f, "
           "\"servers_before\": %llu}\n",
           n, ((double)own() - (double)client) / n,
           ((double)resident(pids) - (double)servers) / n, /* may shrink */
           (unsigned long long)servers);
    for (unsigned i = 0; i <= n; i++) {
        capstan_file_close(&files[i]);
        capstan_session_close(&sessions[i]);
    }
}

static void share_memory(unsigned nclients)
{
    pthread_barrierattr_t attr;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "shared memory");
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attr, nclients);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 4 ? (unsigned)atoi(argv[2]) : 0;
    const struct shape *shape = NULL;

    must(n > 0 && n < CLIENTS_MAX,
         "usage: scale_probe SHAPE CLIENTS SECONDS SERVER-PID...");
    alarm(ALARM_S);
    memory = malloc(STREAM_DEPTH * LARGE);
    must(memory != NULL, "memory");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (strcmp(argv[1], shapes[i].name) == 0)
            shape = &shapes[i];
    must(shape != NULL || strcmp(argv[1], "sessions") == 0, "no such shape");
    share_memory(n);
    if (fork() == 0) { /* what a fabric leaves in a process is not inherited */
        make_file();
        exit(0);
    }
    wait(NULL);
    if (shape == NULL) {
        measure_sessions(n, argv + 4);
        return 0;
    }
    run_clients(shape, n, atof(argv[3]), argv + 4);
    print_clients(shape->name, n);
    return 0;
}
