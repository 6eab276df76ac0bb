/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who reads which sample when: the order of a training epoch.
 *
 * Every rank makes the same plan from the same seed, so nothing has to be
 * exchanged. An epoch is one shuffle of all samples; a step takes the next
 * `batch` of them; the ranks share a step's samples out by groups of `group`
 * ranks. The ranks of one group want the same samples, as those of a model that
 * is cut over several ranks do; group 1 is plain data parallelism.
 *
 * Units    samples, by their number in the index.
 * Threads  a plan belongs to one thread.
 * Failure  outputs are left as they were.
 */
#ifndef CAPSTAN_BENCHMARKS_PLAN_H
#define CAPSTAN_BENCHMARKS_PLAN_H

#include <stdint.h>

struct plan_shape {
    uint64_t samples; /* at least 1 */
    uint64_t batch;   /* samples a step over all ranks; at least 1 */
    uint64_t seed;
    uint32_t ranks; /* a multiple of group */
    uint32_t group; /* at least 1 */
};

struct plan {
    struct plan_shape shape;
    uint64_t *order; /* of the current epoch */
};

/* A part of a step: order[first .. first + count - 1]; count may be 0. */
struct plan_slice {
    uint64_t first;
    uint64_t count;
};

/**
 * Make a plan; plan_shuffle() comes next.
 *
 * @return 0, -EINVAL (shape) or -ENOMEM. Ended by plan_fini().
 */
int plan_init(struct plan *plan, const struct plan_shape *shape);

void plan_fini(struct plan *plan);

/** Set the order of an epoch, 0 or later: Fisher and Yates' shuffle. */
void plan_shuffle(struct plan *plan, uint64_t epoch);

/** How many steps an epoch has; the last may be smaller. */
uint64_t plan_steps(const struct plan *plan);

/** All samples of a step. */
struct plan_slice plan_step(const struct plan *plan, uint64_t step);

/** One rank's samples of a step. */
struct plan_slice plan_rank_step(const struct plan *plan, uint64_t step,
                                 uint32_t rank);

#endif
