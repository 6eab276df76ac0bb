/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What collectives cost, counted: all ranks together, one line of JSON each, as
 * costs.c. Below the engine a file in memory stands for a striped one; a
 * request is a list given to it, an extent a run of such a list; messages are
 * the engine's own between ranks, without those of MPI's collectives.
 *
 *     mpirun -n RANKS collective PATH
 *
 * With CAPSTAN_NODE_RANKS=1 every rank is a node, so that ranks send messages;
 * else they are on one and share memory.
 */
#include "adio/common/coll.h"
#include "adio/common/hints.h"
#include "costs/counting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u
#define BLOCKS 256u /* of a rank */
#define BYTES ((uint64_t)BLOCK * BLOCKS)
#define STRIPE (64u << 10)
#define WIDTH 4
#define NCOUNTS 7

static int rank, nranks;
static char *memory;
static uint64_t requests, extents;

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "FAIL: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* --- The storage: a local file that says that it is striped --- */

static int counted_read(struct adio_file *file, const struct run *runs,
                        size_t nruns, struct adio_io **io_out,
                        struct adio_error *error)
{
    requests++;
    extents += nruns;
    return ad_posix()->ireadlist(file, runs, nruns, io_out, error);
}

static int counted_write(struct adio_file *file, const struct run *runs,
                         size_t nruns, struct adio_io **io_out,
                         struct adio_error *error)
{
    requests++;
    extents += nruns;
    return ad_posix()->iwritelist(file, runs, nruns, io_out, error);
}

static void striped(struct adio_file *file, struct adio_layout *layout_out)
{
    (void)file;
    *layout_out = (struct adio_layout){.stripe_size = STRIPE, .width = WIDTH};
}

/* Its pages are not in this machine's memory. */
static bool may_not_map(struct adio_file *file, const struct run *runs,
                        size_t nruns)
{
    (void)file;
    (void)runs;
    (void)nruns;
    return false;
}

static const struct adio_driver *storage(void)
{
    static struct adio_driver driver;

    driver = *ad_posix();
    driver.ireadlist = counted_read;
    driver.iwritelist = counted_write;
    driver.layout = striped;
    driver.may_map = may_not_map;
    return &driver;
}

/* --- The collectives --- */

/* Blocks dealt out to the ranks, or one range for all. */
static struct run run_of(bool is_dealt)
{
    uint64_t r = (unsigned)rank, n = (unsigned)nranks;

    if (!is_dealt)
        return (struct run){
            .length = BYTES, .count = 1, .mem = (uintptr_t)memory};
    return (struct run){.offset = r * BLOCK,
                        .length = BLOCK,
                        .stride = n * BLOCK,
                        .count = BLOCKS,
                        .mem = (uintptr_t)memory,
                        .mem_stride = BLOCK};
}

static char byte_at(uint64_t offset)
{
    return (char)(offset * 2654435761u >> 13);
}

/* The byte at a place in this rank's memory. */
static char byte_of(bool is_dealt, uint64_t at)
{
    uint64_t r = (unsigned)rank, n = (unsigned)nranks;

    return byte_at(is_dealt ? (at / BLOCK * n + r) * BLOCK + at % BLOCK : at);
}

static void transfer(struct adio_file *file, enum coll_verb verb, bool is_dealt)
{
    struct run run = run_of(is_dealt);
    struct adio_error error;
    uint64_t bytes;

    must(coll_run(file, verb, &run, 1, NULL, &bytes, &error) == 0 &&
             bytes == BYTES,
         verb == COLL_READ ? "read" : "write");
}

static void counts_now(const struct adio_file *file, uint64_t *counts)
{
    struct counting library = counting_now();
    const uint64_t now[NCOUNTS] = {
        requests,         file->explain.messages, file->explain.bytes_exchanged,
        extents,          library.copied,         library.allocations,
        library.allocated};

    memcpy(counts, now, sizeof(now));
}

/* "messages" and "in them" are told for the last operation, the others sum up.
 */
static void print_sum(const char *name, const uint64_t *before, uint64_t *after)
{
    static const char *const words[NCOUNTS] = {
        "requests", "messages",    "in them",  "extents",
        "copied",   "allocations", "allocated"};
    uint64_t sum[NCOUNTS];

    for (int i = 0; i < NCOUNTS; i++)
        after[i] -= i == 1 || i == 2 ? 0 : before[i];
    MPI_Reduce(after, sum, NCOUNTS, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank != 0)
        return;
    printf("{\"operation\": \"%s, %d ranks%s\"", name, nranks,
           getenv("CAPSTAN_NODE_RANKS") != NULL ? "" : " of a node");
    for (int i = 0; i < NCOUNTS; i++)
        printf(", \"%s\": %llu", words[i], (unsigned long long)sum[i]);
    printf("}\n");
}

static void measure(const char *name, struct adio_file *file,
                    enum coll_verb verb, bool is_dealt)
{
    uint64_t before[NCOUNTS], after[NCOUNTS];

    transfer(file, verb, is_dealt);
    transfer(file, verb, is_dealt);
    if (verb == COLL_READ)
        memset(memory, 0, BYTES);
    counts_now(file, before);
    transfer(file, verb, is_dealt);
    counts_now(file, after);
    for (uint64_t i = 0; i < BYTES; i++)
        must(memory[i] == byte_of(is_dealt, i), "comparison");
    print_sum(name, before, after);
}

static void run_all(struct adio_file *file)
{
    for (uint64_t i = 0; i < BYTES; i++)
        memory[i] = byte_of(true, i);
    measure("write dealt blocks together", file, COLL_WRITE, true);
    measure("read dealt blocks together", file, COLL_READ, true);
    measure("read one range together", file, COLL_READ, false);
}

int main(int argc, char **argv)
{
    struct adio_hints hints;
    struct adio_error error;
    struct adio_file *file;

    MPI_Init(&argc, &argv);
    must(argc == 2, "usage: collective PATH");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &nranks);
    memory = malloc(BYTES);
    must(memory != NULL, "memory");
    hints_init(&hints);
    must(adio_open(storage(), MPI_COMM_WORLD, argv[1], argv[1],
                   MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE,
                   &hints, &file, &error) == 0,
         error.text);
    run_all(file);
    must(adio_close(&file, &error) == 0, error.text);
    free(memory);
    MPI_Finalize();
    return 0;
}
