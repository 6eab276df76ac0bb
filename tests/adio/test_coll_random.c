/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random accesses under every strategy, buffer size and layout, against a
 * reference in memory: data, counts, and what was asked of storage.
 */
#include "test_coll.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SPAN (200u << 10)
#define MEMORY (400u << 10)

/* How the accesses of the ranks lie to each other. */
enum shape {
    ALIKE,
    OVERLAPPING,
    SOME_EMPTY,
    INTERLEAVED,
    BLOCKS,
    TANGLED,
    SHAPES
};

/* Runs of one rank that interleave, overlap each other and themselves, are
 * empty and out of order: no view makes most of them, nothing may break. */
static void tangle(struct access *access, struct rng *own)
{
    uint64_t at = rng_below(own, 5000);
    uint64_t length = 1 + rng_below(own, 300);
    uint64_t touching = 1 + rng_below(own, 40);

    access_add(access, at + length, length, 3 * length, 50, 0, (int64_t)length);
    access_add(access, at, length, 3 * length, 50, 20000, (int64_t)length);
    access_add(access, at, 0, 7, 50, 0, 0);
    access_add(access, at + 7, length, length / 2, 30, 40000, (int64_t)length);
    access_add(access, at + 90, length, 0, 2, 60000, (int64_t)length);
    access_add(access, 2 * at, length, length, touching, 70000,
               (int64_t)length);
}

/* `common` gives the same numbers on all ranks. */
static void make_access(struct access *access, enum shape shape,
                        struct rng *common)
{
    struct rng own;
    uint64_t length;
    bool is_common = shape == ALIKE;

    if (shape == TANGLED)
        is_common = rng_chance(common, 50);
    rng_init(&own, rng_next(common) + (is_common ? 0 : (unsigned)test.rank));
    length = 1 + rng_below(common, shape == BLOCKS ? 20000 : 500);
    access_init(access, MEMORY);
    switch (shape) {
    case SOME_EMPTY:
        if (rng_chance(&own, 50))
            return;
        /* fall through */
    case ALIKE:
    case OVERLAPPING:
        access_random(access, &own, FILE_SPAN);
        return;
    case INTERLEAVED:
        access_add(access, (unsigned)test.rank * length, length,
                   (unsigned)test.size * length, 20, 0, (int64_t)length);
        return;
    case TANGLED:
        tangle(access, &own);
        return;
    default:
        access_add(access, (unsigned)test.rank * length, length, 0, 1, 7, 0);
        return;
    }
}

static void choose_hints(struct adio_file *file, struct rng *common)
{
    static const uint32_t buffers[] = {1000, 4096, 70000, 1u << 20, 0};

    memset(&file->hints, 0, sizeof(file->hints));
    file->hints.strategy = (enum adio_strategy)rng_below(common, 5);
    file->hints.cb_buffer_size = buffers[rng_below(common, 5)];
    file->hints.cb_nodes = (uint32_t)rng_below(common, (unsigned)test.size + 2);
    file->hints.cb_read = (enum adio_toggle)rng_below(common, 3);
    file->hints.map_reads = ADIO_DISABLE;
    if (rng_chance(common, 30)) { /* where nothing else is asked for */
        memset(&file->hints, 0, sizeof(file->hints));
        file->hints.map_reads = (enum adio_toggle)rng_below(common, 3);
    }
    fault.layout = (struct adio_layout){0};
    if (rng_chance(common, 40))
        fault.layout.cheap_piece = 1 + (uint32_t)rng_below(common, 2000);
    if (rng_chance(common, 40))
        fault.layout.listed_piece = 1 + (uint32_t)rng_below(common, 500);
    if (rng_chance(common, 50)) {
        fault.layout.stripe_size = 1u << (10 + rng_below(common, 6));
        fault.layout.width = 1 + (uint32_t)rng_below(common, 5);
    }
}

/* Has every rank copied its own from the page cache? */
static bool is_mapped(const struct adio_file *file)
{
    return sum_of(file->explain.bytes_mapped) ==
           sum_of(file->explain.bytes_delivered);
}

/* Share and two-phase promise that a byte leaves storage once. */
static void check_storage(const struct adio_file *file,
                          const struct access *access, uint64_t size)
{
    unsigned char *map = calloc(size + 1, 1);
    uint64_t moved = sum_of(file->explain.bytes_storage);
    uint64_t wanted;

    access_mark(access, map, size);
    wanted = united(map, size);
    if (file->explain.strategy == ADIO_STRATEGY_SHARE ||
        file->explain.strategy == ADIO_STRATEGY_TWO_PHASE)
        CHECK(moved == wanted || (moved == 0 && is_mapped(file)));
    free(map);
}

static void read_once(struct adio_file *file, enum shape shape,
                      struct rng *common, uint64_t version, uint64_t size)
{
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    make_access(&access, shape, common);
    CHECK(coll_run(file, COLL_READ, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    CHECK(bytes == access_bytes_below(&access, size));
    CHECK(access_holds(&access, version, size));
    check_storage(file, &access, size);
    access_fini(&access);
}

/* This rank's share of a map that says who writes each byte (0: nobody). */
static void access_of_map(struct access *access, const unsigned char *owner,
                          uint64_t size)
{
    uint64_t mem = 0;

    for (uint64_t i = 0, end; i < size; i = end) {
        for (end = i + 1; end < size && owner[end] == owner[i];)
            end++;
        if (owner[i] != test.rank + 1)
            continue;
        access_add(access, i, end - i, 0, 1, mem, 0);
        mem += end - i;
    }
}

static void draw_owners(unsigned char *owner, uint64_t size, struct rng *common)
{
    uint64_t scale = 1 + rng_below(common, 3000);

    for (uint64_t i = 0; i < size;) {
        uint64_t end = i + 1 + rng_below(common, scale);
        int who = (int)rng_below(common, (unsigned)test.size + 1);

        for (; i < end && i < size; i++)
            owner[i] = (unsigned char)who;
    }
}

/* Rank 0 compares the file with old and new versions as the map says. */
static void check_file(const unsigned char *owner, uint64_t size,
                       uint64_t version)
{
    unsigned char *all = malloc(size);
    uint64_t wrong = 0;

    CHECK(file_read(all, size) == size);
    for (uint64_t i = 0; i < size; i++)
        wrong += all[i] != pattern(version + (owner[i] != 0), i);
    CHECK(wrong == 0);
    free(all);
}

static void write_once(struct adio_file *file, struct rng *common,
                       uint64_t version)
{
    unsigned char *owner = calloc(FILE_SPAN, 1);
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    draw_owners(owner, FILE_SPAN, common);
    access_init(&access, FILE_SPAN);
    access_of_map(&access, owner, FILE_SPAN);
    access_load(&access, version + 1);
    CHECK(coll_run(file, COLL_WRITE, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    CHECK(bytes == access_bytes_below(&access, UINT64_MAX));
    check_storage(file, &access, FILE_SPAN);
    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0)
        check_file(owner, FILE_SPAN, version);
    access_fini(&access);
    free(owner);
}

/* Undefined by MPI as to who wins, but every byte is somebody's. */
static void write_overlapping(struct adio_file *file, struct rng *common,
                              uint64_t version)
{
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    make_access(&access, OVERLAPPING, common);
    access_load(&access, version);
    CHECK(coll_run(file, COLL_WRITE, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    MPI_Barrier(MPI_COMM_WORLD);
    memset(access.memory, UNTOUCHED, access.memory_size);
    CHECK(coll_run(file, COLL_READ, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    CHECK(access_holds(&access, version, UINT64_MAX));
    access_fini(&access);
}

void test_random(uint64_t seed, int rounds)
{
    struct adio_file file;
    struct rng common;

    for (int i = 0; i < rounds; i++) {
        uint64_t size;

        test.seed = seed + (unsigned)i;
        rng_init(&common, test.seed);
        size = rng_below(&common, 2 * FILE_SPAN);
        file_fill(test.seed, size);
        file_open(&file);
        test.what = "random reads";
        for (int k = 0; k < SHAPES; k++) {
            choose_hints(&file, &common);
            read_once(&file, (enum shape)k, &common, test.seed, size);
        }
        test.what = "random write";
        file_fill(test.seed, FILE_SPAN);
        choose_hints(&file, &common);
        write_once(&file, &common, test.seed);
        test.what = "overlapping writes";
        choose_hints(&file, &common);
        write_overlapping(&file, &common, test.seed);
        file_close(&file);
    }
    fault.layout = (struct adio_layout){0};
}
