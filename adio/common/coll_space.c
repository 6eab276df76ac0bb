/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments are collected unsorted, then sorted and united once. A run whose
 * gaps are no longer than its blocks (or than a few hundred bytes) is one
 * segment with its gaps: the buffer holds them, storage is not asked for them
 * (coll_union.c).
 *
 * Possible failure modes: no memory.
 */
#include "adio/common/coll_space.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

#define GAP_MAX 512 /* that a buffer holds rather than begin a new segment */

static int add_segment(struct coll_space *space, uint64_t begin, uint64_t end)
{
    struct coll_segment *last =
        space->n > 0 ? &space->segments[space->n - 1] : NULL;

    if (last != NULL && begin >= last->begin && begin <= last->end) {
        if (end > last->end)
            last->end = end;
        return 0;
    }
    if (space->n == space->room) {
        size_t room = space->room * 2 + 16;
        void *segments =
            mem_grow(space->segments, room, sizeof(*space->segments));

        if (segments == NULL)
            return -ENOMEM;
        space->segments = segments;
        space->room = room;
    }
    space->segments[space->n++] = (struct coll_segment){begin, end, 0};
    return 0;
}

int coll_space_add(struct coll_space *space, const struct run *run)
{
    uint64_t gap = run->count > 1 ? run->stride - run->length : 0;
    uint64_t i, offset;
    int rc = 0;

    if (gap <= GAP_MAX || gap <= run->length)
        return add_segment(space, run->offset, run_end(run));
    for (i = 0; i < run->count && rc == 0; i++) {
        offset = run->offset + i * run->stride;
        rc = add_segment(space, offset, offset + run->length);
    }
    return rc;
}

static int by_begin(const void *a, const void *b)
{
    const struct coll_segment *x = a;
    const struct coll_segment *y = b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

void coll_space_end(struct coll_space *space)
{
    struct coll_segment *all = space->segments;
    size_t i, n = 0;

    if (space->n == 0)
        return;
    qsort(all, space->n, sizeof(*all), by_begin);
    for (i = 1; i < space->n; i++) {
        if (all[i].begin > all[n].end)
            all[++n] = all[i];
        else if (all[i].end > all[n].end)
            all[n].end = all[i].end;
    }
    space->n = n + 1;
    for (i = 0; i < space->n; i++) {
        all[i].position = space->bytes;
        space->bytes += all[i].end - all[i].begin;
    }
}

void coll_space_fini(struct coll_space *space)
{
    free(space->segments);
    *space = (struct coll_space){0};
}

size_t coll_space_find(const struct coll_space *space, uint64_t key,
                       bool is_position)
{
    size_t lo = 0, hi = space->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        const struct coll_segment *segment = &space->segments[mid];

        if ((is_position ? segment->position : segment->begin) <= key)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

uint64_t coll_space_offset(const struct coll_space *space, uint64_t position,
                           bool is_end)
{
    const struct coll_segment *segment =
        &space->segments[coll_space_find(space, position - is_end, true)];

    return segment->begin + (position - segment->position);
}

static int map_block(const struct coll_space *space, const struct run *run,
                     uint64_t block, size_t *hint, uint64_t origin, char *base,
                     struct coll_list *out)
{
    struct run part = {
        .offset = run->offset + block * run->stride,
        .length = run->length,
        .count = 1,
    };
    const struct coll_segment *segment;

    while (*hint + 1 < space->n &&
           space->segments[*hint + 1].begin <= part.offset)
        (*hint)++;
    segment = &space->segments[*hint];
    assert(part.offset + part.length <= segment->end);
    part.mem = (uint64_t)(uintptr_t)base + segment->position - origin +
               (part.offset - segment->begin);
    return coll_list_push(out, &part);
}

int coll_space_map(const struct coll_space *space, const struct run *run,
                   uint64_t origin, char *base, struct coll_list *out)
{
    size_t at = coll_space_find(space, run->offset, false);
    const struct coll_segment *segment = &space->segments[at];
    struct run whole = *run;
    uint64_t i;
    int rc = 0;

    if (run_end(run) <= segment->end) {
        whole.mem = (uint64_t)(uintptr_t)base + segment->position - origin +
                    (run->offset - segment->begin);
        whole.mem_stride = (int64_t)run->stride;
        return coll_list_push(out, &whole);
    }
    for (i = 0; i < run->count && rc == 0; i++)
        rc = map_block(space, run, i, &at, origin, base, out);
    return rc;
}
