/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The iterator over pieces against a walk of every byte, for random layouts
 * and runs; and that what is not ours costs nothing.
 */
#include "base/unit.h"

#include "base/err.h"
#include "base/inode.h"
#include "base/rng.h"
#include "server/pieces.h"

#include <string.h>

#define ROUNDS 3000
#define RUNS_MAX 6
#define BYTES_MAX 400000u

struct byte_at {
    uint64_t object;
    uint64_t mem;
};

static uint8_t encoded[65536];
static struct byte_at *expected, *found;

static struct proto_bytes encode(const struct run *runs, size_t nruns)
{
    struct proto_runs state = {0};
    uint8_t *at = encoded;
    size_t i;

    for (i = 0; i < nruns; i++)
        CU_ASSERT_EQUAL_FATAL(proto_run_encode(&state, &runs[i], &at,
                                               encoded + sizeof(encoded)), 0);
    return (struct proto_bytes){encoded, (uint32_t)(at - encoded)};
}

static struct run random_run(struct rng *rng, uint32_t stripe_size)
{
    struct run run = {
        .offset = rng_below(rng, 20ull * stripe_size),
        .length = 1 + rng_below(rng, rng_chance(rng, 50) ? 64
                                                         : 2 * stripe_size),
        .count = 1 + rng_below(rng, rng_chance(rng, 50) ? 3 : 40),
        .mem = 100000000 + rng_below(rng, 1000),
    };

    if (run.count > 1) {
        run.stride = rng_below(rng, rng_chance(rng, 70) ? 5ull * stripe_size
                                                        : 300);
        run.mem_stride = (int64_t)rng_below(rng, 5000) - 1000;
    }
    return run;
}

/* Every byte of the runs that is on the column and below the limit. */
static size_t walk_bytes(const struct run *runs, size_t nruns,
                         const struct pieces_config *config, uint64_t limit,
                         struct byte_at *bytes)
{
    uint64_t offset, stripe, object, block, i;
    size_t r, n = 0;

    for (r = 0; r < nruns; r++)
        for (block = 0; block < runs[r].count; block++)
            for (i = 0; i < runs[r].length; i++) {
                offset = runs[r].offset + block * runs[r].stride + i;
                stripe = offset / config->stripe_size;
                object = stripe / config->columns * config->stripe_size +
                         offset % config->stripe_size;
                if (config->columns > 1 &&
                    stripe % config->columns != config->column)
                    continue;
                if (object >= limit)
                    continue;
                CU_ASSERT_FATAL(n < BYTES_MAX);
                bytes[n].object = object;
                bytes[n++].mem = runs[r].mem +
                                 block * (uint64_t)runs[r].mem_stride + i;
            }
    return n;
}

static size_t walk_pieces(const struct pieces_config *config, uint64_t limit,
                          struct byte_at *bytes)
{
    struct pieces pieces;
    struct piece piece;
    uint64_t i;
    size_t n = 0;
    int rc;

    CU_ASSERT_EQUAL_FATAL(pieces_init(&pieces, config, limit), 0);
    while ((rc = pieces_next(&pieces, &piece)) == 0) {
        CU_ASSERT_FATAL(piece.length > 0 && n + piece.length <= BYTES_MAX);
        for (i = 0; i < piece.length; i++, n++)
            bytes[n] = (struct byte_at){piece.object + i, piece.mem + i};
    }
    CU_ASSERT_EQUAL(rc, -ENOENT);
    return n;
}

static void test_pieces_are_the_bytes_of_the_column(void)
{
    struct run runs[RUNS_MAX];
    struct pieces_config config;
    struct rng rng;
    size_t round, i, n, nruns;
    uint64_t limit, bytes;

    rng_init(&rng, unit_seed());
    for (round = 0; round < ROUNDS; round++) {
        config = (struct pieces_config){
            .stripe_size = 4096,
            .columns = (uint16_t)(1 + rng_below(&rng, 7)),
            .span = PIECES_NO_SPAN,
        };
        config.column = (uint16_t)rng_below(&rng, config.columns);
        nruns = 1 + rng_below(&rng, RUNS_MAX);
        for (i = 0, bytes = 0; i < nruns; i++) {
            runs[i] = random_run(&rng, config.stripe_size);
            bytes += run_bytes(&runs[i]);
        }
        if (bytes > BYTES_MAX)
            continue;
        limit = rng_chance(&rng, 50) ? UINT64_MAX : rng_below(&rng, 60000);
        config.runs = encode(runs, nruns);
        n = walk_bytes(runs, nruns, &config, limit, expected);
        CU_ASSERT_EQUAL_FATAL(walk_pieces(&config, limit, found), n);
        CU_ASSERT_EQUAL_FATAL(memcmp(found, expected, n * sizeof(*found)), 0);
    }
}

static void test_first_multiple_is_the_smallest(void)
{
    struct rng rng;
    uint64_t a, m, low, high, k, want;
    unsigned round;

    rng_init(&rng, unit_seed());
    for (round = 0; round < 200000; round++) {
        m = 1 + rng_below(&rng, 60);
        a = rng_below(&rng, m);
        low = rng_below(&rng, m);
        high = low + rng_below(&rng, m - low);
        for (k = 0, want = UINT64_MAX; k <= m && want == UINT64_MAX; k++)
            if (a * k % m >= low && a * k % m <= high)
                want = k;
        CU_ASSERT_EQUAL_FATAL(pieces_first_multiple(a, m, low, high), want);
    }
}

/* How many pieces, with all that is between them skipped. */
static uint64_t count_pieces(const struct run *run, uint16_t columns,
                             uint16_t column, uint32_t stripe_size,
                             uint64_t limit, uint64_t *bytes_out)
{
    struct pieces_config config = {
        .runs = encode(run, 1),
        .stripe_size = stripe_size,
        .columns = columns,
        .column = column,
        .span = PIECES_NO_SPAN,
    };
    struct pieces pieces;
    struct piece piece;
    uint64_t n = 0;

    *bytes_out = 0;
    CU_ASSERT_EQUAL_FATAL(pieces_init(&pieces, &config, limit), 0);
    for (; pieces_next(&pieces, &piece) == 0; n++)
        *bytes_out += piece.length;
    return n;
}

static void test_a_huge_run_costs_its_own_stripes(void)
{
    struct run run = {.offset = 12345, .length = 1ull << 40, .count = 1};
    uint64_t bytes;

    CU_ASSERT_EQUAL(count_pieces(&run, 64, 63, 1u << 20, UINT64_MAX, &bytes),
                    1u << 14);
    CU_ASSERT_EQUAL(bytes, 1ull << 34);
    CU_ASSERT_EQUAL(count_pieces(&run, 64, 63, 1u << 20, 3u << 20, &bytes), 3);
    CU_ASSERT_EQUAL(bytes, 3u << 20);
}

static void test_a_vector_that_is_elsewhere_costs_nothing(void)
{
    struct run run = {.length = 512, .stride = 4 * 4096, .count = 1ull << 46};
    uint64_t bytes;

    CU_ASSERT_EQUAL(count_pieces(&run, 4, 1, 4096, UINT64_MAX, &bytes), 0);
    run.stride = 4 * 4096 + 4; /* every 1024 rows it drifts a stripe on */
    run.count = 4000;
    CU_ASSERT_EQUAL(count_pieces(&run, 4, 0, 4096, 4096, &bytes), 1);
    CU_ASSERT(count_pieces(&run, 4, 1, 4096, UINT64_MAX, &bytes) > 1000);
}

static void test_a_limit_ends_a_run_at_once(void)
{
    struct run run = {.length = 16, .stride = 16, .count = 1ull << 50};
    uint64_t bytes;

    count_pieces(&run, 3, 2, 4096, 100, &bytes);
    CU_ASSERT_EQUAL(bytes, 100);
}

static int first_of(const struct run *run, uint64_t span)
{
    struct pieces_config config = {
        .runs = encode(run, 1),
        .stripe_size = 4096,
        .columns = 1,
        .span = span,
    };
    struct pieces pieces;
    struct piece piece;

    CU_ASSERT_EQUAL_FATAL(pieces_init(&pieces, &config, UINT64_MAX), 0);
    return pieces_next(&pieces, &piece);
}

static void test_a_run_outside_the_span_is_refused(void)
{
    struct run run = {.length = 10, .count = 1, .mem = 90};
    struct run back = {.length = 10, .stride = 10, .count = 10, .mem = 90,
                       .mem_stride = -10};
    struct run forth = {.length = 10, .stride = 10, .count = 10,
                        .mem_stride = 10};

    CU_ASSERT_EQUAL(first_of(&run, 100), 0);
    CU_ASSERT_EQUAL(first_of(&run, 99), -EFAULT);
    CU_ASSERT_EQUAL(first_of(&run, 5), -EFAULT);
    CU_ASSERT_EQUAL(first_of(&run, PIECES_NO_SPAN), 0);
    CU_ASSERT_EQUAL(first_of(&back, 100), 0);
    CU_ASSERT_EQUAL(first_of(&back, 99), -EFAULT);
    CU_ASSERT_EQUAL(first_of(&forth, 100), 0);
    CU_ASSERT_EQUAL(first_of(&forth, 99), -EFAULT);
}

static void test_init_refuses_what_is_out_of_range(void)
{
    struct pieces_config good = {.stripe_size = 4096, .columns = 4,
                                 .column = 3};
    struct pieces_config bad;
    struct pieces pieces;

    CU_ASSERT_EQUAL(pieces_init(&pieces, &good, 0), 0);
    bad = good;
    bad.stripe_size = 0;
    CU_ASSERT_EQUAL(pieces_init(&pieces, &bad, 0), -EINVAL);
    bad = good;
    bad.columns = 0;
    CU_ASSERT_EQUAL(pieces_init(&pieces, &bad, 0), -EINVAL);
    bad = good;
    bad.columns = LAYOUT_WIDTH_MAX + 1;
    CU_ASSERT_EQUAL(pieces_init(&pieces, &bad, 0), -EINVAL);
    bad = good;
    bad.column = 4;
    CU_ASSERT_EQUAL(pieces_init(&pieces, &bad, 0), -EINVAL);
}

static void test_garbage_is_a_protocol_error(void)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    struct pieces_config config = {.runs = {garbage, sizeof(garbage)},
                                   .stripe_size = 4096,
                                   .columns = 1};
    struct pieces pieces;
    struct piece piece;

    CU_ASSERT_EQUAL_FATAL(pieces_init(&pieces, &config, UINT64_MAX), 0);
    CU_ASSERT_EQUAL(pieces_next(&pieces, &piece), -ERR_PROTOCOL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_pieces_are_the_bytes_of_the_column),
        UNIT_TEST(test_first_multiple_is_the_smallest),
        UNIT_TEST(test_a_huge_run_costs_its_own_stripes),
        UNIT_TEST(test_a_vector_that_is_elsewhere_costs_nothing),
        UNIT_TEST(test_a_limit_ends_a_run_at_once),
        UNIT_TEST(test_a_run_outside_the_span_is_refused),
        UNIT_TEST(test_init_refuses_what_is_out_of_range),
        UNIT_TEST(test_garbage_is_a_protocol_error),
    };
    int rc;

    expected = calloc(BYTES_MAX, sizeof(*expected));
    found = calloc(BYTES_MAX, sizeof(*found));
    if (expected == NULL || found == NULL)
        return EXIT_FAILURE;
    rc = UNIT_MAIN("pieces", tests);
    free(expected);
    free(found);
    return rc;
}
