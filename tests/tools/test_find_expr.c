/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/find_expr.c"

#include "tests/base/unit.h"

#include <stdarg.h>

static int errors_said;

void tool_error(const char *object, const char *format, ...)
{
    (void)object;
    (void)format;
    errors_said++;
}

static struct capstan_stat file = {
    .type = CAPSTAN_FILE, .size = 1025, .mtime_ns = 0, .nlink = 1};

/* Does "/d/Name.txt", three deep, match an expression in words? -1: it is none.
 */
static int match(const char *line)
{
    const struct walk_entry entry = {"/d/Name.txt", "Name.txt", 3, &file};
    struct find_expr expr;
    char *words[16], *copy = strdup(line), *rest = copy;
    int count = 0, rc;

    while (count < 16 && (words[count] = strtok_r(rest, " ", &rest)) != NULL)
        count++;
    rc = find_expr_parse(words, count, &expr);
    if (rc == TOOL_OK) {
        rc = find_expr_matches(&expr, &entry);
        find_expr_fini(&expr);
    } else {
        CU_ASSERT_EQUAL(rc, TOOL_USAGE);
        rc = -1;
    }
    free(copy);
    return rc;
}

static void test_each_test_tells(void)
{
    static const char *const yes[] = {
        "",          "-name N*.txt", "-iname n*",     "-path /d/*",  "-type f",
        "-size 3",   "-size 2k",     "-size +1k",     "-size 1025c", "-size 1M",
        "-size -3M", "-mtime +100",  "-maxdepth 3",   "-mindepth 3", "-uid 0",
        "-gid -1",   "-links 1",     "-print -type f"};
    static const char *const no[] = {
        "-name n*",  "-name d",     "-path N*",    "-type d",   "-size 2",
        "-size -2k", "-size 1024c", "-mtime -100", "-mmin -9",  "-maxdepth 2",
        "-empty",    "-mindepth 4", "-uid +0",     "-links +1", "-inum 1"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (match(yes[i]) != 1)
            CU_FAIL(yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (match(no[i]) != 0)
            CU_FAIL(no[i]);
}

static void test_and_binds_tighter_than_or(void)
{
    CU_ASSERT_EQUAL(match("-type f -o -type d -type d"), 1);
    CU_ASSERT_EQUAL(match("( -type f -o -type d ) -type d"), 0);
    CU_ASSERT_EQUAL(match("! -type d -type f"), 1);
    CU_ASSERT_EQUAL(match("! ( -type d -o -type f )"), 0);
    CU_ASSERT_EQUAL(match("! ! -type f"), 1);
    CU_ASSERT_EQUAL(match("-type d -o -type l -o -not -type d"), 1);
    CU_ASSERT_EQUAL(match("-type f -a -size +0"), 1);
}

static void test_what_is_no_expression_is_refused_once(void)
{
    static const char *const wrong[] = {
        "-frob",     "-name",      "-size",    "-size x", "-size 1x",
        "-size 1kk", "-type x",    "-type fd", "(",       "( -type f",
        "-type f )", "-type f -o", "!",        "-uid 1k", "-maxdepth -1",
        "-a",        "-type f -a", "-mtime a", "name",    "( )"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        errors_said = 0;
        if (match(wrong[i]) != -1 || errors_said != 1)
            CU_FAIL(wrong[i]);
    }
}

static void test_nesting_is_bounded(void)
{
    char *words[2 * NEST_MAX];
    struct find_expr expr;

    for (size_t i = 0; i < 2 * NEST_MAX; i++)
        words[i] = (char *)(uintptr_t)(i + 1 < 2 * NEST_MAX ? "!" : "-print");
    CU_ASSERT_EQUAL(find_expr_parse(words, 2 * NEST_MAX, &expr), TOOL_USAGE);
}

int main(void)
{
    static const struct unit_test unit_tests[] = {
        UNIT_TEST(test_each_test_tells),
        UNIT_TEST(test_and_binds_tighter_than_or),
        UNIT_TEST(test_what_is_no_expression_is_refused_once),
        UNIT_TEST(test_nesting_is_bounded),
    };

    return UNIT_MAIN("find_expr", unit_tests);
}
