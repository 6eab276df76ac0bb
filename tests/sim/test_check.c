/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check of the namespace: a whole one has no problem, also while it is
 * changed; planted damage of each kind is found, and repaired where that needs
 * no guess.
 */
#include "base/placement.h"
#include "client/cli.h"
#include "meta/names_key.h"
#include "meta/names_record.h"
#include "sim/audit.h"
#include "base/crc32c.h"
#include "store/sums_format.h"
#include "tests/base/unit.h"

#include <string.h>

static struct sim_cluster sim;
static unsigned found[CAPSTAN_PROBLEM_COUNT];
static struct capstan_check_counts counts;

static void start(void)
{
    struct sim_config config = {.seed = 3,
                                .ntargets = 4,
                                .nclients = 1,
                                .stripe_size = 4096,
                                .timeout_ms = 60000};
    char path[32];

    sim_init(&sim, &config);
    CU_ASSERT_EQUAL(capstan_mkdir(sim.clients[0], "/d", 0), 0);
    for (unsigned i = 0; i < 600; i++) {
        snprintf(path, sizeof(path), "/d/f%u", i);
        CU_ASSERT_EQUAL(capstan_mknod(sim.clients[0], path, CAPSTAN_FILE, 0600,
                                      0),
                        0);
    }
    CU_ASSERT_EQUAL(capstan_mkdir(sim.clients[0], "/d/sub", 0), 0);
    CU_ASSERT_EQUAL(capstan_rename(sim.clients[0], "/d/f1", "/f1", 0), 0);
    CU_ASSERT_EQUAL(capstan_link(sim.clients[0], "/d/f2", "/f2"), 0);
}

static void note(void *ctx, const struct capstan_problem *problem)
{
    (void)ctx;
    found[problem->kind]++;
    CU_ASSERT(strlen(problem->prose) > 0);
}

static int check(bool is_repair)
{
    struct capstan_check_options options = {.is_repair = is_repair,
                                            .problem = note};

    memset(found, 0, sizeof(found));
    return capstan_check(sim.clients[0], &options, &counts);
}

static uint64_t ino_of(const char *path)
{
    uint64_t ino = 0;

    capstan_resolve(sim.clients[0], path, CAPSTAN_NOFOLLOW, &ino);
    return ino;
}

/* Write a key behind the server's back; value NULL: remove it. */
static void plant(uint16_t target, const struct names_key *key,
                  const void *value, size_t len)
{
    struct sim_server *server = &sim.servers[target - 1];
    struct kv_config config = {.disk = server->names};
    struct kv *kv;

    sim_kill(&sim, target - 1u);
    CU_ASSERT_EQUAL_FATAL(kv_open(&kv_mem, &config, &kv), 0);
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    if (value != NULL)
        CU_ASSERT_EQUAL(kv_put(kv, key->bytes, key->len, value, len), 0);
    if (value == NULL)
        CU_ASSERT_EQUAL(kv_del(kv, key->bytes, key->len), 0);
    CU_ASSERT_EQUAL(kv_commit(kv, true), 0);
    kv_close(kv);
}

static uint16_t owner_of(uint64_t parent, const char *text)
{
    return placement_owner(parent, text, strlen(text), sim.cluster->target_ids,
                           sim.cluster->ntargets);
}

static void test_a_whole_namespace_has_no_problem(void)
{
    start();
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(counts.entries, 603);
    CU_ASSERT_EQUAL(counts.inodes, 603); /* and the root; one has two names */
    CU_ASSERT_EQUAL(counts.problems, 0);
    sim_fini(&sim);
}

static void remove_entry(const char *text)
{
    uint64_t dir = ino_of("/d");
    struct name name = {dir, text, strlen(text)};
    struct names_key key = names_key_entry(&name);

    plant(owner_of(dir, text), &key, NULL, 0);
}

static void remove_inode(const char *path)
{
    uint64_t ino = ino_of(path);
    struct names_key key = names_key_number(NAMES_INODE, ino);

    plant(ino_target(ino), &key, NULL, 0);
}

static void plant_lock(const char *text)
{
    uint64_t dir = ino_of("/d");
    struct name name = {dir, text, strlen(text)};
    struct names_key key = names_key_name(NAMES_LOCK, &name);

    plant(owner_of(dir, text), &key, "\1\0\0\0\0\0\1\0", 8);
}

static void plant_frozen(void)
{
    uint64_t dir = ino_of("/d/sub");
    struct names_key key = names_key_number(NAMES_FROZEN, dir);
    struct names_dir_state state = {.frozen = NAMES_BEING_REMOVED};
    unsigned char value[NAMES_DIR_LEN];
    uint16_t fanout[FANOUT_MAX];

    placement_fanout(dir, sim.cluster->target_ids, sim.cluster->ntargets, fanout);
    plant(fanout[0], &key, value, names_dir_encode(&state, value));
}

static void test_damage_is_found_and_repaired(void)
{
    char text[AUDIT_TEXT_MAX] = "", path[64];
    uint64_t lost;

    start();
    lost = ino_of("/d/f7");
    remove_entry("f7");
    remove_inode("/d/f8");
    plant_lock("f9");
    plant_frozen();
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_LOST], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_DANGLING], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_LOCKED], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_FROZEN], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_COUNTS], 1); /* of the lost name */
    CU_ASSERT_EQUAL(counts.repaired, 0);
    CU_ASSERT_EQUAL(check(true), 0);
    CU_ASSERT_EQUAL(counts.problems, 5);
    CU_ASSERT_EQUAL(counts.repaired, 5);
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(counts.problems, 0);
    snprintf(path, sizeof(path), "/lost+found/#%016llx",
             (unsigned long long)lost);
    CU_ASSERT_EQUAL(ino_of(path), lost);
    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT(audit_names(&sim, text));
    CU_ASSERT_STRING_EQUAL(text, "");
    sim_fini(&sim);
}

static void test_what_needs_a_guess_is_told_only(void)
{
    uint64_t ino;
    struct names_key key;
    struct inode inode = {.type = INODE_FILE,
                          .nlink = 1,
                          .layout = {.stripe_size = 4096,
                                     .width = 1,
                                     .replicas = 1,
                                     .targets = {99}}};
    unsigned char value[NAMES_RECORD_MAX];

    start();
    inode.ino = ino = ino_of("/d/f3");
    key = names_key_number(NAMES_INODE, ino);
    plant(ino_target(ino), &key, value, names_record_encode(&inode, value));
    ino = ino_of("/d/f4");
    key = names_key_number(NAMES_INODE, ino);
    plant(ino_target(ino), &key, "?", 1);
    CU_ASSERT_EQUAL(check(true), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_LAYOUT], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_DAMAGED], 1);
    CU_ASSERT_EQUAL(counts.problems, 2);
    CU_ASSERT_EQUAL(counts.repaired, 0);
    sim_fini(&sim);
}

static void write_file(const char *path, size_t len)
{
    static const char bytes[20000] = {1};
    struct capstan_file *file;
    size_t done;

    CU_ASSERT_EQUAL_FATAL(
        capstan_file_open(sim.clients[0], path,
                          CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE, NULL,
                          &file),
        0);
    CU_ASSERT_EQUAL(capstan_file_write(file, 0, bytes, len, &done), 0);
    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
}

/* A file over all four targets, and one of another target's: with the record
 * of the first gone, each target holds data of nothing. */
static void test_data_without_an_inode_is_told_only(void)
{
    start();
    write_file("/d/data", 20000);
    write_file("/d/whole", 20000);
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(counts.problems, 0);
    remove_inode("/d/data");
    CU_ASSERT_EQUAL(check(true), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_DANGLING], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_STRAY], 4);
    CU_ASSERT_EQUAL(counts.repaired, 1);
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_STRAY], 4);
    CU_ASSERT_EQUAL(counts.problems, 4);
    sim_fini(&sim);
}

static void note_end(struct obj_io *io)
{
    (void)io;
}

/* Change the sums of a number, at the target that keeps it, behind its back: a
 * flipped bit, or a whole header of the next format. */
static void plant_sums(uint16_t target, uint64_t ino, bool is_newer)
{
    struct sim_server *server = &sim.servers[target - 1];
    struct obj_config config = {.disk = server->disk};
    uint32_t head[SUMS_HEADER_SIZE / 4] = {0};
    struct obj_store *store;
    struct obj_io io = {.verb = OBJ_READ,
                        .part = 1,
                        .ino = ino,
                        .memory = head,
                        .length = sizeof(head),
                        .done = note_end};

    sim_kill(&sim, target - 1u);
    CU_ASSERT_EQUAL_FATAL(obj_open(&obj_mem, &config, &store), 0);
    obj_submit(store, &io);
    obj_poll(store);
    CU_ASSERT_EQUAL(io.result, (int64_t)sizeof(head));
    head[1] += is_newer;
    head[2] = 0;
    head[2] = crc32c(0, head, sizeof(head));
    head[9] ^= is_newer ? 0 : 4;
    io.verb = OBJ_WRITE;
    obj_submit(store, &io);
    obj_poll(store);
    obj_close(store);
}

static void test_files_of_sums_are_checked(void)
{
    uint64_t damaged, newer;

    start();
    write_file("/d/sound", 20000);
    write_file("/d/damaged", 3000);
    write_file("/d/newer", 3000);
    damaged = ino_of("/d/damaged");
    newer = ino_of("/d/newer");
    CU_ASSERT_EQUAL(check(false), 0); /* none has a file of sums yet */
    CU_ASSERT_EQUAL(counts.problems, 0);
    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(counts.problems, 0);
    plant_sums(ino_target(damaged), damaged, false);
    plant_sums(ino_target(newer), newer, true);
    CU_ASSERT_EQUAL(check(true), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_SUMS], 1);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_FORMAT], 1);
    CU_ASSERT_EQUAL(counts.problems, 2);
    CU_ASSERT_EQUAL(counts.repaired, 0);
    write_file("/d/damaged", 3000); /* the head is made anew */
    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT_EQUAL(check(false), 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_SUMS], 0);
    CU_ASSERT_EQUAL(found[CAPSTAN_PROBLEM_FORMAT], 1);
    sim_fini(&sim);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_whole_namespace_has_no_problem),
        UNIT_TEST(test_damage_is_found_and_repaired),
        UNIT_TEST(test_what_needs_a_guess_is_told_only),
        UNIT_TEST(test_data_without_an_inode_is_told_only),
        UNIT_TEST(test_files_of_sums_are_checked),
    };

    return UNIT_MAIN("sim/check", tests);
}
