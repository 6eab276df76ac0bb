/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#include <stdint.h>

static void test_zero_sizes_are_refused(void)
{
    struct pool pool;

    CU_ASSERT_EQUAL(pool_init(&pool, 0, 4096), -EINVAL);
    CU_ASSERT_EQUAL(pool_init(&pool, 1, 0), -EINVAL);
    pool_fini(&pool); /* a zeroed pool is allowed */
}

static void test_buffers_are_distinct_aligned_and_found(void)
{
    struct pool pool;
    void *buffers[8];

    CU_ASSERT_EQUAL_FATAL(pool_init(&pool, 8, 8192), 0);
    for (size_t i = 0; i < 8; i++) {
        buffers[i] = pool_get(&pool);
        CU_ASSERT_PTR_NOT_NULL_FATAL(buffers[i]);
        CU_ASSERT_EQUAL((uintptr_t)buffers[i] % 4096, 0);
        CU_ASSERT_EQUAL(pool_index(&pool, (char *)buffers[i] + 8191),
                        pool_index(&pool, buffers[i]));
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(buffers[k], buffers[i]);
    }
    CU_ASSERT_PTR_NULL(pool_get(&pool));
    for (size_t i = 0; i < 8; i++)
        pool_put(&pool, buffers[i]);
    CU_ASSERT_EQUAL(pool.nfree, 8);
    pool_fini(&pool);
    CU_ASSERT_PTR_NULL(pool.base);
}

static void test_random_use_never_gives_a_buffer_twice(void)
{
    void *held[16] = {NULL};
    struct pool pool;
    struct rng rng;
    unsigned nheld = 0;

    rng_init(&rng, unit_seed());
    CU_ASSERT_EQUAL_FATAL(pool_init(&pool, 16, 4096), 0);
    for (unsigned step = 0; step < 10000; step++) {
        void *buffer = rng_chance(&rng, 50) ? pool_get(&pool) : NULL;
        size_t i = rng_below(&rng, 16);

        if (buffer != NULL) {
            CU_ASSERT_PTR_NULL(held[pool_index(&pool, buffer)]);
            held[pool_index(&pool, buffer)] = buffer;
            nheld++;
        } else if (held[i] != NULL) {
            pool_put(&pool, held[i]);
            held[i] = NULL;
            nheld--;
        }
        CU_ASSERT_EQUAL(pool.nfree, 16 - nheld);
    }
    pool_fini(&pool);
}

static void test_want_of_memory_leaves_a_zeroed_pool(void)
{
    struct pool pool;

    mem_fault_set(0);
    CU_ASSERT_EQUAL(pool_init(&pool, 4, 4096), -ENOMEM);
    mem_fault_set(-1);
    CU_ASSERT_PTR_NULL(pool.base);
    CU_ASSERT_EQUAL(pool_init(&pool, 4, (size_t)1 << 60), -ENOMEM);
    CU_ASSERT_PTR_NULL(pool.base);
    CU_ASSERT_EQUAL(pool.nbuffers, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_zero_sizes_are_refused),
        UNIT_TEST(test_buffers_are_distinct_aligned_and_found),
        UNIT_TEST(test_random_use_never_gives_a_buffer_twice),
        UNIT_TEST(test_want_of_memory_leaves_a_zeroed_pool),
    };

    return UNIT_MAIN("base/pool", tests);
}
