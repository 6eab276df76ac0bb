/* SPDX-License-Identifier: BSD-3-Clause */
/* Hints: ROMIO's keys and values, ranges, the hints file, and the printer. */
#include "adio/common/explain.h"
#include "adio/common/hints.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_defaults_are_romios(void)
{
    struct adio_hints hints;

    unsetenv("CAPSTAN_REPORT");
    hints_init(&hints);
    CU_ASSERT_EQUAL(hints.cb_buffer_size, 16777216);
    CU_ASSERT_EQUAL(hints.ind_rd_buffer_size, 4194304);
    CU_ASSERT_EQUAL(hints.ind_wr_buffer_size, 524288);
    CU_ASSERT_EQUAL(hints.cb_read, ADIO_AUTOMATIC);
    CU_ASSERT_EQUAL(hints.cb_nodes, 0);
    CU_ASSERT_FALSE(hints.is_reporting);
    setenv("CAPSTAN_REPORT", "1", 1);
    hints_init(&hints);
    CU_ASSERT_TRUE(hints.is_reporting);
    unsetenv("CAPSTAN_REPORT");
}

static void test_good_values_are_taken(void)
{
    static const char *const pairs[][2] = {
        {"cb_nodes", "8"},
        {"cb_buffer_size", "1048576"},
        {"cb_config_list", "*:1"},
        {"romio_cb_read", "enable"},
        {"romio_cb_write", "disable"},
        {"romio_ds_read", "disable"},
        {"romio_ds_write", "automatic"},
        {"romio_no_indep_rw", "true"},
        {"ind_rd_buffer_size", "65536"},
        {"ind_wr_buffer_size", "65536"},
        {"striping_unit", "1048576"},
        {"striping_factor", "4"},
        {"capstan_strategy", "two_phase"},
        {"capstan_report", "true"},
        {"capstan_access_plan", "true"},
        {"capstan_map_reads", "disable"},
    };
    size_t npairs = sizeof(pairs) / sizeof(pairs[0]), found = 0;
    struct adio_hints hints;
    char value[HINT_VALUE_MAX];

    hints_init(&hints);
    CU_ASSERT_EQUAL(hints_count(), npairs);
    for (size_t i = 0; i < npairs; i++)
        CU_ASSERT_EQUAL(hints_set(&hints, pairs[i][0], pairs[i][1]),
                        HINT_TAKEN);
    for (size_t i = 0; i < npairs; i++)
        for (size_t k = 0; k < hints_count(); k++)
            if (strcmp(hints_key(k), pairs[i][0]) == 0) {
                CU_ASSERT_TRUE(hints_print(&hints, k, value));
                CU_ASSERT_STRING_EQUAL(value, pairs[i][1]);
                found++;
            }
    CU_ASSERT_EQUAL(found, npairs);
    CU_ASSERT_EQUAL(hints.cb_read, ADIO_ENABLE);
    CU_ASSERT_EQUAL(hints.strategy, ADIO_STRATEGY_TWO_PHASE);
}

static void test_bad_values_change_nothing(void)
{
    static const char *const pairs[][2] = {
        {"cb_nodes", "0"},
        {"cb_nodes", "-1"},
        {"cb_nodes", "many"},
        {"cb_nodes", "4 or 5"},
        {"cb_nodes", ""},
        {"cb_buffer_size", "1"},
        {"cb_buffer_size", "99999999999999999999"},
        {"romio_cb_read", "yes"},
        {"romio_no_indep_rw", "perhaps"},
        {"capstan_strategy", "fast"},
    };
    struct adio_hints hints, before;

    hints_init(&before);
    hints = before;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        CU_ASSERT_EQUAL(hints_set(&hints, pairs[i][0], pairs[i][1]),
                        HINT_BAD_VALUE);
    CU_ASSERT_EQUAL(memcmp(&hints, &before, sizeof(hints)), 0);
}

static void test_a_text_too_long_is_refused(void)
{
    struct adio_hints hints;
    char text[HINT_VALUE_MAX + 1];

    hints_init(&hints);
    memset(text, 'x', HINT_VALUE_MAX);
    text[HINT_VALUE_MAX] = '\0';
    CU_ASSERT_EQUAL(hints_set(&hints, "cb_config_list", text), HINT_BAD_VALUE);
    text[HINT_VALUE_MAX - 1] = '\0';
    CU_ASSERT_EQUAL(hints_set(&hints, "cb_config_list", text), HINT_TAKEN);
}

static void test_keys_are_told_apart(void)
{
    struct adio_hints hints;

    hints_init(&hints);
    CU_ASSERT_EQUAL(hints_set(&hints, "romio_cb_raed", "enable"), HINT_UNKNOWN);
    CU_ASSERT_EQUAL(hints_set(&hints, "capstan_speed", "11"), HINT_UNKNOWN);
    CU_ASSERT_EQUAL(hints_set(&hints, "access_style", "random"), HINT_FOREIGN);
    CU_ASSERT_EQUAL(hints_set(&hints, "capstan_last_rounds", "3"),
                    HINT_FOREIGN);
}

static void test_a_key_is_warned_of_once(void)
{
    struct hint_warned warned = {.nkeys = 0};
    struct adio_hints hints;
    char key[HINT_KEY_MAX];

    hints_init(&hints);
    hints_take(&hints, "romio_xyzzy", "1", &warned);
    hints_take(&hints, "romio_xyzzy", "2", &warned);
    hints_take(&hints, "cb_nodes", "none", &warned);
    CU_ASSERT_EQUAL(warned.nkeys, 2);
    for (int i = 0; i < 2 * HINT_WARNED_MAX; i++) {
        snprintf(key, sizeof(key), "romio_%d", i);
        hints_take(&hints, key, "1", &warned);
    }
    CU_ASSERT_EQUAL(warned.nkeys, HINT_WARNED_MAX);
}

static void test_the_hints_file_is_read(void)
{
    char path[] = "hints.XXXXXX";
    const char *text =
        "# comment\n\ncb_nodes 3\n  romio_cb_read\tdisable # why\n"
        "lonely\ncb_buffer_size 8192\ncb_nodes 4";
    struct hint_warned warned = {.nkeys = 0};
    struct adio_hints hints;
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    setenv("ROMIO_HINTS", path, 1);
    hints_init(&hints);
    hints_take_file(&hints, &warned);
    unlink(path);
    CU_ASSERT_EQUAL(hints.cb_nodes, 3);
    CU_ASSERT_EQUAL(hints.cb_read, ADIO_DISABLE);
    CU_ASSERT_EQUAL(hints.cb_buffer_size, 8192);
    CU_ASSERT_EQUAL(warned.nkeys, 0);
    hints_take_file(&hints, &warned);
    CU_ASSERT_EQUAL(warned.nkeys, 1);
    unsetenv("ROMIO_HINTS");
}

static void test_explain_prints_every_key(void)
{
    struct adio_explain explain = {
        .strategy = ADIO_STRATEGY_SHARE,
        .why = "all ranks read the same range",
        .rounds = 7,
        .bytes_storage = 1ull << 40,
    };
    char value[EXPLAIN_VALUE_MAX];

    for (size_t i = 0; i < explain_count(); i++) {
        explain_print(&explain, i, value);
        CU_ASSERT(strlen(explain_key(i)) <= MPI_MAX_INFO_KEY);
        if (strcmp(explain_key(i), "capstan_last_strategy") == 0)
            CU_ASSERT_STRING_EQUAL(value, "share");
        if (strcmp(explain_key(i), "capstan_last_rounds") == 0)
            CU_ASSERT_STRING_EQUAL(value, "7");
        if (strcmp(explain_key(i), "capstan_last_bytes_storage") == 0)
            CU_ASSERT_STRING_EQUAL(value, "1099511627776");
    }
}

int main(void)
{
    unsigned failures;
    CU_pSuite suite;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite("hints", NULL, NULL);
#define ADD(test) CU_add_test(suite, #test, test)
    ADD(test_defaults_are_romios);
    ADD(test_good_values_are_taken);
    ADD(test_bad_values_change_nothing);
    ADD(test_a_text_too_long_is_refused);
    ADD(test_keys_are_told_apart);
    ADD(test_a_key_is_warned_of_once);
    ADD(test_the_hints_file_is_read);
    ADD(test_explain_prints_every_key);
#undef ADD
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
