/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the MPI test programs share. A program takes the prefix of its files as
 * its first argument ("/tmp/x/" or "capstan:/x/"); a check that fails prints
 * where and ends all ranks. `make check` runs them through tests/mpi/test_*.sh.
 *
 * Threads  one.
 * Failure  MPI_Abort.
 */
#ifndef CAPSTAN_TESTS_MPI_TEST_H
#define CAPSTAN_TESTS_MPI_TEST_H

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct mpi_test {
    const char *prefix;
    int rank;
    int size;
};

extern struct mpi_test test;

static inline void test_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: rank %d of %d: %s\n", file, line, test.rank,
            test.size, what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            test_fail(__FILE__, __LINE__, #condition);                         \
    } while (0)

/* A call that must succeed; if not, its error text is printed. */
#define OK(call)                                                               \
    do {                                                                       \
        int rc_ = (call);                                                      \
        char text_[MPI_MAX_ERROR_STRING] = "";                                 \
        int length_;                                                           \
        if (rc_ != MPI_SUCCESS) {                                              \
            MPI_Error_string(rc_, text_, &length_);                            \
            fprintf(stderr, "%s\n", text_);                                    \
            test_fail(__FILE__, __LINE__, #call);                              \
        }                                                                      \
    } while (0)

/* A call that must fail with an error of this class. */
#define FAILS(class_wanted, call)                                              \
    do {                                                                       \
        int rc_ = (call);                                                      \
        int class_ = MPI_SUCCESS;                                              \
        if (rc_ != MPI_SUCCESS)                                                \
            MPI_Error_class(rc_, &class_);                                     \
        if (class_ != (class_wanted)) {                                        \
            fprintf(stderr, "error class %d\n", class_);                       \
            test_fail(__FILE__, __LINE__, #class_wanted " from " #call);       \
        }                                                                      \
    } while (0)

/* The path of a file of this test; static, one at a time. */
static inline char *test_path(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s%s", test.prefix, name);
    return path;
}

/* Was the file opened by our component, and not by another? */
static inline void test_is_ours(MPI_File file)
{
    MPI_Info info;
    char value[MPI_MAX_INFO_VAL + 1];
    int is_there;

    OK(MPI_File_get_info(file, &info));
    OK(MPI_Info_get(info, "capstan_driver", MPI_MAX_INFO_VAL, value,
                    &is_there));
    CHECK(is_there);
    OK(MPI_Info_free(&info));
}

static inline void test_start(int *argc, char ***argv)
{
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    if (*argc < 2)
        test_fail(__FILE__, __LINE__, "usage: program prefix");
    test.prefix = (*argv)[1];
}

#endif
