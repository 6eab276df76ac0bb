/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kills, losses of power and orderly ends of a checked store, from a seed.
 *
 *     test_sums_crash [SEED [COUNT]]   seeds SEED .. SEED + COUNT - 1
 */
#include "base/err.h"
#include "tests/store/sums_kit.h"

#include <string.h>

#define CRASH_SEEDS 300
#define CRASH_OBJECTS 5
#define CRASH_BYTES 60000

/*
 * Crashes: operations at random, then a kill, a loss of power or an orderly
 * end. What is read then has no mismatch, and bytes that were not touched
 * since they were durable are as they were.
 */

struct victim {
    char bytes[CRASH_BYTES];
    char is_sure[CRASH_BYTES]; /* durable, whatever comes */
    uint64_t size;
    bool is_size_sure;
};

static uint64_t crash_ino; /* of the first; no number is ever used again */
static struct victim victims[CRASH_OBJECTS];
static char scratch[CRASH_BYTES];

static void require(bool is_so, uint64_t seed, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, what);
    exit(EXIT_FAILURE);
}

/* New bytes, somewhere. @return how many. */
static size_t change(struct victim *v, struct rng *rng, uint64_t *at_out)
{
    uint64_t at = rng_below(rng, CRASH_BYTES);
    size_t n = 1 + rng_below(rng, rng_chance(rng, 60) ? 900 : CRASH_BYTES);

    if (n > CRASH_BYTES - at)
        n = CRASH_BYTES - at;
    random_bytes(rng, v->bytes + at, n);
    memset(v->is_sure + at, 0, n);
    if (at + n > v->size) {
        v->size = at + n;
        v->is_size_sure = false;
    }
    *at_out = at;
    return n;
}

static void crash_write(struct obj_store *store, struct rng *rng, unsigned i)
{
    struct victim *v = &victims[i];
    uint64_t at;
    size_t n = change(v, rng, &at);

    require(do_io(store, OBJ_WRITE, crash_ino + i, at, v->bytes + at, n) ==
                (int64_t)n,
            0, "write");
}

static void all_is_sure(struct victim *v)
{
    memset(v->is_sure, 1, CRASH_BYTES);
    v->is_size_sure = true;
}

static void note_end(struct obj_io *io)
{
    (void)io;
}

/* A write, a sync and a write, all there at once: what was written before is
 * durable then, and the second write may end behind the sync. */
static void crash_sync_between(struct obj_store *store, struct rng *rng,
                               unsigned i)
{
    struct victim *v = &victims[i];
    struct obj_io ios[3] = {{.verb = OBJ_WRITE, .memory = scratch},
                            {.verb = OBJ_SYNC},
                            {.verb = OBJ_WRITE}};

    all_is_sure(v);
    ios[0].length = change(v, rng, &ios[0].offset);
    memcpy(scratch, v->bytes + ios[0].offset, ios[0].length);
    ios[2].length = change(v, rng, &ios[2].offset);
    ios[2].memory = v->bytes + ios[2].offset;
    for (unsigned k = 0; k < 3; k++) {
        ios[k].ino = crash_ino + i;
        ios[k].done = note_end;
        obj_submit(store, &ios[k]);
    }
    drain_to(store, 0);
    for (unsigned k = 0; k < 3; k++)
        require(ios[k].result == (int64_t)ios[k].length, 0, "sync between");
}

static void crash_cut(struct obj_store *store, struct rng *rng, unsigned i)
{
    struct victim *v = &victims[i];
    uint64_t size = rng_below(rng, CRASH_BYTES);
    uint64_t low = size < v->size ? size : v->size;

    require(do_io(store, OBJ_TRUNCATE, crash_ino + i, size, NULL, 0) == 0, 0,
            "cut");
    memset(v->bytes + low, 0, CRASH_BYTES - low);
    memset(v->is_sure + low, 0, CRASH_BYTES - low);
    v->size = size;
    v->is_size_sure = false;
}

static void crash_step(struct obj_store *store, struct rng *rng)
{
    unsigned i = (unsigned)rng_below(rng, CRASH_OBJECTS);
    struct victim *v = &victims[i];
    uint64_t what = rng_below(rng, 22);

    if (what < 11) {
        crash_write(store, rng, i);
    } else if (what < 13) {
        crash_cut(store, rng, i);
    } else if (what < 15) {
        require(do_io(store, OBJ_SYNC, crash_ino + i, 0, NULL, 0) == 0, 0,
                "sync");
        all_is_sure(v);
    } else if (what < 17) {
        crash_sync_between(store, rng, i);
    } else if (what < 20) {
        clock_virtual_set(&kit.now,
                          kit.now.now_ns + rng_below(rng, 3 * NS_PER_SEC));
        for (uint64_t n = rng_below(rng, 12); n > 0; n--)
            obj_poll(store);
    } else {
        require(do_io(store, OBJ_READ, crash_ino + i, 0, scratch,
                      CRASH_BYTES) == (int64_t)v->size,
                0, "read");
        require(memcmp(scratch, v->bytes, v->size) == 0, 0, "bytes");
    }
}

/* What is there now becomes the truth, if it may be the truth. */
static void crash_judge(struct obj_store *store, uint64_t seed, bool is_power)
{
    for (unsigned i = 0; i < CRASH_OBJECTS; i++) {
        struct victim *v = &victims[i];
        int64_t got;

        memset(scratch, 0, sizeof(scratch));
        got = do_io(store, OBJ_READ, crash_ino + i, 0, scratch, CRASH_BYTES);
        if (got < 0)
            fprintf(stderr, "round of object %u: %s\n", i, err_text((int)got));
        require(got >= 0, seed, "a read fails");
        if (!is_power || v->is_size_sure)
            require(got == (int64_t)v->size, seed, "size");
        for (uint64_t at = 0; at < v->size && at < (uint64_t)got; at++)
            require((is_power && !v->is_sure[at]) ||
                        scratch[at] == v->bytes[at],
                    seed, "a byte that was durable");
        memcpy(v->bytes, scratch, CRASH_BYTES);
        v->size = (uint64_t)got;
        if (is_power) /* nothing is left that could be lost */
            all_is_sure(v);
    }
    require(stats_of(store).mismatches == 0, seed, "a mismatch");
}

static void crash_once(struct obj_mem_disk *disk, uint64_t seed)
{
    struct obj_store *store = fixture_open();
    struct rng rng;

    rng_init(&rng, seed);
    crash_ino += CRASH_OBJECTS;
    memset(victims, 0, sizeof(victims));
    for (unsigned round = 0; round < 4; round++) {
        uint64_t how = rng_below(&rng, 3);

        for (uint64_t n = rng_below(&rng, 40); n > 0; n--)
            crash_step(store, &rng);
        if (how == 0)
            end_orderly(store);
        else
            obj_close(store);
        if (how == 2) {
            obj_mem_disk_power_loss(disk, rng_next(&rng));
            kit.machine++;
        }
        store = fixture_open();
        crash_judge(store, seed, how == 2);
    }
    for (unsigned i = 0; i < CRASH_OBJECTS; i++)
        do_io(store, OBJ_DESTROY, crash_ino + i, 0, NULL, 0);
    obj_close(store);
}

static void crash_many(uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++)
        crash_once(obj_fixture.config.disk, seed);
}

static uint64_t crash_first, crash_count; /* from the command line, or 0 */

static void test_crashes_lose_nothing_durable(void)
{
    if (crash_count > 0)
        crash_many(crash_first, crash_count);
    else
        crash_many(unit_seed(), CRASH_SEEDS);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_crashes_lose_nothing_durable)};
    int rc;

    if (kit_init() != 0)
        return EXIT_FAILURE;
    if (argc > 1) {
        crash_first = strtoull(argv[1], NULL, 0);
        crash_count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    }
    rc = UNIT_MAIN("sums_crash", tests);
    kit_fini();
    return rc;
}
