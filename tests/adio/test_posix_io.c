/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * List I/O on a descriptor against byte loops: random lists, in any order, with
 * empty runs, beyond the end of the file, moved in slices of any size, with and
 * without reading over holes. Bytes between the blocks stay as they were, in
 * memory and in the file. And of which kind a file system is.
 */
#include "adio/ad_posix/posix_fs.h"
#include "adio/ad_posix/posix_io.h"
#include "base/rng.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES 40000
#define REACH (FILE_BYTES + 6000) /* lists go beyond the end of the file */
#define MEMORY_BYTES 60000
#define RUNS_MAX 12

static char content[REACH], memory[MEMORY_BYTES], want[MEMORY_BYTES];
static int fd;

static void setup_file(struct rng *rng)
{
    for (size_t i = 0; i < FILE_BYTES; i++)
        content[i] = (char)(1 + rng_below(rng, 255));
    memset(content + FILE_BYTES, 0, REACH - FILE_BYTES);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 0), 0);
    CU_ASSERT_EQUAL_FATAL(pwrite(fd, content, FILE_BYTES, 0), FILE_BYTES);
}

/* Runs whose memory does not overlap, and for writes (`is_rising`) whose file
 * blocks do not either. */
static size_t make_runs(struct rng *rng, bool is_rising, struct run *runs)
{
    size_t nruns = 1 + rng_below(rng, RUNS_MAX), n = 0;
    uint64_t offset = rng_below(rng, 5000), mem = 0;

    for (size_t i = 0; i < nruns; i++) {
        uint64_t length = rng_below(rng, rng_chance(rng, 4) ? 3000 : 20);
        uint64_t gap = rng_below(rng, rng_chance(rng, 4) ? 6000 : 40);
        uint64_t count = 1 + rng_below(rng, 9);
        struct run run = {
            .offset = is_rising ? offset : rng_below(rng, REACH),
            .length = length,
            .stride = length + gap,
            .count = count,
            .mem = (uint64_t)(uintptr_t)memory + mem,
            .mem_stride = (int64_t)(length + rng_below(rng, 4)),
        };

        if (run_end(&run) > REACH ||
            mem + count * (uint64_t)run.mem_stride > MEMORY_BYTES)
            break;
        offset = run_end(&run) + (rng_chance(rng, 2) ? rng_below(rng, 99) : 0);
        mem += count * (uint64_t)run.mem_stride;
        runs[n++] = run;
    }
    return n;
}

static uint64_t move(struct rng *rng, bool is_write, const struct run *runs,
                     size_t nruns)
{
    static const uint64_t holes[] = {0, 1, 30, POSIX_IO_HOLE_MAX};
    struct posix_io io;
    bool done = false;

    posix_io_start(&io, fd, is_write, runs, nruns, holes[rng_below(rng, 4)]);
    for (int turns = 0; !done; turns++) {
        CU_ASSERT_FATAL(turns < 100000);
        CU_ASSERT_EQUAL_FATAL(
            posix_io_move(&io, 1 + rng_below(rng, 9000), &done), 0);
    }
    return io.bytes;
}

static void try_read(struct rng *rng)
{
    struct run runs[RUNS_MAX];
    size_t nruns = make_runs(rng, false, runs);
    uint64_t bytes = 0;

    memset(memory, 0x55, sizeof(memory));
    memset(want, 0x55, sizeof(want));
    for (size_t i = 0; i < nruns; i++)
        for (uint64_t b = 0; b < runs[i].count; b++)
            for (uint64_t k = 0; k < runs[i].length; k++) {
                uint64_t at = runs[i].offset + b * runs[i].stride + k;

                if (at >= FILE_BYTES)
                    continue;
                want[runs[i].mem - (uint64_t)(uintptr_t)memory +
                     b * (uint64_t)runs[i].mem_stride + k] = content[at];
                bytes++;
            }
    CU_ASSERT_EQUAL(move(rng, false, runs, nruns), bytes);
    CU_ASSERT_EQUAL(memcmp(memory, want, sizeof(memory)), 0);
}

static void try_write(struct rng *rng)
{
    static char got[REACH];
    struct run runs[RUNS_MAX];
    size_t nruns = make_runs(rng, true, runs);

    setup_file(rng);
    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = (char)(1 + rng_below(rng, 255));
    for (size_t i = 0; i < nruns; i++)
        for (uint64_t b = 0; b < runs[i].count; b++)
            memcpy(content + runs[i].offset + b * runs[i].stride,
                   (char *)(uintptr_t)runs[i].mem +
                       (int64_t)b * runs[i].mem_stride,
                   runs[i].length);
    CU_ASSERT_EQUAL(move(rng, true, runs, nruns), runs_bytes(runs, nruns));
    memset(got, 0, sizeof(got));
    CU_ASSERT_FATAL(pread(fd, got, sizeof(got), 0) >= FILE_BYTES);
    CU_ASSERT_EQUAL(memcmp(got, content, sizeof(got)), 0);
}

static struct rng seeded(void)
{
    uint64_t seed = 20261127;
    struct rng rng;

    if (getenv("CAPSTAN_TEST_SEED") != NULL)
        seed = strtoull(getenv("CAPSTAN_TEST_SEED"), NULL, 0);
    printf("seed %llu ", (unsigned long long)seed);
    rng_init(&rng, seed);
    return rng;
}

static void test_reads_bring_the_blocks_and_nothing_else(void)
{
    struct rng rng = seeded();

    setup_file(&rng);
    for (int i = 0; i < 4000; i++)
        try_read(&rng);
}

static void test_writes_leave_holes_alone(void)
{
    struct rng rng = seeded();

    for (int i = 0; i < 1000; i++)
        try_write(&rng);
}

/* Ten thousand pieces with small holes are a hundred calls, not ten thousand:
 * a slice of bytes gets as far as its bytes, holes included, reach. */
static void test_small_holes_are_read_over(void)
{
    struct run run = {.length = 2,
                      .stride = 4,
                      .count = 10000,
                      .mem = (uint64_t)(uintptr_t)memory,
                      .mem_stride = 2};
    struct rng rng = seeded();
    struct posix_io io;
    bool done;

    setup_file(&rng);
    posix_io_start(&io, fd, false, &run, 1, POSIX_IO_HOLE_MAX);
    CU_ASSERT_EQUAL(posix_io_move(&io, 4000, &done), 0);
    CU_ASSERT_FALSE(done);
    CU_ASSERT(io.bytes >= 1990 && io.bytes <= 2010);
    posix_io_start(&io, fd, false, &run, 1, 0);
    CU_ASSERT_EQUAL(posix_io_move(&io, 4000, &done), 0);
    CU_ASSERT_EQUAL(io.bytes, 4000);
}

static void test_only_what_is_known_is_local(void)
{
    int in_memory = memfd_create("test", 0);
    int of_kernel = open("/proc/self/status", O_RDONLY);

    CU_ASSERT_EQUAL(posix_fs_of(in_memory), POSIX_FS_COHERENT);
    CU_ASSERT_EQUAL(posix_fs_of(of_kernel), POSIX_FS_ANYWHERE);
    CU_ASSERT_EQUAL(posix_fs_of(-1), POSIX_FS_ANYWHERE);
    close(in_memory);
    close(of_kernel);
}

int main(void)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    unsigned failures;
    CU_pSuite suite;

    snprintf(path, sizeof(path), "%s/capstan-posix-io.XXXXXX",
             dir != NULL ? dir : "/tmp");
    fd = mkstemp(path);
    if (fd < 0 || CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    unlink(path);
    suite = CU_add_suite("posix_io", NULL, NULL);
#define ADD(test) CU_add_test(suite, #test, test)
    ADD(test_reads_bring_the_blocks_and_nothing_else);
    ADD(test_writes_leave_holes_alone);
    ADD(test_small_holes_are_read_over);
    ADD(test_only_what_is_known_is_local);
#undef ADD
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    close(fd);
    return failures != 0;
}
