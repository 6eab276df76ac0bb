/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random datatypes with a map of their own: for each data byte, where it lies.
 *
 * The map is made from the arguments of the constructor and the map of the old
 * type, by the definitions of the standard (MPI-3.1, 4.1), one byte at a time.
 * No datatype engine takes part, but for the extents, which an implementation
 * may round up (the epsilon of 4.1.6): those are asked for.
 *
 * Units    bytes, relative to the buffer or to the tile's start.
 * Threads  one.
 * Failure  the program ends; memory and types are small.
 */
#ifndef CAPSTAN_TESTS_CONFORMANCE_TYPE_H
#define CAPSTAN_TESTS_CONFORMANCE_TYPE_H

#include "base/rng.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TYPE_BYTES_MAX 6000 /* data bytes of one instance */
#define SIGNATURE_MAX 3

/* The basic types that one etype is made of, by number (type_basic()). */
struct signature {
    int basics[SIGNATURE_MAX];
    int nbasics;
};

struct ctype {
    MPI_Datatype mpi;
    bool is_basic;
    int64_t *bytes; /* place of each data byte, in the order of the typemap */
    int64_t *runs;  /* how many data bytes from each on lie side by side */
    size_t size;
    size_t room;
    unsigned char *elements; /* sizes of the basic elements, in that order */
    size_t nelements;
    int64_t lb;
    int64_t extent;
    char *text; /* for people */
};

/* How types are made. */
struct type_rules {
    struct rng *rng;
    const struct ctype *leaf; /* what they are made of */
    int64_t unit;             /* byte displacements are multiples of it */
    int depth;                /* constructors one around the other, at most */
    bool is_file;             /* places go up and are not negative */
};

/** How many basic types there are. */
int type_nbasics(void);

/** A basic type. The caller frees it, as all that follow. */
struct ctype *type_basic(int number);

/** An etype or, in memory, what stands for one: a struct of basic types at
 *  places that go up (is_file) or anywhere. */
struct ctype *type_record(struct rng *rng, const struct signature *signature,
                          bool is_file);

/** A random type, committed. */
struct ctype *type_random(const struct type_rules *rules);

struct ctype *type_contiguous(const struct ctype *old, int count);
struct ctype *type_resized(const struct ctype *old, int64_t lb, int64_t extent);
struct ctype *type_pair(const struct ctype *old, int64_t second);

/** One column of a matrix, as a vector. */
struct ctype *type_column(const struct ctype *old, int rows, int width);

/** Some copies of old one after the other, some at the same place: what a
 *  filetype may be that is only read through. */
struct ctype *type_repeats(struct rng *rng, const struct ctype *old);

/** Its typemap may be a filetype's that is written through. */
bool type_is_filetype(const struct ctype *type);

/** The next tile begins before this one ends. */
bool type_interlaces(const struct ctype *type);

/** No byte is in count instances twice. */
bool type_is_disjoint(const struct ctype *type, int count);

/** First and last data byte of count instances; 0 and -1 when there is none. */
void type_bounds(const struct ctype *type, int count, int64_t *first_out,
                 int64_t *last_out);

/** Data bytes from number n on, of many instances: where the first lies, and
 * how many of `most` lie side by side. */
int64_t type_piece(const struct ctype *type, int64_t n, int64_t most,
                   int64_t *length_out);

/** Does MPI_Pack see the same bytes as our map? */
bool type_agrees_with_pack(const struct ctype *type);

/** Basic elements in the first `bytes` data bytes of many instances; -1 when
 *  the last one is not whole. */
int64_t type_elements(const struct ctype *type, int64_t bytes);

void type_free(struct ctype **type_p);

/** snprintf into fresh memory. */
char *text_make(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Memory, zeroed; the program ends when there is none. */
void *must_alloc(size_t size);

#endif
