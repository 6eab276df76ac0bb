/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic on runs: cut, merge, map to MPI datatypes. A vector of any length
 * is cut and merged in constant time.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  -ENOMEM leaves a list as it was.
 */
#ifndef CAPSTAN_ADIO_COLL_RUNS_H
#define CAPSTAN_ADIO_COLL_RUNS_H

#include "base/run.h"

#include <mpi.h>
#include <stdbool.h>

/* No message part and no round is larger: MPI counts are int. */
#define COLL_PART_MAX (1u << 30)

/* Runs in order. Zero it to start; coll_list_fini() to end. */
struct coll_list {
    struct run *runs;
    size_t n;
    size_t room;
};

/** Make room for n runs in all. @return 0 or -ENOMEM. */
int coll_list_reserve(struct coll_list *list, size_t n);

/** Append, melting into the last run where one run describes both. */
int coll_list_push(struct coll_list *list, const struct run *run);

void coll_list_fini(struct coll_list *list);

/** Of what the runs hold of the file, wherever their memory is. */
uint64_t coll_list_hash(const struct coll_list *list);

/**
 * Copy a caller's runs into the engine's form: none empty, contiguous vectors
 * as one block, no run that overlaps itself, sorted by offset.
 *
 * @param is_tangled_out  runs interleave or overlap each other.
 */
int coll_list_take(struct coll_list *list, const struct run *runs, size_t n,
                   bool *is_tangled_out);

/** Append the part of a run that lies in lo .. hi - 1 of the file. */
int coll_clip(const struct run *run, uint64_t lo, uint64_t hi,
              struct coll_list *out);

/**
 * Append the parts of runs[*first_inout ..] (sorted) that lie in lo .. hi - 1;
 * moves *first_inout over runs that end at or before lo.
 */
int coll_clip_all(const struct run *runs, size_t n, size_t *first_inout,
                  uint64_t lo, uint64_t hi, struct coll_list *out);

/** The first offset at or after `from` that a run holds, or UINT64_MAX. */
uint64_t coll_run_next(const struct run *run, uint64_t from);

/** Where byte number `n` of ascending runs lies in the file. */
uint64_t coll_offset_at(const struct run *runs, size_t nruns, uint64_t n);

/* A place in a list, counted in bytes from its start. */
struct coll_cursor {
    size_t run;
    uint64_t done; /* bytes of that run */
};

/** Append the next `bytes` of a list and move on. */
int coll_take(const struct run *runs, size_t n, struct coll_cursor *cursor,
              uint64_t bytes, struct coll_list *out);

/* Memory as MPI wants it. */
struct coll_memory {
    void *base;
    int count;
    MPI_Datatype type;
    bool is_derived; /* free with coll_memory_free() */
};

/* Arrays for building datatypes, used again and again. */
struct coll_scratch {
    struct coll_list list;
    int *lengths;
    MPI_Aint *displacements;
    MPI_Datatype *types;
    size_t room;
};

/** Make room for lists of n runs. @return 0 or -ENOMEM. */
int coll_scratch_reserve(struct coll_scratch *scratch, size_t n);
void coll_scratch_fini(struct coll_scratch *scratch);

/** Describe the memory that scratch->list names; blocks and counts are at most
 *  COLL_PART_MAX. @return 0 or -ENOMEM. */
int coll_memory_make(struct coll_scratch *scratch, struct coll_memory *out);
void coll_memory_free(struct coll_memory *memory);

#endif
