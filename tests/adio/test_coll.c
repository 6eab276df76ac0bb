/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The collective engine over ad_posix, or ad_capstan for a path that begins
 * with capstan:, under mpirun:
 *     test_coll SEED ROUNDS PATH
 * Every rank has an alarm: a hang is a failure, not a wait.
 */
#include "test_coll.h"

#include "adio/common/coll_nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALARM_S 400
#define MIB (1u << 20)

struct test test;

uint64_t nodes_here(void)
{
    const char *pretended = getenv("CAPSTAN_NODE_RANKS");
    uint64_t ranks = (unsigned)test.size;
    uint64_t each = pretended != NULL ? strtoull(pretended, NULL, 10) : ranks;

    return (ranks + each - 1) / each;
}

/* All ranks read the same 8 MiB: they leave storage once. */
static void test_alike_reads_leave_storage_once(void)
{
    static const enum adio_strategy strategies[] = {
        ADIO_STRATEGY_AUTOMATIC, ADIO_STRATEGY_SHARE, ADIO_STRATEGY_TWO_PHASE};
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    test.what = "all read the same 8 MiB";
    file_fill(test.seed, 8 * MIB);
    file_open(&file);
    for (int i = 0; i < 3; i++) {
        file.hints.strategy = strategies[i];
        access_init(&access, 8 * MIB);
        access_add(&access, 0, 8 * MIB, 0, 1, 0, 0);
        CHECK(coll_run(&file, COLL_READ, access.runs, access.n, NULL, &bytes,
                       &error) == 0);
        CHECK(bytes == 8 * MIB);
        CHECK(access_holds(&access, test.seed, 8 * MIB));
        CHECK(sum_of(file.explain.bytes_storage) == 8 * MIB);
        if (i == 0 && test.size > 1)
            CHECK(file.explain.strategy == ADIO_STRATEGY_SHARE);
        /* Every other node than the aggregators' is sent them once. */
        CHECK(sum_of(file.explain.bytes_between_nodes) <=
              (nodes_here() - 1) * 8 * MIB);
        access_fini(&access);
    }
    CHECK(file.explain.collectives == 3);
    CHECK(file.explain.bytes_delivered_total == 24 * MIB);
    file_close(&file);
}

/* All ranks read the same pieces, out of order in memory: they leave storage
 * once and, on one node, reach the ranks without a message. */
static void test_alike_lists_leave_storage_once(void)
{
    const uint64_t pieces = 40, length = 3000, all = pieces * length;
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    test.what = "all read the same pieces";
    file_fill(test.seed, MIB);
    file_open(&file);
    file.hints.cb_buffer_size = 4096;
    access_init(&access, all);
    for (uint64_t i = 0; i < pieces; i++)
        access_add(&access, i * 7000 + i % 3, length, 0, 1,
                   i * 7 % pieces * length, 0);
    for (int i = 0; i < 2; i++) {
        memset(access.memory, UNTOUCHED, all);
        CHECK(coll_run(&file, COLL_READ, access.runs, access.n, NULL, &bytes,
                       &error) == 0);
        CHECK(bytes == all);
        CHECK(access_holds(&access, test.seed, MIB));
        CHECK(sum_of(file.explain.bytes_storage) == all);
        if (test.size > 1 && nodes_here() == 1)
            CHECK(sum_of(file.explain.messages) == 0);
    }
    access_fini(&access);
    file_close(&file);
}

/* One read of rows, of which one rank may want others than the rest. */
static void read_rows(struct adio_file *file, uint64_t rows, bool is_other)
{
    uint64_t rank = (unsigned)test.rank, size = (unsigned)test.size;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    access_init(&access, rows * 3000);
    if (is_other)
        rank = 0;
    access_add(&access, rank * 3000, 3000, size * 3000, rows, 0, 3000);
    CHECK(coll_run(file, COLL_READ, access.runs, 1, NULL, &bytes, &error) == 0);
    CHECK(bytes == rows * 3000);
    CHECK(access_holds(&access, test.seed, MIB));
    access_fini(&access);
}

/* What is no transfer is agreed on by the same way: the largest word, or the
 * lowest failing rank's error. */
static void test_agreement_takes_lowest_rank(void)
{
    struct adio_file file;
    struct adio_error error = {0};
    uint32_t word;

    test.what = "an agreement";
    file_fill(test.seed, MIB);
    file_open(&file);
    for (int i = 0; i < 3; i++) {
        bool is_failing = i == 1 && test.rank >= test.size / 2;

        word = 5 + (unsigned)test.rank;
        error.code = 0;
        if (is_failing)
            adio_error_set(&error, -EBADF, "rank %d", test.rank);
        CHECK(coll_agree(&file, &word, &error) == (i == 1 ? -EBADF : 0));
        CHECK(word == 5 + (unsigned)test.size - 1);
        if (i == 1)
            CHECK(atoi(error.text + 5) == test.size / 2);
        read_rows(&file, 5, false); /* the first one makes the boards */
    }
    CHECK(file.explain.collectives == 3);
    file_close(&file);
}

static enum adio_strategy strategy_of(uint64_t offset, uint64_t length,
                                      uint64_t stride, uint64_t count)
{
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    file_open(&file);
    access_init(&access, length * count);
    access_add(&access, offset, length, stride, count, 0, (int64_t)length);
    CHECK(coll_run(&file, COLL_READ, access.runs, access.n, NULL, &bytes,
                   &error) == 0);
    access_fini(&access);
    file_close(&file);
    return file.explain.strategy;
}

static void test_strategy_follows_access(void)
{
    uint64_t rank = (unsigned)test.rank, size = (unsigned)test.size;

    test.what = "strategy by access";
    file_fill(test.seed, MIB);
    if (test.size == 1) {
        CHECK(strategy_of(0, 10, 20, 50) == ADIO_STRATEGY_DIRECT);
        return;
    }
    CHECK(strategy_of(0, 5000, 0, 1) == ADIO_STRATEGY_SHARE);
    CHECK(strategy_of(rank * MIB, MIB, 0, 1) == ADIO_STRATEGY_DIRECT);
    CHECK(strategy_of(rank * 100, 100, size * 100, 20) ==
          ADIO_STRATEGY_TWO_PHASE);
    CHECK(strategy_of(rank * 65536, 65536, size * 65536, 4) ==
          ADIO_STRATEGY_DIRECT);
    CHECK(strategy_of(rank * 65536, 200000, 0, 1) == ADIO_STRATEGY_TWO_PHASE);
    CHECK(strategy_of(rank * 10, 10, 0, 1) == ADIO_STRATEGY_TWO_PHASE);
}

/* Pieces that are cheap go to storage directly, the second time before anybody
 * is asked; when a rank then wants something else all is right still, and what
 * overlaps is read once the next time. */
static void test_repeated_access_is_read_ahead(void)
{
    uint64_t size = (unsigned)test.size, all = 10 * 3000 * size;
    bool is_last = test.rank == test.size - 1;
    struct adio_file file;

    test.what = "the same access again";
    fault.layout.cheap_piece = 2000;
    file_fill(test.seed, MIB);
    file_open(&file);
    for (int i = 0; i < 3; i++) {
        read_rows(&file, 10, false);
        CHECK(file.explain.strategy == ADIO_STRATEGY_DIRECT);
        CHECK(sum_of(file.explain.bytes_storage) == all);
    }
    if (test.size > 1)
        CHECK(file.explain.messages == 0);
    read_rows(&file, 10, is_last);
    read_rows(&file, 10, is_last);
    if (test.size > 2)
        CHECK(sum_of(file.explain.bytes_storage) == all - 10 * 3000);
    read_rows(&file, 5, false);
    read_rows(&file, 5, false);
    CHECK(file.explain.strategy == ADIO_STRATEGY_DIRECT);
    file_close(&file);
    fault.layout.cheap_piece = 0;
}

/* One read of every other row; the last rank may want those of rank 0. */
static uint64_t read_with_holes(struct adio_file *file, bool is_same)
{
    bool is_other = is_same && test.rank == test.size - 1;
    uint64_t size = (unsigned)test.size;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    access_init(&access, 12000);
    access_add(&access, is_other ? 0 : (unsigned)test.rank * 2000, 1000,
               size * 2000, 8, 0, 1000);
    CHECK(coll_run(file, COLL_READ, access.runs, 1, NULL, &bytes, &error) == 0);
    CHECK(bytes == 8000);
    CHECK(access_holds(&access, test.seed, MIB));
    access_fini(&access);
    return sum_of(file->explain.bytes_storage);
}

/* Where lists are cheap and the boards of a node show that no byte is wanted
 * twice, each rank reads its own; and not where one is. */
static void test_ranks_apart_read_for_themselves(void)
{
    uint64_t all = 8000 * (uint64_t)test.size;
    bool is_one_node = nodes_here() == 1;
    struct adio_file file;

    test.what = "ranks apart, with holes";
    fault.layout.listed_piece = 1000;
    file_fill(test.seed, MIB);
    file_open(&file);
    for (int i = 0; i < 3; i++) {
        CHECK(read_with_holes(&file, false) == all);
        if (test.size > 1 && is_one_node) /* the first makes the boards */
            CHECK(file.explain.strategy ==
                  (i > 0 ? ADIO_STRATEGY_DIRECT : ADIO_STRATEGY_TWO_PHASE));
    }
    if (test.size > 1)
        CHECK(read_with_holes(&file, true) == all - 8000);
    CHECK(read_with_holes(&file, false) == all);
    file_close(&file);
    fault.layout.listed_piece = 0;
}

/* Two-phase by messages: the second time nothing is asked, into other memory,
 * and for reads as well as writes; another access in between is no harm. */
static void test_same_requests_are_not_sent_again(void)
{
    static const uint64_t rows[] = {20, 20, 20, 10, 10, 20};
    static const uint64_t reused[] = {0, 1, 1, 0, 1, 0};
    struct adio_file file;

    test.what = "the same requests again";
    file_fill(test.seed, MIB);
    file_open(&file);
    file.hints.strategy = ADIO_STRATEGY_TWO_PHASE;
    file.hints.cb_buffer_size = 20000;
    for (int i = 0; i < 6; i++) {
        read_rows(&file, rows[i], false);
        CHECK(file.explain.plans_reused == reused[i]);
    }
    CHECK(file.explain.plans_reused_total == 3);
    file_close(&file);
}

/* Two operations under way, stepped in another order on every other rank. */
static void test_two_under_way_are_stepped_in_any_order(void)
{
    struct adio_file file;
    struct access access[2];
    struct coll_op *ops[2];
    struct adio_error error;
    uint64_t bytes;
    int i, first = test.rank % 2;

    test.what = "two under way";
    file_fill(test.seed, MIB);
    file_open(&file);
    file.hints.cb_buffer_size = 30000;
    for (i = 0; i < 2; i++) {
        access_init(&access[i], MIB);
        access_add(&access[i], i == 0 ? 0 : (unsigned)test.rank * 100, 100,
                   1000, 1000, 0, 100);
        coll_start(&file, COLL_READ, access[i].runs, 1, NULL, &ops[i]);
    }
    for (i = 0; i < 2; i++) {
        struct coll_op **op = &ops[(first + i) % 2];

        while (!coll_step(*op))
            file.driver->idle(&file);
        CHECK(coll_finish(op, &bytes, &error) == 0);
        CHECK(access_holds(&access[(first + i) % 2], test.seed, MIB));
    }
    access_fini(&access[0]);
    access_fini(&access[1]);
    file_close(&file);
}

/* All ranks write from 0 on, each further than the last one: what several would
 * write leaves one of them, also where slots of the ring are used again. */
static void test_overlapping_writes_reach_storage_once(void)
{
    uint64_t length = 200000 + 30000 * (uint64_t)test.rank;
    uint64_t all = 200000 + 30000 * (uint64_t)(test.size - 1);
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    test.what = "writes that overlap";
    file_fill(test.seed, MIB);
    file_open(&file);
    file.hints.cb_buffer_size = 4096;
    access_init(&access, length);
    access_add(&access, 0, length, 0, 1, 0, 0);
    for (unsigned i = 1; i < 4; i++) {
        access_load(&access, test.seed + i);
        CHECK(coll_run(&file, COLL_WRITE, access.runs, 1, NULL, &bytes,
                       &error) == 0);
        CHECK(bytes == length);
        CHECK(sum_of(file.explain.bytes_storage) == all);
        memset(access.memory, UNTOUCHED, length);
        CHECK(coll_run(&file, COLL_READ, access.runs, 1, NULL, &bytes,
                       &error) == 0);
        CHECK(access_holds(&access, test.seed + i, MIB));
    }
    access_fini(&access);
    file_close(&file);
}

/* All ranks read from 0 on, each further than the last one, out of a local page
 * cache, where one step at a time is under way: each byte leaves storage once,
 * also at the end of the file and where slots are used again. */
static void test_overlapping_reads_leave_storage_once(void)
{
    static const uint64_t sizes[] = {MIB, 250000, 10};
    uint64_t length = 200000 + 30001 * (uint64_t)test.rank;
    uint64_t all = 200000 + 30001 * (uint64_t)(test.size - 1);
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    test.what = "reads that overlap";
    fault.layout.cheap_piece = 2000;
    for (int i = 0; i < 3; i++) {
        file_fill(test.seed, sizes[i]);
        file_open(&file);
        file.hints.cb_buffer_size = 4096;
        access_init(&access, length);
        if (test.size < 4 || test.rank > 0) /* one may want nothing */
            access_add(&access, 0, length, 0, 1, 0, 0);
        for (int k = 0; k < 3; k++) {
            memset(access.memory, UNTOUCHED, length);
            CHECK(coll_run(&file, COLL_READ, access.runs, access.n, NULL,
                           &bytes, &error) == 0);
            CHECK(bytes == access_bytes_below(&access, sizes[i]));
            CHECK(access_holds(&access, test.seed, sizes[i]));
            CHECK(sum_of(file.explain.bytes_storage) ==
                  (all < sizes[i] ? all : sizes[i]));
        }
        access_fini(&access);
        file_close(&file);
    }
    fault.layout.cheap_piece = 0;
}

/* By messages too: of ranks that write the same the nearest to the aggregator
 * sends it, which is the aggregator itself; a tail is its rank's own. */
static void test_equal_writes_are_sent_once(void)
{
    const uint64_t all = 200000, tail = 1000;
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes;

    test.what = "equal writes by messages";
    file_fill(test.seed, MIB);
    file_open(&file);
    file.hints.strategy = ADIO_STRATEGY_TWO_PHASE;
    file.hints.cb_buffer_size = 20000;
    for (uint64_t i = 0; i < 2; i++) {
        access_init(&access, all + tail);
        access_add(&access, 500, all, 0, 1, 0, 0);
        if (i == 1)
            access_add(&access, 500 + all + (unsigned)test.rank * tail, tail, 0,
                       1, all, 0);
        access_load(&access, test.seed + 1 + i);
        CHECK(coll_run(&file, COLL_WRITE, access.runs, access.n, NULL, &bytes,
                       &error) == 0);
        CHECK(bytes == all + i * tail);
        CHECK(sum_of(file.explain.bytes_storage) ==
              all + i * tail * (uint64_t)test.size);
        /* The round in which the tails begin is every rank's own. */
        CHECK(sum_of(file.explain.bytes_exchanged) <=
              i * (20000 + tail) * (uint64_t)test.size);
        memset(access.memory, UNTOUCHED, access.memory_size);
        CHECK(coll_run(&file, COLL_READ, access.runs, access.n, NULL, &bytes,
                       &error) == 0);
        CHECK(access_holds(&access, test.seed + 1 + i, MIB));
        access_fini(&access);
    }
    file_close(&file);
}

/* The null driver: nothing moves, reads give zeros, sizes are kept. */
static void test_null_driver_reads_zeros(void)
{
    struct adio_file file;
    struct access access;
    struct adio_error error;
    uint64_t bytes, size;

    test.what = "null driver";
    file_fill(test.seed, 1);
    file_open(&file);
    file.driver->close(&file, &error);
    file.driver = ad_null();
    CHECK(file.driver->open(&file, "x", ADIO_READ | ADIO_WRITE, NULL, &error) ==
          0);
    file.hints.strategy = ADIO_STRATEGY_DIRECT;
    access_init(&access, 5000);
    access_add(&access, (unsigned)test.rank * 5000, 5000, 0, 1, 0, 0);
    CHECK(coll_run(&file, COLL_WRITE, access.runs, 1, NULL, &bytes, &error) ==
          0);
    CHECK(bytes == 5000);
    CHECK(file.driver->get_size(&file, &size, &error) == 0);
    CHECK(size == ((unsigned)test.rank + 1) * 5000);
    CHECK(coll_run(&file, COLL_READ, access.runs, 1, NULL, &bytes, &error) ==
          0);
    CHECK(bytes == 5000 && access.memory[0] == 0 && access.memory[4999] == 0);
    access_fini(&access);
    file_close(&file);
}

/* Aggregators of a machine that is not here: no rank twice, nodes in turn. */
static void check_spread(const struct coll_nodes *nodes, uint32_t n)
{
    bool is_used[64] = {false};

    for (uint32_t i = 0; i < n; i++) {
        int rank = coll_nodes_rank(nodes, i, n);

        CHECK(rank >= 0 && rank < nodes->size && !is_used[rank]);
        CHECK(rank / 10 == (int)i % nodes->nnodes); /* ten ranks a node */
        is_used[rank] = true;
    }
}

static void test_aggregators_spread_over_nodes(void)
{
    struct coll_node node[3] = {0};
    struct coll_nodes nodes = {
        .size = 30, .nnodes = 3, .cores = 16, .nodes = node};
    const uint64_t much = 1ull << 40;

    test.what = "aggregators over nodes";
    for (int i = 0; i < 3; i++) {
        node[i].ranks = 10;
        for (int c = 0; c < NODE_CANDIDATES; c++)
            node[i].candidates[c] = 10 * i + c;
    }
    CHECK(coll_nodes_count(&nodes, 0, 0, much) == 3);
    CHECK(coll_nodes_count(&nodes, 0, 5, much) == 5);
    CHECK(coll_nodes_count(&nodes, 0, 50, much) == 6);
    CHECK(coll_nodes_count(&nodes, 0, 0, 1000) == 1);
    CHECK(coll_nodes_count(&nodes, 12, 0, 1000) == 12);
    CHECK(coll_nodes_count(&nodes, 100, 0, much) == 24);
    check_spread(&nodes, 3);
    check_spread(&nodes, 24);
}

/* Candidates take turns by NUMA node, from the card's on. */
static void test_candidates_begin_near_the_card(void)
{
    static const int numa[] = {0, 0, 0, 1, 1, 1}, nowhere[] = {-1, -1};
    int out[NODE_CANDIDATES];

    test.what = "candidates by NUMA node";
    coll_nodes_candidates(numa, 6, 1, out);
    CHECK(out[0] == 3 && out[1] == 0 && out[2] == 4 && out[3] == 1);
    CHECK(out[6] == out[0] && out[7] == out[1]);
    coll_nodes_candidates(numa, 6, -1, out);
    CHECK(out[0] == 0 && out[1] == 3);
    coll_nodes_candidates(nowhere, 2, 1, out);
    CHECK(out[0] == 0 && out[1] == 1 && out[2] == 0);
}

/* Nodes of 5, 1 and 4 ranks that were numbered in turn: whoever is the root, a
 * tree reaches every rank once and enters every other node once. */
static void test_tree_enters_each_node_once(void)
{
    int here[3][5] = {{0, 3, 5, 7, 9}, {1}, {2, 4, 6, 8}};
    const int count[3] = {5, 1, 4};
    struct coll_node node[3] = {
        {.candidates = {3}}, {.candidates = {1}}, {.candidates = {8}}};
    int node_of[10], nreached, nentered;

    test.what = "tree over nodes";
    for (int n = 0; n < 3; n++)
        for (int i = 0; i < count[n]; i++)
            node_of[here[n][i]] = n;
    for (int root = 0; root < 10; root++) {
        nreached = nentered = 0;
        for (int rank = 0; rank < 10; rank++) {
            int n = node_of[rank];
            struct coll_nodes nodes = {.size = 10,
                                       .nnodes = 3,
                                       .here = n,
                                       .ranks_here = count[n],
                                       .locals = here[n],
                                       .nodes = node};
            struct coll_place place;

            coll_nodes_tree(&nodes, rank, root, node_of[root], &place);
            CHECK((place.parent < 0) == (rank == root));
            nreached += place.nchildren;
            nentered += rank != root && node_of[place.parent] != n;
        }
        CHECK(nreached == 9);
        CHECK(nentered == 2);
    }
}

/* ROMIO's words for who may aggregate. */
static void test_config_list_names_hosts_and_counts(void)
{
    struct coll_node node[2] = {{.ranks = 3, .limit = 1, .candidates = {0, 1}},
                                {.ranks = 3, .limit = 2, .candidates = {3, 4}}};
    struct coll_nodes nodes = {
        .size = 6, .nnodes = 2, .cores = 4, .nodes = node};

    test.what = "cb_config_list";
    CHECK(coll_nodes_limit("", "a", 4) == 4);
    CHECK(coll_nodes_limit("*:2", "a", 4) == 2);
    CHECK(coll_nodes_limit("*:*", "a", 4) == 4);
    CHECK(coll_nodes_limit("*:9", "a", 4) == 4);
    CHECK(coll_nodes_limit("a", "a", 4) == 1);
    CHECK(coll_nodes_limit("a:3,b:2", "b", 4) == 2);
    CHECK(coll_nodes_limit("a:3, b:0 ,*:1", "b", 4) == 0);
    CHECK(coll_nodes_limit("a:3,*:1", "ab.site", 4) == 1);
    CHECK(coll_nodes_limit("ab:3,*:1", "ab.site", 4) == 3);
    CHECK(coll_nodes_limit("a:3", "b", 4) == 0);
    CHECK(coll_nodes_list(&nodes) == 0);
    CHECK(coll_nodes_count(&nodes, 100, 0, 1) == 3);
    CHECK(coll_nodes_rank(&nodes, 0, 3) == 0);
    CHECK(coll_nodes_rank(&nodes, 1, 3) == 3);
    CHECK(coll_nodes_rank(&nodes, 2, 3) == 4);
    free(nodes.listed);
}

static void choose_driver(const char *path)
{
    static const char prefix[] = "capstan:";
    bool is_capstan = strncmp(path, prefix, strlen(prefix)) == 0;

    test.driver = is_capstan ? ad_capstan() : ad_posix();
    snprintf(test.path, sizeof(test.path), "%s",
             is_capstan ? path + strlen(prefix) : path);
}

int main(int argc, char **argv)
{
    uint64_t failures;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    if (argc != 4)
        MPI_Abort(MPI_COMM_WORLD, 2);
    alarm(ALARM_S);
    test.seed = strtoull(argv[1], NULL, 0);
    choose_driver(argv[3]);
    if (test.rank == 0)
        printf("test_coll: %d ranks, seed %s, %s rounds\n", test.size, argv[1],
               argv[2]);
    test_aggregators_spread_over_nodes();
    test_config_list_names_hosts_and_counts();
    test_candidates_begin_near_the_card();
    test_tree_enters_each_node_once();
    test_null_driver_reads_zeros();
    test_alike_reads_leave_storage_once();
    test_alike_lists_leave_storage_once();
    test_agreement_takes_lowest_rank();
    test_strategy_follows_access();
    test_repeated_access_is_read_ahead();
    test_ranks_apart_read_for_themselves();
    test_same_requests_are_not_sent_again();
    test_two_under_way_are_stepped_in_any_order();
    test_overlapping_writes_reach_storage_once();
    test_overlapping_reads_leave_storage_once();
    test_equal_writes_are_sent_once();
    test_random(test.seed, atoi(argv[2]));
    test_faults(test.seed);
    if (test.driver == ad_posix())
        test_mapped(test.seed);
    failures = sum_of((unsigned)test.failures);
    if (test.rank == 0) {
        file_delete();
        printf("test_coll: %llu failures\n", (unsigned long long)failures);
    }
    test.driver->finalize();
    MPI_Finalize();
    return failures != 0;
}
