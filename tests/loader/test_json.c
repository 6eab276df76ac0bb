/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of JSON: what is there is found, what is damaged ends every loop.
 */
#include "loader/json.c"

#include "base/rng.h"
#include "tests/base/unit.h"

static const char good[] =
    " {\"a\": [1, 20, 18446744073709551615], \"b\\u00e9\\ud83d\\ude00\\n\": "
    "{\"x\": [{}, [], [[-1.5e3, true]], \"}\\\"\"], \"y\": null},\"n\":0} ";

/* Walk all of it. @return whether it was whole. */
static bool walk(const char *text, size_t length, uint64_t *sum_out)
{
    struct json json;
    char key[32];
    uint64_t n;

    *sum_out = 0;
    json_init(&json, text, length);
    for (json_open(&json, '{'); json_more(&json, '}');) {
        if (!json_key(&json, key, sizeof(key)))
            break;
        if (strcmp(key, "a") == 0) {
            for (json_open(&json, '['); json_more(&json, ']');)
                if (json_u64(&json, &n))
                    *sum_out += n;
        } else {
            *sum_out += strcmp(key, "b\xc3\xa9\xf0\x9f\x98\x80\n") == 0;
            json_skip(&json);
        }
    }
    return json_is_over(&json);
}

static void test_members_are_found_and_skipped(void)
{
    uint64_t sum;

    CU_ASSERT_TRUE(walk(good, sizeof(good) - 1, &sum));
    CU_ASSERT_EQUAL(sum, 21); /* 1 + 20 - 1 + the name with escapes */
}

static void test_what_is_cut_short_is_bad(void)
{
    uint64_t sum;

    for (size_t length = 0; length < sizeof(good) - 2; length++)
        CU_ASSERT_FALSE(walk(good, length, &sum));
}

static void test_what_is_not_json_is_bad(void)
{
    static const char *const texts[] = {
        "[]",
        "{\"a\" 1}",
        "{\"a\": [1 2]}",
        "{\"a\": [1.5]}",
        "{\"a\": [-1]}",
        "{\"a\": [18446744073709551616]}",
        "{} {}",
        "{\"b\\u0000\": 1}",
        "{\"b\\ud800\": 1}",
        "{\"b\\q\": 1}",
        "{\"b\": }",
        "{\"b\": 1,,\"c\": 2}",
        "{\"a name of more than thirty-two bytes\": 1}",
        "{\"b\n\": 1}",
    };
    char deep[400];
    uint64_t sum;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CU_ASSERT_FALSE(walk(texts[i], strlen(texts[i]), &sum));
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"b\":", 5);
    CU_ASSERT_FALSE(walk(deep, sizeof(deep), &sum));
}

/* Nothing beyond the end is looked at, and every walk ends. */
static void test_random_damage_ends(void)
{
    struct rng rng;
    uint64_t sum;
    char *text = malloc(sizeof(good) - 1);

    rng_init(&rng, unit_seed());
    for (int i = 0; i < 20000; i++) {
        memcpy(text, good, sizeof(good) - 1);
        for (uint64_t n = rng_below(&rng, 4); n > 0; n--)
            text[rng_below(&rng, sizeof(good) - 1)] = (char)rng_next(&rng);
        walk(text, rng_below(&rng, sizeof(good)), &sum);
    }
    free(text);
}

static const struct unit_test tests[] = {
    UNIT_TEST(test_members_are_found_and_skipped),
    UNIT_TEST(test_what_is_cut_short_is_bad),
    UNIT_TEST(test_what_is_not_json_is_bad),
    UNIT_TEST(test_random_damage_ends),
};

int main(void)
{
    return UNIT_MAIN("json", tests);
}
