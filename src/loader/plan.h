/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who reads which sample when. Every rank makes the same plan from the same
 * index and options, so nothing has to be exchanged.
 *
 * An epoch is an order of all samples; a step takes the next `batch` places of
 * it; the ranks share a step's places out by weight, in groups. What lies where
 * in an epoch does not depend on the ranks, so a run goes on with other ranks
 * where it was left.
 *
 * Units    samples, by their number in the index.
 * Threads  one.
 * Failure  outputs are left as they were.
 */
#ifndef CAPSTAN_LOADER_PLAN_H
#define CAPSTAN_LOADER_PLAN_H

#include "loader/index.h"
#include "loader/perm.h"

#include "loader/public.h"

#include <stdbool.h>

struct plan_shape {
    uint64_t batch; /* at least 1 */
    uint64_t seed;
    enum capstan_shuffle shuffle;
    enum capstan_tail tail;
    uint32_t window; /* files, at least 1 */
    uint32_t ranks;  /* a multiple of group */
    uint32_t group;  /* at least 1 */
    /* Of each rank; the first rank of a group speaks for it. Borrowed. */
    const uint32_t *weights;
};

struct plan {
    const struct index *index;
    struct plan_shape shape;
    uint64_t epoch;       /* the one that the rest is of */
    uint64_t nwindows;    /* 1 if the shuffle is over all, or none */
    uint64_t *window_end; /* places up to the end of each window */
    uint32_t *file_order; /* SHUFFLE_WINDOW only */
    uint64_t cached;      /* the window whose permutation is in `perm` */
    struct perm perm;
};

/* A part of an epoch's order; count may be 0. */
struct plan_slice {
    uint64_t first;
    uint64_t count;
};

/**
 * Make a plan, of epoch 0.
 *
 * @param index  borrowed; holds at least one sample.
 * @return 0, -EINVAL (shape) or -ENOMEM. Ended by plan_fini().
 */
int plan_init(struct plan *plan, const struct index *index,
              const struct plan_shape *shape);
void plan_fini(struct plan *plan);

/** Turn to another epoch. */
void plan_set_epoch(struct plan *plan, uint64_t epoch);

/** How many steps an epoch has; 0 if all samples fall to a dropped tail. */
uint64_t plan_steps(const struct plan *plan);

/** The places of a step; with CAPSTAN_TAIL_PAD they run over the end. */
struct plan_slice plan_step(const struct plan *plan, uint64_t step);

/** Does no rank ever want more than one sample of a step? */
bool plan_is_single(const struct plan *plan);

/** The part of them that a rank wants. */
struct plan_slice plan_rank_step(const struct plan *plan, uint64_t step,
                                 uint32_t rank);

/** How many samples of a step a rank gets at most. */
uint64_t plan_share_max(const struct plan *plan);

/** The sample at a place of the current epoch; beyond the end it begins anew.
 */
uint64_t plan_sample(struct plan *plan, uint64_t place);

#endif
