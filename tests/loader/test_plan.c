/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of an epoch and its shares: a permutation, another one each epoch,
 * shared out without gap or overlap, whatever the shape.
 */
#include "loader/perm.c"
#include "loader/plan.c"

#include "tests/base/unit.h"

#include <string.h>

#define SAMPLES_MAX 400
#define FILES_MAX 12

static void test_a_permutation_is_one(void)
{
    unsigned char seen[1000];
    struct perm perm;
    uint64_t n, i, to, moved = 0;

    for (n = 1; n <= sizeof(seen); n += n < 70 ? 1 : 31) {
        perm_init(&perm, n, n * 17);
        memset(seen, 0, sizeof(seen));
        for (i = 0; i < n; i++) {
            to = perm_at(&perm, i);
            CU_ASSERT_FATAL(to < n && seen[to] == 0);
            seen[to] = 1;
            moved += to != i;
        }
    }
    CU_ASSERT(moved > 0);
    perm_init(&perm, (uint64_t)1 << 62, 5);
    CU_ASSERT(perm_at(&perm, 0) != perm_at(&perm, 1));
}

/* Each of 20 things lands on each of 20 places about as often. */
static void test_a_permutation_is_even(void)
{
    unsigned count[20][20] = {{0}};
    struct perm perm;
    double sum = 0;

    for (uint64_t key = 0; key < 4000; key++) {
        perm_init(&perm, 20, rng_mix(key));
        for (unsigned i = 0; i < 20; i++)
            count[i][perm_at(&perm, i)]++;
    }
    for (unsigned i = 0; i < 400; i++) {
        double off = count[i / 20][i % 20] - 200.0;

        sum += off * off / 200.0;
    }
    /* Chi square with 361 degrees of freedom: mean 361, deviation 27. */
    CU_ASSERT(sum < 361 + 6 * 27);
}

static struct index *make_index(struct rng *rng)
{
    static struct index_file files[FILES_MAX];
    static struct index index;

    index = (struct index){.files = files};
    index.nfiles = 1 + (uint32_t)rng_below(rng, FILES_MAX);
    for (uint32_t i = 0; i < index.nfiles; i++) {
        files[i].first = index.nrows;
        index.nrows += rng_below(rng, SAMPLES_MAX / FILES_MAX);
    }
    index.nrows++;
    return &index;
}

static struct plan_shape make_shape(struct rng *rng, uint32_t *weights)
{
    struct plan_shape shape = {
        .batch = 1 + rng_below(rng, SAMPLES_MAX),
        .seed = rng_next(rng),
        .shuffle = (enum capstan_shuffle)rng_below(rng, 3),
        .tail = (enum capstan_tail)rng_below(rng, 3),
        .window = 1 + (uint32_t)rng_below(rng, 4),
        .group = 1 + (uint32_t)rng_below(rng, 3),
        .weights = weights,
    };

    shape.ranks = shape.group * (1 + (uint32_t)rng_below(rng, 5));
    for (uint32_t i = 0; i < shape.ranks; i++)
        weights[i] = (uint32_t)rng_below(rng, 4);
    weights[0]++;
    return shape;
}

/* Parts of a step follow each other without gap, in rank order; ranks of one
 * group have the same. */
static void check_step(const struct plan *plan, uint64_t step)
{
    struct plan_slice all = plan_step(plan, step);
    uint64_t at = all.first;

    for (uint32_t rank = 0; rank < plan->shape.ranks; rank++) {
        struct plan_slice own = plan_rank_step(plan, step, rank);

        if (rank % plan->shape.group == 0) {
            CU_ASSERT_EQUAL(own.first, at);
            at += own.count;
        } else {
            struct plan_slice before = plan_rank_step(plan, step, rank - 1);

            CU_ASSERT(own.first == before.first && own.count == before.count);
        }
    }
    CU_ASSERT_EQUAL(at, all.first + all.count);
}

static void check_epoch(struct plan *plan)
{
    unsigned seen[SAMPLES_MAX] = {0};
    uint64_t samples = plan->index->nrows, total = 0, wrong = 0;

    for (uint64_t step = 0; step < plan_steps(plan); step++) {
        struct plan_slice all = plan_step(plan, step);

        check_step(plan, step);
        for (uint64_t i = 0; i < all.count; i++)
            seen[plan_sample(plan, all.first + i)]++;
        total += all.count;
    }
    for (uint64_t i = 0; i < samples; i++) {
        if (plan->shape.tail == CAPSTAN_TAIL_DROP)
            wrong += seen[i] > 1;
        else if (plan->shape.tail == CAPSTAN_TAIL_SHORT)
            wrong += seen[i] != 1;
        else
            wrong += seen[i] < 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    if (plan->shape.tail == CAPSTAN_TAIL_SHORT)
        CU_ASSERT_EQUAL(total, samples);
    if (plan->shape.tail == CAPSTAN_TAIL_DROP)
        CU_ASSERT(total + plan->shape.batch > samples && total <= samples);
    if (plan->shape.tail == CAPSTAN_TAIL_PAD)
        CU_ASSERT_EQUAL(total, plan_steps(plan) * plan->shape.batch);
}

static void test_random_shapes(void)
{
    uint32_t weights[16];
    struct plan plan;
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int i = 0; i < 400; i++) {
        struct index *index = make_index(&rng);
        struct plan_shape shape = make_shape(&rng, weights);

        CU_ASSERT_EQUAL_FATAL(plan_init(&plan, index, &shape), 0);
        check_epoch(&plan);
        plan_set_epoch(&plan, rng_next(&rng));
        check_epoch(&plan);
        plan_fini(&plan);
    }
}

static void test_the_order_is_of_seed_and_epoch_alone(void)
{
    static struct index_file files[3] = {
        {.first = 0}, {.first = 30}, {.first = 60}};
    struct index index = {.files = files, .nfiles = 3, .nrows = 100};
    uint32_t weights[4] = {1, 2, 3, 4};
    struct plan a, b;
    struct plan_shape shape = {.batch = 10,
                               .seed = 4,
                               .window = 2,
                               .ranks = 4,
                               .group = 1,
                               .weights = weights};
    uint64_t same = 0, other = 0;

    for (int shuffle = 0; shuffle < 2; shuffle++) {
        shape.shuffle = (enum capstan_shuffle)shuffle;
        shape.ranks = 4;
        CU_ASSERT_EQUAL_FATAL(plan_init(&a, &index, &shape), 0);
        shape.ranks = 1;
        CU_ASSERT_EQUAL_FATAL(plan_init(&b, &index, &shape), 0);
        for (uint64_t i = 0; i < 100; i++)
            same += plan_sample(&a, i) == plan_sample(&b, i);
        plan_set_epoch(&b, 1);
        for (uint64_t i = 0; i < 100; i++)
            other += plan_sample(&a, i) == plan_sample(&b, i);
        plan_fini(&a);
        plan_fini(&b);
    }
    CU_ASSERT_EQUAL(same, 200);
    CU_ASSERT(other < 60);
}

static void test_a_window_touches_its_files_only(void)
{
    struct index_file files[12];
    struct index index = {.files = files, .nfiles = 12, .nrows = 120};
    uint32_t weight = 1;
    struct plan_shape shape = {.batch = 30,
                               .shuffle = CAPSTAN_SHUFFLE_WINDOW,
                               .window = 3,
                               .ranks = 1,
                               .group = 1,
                               .weights = &weight};
    struct plan plan;

    for (uint32_t i = 0; i < 12; i++)
        files[i].first = i * 10;
    CU_ASSERT_EQUAL_FATAL(plan_init(&plan, &index, &shape), 0);
    for (uint64_t step = 0; step < 4; step++) {
        unsigned touched = 0;

        for (uint64_t i = 0; i < 30; i++)
            touched |= 1u << plan_sample(&plan, step * 30 + i) / 10;
        CU_ASSERT_EQUAL(__builtin_popcount(touched), 3);
    }
    plan_fini(&plan);
}

static void test_refuses_shapes(void)
{
    struct index_file file = {.first = 0};
    struct index index = {.files = &file, .nfiles = 1, .nrows = 5};
    uint32_t weights[2] = {0, 0};
    struct plan_shape good = {
        .batch = 1, .window = 1, .ranks = 2, .group = 1, .weights = weights};
    struct plan_shape bad = good;
    struct plan plan;
    int rc = -ENOMEM;

    CU_ASSERT_EQUAL(plan_init(&plan, &index, &good), -EINVAL);
    weights[0] = 1;
    bad.batch = 0;
    CU_ASSERT_EQUAL(plan_init(&plan, &index, &bad), -EINVAL);
    bad = good;
    bad.group = 3;
    CU_ASSERT_EQUAL(plan_init(&plan, &index, &bad), -EINVAL);
    for (int n = 0; n < 10 && rc != 0; n++) {
        mem_fault_set(n);
        rc = plan_init(&plan, &index, &good);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    plan_fini(&plan);
}

/* The longest share of any rank and step is that, and not more. */
static void test_the_largest_share_is_known(void)
{
    uint64_t seed = unit_seed();
    struct rng rng;

    rng_init(&rng, seed);
    for (int round = 0; round < 200; round++) {
        uint32_t weights[16];
        struct index *index = make_index(&rng);
        struct plan_shape shape = make_shape(&rng, weights);
        struct plan plan;
        uint64_t most = 0;

        CU_ASSERT_EQUAL_FATAL(plan_init(&plan, index, &shape), 0);
        for (uint64_t step = 0; step < plan_steps(&plan); step++)
            for (uint32_t rank = 0; rank < shape.ranks; rank++) {
                uint64_t count = plan_rank_step(&plan, step, rank).count;

                if (count > most)
                    most = count;
            }
        CU_ASSERT(most <= plan_share_max(&plan));
        if (shape.tail == CAPSTAN_TAIL_PAD)
            CU_ASSERT(most + 1 >= plan_share_max(&plan));
        plan_fini(&plan);
    }
}

static void test_single_is_said_of_shares_of_at_most_one_sample(void)
{
    static const uint32_t even[] = {1, 1, 1, 1}, uneven[] = {3, 1, 1, 1};
    struct rng rng;
    struct plan plan;
    struct plan_shape shape = {.batch = 4,
                               .window = 1,
                               .ranks = 4,
                               .group = 1,
                               .weights = even};

    rng_init(&rng, 4);
    CU_ASSERT_EQUAL_FATAL(plan_init(&plan, make_index(&rng), &shape), 0);
    CU_ASSERT_TRUE(plan_is_single(&plan));
    plan.shape.batch = 5;
    CU_ASSERT_FALSE(plan_is_single(&plan));
    plan.shape.batch = 3;
    plan.shape.weights = uneven;
    CU_ASSERT_FALSE(plan_is_single(&plan));
    plan.shape.batch = 2;
    CU_ASSERT_TRUE(plan_is_single(&plan));
    plan.shape.group = 2;
    plan.shape.weights = even;
    CU_ASSERT_TRUE(plan_is_single(&plan));
    plan_fini(&plan);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_the_largest_share_is_known),
        UNIT_TEST(test_single_is_said_of_shares_of_at_most_one_sample),
        UNIT_TEST(test_a_permutation_is_one),
        UNIT_TEST(test_a_permutation_is_even),
        UNIT_TEST(test_random_shapes),
        UNIT_TEST(test_the_order_is_of_seed_and_epoch_alone),
        UNIT_TEST(test_a_window_touches_its_files_only),
        UNIT_TEST(test_refuses_shapes),
    };

    return UNIT_MAIN("loader plan", tests);
}
