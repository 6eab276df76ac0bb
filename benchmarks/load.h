/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of the load program: load.c steers, load_data.c opens a dataset and
 * reads samples, load_report.c adds up and prints.
 *
 * Units    bytes, seconds.
 * Threads  one a rank.
 * Failure  no call returns one: it is printed with rank and cause, and all
 * ranks end with status 1 (load_die()).
 */
#ifndef CAPSTAN_BENCHMARKS_LOAD_H
#define CAPSTAN_BENCHMARKS_LOAD_H

#include "loader/index.h"

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

enum load_mode { LOAD_INDEPENDENT, LOAD_COLLECTIVE };

struct load_options {
    const char *dataset; /* any prefix that MPI_File_open understands */
    enum load_mode mode;
    uint64_t batch;
    uint64_t epochs;
    uint64_t seed;
    uint32_t group;
};

/* Where a sample lies: a row of the index, and the file that it is of. */
struct sample {
    uint32_t shard;
    uint32_t crc32c;
    uint64_t offset;
    uint64_t length;
};

/* A dataset that is open for reading on all ranks. */
struct load_data {
    struct index index;
    struct sample *samples;
    MPI_File *shards;
    uint64_t reads; /* MPI_File_read calls of this rank */
    uint64_t bytes; /* this rank read */
};

/* One rank's samples of one step, by shard and offset. */
struct load_batch {
    const struct sample **samples;
    uint64_t count;
    unsigned char *memory; /* the samples, one behind the other */
    size_t memory_size;
};

/** What one run of all epochs was, on this rank. */
struct load_result {
    uint64_t samples; /* verified */
    uint64_t bytes;
    uint64_t reads;
    double seconds; /* from the first step to the end of the last */
};

/** Print "load: rank R: ..." and end all ranks. */
void load_die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/** load_die() with MPI's text, if rc is not MPI_SUCCESS. */
void load_check(int rc, const char *what, const char *object);

/** Read the index and open the shards. Collective. */
void load_data_open(struct load_data *data, const char *dataset);

/** Close all. Collective. */
void load_data_close(struct load_data *data);

/** Fill the batch's memory, one read call a sample. */
void load_read_independent(struct load_data *data, struct load_batch *batch);

/** Fill the batch's memory, one collective read a shard of `touched`, which
 *  holds index.shards booleans, alike on all ranks. Collective. */
void load_read_collective(struct load_data *data, struct load_batch *batch,
                          const unsigned char *touched);

/** Sum every sample of the batch and compare with the index. */
void load_verify(const struct load_batch *batch);

/** Add up over the ranks; rank 0 prints one line of JSON. Collective. */
void load_report(const struct load_options *options,
                 const struct load_data *data,
                 const struct load_result *result);

#endif
