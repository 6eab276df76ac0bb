/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/err.c"

#include "tests/base/unit.h"

static void test_every_code_has_a_text_and_an_action(void)
{
#define X(name, value, text, action)                                           \
    CU_ASSERT_STRING_EQUAL(err_text(-name), text);                             \
    CU_ASSERT_EQUAL(err_action(-name), ERR_##action);
    ERR_TABLE(X)
#undef X
}

static void test_errno_has_its_text(void)
{
    CU_ASSERT_STRING_EQUAL(err_text(-ENOSPC), "No space left on device");
    CU_ASSERT_EQUAL(err_action(-ENOSPC), ERR_GIVE_UP);
    CU_ASSERT_EQUAL(err_action(-EAGAIN), ERR_RETRY);
}

static void test_unknown_codes_have_a_text_too(void)
{
    CU_ASSERT_PTR_NOT_NULL(err_text(-999999));
    CU_ASSERT_PTR_NOT_NULL(err_text(0));
    CU_ASSERT_PTR_NOT_NULL(err_text(5));
    CU_ASSERT_EQUAL(err_action(-999999), ERR_GIVE_UP);
}

static void test_private_values_are_distinct_and_no_errno(void)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        CU_ASSERT_PTR_NULL(strerrordesc_np(table[i].value));
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(table[i].value, table[k].value);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_every_code_has_a_text_and_an_action),
        UNIT_TEST(test_errno_has_its_text),
        UNIT_TEST(test_unknown_codes_have_a_text_too),
        UNIT_TEST(test_private_values_are_distinct_and_no_errno),
    };

    return UNIT_MAIN("base/err", tests);
}
