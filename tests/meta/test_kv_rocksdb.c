/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kv_rocksdb: the contract, then processes that are killed, disks that are
 * full, and files that are damaged.
 */
#include "meta/kv_rocksdb.c"

#include "base/rng.h"
#include "tests/meta/kv_contract.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct kv_fixture kv_fixture;
static char above[256];
static char directory[300]; /* the fixture's, in it */

/* A child that holds the store with one commit made and one not, until it is
 * killed. Before RocksDB has threads in this process: they do not fork. */
static pid_t start_holder(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        struct kv *kv = fixture_open();

        set_one(kv, "kept", "1", false);
        kv_begin(kv);
        kv_put(kv, "open", 4, "1", 1);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(EXIT_FAILURE);
    }
    close(ready[1]);
    CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_store_of_another_process_is_busy_until_killed(void)
{
    pid_t pid = start_holder();
    struct kv *kv = NULL;

    CU_ASSERT_EQUAL(kv_open(&kv_rocksdb, &kv_fixture.config, &kv), -EBUSY);
    CU_ASSERT_PTR_NULL(kv);
    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    kv = fixture_open();
    CU_ASSERT(has_one(kv, "kept", "1"));
    CU_ASSERT(has_one(kv, "open", NULL));
    clear_all(kv);
    kv_close(kv);
}

/* Commit big values until one is refused. @return its code. */
static int fill(struct kv *kv)
{
    static char value[KV_VALUE_MAX];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(kv_begin(kv), 0);
        CU_ASSERT_EQUAL(kv_put(kv, &i, sizeof(i), value, sizeof(value)), 0);
        rc = kv_commit(kv, false);
    }
    return rc;
}

static void test_store_recovers_from_a_failed_commit(void)
{
    struct kv *kv = fixture_open();
    struct rlimit limit, low;

    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(set_one(kv, "before", "1", false), 0);
    getrlimit(RLIMIT_FSIZE, &limit);
    low = limit;
    low.rlim_cur = 500000;
    setrlimit(RLIMIT_FSIZE, &low);
    CU_ASSERT_EQUAL(fill(kv), -EIO); /* file too large */
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_EQUAL(set_one(kv, "after", "1", true), 0);
    CU_ASSERT(has_one(kv, "before", "1"));
    CU_ASSERT(has_one(kv, "after", "1"));
    clear_all(kv);
    kv_close(kv);
}

static void test_no_directory_above_is_an_error(void)
{
    struct kv_config config = {.directory = "/nonexistent/target/names"};
    struct kv *kv = NULL;

    CU_ASSERT_EQUAL(kv_open(&kv_rocksdb, &config, &kv), -EIO);
    CU_ASSERT_PTR_NULL(kv);
}

static void test_damaged_files_are_an_error(void)
{
    char path[600], other[300];
    struct kv_config config = {.directory = other};
    struct kv *kv = NULL;
    int fd;

    snprintf(other, sizeof(other), "%s/damaged", above);
    CU_ASSERT_EQUAL_FATAL(mkdir(other, 0700), 0);
    snprintf(path, sizeof(path), "%s/CURRENT", other);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_EQUAL(write(fd, "nonsense\n", 9), 9);
    close(fd);
    CU_ASSERT_EQUAL(kv_open(&kv_rocksdb, &config, &kv), -EIO);
    CU_ASSERT_PTR_NULL(kv);
}

/*
 * Damage: a store of known pairs, some in a table and some in the log, of which
 * one file is changed.
 */

#define PAIRS 400
#define DAMAGES 120
#define FILES_MAX 32

struct hurt {
    char whole[300]; /* the store and its mark, as they were */
    char copy[300];  /* the same, to be damaged */
    struct kv_config config;
    char directory[320];
    char files[FILES_MAX][400];
    unsigned nfiles;
};

static void put_pairs(struct kv *kv, unsigned from, unsigned to, bool sync)
{
    char key[32], value[64];

    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        snprintf(value, sizeof(value), "value %u of some length", i * 7919);
        CU_ASSERT_EQUAL_FATAL(set_one(kv, key, value, sync && i + 1 == to), 0);
    }
}

/* @return pairs that are there; none may be wrong, or missing with no error. */
static unsigned count_pairs(struct kv *kv)
{
    char key[32], value[64], got[64];
    unsigned n = 0;
    size_t len;
    int rc;

    for (unsigned i = 0; i < PAIRS; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        snprintf(value, sizeof(value), "value %u of some length", i * 7919);
        rc = kv_get(kv, key, strlen(key), got, sizeof(got), &len);
        CU_ASSERT(rc == -EIO || (rc == 0 && len == strlen(value) &&
                                 memcmp(got, value, len) == 0));
        n += rc == 0;
    }
    return n;
}

static void run(const char *command, const char *from, const char *to)
{
    char line[1000];

    snprintf(line, sizeof(line), "%s %s %s", command, from, to);
    CU_ASSERT_EQUAL_FATAL(system(line), 0);
}

static void list_files(struct hurt *hurt)
{
    DIR *dir = opendir(hurt->directory);
    struct dirent *entry;

    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    hurt->nfiles = 0;
    snprintf(hurt->files[hurt->nfiles++], 400, "%s.mark", hurt->directory);
    while ((entry = readdir(dir)) != NULL && hurt->nfiles < FILES_MAX)
        if (entry->d_name[0] != '.')
            snprintf(hurt->files[hurt->nfiles++], 400, "%s/%.70s",
                     hurt->directory, entry->d_name);
    closedir(dir);
}

static void hurt_init(struct hurt *hurt)
{
    struct kv *kv;

    snprintf(hurt->whole, sizeof(hurt->whole), "%s/whole", above);
    snprintf(hurt->copy, sizeof(hurt->copy), "%s/copy", above);
    snprintf(hurt->directory, sizeof(hurt->directory), "%s/names", hurt->copy);
    hurt->config = (struct kv_config){.directory = hurt->directory,
                                      .machine = 5};
    CU_ASSERT_EQUAL_FATAL(mkdir(hurt->copy, 0700), 0);
    for (unsigned i = 0; i < 2; i++) { /* opening anew makes a table */
        CU_ASSERT_EQUAL_FATAL(kv_open(&kv_rocksdb, &hurt->config, &kv), 0);
        put_pairs(kv, i * PAIRS / 2, (i + 1) * PAIRS / 2, true);
        kv_close(kv);
    }
    list_files(hurt);
    run("mv", hurt->copy, hurt->whole);
}

static void hurt_fini(struct hurt *hurt)
{
    run("rm -rf", hurt->copy, hurt->whole);
}

/* Bits flipped, or the end cut off, or gone. */
static void damage(const char *path, struct rng *rng)
{
    struct stat st;
    uint8_t byte;
    off_t at;
    int fd;

    if (rng_chance(rng, 15)) {
        CU_ASSERT_EQUAL(unlink(path), 0);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(stat(path, &st), 0);
    if (st.st_size == 0)
        return;
    at = (off_t)rng_below(rng, (uint64_t)st.st_size);
    if (rng_chance(rng, 30)) {
        CU_ASSERT_EQUAL(truncate(path, at), 0);
        return;
    }
    fd = open(path, O_RDWR);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, at), 1);
    byte ^= (uint8_t)(1u << rng_below(rng, 8));
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void test_damage_is_refused_or_told_never_taken(void)
{
    unsigned nrefused = 0, nwhole = 0, n;
    static struct hurt hurt;
    struct rng rng;
    struct kv *kv;
    int rc;

    rng_init(&rng, unit_seed());
    hurt_init(&hurt);
    for (unsigned i = 0; i < DAMAGES; i++) {
        run("rm -rf", hurt.copy, "");
        run("cp -a", hurt.whole, hurt.copy);
        damage(hurt.files[i % hurt.nfiles], &rng);
        kv = NULL;
        rc = kv_open(&kv_rocksdb, &hurt.config, &kv);
        CU_ASSERT(rc == 0 || rc == -EIO);
        if (rc != 0) {
            nrefused++;
            continue;
        }
        n = count_pairs(kv);
        nwhole += n == PAIRS;
        kv_close(kv);
    }
    printf("(%u refused, %u whole, %u told) ", nrefused, nwhole,
           DAMAGES - nrefused - nwhole);
    CU_ASSERT(nrefused > 0 && nwhole > 0);
    hurt_fini(&hurt);
}

/* Cut n bytes off the log with the highest number. */
static void cut_log(const struct hurt *hurt, off_t n)
{
    const char *last = NULL;
    struct stat st;

    for (unsigned i = 0; i < hurt->nfiles; i++)
        if (strstr(hurt->files[i], ".log") != NULL &&
            (last == NULL || strcmp(hurt->files[i], last) > 0))
            last = hurt->files[i];
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    CU_ASSERT_EQUAL_FATAL(stat(last, &st), 0);
    CU_ASSERT_EQUAL(truncate(last, st.st_size - n), 0);
}

/* What was not synced may go with the power, and only then. */
static void test_a_torn_end_is_taken_after_a_loss_of_power_only(void)
{
    static struct hurt hurt;
    struct kv *kv = NULL;

    hurt_init(&hurt);
    run("cp -a", hurt.whole, hurt.copy);
    CU_ASSERT_EQUAL_FATAL(kv_open(&kv_rocksdb, &hurt.config, &kv), 0);
    CU_ASSERT_EQUAL(set_one(kv, "synced", "1", true), 0);
    CU_ASSERT_EQUAL(set_one(kv, "not", "1", false), 0);
    kv_close(kv);
    list_files(&hurt);
    cut_log(&hurt, 3);
    CU_ASSERT_EQUAL(kv_open(&kv_rocksdb, &hurt.config, &kv), -EIO);
    hurt.config.machine = 6;
    CU_ASSERT_EQUAL_FATAL(kv_open(&kv_rocksdb, &hurt.config, &kv), 0);
    CU_ASSERT(has_one(kv, "synced", "1"));
    CU_ASSERT(has_one(kv, "not", NULL));
    CU_ASSERT_EQUAL(set_one(kv, "synced", "2", true), 0);
    kv_close(kv);
    list_files(&hurt);
    cut_log(&hurt, 3);
    hurt.config.machine = 7;
    kv = NULL;
    CU_ASSERT_EQUAL(kv_open(&kv_rocksdb, &hurt.config, &kv), -EIO);
    CU_ASSERT_PTR_NULL(kv);
    hurt_fini(&hurt);
}

static void test_full_device_refuses_commits_and_recovers(void)
{
    static char value[KV_VALUE_MAX];
    char other[300], filler[400];
    struct kv_config config = {.directory = other};
    struct kv *kv = NULL;
    int fd, rc;

    snprintf(other, sizeof(other), "%s/tiny", above);
    if (!unit_tiny_fs_mount(other, "40m"))
        return;
    CU_ASSERT_EQUAL_FATAL(kv_open(&kv_rocksdb, &config, &kv), 0);
    CU_ASSERT_EQUAL(set_one(kv, "before", "1", false), 0);
    snprintf(filler, sizeof(filler), "%s/filler", other);
    fd = open(filler, O_WRONLY | O_CREAT, 0600);
    while (write(fd, value, sizeof(value)) > 0)
        continue;
    CU_ASSERT_EQUAL(fill(kv), -ENOSPC);
    CU_ASSERT_EQUAL(set_one(kv, "never", "1", false), -ENOSPC);
    CU_ASSERT(has_one(kv, "before", "1")); /* reading goes on */
    CU_ASSERT(has_one(kv, "never", NULL));
    CU_ASSERT_EQUAL(set_one(kv, "never", "1", false), -ENOSPC);
    CU_ASSERT_EQUAL(kv_sync(kv), -EIO);
    kv_close(kv);
    kv = NULL;
    rc = kv_open(&kv_rocksdb, &config, &kv); /* old files went: room, maybe */
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    if (rc == -EIO) {
        /* RocksDB 7.8, once in some ten runs: the flush that hit the end of the
         * device removed its table but not the table's name. Servers keep room
         * so that it does not come to this; here, it must be said, not hidden.
         */
        CU_ASSERT_PTR_NULL(kv);
        printf("(the device was full in the middle of a flush) ");
        close(fd);
        unit_tiny_fs_umount(other);
        return;
    }
    CU_ASSERT(rc == 0 || rc == -ENOSPC);
    if (rc != 0)
        CU_ASSERT_EQUAL_FATAL(kv_open(&kv_rocksdb, &config, &kv), 0);
    CU_ASSERT_EQUAL(set_one(kv, "after", "1", true), 0);
    CU_ASSERT(has_one(kv, "before", "1"));
    CU_ASSERT(has_one(kv, "never", NULL));
    CU_ASSERT(has_one(kv, "after", "1"));
    while (write(fd, value, sizeof(value)) > 0)
        continue;
    CU_ASSERT_EQUAL(fill(kv), -ENOSPC);
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    CU_ASSERT_EQUAL(set_one(kv, "after", "2", true), 0); /* opened anew */
    CU_ASSERT(has_one(kv, "after", "2"));
    close(fd);
    kv_close(kv);
    unit_tiny_fs_umount(other);
}

static void test_info_log_stays_small(void)
{
    unsigned n = 0;
    struct dirent *entry;
    struct stat st;
    char path[600];
    DIR *dir;

    for (unsigned i = 0; i < 3; i++)
        kv_close(fixture_open());
    dir = opendir(directory);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strncmp(entry->d_name, "LOG", 3) == 0;
    closedir(dir);
    CU_ASSERT(n <= 2);
    snprintf(path, sizeof(path), "%s/LOG", directory);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT(st.st_size < 65536);
}

static bool note_any(void *ctx, const void *key, size_t key_len,
                     const void *value, size_t value_len)
{
    return false;
}

/* After a start nothing but the log was read: what is asked for in a hurry is
 * missed, until somebody has waited for it. */
static void test_a_hurry_waits_for_no_device(void)
{
    struct kv *kv = fixture_open();

    CU_ASSERT_EQUAL(set_one(kv, "old", "1", false), 0);
    kv_close(kv);
    kv_close(fixture_open()); /* the log becomes a table */
    kv = fixture_open();
    kv_hurry(kv, true);
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_FALSE(has_one(kv, "old", "1"));
    CU_ASSERT(kv->has_missed);
    CU_ASSERT_EQUAL(kv_each(kv, "", 0, "", 0, note_any, NULL), -EAGAIN);
    CU_ASSERT_EQUAL(kv_commit(kv, true), -EAGAIN);
    kv_hurry(kv, false);
    CU_ASSERT(has_one(kv, "old", "1"));
    kv_hurry(kv, true);
    CU_ASSERT_EQUAL(kv_begin(kv), 0);
    CU_ASSERT_FALSE(kv->has_missed);
    CU_ASSERT(has_one(kv, "old", "1"));
    CU_ASSERT_FALSE(kv->has_missed);
    kv_rollback(kv);
    kv_hurry(kv, false);
    clear_all(kv);
    kv_close(kv);
}

int main(void)
{
    static const struct unit_test tests[] = {
        /* first: see start_holder() */
        UNIT_TEST(test_store_of_another_process_is_busy_until_killed),
        KV_CONTRACT,
        UNIT_TEST(test_a_hurry_waits_for_no_device),
        UNIT_TEST(test_store_recovers_from_a_failed_commit),
        UNIT_TEST(test_no_directory_above_is_an_error),
        UNIT_TEST(test_damaged_files_are_an_error),
        UNIT_TEST(test_damage_is_refused_or_told_never_taken),
        UNIT_TEST(test_a_torn_end_is_taken_after_a_loss_of_power_only),
        UNIT_TEST(test_info_log_stays_small),
        UNIT_TEST(test_full_device_refuses_commits_and_recovers),
    };
    int rc;

    unit_tempdir_make(above);
    snprintf(directory, sizeof(directory), "%s/names", above);
    kv_fixture = (struct kv_fixture){.driver = &kv_rocksdb,
                                     .config = {.directory = directory},
                                     .rounds = 200};
    rc = UNIT_MAIN("meta/kv_rocksdb", tests);
    unit_tempdir_remove(above);
    return rc;
}
