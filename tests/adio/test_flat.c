/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flattened datatypes: what is pushed is what is there, and as few vectors as
 * the pattern needs. Random piece lists are compared with the list itself.
 */
#include "adio/common/flat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 200
#define BYTES_MAX 4096

static struct flat *new_flat(void)
{
    struct flat *flat = NULL;

    CU_ASSERT_EQUAL_FATAL(flat_create(&flat), 0);
    return flat;
}

static void test_a_vector_is_one_vec(void)
{
    struct flat *flat = new_flat();

    for (int i = 0; i < 1000000; i++)
        CU_ASSERT_EQUAL_FATAL(flat_push(flat, i * 16, 4), 0);
    flat_end(flat, 0, 16000000);
    CU_ASSERT_EQUAL(flat->nvecs, 1);
    CU_ASSERT_EQUAL(flat->vecs[0].count, 1000000);
    CU_ASSERT_EQUAL(flat->vecs[0].stride, 16);
    CU_ASSERT_EQUAL(flat->vecs[0].length, 4);
    CU_ASSERT_EQUAL(flat->size, 4000000);
    CU_ASSERT_FALSE(flat->is_contiguous);
    flat_put(&flat);
    CU_ASSERT_PTR_NULL(flat);
}

static void test_touching_pieces_are_one_block(void)
{
    struct flat *flat = new_flat();

    flat_push(flat, 0, 4);
    flat_push(flat, 4, 0);
    flat_push(flat, 4, 8);
    flat_push(flat, 12, 4);
    flat_end(flat, 0, 16);
    CU_ASSERT_EQUAL(flat->nvecs, 1);
    CU_ASSERT_EQUAL(flat->vecs[0].length, 16);
    CU_ASSERT_TRUE(flat->is_contiguous);
    flat_put(&flat);
}

static void test_blocks_made_of_pieces_form_a_vector(void)
{
    struct flat *flat = new_flat();

    for (int i = 0; i < 100; i++) {
        flat_push(flat, i * 20, 4);
        flat_push(flat, i * 20 + 4, 4);
    }
    flat_end(flat, 0, 2000);
    CU_ASSERT_EQUAL(flat->nvecs, 1);
    CU_ASSERT_EQUAL(flat->vecs[0].length, 8);
    CU_ASSERT_EQUAL(flat->vecs[0].count, 100);
    flat_put(&flat);
}

static void test_displacements_may_go_back(void)
{
    struct flat *flat = new_flat();

    for (int i = 0; i < 10; i++)
        flat_push(flat, -8 * i, 4);
    flat_end(flat, -72, 80);
    CU_ASSERT_EQUAL(flat->nvecs, 1);
    CU_ASSERT_EQUAL(flat->vecs[0].stride, -8);
    flat_put(&flat);
}

static void test_an_empty_type_is_empty(void)
{
    struct flat *flat = new_flat();

    flat_end(flat, 0, 100);
    CU_ASSERT_EQUAL(flat->nvecs, 0);
    CU_ASSERT_EQUAL(flat->size, 0);
    CU_ASSERT_FALSE(flat->is_contiguous);
    flat_put(&flat);
}

static void test_the_last_reference_frees(void)
{
    struct flat *flat = new_flat();
    struct flat *other = flat_get(flat);

    flat_put(&flat);
    CU_ASSERT_EQUAL(flat_push(other, 0, 1), 0);
    flat_put(&other);
    flat_put(&other);
}

static void test_no_memory_is_told(void)
{
    struct flat *flat = NULL;
    int rc = -ENOMEM, n;

    for (n = 0; n < 100 && rc != 0; n++) {
        mem_fault_set(n);
        rc = flat_create(&flat);
        for (int i = 0; rc == 0 && i < 40; i++)
            rc = flat_push(flat, i * i * 10, 4);
        mem_fault_set(-1);
        if (rc != 0)
            CU_ASSERT_EQUAL(rc, -ENOMEM);
        flat_put(&flat);
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT(n > 3);
}

/* The bytes of a flat in typemap order. */
static size_t expand(const struct flat *flat, int64_t *bytes)
{
    size_t n = 0;

    for (size_t v = 0; v < flat->nvecs; v++)
        for (uint64_t b = 0; b < flat->vecs[v].count; b++)
            for (uint64_t i = 0; i < flat->vecs[v].length; i++)
                bytes[n++] = flat->vecs[v].disp +
                             (int64_t)b * flat->vecs[v].stride + (int64_t)i;
    return n;
}

static void try_random_pieces(struct rng *rng)
{
    static int64_t want[BYTES_MAX], got[BYTES_MAX];
    struct flat *flat = new_flat();
    int64_t at = (int64_t)rng_below(rng, 100) - 50;
    size_t n = 0, bad = 0;

    for (int i = 0; i < PIECES_MAX && n < BYTES_MAX - 8; i++) {
        uint64_t length = rng_below(rng, 3) * 2;

        for (uint64_t k = 0; k < length; k++)
            want[n++] = at + (int64_t)k;
        CU_ASSERT_EQUAL_FATAL(flat_push(flat, at, length), 0);
        at += (int64_t)rng_below(rng, 4) * 2 - (rng_chance(rng, 5) ? 64 : 0);
    }
    flat_end(flat, 0, 1000);
    CU_ASSERT_EQUAL(flat->size, n);
    CU_ASSERT_EQUAL_FATAL(expand(flat, got), n);
    for (size_t i = 0; i < n; i++)
        bad += want[i] != got[i];
    CU_ASSERT_EQUAL(bad, 0);
    flat_put(&flat);
}

static uint64_t test_seed(void)
{
    uint64_t seed = 20240611;

    if (getenv("CAPSTAN_TEST_SEED") != NULL)
        seed = strtoull(getenv("CAPSTAN_TEST_SEED"), NULL, 0);
    printf("seed %llu ", (unsigned long long)seed);
    return seed;
}

static void test_random_pieces_come_back(void)
{
    struct rng rng;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 2000; i++)
        try_random_pieces(&rng);
}

/* Blocks pushed at once give the same vectors as the same pushed one by one. */
static void try_random_blocks(struct rng *rng)
{
    struct flat *once = new_flat(), *single = new_flat();
    int64_t disp = 0;

    for (uint64_t left = 1 + rng_below(rng, 6); left > 0; left--) {
        uint64_t length = rng_below(rng, 4) * 2, count = rng_below(rng, 9);
        int64_t stride = (int64_t)rng_below(rng, 10) * 2 - 8;

        CU_ASSERT_EQUAL_FATAL(
            flat_push_blocks(once, disp, length, stride, count), 0);
        for (uint64_t i = 0; i < count; i++)
            CU_ASSERT_EQUAL_FATAL(
                flat_push(single, disp + (int64_t)i * stride, length), 0);
        disp += (int64_t)count * stride + (int64_t)rng_below(rng, 3) * 2;
    }
    flat_end(once, 0, 1000);
    flat_end(single, 0, 1000);
    CU_ASSERT_EQUAL(once->size, single->size);
    CU_ASSERT_EQUAL_FATAL(once->nvecs, single->nvecs);
    if (once->nvecs > 0) /* else there is no list */
        CU_ASSERT_EQUAL(
            memcmp(once->vecs, single->vecs, once->nvecs * sizeof(*once->vecs)),
            0);
    flat_put(&once);
    flat_put(&single);
}

static void test_blocks_are_pushed_at_once(void)
{
    struct flat *flat = new_flat();
    struct rng rng;

    CU_ASSERT_EQUAL(flat_push_blocks(flat, 0, 4, 16, 1ull << 40), 0);
    flat_end(flat, 0, 1ll << 44);
    CU_ASSERT_EQUAL(flat->nvecs, 1);
    CU_ASSERT_EQUAL(flat->vecs[0].count, 1ull << 40);
    flat_put(&flat);
    rng_init(&rng, test_seed());
    for (int i = 0; i < 5000; i++)
        try_random_blocks(&rng);
}

int main(void)
{
    unsigned failures;
    CU_pSuite suite;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite("flat", NULL, NULL);
#define ADD(test) CU_add_test(suite, #test, test)
    ADD(test_a_vector_is_one_vec);
    ADD(test_touching_pieces_are_one_block);
    ADD(test_blocks_made_of_pieces_form_a_vector);
    ADD(test_displacements_may_go_back);
    ADD(test_an_empty_type_is_empty);
    ADD(test_the_last_reference_frees);
    ADD(test_no_memory_is_told);
    ADD(test_random_pieces_come_back);
    ADD(test_blocks_are_pushed_at_once);
#undef ADD
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
