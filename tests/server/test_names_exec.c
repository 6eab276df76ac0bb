/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata executor, both forms, over kv_mem: batches are whole, answers
 * come on the polling thread, a failed commit fails all, a half-done operation
 * takes its batch back, a sync is what it says, kept answers are recalled. With
 * a thread: what is short runs on the reactor, and what memory cannot answer is
 * run again, to the same effect.
 */
#include "base/unit.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "server/names_exec.h"
#include "server/once.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#define TARGET 7
#define OPS 600
#define PATIENCE_NS (10 * NS_PER_SEC)

struct probe {
    struct names_op op; /* first */
    char text[16];
    int expect;
    pthread_t ran_on;
    unsigned ran;
    unsigned done;
};

static const struct names_exec_driver *driver;
static struct kv_mem_disk *disk;
static struct names_exec *names_exec;
static struct probe probes[OPS];
static pthread_t reactor;

static void start(void)
{
    struct names_exec_config config = {
        .kv = &kv_mem, .kv_config = {.disk = disk}, .target = TARGET};

    reactor = pthread_self();
    CU_ASSERT_EQUAL_FATAL(names_exec_create(driver, &config, &names_exec), 0);
}

static void set_up(void)
{
    CU_ASSERT_EQUAL_FATAL(kv_mem_disk_create(&disk), 0);
    memset(probes, 0, sizeof(probes));
    start();
}

static void tear_down(void)
{
    names_exec_destroy(&names_exec);
    CU_ASSERT_PTR_NULL(names_exec);
    kv_mem_disk_destroy(&disk);
}

static struct name name_of_probe(const struct probe *probe)
{
    return (struct name){INO_ROOT, probe->text, strlen(probe->text)};
}

static void run_insert(struct names_op *op, struct names *names)
{
    struct probe *probe = (struct probe *)op;
    struct name name = name_of_probe(probe);
    struct inode inode = {.type = INODE_DIR, .mode = 0755};

    probe->ran_on = pthread_self();
    probe->ran++;
    op->rc = names_insert(names, &name, &inode);
}

static void run_broken(struct names_op *op, struct names *names)
{
    run_insert(op, names);
    op->is_broken = true;
    op->rc = -EIO;
}

static void run_lookup(struct names_op *op, struct names *names)
{
    struct probe *probe = (struct probe *)op;
    struct name name = name_of_probe(probe);
    struct inode inode;

    probe->ran_on = pthread_self();
    op->rc = names_lookup(names, &name, &inode);
}

static void note(struct names_op *op)
{
    struct probe *probe = (struct probe *)op;

    CU_ASSERT(pthread_equal(pthread_self(), reactor));
    CU_ASSERT_EQUAL(op->rc, probe->expect);
    probe->done++;
}

static void submit(unsigned i, names_run_fn *run, bool is_write, int expect)
{
    struct probe *probe = &probes[i];

    snprintf(probe->text, sizeof(probe->text), "n%u", i);
    probe->op.run = run;
    probe->op.done = note;
    probe->op.is_write = is_write;
    probe->expect = expect;
    names_exec_submit(names_exec, &probe->op);
}

/* Poll, sleeping on the descriptor if there is one, until all have ended. */
static void settle(void)
{
    uint64_t end_ns = clock_now(clock_real()) + PATIENCE_NS;
    struct pollfd fd = {.fd = names_exec_wait_fd(names_exec),
                        .events = POLLIN};

    while (names_exec->pending > 0 && clock_now(clock_real()) < end_ns)
        if (names_exec_poll(names_exec) == 0 && fd.fd >= 0)
            poll(&fd, 1, 1000);
    CU_ASSERT_EQUAL_FATAL(names_exec->pending, 0);
}

static void check_exists(unsigned i, int expect)
{
    submit(i, run_lookup, false, expect);
    settle();
}

static void test_all_end_once_in_few_commits(void)
{
    unsigned i;

    set_up();
    for (i = 0; i < OPS; i++)
        submit(i, run_insert, true, 0);
    settle();
    for (i = 0; i < OPS; i++)
        CU_ASSERT_EQUAL(probes[i].done, 1);
    CU_ASSERT(names_exec->commits >= OPS / NAMES_BATCH_MAX);
    CU_ASSERT(names_exec->commits <= OPS);
    CU_ASSERT_EQUAL(pthread_equal(probes[0].ran_on, reactor) != 0,
                    driver == &names_inline);
    tear_down();
}

static void test_one_failure_costs_the_others_nothing(void)
{
    set_up();
    submit(0, run_insert, true, 0);
    settle();
    submit(0, run_insert, true, -EEXIST);
    submit(1, run_insert, true, 0);
    settle();
    check_exists(1, 0);
    tear_down();
}

static void test_a_failed_commit_fails_the_batch_and_nothing_happened(void)
{
    set_up();
    kv_mem_disk_fault(disk, 0, ENOSPC);
    submit(0, run_insert, true, -ENOSPC);
    settle();
    kv_mem_disk_fault(disk, -1, 0);
    check_exists(0, -ENOENT);
    submit(0, run_insert, true, 0);
    settle();
    tear_down();
}

static void test_a_half_done_operation_is_taken_back(void)
{
    set_up();
    submit(0, run_broken, true, -EIO);
    settle();
    check_exists(0, -ENOENT);
    tear_down();
}

static void test_reads_commit_nothing(void)
{
    uint64_t before;

    set_up();
    check_exists(0, -ENOENT);
    before = names_exec->commits;
    check_exists(1, -ENOENT);
    CU_ASSERT_EQUAL(names_exec->commits, before);
    tear_down();
}

static void test_what_was_synced_survives_power_loss(void)
{
    set_up();
    probes[0].op.wants_sync = true;
    submit(0, run_insert, true, 0);
    settle();
    CU_ASSERT_EQUAL(names_exec->unsynced, 0);
    probes[1].op.wants_sync = false;
    submit(1, run_insert, true, 0);
    settle();
    CU_ASSERT_EQUAL(names_exec->unsynced, 1);
    names_exec_destroy(&names_exec);
    kv_mem_disk_power_loss(disk, 1);
    start();
    check_exists(0, 0);
    tear_down();
}

static void test_destroy_forgets_what_is_queued(void)
{
    set_up();
    submit(0, run_insert, true, 0);
    names_exec_destroy(&names_exec);
    CU_ASSERT_EQUAL(probes[0].done, 0);
    start();
    tear_down();
}

/*
 * Short operations.
 */

static void submit_short(unsigned i, names_run_fn *run, bool is_write,
                         int expect)
{
    probes[i].op.is_short = true;
    submit(i, run, is_write, expect);
}

static bool ran_here(unsigned i)
{
    return pthread_equal(probes[i].ran_on, reactor) != 0;
}

static void test_short_ones_run_on_the_reactor_in_one_commit(void)
{
    set_up();
    submit_short(0, run_insert, true, 0);
    submit_short(1, run_insert, true, 0);
    CU_ASSERT_EQUAL(probes[0].ran, 0); /* not before poll() */
    CU_ASSERT_EQUAL(names_exec->queued, driver == &names_inline ? 0 : 2);
    CU_ASSERT_EQUAL(names_exec_poll(names_exec), 2);
    CU_ASSERT_EQUAL(names_exec->pending, 0);
    CU_ASSERT(ran_here(0) && ran_here(1));
    CU_ASSERT_EQUAL(names_exec->commits, 1);
    CU_ASSERT_EQUAL(names_exec->queued, 0);
    tear_down();
}

static void test_the_thread_gets_what_may_wait(void)
{
    bool is_inline = driver == &names_inline;

    set_up();
    names_exec->is_moving = true;
    submit_short(0, run_insert, true, 0);
    settle();
    CU_ASSERT_EQUAL(ran_here(0), is_inline);
    names_exec->is_moving = false;
    probes[1].op.wants_sync = true;
    submit_short(1, run_insert, true, 0);
    submit_short(2, run_insert, true, 0); /* in the order that they came */
    settle();
    CU_ASSERT_EQUAL(ran_here(1), is_inline);
    CU_ASSERT_EQUAL(ran_here(2), is_inline);
    CU_ASSERT_EQUAL(names_exec->unsynced, 0);
    probes[3].op.wants_sync = true;
    submit_short(3, run_lookup, false, -ENOENT); /* nothing is left to sync */
    settle();
    CU_ASSERT(ran_here(3));
    submit_short(3, run_insert, true, 0);
    settle();
    CU_ASSERT_EQUAL(ran_here(3), is_inline);
    CU_ASSERT_EQUAL(names_exec->unsynced, 0);
    tear_down();
}

static void test_what_memory_cannot_answer_is_run_again(void)
{
    set_up();
    kv_mem_disk_miss(disk, 1);
    submit_short(0, run_insert, true, 0);
    settle();
    CU_ASSERT_EQUAL(probes[0].ran, driver == &names_inline ? 1 : 2);
    CU_ASSERT_EQUAL(probes[0].done, 1);
    submit_short(0, run_insert, true, -EEXIST);
    settle();
    tear_down();
}

/* Whatever misses, at whatever step, each has its effect once. */
static void test_random_misses_change_no_answer(void)
{
    bool is_there[20] = {false};
    struct rng rng;

    set_up();
    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < 500; round++) {
        kv_mem_disk_miss(disk, (unsigned)rng_below(&rng, 12));
        for (unsigned i = 0; i < 20; i++) {
            bool is_write = rng_chance(&rng, 50);

            probes[i].op.is_short = rng_chance(&rng, 80);
            submit(i, is_write ? run_insert : run_lookup, is_write,
                   is_write ? (is_there[i] ? -EEXIST : 0)
                            : (is_there[i] ? 0 : -ENOENT));
            is_there[i] = is_there[i] || is_write;
        }
        settle();
        if (round % 50 == 49) {
            tear_down();
            memset(is_there, 0, sizeof(is_there));
            set_up();
        }
    }
    tear_down();
}

/*
 * Once.
 */

static struct srv_once *once;
static struct once_key key;
static union proto_rep kept;

static void run_recall(struct names_op *op, struct names *names)
{
    op->rc = once_recall(names, &key, &kept);
}

static void run_keep(struct names_op *op, struct names *names)
{
    union proto_rep rep = {.unlink = {key.number * 100}};

    op->rc = once_keep(once, names, &key, &rep);
}

static void step(names_run_fn *run, uint64_t number, uint64_t floor,
                 int expect)
{
    key = (struct once_key){42, number, floor, PROTO_OP_unlink};
    submit(0, run, true, expect);
    settle();
}

static void test_answers_are_recalled_after_a_restart(void)
{
    set_up();
    CU_ASSERT_EQUAL_FATAL(once_create(&once), 0);
    step(run_recall, 5, 1, -ENOENT);
    step(run_keep, 5, 1, 0);
    names_exec_destroy(&names_exec);
    start();
    step(run_recall, 5, 1, 0);
    CU_ASSERT_EQUAL(kept.unlink.ino, 500);
    step(run_recall, 6, 1, -ENOENT);
    once_destroy(&once);
    tear_down();
}

static void test_answers_below_the_floor_are_dropped_in_time(void)
{
    set_up();
    CU_ASSERT_EQUAL_FATAL(once_create(&once), 0);
    step(run_keep, 5, 1, 0);
    step(run_keep, 90, 80, 0);
    step(run_recall, 5, 80, -ENOENT);
    step(run_recall, 90, 80, 0);
    once_destroy(&once);
    tear_down();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_all_end_once_in_few_commits),
        UNIT_TEST(test_one_failure_costs_the_others_nothing),
        UNIT_TEST(test_a_failed_commit_fails_the_batch_and_nothing_happened),
        UNIT_TEST(test_a_half_done_operation_is_taken_back),
        UNIT_TEST(test_reads_commit_nothing),
        UNIT_TEST(test_what_was_synced_survives_power_loss),
        UNIT_TEST(test_destroy_forgets_what_is_queued),
        UNIT_TEST(test_short_ones_run_on_the_reactor_in_one_commit),
        UNIT_TEST(test_the_thread_gets_what_may_wait),
        UNIT_TEST(test_what_memory_cannot_answer_is_run_again),
        UNIT_TEST(test_random_misses_change_no_answer),
        UNIT_TEST(test_answers_are_recalled_after_a_restart),
        UNIT_TEST(test_answers_below_the_floor_are_dropped_in_time),
    };
    int rc;

    driver = &names_inline;
    rc = UNIT_MAIN("names_exec, inline", tests);
    driver = &names_threaded;
    return UNIT_MAIN("names_exec, threaded", tests) | rc;
}
