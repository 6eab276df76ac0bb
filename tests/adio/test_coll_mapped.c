/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads out of the mapped page cache: what is said of them, files that grow,
 * and pages that give way under a copy, when all goes on as if there were none.
 */
#include "test_coll.h"

#include "adio/ad_posix/posix_fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_SIZE (300u << 10)
#define CUT (100001u) /* in the middle of a page */
#define MEM_FAULTS_MAX 100

/* What a rank asks for. */
enum shape {
    ALIKE,  /* everybody all of the file */
    TAILS,  /* and each somewhat less than the one before */
    PIECES, /* everybody the same pieces */
    ROWS,   /* of 1000 bytes, dealt out to the ranks */
    APART,  /* two pieces with a hole, of which the second is everybody's */
    SHAPES
};

static void make_access(struct access *access, enum shape shape)
{
    uint64_t rank = (unsigned)test.rank, ranks = (unsigned)test.size;

    access_init(access, FILE_SIZE);
    if (shape == ALIKE)
        access_add(access, 0, FILE_SIZE, 0, 1, 0, 0);
    else if (shape == TAILS)
        access_add(access, 0, FILE_SIZE - rank * 999, 0, 1, 0, 0);
    else if (shape == ROWS)
        access_add(access, rank * 1000, 1000, ranks * 1000,
                   FILE_SIZE / 1000 / ranks, 0, 1000);
    for (uint64_t i = 0; shape == PIECES && i < 15; i++)
        access_add(access, i * 20000, 9000 + i, 0, 1, (14 - i) * 10000, 0);
    if (shape == APART) {
        access_add(access, rank * 5000, 3000, 0, 1, 0, 0);
        access_add(access, 200000, 50000, 0, 1, 3000, 0);
    }
}

static bool may_be_mapped(void)
{
    static int is_coherent = -1;
    int fd;

    if (is_coherent < 0) {
        fd = open(test.path, O_RDONLY);
        is_coherent = posix_fs_of(fd) == POSIX_FS_COHERENT;
        close(fd);
    }
    return test.size > 1 && nodes_here() == 1 && is_coherent == 1;
}

/* One read of a file of `size` bytes. @return the code all agreed on. */
static int read_shape(struct adio_file *file, enum shape shape, uint64_t size)
{
    struct access access;
    struct adio_error error = {0};
    uint64_t bytes;
    int rc;

    make_access(&access, shape);
    rc = coll_run(file, COLL_READ, access.runs, access.n, NULL, &bytes, &error);
    mem_fault_set(-1);
    rc = agreed(rc, &error);
    if (rc == 0) {
        CHECK(bytes == access_bytes_below(&access, size));
        CHECK(access_holds(&access, test.seed, size));
    }
    access_fini(&access);
    return rc;
}

/* What the engine says of a read in which all ranks copied. */
static bool is_said_to_be_mapped(const struct adio_file *file)
{
    const struct adio_explain *explain = &file->explain;

    return explain->strategy == ADIO_STRATEGY_SHARE &&
           strstr(explain->why, "from the mapped page cache") != NULL &&
           explain->bytes_storage == 0 &&
           explain->bytes_mapped == explain->bytes_delivered &&
           explain->messages == 0 && explain->aggregators == 0;
}

/* The first of these reads, the same again and again, in which ranks copy; or
 * none. Unless told so they map only what is large and was read before. */
static int first_mapped(enum shape shape, enum adio_toggle how)
{
    bool is_large = shape == ALIKE || shape == TAILS;

    if (!may_be_mapped() || how == ADIO_DISABLE ||
        (how == ADIO_AUTOMATIC && !is_large))
        return INT_MAX;
    return how == ADIO_AUTOMATIC ? 1 : 0;
}

static void test_each_copies_its_own(void)
{
    struct adio_file file;

    test.what = "mapped reads";
    for (int shape = 0; shape < SHAPES; shape++)
        for (int how = ADIO_AUTOMATIC; how <= ADIO_DISABLE; how++) {
            int first = first_mapped((enum shape)shape, (enum adio_toggle)how);

            file_open(&file);
            file.hints.map_reads = (enum adio_toggle)how;
            for (int i = 0; i < 4; i++) {
                CHECK(read_shape(&file, (enum shape)shape, FILE_SIZE) == 0);
                CHECK(is_said_to_be_mapped(&file) == (i >= first));
                if (i >= first)
                    CHECK(file.explain.plans_reused == (i > first));
                else
                    CHECK(file.explain.bytes_mapped == 0);
            }
            file_close(&file);
        }
}

/* What is read only now and then goes through the ring. */
static void test_what_changes_is_not_mapped(void)
{
    struct adio_file file;

    test.what = "reads that take turns";
    file_open(&file);
    file.hints.map_reads = ADIO_AUTOMATIC;
    for (int i = 0; i < 6; i++) {
        CHECK(read_shape(&file, i % 2 == 0 ? ALIKE : TAILS, FILE_SIZE) == 0);
        CHECK(file.explain.bytes_mapped == 0);
    }
    file_close(&file);
}

/* Hints that say who is to read, or how, are heeded. */
static void test_other_hints_go_before(void)
{
    struct adio_file file;

    test.what = "mapped reads and other hints";
    file_open(&file);
    file.hints.map_reads = ADIO_ENABLE;
    file.hints.cb_nodes = 1;
    CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
    CHECK(sum_of(file.explain.bytes_storage) == FILE_SIZE);
    file.hints.cb_nodes = 0;
    file.hints.cb_read = ADIO_ENABLE;
    CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
    CHECK(sum_of(file.explain.bytes_storage) == FILE_SIZE);
    file.hints.cb_read = ADIO_AUTOMATIC;
    file.hints.strategy = ADIO_STRATEGY_TWO_PHASE;
    CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
    CHECK(sum_of(file.explain.bytes_storage) == FILE_SIZE);
    file_close(&file);
}

/* One rank that may not map, and all go the other way. */
static void test_all_must_agree(void)
{
    struct adio_file file;

    test.what = "one rank may not map";
    file_open(&file);
    for (int i = 0; i < 4; i++) {
        file.hints.map_reads = i % 2 == 1 && test.rank == test.size / 2
                                   ? ADIO_DISABLE
                                   : ADIO_ENABLE;
        CHECK(read_shape(&file, TAILS, FILE_SIZE) == 0);
        CHECK(is_said_to_be_mapped(&file) == (i % 2 == 0 && may_be_mapped()));
        if (i % 2 == 1)
            CHECK(sum_of(file.explain.bytes_storage) == FILE_SIZE);
    }
    file_close(&file);
}

static void test_a_file_that_grows_is_seen_to(void)
{
    struct adio_file file;
    uint64_t sizes[] = {0, 1, 4095, 70000, 70001, FILE_SIZE};

    test.what = "a file that grows";
    file_open(&file);
    file.hints.map_reads = ADIO_ENABLE;
    for (int i = 0; i < 6; i++)
        for (int again = 0; again < 2; again++) {
            file_fill(test.seed, sizes[i]);
            CHECK(read_shape(&file, TAILS, sizes[i]) == 0);
            CHECK(is_said_to_be_mapped(&file) == may_be_mapped());
        }
    file_close(&file);
}

/* Rank 0: is any page of the file in memory? */
static bool is_cached(void)
{
    int fd = open(test.path, O_RDONLY);
    void *base = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char pages[FILE_SIZE / 4096 + 1];
    bool is = false;

    CHECK(base != MAP_FAILED);
    CHECK(mincore(base, FILE_SIZE, pages) == 0);
    for (long i = 0; i < FILE_SIZE / sysconf(_SC_PAGESIZE); i++)
        is |= (pages[i] & 1) != 0;
    munmap(base, FILE_SIZE);
    close(fd);
    return is;
}

static bool drop_pages(void)
{
    int is_dropped = 0;

    if (test.rank == 0) {
        int fd = open(test.path, O_RDWR);

        CHECK(fsync(fd) == 0);
        CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
        close(fd);
        is_dropped = !is_cached();
    }
    MPI_Bcast(&is_dropped, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return is_dropped != 0;
}

/* What is not in memory is read by the ring, once; or, if so told, mapped. */
static void read_dropped(enum adio_toggle how)
{
    struct adio_file file;

    file_open(&file);
    file.hints.map_reads = ADIO_DISABLE;
    CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0); /* the next is a repeat */
    file.hints.map_reads = how;
    if (drop_pages()) {
        CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
        if (how == ADIO_AUTOMATIC || !may_be_mapped())
            CHECK(sum_of(file.explain.bytes_storage) == FILE_SIZE);
        else
            CHECK(is_said_to_be_mapped(&file));
        CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
        CHECK(is_said_to_be_mapped(&file) == may_be_mapped());
    } else if (test.rank == 0) {
        printf("left out: the pages of this file cannot be dropped\n");
    }
    file_close(&file);
}

static void test_what_is_not_there_is_read_once(void)
{
    test.what = "pages that are not in memory";
    read_dropped(ADIO_AUTOMATIC);
    read_dropped(ADIO_ENABLE);
}

/* Read all of the file, while rank `where` has it cut as soon as it begins to
 * copy. Memory beyond the count is anybody's. @return the count. */
static uint64_t read_cut(struct adio_file *file, int where)
{
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    if (test.rank == where)
        fault_set((struct fault){.is_cutting = true, .cut = CUT});
    make_access(&access, ALIKE);
    CHECK(coll_run(file, COLL_READ, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    fault_set((struct fault){0});
    for (uint64_t i = 0; i < bytes; i++)
        if (access.memory[i] != pattern(test.seed, i)) {
            CHECK(!"a byte that was counted is wrong");
            break;
        }
    access_fini(&access);
    return bytes;
}

/* The file is cut when all have agreed to map: the ring finds out, for all. */
static void test_a_cut_under_the_copy_gives_a_short_read(void)
{
    struct adio_file file;

    test.what = "a cut under the copy";
    for (int where = 0; may_be_mapped() && where < test.size; where++) {
        file_open(&file);
        file.hints.map_reads = ADIO_ENABLE;
        CHECK(read_cut(&file, where) == CUT);
        CHECK(!is_said_to_be_mapped(&file));
        CHECK(sum_of(file.explain.bytes_storage) == CUT);
        file_fill(test.seed, FILE_SIZE);
        CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
        CHECK(is_said_to_be_mapped(&file));
        file_close(&file);
    }
}

/* The same of one that goes ahead: who copied before had it all. */
static void test_a_cut_under_a_repeated_copy(void)
{
    struct adio_file file;
    uint64_t bytes;

    test.what = "a cut under a repeated copy";
    for (int where = 0; may_be_mapped() && where < test.size; where++) {
        file_open(&file);
        file.hints.map_reads = ADIO_ENABLE;
        CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
        bytes = read_cut(&file, where);
        CHECK(bytes == CUT || (bytes == FILE_SIZE && test.rank != where));
        file_fill(test.seed, FILE_SIZE);
        CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
        file_close(&file);
    }
}

/* A mapping that fails on one rank is made good; a device that is lost on all
 * is one error. */
static void fail_mapped(struct adio_file *file, enum shape shape, int where)
{
    struct fault faults[] = {
        {.start_countdown = 1, .code = -EIO},
        {.test_countdown = 1, .code = -EIO},
        {.test_countdown = 1, .is_lasting = true, .code = -EIO},
    };
    bool has_struck;

    for (int i = 0; i < 3; i++) {
        if (test.rank == where || where < 0)
            fault_set(faults[i]);
        has_struck = read_shape(file, shape, FILE_SIZE) != 0;
        CHECK(has_struck == (where < 0 && i == 2));
        fault_set((struct fault){0});
        CHECK(read_shape(file, shape, FILE_SIZE) == 0);
    }
}

static void test_what_fails_goes_by_the_ring(void)
{
    struct adio_file file;

    test.what = "a mapping that fails";
    file_open(&file);
    file.hints.map_reads = ADIO_ENABLE;
    for (int shape = 0; may_be_mapped() && shape < SHAPES; shape++) {
        CHECK(read_shape(&file, (enum shape)shape, FILE_SIZE) == 0);
        for (int where = -1; where < test.size; where++)
            fail_mapped(&file, (enum shape)shape, where);
    }
    file_close(&file);
}

/* Fail allocation 1, 2, 3 ... of one rank until the read survives. */
static void test_memory_that_fails(void)
{
    struct adio_file file;
    int n, rc = -1, nfine = 0;

    test.what = "a mapped read without memory";
    file_open(&file);
    file.hints.map_reads = ADIO_ENABLE;
    CHECK(read_shape(&file, ALIKE, FILE_SIZE) == 0);
    for (n = 1; n < MEM_FAULTS_MAX && nfine < 4; n++) {
        if (test.rank == test.size - 1)
            mem_fault_set(n);
        rc = read_shape(&file, TAILS, FILE_SIZE);
        CHECK(rc == 0 || rc == -ENOMEM);
        nfine = rc == 0 ? nfine + 1 : 0;
    }
    CHECK(rc == 0);
    file_close(&file);
}

void test_mapped(uint64_t seed)
{
    test.seed = seed;
    file_fill(seed, FILE_SIZE);
    test_each_copies_its_own();
    test_what_changes_is_not_mapped();
    test_other_hints_go_before();
    test_all_must_agree();
    test_a_file_that_grows_is_seen_to();
    test_what_is_not_there_is_read_once();
    test_a_cut_under_the_copy_gives_a_short_read();
    test_a_cut_under_a_repeated_copy();
    test_what_fails_goes_by_the_ring();
    test_memory_that_fails();
}
