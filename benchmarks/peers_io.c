/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What IOR is asked for by benchmarks/peers, in a few lines, for machines that
 * have no IOR: ranks write one file together and read it back, each what its
 * neighbour has written.
 *
 *     mpirun -n RANKS peers_io PATH ROW TRANSFERS REPEATS
 *
 * The happy path of a repeat, a line of JSON on rank 0 each:
 *
 *   1. open, TRANSFERS writes of each rank, close: timed as a whole, as IOR
 *      does, from a barrier to the last rank's end;
 *   2. open, as many reads of the neighbour's part, close: timed too;
 *   3. read once more, without a clock, and compare every byte; remove.
 *
 * ROW `fill` only writes, in pieces of 1 MiB, and leaves the file; `random`
 * only reads it, each rank the neighbour's pieces once, in an order of its own.
 *
 * Possible failure modes: an error of MPI or a wrong byte is told with the rank
 * and the offset, and ends all ranks.
 */
#include "base/rng.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_BYTES 512 /* each carries its offset in the file */
#define HARD 47008
#define LARGE (1 << 20)

struct shape {
    const char *name;
    int transfer; /* bytes */
    bool is_collective;
    bool is_view;
    bool is_kept;   /* nothing is read, the file stays */
    bool is_random; /* nothing is written */
};

static const struct shape shapes[] = {
    {.name = "large", .transfer = LARGE},
    {.name = "large-collective", .transfer = LARGE, .is_collective = true},
    {.name = "hard", .transfer = HARD},
    {.name = "hard-collective", .transfer = HARD, .is_collective = true},
    {.name = "view", .transfer = HARD, .is_collective = true, .is_view = true},
    {.name = "fill", .transfer = LARGE, .is_kept = true},
    {.name = "random", .transfer = 4096, .is_random = true, .is_kept = true},
};

struct load {
    const struct shape *shape;
    const char *path;
    int transfers;
    int rank;
    int size;
    char *buffer;
    MPI_File file;
    int *order; /* of this rank's transfers */
};

static void must(int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;

    if (code == MPI_SUCCESS)
        return;
    MPI_Error_string(code, text, &length);
    fprintf(stderr, "peers_io: %s: %s\n", what, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* What a piece of STAMP_BYTES begins with: its offset, mixed. */
static void stamp(char *buffer, int bytes, uint64_t offset)
{
    for (int i = 0; i < bytes; i += STAMP_BYTES) {
        uint64_t word = rng_mix(offset + (uint64_t)i);

        memcpy(buffer + i, &word, sizeof(word));
    }
}

static void fill(char *buffer, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer[i] = (char)(i % STAMP_BYTES);
}

/* Random reads begin within larger writes, at a multiple of STAMP_BYTES. */
static void check(const struct load *load, int bytes, uint64_t offset)
{
    for (int i = 0; i < bytes; i++) {
        uint64_t word = rng_mix(offset + (uint64_t)(i - i % STAMP_BYTES));
        int within = i % STAMP_BYTES;
        char wanted = (char)within;

        if (within < (int)sizeof(word))
            wanted = ((const char *)&word)[within];
        if (load->buffer[i] == wanted)
            continue;
        fprintf(stderr, "peers_io: rank %d: wrong byte at offset %llu\n",
                load->rank, (unsigned long long)offset + (unsigned)i);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

/* A rank sees its own transfers one after the other. */
static void set_view(struct load *load, int part)
{
    MPI_Datatype block, type;

    MPI_Type_contiguous(load->shape->transfer, MPI_BYTE, &block);
    MPI_Type_create_resized(
        block, 0, (MPI_Aint)load->size * load->shape->transfer, &type);
    MPI_Type_commit(&type);
    must(MPI_File_set_view(load->file, (MPI_Offset)part * load->shape->transfer,
                           MPI_BYTE, type, "native", MPI_INFO_NULL),
         "set_view");
    MPI_Type_free(&block);
    MPI_Type_free(&type);
}

static void open_file(struct load *load, int part)
{
    must(MPI_File_open(MPI_COMM_WORLD, load->path,
                       MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
                       &load->file),
         load->path);
    if (load->shape->is_view)
        set_view(load, part);
}

static void move(struct load *load, bool is_write, uint64_t at, int bytes)
{
    MPI_Status status;
    int count, rc;

    if (load->shape->is_collective && is_write)
        rc = MPI_File_write_at_all(load->file, (MPI_Offset)at, load->buffer,
                                   bytes, MPI_BYTE, &status);
    else if (load->shape->is_collective)
        rc = MPI_File_read_at_all(load->file, (MPI_Offset)at, load->buffer,
                                  bytes, MPI_BYTE, &status);
    else if (is_write)
        rc = MPI_File_write_at(load->file, (MPI_Offset)at, load->buffer, bytes,
                               MPI_BYTE, &status);
    else
        rc = MPI_File_read_at(load->file, (MPI_Offset)at, load->buffer, bytes,
                              MPI_BYTE, &status);
    must(rc, is_write ? "write" : "read");
    MPI_Get_count(&status, MPI_BYTE, &count);
    if (count == bytes)
        return;
    fprintf(stderr, "peers_io: %d of %d bytes\n", count, bytes);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Offset of the i-th transfer of a part, in the file and as the view has it. In
 * the file made by `fill` a part's small pieces lie together in large ones. */
static uint64_t offset_of(const struct load *load, int part, int i)
{
    uint64_t bytes = (unsigned)load->shape->transfer;
    uint64_t own = (unsigned)load->order[i] * bytes;
    uint64_t unit = load->shape->is_random ? LARGE : bytes;

    return own / unit * unit * (unsigned)load->size + (unsigned)part * unit +
           own % unit;
}

static void write_part(struct load *load)
{
    int bytes = load->shape->transfer;

    fill(load->buffer, bytes);
    for (int i = 0; i < load->transfers; i++) {
        uint64_t at = offset_of(load, load->rank, i);

        stamp(load->buffer, bytes, at);
        move(load, true,
             load->shape->is_view ? (uint64_t)i * (unsigned)bytes : at, bytes);
    }
}

static void read_part(struct load *load, int part, bool is_checking)
{
    int bytes = load->shape->transfer;

    for (int i = 0; i < load->transfers; i++) {
        uint64_t at = offset_of(load, part, i);

        move(load, false,
             load->shape->is_view ? (uint64_t)i * (unsigned)bytes : at, bytes);
        if (is_checking)
            check(load, bytes, at);
    }
}

/* The order in which a rank makes its transfers: shuffled, or one by one. */
static void set_order(struct load *load)
{
    struct rng rng;

    load->order = malloc((unsigned)load->transfers * sizeof(*load->order));
    if (load->order == NULL)
        must(MPI_ERR_NO_MEM, "memory");
    rng_init(&rng, (unsigned)load->rank + 1);
    for (int i = 0; i < load->transfers; i++)
        load->order[i] = i;
    for (int i = load->transfers - 1; i > 0 && load->shape->is_random; i--) {
        int other = (int)rng_below(&rng, (unsigned)i + 1);
        int kept = load->order[i];

        load->order[i] = load->order[other];
        load->order[other] = kept;
    }
}

enum pass { PASS_WRITE, PASS_READ, PASS_CHECK };

/* @return seconds until the last rank's end. */
static double pass(struct load *load, enum pass which)
{
    int part = load->rank;
    double began, took;

    if (which != PASS_WRITE)
        part = (load->rank + 1) % load->size;
    MPI_Barrier(MPI_COMM_WORLD);
    began = MPI_Wtime();
    open_file(load, part);
    if (which == PASS_WRITE)
        write_part(load);
    else
        read_part(load, part, which == PASS_CHECK);
    must(MPI_File_close(&load->file), "close");
    took = MPI_Wtime() - began;
    MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return took;
}

static void print_rates(const struct load *load, double wrote, double read)
{
    double transfers = (double)load->transfers * load->size;
    double mib = transfers * load->shape->transfer / LARGE;

    printf("{\"row\": \"%s\"", load->shape->name);
    if (wrote > 0)
        printf(", \"write_mib_s\": %.1f", mib / wrote);
    if (read > 0)
        printf(", \"read_mib_s\": %.1f, \"reads_s\": %.0f", mib / read,
               transfers / read);
    printf("}\n");
}

static void repeat(struct load *load)
{
    const struct shape *shape = load->shape;
    double wrote = 0, read = 0;

    if (!shape->is_random)
        wrote = pass(load, PASS_WRITE);
    if (!shape->is_kept || shape->is_random) {
        read = pass(load, PASS_READ);
        pass(load, PASS_CHECK);
    }
    if (load->rank != 0)
        return;
    print_rates(load, wrote, read);
    if (!shape->is_kept)
        must(MPI_File_delete(load->path, MPI_INFO_NULL), "delete");
}

static const struct shape *shape_of(const char *name)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct load load = {0};
    int repeats;

    if (argc != 5 || (load.shape = shape_of(argv[2])) == NULL ||
        (load.transfers = atoi(argv[3])) < 1 || (repeats = atoi(argv[4])) < 1) {
        fputs("usage: mpirun ... peers_io PATH ROW TRANSFERS REPEATS\n"
              "ROW: large, large-collective, hard, hard-collective, view, "
              "fill, random\n",
              stderr);
        return 2;
    }
    MPI_Init(&argc, &argv);
    load.path = argv[1];
    MPI_Comm_rank(MPI_COMM_WORLD, &load.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &load.size);
    set_order(&load);
    load.buffer = malloc(LARGE);
    if (load.buffer == NULL)
        must(MPI_ERR_NO_MEM, "memory");
    while (repeats-- > 0)
        repeat(&load);
    free(load.buffer);
    free(load.order);
    MPI_Finalize();
    return 0;
}
