/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The union of what all ranks want in a round, exact to the byte, as a bitmap
 * over the round's buffer: a few nanoseconds a block, whatever the overlap and
 * interleaving, where sorting blocks would take many times that. Words that
 * are all ones or all zeros are passed over 64 bytes at a time.
 *
 * Possible failure modes: no memory.
 */
#include "adio/common/coll_space.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int coll_union_init(struct coll_union *set, uint64_t nbits)
{
    set->nbits = nbits;
    set->bits = mem_calloc((nbits + 63) / 64, sizeof(*set->bits));
    return set->bits == NULL ? -ENOMEM : 0;
}

void coll_union_fini(struct coll_union *set)
{
    free(set->bits);
    *set = (struct coll_union){0};
}

void coll_union_clear(struct coll_union *set)
{
    memset(set->bits, 0, (set->nbits + 63) / 64 * sizeof(*set->bits));
}

static void set_range(struct coll_union *set, uint64_t from, uint64_t to)
{
    uint64_t first = from / 64;
    uint64_t last = (to - 1) / 64;
    uint64_t head = ~0ull << (from % 64);
    uint64_t tail = ~0ull >> (63 - (to - 1) % 64);

    if (first == last) {
        set->bits[first] |= head & tail;
        return;
    }
    set->bits[first] |= head;
    memset(&set->bits[first + 1], 0xff,
           (last - first - 1) * sizeof(*set->bits));
    set->bits[last] |= tail;
}

void coll_union_add(struct coll_union *set, const struct run *runs, size_t n,
                    const char *base)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t at = runs[i].mem - (uint64_t)(uintptr_t)base;

        for (uint64_t k = 0; k < runs[i].count; k++) {
            assert(at + runs[i].length <= set->nbits);
            set_range(set, at, at + runs[i].length);
            at += (uint64_t)runs[i].mem_stride;
        }
    }
}

/* The first position at or after `from` whose bit is `value`. */
static uint64_t next_bit(const struct coll_union *set, uint64_t from,
                         bool value)
{
    uint64_t flip = value ? 0 : ~0ull;
    uint64_t word = from / 64;
    uint64_t bits;

    if (from >= set->nbits)
        return set->nbits;
    bits = (set->bits[word] ^ flip) & (~0ull << (from % 64));
    while (bits == 0) {
        if (++word * 64 >= set->nbits)
            return set->nbits;
        bits = set->bits[word] ^ flip;
    }
    from = word * 64 + (uint64_t)__builtin_ctzll(bits);
    return from < set->nbits ? from : set->nbits;
}

/* Positions from .. to - 1 of the buffer, cut where segments meet. */
static int list_range(const struct coll_space *space, size_t *at,
                      uint64_t origin, char *base, uint64_t from, uint64_t to,
                      struct coll_list *out)
{
    int rc = 0;

    while (from < to && rc == 0) {
        const struct coll_segment *segment;
        uint64_t within, length;

        while (*at + 1 < space->n &&
               space->segments[*at + 1].position <= origin + from)
            (*at)++;
        segment = &space->segments[*at];
        within = origin + from - segment->position;
        length = segment->end - segment->begin - within;
        if (length > to - from)
            length = to - from;
        rc = coll_list_push(out, &(struct run){
                                     .offset = segment->begin + within,
                                     .length = length,
                                     .count = 1,
                                     .mem = (uint64_t)(uintptr_t)base + from,
                                 });
        from += length;
    }
    return rc;
}

int coll_union_list(const struct coll_union *set,
                    const struct coll_space *space, uint64_t origin, char *base,
                    struct coll_list *out)
{
    uint64_t from = next_bit(set, 0, true);
    size_t at = coll_space_find(space, origin, true);
    int rc = 0;

    while (from < set->nbits && rc == 0) {
        uint64_t to = next_bit(set, from, false);

        rc = list_range(space, &at, origin, base, from, to, out);
        from = next_bit(set, to, true);
    }
    return rc;
}
