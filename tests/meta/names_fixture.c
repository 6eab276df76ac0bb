/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/meta/names_fixture.h"

#include <string.h>

struct names_fixture fixture;

static char directory[256];
static char store_path[300];
static unsigned nstores;
static struct kv_mem_disk *disk;

static void open_all(void)
{
    int rc = kv_open(fixture.driver, &fixture.config, &fixture.kv);

    if (rc == 0)
        rc = names_create(fixture.kv, FIXTURE_TARGET, &fixture.names);
    if (rc == 0)
        rc = kv_begin(fixture.kv);
    if (rc != 0) {
        fprintf(stderr, "cannot open the name store: %s\n", strerror(-rc));
        exit(EXIT_FAILURE);
    }
}

static void close_all(void)
{
    names_destroy(&fixture.names);
    kv_close(fixture.kv);
}

void fixture_start(void)
{
    if (fixture.driver == &kv_mem) {
        CU_ASSERT_EQUAL_FATAL(kv_mem_disk_create(&disk), 0);
        fixture.config.disk = disk;
    }
    snprintf(store_path, sizeof(store_path), "%s/%u", directory, nstores++);
    fixture.config.directory = store_path;
    open_all();
}

void fixture_reopen(void)
{
    fixture_commit();
    close_all();
    open_all();
}

void fixture_commit(void)
{
    CU_ASSERT_EQUAL(kv_commit(fixture.kv, false), 0);
    CU_ASSERT_EQUAL_FATAL(kv_begin(fixture.kv), 0);
}

void fixture_stop(void)
{
    close_all();
    kv_mem_disk_destroy(&disk);
}

int fixture_main(const char *suite, const struct unit_test *tests,
                 size_t ntests)
{
    int rc, rc_mem;

    unit_tempdir_make(directory);
    fixture.driver = &kv_mem;
    rc_mem = unit_run(suite, tests, ntests);
    fixture.driver = &kv_rocksdb;
    rc = unit_run(suite, tests, ntests);
    unit_tempdir_remove(directory);
    return rc != 0 ? rc : rc_mem;
}

struct name name_of(uint64_t parent, const char *text)
{
    return (struct name){.parent = parent, .text = text, .len = strlen(text)};
}

struct inode new_file(void)
{
    return (struct inode){.type = INODE_FILE,
                          .mode = 0644,
                          .uid = 1000,
                          .gid = 100,
                          .mtime_ns = 1,
                          .layout = {.stripe_size = 1 << 20,
                                     .width = 2,
                                     .replicas = 1,
                                     .targets = {7, 8}}};
}

struct inode new_dir(void)
{
    return (struct inode){.type = INODE_DIR, .mode = 0755};
}

int unlink_name(const struct name *name, struct inode *inode_out)
{
    struct names_gone gone = {.now_ns = 2};

    return names_unlink(fixture.names, name, &gone, inode_out);
}

void fixture_damage(const struct names_key *key, const void *value, size_t len)
{
    CU_ASSERT_EQUAL(kv_put(fixture.kv, key->bytes, key->len, value, len), 0);
}
