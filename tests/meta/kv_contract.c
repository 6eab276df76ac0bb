/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/meta/kv_contract.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <string.h>

struct kv *fixture_open(void)
{
    struct kv *kv;
    int rc = kv_open(kv_fixture.driver, &kv_fixture.config, &kv);

    if (rc != 0) {
        fprintf(stderr, "kv_open: %s\n", strerror(-rc));
        exit(EXIT_FAILURE);
    }
    return kv;
}

int set_one(struct kv *kv, const char *key, const char *value, bool sync)
{
    int rc = kv_begin(kv);

    if (rc != 0)
        return rc;
    if (value == NULL)
        rc = kv_del(kv, key, strlen(key));
    else
        rc = kv_put(kv, key, strlen(key), value, strlen(value));
    if (rc == 0)
        return kv_commit(kv, sync);
    kv_rollback(kv);
    return rc;
}

bool has_one(struct kv *kv, const char *key, const char *value)
{
    char found[100];
    size_t len;
    int rc = kv_get(kv, key, strlen(key), found, sizeof(found), &len);

    if (value == NULL)
        return rc == -ENOENT;
    return rc == 0 && len == strlen(value) && memcmp(found, value, len) == 0;
}

struct first {
    char key[KV_KEY_MAX];
    size_t len;
    bool is_there;
};

static bool note_first(void *ctx, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    struct first *first = ctx;

    memcpy(first->key, key, key_len);
    first->len = key_len;
    first->is_there = true;
    return false;
}

void clear_all(struct kv *kv)
{
    struct first first;

    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    do {
        first.is_there = false;
        CU_ASSERT_EQUAL(kv_each(kv, "", 0, "", 0, note_first, &first), 0);
        if (first.is_there)
            CU_ASSERT_EQUAL(kv_del(kv, first.key, first.len), 0);
    } while (first.is_there);
    CU_ASSERT_EQUAL(kv_commit(kv, false), 0);
}

void test_transaction_reads_its_own_writes(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(set_one(kv, "old", "1", false), 0);
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_EQUAL(kv_put(kv, "new", 3, "2", 1), 0);
    CU_ASSERT(has_one(kv, "new", "2"));
    CU_ASSERT_EQUAL(kv_put(kv, "new", 3, "", 0), 0);
    CU_ASSERT(has_one(kv, "new", ""));
    CU_ASSERT_EQUAL(kv_del(kv, "old", 3), 0);
    CU_ASSERT(has_one(kv, "old", NULL));
    CU_ASSERT_EQUAL(kv_del(kv, "never", 5), 0);
    CU_ASSERT_EQUAL(kv_commit(kv, false), 0);
    CU_ASSERT(has_one(kv, "new", ""));
    CU_ASSERT(has_one(kv, "old", NULL));
    clear_all(kv);
    kv_close(kv);
}

void test_rollback_leaves_nothing(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(set_one(kv, "a", "1", false), 0);
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_EQUAL(kv_put(kv, "a", 1, "2", 1), 0);
    CU_ASSERT_EQUAL(kv_put(kv, "b", 1, "2", 1), 0);
    kv_rollback(kv);
    kv_rollback(kv); /* none is open: no matter */
    CU_ASSERT(has_one(kv, "a", "1"));
    CU_ASSERT(has_one(kv, "b", NULL));
    clear_all(kv);
    kv_close(kv);
}

void test_committed_pairs_survive_reopening(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(set_one(kv, "a", "1", false), 0);
    CU_ASSERT_EQUAL(set_one(kv, "b", "2", true), 0);
    CU_ASSERT_EQUAL(kv_sync(kv), 0);
    kv_close(kv);
    kv = fixture_open();
    CU_ASSERT(has_one(kv, "a", "1"));
    CU_ASSERT(has_one(kv, "b", "2"));
    clear_all(kv);
    kv_close(kv);
}

void test_second_open_is_busy(void)
{
    struct kv *kv = fixture_open();
    struct kv *second = NULL;

    CU_ASSERT_EQUAL(kv_open(kv_fixture.driver, &kv_fixture.config, &second),
                    -EBUSY);
    CU_ASSERT_PTR_NULL(second);
    CU_ASSERT_EQUAL(set_one(kv, "a", "1", false), 0);
    clear_all(kv);
    kv_close(kv);
}

void test_long_keys_and_values_are_refused(void)
{
    static const char bytes[KV_VALUE_MAX + 1];
    static char found[KV_VALUE_MAX];
    struct kv *kv = fixture_open();
    size_t len = 0;

    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_EQUAL(kv_put(kv, bytes, KV_KEY_MAX + 1, "", 0), -EINVAL);
    CU_ASSERT_EQUAL(kv_put(kv, "a", 1, bytes, KV_VALUE_MAX + 1), -EINVAL);
    CU_ASSERT_EQUAL(kv_del(kv, bytes, KV_KEY_MAX + 1), -EINVAL);
    CU_ASSERT_EQUAL(kv_put(kv, bytes, KV_KEY_MAX, bytes, KV_VALUE_MAX), 0);
    CU_ASSERT_EQUAL(kv_commit(kv, false), 0);
    CU_ASSERT_EQUAL(kv_get(kv, bytes, KV_KEY_MAX, found, KV_VALUE_MAX, &len),
                    0);
    CU_ASSERT_EQUAL(len, KV_VALUE_MAX);
    clear_all(kv);
    kv_close(kv);
}

void test_small_room_is_told(void)
{
    struct kv *kv = fixture_open();
    size_t len = 77;
    char byte = 'x';

    CU_ASSERT_EQUAL(set_one(kv, "a", "12", false), 0);
    CU_ASSERT_EQUAL(kv_get(kv, "a", 1, &byte, 1, &len), -EOVERFLOW);
    CU_ASSERT_EQUAL(len, 77);
    CU_ASSERT_EQUAL(byte, 'x');
    clear_all(kv);
    kv_close(kv);
}

struct joined {
    char text[64];
    size_t max; /* keys */
    size_t n;
};

static bool join(void *ctx, const void *key, size_t key_len, const void *value,
                 size_t value_len)
{
    struct joined *joined = ctx;

    strncat(joined->text, key, key_len);
    strcat(joined->text, " ");
    return ++joined->n < joined->max;
}

static bool keys_are(struct kv *kv, const char *from, const char *prefix,
                     size_t max, const char *wanted)
{
    struct joined joined = {.max = max};

    CU_ASSERT_EQUAL(
        kv_each(kv, from, strlen(from), prefix, strlen(prefix), join, &joined),
        0);
    return strcmp(joined.text, wanted) == 0;
}

void test_each_begins_stops_and_keeps_to_its_prefix(void)
{
    static const char *const keys[] = {"a", "b", "ba", "bb", "c", "b\xff"};
    struct kv *kv = fixture_open();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        CU_ASSERT_EQUAL(set_one(kv, keys[i], "v", false), 0);
    CU_ASSERT(keys_are(kv, "", "", 9, "a b ba bb b\xff c "));
    CU_ASSERT(keys_are(kv, "", "b", 9, "b ba bb b\xff "));
    CU_ASSERT(keys_are(kv, "ba", "b", 9, "ba bb b\xff "));
    CU_ASSERT(keys_are(kv, "ba", "b", 2, "ba bb "));
    CU_ASSERT(keys_are(kv, "c", "b", 9, ""));
    CU_ASSERT(keys_are(kv, "", "b\xff", 9, "b\xff "));
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_EQUAL(kv_del(kv, "ba", 2), 0);
    CU_ASSERT_EQUAL(kv_put(kv, "bab", 3, "v", 1), 0);
    CU_ASSERT(keys_are(kv, "b", "b", 9, "b bab bb b\xff "));
    kv_rollback(kv);
    clear_all(kv);
    kv_close(kv);
}

void test_close_rolls_back(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_EQUAL(kv_put(kv, "a", 1, "1", 1), 0);
    kv_close(kv);
    kv = fixture_open();
    CU_ASSERT(has_one(kv, "a", NULL));
    kv_close(kv);
}

/*
 * Random transactions against a model: NKEYS keys of two letters, each with a
 * number or none; one model as committed, one as the transaction sees it.
 */

#define NKEYS 64

struct model {
    uint64_t values[NKEYS]; /* 0: none */
};

struct walk {
    const struct model *model;
    unsigned at;
};

static void key_of(unsigned i, char key[3])
{
    key[0] = (char)('a' + i / 8);
    key[1] = (char)('a' + i % 8);
    key[2] = '\0';
}

static bool compare(void *ctx, const void *key, size_t key_len,
                    const void *value, size_t value_len)
{
    struct walk *walk = ctx;
    char wanted[3];

    while (walk->at < NKEYS && walk->model->values[walk->at] == 0)
        walk->at++;
    CU_ASSERT_FATAL(walk->at < NKEYS);
    key_of(walk->at, wanted);
    CU_ASSERT_EQUAL(key_len, 2);
    CU_ASSERT_EQUAL(memcmp(key, wanted, 2), 0);
    CU_ASSERT_EQUAL(value_len, 8);
    CU_ASSERT_EQUAL(memcmp(value, &walk->model->values[walk->at], 8), 0);
    walk->at++;
    return true;
}

static void check_all(struct kv *kv, const struct model *model)
{
    struct walk walk = {.model = model};

    CU_ASSERT_EQUAL(kv_each(kv, "", 0, "", 0, compare, &walk), 0);
    while (walk.at < NKEYS && model->values[walk.at] == 0)
        walk.at++;
    CU_ASSERT_EQUAL(walk.at, NKEYS);
}

void test_a_hurry_finds_what_is_in_memory(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(set_one(kv, "here", "1", false), 0);
    kv_hurry(kv, true);
    CU_ASSERT(has_one(kv, "here", "1"));
    CU_ASSERT(has_one(kv, "not here", NULL));
    CU_ASSERT_EQUAL(set_one(kv, "here", "2", false), 0);
    CU_ASSERT(has_one(kv, "here", "2"));
    CU_ASSERT_FALSE(kv->has_missed);
    kv_hurry(kv, false);
    clear_all(kv);
    kv_close(kv);
}

static void change_one(struct kv *kv, struct rng *rng, struct model *model)
{
    unsigned i = (unsigned)rng_below(rng, NKEYS);
    char key[3];

    key_of(i, key);
    model->values[i] = rng_chance(rng, 40) ? 0 : rng_next(rng) | 1;
    CU_ASSERT_EQUAL(model->values[i] == 0
                        ? kv_del(kv, key, 2)
                        : kv_put(kv, key, 2, &model->values[i], 8),
                    0);
}

void test_random_transactions_match_a_model(void)
{
    struct model committed = {0}, seen;
    struct kv *kv = fixture_open();
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < kv_fixture.rounds; round++) {
        seen = committed;
        CU_ASSERT_EQUAL_FATAL(kv_begin(kv), 0);
        for (uint64_t n = rng_below(&rng, 20); n > 0; n--)
            change_one(kv, &rng, &seen);
        check_all(kv, &seen);
        if (rng_chance(&rng, 30)) {
            kv_rollback(kv);
        } else {
            CU_ASSERT_EQUAL(kv_commit(kv, rng_chance(&rng, 5)), 0);
            committed = seen;
        }
        check_all(kv, &committed);
        if (rng_chance(&rng, 2)) {
            kv_close(kv);
            kv = fixture_open();
        }
    }
    clear_all(kv);
    kv_close(kv);
}

void test_kv_open_survives_failing_allocations(void)
{
    struct kv *kv = NULL;
    int rc = -ENOMEM;

    for (int n = 0; rc != 0 && n < 100; n++) {
        mem_fault_set(n);
        rc = kv_open(kv_fixture.driver, &kv_fixture.config, &kv);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || (rc == -ENOMEM && kv == NULL));
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    kv_close(kv);
}
