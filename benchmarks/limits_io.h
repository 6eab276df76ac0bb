/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the layers of benchmarks/limits share: the work that each of them does.
 *
 * Units    bytes, seconds.
 * Threads  one a rank.
 * Failure  a call that fails ends all ranks with a message.
 */
#ifndef CAPSTAN_BENCHMARKS_LIMITS_IO_H
#define CAPSTAN_BENCHMARKS_LIMITS_IO_H

#include <capstan/file.h>
#include <capstan/session.h>

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#define PART (32u << 20) /* bytes of the file that belong to one rank */
#define SMALL 4096u
#define LIST 4096u /* small blocks of one list */
#define DEPTH_MAX 32u

struct bench {
    const char *path;
    double seconds; /* of one figure */
    char **pids;    /* of servers; NULL-terminated */
    int rank, nranks;
    char *memory; /* PART bytes */
    struct capstan_session *session;
    struct capstan_file *file;
    MPI_File handle;
    uint64_t random;
};

/* What one layer can do. Counts are blocks of `size`; returns 0 or ends. */
struct layer {
    const char *name;
    void (*open)(struct bench *bench);
    void (*close)(struct bench *bench);
    void (*move)(struct bench *bench, bool is_write, uint64_t at, size_t size);
    void (*deep)(struct bench *bench, unsigned depth);
    void (*list)(struct bench *bench);
};

extern const struct layer layer_rpc;
extern const struct layer layer_adio;

void must(bool ok, const char *what);

/** Where the rank's part of the file begins. */
uint64_t part_start(const struct bench *bench);

/** A random block's place in the part. */
uint64_t random_block(struct bench *bench);

#endif
