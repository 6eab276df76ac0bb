/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The patterns of benchmarks/collective: what each rank reads or writes, as an
 * MPI file view and, to verify it, as plain extents.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  without memory the job is aborted.
 */
#ifndef CAPSTAN_BENCHMARKS_COLLECTIVE_IO_H
#define CAPSTAN_BENCHMARKS_COLLECTIVE_IO_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    int rank;
    int size;
    int iterations;
    uint64_t mib; /* about the size of a pattern's file */
    const char *path;
};

extern struct bench bench;

#define PATTERNS(X)                                                            \
    X(STRIDED, "strided-47008")                                                \
    X(BLOCK3D, "block-3d")                                                     \
    X(COLUMNS, "columns")                                                      \
    X(SAMPLES_4K, "samples-4k")                                                \
    X(SAMPLES_110K, "samples-110k")                                            \
    X(SAME, "same-range")                                                      \
    X(TAIL, "same-but-tail")

enum pattern {
#define X(name, word) PATTERN_##name,
    PATTERNS(X)
#undef X
        PATTERN_COUNT
};

/* A row of the table: number = pattern * 4 + write * 2 + nonblocking. */
struct row {
    enum pattern pattern;
    bool is_write;
    bool is_nonblocking;
};

/** @return false: there is no such row. */
bool row_of(int number, struct row *row_out);

/** Print "number pattern verb how" of all rows. */
void rows_list(void);

struct extent {
    uint64_t offset;
    uint64_t length;
};

/* What this rank moves, in file order. */
struct access {
    MPI_Datatype filetype;
    struct extent *extents;
    size_t n;
    size_t room;
    uint64_t bytes;
    uint64_t file_bytes;
};

void access_make(struct access *access, enum pattern pattern);
void access_fini(struct access *access);

/** Fill a buffer with what a version of the file holds there. */
void access_load(const struct access *access, char *buffer, uint64_t version);
bool access_holds(const struct access *access, const char *buffer,
                  uint64_t version);

/** Rank 0 makes the file: version 0, or empty; all wait. */
void file_fill(uint64_t bytes, bool is_empty);

/** Each rank reads back, alone, what it wrote. */
bool file_holds(const struct access *access, char *buffer, uint64_t version);

#endif
