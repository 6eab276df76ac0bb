/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From (view, view offset, memory type, count) to runs.
 *
 * Two sides are walked together: the file's (tiles of the filetype) and the
 * memory's (instances of the memory type). Each stands in a block of a vector.
 * A step takes the largest run that stays regular on both sides:
 * - equal blocks on both sides: as many as both vectors still have;
 * - a vector on one side inside one long block on the other: as many blocks as
 *   fit the long block, which is a vector with the stride of its own length;
 * - else one piece, as long as the shorter block.
 * A side whose tiles are themselves regular is one vector (or one block) from
 * end to end before the walk begins, so ten million equal blocks are one step.
 *
 * Tiles that interlace (a column resized to one element, say) would make file
 * offsets go back, which nobody below expects: such an access is cut into its
 * blocks, and they are sorted. That costs what the blocks cost.
 *
 * Possible failure modes are: no memory for the list; a place beyond 2^63.
 */
#include "adio/common/view.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

#define RUNS_ROOM_FIRST 4

struct side {
    const struct flat_vec *vecs;
    size_t nvecs;
    int64_t extent;
    uint64_t base;         /* where the current tile starts */
    size_t v;              /* the current vector of the tile, */
    uint64_t block;        /* its block, */
    uint64_t within;       /* and the byte in the block */
    struct flat_vec whole; /* all tiles, when they are regular */
};

/* Are the tiles one vector, or one block? Then *whole_out is all of them. */
static bool tiles_melt(const struct flat *type, uint64_t ntiles,
                       struct flat_vec *whole_out)
{
    const struct flat_vec *vec = type->vecs;

    if (type->nvecs != 1)
        return false;
    *whole_out = *vec;
    if (ntiles == 1)
        return true;
    if (vec->count == 1 && (int64_t)vec->length == type->extent) {
        whole_out->length = vec->length * ntiles;
        return true;
    }
    if (vec->count == 1)
        whole_out->stride = type->extent;
    else if (type->extent != vec->stride * (int64_t)vec->count)
        return false;
    whole_out->count = vec->count * ntiles;
    return true;
}

/* Stand at the first byte of the first of ntiles tiles. */
static void side_init(struct side *side, const struct flat *type, uint64_t base,
                      uint64_t ntiles)
{
    *side = (struct side){
        .vecs = type->vecs,
        .nvecs = type->nvecs,
        .extent = type->extent,
        .base = base,
    };
    if (tiles_melt(type, ntiles, &side->whole)) {
        side->vecs = &side->whole;
        side->nvecs = 1;
    }
}

static const struct flat_vec *side_vec(const struct side *side)
{
    return &side->vecs[side->v];
}

static uint64_t side_place(const struct side *side)
{
    const struct flat_vec *vec = side_vec(side);

    return side->base + (uint64_t)vec->disp +
           side->block * (uint64_t)vec->stride + side->within;
}

static uint64_t side_rest(const struct side *side)
{
    return side_vec(side)->length - side->within;
}

/* Whole blocks from here on, none of which has been begun. */
static uint64_t side_blocks(const struct side *side)
{
    return side->within == 0 ? side_vec(side)->count - side->block : 0;
}

/* Go on by bytes that do not reach beyond the current vector. */
static void side_advance(struct side *side, uint64_t bytes)
{
    const struct flat_vec *vec = side_vec(side);

    side->within += bytes;
    side->block += side->within / vec->length;
    side->within %= vec->length;
    if (side->block < vec->count)
        return;
    side->block = 0;
    if (++side->v < side->nvecs)
        return;
    side->v = 0;
    side->base += (uint64_t)side->extent;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Make a run a vector of up to count blocks. */
static void run_spread(struct run *run, uint64_t count, uint64_t stride,
                       int64_t mem_stride)
{
    if (count < 2)
        return;
    run->count = count;
    run->stride = stride;
    run->mem_stride = mem_stride;
}

static struct run next_run(const struct side *file, const struct side *mem,
                           uint64_t left)
{
    const struct flat_vec *fv = side_vec(file), *mv = side_vec(mem);
    uint64_t length = smaller(side_rest(file), side_rest(mem));
    struct run run = {
        .offset = side_place(file),
        .mem = side_place(mem),
        .length = smaller(length, left),
        .count = 1,
    };
    uint64_t most = left / run.length;
    uint64_t fblocks = smaller(side_blocks(file), most);
    uint64_t mblocks = smaller(side_blocks(mem), most);

    if (run.length < length)
        return run;
    if (fv->length == length && mv->length == length && fblocks > 0 &&
        mblocks > 0)
        run_spread(&run, smaller(fblocks, mblocks), (uint64_t)fv->stride,
                   mv->stride);
    else if (fv->length == length && fblocks > 0)
        run_spread(&run, smaller(fblocks, side_rest(mem) / length),
                   (uint64_t)fv->stride, (int64_t)length);
    else if (mv->length == length && mblocks > 0)
        run_spread(&run, smaller(mblocks, side_rest(file) / length), length,
                   mv->stride);
    return run;
}

/* Does a run go on exactly where the last one ends? Then lengthen that one. */
static bool run_joins(struct run *last, const struct run *run)
{
    if (last->count == 1 && run->count == 1 &&
        last->offset + last->length == run->offset &&
        last->mem + last->length == run->mem) {
        last->length += run->length;
        return true;
    }
    if (last->count == 1 || last->length != run->length ||
        last->offset + last->count * last->stride != run->offset ||
        last->mem + last->count * (uint64_t)last->mem_stride != run->mem)
        return false;
    if (run->count > 1 &&
        (run->stride != last->stride || run->mem_stride != last->mem_stride))
        return false;
    last->count += run->count;
    return true;
}

static int list_push(struct run_list *list, const struct run *run)
{
    size_t room = list->room == 0 ? RUNS_ROOM_FIRST : 2 * list->room;
    struct run *runs;

    list->bytes += run_bytes(run);
    if (list->nruns > 0 && run_joins(&list->runs[list->nruns - 1], run))
        return 0;
    if (list->nruns == list->room) {
        runs = mem_grow(list->runs, room, sizeof(*runs));
        if (runs == NULL)
            return -ENOMEM;
        list->runs = runs;
        list->room = room;
    }
    list->runs[list->nruns++] = *run;
    return 0;
}

/* Does the access end below 2^63, in the view and in the file? */
static bool fits(const struct adio_view *view, uint64_t at, uint64_t bytes)
{
    const struct flat *type = view->filetype;
    uint64_t end, file_end;

    if (__builtin_add_overflow(at, bytes, &end) || end > INT64_MAX)
        return false;
    if (__builtin_mul_overflow((end - 1) / type->size + 1,
                               (uint64_t)type->extent, &file_end) ||
        __builtin_add_overflow(file_end, view->disp, &file_end))
        return false;
    return file_end <= INT64_MAX;
}

/* Stand at view offset at; the access needs *ntiles_out tiles from there. */
static int file_side_init(struct side *side, const struct adio_view *view,
                          uint64_t at, uint64_t bytes, bool *goes_back_out)
{
    const struct flat *type = view->filetype;
    uint64_t tile, in_tile, ntiles;
    size_t v = 0;

    if (type->size == 0)
        return -EINVAL;
    if (!fits(view, at, bytes))
        return -EOVERFLOW;
    tile = at / type->size;
    in_tile = at % type->size;
    ntiles = (in_tile + bytes - 1) / type->size + 1;
    *goes_back_out = ntiles > 1 && view->is_interlaced;
    side_init(side, type, view->disp + tile * (uint64_t)type->extent, ntiles);
    if (side->nvecs > 1)
        v = view_find_vec(view, in_tile);
    side->v = v;
    side_advance(side, in_tile - view->starts[v]);
    return 0;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Block i of a run. */
static struct run block_of(const struct run *run, uint64_t i)
{
    return (struct run){
        .offset = run->offset + i * run->stride,
        .mem = run->mem + i * (uint64_t)run->mem_stride,
        .length = run->length,
        .count = 1,
    };
}

/* Cut all runs into blocks and sort them by offset. */
static int list_sort(struct run_list *list)
{
    uint64_t nblocks = 0;
    struct run *blocks;
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < list->nruns; i++)
        nblocks += list->runs[i].count;
    blocks = mem_calloc(nblocks, sizeof(*blocks));
    if (blocks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < list->nruns; i++)
        for (uint64_t k = 0; k < list->runs[i].count; k++)
            blocks[n++] = block_of(&list->runs[i], k);
    qsort(blocks, n, sizeof(*blocks), compare_offsets);
    list->nruns = 0;
    list->bytes = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = list_push(list, &blocks[i]);
    free(blocks);
    return rc;
}

int view_runs(const struct adio_view *view, uint64_t at, const void *memory,
              const struct flat *memtype, uint64_t count,
              struct run_list *list_out)
{
    struct side file, mem;
    bool goes_back = false;
    uint64_t left;
    int rc;

    list_out->nruns = 0;
    list_out->bytes = 0;
    if (__builtin_mul_overflow(memtype->size, count, &left))
        return -EOVERFLOW;
    if (left == 0)
        return 0;
    rc = file_side_init(&file, view, at, left, &goes_back);
    if (rc != 0)
        return rc;
    side_init(&mem, memtype, (uint64_t)(uintptr_t)memory, count);
    while (left > 0) {
        struct run run = next_run(&file, &mem, left);

        rc = list_push(list_out, &run);
        if (rc != 0)
            return rc;
        left -= run_bytes(&run);
        side_advance(&file, run_bytes(&run));
        side_advance(&mem, run_bytes(&run));
    }
    return goes_back ? list_sort(list_out) : 0;
}

void run_list_fini(struct run_list *list)
{
    free(list->runs);
    *list = (struct run_list){0};
}
