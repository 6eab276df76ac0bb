/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Views and runs against brute force: for random filetypes, memory types,
 * offsets and counts the runs are expanded to pairs (file byte, memory byte)
 * and compared with the pairs written down byte by byte.
 */
#include "adio/common/view.h"
#include "base/mem.h"
#include "base/rng.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 65536
#define MEMORY ((void *)0x10000000)

/* A type as its bytes: the oracle's form. */
struct bytes {
    int64_t at[2048];
    size_t n;
    int64_t extent;
};

static struct flat *vector_type(int64_t count, uint64_t length, int64_t stride,
                                int64_t extent)
{
    struct flat *flat = NULL;

    CU_ASSERT_EQUAL_FATAL(flat_create(&flat), 0);
    for (int64_t i = 0; i < count; i++)
        flat_push(flat, i * stride, length);
    flat_end(flat, 0, extent);
    return flat;
}

static struct adio_view *view_of(uint64_t disp, uint64_t etype,
                                 struct flat *flat)
{
    struct adio_view *view = NULL;

    CU_ASSERT_EQUAL_FATAL(view_create(disp, etype, flat, &view), 0);
    flat_put(&flat);
    return view;
}

static void test_contiguous_on_both_sides_is_one_run(void)
{
    struct flat *byte = vector_type(1, 1, 0, 1);
    struct run_list list = {0};
    struct adio_view *view = NULL;

    CU_ASSERT_EQUAL_FATAL(view_create_bytes(&view), 0);
    CU_ASSERT_EQUAL(view_runs(view, 7, MEMORY, byte, 1ull << 40, &list), 0);
    CU_ASSERT_EQUAL(list.nruns, 1);
    CU_ASSERT_EQUAL(list.bytes, 1ull << 40);
    CU_ASSERT_EQUAL(list.runs[0].offset, 7);
    CU_ASSERT_EQUAL(list.runs[0].length, 1ull << 40);
    CU_ASSERT_EQUAL(list.runs[0].count, 1);
    run_list_fini(&list);
    view_destroy(&view);
    flat_put(&byte);
}

static void test_ten_million_blocks_are_one_run(void)
{
    const uint64_t n = 10000000;
    struct adio_view *view = view_of(3, 4, vector_type(1, 4, 0, 16));
    struct flat *memory[] = {
        vector_type(1, 1, 0, 1),  /* a long block */
        vector_type(1, 4, 0, 12), /* blocks of the same length */
        vector_type(3, 4, 8, 24), /* vectors that go on from tile to tile */
    };
    uint64_t counts[] = {4 * n, n, n / 3};
    struct run_list list = {0};

    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(view_runs(view, 0, MEMORY, memory[i], counts[i], &list),
                        0);
        CU_ASSERT_EQUAL(list.nruns, 1);
        CU_ASSERT_EQUAL(list.bytes, counts[i] * memory[i]->size);
        CU_ASSERT_EQUAL(list.runs[0].stride, 16);
        CU_ASSERT_EQUAL(list.runs[0].length, 4);
        flat_put(&memory[i]);
    }
    run_list_fini(&list);
    view_destroy(&view);
}

static void test_a_vector_of_memory_in_a_plain_file_is_one_run(void)
{
    struct flat *memory = vector_type(1000, 8, 32, 32000);
    struct adio_view *view = NULL;
    struct run_list list = {0};

    CU_ASSERT_EQUAL_FATAL(view_create_bytes(&view), 0);
    CU_ASSERT_EQUAL(view_runs(view, 100, MEMORY, memory, 1, &list), 0);
    CU_ASSERT_EQUAL(list.nruns, 1);
    CU_ASSERT_EQUAL(list.runs[0].stride, 8);
    CU_ASSERT_EQUAL(list.runs[0].mem_stride, 32);
    CU_ASSERT_EQUAL(list.runs[0].count, 1000);
    run_list_fini(&list);
    view_destroy(&view);
    flat_put(&memory);
}

static void test_bad_filetypes_are_refused(void)
{
    struct flat *back = vector_type(2, 4, -8, 16);
    struct flat *odd = vector_type(1, 6, 0, 8);
    struct adio_view *view = NULL;

    CU_ASSERT_EQUAL(view_create(0, 4, back, &view), -EINVAL);
    CU_ASSERT_EQUAL(view_create(0, 4, odd, &view), -EINVAL);
    CU_ASSERT_EQUAL(view_create(0, 0, odd, &view), -EINVAL);
    CU_ASSERT_EQUAL(view_create(1ull << 63, 6, odd, &view), -EINVAL);
    CU_ASSERT_PTR_NULL(view);
    flat_put(&back);
    flat_put(&odd);
}

static void test_tiles_that_interlace_are_sorted(void)
{
    struct adio_view *view = view_of(0, 4, vector_type(2, 4, 16, 4));
    struct flat *byte = vector_type(1, 1, 0, 1);
    struct run_list list = {0};

    CU_ASSERT_EQUAL(view_runs(view, 0, MEMORY, byte, 8, &list), 0);
    CU_ASSERT_EQUAL(list.bytes, 8);
    /* Bytes 0-3 and 16-19, then 4-7 and 20-23: in file order. */
    CU_ASSERT_EQUAL(view_runs(view, 0, MEMORY, byte, 16, &list), 0);
    CU_ASSERT_EQUAL(list.bytes, 16);
    CU_ASSERT_EQUAL(list.nruns, 4);
    for (size_t i = 0; i < 4; i++) {
        static const uint64_t offsets[] = {0, 4, 16, 20};
        static const uint64_t places[] = {0, 8, 4, 12};

        CU_ASSERT_EQUAL(list.runs[i].offset, offsets[i]);
        CU_ASSERT_EQUAL(list.runs[i].mem,
                        (uint64_t)(uintptr_t)MEMORY + places[i]);
        CU_ASSERT_EQUAL(list.runs[i].length, 4);
    }
    run_list_fini(&list);
    view_destroy(&view);
    flat_put(&byte);
}

static void test_what_is_beyond_2_to_63_is_refused(void)
{
    struct flat *byte = vector_type(1, 1, 0, 1);
    struct adio_view *view = view_of(0, 1, vector_type(1, 1, 0, 1ll << 40));
    struct run_list list = {0};

    CU_ASSERT_EQUAL(
        view_runs(view, 1ull << 22, MEMORY, byte, 1ull << 23, &list),
        -EOVERFLOW);
    CU_ASSERT_EQUAL(view_runs(view, 1ull << 63, MEMORY, byte, 1, &list),
                    -EOVERFLOW);
    CU_ASSERT_EQUAL(view_runs(view, 1ull << 22, MEMORY, byte, 1, &list), 0);
    run_list_fini(&list);
    view_destroy(&view);
    flat_put(&byte);
}

static void test_an_empty_filetype_holds_nothing(void)
{
    struct adio_view *view = view_of(9, 4, vector_type(0, 0, 0, 4));
    struct flat *byte = vector_type(1, 1, 0, 1);
    struct run_list list = {0};

    CU_ASSERT_EQUAL(view_runs(view, 0, MEMORY, byte, 0, &list), 0);
    CU_ASSERT_EQUAL(view_runs(view, 0, MEMORY, byte, 1, &list), -EINVAL);
    CU_ASSERT_EQUAL(view_file_offset(view, 0), 9);
    CU_ASSERT_EQUAL(view_bytes_below(view, 1000), 0);
    view_destroy(&view);
    flat_put(&byte);
}

static void test_no_memory_is_told(void)
{
    struct flat *memory = NULL;
    struct adio_view *view = NULL;
    struct run_list list = {0};
    int rc = -ENOMEM;

    flat_create(&memory);
    for (int i = 0; i < 40; i++)
        flat_push(memory, i * i * 10, 4);
    flat_end(memory, 0, 20000);
    for (int n = 0; n < 100 && rc != 0; n++) {
        mem_fault_set(n);
        rc = view_create_bytes(&view);
        if (rc == 0)
            rc = view_runs(view, 0, MEMORY, memory, 3, &list);
        mem_fault_set(-1);
        if (rc != 0)
            CU_ASSERT_EQUAL(rc, -ENOMEM);
        view_destroy(&view);
        run_list_fini(&list);
    }
    CU_ASSERT_EQUAL(rc, 0);
    flat_put(&memory);
}

/* A random type: groups of regular blocks, gaps between, etypes of unit. */
static struct flat *random_type(struct rng *rng, bool is_file, int64_t unit,
                                struct bytes *bytes)
{
    struct flat *flat = NULL;
    int64_t at = (int64_t)rng_below(rng, 4) * unit;
    int groups = 1 + (int)rng_below(rng, 3);

    bytes->n = 0;
    CU_ASSERT_EQUAL_FATAL(flat_create(&flat), 0);
    for (int g = 0; g < groups; g++) {
        int64_t length = (1 + (int64_t)rng_below(rng, 4)) * unit;
        int64_t stride = length + (int64_t)rng_below(rng, 4) * unit;
        int count = 1 + (int)rng_below(rng, 6);

        if (!is_file && rng_chance(rng, 20))
            stride = -stride;
        for (int i = 0; i < count; i++, at += stride) {
            for (int64_t k = 0; k < length; k++)
                bytes->at[bytes->n++] = at + k;
            flat_push(flat, at, (uint64_t)length);
        }
        at += (stride < 0 ? 200 : (int64_t)rng_below(rng, 5)) * unit;
    }
    bytes->extent = at + (int64_t)rng_below(rng, 4) * unit;
    if (!is_file && rng_chance(rng, 20))
        bytes->extent = -bytes->extent;
    flat_end(flat, 0, bytes->extent);
    return flat;
}

struct pair {
    uint64_t file;
    uint64_t mem;
};

static size_t expand_runs(const struct run_list *list, struct pair *pairs)
{
    uint64_t last = 0;
    size_t n = 0;

    for (size_t r = 0; r < list->nruns; r++) {
        const struct run *run = &list->runs[r];

        CU_ASSERT(run->count >= 1 && run->length >= 1);
        CU_ASSERT(run->offset >= last);
        last = run->offset;
        for (uint64_t b = 0; b < run->count; b++)
            for (uint64_t i = 0; i < run->length && n < BYTES_MAX; i++)
                pairs[n++] =
                    (struct pair){run->offset + b * run->stride + i,
                                  run->mem + b * (uint64_t)run->mem_stride + i};
    }
    return n;
}

/* The i-th byte of types laid one after the other. */
static int64_t byte_at(const struct bytes *bytes, uint64_t i)
{
    return (int64_t)(i / bytes->n) * bytes->extent + bytes->at[i % bytes->n];
}

static void check_places(const struct adio_view *view,
                         const struct bytes *file_bytes, uint64_t disp,
                         uint64_t at)
{
    uint64_t place = disp + (uint64_t)byte_at(file_bytes, at);

    CU_ASSERT_EQUAL(view_file_offset(view, at), place);
    CU_ASSERT_EQUAL(view_bytes_below(view, place), at);
    CU_ASSERT_EQUAL(view_bytes_below(view, place + 1), at + 1);
}

static void try_random_access(struct rng *rng)
{
    static struct bytes file_bytes, mem_bytes;
    static struct pair pairs[BYTES_MAX];
    int64_t unit = 1 + (int64_t)rng_below(rng, 4);
    uint64_t disp = rng_below(rng, 100), at, bad = 0, count;
    struct flat *filetype = random_type(rng, true, unit, &file_bytes);
    struct flat *memtype = random_type(rng, false, unit, &mem_bytes);
    struct adio_view *view = view_of(disp, (uint64_t)unit, filetype);
    struct run_list list = {0};

    at = rng_below(rng, 3 * file_bytes.n);
    count = rng_below(rng, 20);
    CU_ASSERT_EQUAL_FATAL(view_runs(view, at, MEMORY, memtype, count, &list),
                          0);
    CU_ASSERT_EQUAL(list.bytes, count * mem_bytes.n);
    CU_ASSERT_EQUAL_FATAL(expand_runs(&list, pairs), count * mem_bytes.n);
    for (uint64_t i = 0; i < count * mem_bytes.n; i++)
        bad += pairs[i].file != disp + (uint64_t)byte_at(&file_bytes, at + i) ||
               pairs[i].mem != (uint64_t)(uintptr_t)MEMORY +
                                   (uint64_t)byte_at(&mem_bytes, i);
    CU_ASSERT_EQUAL(bad, 0);
    check_places(view, &file_bytes, disp, at);
    run_list_fini(&list);
    view_destroy(&view);
    flat_put(&memtype);
}

static void test_random_accesses_match_brute_force(void)
{
    uint64_t seed = 20240612;
    struct rng rng;

    if (getenv("CAPSTAN_TEST_SEED") != NULL)
        seed = strtoull(getenv("CAPSTAN_TEST_SEED"), NULL, 0);
    printf("seed %llu ", (unsigned long long)seed);
    rng_init(&rng, seed);
    for (int i = 0; i < 5000; i++)
        try_random_access(&rng);
}

int main(void)
{
    unsigned failures;
    CU_pSuite suite;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite("view", NULL, NULL);
#define ADD(test) CU_add_test(suite, #test, test)
    ADD(test_contiguous_on_both_sides_is_one_run);
    ADD(test_ten_million_blocks_are_one_run);
    ADD(test_a_vector_of_memory_in_a_plain_file_is_one_run);
    ADD(test_bad_filetypes_are_refused);
    ADD(test_tiles_that_interlace_are_sorted);
    ADD(test_what_is_beyond_2_to_63_is_refused);
    ADD(test_an_empty_filetype_holds_nothing);
    ADD(test_no_memory_is_told);
    ADD(test_random_accesses_match_brute_force);
#undef ADD
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
