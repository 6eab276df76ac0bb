/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All ranks write one file, each on its own, with pieces that take turns.
 *
 *     write_shared PATH BYTES COUNT
 *
 * Rank r writes COUNT pieces of BYTES bytes, piece i at (i * ranks + r) * BYTES,
 * full of (i + r) & 255. The file is closed, opened anew, and each rank reads
 * and checks what the rank after it wrote.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, nranks;

static void must(int rc, const char *what)
{
    if (rc == MPI_SUCCESS)
        return;
    fprintf(stderr, "write_shared: rank %d: %s\n", rank, what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static MPI_Offset place(int piece, int writer, int bytes)
{
    return ((MPI_Offset)piece * nranks + writer) * bytes;
}

static void write_all(const char *path, char *buffer, int bytes, int count)
{
    MPI_File file;

    must(MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_CREATE | MPI_MODE_RDWR,
                       MPI_INFO_NULL, &file),
         "open");
    for (int i = 0; i < count; i++) {
        memset(buffer, (i + rank) & 255, (size_t)bytes);
        must(MPI_File_write_at(file, place(i, rank, bytes), buffer, bytes,
                               MPI_BYTE, MPI_STATUS_IGNORE),
             "write");
    }
    must(MPI_File_close(&file), "close");
}

static void check_all(const char *path, char *buffer, int bytes, int count)
{
    int writer = (rank + 1) % nranks;
    MPI_File file;

    must(MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_RDONLY, MPI_INFO_NULL,
                       &file),
         "open again");
    for (int i = 0; i < count; i++) {
        must(MPI_File_read_at(file, place(i, writer, bytes), buffer, bytes,
                              MPI_BYTE, MPI_STATUS_IGNORE),
             "read");
        for (int k = 0; k < bytes; k++)
            if (buffer[k] != (char)((i + writer) & 255))
                must(MPI_ERR_OTHER, "wrong data");
    }
    must(MPI_File_close(&file), "close");
}

int main(int argc, char **argv)
{
    int bytes, count;
    char *buffer;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &nranks);
    if (argc != 4 || (bytes = atoi(argv[2])) < 1 || (count = atoi(argv[3])) < 1)
        must(MPI_ERR_ARG, "usage: write_shared PATH BYTES COUNT");
    else if ((buffer = malloc((size_t)bytes)) == NULL)
        must(MPI_ERR_NO_MEM, "no memory");
    else {
        write_all(argv[1], buffer, bytes, count);
        check_all(argv[1], buffer, bytes, count);
        free(buffer);
    }
    MPI_Finalize();
    return 0;
}
