/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Make a failing seed small: leave out what it fails without.
 *
 * A mask leaves the rest of the seed as it was, because each step draws from a
 * generator of its own. So: drop the steps behind the fault, then each step,
 * then each rank of each step, then depth of types, hints and counts, and once
 * more the steps. Whatever still has the same fault stays.
 */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static bool fails_with(struct run *run, const struct mask *mask)
{
    run->mask = mask;
    return seed_run(run) == run->wanted;
}

/* Try a smaller mask; *mask becomes it when it fails too. */
static void try_mask(struct run *run, struct mask *mask,
                     const struct mask *smaller)
{
    if (memcmp(mask, smaller, sizeof(*mask)) != 0 && fails_with(run, smaller))
        *mask = *smaller;
}

static void drop_steps(struct run *run, struct mask *mask, int last)
{
    for (int i = last; i >= 0; i--) {
        struct mask smaller = *mask;

        smaller.is_dropped[i] = true;
        try_mask(run, mask, &smaller);
    }
}

static void quiet_ranks(struct run *run, struct mask *mask, int last)
{
    for (int i = last; i >= 0; i--)
        for (int r = 0; r < run->size && !mask->is_dropped[i]; r++) {
            struct mask smaller = *mask;

            smaller.quiet[i] |= 1ull << r;
            try_mask(run, mask, &smaller);
        }
}

static void make_plain(struct run *run, struct mask *mask)
{
    struct mask smaller = *mask;

    smaller.has_hints = false;
    try_mask(run, mask, &smaller);
    for (int depth = 0; depth < mask->depth; depth++) {
        smaller = *mask;
        smaller.depth = depth;
        try_mask(run, mask, &smaller);
    }
    for (int count = 1; count < mask->count_max && count <= 1000; count *= 3) {
        smaller = *mask;
        smaller.count_max = count;
        try_mask(run, mask, &smaller);
    }
}

void seed_shrink(struct run *run)
{
    const struct mask *whole = run->mask;
    struct mask mask = *whole;
    int last = run->step < 0 ? 0 : run->step;

    run->wanted = run->verdict.fault;
    run->is_quiet = true;
    for (int i = last + 1; i < STEPS_MAX; i++)
        mask.is_dropped[i] = true;
    if (!fails_with(run, &mask))
        mask = *whole; /* the comparison at the end failed */
    drop_steps(run, &mask, last);
    make_plain(run, &mask);
    quiet_ranks(run, &mask, last);
    drop_steps(run, &mask, last);
    make_plain(run, &mask);
    run->is_quiet = false;
    run->is_telling = true;
    if (run->rank == 0)
        printf("--- shrunk:\n");
    if (!fails_with(run, &mask) && run->rank == 0)
        printf("seed %llu does not fail every time\n",
               (unsigned long long)run->seed);
    run->is_telling = run->settings->is_verbose;
    run->mask = whole;
}

void mask_print(const struct mask *mask, char *text, size_t room)
{
    size_t at = 0;

    text[0] = '\0';
#define ADD(...)                                                               \
    at += (size_t)snprintf(text + at, at < room ? room - at : 0, __VA_ARGS__)
    if (memchr(mask->is_dropped, true, sizeof(mask->is_dropped)) != NULL)
        ADD(" --steps ,");
    for (int i = 0; i < STEPS_MAX && at > 0 && at < room; i++)
        if (!mask->is_dropped[i])
            ADD("%d,", i);
    for (int i = 0; i < STEPS_MAX && at < room; i++)
        if (mask->quiet[i] != 0)
            ADD(" --quiet %d:%llx", i, (unsigned long long)mask->quiet[i]);
    if (mask->depth < 3 && at < room)
        ADD(" --depth %d", mask->depth);
    if (mask->count_max < 1 << 20 && at < room)
        ADD(" --count %d", mask->count_max);
    if (!mask->has_hints && at < room)
        ADD(" --no-hints");
#undef ADD
}
