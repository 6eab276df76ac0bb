/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All ranks read the same file collectively, again and again.
 *
 *     read_shared PATH BYTES ROUNDS
 *
 * Each round every rank reads the first BYTES bytes and checks them: byte i is
 * (i * 131) ^ (i >> 9). With ROUNDS 0 it reads until a read fails, checks that
 * every rank got the same error class and text, and prints them with the time
 * that the failing read took. A rank that hangs is ended by the caller.
 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank;

static void die(const char *what)
{
    fprintf(stderr, "read_shared: rank %d: %s\n", rank, what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)((i * 131) ^ (i >> 9));
}

static void check(const uint8_t *buffer, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (buffer[i] != byte_at(i))
            die("wrong data");
}

static void check_all_alike(int class, const char *text)
{
    char first[MPI_MAX_ERROR_STRING];
    int first_class = class;

    memcpy(first, text, sizeof(first));
    MPI_Bcast(&first_class, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Bcast(first, sizeof(first), MPI_CHAR, 0, MPI_COMM_WORLD);
    if (first_class != class)
        die("another error class than rank 0's");
    if (strcmp(first, text) != 0)
        die("another error text than rank 0's");
}

static void report(int rc, double seconds)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int class, length;

    MPI_Error_class(rc, &class);
    MPI_Error_string(rc, text, &length);
    check_all_alike(class, text);
    if (rank == 0)
        printf("failed after %.1f s with class %d: %s\n", seconds, class, text);
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 4 ? strtoull(argv[2], NULL, 0) : 0;
    int rounds = argc == 4 ? atoi(argv[3]) : 0;
    uint8_t *buffer = malloc(bytes);
    MPI_Status status;
    MPI_File file;
    double began = 0;
    int i, count, rc;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (bytes == 0 || buffer == NULL)
        die("usage: read_shared PATH BYTES ROUNDS");
    rc = MPI_File_open(MPI_COMM_WORLD, argv[1], MPI_MODE_RDONLY, MPI_INFO_NULL,
                       &file);
    if (rc != MPI_SUCCESS)
        die("cannot open");
    for (i = 0; rounds == 0 || i < rounds; i++) {
        memset(buffer, 0, bytes);
        began = MPI_Wtime();
        rc = MPI_File_read_at_all(file, 0, buffer, (int)bytes, MPI_BYTE,
                                  &status);
        if (rc != MPI_SUCCESS)
            break;
        MPI_Get_count(&status, MPI_BYTE, &count);
        if ((size_t)count != bytes)
            die("short read");
        check(buffer, bytes);
        if (rank == 0 && i == 0) {
            printf("reading\n");
            fflush(stdout);
        }
    }
    if (rc != MPI_SUCCESS)
        report(rc, MPI_Wtime() - began);
    MPI_File_close(&file);
    free(buffer);
    MPI_Finalize();
    return rounds == 0 || rc == MPI_SUCCESS ? 0 : 1;
}
