/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What operations cost, counted rather than timed: requests that servers serve,
 * messages both ways, RMA transfers, extents read and written by servers, and
 * bytes that are allocated, client and servers together. The cluster is
 * simulated, so that the figures are the same on every machine and at every
 * run.
 *
 * The table below is what they are. A change that makes an operation dearer
 * fails here; one that makes it cheaper fails too, so that the table stays
 * true: adapt it then. Of allocations it holds the most that is allowed.
 *
 *     test_costs           compare
 *     test_costs --print   print the table as it would be
 */
#include "base/mem.h"
#include "sim/sim_cluster.h"

#include "capstan/file.h"
#include "capstan/namespace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS 4
#define STRIPE (64u << 10)
#define BIG (1u << 20)
#define SAMPLES 1024u
#define SAMPLE 1024u
#define SETTLE_NS (100 * NS_PER_MS)

struct world {
    struct sim_cluster sim;
    struct capstan_session *session;
    struct capstan_file *small, *big;
    uint8_t *memory; /* BIG bytes */
    struct capstan_run runs[SAMPLES];
};

struct cost {
    uint64_t requests, messages, rma, extents, bytes;
};

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "FAIL: %s\n", what);
    exit(1);
}

static struct capstan_file *open_file(struct world *w, const char *path,
                                      unsigned flags)
{
    struct capstan_file *file;

    must(capstan_file_open(w->session, path,
                           CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE | flags, NULL,
                           &file) == 0,
         path);
    return file;
}

static void move(struct capstan_file *file, bool is_write, uint8_t *memory,
                 size_t length)
{
    size_t done;
    int rc = is_write ? capstan_file_write(file, 0, memory, length, &done)
                      : capstan_file_read(file, 0, memory, length, &done);

    must(rc == 0 && done == length, is_write ? "write" : "read");
}

static void move_runs(struct world *w, bool is_write, size_t n)
{
    uint64_t done;
    int rc = is_write ? capstan_file_writev(w->big, w->runs, n, &done)
                      : capstan_file_readv(w->big, w->runs, n, &done);

    must(rc == 0, is_write ? "writev" : "readv");
}

/* Places in file and memory that have nothing to do with each other. */
static void scatter(struct world *w)
{
    for (unsigned i = 0; i < SAMPLES; i++)
        w->runs[i] = (struct capstan_run){.offset = i * 389u % SAMPLES * SAMPLE,
                                          .length = SAMPLE,
                                          .count = 1,
                                          .memory = w->memory + i * SAMPLE};
}

/* --- The operations --- */

static void do_create(struct world *w)
{
    struct capstan_file *file = open_file(w, "/new", CAPSTAN_OPEN_CREATE);

    must(capstan_file_close(&file) == 0, "close");
}

static void do_open(struct world *w)
{
    struct capstan_file *file = open_file(w, "/small", 0);

    must(capstan_file_close(&file) == 0, "close");
}

static void do_stat(struct world *w)
{
    struct capstan_stat stat;

    must(capstan_stat(w->session, "/small", &stat) == 0, "stat");
}

static void do_stat_big(struct world *w)
{
    struct capstan_stat stat;

    must(capstan_stat(w->session, "/big", &stat) == 0, "stat");
}

static void do_unlink(struct world *w)
{
    must(capstan_unlink(w->session, "/new") == 0, "unlink");
}

static void do_small_write(struct world *w)
{
    move(w->small, true, w->memory, 4096);
}

static void do_small_read(struct world *w)
{
    move(w->small, false, w->memory, 4096);
}

static void do_big_write(struct world *w)
{
    move(w->big, true, w->memory, BIG);
}

static void do_big_read(struct world *w)
{
    move(w->big, false, w->memory, BIG);
}

static void do_list_write(struct world *w)
{
    scatter(w);
    move_runs(w, true, SAMPLES);
}

static void do_list_read(struct world *w)
{
    scatter(w);
    move_runs(w, false, SAMPLES);
}

/* One run however many blocks it has. */
static void do_vector_read(struct world *w)
{
    w->runs[0] = (struct capstan_run){.length = 100,
                                      .count = BIG / 1000,
                                      .stride = 1000,
                                      .memory = w->memory,
                                      .mem_stride = 100};
    move_runs(w, false, 1);
}

static void do_sync(struct world *w)
{
    must(capstan_file_sync(w->big) == 0, "sync");
}

static const struct {
    const char *name;
    void (*run)(struct world *w);
    struct cost cost;
} operations[] = {
    /* requests, messages, RMA, extents, bytes allocated at most */
    {"create an empty file", do_create, {1, 2, 0, 0, 4000}},
    {"open a small file", do_open, {1, 2, 0, 0, 2000}},
    {"stat a small file", do_stat, {1, 2, 0, 0, 1000}},
    {"stat a striped file", do_stat_big, {4, 8, 0, 0, 6000}},
    {"remove an empty file", do_unlink, {1, 2, 0, 0, 3000}},
    {"write 4 KiB", do_small_write, {1, 2, 0, 1, 20000}},
    {"read 4 KiB", do_small_read, {1, 2, 0, 1, 9000}},
    {"write 1 MiB", do_big_write, {4, 8, 16, 4, 1373000}},
    {"read 1 MiB", do_big_read, {4, 8, 16, 4, 13000}},
    {"write 1024 scattered KiB", do_list_write, {4, 8, 8, 1024, 2529000}},
    {"read 1024 scattered KiB", do_list_read, {4, 8, 8, 1024, 1037000}},
    {"read a vector of 1048 blocks", do_vector_read, {4, 8, 24, 1050, 18000}},
    {"sync a striped file", do_sync, {5, 10, 0, 0, 8000}},
};

/* --- Counting --- */

static void count(struct world *w, struct cost *cost)
{
    struct net_sim_counts counts;

    /* What goes on behind an answer belongs to it. */
    sim_run(&w->sim, SETTLE_NS);
    net_sim_counts(w->sim.fabric, &counts);
    cost->requests = sim_counter(&w->sim, COUNTER_requests);
    cost->messages = counts.sent;
    cost->rma = counts.rma;
    cost->extents = sim_counter(&w->sim, COUNTER_read_extents) +
                    sim_counter(&w->sim, COUNTER_write_extents);
    cost->bytes = mem_taken();
}

static struct cost measure(struct world *w, void (*run)(struct world *))
{
    struct cost before, after;

    count(w, &before);
    run(w);
    count(w, &after);
    return (struct cost){.requests = after.requests - before.requests,
                         .messages = after.messages - before.messages,
                         .rma = after.rma - before.rma,
                         .extents = after.extents - before.extents,
                         .bytes = after.bytes - before.bytes};
}

/* Every way is gone once: connections, caches, buffers, a striped file. */
static void prepare(struct world *w)
{
    struct sim_config config = {.seed = 1,
                                .ntargets = TARGETS,
                                .nclients = 1,
                                .stripe_size = STRIPE,
                                .timeout_ms = 30000};

    sim_init(&w->sim, &config);
    w->session = w->sim.clients[0];
    w->memory = calloc(1, BIG);
    must(w->memory != NULL, "memory");
    w->small = open_file(w, "/small", CAPSTAN_OPEN_CREATE);
    w->big = open_file(w, "/big", CAPSTAN_OPEN_CREATE);
    do_small_write(w);
    do_big_write(w);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        operations[i].run(w);
}

static bool compare(const char *name, const struct cost *is,
                    const struct cost *was)
{
    if (is->requests == was->requests && is->messages == was->messages &&
        is->rma == was->rma && is->extents == was->extents &&
        is->bytes <= was->bytes)
        return true;
    printf(
        "%s: %llu requests, %llu messages, %llu RMA, %llu extents, %llu bytes "
        "allocated; the table has %llu, %llu, %llu, "
        "%llu, at most %llu\n",
        name, (unsigned long long)is->requests,
        (unsigned long long)is->messages, (unsigned long long)is->rma,
        (unsigned long long)is->extents, (unsigned long long)is->bytes,
        (unsigned long long)was->requests, (unsigned long long)was->messages,
        (unsigned long long)was->rma, (unsigned long long)was->extents,
        (unsigned long long)was->bytes);
    return false;
}

static void print_row(size_t i, const struct cost *cost)
{
    printf("{\"%s\", %llu, %llu, %llu, %llu, %llu}\n", operations[i].name,
           (unsigned long long)cost->requests,
           (unsigned long long)cost->messages, (unsigned long long)cost->rma,
           (unsigned long long)cost->extents, (unsigned long long)cost->bytes);
}

int main(int argc, char **argv)
{
    bool is_printing = argc == 2 && strcmp(argv[1], "--print") == 0;
    static struct world w;
    unsigned nwrong = 0;
    struct cost cost;

    prepare(&w);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        cost = measure(&w, operations[i].run);
        if (is_printing)
            print_row(i, &cost);
        else
            nwrong += !compare(operations[i].name, &cost, &operations[i].cost);
    }
    capstan_file_close(&w.small);
    capstan_file_close(&w.big);
    sim_fini(&w.sim);
    free(w.memory);
    return nwrong == 0 ? 0 : 1;
}
