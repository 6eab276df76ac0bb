/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of an epoch, and its shares.
 *
 * CAPSTAN_SHUFFLE_FULL is one permutation (perm.h). CAPSTAN_SHUFFLE_WINDOW is
 * one of the files, which are then taken `window` at a time, and one of each
 * window's samples: O(files) memory, and a step touches few files.
 */
#include "loader/plan.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NO_WINDOW UINT64_MAX

static uint64_t key_of(const struct plan *plan, uint64_t what)
{
    return rng_mix(plan->shape.seed ^ rng_mix(plan->epoch + 1)) ^
           rng_mix(what + 0x5bd1e995);
}

static int check_shape(const struct index *index,
                       const struct plan_shape *shape)
{
    uint64_t weights = 0;

    if (index->nrows == 0 || shape->batch == 0 || shape->window == 0 ||
        shape->group == 0 || shape->ranks == 0 ||
        shape->ranks % shape->group != 0)
        return -EINVAL;
    for (uint32_t rank = 0; rank < shape->ranks; rank += shape->group)
        weights += shape->weights[rank];
    /* The product of a batch and the weights is taken in plan_rank_step(). */
    if (weights == 0 || shape->batch > (uint64_t)INT64_MAX / weights)
        return -EINVAL;
    return 0;
}

int plan_init(struct plan *plan, const struct index *index,
              const struct plan_shape *shape)
{
    bool is_windowed = shape->shuffle == CAPSTAN_SHUFFLE_WINDOW;
    struct plan new = {.index = index, .shape = *shape, .nwindows = 1};
    int rc = check_shape(index, shape);

    if (rc != 0)
        return rc;
    if (is_windowed)
        new.nwindows = (index->nfiles - 1) / shape->window + 1;
    new.window_end = mem_calloc(new.nwindows, sizeof(*new.window_end));
    new.file_order =
        mem_calloc(is_windowed ? index->nfiles : 1, sizeof(*new.file_order));
    if (new.window_end == NULL || new.file_order == NULL) {
        plan_fini(&new);
        return -ENOMEM;
    }
    *plan = new;
    plan_set_epoch(plan, 0);
    return 0;
}

void plan_fini(struct plan *plan)
{
    free(plan->window_end);
    free(plan->file_order);
    plan->window_end = NULL;
    plan->file_order = NULL;
}

static void shuffle_files(struct plan *plan)
{
    uint32_t nfiles = plan->index->nfiles;
    struct perm perm;
    uint64_t places = 0;

    perm_init(&perm, nfiles, key_of(plan, UINT32_MAX));
    for (uint32_t i = 0; i < nfiles; i++) {
        plan->file_order[i] = (uint32_t)perm_at(&perm, i);
        places += index_file_count(plan->index, plan->file_order[i]);
        plan->window_end[i / plan->shape.window] = places;
    }
}

void plan_set_epoch(struct plan *plan, uint64_t epoch)
{
    plan->epoch = epoch;
    plan->cached = NO_WINDOW;
    if (plan->shape.shuffle == CAPSTAN_SHUFFLE_WINDOW)
        shuffle_files(plan);
    else
        plan->window_end[0] = plan->index->nrows;
}

uint64_t plan_steps(const struct plan *plan)
{
    uint64_t samples = plan->index->nrows, batch = plan->shape.batch;

    if (plan->shape.tail == CAPSTAN_TAIL_DROP)
        return samples / batch;
    return (samples - 1) / batch + 1;
}

struct plan_slice plan_step(const struct plan *plan, uint64_t step)
{
    uint64_t first = step * plan->shape.batch;
    uint64_t left = plan->index->nrows - first;
    struct plan_slice slice = {.first = first, .count = plan->shape.batch};

    if (plan->shape.tail == CAPSTAN_TAIL_SHORT && left < slice.count)
        slice.count = left;
    return slice;
}

struct plan_slice plan_rank_step(const struct plan *plan, uint64_t step,
                                 uint32_t rank)
{
    struct plan_slice all = plan_step(plan, step);
    uint32_t group = plan->shape.group, own = rank - rank % group;
    uint64_t before = 0, total = 0, begin, end;

    for (uint32_t i = 0; i < plan->shape.ranks; i += group) {
        if (i < own)
            before += plan->shape.weights[i];
        total += plan->shape.weights[i];
    }
    begin = all.count * before / total;
    end = all.count * (before + plan->shape.weights[own]) / total;
    return (struct plan_slice){.first = all.first + begin,
                               .count = end - begin};
}

/* Shares are rounded down to whole samples at both ends, so one may be longer
 * than it is exactly, by less than a sample. */
uint64_t plan_share_max(const struct plan *plan)
{
    const struct plan_shape *shape = &plan->shape;
    uint64_t total = 0, most = 0;

    for (uint32_t i = 0; i < shape->ranks; i += shape->group) {
        total += shape->weights[i];
        if (shape->weights[i] > most)
            most = shape->weights[i];
    }
    return (shape->batch * most + total - 1) / total;
}

bool plan_is_single(const struct plan *plan)
{
    return plan_share_max(plan) <= 1;
}

/* Which window a place lies in: the first that ends behind it. */
static uint64_t window_of(const struct plan *plan, uint64_t place)
{
    uint64_t low = 0, high = plan->nwindows - 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (plan->window_end[middle] > place)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The sample number `at` of a window, its files one behind the other. */
static uint64_t sample_in_window(const struct plan *plan, uint64_t window,
                                 uint64_t at)
{
    uint32_t i = (uint32_t)(window * plan->shape.window);
    uint64_t count;

    while (at >= (count = index_file_count(plan->index, plan->file_order[i]))) {
        at -= count;
        i++;
    }
    return plan->index->files[plan->file_order[i]].first + at;
}

uint64_t plan_sample(struct plan *plan, uint64_t place)
{
    uint64_t window, begin;

    place %= plan->index->nrows;
    if (plan->shape.shuffle == CAPSTAN_SHUFFLE_NONE)
        return place;
    window = window_of(plan, place);
    begin = window == 0 ? 0 : plan->window_end[window - 1];
    if (plan->cached != window) {
        perm_init(&plan->perm, plan->window_end[window] - begin,
                  key_of(plan, window));
        plan->cached = window;
    }
    place = perm_at(&plan->perm, place - begin);
    if (plan->shape.shuffle == CAPSTAN_SHUFFLE_FULL)
        return place;
    return sample_in_window(plan, window, place);
}
