/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the collective engine: a case (a file over a real driver, an access
 * of this rank, what it must give) and the driver that fails on demand.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  a check that fails prints where, which seed and case, and counts.
 */
#ifndef CAPSTAN_TEST_COLL_H
#define CAPSTAN_TEST_COLL_H

#include "adio/common/adio.h"
#include "adio/common/coll.h"
#include "base/rng.h"

#include <stdio.h>

#define UNTOUCHED 0xa5 /* what memory that no read fills holds */

/* What goes on, for messages; one test program, one thread. */
struct test {
    int rank;
    int size;
    int failures;
    uint64_t seed;
    const char *what;
    const struct adio_driver *driver; /* below the failing one */
    char path[256];
};

extern struct test test;

#define CHECK(fact)                                                            \
    do {                                                                       \
        if (!(fact)) {                                                         \
            test.failures++;                                                   \
            fprintf(stderr, "%s:%d: rank %d/%d seed %llu: %s: not: %s\n",      \
                    __FILE__, __LINE__, test.rank, test.size,                  \
                    (unsigned long long)test.seed, test.what, #fact);          \
        }                                                                      \
    } while (0)

/* How the failing driver behaves on this rank; zero: as ad_posix. */
struct fault {
    int start_countdown; /* the n-th start fails (1: the next); 0: never */
    int test_countdown;  /* the n-th end fails */
    int short_countdown; /* the n-th end moves a byte less */
    bool is_lasting;     /* what failed once fails for good */
    bool is_cutting;     /* a mapped read starts: the file is cut to `cut` */
    uint64_t cut;
    int code;
    bool has_struck;
    struct adio_layout layout;
};

extern struct fault fault;

/** test.driver with `fault` in front. */
const struct adio_driver *fault_driver(void);

/** A file opened on all ranks; hints may be changed between operations. Reads
 *  are not mapped unless a test says so. */
void file_open(struct adio_file *file);
void file_close(struct adio_file *file);

/** The byte at an offset of a version of the file. */
unsigned char pattern(uint64_t version, uint64_t offset);

/** Rank 0 makes the file `size` bytes of a version; all wait. */
void file_fill(uint64_t version, uint64_t size);

/** Rank 0 makes the file `size` zeros; all wait. */
void file_zero(uint64_t size);

/** This rank reads the file from its start, by the plain driver. @return bytes
 *  that are there. */
uint64_t file_read(void *all, uint64_t size);

/** The file goes. */
void file_delete(void);

/* An access: runs and the memory they name. */
struct access {
    struct run *runs;
    size_t n;
    size_t room;
    unsigned char *memory;
    uint64_t memory_size;
};

void access_init(struct access *access, uint64_t memory_size);
void access_fini(struct access *access);
void access_add(struct access *access, uint64_t offset, uint64_t length,
                uint64_t stride, uint64_t count, uint64_t mem,
                int64_t mem_stride);

/** Random ascending runs of this generator, below about `span`. */
void access_random(struct access *access, struct rng *rng, uint64_t span);

/** Memory as `version` written from it would need it. */
void access_load(struct access *access, uint64_t version);

/** Does memory hold exactly what a read of a file of `size` bytes gives? */
bool access_holds(const struct access *access, uint64_t version, uint64_t size);

/** Bytes of the access below an offset. */
uint64_t access_bytes_below(const struct access *access, uint64_t size);

/** Mark the bytes of the access below size in map[offset]. */
void access_mark(const struct access *access, unsigned char *map,
                 uint64_t size);

/** Sum over ranks; how many of map's bytes any rank marked. */
uint64_t sum_of(uint64_t mine);
uint64_t united(unsigned char *map, uint64_t size);

void test_random(uint64_t seed, int rounds); /* test_coll_random.c */
void test_faults(uint64_t seed);             /* test_coll_fault.c */
void test_mapped(uint64_t seed);             /* test_coll_mapped.c */

/** Nodes that CAPSTAN_NODE_RANKS makes of this machine. */
uint64_t nodes_here(void);

/** Set this rank's fault anew; the layout stays. */
void fault_set(struct fault how);

/** All ranks say what rank 0 says; @return the code. */
int agreed(int rc, const struct adio_error *error);

#endif
