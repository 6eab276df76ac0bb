/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of open files: steps, generations, expiry, the bound, restarts.
 */
#include "tests/meta/names_fixture.h"

#include <errno.h>

#define DAY_NS (86400 * 1000000000ull)

static struct names_counter_step step_of(uint64_t handle, int64_t value)
{
    return (struct names_counter_step){.ino = 5,
                                       .handle = handle,
                                       .value = value,
                                       .now_ns = 100 * DAY_NS};
}

static void expect(struct names_counter_step step, int64_t wanted)
{
    int64_t before = -1;

    CU_ASSERT_EQUAL(names_counter_step(fixture.names, &step, &before), 0);
    CU_ASSERT_EQUAL(before, wanted);
}

static void expect_rc(struct names_counter_step step, int wanted)
{
    int64_t before;

    CU_ASSERT_EQUAL(names_counter_step(fixture.names, &step, &before), wanted);
}

static void test_counters_add_and_are_set(void)
{
    struct names_counter_step set = step_of(1, 100);

    fixture_start();
    expect(step_of(1, 10), 0);
    expect(step_of(1, 5), 10);
    expect(step_of(2, 1), 0); /* another handle, another counter */
    set.is_set = true;
    expect(set, 15);
    expect(step_of(1, 0), 100);
    expect_rc(step_of(1, -101), -EINVAL);
    expect_rc(step_of(1, INT64_MAX), -EFBIG);
    expect(step_of(1, -100), 100);
    expect(step_of(1, 0), 0);
    fixture_stop();
}

static void test_a_higher_generation_begins_at_its_start(void)
{
    struct names_counter_step step = step_of(1, 10);

    fixture_start();
    step.start = 7;
    expect(step, 7);
    expect(step, 17);
    step.generation = 3;
    step.start = 0;
    expect(step, 0);
    expect(step, 10);
    step.generation = 2;
    expect_rc(step, -ESTALE);
    step.generation = 3;
    expect(step, 20);
    fixture_stop();
}

static void test_counters_outlive_the_process_and_end_when_dropped(void)
{
    fixture_start();
    expect(step_of(1, 10), 0);
    fixture_commit();
    fixture_reopen();
    expect(step_of(1, 1), 10);
    CU_ASSERT_EQUAL(names_counter_drop(fixture.names, 5, 1), 0);
    CU_ASSERT_EQUAL(names_counter_drop(fixture.names, 5, 1), 0);
    expect(step_of(1, 0), 0);
    fixture_stop();
}

static void test_what_may_have_been_dropped_is_not_begun_anew(void)
{
    struct names_counter_step step = step_of(1, 0);

    fixture_start();
    step.age_ns = NAMES_COUNTER_IDLE_NS;
    expect_rc(step, -ESTALE);
    step.age_ns--;
    expect(step, 0);
    step.age_ns = 50 * DAY_NS;
    expect(step, 0);
    fixture_stop();
}

static void test_idle_counters_go_after_a_restart(void)
{
    struct names_counter_step late = step_of(999, 0);

    fixture_start();
    for (uint64_t i = 1; i <= 200; i++)
        expect(step_of(i, (int64_t)i), 0);
    late.now_ns += NAMES_COUNTER_IDLE_NS;
    for (uint64_t i = 1; i <= 100; i++) {
        late.handle = i;
        expect(late, (int64_t)i); /* still used */
    }
    fixture_commit();
    fixture_reopen();
    late.now_ns++;
    late.handle = 1000;
    expect(late, 0);
    CU_ASSERT_EQUAL(fixture.names->ncounters, 101);
    for (uint64_t i = 1; i <= 200; i++) {
        late.handle = i;
        expect(late, i <= 100 ? (int64_t)i : 0);
    }
    fixture_stop();
}

static void test_there_is_a_bound(void)
{
    struct names_counter_step late = step_of(NAMES_COUNTERS_MAX + 1, 0);

    fixture_start();
    for (uint64_t i = 1; i <= NAMES_COUNTERS_MAX; i++)
        expect(step_of(i, 1), 0);
    expect_rc(late, -ENOSPC);
    expect(step_of(1, 1), 1); /* those that are there go on */
    late.now_ns += NAMES_COUNTER_IDLE_NS + 1;
    expect(late, 0);
    CU_ASSERT_EQUAL(fixture.names->ncounters, 1);
    fixture_stop();
}

static void test_a_damaged_counter_is_an_error(void)
{
    struct names_key key = names_key_numbers(NAMES_SHARED, 5, 1);

    fixture_start();
    expect(step_of(1, 1), 0);
    fixture_damage(&key, "short", 5);
    expect_rc(step_of(1, 1), -EIO);
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_counters_add_and_are_set),
        UNIT_TEST(test_a_higher_generation_begins_at_its_start),
        UNIT_TEST(test_counters_outlive_the_process_and_end_when_dropped),
        UNIT_TEST(test_what_may_have_been_dropped_is_not_begun_anew),
        UNIT_TEST(test_idle_counters_go_after_a_restart),
        UNIT_TEST(test_there_is_a_bound),
        UNIT_TEST(test_a_damaged_counter_is_an_error),
    };

    return FIXTURE_MAIN("names_counter", tests);
}
