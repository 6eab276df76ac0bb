/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/store/sums_kit.h"

struct obj_fixture obj_fixture;
struct sums_kit kit = {.boot = 1, .machine = 77};
static const struct sums_config small = {
    .ops_max = 7, .units_max = 8, .objects_max = 9};

static int open_over(const struct obj_driver *driver,
                     const struct obj_config *config,
                     struct obj_store **store_out)
{
    struct sums_config sums = small;
    int rc;

    rc = obj_open(driver, config, &kit.below);
    if (rc != 0)
        return rc;
    sums.clock = &kit.now.clock;
    sums.boot = kit.boot++;
    sums.machine = kit.machine;
    rc = sums_create(kit.below, &sums, store_out);
    if (rc != 0)
        obj_close(kit.below);
    return rc;
}

const struct obj_driver *kit_below = &obj_mem;

static int open_over_mem(const struct obj_config *config,
                         struct obj_store **store_out)
{
    return open_over(kit_below, config, store_out);
}

static int open_over_uring(const struct obj_config *config,
                           struct obj_store **store_out)
{
    return open_over(&obj_uring, config, store_out);
}

const struct obj_driver over_mem = {.open = open_over_mem};
const struct obj_driver over_uring = {.open = open_over_uring};

int kit_init(void)
{
    setenv("CAPSTAN_LOG", "error", 0); /* damaged headers are warned of */
    clock_virtual_init(&kit.now);
    unit_tempdir_make(kit.directory);
    obj_fixture = (struct obj_fixture){
        .driver = &over_mem,
        .config = {.directory = kit.directory, .queue_depth = 8},
        .rounds = 1000,
    };
    if (obj_mem_disk_create(1ull << 42, &kit.disk) != 0)
        return -ENOMEM;
    obj_fixture.config.disk = kit.disk;
    return 0;
}

void kit_fini(void)
{
    obj_mem_disk_destroy(&kit.disk);
    unit_tempdir_remove(kit.directory);
}

void end_orderly(struct obj_store *store)
{
    sums_flush(store);
    drain_to(store, 0);
    obj_close(store);
}

struct sums_stats stats_of(const struct obj_store *store)
{
    struct sums_stats stats;

    sums_stats(store, &stats);
    return stats;
}

void random_bytes(struct rng *rng, char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)rng_next(rng);
}

/* Aligned extents go past the page cache, their neighbours through it. */

void ended(struct obj_io *io)
{
    io->ino = 0;
}

int64_t raw(enum obj_verb verb, uint8_t part, uint64_t offset, void *memory,
            size_t length)
{
    struct obj_io io = {.verb = verb,
                        .part = part,
                        .ino = INO,
                        .offset = offset,
                        .memory = memory,
                        .length = length,
                        .done = ended};

    obj_submit(kit.below, &io);
    while (io.ino != 0)
        obj_poll(kit.below);
    return io.result;
}

void flip(uint8_t part, uint64_t offset, unsigned bit)
{
    uint8_t byte = 0;

    CU_ASSERT_EQUAL_FATAL(raw(OBJ_READ, part, offset, &byte, 1), 1);
    byte ^= (uint8_t)(1u << bit);
    CU_ASSERT_EQUAL_FATAL(raw(OBJ_WRITE, part, offset, &byte, 1), 1);
}
