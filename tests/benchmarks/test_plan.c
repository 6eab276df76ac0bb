/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan of an epoch: every sample once, alike on all ranks, another order
 * each epoch, shared out without gap or overlap.
 */
#include "benchmarks/plan.c"

#include <CUnit/Basic.h>
#include <string.h>

#define SAMPLES_MAX 300

/* How often each sample is read in an epoch, over all ranks. */
static void count_reads(const struct plan *plan, unsigned *reads)
{
    uint64_t step, i;
    uint32_t rank;

    memset(reads, 0, SAMPLES_MAX * sizeof(*reads));
    for (step = 0; step < plan_steps(plan); step++) {
        for (rank = 0; rank < plan->shape.ranks; rank++) {
            struct plan_slice slice = plan_rank_step(plan, step, rank);

            for (i = 0; i < slice.count; i++)
                reads[plan->order[slice.first + i]]++;
        }
    }
}

static void check_shape(struct plan_shape shape)
{
    unsigned reads[SAMPLES_MAX];
    struct plan plan = {0};
    uint64_t i, wrong = 0;

    CU_ASSERT_EQUAL_FATAL(plan_init(&plan, &shape), 0);
    plan_shuffle(&plan, 3);
    count_reads(&plan, reads);
    for (i = 0; i < shape.samples; i++)
        wrong += reads[i] != shape.group;
    CU_ASSERT_EQUAL(wrong, 0);
    plan_fini(&plan);
}

static void test_each_group_reads_each_sample_once(void)
{
    uint64_t samples, batch;

    for (samples = 1; samples <= SAMPLES_MAX; samples += 13) {
        for (batch = 1; batch <= 2 * samples; batch += 7) {
            check_shape((struct plan_shape){samples, batch, 1, 1, 1});
            check_shape((struct plan_shape){samples, batch, 1, 7, 1});
            check_shape((struct plan_shape){samples, batch, 1, 6, 3});
            check_shape((struct plan_shape){samples, batch, 1, 4, 4});
        }
    }
}

static void test_ranks_of_a_group_want_the_same(void)
{
    struct plan_shape shape = {100, 10, 1, 4, 2};
    struct plan_slice a, b, c;
    struct plan plan = {0};

    CU_ASSERT_EQUAL_FATAL(plan_init(&plan, &shape), 0);
    a = plan_rank_step(&plan, 2, 0);
    b = plan_rank_step(&plan, 2, 1);
    c = plan_rank_step(&plan, 2, 2);
    CU_ASSERT_EQUAL(a.first, b.first);
    CU_ASSERT_EQUAL(a.count, b.count);
    CU_ASSERT_EQUAL(c.first, a.first + a.count);
    plan_fini(&plan);
}

static void test_order_follows_seed_and_epoch(void)
{
    struct plan_shape shape = {SAMPLES_MAX, 10, 5, 1, 1};
    struct plan_shape other = {SAMPLES_MAX, 10, 6, 1, 1};
    struct plan a = {0}, b = {0}, c = {0};
    size_t size = SAMPLES_MAX * sizeof(uint64_t);

    CU_ASSERT_EQUAL_FATAL(plan_init(&a, &shape), 0);
    CU_ASSERT_EQUAL_FATAL(plan_init(&b, &shape), 0);
    CU_ASSERT_EQUAL_FATAL(plan_init(&c, &other), 0);
    plan_shuffle(&a, 0);
    plan_shuffle(&b, 0);
    plan_shuffle(&c, 0);
    CU_ASSERT_EQUAL(memcmp(a.order, b.order, size), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(a.order, c.order, size), 0);
    plan_shuffle(&b, 1);
    CU_ASSERT_NOT_EQUAL(memcmp(a.order, b.order, size), 0);
    plan_shuffle(&b, 0);
    CU_ASSERT_EQUAL(memcmp(a.order, b.order, size), 0);
    plan_fini(&a);
    plan_fini(&b);
    plan_fini(&c);
}

static void test_bad_shapes_are_refused(void)
{
    static const struct plan_shape bad[] = {
        {0, 1, 1, 1, 1}, {1, 0, 1, 1, 1}, {1, 1, 1, 0, 1},
        {1, 1, 1, 1, 0}, {1, 1, 1, 3, 2},
    };
    struct plan plan = {0};
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(plan_init(&plan, &bad[i]), -EINVAL);
    CU_ASSERT_PTR_NULL(plan.order);
}

static void test_want_of_memory_is_told(void)
{
    struct plan_shape shape = {10, 1, 1, 1, 1};
    struct plan plan = {0};

    mem_fault_set(0);
    CU_ASSERT_EQUAL(plan_init(&plan, &shape), -ENOMEM);
    mem_fault_set(-1);
    CU_ASSERT_PTR_NULL(plan.order);
}

int main(void)
{
    CU_pSuite suite;
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return CU_get_error();
    suite = CU_add_suite("plan", NULL, NULL);
    CU_ADD_TEST(suite, test_each_group_reads_each_sample_once);
    CU_ADD_TEST(suite, test_ranks_of_a_group_want_the_same);
    CU_ADD_TEST(suite, test_order_follows_seed_and_epoch);
    CU_ADD_TEST(suite, test_bad_shapes_are_refused);
    CU_ADD_TEST(suite, test_want_of_memory_is_told);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
