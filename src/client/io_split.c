/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting runs and finding their pieces: arithmetic only.
 *
 * A row is one stripe of each column. Within a vector the places of its blocks
 * in the row repeat, so the columns it touches are known after few blocks; a
 * vector for which they are not is taken to touch all, which costs an empty
 * request and never a byte.
 */
#include "client/io_split.h"

#define COLUMNS_STEPS_MAX 512 /* blocks looked at to find the columns */

static uint64_t row_size(const struct split_map *map)
{
    return (uint64_t)map->stripe_size * map->columns;
}

static uint64_t all_columns(const struct split_map *map)
{
    return map->columns == 64 ? UINT64_MAX : (1ull << map->columns) - 1;
}

/* The columns of a contiguous extent. */
static uint64_t extent_columns(const struct split_map *map, uint64_t offset,
                               uint64_t length)
{
    uint64_t stripe = offset / map->stripe_size;
    uint64_t last = (offset + length - 1) / map->stripe_size;
    uint64_t mask = 0;

    if (last - stripe >= map->columns - 1u)
        return all_columns(map);
    for (; stripe <= last; stripe++)
        mask |= 1ull << stripe % map->columns;
    return mask;
}

uint64_t split_columns(const struct split_map *map, const struct run *run)
{
    uint64_t all = all_columns(map);
    uint64_t mask = 0;
    uint64_t i;

    if (run->length == 0 || run->count == 0)
        return 0;
    if (map->columns == 1)
        return 1;
    for (i = 0; i < run->count && mask != all; i++) {
        if (i == COLUMNS_STEPS_MAX)
            return run->stride % row_size(map) == 0 ? mask : all;
        mask |= extent_columns(map, run->offset + i * run->stride, run->length);
    }
    return mask;
}

static uint64_t extent_bytes(const struct split_map *map, unsigned column,
                             uint64_t offset, uint64_t length)
{
    return layout_object_size(map->stripe_size, map->columns, column,
                              offset + length) -
           layout_object_size(map->stripe_size, map->columns, column, offset);
}

uint64_t split_bytes(const struct split_map *map, unsigned column,
                     const struct run *run)
{
    uint64_t bytes = 0;
    uint64_t i;

    if (map->columns == 1 || run->count > SPLIT_EXACT_MAX)
        return run_bytes(run);
    for (i = 0; i < run->count; i++)
        bytes += extent_bytes(map, column, run->offset + i * run->stride,
                              run->length);
    return bytes;
}

uint64_t split_fragments(const struct run *run)
{
    uint64_t first = run->offset / SPLIT_FRAGMENT;

    if (run->count == 1)
        return (run->offset + run->length - 1) / SPLIT_FRAGMENT - first + 1;
    return run->count * ((run->length - 1) / SPLIT_FRAGMENT + 2);
}

/* File offsets at whose multiples a long block is cut. */
static uint64_t cut_unit(const struct split_map *map, uint64_t limit)
{
    if (map->columns == 1 || map->stripe_size >= limit)
        return limit;
    return limit / map->stripe_size * row_size(map);
}

static void step_block(struct split_cursor *cursor, uint64_t blocks)
{
    cursor->within = 0;
    cursor->block += blocks;
    if (cursor->block < cursor->runs[cursor->at].count)
        return;
    cursor->block = 0;
    cursor->at++;
}

/* A part of the cursor's block, up to the next cut. */
static void take_extent(struct split_cursor *cursor, uint64_t unit,
                        struct run *portion)
{
    const struct run *run = &cursor->runs[cursor->at];
    uint64_t rest = run->length - cursor->within;
    uint64_t to_cut;

    portion->offset =
        run->offset + cursor->block * run->stride + cursor->within;
    portion->mem =
        run->mem + cursor->block * (uint64_t)run->mem_stride + cursor->within;
    to_cut = unit - portion->offset % unit;
    portion->length = rest < to_cut ? rest : to_cut;
    portion->count = 1;
    portion->stride = 0;
    portion->mem_stride = 0;
    cursor->within += portion->length;
    if (cursor->within == run->length)
        step_block(cursor, 1);
}

/* As many whole blocks as a portion may have. */
static void take_blocks(const struct split_map *map,
                        struct split_cursor *cursor, uint64_t limit,
                        struct run *portion)
{
    const struct run *run = &cursor->runs[cursor->at];
    uint64_t most;

    *portion = *run;
    portion->offset += cursor->block * run->stride;
    portion->mem += cursor->block * (uint64_t)run->mem_stride;
    portion->count -= cursor->block;
    most = limit / run->length *
           (uint64_t)__builtin_popcountll(split_columns(map, portion));
    if (portion->count > most)
        portion->count = most;
    step_block(cursor, portion->count);
    if (portion->count == 1) {
        portion->stride = 0;
        portion->mem_stride = 0;
    }
}

bool split_next(const struct split_map *map, struct split_cursor *cursor,
                uint64_t limit, struct run *portion_out)
{
    const struct run *run;

    for (; cursor->at < cursor->nruns; cursor->at++) {
        run = &cursor->runs[cursor->at];
        if (run->length == 0 || run->count == 0)
            continue;
        if (run->count == 1 || run->length > limit)
            take_extent(cursor, cut_unit(map, limit), portion_out);
        else
            take_blocks(map, cursor, limit, portion_out);
        return true;
    }
    return false;
}

void split_pieces_init(struct split_pieces *pieces, const struct split_map *map,
                       unsigned column, const struct run *run)
{
    pieces->map = *map;
    pieces->column = column;
    pieces->run = *run;
    pieces->block = 0;
    pieces->within = 0;
}

bool split_piece_next(struct split_pieces *pieces,
                      struct split_piece *piece_out)
{
    const struct run *run = &pieces->run;
    uint64_t start, offset, length;

    while (pieces->block < run->count) {
        start = run->offset + pieces->block * run->stride;
        offset = layout_map(pieces->map.stripe_size, pieces->map.columns,
                            pieces->column, start + pieces->within,
                            &piece_out->object_offset, &length);
        if (offset >= start + run->length) {
            pieces->block++;
            pieces->within = 0;
            continue;
        }
        if (length > start + run->length - offset)
            length = start + run->length - offset;
        piece_out->offset = offset;
        piece_out->length = length;
        piece_out->mem = run->mem + pieces->block * (uint64_t)run->mem_stride +
                         (offset - start);
        pieces->within = offset - start + length;
        return true;
    }
    return false;
}

/* The bytes of one run below size. */
static uint64_t run_below(const struct run *run, uint64_t size)
{
    uint64_t full, start, rest = 0;

    if (run->length == 0 || run->count == 0 || run_end(run) <= size)
        return run_bytes(run);
    if (size <= run->offset)
        return 0;
    if (size < run->offset + run->length)
        return size - run->offset;
    /* The first block is whole and the last is not: there is a stride. */
    full = (size - run->offset - run->length) / run->stride + 1;
    start = run->offset + full * run->stride;
    if (size > start)
        rest = size - start;
    return full * run->length + rest;
}

uint64_t split_bytes_below(const struct run *runs, size_t nruns, uint64_t size)
{
    uint64_t bytes = 0;
    size_t i;

    for (i = 0; i < nruns; i++)
        bytes += run_below(&runs[i], size);
    return bytes;
}
