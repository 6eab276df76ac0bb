/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an emulated accelerator gets its batches: two ways behind one call.
 *
 * Units    bytes, seconds.
 * Threads  one a rank, besides those that read ahead.
 * Failure  printed with the cause; all ranks end with status 1.
 */
#ifndef CAPSTAN_BENCHMARKS_EMULATE_H
#define CAPSTAN_BENCHMARKS_EMULATE_H

#include <stdint.h>

struct emulate_options {
    const char *loader;  /* collective, independent or posix */
    const char *dataset; /* for MPI-IO; for posix a directory */
    uint64_t batch;      /* of all ranks */
    uint64_t epochs;
    uint32_t depth;
    uint32_t plan;
    double compute; /* seconds a step */
};

/* What came of it, on this rank. */
struct emulate_batch {
    uint64_t samples;
    uint64_t bytes;
    int is_over;
};

struct emulate_source;

/** Open. Collective. */
struct emulate_source *emulate_open(const struct emulate_options *options);

/** The next batch, every byte of it in memory and its CRC32C compared. */
struct emulate_batch emulate_next(struct emulate_source *source);

void emulate_close(struct emulate_source *source);

/* Plain POSIX: a thread of each rank reads its samples ahead by pread(2). */
struct posix_reader;
struct posix_reader *posix_open(const struct emulate_options *options);
struct emulate_batch posix_next(struct posix_reader *reader);
void posix_close(struct posix_reader *reader);

void emulate_die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
