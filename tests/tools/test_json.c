/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/json.c"

#include "tests/base/unit.h"

#include <string.h>

struct sink {
    char *text;
    size_t len;
    struct json json;
};

static void sink_open(struct sink *sink)
{
    FILE *out = open_memstream(&sink->text, &sink->len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    json_init(&sink->json, out);
}

static void sink_expect(struct sink *sink, const char *wanted)
{
    fclose(sink->json.out);
    CU_ASSERT_STRING_EQUAL(sink->text, wanted);
    free(sink->text);
}

static void test_commas_and_lines_are_the_writers_business(void)
{
    struct sink sink;

    sink_open(&sink);
    json_open(&sink.json, NULL, '{');
    json_string(&sink.json, "a", "x");
    json_open(&sink.json, "b", '[');
    json_number(&sink.json, NULL, 0);
    json_number(&sink.json, NULL, UINT64_MAX);
    json_close(&sink.json, ']');
    json_open(&sink.json, "c", '[');
    json_close(&sink.json, ']');
    json_bool(&sink.json, "d", true);
    json_null(&sink.json, "e");
    json_close(&sink.json, '}');
    json_end(&sink.json);
    sink_expect(&sink, "{\n  \"a\": \"x\",\n  \"b\": [\n    0,\n"
                       "    18446744073709551615\n  ],\n  \"c\": [],\n"
                       "  \"d\": true,\n  \"e\": null\n}\n");
}

static void expect_string(const char *value, const char *wanted)
{
    struct sink sink;

    sink_open(&sink);
    json_string(&sink.json, NULL, value);
    sink_expect(&sink, wanted);
}

static void test_strings_are_escaped(void)
{
    expect_string("", "\"\"");
    expect_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    expect_string("\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\x7f\"");
    expect_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xa2",
                  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xa2\"");
}

static void test_what_is_not_utf8_is_replaced(void)
{
    expect_string("a\xff", "\"a\\ufffd\"");
    expect_string("\xc3", "\"\\ufffd\"");            /* cut */
    expect_string("\xc0\xaf", "\"\\ufffd\\ufffd\""); /* overlong */
    expect_string("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    expect_string("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect_string("\xe2\x82", "\"\\ufffd\\ufffd\"");
    expect_string("\xe2\x82\"", "\"\\ufffd\\ufffd\\\"\"");
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_commas_and_lines_are_the_writers_business),
        UNIT_TEST(test_strings_are_escaped),
        UNIT_TEST(test_what_is_not_utf8_is_replaced),
    };

    return UNIT_MAIN("json", tests);
}
