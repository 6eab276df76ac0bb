/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/mem.c"

#include "tests/base/unit.h"

/* AddressSanitizer ends the program at a product that overflows, unless told
 * to return NULL as malloc(3) does. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_memory_is_zeroed_or_aligned(void)
{
    char *zeroed = mem_calloc(3, 100);
    char *pages = mem_pages(5000);
    char *text = mem_strdup("text");

    for (unsigned i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(zeroed[i], 0);
    CU_ASSERT_EQUAL((uintptr_t)pages % 4096, 0);
    CU_ASSERT_STRING_EQUAL(text, "text");
    free(zeroed);
    free(pages);
    free(text);
}

static void test_product_that_overflows_is_refused(void)
{
    volatile size_t half = SIZE_MAX / 2;      /* else the compiler objects */
    void *volatile big = mem_calloc(half, 3); /* else it is optimized away */

    CU_ASSERT_PTR_NULL(big);
    big = mem_grow(NULL, half, 3);
    CU_ASSERT_PTR_NULL(big);
}

static void test_fault_fails_one_call_once(void)
{
    void *a, *b, *c;

    mem_fault_set(1);
    a = mem_calloc(1, 1);
    b = mem_strdup("b");
    c = mem_pages(1);
    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_NULL(b);
    CU_ASSERT_PTR_NOT_NULL(c);
    mem_fault_set(0);
    CU_ASSERT_PTR_NULL(mem_grow(a, 2, 1)); /* a is as it was */
    mem_fault_set(-1);
    free(a);
    free(c);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_memory_is_zeroed_or_aligned),
        UNIT_TEST(test_product_that_overflows_is_refused),
        UNIT_TEST(test_fault_fails_one_call_once),
    };

    return UNIT_MAIN("base/mem", tests);
}
