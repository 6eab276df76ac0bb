/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/plan.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>

int plan_init(struct plan *plan, const struct plan_shape *shape)
{
    uint64_t *order;

    if (shape->samples == 0 || shape->batch == 0 || shape->group == 0 ||
        shape->ranks == 0 || shape->ranks % shape->group != 0)
        return -EINVAL;
    order = mem_calloc(shape->samples, sizeof(*order));
    if (order == NULL)
        return -ENOMEM;
    plan->shape = *shape;
    plan->order = order;
    return 0;
}

void plan_fini(struct plan *plan)
{
    free(plan->order);
    plan->order = NULL;
}

void plan_shuffle(struct plan *plan, uint64_t epoch)
{
    struct rng rng;
    uint64_t i;

    rng_init(&rng, plan->shape.seed ^ rng_mix(epoch + 1));
    for (i = 0; i < plan->shape.samples; i++)
        plan->order[i] = i;
    for (i = plan->shape.samples - 1; i > 0; i--) {
        uint64_t j = rng_below(&rng, i + 1);
        uint64_t kept = plan->order[i];

        plan->order[i] = plan->order[j];
        plan->order[j] = kept;
    }
}

uint64_t plan_steps(const struct plan *plan)
{
    return (plan->shape.samples - 1) / plan->shape.batch + 1;
}

struct plan_slice plan_step(const struct plan *plan, uint64_t step)
{
    uint64_t first = step * plan->shape.batch;
    uint64_t left = plan->shape.samples - first;

    return (struct plan_slice){
        .first = first,
        .count = left < plan->shape.batch ? left : plan->shape.batch,
    };
}

struct plan_slice plan_rank_step(const struct plan *plan, uint64_t step,
                                 uint32_t rank)
{
    struct plan_slice all = plan_step(plan, step);
    uint64_t groups = plan->shape.ranks / plan->shape.group;
    uint64_t group = rank / plan->shape.group;
    uint64_t begin = all.count * group / groups;
    uint64_t end = all.count * (group + 1) / groups;

    return (struct plan_slice){.first = all.first + begin,
                               .count = end - begin};
}
