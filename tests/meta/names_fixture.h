/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A name store on a key-value store of either driver. Each program runs its
 * tests twice, over kv_mem and over kv_rocksdb; each test begins with a new,
 * empty store and an open transaction.
 */
#ifndef TESTS_META_NAMES_FIXTURE_H
#define TESTS_META_NAMES_FIXTURE_H

#include "meta/names_private.h"
#include "tests/base/unit.h"

#define FIXTURE_TARGET 7

struct names_fixture {
    const struct kv_driver *driver;
    struct kv_config config;
    struct kv *kv;
    struct names *names;
};

extern struct names_fixture fixture;

/* Open a new store, or again the one that is open; begin a transaction. */
void fixture_start(void);
void fixture_reopen(void);

/* Commit and begin anew. */
void fixture_commit(void);

/* Roll back and close. */
void fixture_stop(void);

/* Run the tests over both drivers. @return for main(). */
int fixture_main(const char *suite, const struct unit_test *tests,
                 size_t ntests);

#define FIXTURE_MAIN(suite, tests)                                             \
    fixture_main(suite, tests, sizeof(tests) / sizeof((tests)[0]))

/* A name from a string, and inodes as a client would send them. */
struct name name_of(uint64_t parent, const char *text);
struct inode new_file(void);
struct inode new_dir(void);

/* Unlink at time 2, held by nobody. */
int unlink_name(const struct name *name, struct inode *inode_out);

/* Write raw bytes over the value of a key. */
void fixture_damage(const struct names_key *key, const void *value, size_t len);

#endif
