/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inode: the mapping functions against brute force, byte by byte of a file in
 * units of a sixteenth of a stripe.
 */
#include "base/inode.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#include <string.h>

#define STRIPE 4096u
#define UNIT (STRIPE / 16)
#define UNITS 400

/* Where a byte lies, by counting stripes one after the other. */
static void place(unsigned columns, uint64_t offset, unsigned *column_out,
                  uint64_t *object_offset_out)
{
    uint64_t next[LAYOUT_WIDTH_MAX] = {0};
    unsigned column = 0;

    while (offset >= STRIPE) {
        next[column] += STRIPE;
        column = (column + 1) % columns;
        offset -= STRIPE;
    }
    *column_out = column;
    *object_offset_out = next[column] + offset;
}

static void test_map_finds_the_first_byte_of_a_column(void)
{
    for (unsigned columns = 2; columns <= 7; columns++) {
        for (uint64_t at = 0; at < UNITS * UNIT; at += UNIT) {
            for (unsigned column = 0; column < columns; column++) {
                uint64_t wanted = at, object_offset, wanted_object, length;
                unsigned of_byte;

                place(columns, wanted, &of_byte, &wanted_object);
                while (of_byte != column) {
                    wanted += UNIT;
                    place(columns, wanted, &of_byte, &wanted_object);
                }
                CU_ASSERT_EQUAL(layout_map(STRIPE, columns, column, at,
                                           &object_offset, &length),
                                wanted);
                CU_ASSERT_EQUAL(object_offset, wanted_object);
                CU_ASSERT_EQUAL(length, STRIPE - wanted % STRIPE);
            }
        }
    }
}

static void test_map_of_one_column_is_the_identity(void)
{
    uint64_t object_offset, length;

    CU_ASSERT_EQUAL(layout_map(STRIPE, 1, 0, 123456, &object_offset, &length),
                    123456);
    CU_ASSERT_EQUAL(object_offset, 123456);
    CU_ASSERT_EQUAL(length, UINT64_MAX - 123456);
}

/* The sizes of the objects of a file, by counting its bytes. */
static void test_object_sizes_count_the_bytes(void)
{
    for (unsigned columns = 1; columns <= 7; columns++) {
        uint64_t sizes[8] = {0};

        for (uint64_t size = 0; size < UNITS * UNIT; size += UNIT) {
            uint64_t end = 0, object_offset;
            unsigned of_byte;

            for (unsigned column = 0; column < columns; column++) {
                uint64_t column_end;

                CU_ASSERT_EQUAL(
                    layout_object_size(STRIPE, columns, column, size),
                    sizes[column]);
                column_end =
                    layout_file_end(STRIPE, columns, column, sizes[column]);
                end = column_end > end ? column_end : end;
            }
            CU_ASSERT_EQUAL(end, size);
            place(columns, size, &of_byte, &object_offset);
            sizes[of_byte] = object_offset + UNIT;
        }
    }
}

/* A walk over a column's extents meets each of its bytes once, in order. */
static void test_walk_agrees_with_sizes(void)
{
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t stripe = STRIPE * (uint32_t)(1 + rng_below(&rng, 9));
        unsigned columns = 2 + (unsigned)rng_below(&rng, 63);
        unsigned column = (unsigned)rng_below(&rng, columns);
        uint64_t size = rng_below(&rng, (uint64_t)stripe * columns * 5);
        uint64_t at = 0, next = 0, object_offset, length;

        for (;;) {
            at = layout_map(stripe, columns, column, at, &object_offset,
                            &length);
            if (at >= size)
                break;
            CU_ASSERT_EQUAL(object_offset, next);
            length = length < size - at ? length : size - at;
            CU_ASSERT_EQUAL(layout_file_end(stripe, columns, column,
                                            object_offset + length),
                            at + length);
            next += length;
            at += length;
        }
        CU_ASSERT_EQUAL(next,
                        layout_object_size(stripe, columns, column, size));
    }
}

static void test_far_offsets_do_not_overflow(void)
{
    uint64_t far = (uint64_t)1 << 62, object_offset, length;
    uint64_t at =
        layout_map(STRIPE_SIZE_MAX, 64, 63, far, &object_offset, &length);

    CU_ASSERT(at >= far && at < far + 64ull * STRIPE_SIZE_MAX);
    CU_ASSERT_EQUAL(layout_file_end(STRIPE_SIZE_MAX, 64, 63, object_offset + 1),
                    at + 1);
    CU_ASSERT_EQUAL(layout_object_size(STRIPE_SIZE_MAX, 64, 63, at + 1),
                    object_offset + 1);
}

static void test_layout_check_refuses_what_is_out_of_range(void)
{
    struct layout good = {
        .stripe_size = STRIPE, .width = 2, .replicas = 1, .targets = {1, 2}};
    struct layout bad;

    CU_ASSERT_EQUAL(layout_check(&good), 0);
    CU_ASSERT_EQUAL(layout_columns(&good), 1);
    good.is_striped = true;
    CU_ASSERT_EQUAL(layout_columns(&good), 2);
    bad = good;
    bad.width = 0;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
    bad.width = LAYOUT_WIDTH_MAX + 1;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
    bad = good;
    bad.stripe_size = STRIPE + 1;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
    bad.stripe_size = 0;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
    bad.stripe_size = STRIPE_SIZE_MAX + STRIPE;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
    bad = good;
    bad.targets[1] = 0;
    CU_ASSERT_EQUAL(layout_check(&bad), -EINVAL);
}

static void test_ino_names_its_target(void)
{
    CU_ASSERT_EQUAL(ino_make(1, 0x2cd), 0x00010000000002cd);
    CU_ASSERT_EQUAL(ino_target(ino_make(65535, 5)), 65535);
    CU_ASSERT_EQUAL(ino_target(INO_ROOT), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_map_finds_the_first_byte_of_a_column),
        UNIT_TEST(test_map_of_one_column_is_the_identity),
        UNIT_TEST(test_object_sizes_count_the_bytes),
        UNIT_TEST(test_walk_agrees_with_sizes),
        UNIT_TEST(test_far_offsets_do_not_overflow),
        UNIT_TEST(test_layout_check_refuses_what_is_out_of_range),
        UNIT_TEST(test_ino_names_its_target),
    };

    return UNIT_MAIN("base/inode", tests);
}
