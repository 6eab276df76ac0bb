/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs are kept so that blocks of one run never overlap (stride >= length, or
 * one block) and lists ascend by offset of their first block. With that a cut
 * of a vector is at most three runs: a partial block, whole blocks, a partial
 * block.
 *
 * Possible failure modes: no memory, told as -ENOMEM.
 */
#include "adio/common/coll_runs.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>

#define LIST_ROOM_MIN 16

int coll_list_reserve(struct coll_list *list, size_t n)
{
    struct run *runs;
    size_t room = list->room;

    if (n <= room)
        return 0;
    room = room * 2 > n ? room * 2 : n;
    if (room < LIST_ROOM_MIN)
        room = LIST_ROOM_MIN;
    runs = mem_grow(list->runs, room, sizeof(*runs));
    if (runs == NULL)
        return -ENOMEM;
    list->runs = runs;
    list->room = room;
    return 0;
}

void coll_list_fini(struct coll_list *list)
{
    free(list->runs);
    *list = (struct coll_list){0};
}

/* Is `next` the block that follows `last` directly, in file and memory? */
static bool is_continued(const struct run *last, const struct run *next)
{
    return last->count == 1 && next->count == 1 &&
           last->offset + last->length == next->offset &&
           last->mem + last->length == next->mem;
}

/* Does a run go on in `next` as one vector? A single block takes any stride. */
static bool is_next_of_vector(const struct run *last, const struct run *next)
{
    uint64_t stride;
    int64_t mem_stride;

    if (last->length != next->length || next->offset < run_end(last))
        return false;
    stride = last->count > 1 ? last->stride : next->offset - last->offset;
    mem_stride =
        last->count > 1 ? last->mem_stride : (int64_t)(next->mem - last->mem);
    if (next->count > 1 &&
        (next->stride != stride || next->mem_stride != mem_stride))
        return false;
    return next->offset == last->offset + last->count * stride &&
           next->mem == last->mem + last->count * (uint64_t)mem_stride;
}

int coll_list_push(struct coll_list *list, const struct run *run)
{
    struct run *last = list->n > 0 ? &list->runs[list->n - 1] : NULL;
    int rc;

    if (last != NULL && is_continued(last, run)) {
        last->length += run->length;
        return 0;
    }
    if (last != NULL && is_next_of_vector(last, run)) {
        if (last->count == 1) {
            last->stride = run->offset - last->offset;
            last->mem_stride = (int64_t)(run->mem - last->mem);
        }
        last->count += run->count;
        return 0;
    }
    rc = coll_list_reserve(list, list->n + 1);
    if (rc != 0)
        return rc;
    list->runs[list->n++] = *run;
    return 0;
}

static struct run blocks_of(const struct run *run, uint64_t first,
                            uint64_t count)
{
    int64_t disp = (int64_t)first * run->mem_stride;

    return (struct run){
        .offset = run->offset + first * run->stride,
        .length = run->length,
        .stride = count > 1 ? run->stride : 0,
        .count = count,
        .mem = run->mem + (uint64_t)disp,
        .mem_stride = count > 1 ? run->mem_stride : 0,
    };
}

static int push_blocks(struct coll_list *out, const struct run *run,
                       uint64_t first, uint64_t count)
{
    struct run part = blocks_of(run, first, count);

    return coll_list_push(out, &part);
}

static int push_part(struct coll_list *out, const struct run *run,
                     uint64_t block, uint64_t from, uint64_t length)
{
    struct run part = blocks_of(run, block, 1);

    part.offset += from;
    part.mem += from;
    part.length = length;
    return coll_list_push(out, &part);
}

static int take_one(struct coll_list *list, const struct run *run)
{
    struct run copy = *run;
    int rc = 0;

    if (run_bytes(run) == 0)
        return 0;
    if (copy.count == 1)
        copy.stride = 0, copy.mem_stride = 0;
    if (copy.count > 1 && copy.stride == copy.length &&
        copy.mem_stride == (int64_t)copy.length) {
        copy.length *= copy.count;
        copy.count = 1;
        copy.stride = 0;
        copy.mem_stride = 0;
    }
    if (copy.count == 1 || copy.stride >= copy.length)
        return coll_list_push(list, &copy);
    for (uint64_t i = 0; i < copy.count && rc == 0; i++)
        rc = push_blocks(list, &copy, i, 1);
    return rc;
}

static int by_offset(const void *a, const void *b)
{
    const struct run *x = a;
    const struct run *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->mem > y->mem) - (x->mem < y->mem);
}

int coll_list_take(struct coll_list *list, const struct run *runs, size_t n,
                   bool *is_tangled_out)
{
    bool is_sorted = true;
    uint64_t end = 0;
    size_t i;
    int rc;

    for (i = 0; i < n; i++) {
        rc = take_one(list, &runs[i]);
        if (rc != 0)
            return rc;
    }
    for (i = 1; i < list->n; i++)
        if (list->runs[i].offset < list->runs[i - 1].offset)
            is_sorted = false;
    if (!is_sorted)
        qsort(list->runs, list->n, sizeof(*list->runs), by_offset);
    *is_tangled_out = false;
    for (i = 0; i < list->n; i++) {
        if (list->runs[i].offset < end)
            *is_tangled_out = true;
        if (run_end(&list->runs[i]) > end)
            end = run_end(&list->runs[i]);
    }
    return 0;
}

/* The first block that ends after an offset; run->count when there is none. */
static uint64_t first_block_after(const struct run *run, uint64_t offset)
{
    uint64_t end = run->offset + run->length; /* of block 0 */

    if (offset < end)
        return 0;
    if (run->count == 1)
        return 1;
    offset = (offset - end) / run->stride + 1;
    return offset < run->count ? offset : run->count;
}

/* How many blocks start before an offset. */
static uint64_t blocks_before(const struct run *run, uint64_t offset)
{
    if (offset <= run->offset)
        return 0;
    if (run->count == 1)
        return 1;
    offset = (offset - run->offset - 1) / run->stride + 1;
    return offset < run->count ? offset : run->count;
}

/* One block's part in lo .. hi - 1, which is not empty. */
static int clip_block(const struct run *run, uint64_t block, uint64_t lo,
                      uint64_t hi, struct coll_list *out)
{
    uint64_t start = run->offset + block * run->stride;
    uint64_t from = lo > start ? lo - start : 0;
    uint64_t to = hi - start < run->length ? hi - start : run->length;

    return push_part(out, run, block, from, to - from);
}

int coll_clip(const struct run *run, uint64_t lo, uint64_t hi,
              struct coll_list *out)
{
    uint64_t first = first_block_after(run, lo);
    uint64_t after = blocks_before(run, hi);
    bool cuts_last;
    int rc = 0;

    if (first >= after)
        return 0;
    if (run->offset + first * run->stride < lo) {
        rc = clip_block(run, first, lo, hi, out);
        first++;
    }
    if (rc != 0 || first >= after)
        return rc;
    cuts_last = run->offset + (after - 1) * run->stride + run->length > hi;
    after -= cuts_last;
    if (first < after)
        rc = push_blocks(out, run, first, after - first);
    if (rc == 0 && cuts_last)
        rc = clip_block(run, after, lo, hi, out);
    return rc;
}

int coll_clip_all(const struct run *runs, size_t n, size_t *first_inout,
                  uint64_t lo, uint64_t hi, struct coll_list *out)
{
    size_t i;
    int rc = 0;

    while (*first_inout < n && run_end(&runs[*first_inout]) <= lo)
        (*first_inout)++;
    for (i = *first_inout; i < n && runs[i].offset < hi && rc == 0; i++)
        rc = coll_clip(&runs[i], lo, hi, out);
    return rc;
}

uint64_t coll_run_next(const struct run *run, uint64_t from)
{
    uint64_t block = first_block_after(run, from);
    uint64_t start;

    if (block == run->count)
        return UINT64_MAX;
    start = run->offset + block * run->stride;
    return start > from ? start : from;
}

uint64_t coll_offset_at(const struct run *runs, size_t nruns, uint64_t n)
{
    for (size_t i = 0; i < nruns; i++) {
        const struct run *run = &runs[i];

        if (n < run_bytes(run))
            return run->offset + n / run->length * run->stride +
                   n % run->length;
        n -= run_bytes(run);
    }
    return UINT64_MAX;
}

/* The next bytes of one run, at most to its end. */
static int take_from(const struct run *run, uint64_t done, uint64_t bytes,
                     struct coll_list *out)
{
    uint64_t block = done / run->length;
    uint64_t within = done % run->length;
    uint64_t part = run->length - within;
    int rc = 0;

    if (within > 0 || bytes < part) {
        if (part > bytes)
            part = bytes;
        rc = push_part(out, run, block++, within, part);
        bytes -= part;
    }
    if (rc == 0 && bytes >= run->length) {
        rc = push_blocks(out, run, block, bytes / run->length);
        block += bytes / run->length;
        bytes %= run->length;
    }
    if (rc == 0 && bytes > 0)
        rc = push_part(out, run, block, 0, bytes);
    return rc;
}

int coll_take(const struct run *runs, size_t n, struct coll_cursor *cursor,
              uint64_t bytes, struct coll_list *out)
{
    int rc;

    while (bytes > 0 && cursor->run < n) {
        const struct run *run = &runs[cursor->run];
        uint64_t part = run_bytes(run) - cursor->done;

        if (part > bytes)
            part = bytes;
        rc = take_from(run, cursor->done, part, out);
        if (rc != 0)
            return rc;
        bytes -= part;
        cursor->done += part;
        if (cursor->done == run_bytes(run)) {
            cursor->run++;
            cursor->done = 0;
        }
    }
    return 0;
}

uint64_t coll_list_hash(const struct coll_list *list)
{
    uint64_t hash = list->n;

    for (size_t i = 0; i < list->n; i++) {
        const struct run *run = &list->runs[i];

        hash = rng_mix(hash ^ run->offset);
        hash = rng_mix(hash ^ run->length);
        hash = rng_mix(hash ^ run->stride);
        hash = rng_mix(hash ^ run->count);
    }
    return hash;
}
