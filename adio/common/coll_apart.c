/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does any rank want a byte that another one wants too? Told by the runs that
 * the ranks of a node have put on their boards: every rank walks through all of
 * them at once, by offset, and so all find the same.
 *
 * Possible failure modes: none. Where a rank's runs have no room on its board,
 * or the walk would take longer than it may save, the answer is "unknown".
 */
#include "adio/common/coll_stream.h"

#define WALK_MAX (64u << 10) /* blocks times ranks */

struct walker {
    const struct ring_asked *asked;
    uint64_t run;
    uint64_t block;
};

/* @return false: it has passed its last block. */
static bool block_at(const struct walker *walker, uint64_t *begin_out,
                     uint64_t *end_out)
{
    const struct coll_wire_run *run = &walker->asked->runs[walker->run];

    if (walker->run == walker->asked->nruns)
        return false;
    *begin_out = run->offset + walker->block * run->stride;
    *end_out = *begin_out + run->length;
    return true;
}

static void next_block(struct walker *walker)
{
    if (++walker->block < walker->asked->runs[walker->run].count)
        return;
    walker->block = 0;
    walker->run++;
}

/* The walker that stands at the lowest block, or NULL: all have passed. */
static struct walker *lowest(struct walker *walkers, int n, uint64_t *begin_out,
                             uint64_t *end_out)
{
    struct walker *least = NULL;
    uint64_t begin, end;

    for (int i = 0; i < n; i++)
        if (block_at(&walkers[i], &begin, &end) &&
            (least == NULL || begin < *begin_out)) {
            least = &walkers[i];
            *begin_out = begin;
            *end_out = end;
        }
    return least;
}

static enum coll_apart walk(struct walker *walkers, int n)
{
    uint64_t begin = 0, end = 0, reached = 0;
    struct walker *walker;

    while ((walker = lowest(walkers, n, &begin, &end)) != NULL) {
        if (begin < reached)
            return COLL_OVERLAP;
        reached = end;
        next_block(walker);
    }
    return COLL_APART;
}

enum coll_apart coll_ring_apart(const struct coll_op *op)
{
    struct walker walkers[RING_RANKS_MAX] = {0};
    int n = op->file->size;

    if (!op->is_met || op->all.is_tangled)
        return COLL_APART_UNKNOWN;
    if (op->all.bytes > op->all.end - op->all.begin)
        return COLL_OVERLAP;
    if (op->all.blocks > WALK_MAX / (unsigned)n)
        return COLL_APART_UNKNOWN;
    for (int i = 0; i < n; i++) {
        walkers[i].asked = coll_ring_asked(op, i);
        if (walkers[i].asked->nruns > RING_RUNS_MAX)
            return COLL_APART_UNKNOWN;
    }
    return walk(walkers, n);
}
