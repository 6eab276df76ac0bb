/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * placement: distinct, spread, and the same for ever.
 */
#include "base/placement.c"

#include "tests/base/unit.h"

#define NTARGETS 100

static uint16_t targets[NTARGETS];

static bool has(const uint16_t *ids, unsigned n, uint16_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void test_fanout_is_distinct_targets_of_the_cluster(void)
{
    for (unsigned n = 1; n <= NTARGETS; n++) {
        for (uint64_t ino = 1; ino < 50; ino++) {
            uint16_t fanout[FANOUT_MAX];
            unsigned k = placement_fanout(ino, targets, n, fanout);

            CU_ASSERT_EQUAL(k, n < FANOUT_MAX ? n : FANOUT_MAX);
            for (unsigned i = 0; i < k; i++) {
                CU_ASSERT(has(targets, n, fanout[i]));
                CU_ASSERT(!has(fanout, i, fanout[i]));
            }
        }
    }
}

/* 10000 names in one directory over 8 targets; 10000 directories over 100. */
static void test_records_spread_evenly(void)
{
    unsigned of_name[NTARGETS] = {0}, of_dir[NTARGETS] = {0};
    uint16_t fanout[FANOUT_MAX];
    char text[16];

    for (unsigned i = 0; i < 10000; i++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "shard-%u", i);

        of_name[placement_owner(1, text, len, targets, NTARGETS) / 10 - 1]++;
        placement_fanout(i + 1, targets, NTARGETS, fanout);
        for (unsigned k = 0; k < FANOUT_MAX; k++)
            of_dir[fanout[k] / 10 - 1]++;
    }
    for (unsigned i = 0; i < NTARGETS; i++) {
        CU_ASSERT(of_name[i] == 0 || (of_name[i] > 1100 && of_name[i] < 1400));
        CU_ASSERT(of_dir[i] > 650 && of_dir[i] < 950);
    }
}

static void test_columns_are_the_ring_from_the_owner_on(void)
{
    uint16_t columns[LAYOUT_WIDTH_MAX];

    placement_columns(990, targets, NTARGETS, 4, columns);
    CU_ASSERT(columns[0] == 990 && columns[1] == 1000);
    CU_ASSERT(columns[2] == 10 && columns[3] == 20);
    placement_columns(10, targets, 1, 1, columns);
    CU_ASSERT_EQUAL(columns[0], 10);
}

/* Placement is part of the format: these values never change. */
static void test_placement_is_the_same_for_ever(void)
{
    uint16_t fanout[FANOUT_MAX];
    char text[64] = "";

    placement_fanout(1, targets, NTARGETS, fanout);
    for (unsigned i = 0; i < FANOUT_MAX; i++)
        sprintf(text + 5 * i, "%4u ", fanout[i]);
    CU_ASSERT_STRING_EQUAL(text, " 900  910  920  930  940  950  960  970 ");
    CU_ASSERT_EQUAL(placement_owner(1, "shard-0007", 10, targets, NTARGETS),
                    940);
    CU_ASSERT_EQUAL(placement_owner(1, "shard-0007", 10, targets, 1), 10);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_fanout_is_distinct_targets_of_the_cluster),
        UNIT_TEST(test_records_spread_evenly),
        UNIT_TEST(test_columns_are_the_ring_from_the_owner_on),
        UNIT_TEST(test_placement_is_the_same_for_ever),
    };

    for (unsigned i = 0; i < NTARGETS; i++)
        targets[i] = (uint16_t)(10 * (i + 1));
    return UNIT_MAIN("base/placement", tests);
}
