/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked objects on a device that takes no more sums: who would need room for
 * them is told so, others are served, and all goes on when there is room again.
 *
 * The store of the kit has 8 units and 9 objects, of which 6 and 7 may be
 * dirty. Below it lies a device that can be told to refuse what is written to
 * second parts; the bytes of objects, and the list of boots, always find room.
 */
#include "store/obj_line.h"
#include "store/obj_over.h"

#include "tests/store/sums_kit.h"

#include <errno.h>
#include <string.h>

#define CLEAN (INO + 1000) /* an object whose sums are on the device */
#define UNIT ((uint64_t)1 << 20)
#define BLOCK 4096
#define UNITS_DIRTY 6
#define OBJECTS_DIRTY 7
#define CLEAN_UNITS 20

struct full_store {
    struct obj_over over; /* first */
    struct obj_line ended;
};

static bool is_full;
static unsigned nrefused;

static void full_submit(struct obj_store *base, struct obj_io *io)
{
    struct full_store *store = (struct full_store *)base;

    if (is_full && io->verb == OBJ_WRITE && io->part == 1 && io->ino != 0) {
        nrefused++;
        io->result = -ENOSPC;
        obj_line_add(&store->ended, io);
    } else {
        obj_submit(store->over.below, io);
    }
}

static int full_poll(struct obj_store *base)
{
    struct full_store *store = (struct full_store *)base;

    return obj_poll(store->over.below) + obj_line_call(&store->ended);
}

static unsigned full_pending(const struct obj_store *base)
{
    const struct full_store *store = (const struct full_store *)base;

    return obj_pending(store->over.below) + store->ended.n;
}

static void full_close(struct obj_store *base)
{
    obj_close(((struct full_store *)base)->over.below);
    free(base);
}

static const struct obj_driver obj_full = {
    .name = "full",
    .open = obj_over_open,
    .close = full_close,
    .submit = full_submit,
    .poll = full_poll,
    .pending = full_pending,
    .wait_fd = obj_over_wait_fd,
    .space = obj_over_space,
    .list = obj_over_list,
    .fresh = obj_over_fresh,
};

static int open_full(const struct obj_config *config,
                     struct obj_store **store_out)
{
    struct full_store *store = calloc(1, sizeof(*store));
    int rc = store == NULL ? -ENOMEM
                           : obj_open(&obj_mem, config, &store->over.below);

    if (rc != 0) {
        free(store);
        return rc;
    }
    store->over.store.driver = &obj_full;
    obj_line_init(&store->ended);
    *store_out = &store->over.store;
    return 0;
}

static const struct obj_driver full_mem = {.open = open_full};

static void fill(char *block, uint64_t ino, uint64_t index)
{
    for (unsigned i = 0; i < BLOCK; i++)
        block[i] = (char)(ino * 7 + index * 13 + i);
}

static int64_t put(struct obj_store *store, uint64_t ino, uint64_t index)
{
    char block[BLOCK];

    fill(block, ino, index);
    return do_io(store, OBJ_WRITE, ino, index * UNIT, block, BLOCK);
}

static bool has(struct obj_store *store, uint64_t ino, uint64_t index)
{
    char block[BLOCK], out[BLOCK];

    fill(block, ino, index);
    return do_io(store, OBJ_READ, ino, index * UNIT, out, BLOCK) == BLOCK &&
           memcmp(block, out, BLOCK) == 0;
}

static void pass_ns(struct obj_store *store, uint64_t ns)
{
    clock_virtual_set(&kit.now, kit.now.now_ns + ns);
    obj_poll(store);
    drain_to(store, 0);
}

static void clean(struct obj_store *store)
{
    for (unsigned i = 0; i < 1000 && stats_of(store).objects_dirty > 0; i++)
        pass_ns(store, NS_PER_SEC);
    CU_ASSERT_EQUAL(stats_of(store).objects_dirty, 0);
}

/* A store that holds one clean object, of more units than there are. */
static struct obj_store *open_with_clean(void)
{
    struct obj_store *store = fixture_open();

    is_full = false;
    for (unsigned i = 0; i < CLEAN_UNITS; i++)
        CU_ASSERT_EQUAL(put(store, CLEAN, i), BLOCK);
    clean(store);
    is_full = true;
    return store;
}

static void expect_clean(struct obj_store *store)
{
    for (unsigned i = 0; i < CLEAN_UNITS; i++)
        CU_ASSERT(has(store, CLEAN, i));
}

/* Nothing that was acknowledged is lost, and the next process finds it. */
static void end_and_look(struct obj_store *store, unsigned objects,
                         unsigned units)
{
    CU_ASSERT_EQUAL(stats_of(store).mismatches, 0);
    end_orderly(store);
    store = fixture_open();
    for (unsigned i = 0; i < objects; i++)
        for (unsigned j = 0; j < units; j++)
            CU_ASSERT(has(store, INO + i, j));
    expect_clean(store);
    CU_ASSERT_EQUAL(stats_of(store).mismatches, 0);
    for (unsigned i = 0; i < objects; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, CLEAN, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_writers_without_units_are_refused_and_readers_are_not(void)
{
    struct obj_store *store = open_with_clean();

    for (unsigned i = 0; i < UNITS_DIRTY; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(put(store, INO, UNITS_DIRTY), -ENOSPC);
        CU_ASSERT_EQUAL(put(store, INO + 1, 0), -ENOSPC);
        CU_ASSERT_EQUAL(put(store, INO, 2), BLOCK); /* has its unit */
        expect_clean(store);
        for (unsigned j = 0; j < UNITS_DIRTY; j++)
            CU_ASSERT(has(store, INO, j));
        pass_ns(store, NS_PER_SEC);
    }
    is_full = false;
    pass_ns(store, NS_PER_SEC);
    for (unsigned i = 0; i < CLEAN_UNITS; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + 1, 0, NULL, 0), 0);
    end_and_look(store, 1, CLEAN_UNITS);
}

static void test_what_is_removed_leaves_its_units(void)
{
    struct obj_store *store = open_with_clean();

    for (unsigned i = 0; i < UNITS_DIRTY; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    CU_ASSERT_EQUAL(put(store, INO + 1, 0), -ENOSPC);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, UNIT, NULL, 0), 0);
    CU_ASSERT_EQUAL(put(store, INO + 1, 0), BLOCK);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    for (unsigned i = 0; i < UNITS_DIRTY; i++)
        CU_ASSERT_EQUAL(put(store, INO + 1, i), BLOCK);
    is_full = false;
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + 1, 0, NULL, 0), 0);
    end_and_look(store, 0, 0);
}

/* Regions that are to be summed again need units too. */
static void test_stale_regions_are_refused_too(void)
{
    struct obj_store *store = open_with_clean();

    is_full = false;
    for (unsigned i = 0; i < CLEAN_UNITS; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    obj_close(store); /* as a killed process: all is stale */
    CU_ASSERT_EQUAL(do_io(store = fixture_open(), OBJ_STAT, INO, 0, NULL, 0),
                    0);
    is_full = true;
    expect_clean(store);
    CU_ASSERT(!has(store, INO, 0));
    CU_ASSERT_EQUAL(put(store, INO, 0), -ENOSPC);
    expect_clean(store);
    is_full = false;
    pass_ns(store, NS_PER_SEC);
    end_and_look(store, 1, CLEAN_UNITS);
}

static void test_writers_without_places_are_refused_and_readers_are_not(void)
{
    struct obj_store *store = open_with_clean();
    unsigned i;

    for (i = 0; put(store, INO + i, 0) == BLOCK; i++)
        CU_ASSERT_FATAL(i < OBJECTS_DIRTY);
    CU_ASSERT(i >= UNITS_DIRTY);
    for (unsigned j = 0; j < 3; j++) {
        CU_ASSERT_EQUAL(put(store, INO + 100 + j, 0), -ENOSPC);
        expect_clean(store);
        for (unsigned k = 0; k < i; k++)
            CU_ASSERT(has(store, INO + k, 0));
        CU_ASSERT_EQUAL(do_io(store, OBJ_STAT, INO + 200 + j, 0, NULL, 0), 0);
        pass_ns(store, NS_PER_SEC);
    }
    is_full = false;
    pass_ns(store, NS_PER_SEC);
    for (i = 0; i < 30; i++)
        CU_ASSERT_EQUAL(put(store, INO + i, 0), BLOCK);
    end_and_look(store, 30, 1);
}

/* What was not written at an orderly end is not trusted after it. */
static void test_an_orderly_end_on_a_full_device_vouches_for_nothing(void)
{
    struct obj_store *store = open_with_clean();
    char out[8];

    is_full = false; /* for the intent */
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, CLEAN, 3 * UNIT, "other", 5), 5);
    is_full = true;
    end_orderly(store);
    is_full = false;
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, CLEAN, 3 * UNIT, out, 5), 5);
    CU_ASSERT_EQUAL(memcmp(out, "other", 5), 0);
    CU_ASSERT_EQUAL(stats_of(store).mismatches, 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, CLEAN, 0, NULL, 0), 0);
    obj_close(store);
}

static void note_end(struct obj_io *io)
{
    (void)io;
}

/* All at once: each ends, with the device's answer or with its own. */
static void test_a_crowd_on_a_full_device_ends(void)
{
    enum { N = 60 };
    struct obj_store *store = open_with_clean();
    static char blocks[N][BLOCK];
    struct obj_io ios[N];
    unsigned ok = 0;

    for (unsigned i = 0; i < N; i++) {
        fill(blocks[i], i % 3 == 0 ? CLEAN : INO, i % CLEAN_UNITS);
        ios[i] = (struct obj_io){.verb = i % 3 == 0 ? OBJ_READ : OBJ_WRITE,
                                 .ino = i % 3 == 0 ? CLEAN : INO,
                                 .offset = i % CLEAN_UNITS * UNIT,
                                 .memory = blocks[i],
                                 .length = BLOCK,
                                 .done = note_end};
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    for (unsigned i = 0; i < N; i++) {
        ok += ios[i].result == BLOCK;
        CU_ASSERT(ios[i].result == BLOCK ||
                  (ios[i].verb == OBJ_WRITE && ios[i].result == -ENOSPC));
    }
    CU_ASSERT(ok >= N / 3 + UNITS_DIRTY);
    is_full = false;
    pass_ns(store, NS_PER_SEC);
    for (unsigned i = 0; i < CLEAN_UNITS; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    end_and_look(store, 1, CLEAN_UNITS);
}

/* Ten attempts a second, some units each, however often one polls. */
static void test_a_full_device_is_not_asked_all_the_time(void)
{
    struct obj_store *store = open_with_clean();

    for (unsigned i = 0; i < UNITS_DIRTY; i++)
        CU_ASSERT_EQUAL(put(store, INO, i), BLOCK);
    CU_ASSERT_EQUAL(put(store, INO, UNITS_DIRTY), -ENOSPC);
    nrefused = 0;
    for (unsigned i = 0; i < 10000; i++)
        pass_ns(store, NS_PER_SEC / 10000);
    CU_ASSERT(nrefused > 0);
    CU_ASSERT(nrefused <= 10 * 3 * UNITS_DIRTY);
    is_full = false;
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    end_and_look(store, 0, 0);
}

static const struct unit_test tests[] = {
    UNIT_TEST(test_writers_without_units_are_refused_and_readers_are_not),
    UNIT_TEST(test_what_is_removed_leaves_its_units),
    UNIT_TEST(test_stale_regions_are_refused_too),
    UNIT_TEST(test_writers_without_places_are_refused_and_readers_are_not),
    UNIT_TEST(test_an_orderly_end_on_a_full_device_vouches_for_nothing),
    UNIT_TEST(test_a_crowd_on_a_full_device_ends),
    UNIT_TEST(test_a_full_device_is_not_asked_all_the_time),
};

int main(void)
{
    int rc;

    if (kit_init() != 0)
        return EXIT_FAILURE;
    kit_below = &full_mem;
    rc = UNIT_MAIN("sums_full", tests);
    kit_fini();
    return rc;
}
