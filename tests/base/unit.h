/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every CUnit program of base, store and meta needs: a main() from a table
 * of tests, a seed that is printed, and a temporary directory that goes away.
 *
 * CAPSTAN_SEED=n repeats a run.
 */
#ifndef TESTS_BASE_UNIT_H
#define TESTS_BASE_UNIT_H

#include <CUnit/Basic.h>

#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNIT_SKIPPED 77

/* X(test function): the tests are named as their functions are. */
#define UNIT_TEST(fn)                                                          \
    {                                                                          \
#fn, fn                                                                \
    }

struct unit_test {
    const char *name;
    void (*fn)(void);
};

static inline int unit_run(const char *suite_name,
                           const struct unit_test *tests, size_t ntests)
{
    unsigned failed;
    CU_pSuite suite;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; i < ntests; i++)
        if (CU_add_test(suite, tests[i].name, tests[i].fn) == NULL)
            return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(suite_name, tests)                                           \
    unit_run(suite_name, tests, sizeof(tests) / sizeof((tests)[0]))

static inline uint64_t unit_seed(void)
{
    const char *wanted = getenv("CAPSTAN_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = wanted != NULL
               ? strtoull(wanted, NULL, 0)
               : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    printf("CAPSTAN_SEED=%llu ", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* path: room for 256 bytes. */
static inline void unit_tempdir_make(char path[256])
{
    const char *parent = getenv("TMPDIR");

    snprintf(path, 256, "%s/capstan-test-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(path) == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static inline int unit_remove_one(const char *path, const struct stat *st,
                                  int kind, struct FTW *ftw)
{
    return remove(path);
}

static inline void unit_tempdir_remove(const char *path)
{
    nftw(path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/*
 * Mount a file system of so many bytes ("4m") that nobody else sees, as root or
 * in a user namespace; a test that calls this comes last in its program.
 *
 * @return false where neither is allowed: it says so, and the test is left out.
 */
static inline bool unit_tiny_fs_mount(const char *path, const char *size)
{
    char options[64];

    snprintf(options, sizeof(options), "size=%s,mode=700", size);
    if (mkdir(path, 0700) == 0 &&
        (unshare(CLONE_NEWNS) == 0 ||
         unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("tiny", path, "tmpfs", 0, options) == 0)
        return true;
    printf("left out: no mount namespace for a tiny file system here ... ");
    rmdir(path);
    return false;
}

static inline void unit_tiny_fs_umount(const char *path)
{
    umount(path);
    rmdir(path);
}

#endif
