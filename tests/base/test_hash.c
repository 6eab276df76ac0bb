/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash: placement follows from it, so its values never change.
 */
#include "base/hash.c"

#include "tests/base/unit.h"

static void test_values_are_the_same_for_ever(void)
{
    /* XXH64 of "" and "abc" with seed 0: from its specification's vectors. */
    CU_ASSERT_EQUAL(hash_name(0, "", 0), 0xef46db3751d8e999);
    CU_ASSERT_EQUAL(hash_name(0, "abc", 3), 0x44bc2cf5ad770999);
    CU_ASSERT_NOT_EQUAL(hash_name(1, "abc", 3), hash_name(0, "abc", 3));
    /* SplitMix64's first output for seed 0 is the finalizer of its gamma. */
    CU_ASSERT_EQUAL(hash_ino(0x9e3779b97f4a7c15), 0xe220a8397b1dcdaf);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_values_are_the_same_for_ever),
    };

    return UNIT_MAIN("base/hash", tests);
}
