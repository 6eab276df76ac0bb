/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flipped bits on a simulated cluster: in messages, in what moves by RMA, and
 * on the devices, in bytes and in sums. Clients write and read at random; each
 * read that succeeds has the right bytes, and one that does not says that a
 * checksum did not fit.
 *
 *     test_flips [SEED [COUNT]]    seeds SEED .. SEED + COUNT - 1
 */
#include "sim/sim_cluster.h"

#include "capstan/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE (300u << 10)
#define OPS 80
#define BLOCKS_MAX 2200 /* of a vector that is too long for a sum each */

struct world {
    struct sim_cluster sim;
    struct rng rng;
    uint64_t seed;
    struct capstan_file *file;
    uint8_t data[SIZE];
    uint8_t is_known[SIZE]; /* 0: a write of it failed */
    uint8_t buffer[SIZE];
};

static struct {
    unsigned long messages, rma, device, refused_reads, refused_writes, right;
} total;

static void require(const struct world *w, bool is_so, const char *what,
                    long long got)
{
    if (is_so)
        return;
    fprintf(stderr, "seed %llu: %s (%lld)\n", (unsigned long long)w->seed, what,
            got);
    exit(1);
}

/* One extent, or a vector of tiny blocks, which folds its sums. */
static struct capstan_run any_run(struct world *w, uint8_t *image)
{
    struct capstan_run run = {.count = 1};

    run.offset = rng_below(&w->rng, SIZE - 1);
    if (rng_chance(&w->rng, 20)) {
        run.length = 1 + rng_below(&w->rng, 8);
        run.stride = run.length + rng_below(&w->rng, 40);
        run.count = (SIZE - run.offset) / run.stride;
        if (run.count > BLOCKS_MAX)
            run.count = BLOCKS_MAX;
        run.mem_stride = (int64_t)run.stride;
    }
    if (run.count <= 1) {
        run = (struct capstan_run){.offset = run.offset, .count = 1};
        run.length = 1 + rng_below(&w->rng, SIZE - run.offset);
    }
    run.memory = image + run.offset;
    return run;
}

/* The image's memory is laid out as the file is. */
static void write_some(struct world *w)
{
    struct capstan_run run = any_run(w, w->data);
    uint64_t i, k, done;
    int rc;

    for (i = 0; i < run.count; i++)
        for (k = 0; k < run.length; k++)
            w->data[run.offset + i * run.stride + k] =
                (uint8_t)rng_next(&w->rng);
    rc = capstan_file_writev(w->file, &run, 1, &done);
    require(w, rc == 0 || rc == -ERR_CORRUPT, "a write", rc);
    total.refused_writes += rc != 0;
    for (i = 0; i < run.count; i++)
        memset(w->is_known + run.offset + i * run.stride, rc == 0, run.length);
}

static void read_some(struct world *w)
{
    struct capstan_run run = any_run(w, w->buffer);
    uint64_t i, k, at, done = 0;
    int rc = capstan_file_readv(w->file, &run, 1, &done);

    require(w, rc == 0 || rc == -ERR_CORRUPT, "a read", rc);
    total.refused_reads += rc != 0;
    total.right += rc == 0;
    if (rc != 0)
        return;
    require(w, done == run.length * run.count, "a short read", (long long)done);
    for (i = 0; i < run.count; i++)
        for (k = 0; k < run.length; k++) {
            at = run.offset + i * run.stride + k;
            require(w, !w->is_known[at] || w->buffer[at] == w->data[at],
                    "a wrong byte was returned", (long long)at);
        }
}

/* Blocks that were damaged stay so until they are written whole. */
static void write_all(struct world *w)
{
    struct capstan_run run = {.length = SIZE, .count = 1, .memory = w->data};
    uint64_t done;
    int rc;

    do
        rc = capstan_file_writev(w->file, &run, 1, &done);
    while (rc == -ERR_CORRUPT);
    require(w, rc == 0, "writing all", rc);
    memset(w->is_known, 1, SIZE);
}

static void flip_device(struct world *w)
{
    unsigned i = (unsigned)rng_below(&w->rng, w->sim.config.ntargets);

    total.device +=
        obj_mem_disk_flip(w->sim.servers[i].disk, rng_next(&w->rng));
}

static void play_one(struct world *w)
{
    uint64_t what = rng_below(&w->rng, 20);

    if (what < 8)
        write_some(w);
    else if (what < 16)
        read_some(w);
    else if (what < 17)
        sim_run(&w->sim, 3 * NS_PER_SEC); /* objects become clean */
    else if (what < 19)
        flip_device(w);
    else
        write_all(w);
}

static void play(struct world *w, uint64_t seed)
{
    struct sim_config config = {.seed = seed,
                                .stripe_size = 16384,
                                .flip_percent = 3,
                                .timeout_ms = 600000};
    struct net_sim_counts counts;

    w->seed = seed;
    rng_init(&w->rng, seed);
    config.ntargets = 1 + (unsigned)rng_below(&w->rng, 4);
    config.nclients = 1;
    sim_init(&w->sim, &config);
    require(w,
            capstan_file_open(w->sim.clients[0], "/f",
                              CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                                  CAPSTAN_OPEN_CREATE,
                              NULL, &w->file) == 0,
            "open", 0);
    write_all(w);
    for (unsigned i = 0; i < OPS; i++)
        play_one(w);
    capstan_file_close(&w->file);
    net_sim_counts(w->sim.fabric, &counts);
    total.messages += counts.flipped_messages;
    total.rma += counts.flipped_rma;
    sim_fini(&w->sim);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 6;
    struct world *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return 1;
    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + count - 1));
    fflush(stdout);
    for (uint64_t seed = first; seed < first + count; seed++)
        play(w, seed);
    printf(
        "flipped: %lu messages, %lu RMA, %lu on devices; refused: %lu reads, "
        "%lu writes; %lu reads were right, none was wrong\n",
        total.messages, total.rma, total.device, total.refused_reads,
        total.refused_writes, total.right);
    free(w);
    if (total.rma == 0 || total.messages == 0 || total.device == 0 ||
        total.refused_reads == 0 || total.refused_writes == 0)
        return 1; /* it has shown nothing */
    return 0;
}
