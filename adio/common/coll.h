/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The collective engine: all ranks of a file read or write together, so that
 * each byte leaves storage once and reaches every rank that wants it.
 *
 * An operation is a state machine that coll_step() moves on without blocking:
 * blocking calls step until done, nonblocking ones are stepped by the MPI
 * progress engine. The strategies (share, direct, two-phase) are in files of
 * their own: coll_share.c, coll_direct.c, coll_twophase.c.
 *
 * Errors: a rank that cannot take part properly (bad argument, failed open,
 * no memory) passes its error to coll_start() and still takes part with
 * nothing to move. All ranks end with the same code and text. No rank ever
 * waits for what will not come: every round's message begins with a status.
 *
 * Units    bytes.
 * Threads  one thread at a time a file; operations on a file are in one order
 *          on all ranks (the MPI standard, 13.4.5).
 * Failure  see coll_finish().
 */
#ifndef CAPSTAN_ADIO_COLL_H
#define CAPSTAN_ADIO_COLL_H

#include "adio/common/adio.h"

struct coll_op;

enum coll_verb { COLL_READ, COLL_WRITE };

/**
 * Start. Collective; never fails: what goes wrong is told by coll_finish().
 *
 * @param runs   this rank's access, by nondecreasing file offset; borrowed,
 *               with the memory it names, until coll_finish().
 * @param local  a failure of this rank before the operation, or NULL.
 */
void coll_start(struct adio_file *file, enum coll_verb verb,
                const struct run *runs, size_t nruns,
                const struct adio_error *local, struct coll_op **op_out);

/** Move on without blocking. @return true when it is over. */
bool coll_step(struct coll_op *op);

/**
 * End an operation that is over, and free it.
 *
 * @param bytes_out  what really arrived at (left) this rank's memory; below
 *                   what was asked at the end of the file or on failure.
 * @return 0, or the code that every rank returns; the text is in *error.
 */
int coll_finish(struct coll_op **op_p, uint64_t *bytes_out,
                struct adio_error *error);

/* How long a caller has waited; zero it before the first step. */
struct coll_wait {
    int state;
    unsigned npolls;
    uint64_t used_ns; /* processor time of the thread, at the last step */
};

/** A step brought nothing: let somebody else have the core. */
void coll_wait(struct coll_op *op, struct coll_wait *wait);

/** The same from MPI's progress engine, where a program may test and compute:
 *  returns at once unless it seems to do nothing but wait. */
void coll_wait_in_mpi(struct coll_op *op, struct coll_wait *wait);

/** Start, step until over, finish. */
int coll_run(struct adio_file *file, enum coll_verb verb,
             const struct run *runs, size_t nruns,
             const struct adio_error *local, uint64_t *bytes_out,
             struct adio_error *error);

/**
 * Agree on how something went that is no transfer: adio_agree(), by way of the
 * memory that the ranks share where there is some. Collective, blocking; the
 * file has no operation under way here.
 *
 * @param word_inout  becomes the largest of what the ranks give.
 * @return 0, or the lowest failing rank's code, with its text in *error_inout.
 */
int coll_agree(struct adio_file *file, uint32_t *word_inout,
               struct adio_error *error_inout);

/**
 * Make what collectives on this file need, kept at file->coll. Collective and
 * blocking: adio_open() calls it, so that a nonblocking start never blocks; a
 * file without it is prepared by its first coll_start().
 *
 * @return 0 or -ENOMEM, the same on all ranks.
 */
int coll_prepare(struct adio_file *file);

/** How many ranks would aggregate when a hint asks for `wanted` of them. */
uint32_t coll_aggregators(const struct adio_file *file, uint32_t wanted);

/** Free what the engine kept at a file (file->coll): on close. Collective. */
void coll_forget(struct adio_file *file);

#endif
