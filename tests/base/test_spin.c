/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/spin.h"

#include "tests/base/unit.h"

/* Waits of which every n-th is short enough for a spin; n = 0: none is. */
static unsigned count_spins(struct spin *spin, unsigned waits, unsigned n)
{
    unsigned spins = 0;

    for (unsigned i = 0; i < waits; i++) {
        if (!spin_begin(spin))
            continue;
        spins++;
        spin_end(spin, n != 0 && i % n == 0);
    }
    return spins;
}

static void test_spins_that_catch_go_on(void)
{
    struct spin spin = {0};

    CU_ASSERT_EQUAL(count_spins(&spin, 10000, 1), 10000);
    CU_ASSERT_EQUAL(count_spins(&spin, 10000, 3), 10000);
}

static void test_spins_that_never_catch_nearly_end(void)
{
    struct spin spin = {0};

    CU_ASSERT(count_spins(&spin, 10000, 0) <=
              SPIN_TRUST_MAX + 10000 / SPIN_TRY_EVERY);
    CU_ASSERT(count_spins(&spin, 10000, 0) > 0);
}

static void test_waits_that_become_short_are_noticed(void)
{
    struct spin spin = {0};

    count_spins(&spin, 1000, 0);
    CU_ASSERT_FALSE(spin_begin(&spin));
    CU_ASSERT(count_spins(&spin, 1000, 1) >= 1000 - SPIN_TRY_EVERY);
}

static void test_a_rare_catch_does_not_pay(void)
{
    struct spin spin = {0};

    CU_ASSERT(count_spins(&spin, 10000, 32) < 10000 / 4);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_spins_that_catch_go_on),
        UNIT_TEST(test_spins_that_never_catch_nearly_end),
        UNIT_TEST(test_waits_that_become_short_are_noticed),
        UNIT_TEST(test_a_rare_catch_does_not_pay),
    };

    return UNIT_MAIN("spin", tests);
}
