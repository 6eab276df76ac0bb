/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/clock.c"

#include "tests/base/unit.h"

static void test_real_clock_never_goes_back(void)
{
    uint64_t last = clock_now(clock_real());

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = clock_now(clock_real());

        CU_ASSERT(now >= last);
        last = now;
    }
    CU_ASSERT(clock_wall(clock_real()) > 1600000000 * NS_PER_SEC);
}

static void test_virtual_clock_moves_by_hand_and_forward_only(void)
{
    struct clock_virtual clock;

    clock_virtual_init(&clock);
    CU_ASSERT_EQUAL(clock_now(&clock.clock), NS_PER_SEC);
    clock_virtual_set(&clock, 5 * NS_PER_SEC);
    CU_ASSERT_EQUAL(clock_now(&clock.clock), 5 * NS_PER_SEC);
    clock_virtual_set(&clock, NS_PER_SEC);
    CU_ASSERT_EQUAL(clock_now(&clock.clock), 5 * NS_PER_SEC);
    CU_ASSERT_EQUAL(clock_wall(&clock.clock), 5 * NS_PER_SEC);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_real_clock_never_goes_back),
        UNIT_TEST(test_virtual_clock_moves_by_hand_and_forward_only),
    };

    return UNIT_MAIN("base/clock", tests);
}
