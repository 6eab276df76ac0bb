/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fabric can do between two processes of this machine, and what our
 * layer leaves of it: the ceiling for everything built above.
 *
 * For each provider and each way (fabric.h) two processes are forked, which
 * learn each other's names over a socket pair. One measures: 64-byte ping-pong,
 * 64-byte messages a second, RMA at several sizes. The other answers pings and
 * polls. Both spin, yielding the processor: that is the fabric at its best, not
 * a server that sleeps. Each figure is repeated; median, least and most are
 * shown. A bandwidth of writes ends when a message sent behind them has been
 * answered.
 */
#include "benchmarks/fabric.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATS_MAX 15
#define ROWS_MAX 256
#define UNDER_WAY 16 /* RMA operations */

struct options {
    const char *providers[4];
    unsigned nproviders;
    const char *json;
    unsigned repeats;
    double seconds; /* of one repeat of one figure */
};

struct row {
    const char *provider, *way, *figure, *unit;
    size_t size;
    double median, least, most;
};

static struct row rows[ROWS_MAX];
static unsigned nrows;
static const struct fabric_way *way;
static struct fabric_counts counts;

void fabric_must(const char *what, int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "fabric: %s: error %d\n", what, rc);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- One side --- */

static void progress(void)
{
    struct fabric_counts before = counts;

    way->progress(&counts);
    if (before.sent == counts.sent && before.received == counts.received &&
        before.moved == counts.moved)
        sched_yield();
}

static void send_one(char first)
{
    while (!way->send(first))
        progress();
}

/* Send, and wait for an answer. */
static void ping(void)
{
    uint64_t want = counts.received + 1;

    send_one('P');
    while (counts.received < want)
        progress();
}

/* The peer: answers 'P', and each 'D'; swallows the rest, ends at 'Q'. */
static void answer(void)
{
    uint64_t seen = 0, n;

    for (;;) {
        progress();
        n = counts.received - seen;
        if (n == 0)
            continue;
        seen += n;
        if (counts.last == 'Q')
            return;
        if (counts.last == 'P')
            send_one('A');
        for (; counts.last == 'D' && n > 0; n--)
            send_one('A');
    }
}

/* --- Figures: one repeat each --- */

static double latency_us(double seconds, size_t size)
{
    double start = now(), end;
    unsigned n = 0;

    do {
        for (unsigned i = 0; i < 64; i++, n++)
            ping();
        end = now();
    } while (end - start < seconds);
    return (end - start) / n / 2 * 1e6;
}

static double rate(double seconds, size_t size)
{
    uint64_t base = counts.sent, n = 0;
    double start = now(), end;

    do {
        for (unsigned i = 0; i < 1000; i++, n++) {
            while (n - (counts.sent - base) >= FABRIC_WINDOW)
                progress();
            send_one('R');
        }
        end = now();
    } while (end - start < seconds);
    ping();
    end = now();
    return (double)n / (end - start) / 1e6;
}

/* Thousand requests a second, `depth` of them under way. */
static double request_rate(double seconds, size_t depth)
{
    uint64_t base = counts.received, n = 0;
    double start = now(), end;

    do {
        for (unsigned i = 0; i < 64; i++, n++) {
            while (n - (counts.received - base) >= depth)
                progress();
            send_one('D');
        }
        end = now();
    } while (end - start < seconds);
    while (counts.received - base < n)
        progress();
    end = now();
    return (double)n / (end - start) / 1e3;
}

static double bandwidth(bool is_write, double seconds, size_t size)
{
    uint64_t base = counts.moved, n = 0;
    double start = now(), end;
    size_t offset = 0;

    do {
        for (unsigned i = 0; i < UNDER_WAY; i++, n++) {
            while (n - (counts.moved - base) >= UNDER_WAY)
                progress();
            while (!way->move(is_write, offset, size))
                progress();
            offset += size;
            if (offset + size > FABRIC_MEMORY)
                offset = 0;
        }
        end = now();
    } while (end - start < seconds);
    while (counts.moved - base < n)
        progress();
    if (is_write)
        ping();
    end = now();
    return (double)n * (double)size / (end - start) / 1e6;
}

static double read_mb(double seconds, size_t size)
{
    return bandwidth(false, seconds, size);
}

static double write_mb(double seconds, size_t size)
{
    return bandwidth(true, seconds, size);
}

static const struct figure {
    const char *name, *unit;
    double (*run)(double seconds, size_t size);
    size_t size;
} figures[] = {
    {"ping-pong, one way", "us", latency_us, FABRIC_MESSAGE},
    {"messages", "million/s", rate, FABRIC_MESSAGE},
    {"request-reply, depth", "thousand/s", request_rate, 1},
    {"request-reply, depth", "thousand/s", request_rate, 8},
    {"request-reply, depth", "thousand/s", request_rate, 32},
    {"rma read", "MB/s", read_mb, 4096},
    {"rma read", "MB/s", read_mb, 65536},
    {"rma read", "MB/s", read_mb, 1 << 20},
    {"rma read", "MB/s", read_mb, 4 << 20},
    {"rma write", "MB/s", write_mb, 4096},
    {"rma write", "MB/s", write_mb, 65536},
    {"rma write", "MB/s", write_mb, 1 << 20},
    {"rma write", "MB/s", write_mb, 4 << 20},
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static struct row measure(const struct options *options,
                          const struct figure *figure)
{
    double values[REPEATS_MAX];

    figure->run(options->seconds / 4, figure->size); /* to warm up */
    for (unsigned i = 0; i < options->repeats; i++)
        values[i] = figure->run(options->seconds, figure->size);
    qsort(values, options->repeats, sizeof(values[0]), by_value);
    return (struct row){.figure = figure->name,
                        .unit = figure->unit,
                        .size = figure->size,
                        .median = values[options->repeats / 2],
                        .least = values[0],
                        .most = values[options->repeats - 1]};
}

/* --- Two processes --- */

static char *map_memory(void)
{
    char *memory = mmap(NULL, FABRIC_MEMORY, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        fabric_must("memory", -ENOMEM);
    memset(memory, 1, FABRIC_MEMORY);
    return memory;
}

/* Open and learn the other's name. @return false: no such provider. */
static bool meet(const char *provider, int fd)
{
    struct fabric_name mine = {0}, other;

    if (way->open(provider, map_memory()) != 0)
        return false;
    way->name_get(&mine);
    if (write(fd, &mine, sizeof(mine)) != (ssize_t)sizeof(mine) ||
        recv(fd, &other, sizeof(other), MSG_WAITALL) != (ssize_t)sizeof(other))
        return false;
    way->connect(&other);
    return true;
}

static int run_answerer(const char *provider, int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!meet(provider, fd))
        return 77;
    answer();
    way->close();
    return 0;
}

static int run_measurer(const struct options *options, const char *provider,
                        int fd, int out)
{
    struct row row;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!meet(provider, fd))
        return 77;
    ping();
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        row = measure(options, &figures[i]);
        if (write(out, &row, sizeof(row)) != (ssize_t)sizeof(row))
            return 1;
    }
    send_one('Q');
    for (unsigned i = 0; i < 1000; i++)
        progress();
    way->close();
    return 0;
}

static pid_t spawn(const struct options *options, const char *provider,
                   bool measures, int fd, int out)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    exit(measures ? run_measurer(options, provider, fd, out)
                  : run_answerer(provider, fd));
}

/* Rows hold pointers to constants, which mean the same in a forked child. */
static void collect(const char *provider, int out)
{
    struct row row;

    while (nrows < ROWS_MAX &&
           read(out, &row, sizeof(row)) == (ssize_t)sizeof(row)) {
        row.provider = provider;
        row.way = way->name;
        rows[nrows++] = row;
        printf("%-12s %-17s %-20s %8zu %10.2f %s (%.2f .. %.2f)\n", provider,
               way->name, row.figure, row.size, row.median, row.unit, row.least,
               row.most);
        fflush(stdout);
    }
}

static int run_pair(const struct options *options, const char *provider)
{
    int pair[2], out[2], status = 0, failed = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || pipe(out) != 0)
        fabric_must("socket pair", -errno);
    spawn(options, provider, false, pair[0], -1);
    spawn(options, provider, true, pair[1], out[1]);
    close(pair[0]);
    close(pair[1]);
    close(out[1]);
    collect(provider, out[0]);
    close(out[0]);
    while (wait(&status) > 0)
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (failed == 77)
        printf("%-12s %-17s not available here\n", provider, way->name);
    return failed == 77 ? 0 : failed;
}

/* --- The program --- */

static void write_json(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        fabric_must(path, -errno);
    fprintf(file, "{\"benchmark\": \"fabric\", \"rows\": [");
    for (unsigned i = 0; i < nrows; i++)
        fprintf(file,
                "%s\n  {\"provider\": \"%s\", \"way\": \"%s\", \"figure\": "
                "\"%s\", \"size\": %zu, \"unit\": \"%s\", \"median\": %.4f, "
                "\"least\": %.4f, \"most\": %.4f}",
                i == 0 ? "" : ",", rows[i].provider, rows[i].way,
                rows[i].figure, rows[i].size, rows[i].unit, rows[i].median,
                rows[i].least, rows[i].most);
    fprintf(file, "\n]}\n");
    if (fclose(file) != 0)
        fabric_must(path, -errno);
}

static void help(void)
{
    printf(
        "usage: fabric [--provider P]... [--quick] [--json FILE]\n\n"
        "Measures latency, message rate and RMA bandwidth between two\n"
        "processes of this machine, by libfabric alone and through our\n"
        "own layer.\n\n"
        "  --provider P  a libfabric provider; default: tcp;ofi_rxm and shm\n"
        "  --quick       shorter and fewer repeats: about ten seconds\n"
        "  --json FILE   write the figures to FILE too\n"
        "  --help        this text\n");
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'},
        {"quick", no_argument, NULL, 'q'},
        {"json", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'p' && options->nproviders < 4) {
            options->providers[options->nproviders++] = optarg;
        } else if (option == 'q') {
            options->repeats = 3;
            options->seconds = 0.05;
        } else if (option == 'j') {
            options->json = optarg;
        } else if (option == 'h') {
            help();
            exit(0);
        } else {
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct fabric_way *const ways[] = {&fabric_raw, &fabric_wire,
                                                    &fabric_net};
    struct options options = {.repeats = 7, .seconds = 0.4};
    int rc = parse(argc, argv, &options);

    if (rc != 0)
        return rc;
    if (options.nproviders == 0) {
        options.providers[options.nproviders++] = "tcp;ofi_rxm";
        options.providers[options.nproviders++] = "shm";
    }
    for (unsigned p = 0; p < options.nproviders; p++)
        for (unsigned w = 0; w < 3; w++) {
            way = ways[w];
            if (way == &fabric_wire && strcmp(options.providers[p], "shm") == 0)
                continue; /* it has no other way */
            rc |= run_pair(&options, options.providers[p]);
        }
    if (options.json != NULL)
        write_json(options.json);
    return rc;
}
