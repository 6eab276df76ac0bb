/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic mode: accesses of many ranks to the same bytes, over several stripes
 * and with holes, each seen whole or not at all; through one collective open
 * and through many opens; alone, together and nonblocking.
 */
#include "mpi_test.h"

#include <string.h>

struct mpi_test test;

#define RDWR_NEW (MPI_MODE_RDWR | MPI_MODE_CREATE)
#define BLOCKS 40
#define BLOCK 1000  /* ints */
#define STRIDE 1700 /* ints */
#define INTS (BLOCKS * BLOCK)
#define ROUNDS 6

static MPI_File open_file(MPI_Comm comm, const char *name, int extra)
{
    MPI_Info info;
    MPI_File file;

    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "striping_unit", "32768"));
    OK(MPI_File_open(comm, test_path(name), RDWR_NEW | extra, info, &file));
    OK(MPI_Info_free(&info));
    test_is_ours(file);
    return file;
}

static void set_holes(MPI_File file)
{
    MPI_Datatype type;

    OK(MPI_Type_vector(BLOCKS, BLOCK, STRIDE, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_File_set_view(file, 0, MPI_INT, type, "native", MPI_INFO_NULL));
    OK(MPI_Type_free(&type));
}

static void fill(int *ints, int value)
{
    for (int i = 0; i < INTS; i++)
        ints[i] = value;
}

static void check_whole(const int *ints, const char *how)
{
    for (int i = 1; i < INTS; i++) {
        if (ints[i] == ints[0])
            continue;
        fprintf(stderr, "%s: int %d is %d, int 0 is %d\n", how, i, ints[i],
                ints[0]);
        test_fail(__FILE__, __LINE__, "an access was not atomic");
    }
}

enum how { ALONE, TOGETHER, NONBLOCKING, NONBLOCKING_TOGETHER, NHOWS };
static const char *const how_names[NHOWS] = {
    "alone", "together", "nonblocking", "nonblocking together"};

static void write_once(MPI_File file, enum how how, int *ints)
{
    MPI_Request request = MPI_REQUEST_NULL;

    if (how == ALONE)
        OK(MPI_File_write_at(file, 0, ints, INTS, MPI_INT, MPI_STATUS_IGNORE));
    else if (how == TOGETHER)
        OK(MPI_File_write_at_all(file, 0, ints, INTS, MPI_INT,
                                 MPI_STATUS_IGNORE));
    else if (how == NONBLOCKING)
        OK(MPI_File_iwrite_at(file, 0, ints, INTS, MPI_INT, &request));
    else
        OK(MPI_File_iwrite_at_all(file, 0, ints, INTS, MPI_INT, &request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static void read_once(MPI_File file, enum how how, int *ints)
{
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    int count;

    if (how == ALONE)
        OK(MPI_File_read_at(file, 0, ints, INTS, MPI_INT, &status));
    else if (how == TOGETHER)
        OK(MPI_File_read_at_all(file, 0, ints, INTS, MPI_INT, &status));
    else if (how == NONBLOCKING)
        OK(MPI_File_iread_at(file, 0, ints, INTS, MPI_INT, &request));
    else
        OK(MPI_File_iread_at_all(file, 0, ints, INTS, MPI_INT, &request));
    if (request != MPI_REQUEST_NULL)
        OK(MPI_Wait(&request, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == INTS);
}

/* Odd ranks write, even ones read; collectively all do both in turns. */
static void contend(MPI_File file, enum how how, int *ints)
{
    bool is_collective = how == TOGETHER || how == NONBLOCKING_TOGETHER;

    fill(ints, -1);
    if (test.rank == 0 || is_collective)
        write_once(file, how, ints);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int round = 0; round < ROUNDS; round++) {
        bool is_writer = is_collective ? round % 2 == 0
                                       : (test.rank + round / 3) % 2 == 1;

        if (is_writer) {
            fill(ints, test.rank * 1000 + round);
            write_once(file, how, ints);
        } else {
            read_once(file, how, ints);
            check_whole(ints, how_names[how]);
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void test_one_open(int *ints)
{
    MPI_File file =
        open_file(MPI_COMM_WORLD, "atomic", MPI_MODE_DELETE_ON_CLOSE);
    int is_atomic = 0;

    set_holes(file);
    OK(MPI_File_set_atomicity(file, 1));
    OK(MPI_File_get_atomicity(file, &is_atomic));
    CHECK(is_atomic);
    for (int how = 0; how < NHOWS; how++)
        contend(file, (enum how)how, ints);
    OK(MPI_File_close(&file));
}

static void test_many_opens(int *ints)
{
    MPI_File file;

    if (test.rank == 0) {
        file = open_file(MPI_COMM_SELF, "opens", 0);
        OK(MPI_File_close(&file));
    }
    MPI_Barrier(MPI_COMM_WORLD);
    file = open_file(MPI_COMM_SELF, "opens", 0);
    set_holes(file);
    OK(MPI_File_set_atomicity(file, 1));
    contend(file, ALONE, ints);
    contend(file, NONBLOCKING, ints);
    OK(MPI_File_close(&file));
    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0)
        OK(MPI_File_delete(test_path("opens"), MPI_INFO_NULL));
}

/* A write without sync is seen by a read that a message orders after it. */
static void test_a_message_orders(int *ints)
{
    MPI_File file =
        open_file(MPI_COMM_WORLD, "message", MPI_MODE_DELETE_ON_CLOSE);
    int token = 0;

    OK(MPI_File_set_atomicity(file, 1));
    if (test.rank > 0)
        MPI_Recv(&token, 1, MPI_INT, test.rank - 1, 0, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    if (test.rank > 0) {
        OK(MPI_File_read_at(file, 0, ints, INTS, MPI_BYTE, MPI_STATUS_IGNORE));
        CHECK(ints[0] == test.rank - 1 && ints[100] == test.rank - 1);
    }
    fill(ints, test.rank);
    OK(MPI_File_write_at(file, 0, ints, INTS, MPI_BYTE, MPI_STATUS_IGNORE));
    if (test.rank + 1 < test.size)
        MPI_Send(&token, 1, MPI_INT, test.rank + 1, 0, MPI_COMM_WORLD);
    OK(MPI_File_close(&file));
}

/* Shared pointers, empty accesses, errors; and back. */
static void test_the_rest(int *ints)
{
    MPI_File file =
        open_file(MPI_COMM_WORLD, "rest", MPI_MODE_DELETE_ON_CLOSE);
    int is_atomic = 1, number = test.rank;

    OK(MPI_File_get_atomicity(file, &is_atomic));
    CHECK(!is_atomic);
    if (test.size > 1)
        FAILS(MPI_ERR_NOT_SAME, MPI_File_set_atomicity(file, test.rank == 0));
    OK(MPI_File_set_atomicity(file, 1));
    OK(MPI_File_write_ordered(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_write_shared(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_write_at_all(file, 0, ints, 0, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_File_read_at_all(file, test.rank == 0 ? -1 : 0, ints,
                                            1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
    OK(MPI_File_read_ordered(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(number == test.rank);
    OK(MPI_File_set_atomicity(file, 0));
    OK(MPI_File_get_atomicity(file, &is_atomic));
    CHECK(!is_atomic);
    OK(MPI_File_read_at(file, 0, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(number == 0);
    OK(MPI_File_close(&file));
}

int main(int argc, char **argv)
{
    int *ints = malloc(INTS * sizeof(int));

    test_start(&argc, &argv);
    test_one_open(ints);
    test_many_opens(ints);
    test_a_message_orders(ints);
    test_the_rest(ints);
    free(ints);
    MPI_Finalize();
    return 0;
}
