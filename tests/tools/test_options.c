/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/options.c"

#include "tests/base/unit.h"

#include <stdarg.h>

static bool flag;
static const char *text;
static uint64_t size;

static const struct tool_command command = {"thing", "PATH...", "do a thing",
                                            1,       2,         NULL};
static const struct option_row rows[] = {
    {'f', "flag", NULL, "a flag", OPTION_FLAG, &flag, 0, 0},
    {0, "text", "WORD", "a word", OPTION_TEXT, &text, 0, 0},
    {'s', "size", "SIZE", "a size", OPTION_SIZE, &size, 4096, 1u << 30},
    OPTIONS_END};

/* Parse "thing" and what follows, up to NULL. */
static int parse(int *first, const char *argument, ...)
{
    char *argv[16] = {(char *)"thing"};
    va_list args;
    int argc = 1;

    va_start(args, argument);
    for (; argument != NULL; argument = va_arg(args, const char *))
        argv[argc++] = (char *)(uintptr_t)argument;
    va_end(args);
    flag = false;
    text = NULL;
    size = 0;
    optind = 0; /* GNU: start anew */
    return options_parse(&command, rows, argc, argv, first);
}

static void test_long_and_short_forms_set_values(void)
{
    int first;

    CU_ASSERT_EQUAL(parse(&first, "-f", "--text", "w", "--size=64k", "p", NULL),
                    OPTIONS_RUN);
    CU_ASSERT_TRUE(flag);
    CU_ASSERT_STRING_EQUAL(text, "w");
    CU_ASSERT_EQUAL(size, 65536);
    CU_ASSERT_EQUAL(first, 5);
    CU_ASSERT_EQUAL(parse(&first, "p", "-fs1G", NULL), OPTIONS_RUN);
    CU_ASSERT_EQUAL(size, 1u << 30);
    CU_ASSERT_TRUE(flag);
    CU_ASSERT_EQUAL(first, 2);
}

static void test_sizes_are_read_whole_and_held_to_their_range(void)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "1x",
                                      "-1",
                                      "1kk",
                                      "4095",
                                      "2G",
                                      " 4096",
                                      "4k ",
                                      "99999999999999999999",
                                      "18014398509481984k"};
    int first;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(parse(&first, "--size", bad[i], "p", NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "--size", "4K", "p", NULL), OPTIONS_RUN);
    CU_ASSERT_EQUAL(size, 4096);
    CU_ASSERT_EQUAL(parse(&first, "--size", "2M", "p", NULL), OPTIONS_RUN);
    CU_ASSERT_EQUAL(size, 2u << 20);
}

static void test_wrong_lines_are_usage_errors(void)
{
    int first;

    CU_ASSERT_EQUAL(parse(&first, NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "a", "b", "c", NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "--nothing", "a", NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "a", "--text", NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "-x", "a", NULL), TOOL_USAGE);
    CU_ASSERT_EQUAL(parse(&first, "--flag=1", "a", NULL), TOOL_USAGE);
}

static void test_help_comes_first_and_is_no_error(void)
{
    int first;

    CU_ASSERT_EQUAL(parse(&first, "--help", NULL), TOOL_OK);
    CU_ASSERT_EQUAL(parse(&first, "-h", "--nothing", NULL), TOOL_OK);
}

static void test_operands_may_look_like_options_after_two_dashes(void)
{
    int first;

    CU_ASSERT_EQUAL(parse(&first, "--", "-f", NULL), OPTIONS_RUN);
    CU_ASSERT_FALSE(flag);
    CU_ASSERT_EQUAL(first, 2);
    CU_ASSERT_EQUAL(parse(&first, "-", NULL), OPTIONS_RUN);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_long_and_short_forms_set_values),
        UNIT_TEST(test_sizes_are_read_whole_and_held_to_their_range),
        UNIT_TEST(test_wrong_lines_are_usage_errors),
        UNIT_TEST(test_help_comes_first_and_is_no_error),
        UNIT_TEST(test_operands_may_look_like_options_after_two_dashes),
    };

    return UNIT_MAIN("options", tests);
}
