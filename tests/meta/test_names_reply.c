/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_reply: kept, found after a restart, trimmed, over both stores.
 */
#include "meta/names_reply.c"

#include "tests/meta/names_fixture.h"

#include <string.h>

static bool is_kept(uint64_t client, uint64_t request)
{
    uint64_t value = 0;
    size_t len = 0;
    int rc = names_reply_get(fixture.names, client, request, &value,
                             sizeof(value), &len);

    if (rc == -ENOENT)
        return false;
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(len, 8);
    CU_ASSERT_EQUAL(value, client * request);
    return true;
}

static void keep(uint64_t client, uint64_t request)
{
    uint64_t value = client * request;

    CU_ASSERT_EQUAL(
        names_reply_put(fixture.names, client, request, &value, sizeof(value)),
        0);
}

static void test_reply_survives_a_restart(void)
{
    fixture_start();
    CU_ASSERT(!is_kept(3, 9));
    keep(3, 9);
    CU_ASSERT(is_kept(3, 9));
    fixture_reopen();
    CU_ASSERT(is_kept(3, 9));
    CU_ASSERT(!is_kept(9, 3));
    fixture_stop();
}

static void test_reply_goes_with_its_transaction(void)
{
    fixture_start();
    keep(3, 9);
    kv_rollback(fixture.kv);
    CU_ASSERT_EQUAL(kv_begin(fixture.kv), 0);
    CU_ASSERT(!is_kept(3, 9));
    fixture_stop();
}

static void test_sizes_are_bounded(void)
{
    char reply[NAMES_REPLY_MAX + 1] = {0};
    size_t len = 0;

    fixture_start();
    CU_ASSERT_EQUAL(
        names_reply_put(fixture.names, 1, 1, reply, NAMES_REPLY_MAX + 1),
        -EINVAL);
    CU_ASSERT_EQUAL(
        names_reply_put(fixture.names, 1, 1, reply, NAMES_REPLY_MAX), 0);
    CU_ASSERT_EQUAL(names_reply_get(fixture.names, 1, 1, reply, 10, &len),
                    -EOVERFLOW);
    CU_ASSERT_EQUAL(
        names_reply_get(fixture.names, 1, 1, reply, sizeof(reply), &len), 0);
    CU_ASSERT_EQUAL(len, NAMES_REPLY_MAX);
    fixture_stop();
}

static void test_trim_stops_at_floor_and_client(void)
{
    fixture_start();
    for (uint64_t request = 0; request < 300; request++) {
        keep(2, request);
        keep(3, request);
        if (request == 150)
            fixture_commit();
    }
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 0), 0);
    CU_ASSERT(is_kept(2, 0));
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 257), 0);
    for (uint64_t request = 0; request < 300; request++) {
        CU_ASSERT_EQUAL(is_kept(2, request), request >= 257);
        CU_ASSERT(is_kept(3, request));
    }
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, UINT64_MAX), 0);
    CU_ASSERT(!is_kept(2, 299));
    CU_ASSERT(is_kept(3, 0));
    fixture_stop();
}

/* A trim that was taken back is not remembered as done. */
static void test_trim_goes_with_its_transaction(void)
{
    fixture_start();
    keep(2, 5);
    keep(2, 50);
    fixture_commit();
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 10), 0);
    kv_rollback(fixture.kv);
    names_undone(fixture.names);
    CU_ASSERT_EQUAL(kv_begin(fixture.kv), 0);
    CU_ASSERT(is_kept(2, 5));
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 20), 0);
    CU_ASSERT(!is_kept(2, 5));
    CU_ASSERT(is_kept(2, 50));
    fixture_stop();
}

/* What was trimmed before is not looked at again: here a reply below the last
 * floor, which no client asks for any more. */
static void test_trim_begins_where_it_ended(void)
{
    fixture_start();
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 50), 0);
    keep(2, 7);
    keep(2, 60);
    CU_ASSERT_EQUAL(names_reply_trim(fixture.names, 2, 100), 0);
    CU_ASSERT(is_kept(2, 7));
    CU_ASSERT(!is_kept(2, 60));
    fixture_stop();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_reply_survives_a_restart),
        UNIT_TEST(test_reply_goes_with_its_transaction),
        UNIT_TEST(test_sizes_are_bounded),
        UNIT_TEST(test_trim_stops_at_floor_and_client),
        UNIT_TEST(test_trim_goes_with_its_transaction),
        UNIT_TEST(test_trim_begins_where_it_ended),
    };

    return FIXTURE_MAIN("meta/names_reply", tests);
}
