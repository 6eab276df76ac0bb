/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nonblocking accesses: far more of them than may be in flight, finished in any
 * order; a program that computes for long between start and wait; collectives
 * that go on while the program only tests another request.
 *
 *   test_requests PREFIX [REQUESTS]
 */
#include "mpi_test.h"

#include <string.h>
#include <time.h>

struct mpi_test test;

#define PIECE 1000     /* bytes of a request: odd for blocks and stripes */
#define REQUESTS 1500  /* of a rank; what is in flight is a few dozen */
#define COMPUTE_MS 700 /* without a call of MPI */
#define MESSAGE (4 << 20)

static MPI_File open_file(const char *name)
{
    MPI_File file;

    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name),
                     MPI_MODE_RDWR | MPI_MODE_CREATE | MPI_MODE_DELETE_ON_CLOSE,
                     MPI_INFO_NULL, &file));
    test_is_ours(file);
    return file;
}

static char byte_of(int rank, int request)
{
    return (char)(1 + (rank * 31 + request * 7) % 251);
}

/* Piece i of rank r lies between those of the other ranks. */
static MPI_Offset place_of(int rank, int request)
{
    return (MPI_Offset)PIECE * ((MPI_Offset)request * test.size + rank);
}

/* In the order that they end, some at a time. */
static void finish_some(int nrequests, MPI_Request *requests)
{
    int *which = malloc((size_t)nrequests * sizeof(*which));
    MPI_Status *statuses = malloc((size_t)nrequests * sizeof(*statuses));
    int nleft = nrequests, n, count;

    CHECK(which != NULL && statuses != NULL);
    while (nleft > 0) {
        OK(MPI_Waitsome(nrequests, requests, &n, which, statuses));
        CHECK(n > 0 && n <= nleft);
        for (int i = 0; i < n; i++) {
            MPI_Get_count(&statuses[i], MPI_BYTE, &count);
            CHECK(count == PIECE);
        }
        nleft -= n;
    }
    free(which);
    free(statuses);
}

/* The last first. */
static void finish_backward(int nrequests, MPI_Request *requests)
{
    MPI_Status status;
    int count;

    for (int i = nrequests - 1; i >= 0; i--) {
        OK(MPI_Wait(&requests[i], &status));
        MPI_Get_count(&status, MPI_BYTE, &count);
        CHECK(count == PIECE);
    }
}

static void test_requests_beyond_the_bound_wait(int nrequests)
{
    MPI_File file = open_file("many");
    char *data = malloc((size_t)nrequests * PIECE);
    MPI_Request *requests = malloc((size_t)nrequests * sizeof(*requests));
    int from = (test.rank + 1) % test.size;

    CHECK(data != NULL && requests != NULL);
    for (int i = 0; i < nrequests; i++) {
        memset(data + (size_t)i * PIECE, byte_of(test.rank, i), PIECE);
        OK(MPI_File_iwrite_at(file, place_of(test.rank, i),
                              data + (size_t)i * PIECE, PIECE, MPI_BYTE,
                              &requests[i]));
    }
    finish_some(nrequests, requests);
    MPI_Barrier(MPI_COMM_WORLD);
    memset(data, 0, (size_t)nrequests * PIECE);
    for (int i = 0; i < nrequests; i++)
        OK(MPI_File_iread_at(file, place_of(from, i), data + (size_t)i * PIECE,
                             PIECE, MPI_BYTE, &requests[i]));
    finish_backward(nrequests, requests);
    for (int i = 0; i < nrequests; i++)
        for (int k = 0; k < PIECE; k += PIECE - 1)
            CHECK(data[(size_t)i * PIECE + (size_t)k] == byte_of(from, i));
    free(requests);
    free(data);
    OK(MPI_File_close(&file));
}

/* Time passes, and MPI is not called: nobody moves the requests on. */
static void compute(void)
{
    struct timespec from, now;

    clock_gettime(CLOCK_MONOTONIC, &from);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000 +
               (now.tv_nsec - from.tv_nsec) / 1000000 <
           COMPUTE_MS);
}

static void test_computing_is_no_failure(void)
{
    MPI_File file = open_file("compute");
    int size = 300000;
    char *out = malloc((size_t)size), *in = malloc((size_t)size);
    MPI_Request requests[2];

    CHECK(out != NULL && in != NULL);
    memset(out, byte_of(test.rank, 3), (size_t)size);
    OK(MPI_File_iwrite_at(file, (MPI_Offset)size * test.rank, out, size,
                          MPI_BYTE, &requests[0]));
    compute();
    OK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
    OK(MPI_File_iread_at(file, (MPI_Offset)size * test.rank, in, size, MPI_BYTE,
                         &requests[0]));
    OK(MPI_File_iread_at_all(file, (MPI_Offset)size * test.rank, out, size,
                             MPI_BYTE, &requests[1]));
    compute();
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    CHECK(memcmp(in, out, (size_t)size) == 0);
    CHECK(in[0] == byte_of(test.rank, 3) && in[size - 1] == in[0]);
    free(out);
    free(in);
    OK(MPI_File_close(&file));
}

/* A rank that waits for something else moves its file on: the requests of all
 * ranks end though none of them is waited for before the messages came. */
static void test_requests_move_while_others_are_waited_for(void)
{
    MPI_File file = open_file("progress");
    int next = (test.rank + 1) % test.size;
    int before = (test.rank + test.size - 1) % test.size;
    char mine[PIECE], token = 0;
    MPI_Request write, message;
    int is_over = 0;

    memset(mine, byte_of(test.rank, 1), PIECE);
    OK(MPI_Irecv(&token, 1, MPI_BYTE, before, 1, MPI_COMM_WORLD, &message));
    OK(MPI_File_iwrite_at_all(file, (MPI_Offset)PIECE * test.rank, mine, PIECE,
                              MPI_BYTE, &write));
    /* Rank 0 sends once its part of the collective is over; the others are in
     * MPI_Wait of the message until it comes. */
    while (test.rank == 0 && !is_over)
        OK(MPI_Test(&write, &is_over, MPI_STATUS_IGNORE));
    if (test.rank != 0)
        OK(MPI_Wait(&message, MPI_STATUS_IGNORE));
    OK(MPI_Send(&token, 1, MPI_BYTE, next, 1, MPI_COMM_WORLD));
    if (test.rank == 0)
        OK(MPI_Wait(&message, MPI_STATUS_IGNORE));
    else
        OK(MPI_Wait(&write, MPI_STATUS_IGNORE));
    OK(MPI_File_read_at_all(file, (MPI_Offset)PIECE * next, mine, PIECE,
                            MPI_BYTE, MPI_STATUS_IGNORE));
    CHECK(mine[0] == byte_of(next, 1) && mine[PIECE - 1] == mine[0]);
    OK(MPI_File_close(&file));
}

/* A rank waits in a blocking collective for one that first wants a message of
 * it, too large to be on its way already. */
static void test_collectives_let_messages_through(void)
{
    MPI_File file = open_file("messages");
    int next = (test.rank + 1) % test.size;
    int before = (test.rank + test.size - 1) % test.size;
    char *out = calloc(MESSAGE, 1), *in = malloc(MESSAGE);
    char piece[PIECE];
    MPI_Request message;

    CHECK(out != NULL && in != NULL);
    for (int i = 0; i < 3; i++) {
        memset(out, byte_of(test.rank, i), MESSAGE);
        OK(MPI_Isend(out, MESSAGE, MPI_BYTE, next, 2, MPI_COMM_WORLD,
                     &message));
        if (test.rank > 0)
            OK(MPI_Recv(in, MESSAGE, MPI_BYTE, before, 2, MPI_COMM_WORLD,
                        MPI_STATUS_IGNORE));
        OK(MPI_File_read_at_all(file, 0, piece, PIECE, MPI_BYTE,
                                MPI_STATUS_IGNORE));
        OK(MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native",
                             MPI_INFO_NULL));
        if (test.rank == 0)
            OK(MPI_Recv(in, MESSAGE, MPI_BYTE, before, 2, MPI_COMM_WORLD,
                        MPI_STATUS_IGNORE));
        OK(MPI_Wait(&message, MPI_STATUS_IGNORE));
        CHECK(in[0] == byte_of(before, i) && in[MESSAGE - 1] == in[0]);
    }
    free(out);
    free(in);
    OK(MPI_File_close(&file));
}

int main(int argc, char **argv)
{
    test_start(&argc, &argv);
    test_requests_beyond_the_bound_wait(argc > 2 ? atoi(argv[2]) : REQUESTS);
    test_computing_is_no_failure();
    test_requests_move_while_others_are_waited_for();
    test_collectives_let_messages_through();
    MPI_Finalize();
    return 0;
}
