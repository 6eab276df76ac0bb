/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Failures: whatever fails on whichever rank, all ranks return the same code
 * and text, nobody hangs, and the next collective works. Where the storage of
 * one aggregator only fails, another takes over and nothing fails at all.
 */
#include "test_coll.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE (300u << 10)
#define MEM_FAULTS_MAX 200 /* allocations of one rank in one collective */

struct fault fault;

static const struct adio_driver *real;

void fault_set(struct fault how)
{
    how.layout = fault.layout;
    fault = how;
}

static bool is_due(int *countdown)
{
    if (*countdown == 0 || --*countdown > 0)
        return false;
    *countdown = fault.is_lasting; /* due again at the next one */
    fault.has_struck = true;
    return true;
}

static int start_fails(struct adio_file *file, struct adio_error *error)
{
    if (!is_due(&fault.start_countdown))
        return 0;
    adio_error_set(error, fault.code, "%s: start on rank %d", file->path,
                   test.rank);
    return fault.code;
}

static int fault_ireadlist(struct adio_file *file, const struct run *runs,
                           size_t nruns, struct adio_io **io_out,
                           struct adio_error *error)
{
    int rc = start_fails(file, error);

    return rc != 0 ? rc : real->ireadlist(file, runs, nruns, io_out, error);
}

static int fault_iwritelist(struct adio_file *file, const struct run *runs,
                            size_t nruns, struct adio_io **io_out,
                            struct adio_error *error)
{
    int rc = start_fails(file, error);

    return rc != 0 ? rc : real->iwritelist(file, runs, nruns, io_out, error);
}

static int fault_imapread(struct adio_file *file, const struct run *runs,
                          size_t nruns, struct adio_io **io_out,
                          struct adio_error *error)
{
    int rc = start_fails(file, error);

    if (rc != 0)
        return rc;
    if (fault.is_cutting)
        CHECK(real->resize(file, fault.cut, error) == 0);
    return real->imapread(file, runs, nruns, io_out, error);
}

static int fault_test(struct adio_file *file, struct adio_io **io_p,
                      bool *done_out, uint64_t *bytes_out,
                      struct adio_error *error)
{
    int rc = real->test(file, io_p, done_out, bytes_out, error);

    if (rc != 0 || !*done_out)
        return rc;
    if (is_due(&fault.short_countdown) && *bytes_out > 0)
        (*bytes_out)--;
    if (!is_due(&fault.test_countdown))
        return 0;
    adio_error_set(error, fault.code, "%s: end on rank %d", file->path,
                   test.rank);
    return fault.code;
}

static void fault_layout(struct adio_file *file, struct adio_layout *layout_out)
{
    *layout_out = fault.layout;
}

const struct adio_driver *fault_driver(void)
{
    static struct adio_driver driver;

    real = test.driver;
    driver = *real;
    driver.ireadlist = fault_ireadlist;
    driver.iwritelist = fault_iwritelist;
    driver.imapread = fault_imapread;
    driver.test = fault_test;
    driver.layout = fault_layout;
    return &driver;
}

int agreed(int rc, const struct adio_error *error)
{
    struct adio_error first = *error;

    MPI_Bcast(&first, sizeof(first), MPI_BYTE, 0, MPI_COMM_WORLD);
    CHECK(rc == first.code);
    CHECK(rc == error->code);
    if (rc != 0)
        CHECK(strcmp(first.text, error->text) == 0);
    return first.code;
}

/* What a rank asks for. */
enum shape {
    ROWS,   /* of 1000 bytes, dealt out to the ranks */
    ALIKE,  /* everybody all of them */
    PIECES, /* everybody the same 15 pieces */
    SHAPES
};

static void make_access(struct access *access, enum shape shape)
{
    uint64_t ranks = (unsigned)test.size;
    uint64_t rows = FILE_SIZE / 1000 / ranks;

    access_init(access, FILE_SIZE);
    if (shape == ALIKE)
        access_add(access, 0, FILE_SIZE, 0, 1, 0, 0);
    else if (shape == ROWS)
        access_add(access, (unsigned)test.rank * 1000, 1000, ranks * 1000, rows,
                   0, 1000);
    for (uint64_t i = 0; shape == PIECES && i < 15; i++)
        access_add(access, i * 20000, 9000 + i, 0, 1, (14 - i) * 10000, 0);
}

static void read_all_right(struct adio_file *file, enum shape shape)
{
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    make_access(&access, shape);
    CHECK(coll_run(file, COLL_READ, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    CHECK(access_holds(&access, test.seed, FILE_SIZE));
    access_fini(&access);
}

/* One collective with the present fault; @return the code all agreed on. */
static int run_faulty(struct adio_file *file, enum coll_verb verb,
                      enum shape shape)
{
    struct access access;
    struct adio_error error = {0};
    uint64_t bytes;
    int rc;

    make_access(&access, shape);
    if (verb == COLL_WRITE)
        access_load(&access, test.seed);
    rc = coll_run(file, verb, access.runs, access.n, NULL, &bytes, &error);
    mem_fault_set(-1);
    rc = agreed(rc, &error);
    if (rc == 0 && verb == COLL_READ)
        CHECK(access_holds(&access, test.seed, FILE_SIZE));
    access_fini(&access);
    return rc;
}

static uint64_t any(bool mine)
{
    return sum_of(mine);
}

/* Does a rank move what another one wanted? */
static bool may_take_over(const struct adio_file *file)
{
    return test.size > 1 && (file->explain.strategy == ADIO_STRATEGY_SHARE ||
                             file->explain.strategy == ADIO_STRATEGY_TWO_PHASE);
}

static void fail_once(struct adio_file *file, enum coll_verb verb,
                      enum shape shape, int where, struct fault how)
{
    uint64_t has_struck; /* it may never have been reached */
    int rc;

    if (verb == COLL_WRITE)
        file_fill(test.seed + 1, FILE_SIZE);
    if (test.rank == where)
        fault_set(how);
    rc = run_faulty(file, verb, shape);
    has_struck = any(fault.has_struck);
    if (may_take_over(file)) {
        CHECK(rc == 0);
        CHECK((sum_of(file->explain.takeovers) > 0) == (has_struck > 0));
    } else {
        CHECK((rc != 0) == has_struck);
        if (rc != 0)
            CHECK(rc == how.code);
    }
    fault_set((struct fault){0});
    if (verb == COLL_WRITE && rc != 0)
        file_fill(test.seed, FILE_SIZE);
    read_all_right(file, shape);
}

/* Over servers a few ranks will do: an aggregator, its neighbour, the last. */
static bool is_chosen(int where)
{
    return where < 2 || where == test.size - 1;
}

static void fail_everywhere(struct adio_file *file, enum coll_verb verb,
                            enum shape shape)
{
    int code = verb == COLL_WRITE ? -ENOSPC : -EIO;

    bool is_posix = test.driver == ad_posix();

    for (int where = 0; where < test.size; where++)
        for (int n = 1; n <= 3 && (is_posix || is_chosen(where)); n++) {
            test.what = "a start that fails";
            fail_once(file, verb, shape, where,
                      (struct fault){.start_countdown = n, .code = code});
            test.what = "an end that fails";
            fail_once(file, verb, shape, where,
                      (struct fault){.test_countdown = n, .code = code});
            test.what = "a device that is lost";
            fail_once(file, verb, shape, where,
                      (struct fault){.test_countdown = n,
                                     .is_lasting = true,
                                     .code = code});
        }
}

/* Bytes of memory that are as a read leaves them. */
static uint64_t bytes_read(const struct access *access)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < access->memory_size; i++)
        count += access->memory[i] != UNTOUCHED;
    return count;
}

/* Bytes of the file that a write made; rank 0 counts. */
static uint64_t bytes_written(void)
{
    unsigned char *all = calloc(FILE_SIZE, 1);
    uint64_t count = 0;

    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0) {
        CHECK(file_read(all, FILE_SIZE) == FILE_SIZE);
        for (uint64_t i = 0; i < FILE_SIZE; i++)
            count += all[i] != 0;
    }
    free(all);
    MPI_Bcast(&count, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return count;
}

/* From the n-th transfer on all devices are lost: one error everywhere, and no
 * rank counts a byte that did not arrive. */
static void lose_all(struct adio_file *file, enum coll_verb verb,
                     enum shape shape, int n)
{
    struct access access;
    struct adio_error error = {0};
    uint64_t bytes;
    int rc;

    test.what = "all devices are lost";
    if (verb == COLL_WRITE)
        file_zero(FILE_SIZE);
    make_access(&access, shape);
    if (verb == COLL_WRITE)
        memset(access.memory, 1, access.memory_size);
    fault_set(
        (struct fault){.start_countdown = n, .is_lasting = true, .code = -EIO});
    rc = coll_run(file, verb, access.runs, access.n, NULL, &bytes, &error);
    rc = agreed(rc, &error);
    CHECK(rc == 0 || rc == -EIO);
    if (n == 1) /* later on a rank may not have come to its n-th transfer */
        CHECK(rc == (any(fault.has_struck) ? -EIO : 0));
    if (rc == 0 && verb == COLL_READ)
        CHECK(access_holds(&access, test.seed, FILE_SIZE));
    if (rc != 0 && n == 1)
        CHECK(bytes == 0);
    if (verb == COLL_READ)
        CHECK(bytes <= bytes_read(&access) + FILE_SIZE / 64); /* 0xa5 data */
    else
        CHECK(sum_of(bytes) <= bytes_written());
    fault_set((struct fault){0});
    access_fini(&access);
    file_fill(test.seed, FILE_SIZE);
    read_all_right(file, shape);
}

static void fail_short_write(struct adio_file *file)
{
    test.what = "a short write";
    fail_once(file, COLL_WRITE, ROWS, 0,
              (struct fault){.short_countdown = 2, .code = -EIO});
}

static void fail_before(struct adio_file *file)
{
    struct access access;
    struct adio_error local = {0}, error;
    uint64_t bytes;
    int rc;

    test.what = "an error before the start";
    make_access(&access, ROWS);
    if (test.rank >= test.size / 2)
        adio_error_set(&local, -EBADF, "rank %d is not open", test.rank);
    rc = coll_run(file, COLL_READ, access.runs, access.n,
                  local.code != 0 ? &local : NULL, &bytes, &error);
    CHECK(agreed(rc, &error) == -EBADF);
    CHECK(atoi(error.text + 5) == test.size / 2);
    CHECK(bytes == 0);
    access_fini(&access);
    read_all_right(file, ROWS);
}

/* Fail allocation 0 of one rank, which the spare operation stands in for, then
 * 1, 2, 3 ... until the collective survives. */
static void fail_memory(struct adio_file *file, enum coll_verb verb,
                        enum shape shape, int where)
{
    int n, nfine = 0, rc = -1;

    test.what = "an allocation that fails";
    for (n = 0; n < MEM_FAULTS_MAX && nfine < 4; n++) {
        if (test.rank == where)
            mem_fault_set(n);
        rc = run_faulty(file, verb, shape);
        CHECK(rc == 0 || (rc == -ENOMEM && n > 0));
        /* Fine for want of a failure, not because another took over. */
        nfine = rc == 0 && sum_of(file->explain.takeovers) == 0 ? nfine + 1 : 0;
    }
    CHECK(rc == 0);
    CHECK(n > 6);
}

/* What a file keeps: all ranks fail to make it, or none. */
static void fail_prepare(struct adio_file *file)
{
    int n, rc = -1, most;

    test.what = "an allocation that fails in coll_prepare";
    for (n = 0; n < MEM_FAULTS_MAX && rc != 0; n++) {
        if (test.rank == test.size - 1)
            mem_fault_set(n);
        rc = coll_prepare(file);
        mem_fault_set(-1);
        MPI_Allreduce(&rc, &most, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
        CHECK(rc == most && (rc == 0 || rc == -ENOMEM));
    }
    CHECK(n == 7);
}

void test_faults(uint64_t seed)
{
    struct adio_file file;

    test.seed = seed;
    file_fill(seed, FILE_SIZE);
    file_open(&file);
    fail_prepare(&file);
    fail_before(&file);
    for (int strategy = 0; strategy <= ADIO_STRATEGY_INDEPENDENT; strategy++) {
        file.hints.strategy = (enum adio_strategy)strategy;
        file.hints.cb_buffer_size = 20000;
        file.hints.cb_nodes = (uint32_t)(test.size < 3 ? test.size : 3);
        for (int shape = 0; shape < SHAPES; shape++) {
            if (shape == PIECES && strategy != ADIO_STRATEGY_AUTOMATIC)
                continue; /* as ALIKE */
            fail_everywhere(&file, COLL_READ, (enum shape)shape);
            for (int n = 1; n <= 4; n++)
                lose_all(&file, COLL_READ, (enum shape)shape, n);
            fail_memory(&file, COLL_READ, (enum shape)shape, 0);
            fail_memory(&file, COLL_READ, (enum shape)shape, test.size - 1);
        }
        fail_everywhere(&file, COLL_WRITE, ROWS);
        for (int n = 1; n <= 4; n++)
            lose_all(&file, COLL_WRITE, ROWS, n);
        fail_memory(&file, COLL_WRITE, ROWS, test.size - 1);
        if (strategy == ADIO_STRATEGY_TWO_PHASE)
            fail_short_write(&file);
    }
    file.hints.strategy = ADIO_STRATEGY_AUTOMATIC; /* each may write for all */
    file.hints.cb_buffer_size = 4096;
    file.hints.cb_nodes = 0;
    fail_everywhere(&file, COLL_WRITE, ALIKE);
    fault.layout.cheap_piece = 1; /* one step of a rank at a time */
    fail_everywhere(&file, COLL_READ, ALIKE);
    for (int n = 1; n <= 4; n++)
        lose_all(&file, COLL_READ, ALIKE, n);
    fail_memory(&file, COLL_READ, ALIKE, test.size - 1);
    fault.layout.cheap_piece = 0;
    file_close(&file);
}
