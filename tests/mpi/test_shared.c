/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared file pointer: alone, ordered, split, nonblocking; seeks and
 * positions; what resets it; two opens of one file; the modes SEQUENTIAL and
 * APPEND.
 */
#include "mpi_test.h"

#include <string.h>

struct mpi_test test;

#define RDWR_NEW (MPI_MODE_RDWR | MPI_MODE_CREATE)
#define RECORDS 50 /* each rank writes */

static MPI_File open_file(const char *name, int amode)
{
    MPI_File file;

    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name), amode, MPI_INFO_NULL,
                     &file));
    test_is_ours(file);
    return file;
}

static MPI_File open_ints(const char *name, int amode)
{
    MPI_File file = open_file(name, amode);

    OK(MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "native", MPI_INFO_NULL));
    return file;
}

static void check_position(MPI_File file, MPI_Offset wanted)
{
    MPI_Offset at = -1;

    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_get_position_shared(file, &at));
    if (at != wanted)
        fprintf(stderr, "position %lld, not %lld\n", (long long)at,
                (long long)wanted);
    CHECK(at == wanted);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Every (rank, record) of `each` ints is in the file once, whole. */
static void check_records(MPI_File file, int each)
{
    int n = test.size * RECORDS, *seen = calloc((size_t)n, sizeof(int));
    int record[8];

    for (int i = 0; i < n; i++) {
        OK(MPI_File_read_at(file, (MPI_Offset)i * each, record, each, MPI_INT,
                            MPI_STATUS_IGNORE));
        CHECK(record[0] >= 0 && record[0] < n);
        for (int k = 1; k < each; k++)
            CHECK(record[k] == record[0]);
        CHECK(seen[record[0]]++ == 0);
    }
    free(seen);
}

static void test_records_of_all_ranks_lie_side_by_side(void)
{
    MPI_File file = open_ints("shared", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Status status;
    int record[3], count, sum = 0;

    check_position(file, 0);
    for (int i = 0; i < RECORDS; i++) {
        record[0] = record[1] = record[2] = test.rank * RECORDS + i;
        OK(MPI_File_write_shared(file, record, 3, MPI_INT, &status));
        MPI_Get_count(&status, MPI_INT, &count);
        CHECK(count == 3);
    }
    check_position(file, (MPI_Offset)3 * test.size * RECORDS);
    check_records(file, 3);
    OK(MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
    for (int i = 0; i < RECORDS; i++) {
        OK(MPI_File_read_shared(file, record, 3, MPI_INT, &status));
        MPI_Get_count(&status, MPI_INT, &count);
        CHECK(count == 3 && record[0] == record[2]);
        sum += record[0];
    }
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK(sum == test.size * RECORDS * (test.size * RECORDS - 1) / 2);
    OK(MPI_File_read_shared(file, record, 1, MPI_INT, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 0); /* the end of the file */
    OK(MPI_File_close(&file));
}

static void test_nonblocking(void)
{
    MPI_File file = open_ints("ishared", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Request requests[RECORDS];
    int records[RECORDS][2], sum = 0;

    for (int i = 0; i < RECORDS; i++) {
        records[i][0] = records[i][1] = test.rank * RECORDS + i;
        OK(MPI_File_iwrite_shared(file, records[i], 2, MPI_INT, &requests[i]));
    }
    OK(MPI_Waitall(RECORDS, requests, MPI_STATUSES_IGNORE));
    check_position(file, (MPI_Offset)2 * test.size * RECORDS);
    check_records(file, 2);
    OK(MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
    for (int i = 0; i < RECORDS; i++)
        OK(MPI_File_iread_shared(file, records[i], 2, MPI_INT, &requests[i]));
    OK(MPI_Waitall(RECORDS, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < RECORDS; i++)
        sum += records[i][1];
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK(sum == test.size * RECORDS * (test.size * RECORDS - 1) / 2);
    OK(MPI_File_close(&file));
}

/* Rank r writes r + 1 numbers, in rounds; rank 0 none in every third. */
static int ordered_count(int rank, int round)
{
    return rank == 0 && round % 3 == 0 ? 0 : rank + 1;
}

static int ordered_before(int rank, int round)
{
    int sum = 0;

    for (int i = 0; i < rank; i++)
        sum += ordered_count(i, round);
    return sum;
}

static void test_ordered_accesses_follow_ranks(void)
{
    MPI_File file = open_ints("ordered", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Status status;
    int numbers[64], count, at = 0;

    for (int round = 0; round < 10; round++) {
        int mine = ordered_count(test.rank, round);

        for (int i = 0; i < mine; i++)
            numbers[i] = at + ordered_before(test.rank, round) + i;
        if (round % 2 == 0) {
            OK(MPI_File_write_ordered(file, numbers, mine, MPI_INT, &status));
        } else {
            OK(MPI_File_write_ordered_begin(file, numbers, mine, MPI_INT));
            OK(MPI_File_write_ordered_end(file, numbers, &status));
        }
        MPI_Get_count(&status, MPI_INT, &count);
        CHECK(count == mine);
        at += ordered_before(test.size, round);
    }
    check_position(file, at);
    for (int i = 0; i < at; i++) {
        OK(MPI_File_read_at(file, i, numbers, 1, MPI_INT, MPI_STATUS_IGNORE));
        CHECK(numbers[0] == i);
    }
    OK(MPI_File_seek_shared(file, -at, MPI_SEEK_CUR));
    at = 0;
    for (int round = 0; round < 10; round++) {
        int mine = ordered_count(test.rank, round);

        memset(numbers, 0, sizeof(numbers));
        if (round % 2 == 0) {
            OK(MPI_File_read_ordered(file, numbers, mine, MPI_INT, &status));
        } else {
            OK(MPI_File_read_ordered_begin(file, numbers, mine, MPI_INT));
            FAILS(MPI_ERR_ARG, MPI_File_read_all_end(file, numbers, &status));
            OK(MPI_File_read_ordered_end(file, numbers, &status));
        }
        for (int i = 0; i < mine; i++)
            CHECK(numbers[i] == at + ordered_before(test.rank, round) + i);
        at += ordered_before(test.size, round);
    }
    OK(MPI_File_close(&file));
}

static void test_a_bad_rank_moves_nothing(void)
{
    MPI_File file = open_ints("badrank", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    char bytes[8] = {0};
    int last = test.rank == test.size - 1;

    FAILS(MPI_ERR_TYPE,
          MPI_File_write_ordered(file, bytes, last ? 3 : 4, MPI_BYTE,
                                 MPI_STATUS_IGNORE));
    check_position(file, 0);
    OK(MPI_File_close(&file));
}

static void test_seeks(void)
{
    MPI_File file = open_ints("seek", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);

    OK(MPI_File_set_size(file, 4 * 100));
    OK(MPI_File_seek_shared(file, 10, MPI_SEEK_SET));
    check_position(file, 10);
    OK(MPI_File_seek_shared(file, 5, MPI_SEEK_CUR));
    check_position(file, 15);
    OK(MPI_File_seek_shared(file, -1, MPI_SEEK_END));
    check_position(file, 99);
    FAILS(MPI_ERR_ARG, MPI_File_seek_shared(file, -1, MPI_SEEK_SET));
    FAILS(MPI_ERR_ARG, MPI_File_seek_shared(file, -100, MPI_SEEK_CUR));
    check_position(file, 99);
    if (test.size > 1)
        FAILS(MPI_ERR_NOT_SAME,
              MPI_File_seek_shared(file, test.rank, MPI_SEEK_SET));
    for (int i = 1; i <= 5; i++) { /* a view begins both pointers anew */
        OK(MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "native",
                             MPI_INFO_NULL));
        check_position(file, 0);
        OK(MPI_File_seek_shared(file, i, MPI_SEEK_CUR));
        check_position(file, i);
    }
    OK(MPI_File_close(&file));
}

static void test_two_opens_have_two_pointers(void)
{
    MPI_File one = open_ints("two", RDWR_NEW), two, self;
    int number = test.rank, zero = 0;
    MPI_Offset at;

    OK(MPI_File_write_ordered(one, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    two = open_ints("two", MPI_MODE_RDWR | MPI_MODE_UNIQUE_OPEN);
    check_position(one, test.size);
    check_position(two, 0);
    OK(MPI_File_read_ordered(two, &zero, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(zero == test.rank);
    OK(MPI_File_open(MPI_COMM_SELF, test_path("two"), MPI_MODE_RDONLY,
                     MPI_INFO_NULL, &self));
    for (int i = 0; i < 3; i++)
        OK(MPI_File_read_shared(self, &zero, 1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_get_position_shared(self, &at));
    CHECK(at == 12);
    OK(MPI_File_close(&self));
    check_position(one, test.size);
    check_position(two, test.size);
    OK(MPI_File_close(&two));
    check_position(one, test.size);
    OK(MPI_File_close(&one));
    one = open_ints("two", MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE);
    check_position(one, 0);
    OK(MPI_File_close(&one));
}

static void test_append_begins_at_the_end(void)
{
    MPI_File file = open_file("append", RDWR_NEW);
    int number = test.rank;
    MPI_Offset at;

    OK(MPI_File_set_size(file, 12));
    OK(MPI_File_close(&file));
    file = open_file("append", MPI_MODE_WRONLY | MPI_MODE_APPEND);
    OK(MPI_File_get_position(file, &at));
    CHECK(at == 12);
    check_position(file, 12);
    OK(MPI_File_write_ordered(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    check_position(file, 12 + 4 * test.size);
    OK(MPI_File_close(&file));
    file = open_file("append", MPI_MODE_RDONLY | MPI_MODE_DELETE_ON_CLOSE);
    OK(MPI_File_read_at(file, 12 + 4 * test.rank, &number, 1, MPI_INT,
                        MPI_STATUS_IGNORE));
    CHECK(number == test.rank);
    OK(MPI_File_close(&file));
}

static void check_sequential_refusals(MPI_File file)
{
    int number = 7;
    MPI_Offset at;

    FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
          MPI_File_write_at(file, 0, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
          MPI_File_write_all(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION, MPI_File_seek(file, 0, MPI_SEEK_SET));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION, MPI_File_get_position(file, &at));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
          MPI_File_get_byte_offset(file, 0, &at));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
          MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
          MPI_File_get_position_shared(file, &at));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION, MPI_File_set_size(file, 0));
    FAILS(MPI_ERR_UNSUPPORTED_OPERATION, MPI_File_preallocate(file, 9));
    FAILS(MPI_ERR_ARG, MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "native",
                                         MPI_INFO_NULL));
}

static void test_sequential_allows_the_shared_pointer(void)
{
    MPI_File file = open_file("sequential", MPI_MODE_CREATE | MPI_MODE_WRONLY |
                                                MPI_MODE_SEQUENTIAL);
    int number = test.rank, back = -1;
    char head = 'h', heads[8];

    check_sequential_refusals(file);
    OK(MPI_File_write_ordered(file, &head, 1, MPI_CHAR, MPI_STATUS_IGNORE));
    OK(MPI_File_set_view(file, MPI_DISPLACEMENT_CURRENT, MPI_INT, MPI_INT,
                         "native", MPI_INFO_NULL));
    OK(MPI_File_write_ordered(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_close(&file));
    file = open_file("sequential", MPI_MODE_RDONLY | MPI_MODE_SEQUENTIAL |
                                       MPI_MODE_DELETE_ON_CLOSE);
    OK(MPI_File_read_ordered(file, heads, 1, MPI_CHAR, MPI_STATUS_IGNORE));
    CHECK(heads[0] == 'h');
    OK(MPI_File_read_ordered(file, &back, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(back == test.rank);
    OK(MPI_File_close(&file));
}

int main(int argc, char **argv)
{
    test_start(&argc, &argv);
    test_records_of_all_ranks_lie_side_by_side();
    test_nonblocking();
    test_ordered_accesses_follow_ranks();
    test_a_bad_rank_moves_nothing();
    test_seeks();
    test_two_opens_have_two_pointers();
    test_append_begins_at_the_end();
    test_sequential_allows_the_shared_pointer();
    MPI_Finalize();
    return 0;
}
