/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a collective costs a rank as ranks grow: messages, bytes sent and
 * memory, each the most of any rank, at 4, 16 and all ranks of one job (64 in
 * `make check`). Every rank moves the same however many there are, and one rank
 * in four aggregates, so what grows is the engine's own.
 *
 *     test_coll_scale PATH
 *
 * Checked: nothing grows faster than the logarithm of the ranks, but for the
 * messages of two-phase, of which there may be as many as an aggregator has
 * pieces to deal out: a header and the data for each, some cut in two. That is
 * data, and the same for any number of ranks.
 */
#include "test_coll.h"

#include "adio/common/coll_op.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALARM_S 280
#define BLOCK 1000
#define BLOCKS 64
#define BYTES (BLOCK * BLOCKS)
#define SHARE_OF_RANKS 4 /* that an aggregator serves, so to say */
#define MESSAGES_MOST (3 * SHARE_OF_RANKS * BLOCKS)

struct test test;
struct fault fault;

struct cost {
    uint64_t messages;
    uint64_t sent;
    uint64_t memory;
};

/* Blocks dealt out to the ranks; one range that all read; the same blocks. */
enum shape { DEALT, RANGE, PIECES };

/* X(word, strategy, shape, by the ring) */
#define CASES(X)                                                               \
    X("two-phase, messages", TWO_PHASE, DEALT, false)                          \
    X("share, messages", SHARE, RANGE, false)                                  \
    X("direct", DIRECT, DEALT, false)                                          \
    X("share, shared memory", AUTOMATIC, RANGE, true)                          \
    X("share, pieces, shared memory", AUTOMATIC, PIECES, true)                 \
    X("stream, shared memory", AUTOMATIC, DEALT, true)

static const struct {
    const char *word;
    enum adio_strategy strategy;
    enum shape shape;
    bool is_ring;
} cases[] = {
#define X(word, strategy, shape, is_ring)                                      \
    {word, ADIO_STRATEGY_##strategy, shape, is_ring},
    CASES(X)
#undef X
};

#define NCASES (int)(sizeof(cases) / sizeof(cases[0]))

const struct adio_driver *fault_driver(void)
{
    return test.driver;
}

static void open_on(struct adio_file *file, MPI_Comm comm)
{
    struct adio_error error;

    *file = (struct adio_file){.driver = test.driver, .comm = comm};
    file->path = file->display = test.path;
    MPI_Comm_rank(comm, &file->rank);
    MPI_Comm_size(comm, &file->size);
    CHECK(test.driver->open(file, test.path, ADIO_READ | ADIO_WRITE, NULL,
                            &error) == 0);
    CHECK(coll_prepare(file) == 0);
}

/* The second of two reads, so that what is made once a file is not counted. */
static void measure(MPI_Comm comm, int which, struct cost *cost_out)
{
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t mine[3], most[3], bytes;
    uint64_t ranks, rank;

    open_on(&file, comm);
    ranks = (unsigned)file.size;
    rank = (unsigned)file.rank;
    file.hints.strategy = cases[which].strategy;
    file.hints.cb_nodes = (uint32_t)ranks / SHARE_OF_RANKS;
    file.hints.cb_buffer_size = 32768;
    ((struct coll_kept *)file.coll)->is_ring_refused = !cases[which].is_ring;
    for (int i = 0; i < 2; i++) {
        access_init(&access, BYTES);
        if (cases[which].shape == RANGE)
            access_add(&access, 0, BYTES, 0, 1, 0, 0);
        else if (cases[which].shape == PIECES)
            access_add(&access, 0, BLOCK, 2 * BLOCK, BLOCKS, 0, BLOCK);
        else
            access_add(&access, rank * BLOCK, BLOCK, ranks * BLOCK, BLOCKS - i,
                       0, BLOCK);
        CHECK(coll_run(&file, COLL_READ, access.runs, 1, NULL, &bytes,
                       &error) == 0);
        CHECK(access_holds(&access, test.seed, UINT64_MAX));
        access_fini(&access);
    }
    mine[0] = file.explain.messages;
    mine[1] = file.explain.bytes_exchanged;
    mine[2] = file.explain.memory;
    MPI_Allreduce(mine, most, 3, MPI_UINT64_T, MPI_MAX, comm);
    *cost_out = (struct cost){most[0], most[1], most[2]};
    coll_forget(&file);
    test.driver->close(&file, &error);
}

static uint64_t log2_of(int n)
{
    uint64_t log = 0;

    while ((1 << log) < n)
        log++;
    return log;
}

/* As many more times as the logarithm has grown, at most, and a little. */
static void check_growth(const struct cost *few, int nfew,
                         const struct cost *many, int nmany)
{
    uint64_t a = log2_of(nfew), b = log2_of(nmany);

    CHECK(many->messages <= (few->messages + 4) * b / a ||
          many->messages <= MESSAGES_MOST);
    CHECK(many->sent <= (few->sent + BYTES) * b / a);
    CHECK(many->memory <= (few->memory + 4096) * b / a);
}

int main(int argc, char **argv)
{
    static const int sizes[] = {4, 16, 64};
    struct cost costs[NCASES][3] = {{{0}}};
    uint64_t failures;
    int n = 0;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    if (argc != 2)
        MPI_Abort(MPI_COMM_WORLD, 2);
    alarm(ALARM_S);
    test.driver = ad_posix();
    test.seed = 3;
    test.what = "costs of ranks";
    snprintf(test.path, sizeof(test.path), "%s", argv[1]);
    file_fill(test.seed, (uint64_t)BYTES * (uint64_t)test.size);
    for (n = 0; n < 3 && sizes[n] <= test.size; n++) {
        MPI_Comm comm;
        bool is_in = test.rank < sizes[n];

        MPI_Comm_split(MPI_COMM_WORLD, is_in ? 0 : MPI_UNDEFINED, test.rank,
                       &comm);
        for (int i = 0; i < NCASES && is_in; i++)
            measure(comm, i, &costs[i][n]);
        if (is_in)
            MPI_Comm_free(&comm);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    if (test.rank == 0)
        printf("%-28s %5s %9s %12s %10s\n", "most of any rank", "ranks",
               "messages", "bytes sent", "memory");
    for (int i = 0; i < NCASES && test.rank == 0; i++)
        for (int k = 0; k < n; k++) {
            printf("%-28s %5d %9llu %12llu %10llu\n", cases[i].word, sizes[k],
                   (unsigned long long)costs[i][k].messages,
                   (unsigned long long)costs[i][k].sent,
                   (unsigned long long)costs[i][k].memory);
            if (k > 0)
                check_growth(&costs[i][0], sizes[0], &costs[i][k], sizes[k]);
        }
    failures = sum_of((unsigned)test.failures);
    if (test.rank == 0)
        file_delete();
    MPI_Finalize();
    return failures != 0;
}
