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

static void test_stamps_hold_times_before_1970(void)
{
    static const struct timespec times[] = {
        {0, 0},           {0, 999999999},          {-1, 0},
        {-1, 999999999},  {-315619200, 250000000}, {1700000000, 1},
        {9000000000, 7},  {-9000000000, 7}};
    struct timespec back;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        back = clock_timespec(clock_stamp(&times[i]));
        CU_ASSERT_EQUAL(back.tv_sec, times[i].tv_sec);
        CU_ASSERT_EQUAL(back.tv_nsec, times[i].tv_nsec);
    }
    CU_ASSERT_EQUAL(clock_stamp(&(struct timespec){-1, 999999999}), -1);
}

static void test_a_stamp_out_of_range_is_the_nearest(void)
{
    const int64_t far = INT64_MAX / 1000000000;
    const struct timespec late = {INT64_MAX, 5}, early = {INT64_MIN, 5};
    struct timespec back = clock_timespec(clock_stamp(&late));

    CU_ASSERT_EQUAL(back.tv_sec, far);
    CU_ASSERT_EQUAL(back.tv_nsec, 0);
    back = clock_timespec(clock_stamp(&early));
    CU_ASSERT_EQUAL(back.tv_sec, -far);
    CU_ASSERT_EQUAL(back.tv_nsec, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_real_clock_never_goes_back),
        UNIT_TEST(test_virtual_clock_moves_by_hand_and_forward_only),
        UNIT_TEST(test_stamps_hold_times_before_1970),
        UNIT_TEST(test_a_stamp_out_of_range_is_the_nearest),
    };

    return UNIT_MAIN("base/clock", tests);
}
