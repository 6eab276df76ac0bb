/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who passes a round's data on to whom. Ranks that want the same bytes of a
 * round are a group: the aggregator sends the data to its first rank, and each
 * rank's round message says from whom the data comes and to whom it goes on. A
 * group is ordered by node, the aggregator's own first: the first ranks of the
 * nodes are one binary tree, and the ranks of a node another below its first,
 * so that bytes enter a node once. Of a write the first of a group sends, and
 * the others need not.
 *
 * Possible failure modes: no memory for the order of the clients, before any
 * round. Groups are found by a hash of what is wanted; that two wishes differ
 * and hash alike happens once in 2^64.
 */
#include "adio/common/coll_agg.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

int coll_pass_reserve(struct coll_pass *pass, size_t nclients)
{
    pass->order = mem_calloc(nclients, sizeof(*pass->order));
    pass->heads = mem_calloc(nclients, sizeof(*pass->heads));
    return pass->order == NULL || pass->heads == NULL ? -ENOMEM : 0;
}

void coll_pass_fini(struct coll_pass *pass)
{
    free(pass->order);
    free(pass->heads);
    *pass = (struct coll_pass){0};
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_group(const void *left, const void *right)
{
    const struct coll_wish *a = *(struct coll_wish *const *)left;
    const struct coll_wish *b = *(struct coll_wish *const *)right;
    int rc = compare(a->hash, b->hash);

    if (rc == 0)
        rc = compare(a->nearness, b->nearness);
    if (rc == 0)
        rc = compare(a->node, b->node);
    return rc != 0 ? rc : compare((unsigned)a->rank, (unsigned)b->rank);
}

void coll_pass_sort(struct coll_pass *pass)
{
    qsort(pass->order, pass->n, sizeof(*pass->order), by_group);
}

size_t coll_pass_group_end(const struct coll_pass *pass, size_t first)
{
    size_t end = first + 1;

    while (end < pass->n && pass->order[end]->hash == pass->order[first]->hash)
        end++;
    return end;
}

/* Member i of a binary tree of `size` members that lie at places[i], or at
 * base + i: from its parent, to its children. */
static void lay_tree(struct coll_pass *pass, const size_t *places, size_t base,
                     size_t size, int slot, int first_to)
{
    for (size_t i = 1; i < size; i++) {
        size_t parent = (i - 1) / 2;
        struct coll_wish *from =
            pass->order[places != NULL ? places[parent] : base + parent];
        struct coll_wish *to =
            pass->order[places != NULL ? places[i] : base + i];

        to->rounds[slot].from = from->rank;
        from->rounds[slot].to[first_to + (int)((i - 1) % 2)] = to->rank;
    }
}

void coll_pass_lay(struct coll_pass *pass, size_t first, size_t end, int slot)
{
    size_t nheads = 0;

    for (size_t i = first; i < end;) {
        size_t last = i;

        while (last < end && pass->order[last]->node == pass->order[i]->node)
            last++;
        pass->heads[nheads++] = i;
        lay_tree(pass, NULL, i, last - i, slot, COLL_PASS_WITHIN);
        i = last;
    }
    lay_tree(pass, pass->heads, 0, nheads, slot, COLL_PASS_BETWEEN);
}
