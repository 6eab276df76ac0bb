/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What meta/kv.h promises, checked on any driver. The program fills the
 * fixture and lists the tests with KV_CONTRACT.
 */
#ifndef TESTS_META_KV_CONTRACT_H
#define TESTS_META_KV_CONTRACT_H

#include "meta/kv.h"
#include "tests/base/unit.h"

struct kv_fixture {
    const struct kv_driver *driver;
    struct kv_config config;
    unsigned rounds; /* of the random test */
};

extern struct kv_fixture kv_fixture;

#define KV_CONTRACT                                                            \
    UNIT_TEST(test_transaction_reads_its_own_writes),                          \
        UNIT_TEST(test_rollback_leaves_nothing),                               \
        UNIT_TEST(test_committed_pairs_survive_reopening),                     \
        UNIT_TEST(test_second_open_is_busy),                                   \
        UNIT_TEST(test_long_keys_and_values_are_refused),                      \
        UNIT_TEST(test_small_room_is_told),                                    \
        UNIT_TEST(test_each_begins_stops_and_keeps_to_its_prefix),             \
        UNIT_TEST(test_close_rolls_back),                                      \
        UNIT_TEST(test_a_hurry_finds_what_is_in_memory),                       \
        UNIT_TEST(test_random_transactions_match_a_model),                     \
        UNIT_TEST(test_kv_open_survives_failing_allocations)

void test_transaction_reads_its_own_writes(void);
void test_rollback_leaves_nothing(void);
void test_committed_pairs_survive_reopening(void);
void test_second_open_is_busy(void);
void test_long_keys_and_values_are_refused(void);
void test_small_room_is_told(void);
void test_each_begins_stops_and_keeps_to_its_prefix(void);
void test_close_rolls_back(void);
void test_a_hurry_finds_what_is_in_memory(void);
void test_random_transactions_match_a_model(void);
void test_kv_open_survives_failing_allocations(void);

/* Open the fixture's store, or stop the program. */
struct kv *fixture_open(void);

/* One transaction: put or delete (value NULL) one pair of strings. */
int set_one(struct kv *kv, const char *key, const char *value, bool sync);

/* Is the value of a key this string? NULL: is there none? */
bool has_one(struct kv *kv, const char *key, const char *value);

/* Delete everything. */
void clear_all(struct kv *kv);

#endif
