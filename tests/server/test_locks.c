/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks: grants, the fair order, leases and patience, bounds; then random
 * locks against the two rules, after each step: no two held locks conflict, and
 * nobody waits for nobody.
 */
#include "base/unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include "server/locks.c"

#include <string.h>

#define ASKERS 64

static struct locks *table;
static int answers[ASKERS]; /* +1 granted, -1 ask again, by asker */

static void note(void *ctx, void *asker, bool is_granted)
{
    (void)ctx;
    answers[(uintptr_t)asker - 1] = is_granted ? 1 : -1;
}

static void start(unsigned locks_max, unsigned askers_max)
{
    struct locks_config config = {
        .locks_max = locks_max, .askers_max = askers_max, .answer = note};

    memset(answers, 0, sizeof(answers));
    CU_ASSERT_EQUAL_FATAL(locks_create(&config, &table), 0);
}

/* Client i asks under number i, as asker i + 1. */
static int ask(unsigned i, uint64_t offset, uint64_t length, bool is_shared,
               uint64_t now)
{
    struct lock_key key = {7, i, i};
    struct lock_range range = {offset, length, is_shared};

    return locks_ask(table, &key, &range, now, (void *)(uintptr_t)(i + 1));
}

static int release(unsigned i, uint64_t now)
{
    struct lock_key key = {7, i, i};

    return locks_release(table, &key, now);
}

static int renew(unsigned i, uint64_t now)
{
    struct lock_key key = {7, i, i};

    return locks_renew(table, &key, now);
}

static void test_disjoint_and_shared_locks_are_granted_at_once(void)
{
    start(100, 100);
    CU_ASSERT_EQUAL(ask(0, 0, 10, false, 1), 0);
    CU_ASSERT_EQUAL(ask(1, 10, 10, false, 1), 0);
    CU_ASSERT_EQUAL(ask(2, 20, 10, true, 1), 0);
    CU_ASSERT_EQUAL(ask(3, 25, 10, true, 1), 0);
    CU_ASSERT_EQUAL(ask(4, 0, 1, true, 1), -EINPROGRESS);
    CU_ASSERT_EQUAL(ask(5, 34, 1, false, 1), -EINPROGRESS);
    CU_ASSERT_EQUAL(release(0, 2), 0);
    CU_ASSERT_EQUAL(answers[4], 1);
    CU_ASSERT_EQUAL(answers[5], 0);
    CU_ASSERT_EQUAL(release(3, 2), 0);
    CU_ASSERT_EQUAL(answers[5], 1);
    CU_ASSERT_EQUAL(release(3, 2), -ESTALE);
    locks_destroy(&table);
    CU_ASSERT_PTR_NULL(table);
}

static void test_readers_do_not_overtake_a_writer_that_waits(void)
{
    start(100, 100);
    CU_ASSERT_EQUAL(ask(0, 0, 10, true, 1), 0);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, 1), -EINPROGRESS);
    CU_ASSERT_EQUAL(ask(2, 0, 10, true, 1), -EINPROGRESS);
    CU_ASSERT_EQUAL(ask(3, 10, 10, true, 1), 0); /* of no concern to them */
    CU_ASSERT_EQUAL(release(0, 2), 0);
    CU_ASSERT_EQUAL(answers[1], 1);
    CU_ASSERT_EQUAL(answers[2], 0);
    CU_ASSERT_EQUAL(release(1, 3), 0);
    CU_ASSERT_EQUAL(answers[2], 1);
    locks_destroy(&table);
}

static void test_a_lease_ends_unless_renewed(void)
{
    uint64_t lease = LOCKS_LEASE_NS, patience = LOCKS_PATIENCE_NS;

    start(100, 100);
    CU_ASSERT_EQUAL(locks_next_timer(table), UINT64_MAX);
    CU_ASSERT_EQUAL(ask(0, 0, 10, false, 0), 0);
    CU_ASSERT_EQUAL(locks_next_timer(table), lease);
    CU_ASSERT_EQUAL(renew(0, patience), 0);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, lease), -EINPROGRESS);
    CU_ASSERT_EQUAL(renew(1, lease), -ESTALE); /* it is not held */
    CU_ASSERT_EQUAL(locks_poll(table, lease + 1), 0);
    CU_ASSERT_EQUAL(answers[1], 0);
    CU_ASSERT_EQUAL(locks_poll(table, lease + patience), 1);
    CU_ASSERT_EQUAL(answers[1], 1);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, lease + patience), 0);
    CU_ASSERT_EQUAL(renew(0, lease + patience), -ESTALE);
    CU_ASSERT_EQUAL(release(0, lease + patience), -ESTALE);
    locks_destroy(&table);
}

static void test_the_patient_keep_their_place_and_the_dead_lose_it(void)
{
    uint64_t now = 0;

    start(100, 100);
    CU_ASSERT_EQUAL(ask(0, 0, 10, false, now), 0);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, now), -EINPROGRESS);
    CU_ASSERT_EQUAL(ask(2, 0, 10, false, now), -EINPROGRESS);
    now += LOCKS_PATIENCE_NS;
    CU_ASSERT_EQUAL(locks_poll(table, now), 2);
    CU_ASSERT_EQUAL(answers[1], -1);
    CU_ASSERT_EQUAL(answers[2], -1);
    CU_ASSERT_EQUAL(renew(0, now), 0);
    CU_ASSERT_EQUAL(ask(2, 0, 10, false, now), -EINPROGRESS); /* 1 is dead */
    CU_ASSERT_EQUAL(release(0, now + 1), 0);
    CU_ASSERT_EQUAL(answers[2], -1);
    now += LOCKS_LEASE_NS + 1; /* 1 holds it for a lease, nobody knows */
    while (locks_poll(table, now) > 0)
        ;
    CU_ASSERT_EQUAL(ask(2, 0, 10, false, now), 0);
    CU_ASSERT_EQUAL(locks_count(table), 1);
    locks_destroy(&table);
}

static void test_bounds_and_bad_ranges_are_refused(void)
{
    start(3, 1);
    CU_ASSERT_EQUAL(ask(0, 0, 0, false, 1), -EINVAL);
    CU_ASSERT_EQUAL(ask(0, INT64_MAX, 1, false, 1), -EINVAL);
    CU_ASSERT_EQUAL(ask(0, UINT64_MAX, 2, false, 1), -EINVAL);
    CU_ASSERT_EQUAL(locks_count(table), 0);
    CU_ASSERT_EQUAL(ask(0, 0, 10, false, 1), 0);
    CU_ASSERT_EQUAL(ask(0, 0, 10, false, 1), 0); /* again is no other lock */
    CU_ASSERT_EQUAL(ask(0, 0, 11, false, 1), -EINVAL);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, 1), -EINPROGRESS);
    CU_ASSERT_EQUAL(ask(2, 0, 10, false, 1), -EAGAIN);
    CU_ASSERT_EQUAL(ask(3, 99, 1, false, 1), -ERR_BUSY);
    locks_dismiss(table);
    CU_ASSERT_EQUAL(answers[1], -1);
    CU_ASSERT_EQUAL(release(0, 1), 0);
    CU_ASSERT_EQUAL(ask(1, 0, 10, false, 1), 0);
    CU_ASSERT_EQUAL(release(1, 1), 0);
    CU_ASSERT_EQUAL(ask(2, 0, 10, false, 1), 0);
    CU_ASSERT_EQUAL(release(2, 1), 0);
    CU_ASSERT_EQUAL(locks_count(table), 0);
    CU_ASSERT_PTR_NULL(table->files);
    locks_destroy(&table);
}

static void test_failing_allocations_change_nothing(void)
{
    struct locks_config config = {.locks_max = 9, .answer = note};
    int rc, n;

    for (n = 0; n < 10; n++) {
        mem_fault_set(n);
        table = NULL;
        rc = locks_create(&config, &table);
        if (rc == 0)
            rc = ask(0, 0, 1, false, 1);
        mem_fault_set(-1);
        if (table != NULL)
            CU_ASSERT_EQUAL(locks_count(table), rc == 0);
        if (table != NULL && rc != 0)
            CU_ASSERT_PTR_NULL(table->files);
        locks_destroy(&table);
        if (rc == 0)
            break;
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    CU_ASSERT(n > 0);
}

static void check_rules(void)
{
    struct lock_file *file = file_find(table, 7);
    struct lock *a, *b;

    if (file == NULL)
        return;
    DL_FOREACH(file->list, a)
    {
        bool is_blocked = false;

        for (b = file->list; b != a; b = b->next) {
            is_blocked |= conflicts(&a->range, &b->range);
            CU_ASSERT_FATAL(!(a->is_held && b->is_held &&
                              conflicts(&a->range, &b->range)));
        }
        CU_ASSERT_EQUAL_FATAL(a->is_held, !is_blocked);
    }
}

static void test_random_locks_keep_the_rules(void)
{
    uint64_t now = 0;
    struct rng rng;

    rng_init(&rng, unit_seed());
    start(40, 20);
    for (int step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rng_below(&rng, ASKERS);

        now += rng_below(&rng, LOCKS_LEASE_NS / 20);
        switch (rng_below(&rng, 4)) {
        case 0:
        case 1: /* the range of a number is always the same */
            ask(i, i * 7 % 50, 1 + i % 9, i % 3 == 0, now);
            break;
        case 2:
            release(i, now);
            break;
        default:
            renew(i, now);
            locks_poll(table, now);
        }
        check_rules();
        CU_ASSERT_FATAL(locks_count(table) <= 40);
    }
    now += LOCKS_LEASE_NS + LOCKS_PATIENCE_NS;
    for (int i = 0; i < 100; i++)
        locks_poll(table, now += LOCKS_LEASE_NS);
    CU_ASSERT_EQUAL(locks_count(table), 0);
    CU_ASSERT_EQUAL(locks_next_timer(table), UINT64_MAX);
    locks_destroy(&table);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_disjoint_and_shared_locks_are_granted_at_once),
        UNIT_TEST(test_readers_do_not_overtake_a_writer_that_waits),
        UNIT_TEST(test_a_lease_ends_unless_renewed),
        UNIT_TEST(test_the_patient_keep_their_place_and_the_dead_lose_it),
        UNIT_TEST(test_bounds_and_bad_ranges_are_refused),
        UNIT_TEST(test_failing_allocations_change_nothing),
        UNIT_TEST(test_random_locks_keep_the_rules),
    };

    return UNIT_MAIN("locks", tests);
}
