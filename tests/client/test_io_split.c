/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting runs: every byte goes to exactly one portion and one column, in
 * order, however the layout and the runs look.
 */
#include "client/io_split.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#include <string.h>

#define ROUNDS 3000
#define LIMIT (4 * STRIPE_SIZE_MIN)

static void draw_map(struct rng *rng, struct split_map *map)
{
    map->stripe_size = STRIPE_SIZE_MIN * (uint32_t)(1 + rng_below(rng, 6));
    map->columns = (uint16_t)(1 + rng_below(rng, 9));
    if (rng_chance(rng, 5))
        map->columns = 64;
}

static void draw_run(struct rng *rng, struct run *run)
{
    run->offset = rng_below(rng, 200000);
    run->length = rng_below(rng, rng_chance(rng, 30) ? 300000 : 3000);
    run->count = rng_below(rng, rng_chance(rng, 50) ? 2 : 40);
    run->stride = run->length + rng_below(rng, 20000);
    run->mem = 1u << 30;
    run->mem_stride = (int64_t)run->stride * (rng_chance(rng, 30) ? -1 : 1);
}

/* The bytes of a run by brute force: calls see() for each contiguous bit that
 * lies in one stripe. */
typedef void see_fn(void *ctx, uint64_t offset, uint64_t mem, uint64_t length);

static void each_bit(const struct split_map *map, const struct run *run,
                     see_fn *see, void *ctx)
{
    for (uint64_t i = 0; i < run->count; i++) {
        uint64_t offset = run->offset + i * run->stride;
        uint64_t mem = run->mem + i * (uint64_t)run->mem_stride;
        uint64_t left = run->length, part;

        for (; left > 0; offset += part, mem += part, left -= part) {
            part = map->stripe_size - offset % map->stripe_size;
            part = part < left ? part : left;
            see(ctx, offset, mem, part);
        }
    }
}

struct columns {
    const struct split_map *map;
    uint64_t mask;
    uint64_t bytes[64];
};

static void see_columns(void *ctx, uint64_t offset, uint64_t mem,
                        uint64_t length)
{
    struct columns *columns = ctx;
    unsigned c =
        (unsigned)(offset / columns->map->stripe_size % columns->map->columns);

    columns->mask |= 1ull << c;
    columns->bytes[c] += length;
}

static void test_columns_and_bytes_match_brute_force(void)
{
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int round = 0; round < ROUNDS; round++) {
        struct split_map map;
        struct run run;
        struct columns want = {.map = &map};

        draw_map(&rng, &map);
        draw_run(&rng, &run);
        each_bit(&map, &run, see_columns, &want);
        CU_ASSERT_EQUAL_FATAL(split_columns(&map, &run), want.mask);
        for (unsigned c = 0; c < map.columns; c++)
            CU_ASSERT_EQUAL_FATAL(split_bytes(&map, c, &run), want.bytes[c]);
    }
}

struct expected {
    struct split_pieces *pieces;
    unsigned column;
    bool is_wrong;
};

static void see_piece(void *ctx, uint64_t offset, uint64_t mem, uint64_t length)
{
    struct expected *expected = ctx;
    const struct split_map *map = &expected->pieces->map;
    uint64_t stripe = offset / map->stripe_size;
    struct split_piece piece;
    uint64_t object =
        stripe / map->columns * map->stripe_size + offset % map->stripe_size;

    if (stripe % map->columns != expected->column)
        return;
    if (map->columns == 1) /* one column's pieces are whole blocks */
        return;
    if (!split_piece_next(expected->pieces, &piece) || piece.offset != offset ||
        piece.mem != mem || piece.length != length ||
        piece.object_offset != object)
        expected->is_wrong = true;
}

static void test_pieces_match_brute_force(void)
{
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int round = 0; round < ROUNDS; round++) {
        struct split_map map;
        struct split_pieces pieces;
        struct split_piece piece;
        struct expected expected = {.pieces = &pieces};
        struct run run;

        draw_map(&rng, &map);
        draw_run(&rng, &run);
        expected.column = (unsigned)rng_below(&rng, map.columns);
        split_pieces_init(&pieces, &map, expected.column, &run);
        each_bit(&map, &run, see_piece, &expected);
        CU_ASSERT_FALSE_FATAL(expected.is_wrong);
        if (map.columns > 1)
            CU_ASSERT_FALSE_FATAL(split_piece_next(&pieces, &piece));
    }
}

/* Walks the bytes of runs one contiguous bit at a time. */
struct walker {
    const struct run *runs;
    size_t nruns, at;
    uint64_t block, within;
};

static bool walk(struct walker *walker, uint64_t *offset, uint64_t *mem,
                 uint64_t *left)
{
    while (walker->at < walker->nruns) {
        const struct run *run = &walker->runs[walker->at];

        if (walker->block == run->count || run->length == 0) {
            walker->at++;
            walker->block = 0;
            continue;
        }
        *offset = run->offset + walker->block * run->stride + walker->within;
        *mem = run->mem + walker->block * (uint64_t)run->mem_stride +
               walker->within;
        *left = run->length - walker->within;
        return true;
    }
    return false;
}

static void advance(struct walker *walker, uint64_t by)
{
    walker->within += by;
    if (walker->within == walker->runs[walker->at].length) {
        walker->within = 0;
        walker->block++;
    }
}

static void check_portion(const struct run *portion, struct walker *walker)
{
    uint64_t offset, mem, left;

    for (uint64_t i = 0; i < portion->count; i++) {
        CU_ASSERT_TRUE_FATAL(walk(walker, &offset, &mem, &left));
        CU_ASSERT_EQUAL_FATAL(offset, portion->offset + i * portion->stride);
        CU_ASSERT_EQUAL_FATAL(mem,
                              portion->mem + i * (uint64_t)portion->mem_stride);
        CU_ASSERT_TRUE_FATAL(portion->length <= left);
        advance(walker, portion->length);
    }
}

static void test_portions_cover_all_in_order(void)
{
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int round = 0; round < ROUNDS; round++) {
        struct run runs[5], portion;
        struct walker walker = {runs, 5, 0, 0, 0};
        struct split_cursor cursor = {.runs = runs, .nruns = 5};
        struct split_map map;
        uint64_t offset, mem, left;

        draw_map(&rng, &map);
        for (size_t i = 0; i < 5; i++)
            draw_run(&rng, &runs[i]);
        while (split_next(&map, &cursor, LIMIT, &portion)) {
            CU_ASSERT_TRUE_FATAL(portion.count > 0 && portion.length > 0);
            CU_ASSERT_TRUE_FATAL(run_bytes(&portion) <=
                                 (uint64_t)LIMIT * map.columns +
                                     map.stripe_size);
            check_portion(&portion, &walker);
        }
        CU_ASSERT_FALSE_FATAL(walk(&walker, &offset, &mem, &left));
    }
}

static void test_a_vector_of_millions_is_few_portions(void)
{
    struct split_map map = {1u << 20, 4};
    struct run run = {0, 8, 4096, 10000000, 0, 8}, portion;
    struct split_cursor cursor = {.runs = &run, .nruns = 1};
    unsigned n = 0;

    while (split_next(&map, &cursor, 8u << 20, &portion))
        n++;
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(split_columns(&map, &run), 15);
}

static void test_a_vector_on_one_column_asks_one(void)
{
    struct split_map map = {1u << 20, 4};
    struct run run = {1u << 20, 4096, 4u << 20, 1000000, 0, 4096};

    CU_ASSERT_EQUAL(split_columns(&map, &run), 2);
}

struct below {
    uint64_t size, bytes;
};

static void see_below(void *ctx, uint64_t offset, uint64_t mem, uint64_t length)
{
    struct below *below = ctx;

    for (uint64_t i = 0; i < length; i++)
        below->bytes += offset + i < below->size;
}

static void test_bytes_below_match_brute_force(void)
{
    struct split_map map = {STRIPE_SIZE_MIN, 1};
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int round = 0; round < 300; round++) {
        struct run runs[4];
        struct below want = {.size = rng_below(&rng, 700000)};

        for (size_t i = 0; i < 4; i++) {
            draw_run(&rng, &runs[i]);
            each_bit(&map, &runs[i], see_below, &want);
        }
        CU_ASSERT_EQUAL_FATAL(split_bytes_below(runs, 4, want.size),
                              want.bytes);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_columns_and_bytes_match_brute_force),
        UNIT_TEST(test_pieces_match_brute_force),
        UNIT_TEST(test_portions_cover_all_in_order),
        UNIT_TEST(test_a_vector_of_millions_is_few_portions),
        UNIT_TEST(test_a_vector_on_one_column_asks_one),
        UNIT_TEST(test_bytes_below_match_brute_force),
    };

    return UNIT_MAIN("client/io_split", tests);
}
