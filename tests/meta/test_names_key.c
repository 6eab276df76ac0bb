/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_key: order, and keys taken apart.
 */
#include "meta/names_key.c"

#include "base/rng.h"
#include "meta/pairs_mem.h"
#include "tests/base/unit.h"

static int order_of(const struct names_key *a, const struct names_key *b)
{
    int order = pairs_compare(a->bytes, a->len, b->bytes, b->len);

    return (order > 0) - (order < 0);
}

static void test_keys_are_ordered_by_directory_then_name(void)
{
    static const struct name sorted[] = {
        {1, "a", 1},   {1, "a\1", 2},        {1, "aa", 2},
        {1, "b", 1},   {2, "A", 1},          {255, "z", 1},
        {256, "a", 1}, {1ull << 48, "a", 1}, {UINT64_MAX, "a", 1}};

    for (size_t i = 1; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
        struct names_key a = names_key_name(NAMES_ENTRY, &sorted[i - 1]);
        struct names_key b = names_key_name(NAMES_ENTRY, &sorted[i]);

        CU_ASSERT_EQUAL(order_of(&a, &b), -1);
    }
}

static void test_numbers_are_ordered(void)
{
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t a = rng_next(&rng) >> rng_below(&rng, 64);
        uint64_t b = rng_next(&rng) >> rng_below(&rng, 64);
        struct names_key x = names_key_numbers(NAMES_REPLY, 1, a);
        struct names_key y = names_key_numbers(NAMES_REPLY, 1, b);

        CU_ASSERT_EQUAL(order_of(&x, &y), (a > b) - (a < b));
        CU_ASSERT_EQUAL(names_key_number_at(x.bytes, 9), a);
    }
}

static void test_name_comes_back_and_other_lengths_do_not(void)
{
    struct name name = {.parent = 77, .text = "shard", .len = 5}, back;
    struct names_key key = names_key_name(NAMES_INTENT, &name);
    char long_key[300] = {0};

    CU_ASSERT_EQUAL(names_key_name_parse(key.bytes, key.len, &back), 0);
    CU_ASSERT_EQUAL(back.parent, 77);
    CU_ASSERT_EQUAL(back.len, 5);
    CU_ASSERT_EQUAL(memcmp(back.text, "shard", 5), 0);
    CU_ASSERT_EQUAL(names_key_name_parse(key.bytes, 9, &back), -EIO);
    CU_ASSERT_EQUAL(names_key_name_parse(long_key, 9 + 256, &back), -EIO);
    CU_ASSERT_EQUAL(names_key_name_parse(long_key, 9 + 255, &back), 0);
}

static void test_text_is_ascii_and_bounded(void)
{
    char text[NAMES_KEY_TEXT_MAX];
    unsigned char bytes[2000];

    names_key_text("e\0\xff\\a", 5, text);
    CU_ASSERT_STRING_EQUAL(text, "e\\x00\\xff\\x5ca");
    memset(bytes, 0xff, sizeof(bytes));
    names_key_text(bytes, sizeof(bytes), text);
    CU_ASSERT(strlen(text) < sizeof(text));
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_keys_are_ordered_by_directory_then_name),
        UNIT_TEST(test_numbers_are_ordered),
        UNIT_TEST(test_name_comes_back_and_other_lengths_do_not),
        UNIT_TEST(test_text_is_ascii_and_bounded),
    };

    return UNIT_MAIN("meta/names_key", tests);
}
