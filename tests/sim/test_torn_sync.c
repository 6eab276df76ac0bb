/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Power goes between the two halves of a sync: the object is on the device and
 * its name is not, or the other way round. Whoever was not yet told that the
 * sync has ended finds a file that is settled, and new files are not met by
 * what the lost one has left. What was synced before is whole.
 *
 * The simulated server syncs both within one poll, so the halves are synced
 * here on the device itself, behind a server that has been killed.
 */
#include "client/cli.h"
#include "sim/posix_kit.h"
#include "tests/base/unit.h"

#include <errno.h>
#include <string.h>

#define LEN 3901 /* within a stripe: to lay a file out wider syncs its name */
#define VARIANTS 24

static uint8_t bytes[LEN], found[LEN];
static unsigned problems[CAPSTAN_PROBLEM_COUNT];

static void write_all(struct capstan_file *file)
{
    size_t done;

    CU_ASSERT_EQUAL(capstan_file_write(file, 0, bytes, LEN, &done), 0);
    CU_ASSERT_EQUAL(done, LEN);
}

static void write_kept(void)
{
    struct capstan_file *file = make("/kept", 0644);

    write_all(file);
    CU_ASSERT_EQUAL(capstan_file_sync(file), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
}

/* @return its size; its bytes are in `found`. */
static uint64_t read_all(const char *path)
{
    struct capstan_file *file;
    uint64_t size = 0;
    size_t done;

    CU_ASSERT_EQUAL_FATAL(
        capstan_file_open(s(1), path, CAPSTAN_OPEN_READ, NULL, &file), 0);
    CU_ASSERT_EQUAL(capstan_file_size(file, &size), 0);
    CU_ASSERT_EQUAL(capstan_file_read(file, 0, found, LEN, &done), 0);
    CU_ASSERT_EQUAL(done, size);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    return size;
}

static void check_whole(const char *path)
{
    CU_ASSERT_EQUAL(read_all(path), LEN);
    CU_ASSERT_EQUAL(memcmp(found, bytes, LEN), 0);
}

static void check_mixture(const char *path)
{
    uint64_t size = read_all(path);

    CU_ASSERT(size <= LEN);
    for (uint64_t i = 0; i < size; i++)
        if (found[i] != 0 && found[i] != bytes[i])
            CU_FAIL_FATAL("a byte that nobody wrote");
}

static void note_end(struct obj_io *io)
{
    CU_ASSERT_EQUAL(io->result, 0);
}

static void sync_object(struct sim_server *server, uint64_t ino)
{
    struct obj_config config = {.disk = server->disk};
    struct obj_io io = {.verb = OBJ_SYNC, .ino = ino, .done = note_end};
    struct obj_store *store;

    CU_ASSERT_EQUAL_FATAL(obj_open(&obj_mem, &config, &store), 0);
    obj_submit(store, &io);
    obj_poll(store);
    obj_close(store);
}

static void sync_names(struct sim_server *server, uint64_t ino)
{
    struct kv_config config = {.disk = server->names};
    struct kv *kv;

    (void)ino;
    CU_ASSERT_EQUAL_FATAL(kv_open(&kv_mem, &config, &kv), 0);
    CU_ASSERT_EQUAL(kv_sync(kv), 0);
    kv_close(kv);
}

typedef void half_fn(struct sim_server *server, uint64_t ino);

/* Make a file; all servers lose power when one half of its sync has been done.
 * @return the number that it had. */
static uint64_t tear(unsigned variant, half_fn *half)
{
    struct capstan_file *file;
    uint64_t ino;

    start();
    write_kept();
    file = make("/torn", 0644);
    ino = capstan_file_ino(file);
    write_all(file);
    rng_init(&sim.rng, variant);
    for (unsigned i = 0; i < sim.config.ntargets; i++) {
        sim_kill(&sim, i);
        half(&sim.servers[i], ino);
        sim_power_loss(&sim, i);
    }
    sim_run(&sim, 3 * NS_PER_SEC);
    capstan_file_close(&file); /* may be told of the loss */
    check_whole("/kept");
    return ino;
}

static void note(void *ctx, const struct capstan_problem *problem)
{
    (void)ctx;
    problems[problem->kind]++;
}

static uint64_t check_names(void)
{
    struct capstan_check_options options = {.problem = note};
    struct capstan_check_counts counts;

    memset(problems, 0, sizeof(problems));
    CU_ASSERT_EQUAL(capstan_check(s(0), &options, &counts), 0);
    return counts.problems;
}

/* A file of the same name begins empty, under another number. */
static void check_anew(uint64_t lost)
{
    struct capstan_file *file = make("/torn", 0644);

    CU_ASSERT_NOT_EQUAL(capstan_file_ino(file), lost);
    CU_ASSERT_EQUAL(capstan_file_truncate(file, LEN), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
    CU_ASSERT_EQUAL(read_all("/torn"), LEN);
    for (size_t i = 0; i < LEN; i++)
        if (found[i] != 0)
            CU_FAIL_FATAL("a byte of the lost file");
}

/* The lost file's data stay until somebody decides: told, and touched by none.
 */
static void test_data_without_a_name(void)
{
    unsigned lost = 0;

    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        uint64_t ino = tear(variant, sync_object);
        struct capstan_stat stat;
        int rc = capstan_lstat(s(0), "/torn", &stat);

        if (rc == 0) {
            CU_ASSERT_EQUAL(stat.ino, ino);
            check_whole("/torn");
            CU_ASSERT_EQUAL(check_names(), 0);
        } else {
            lost++;
            CU_ASSERT_EQUAL(rc, -ENOENT);
            CU_ASSERT_EQUAL(check_names(), 1);
            CU_ASSERT_EQUAL(problems[CAPSTAN_PROBLEM_STRAY], 1);
            check_anew(ino);
        }
        stop();
    }
    CU_ASSERT(lost > 0 && lost < VARIANTS);
}

static void test_a_name_without_data(void)
{
    unsigned cut = 0;

    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        uint64_t ino = tear(variant, sync_names);

        CU_ASSERT_EQUAL(ino_of("/torn"), ino);
        check_mixture("/torn");
        cut += memcmp(found, bytes, LEN) != 0;
        CU_ASSERT_EQUAL(check_names(), 0);
        CU_ASSERT_EQUAL(capstan_unlink(s(0), "/torn"), 0);
        stop();
    }
    CU_ASSERT(cut > 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_data_without_a_name),
        UNIT_TEST(test_a_name_without_data),
    };

    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (uint8_t)(1 + i % 251);
    return UNIT_MAIN("sim/torn_sync", tests);
}
