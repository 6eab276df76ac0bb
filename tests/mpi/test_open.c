/* SPDX-License-Identifier: BSD-3-Clause */
/* Open a file, write it, leave it open: MPI_Finalize has to cope. */
#include "mpi_test.h"

struct mpi_test test;

int main(int argc, char **argv)
{
    MPI_File file;
    char byte = 1;

    test_start(&argc, &argv);
    OK(MPI_File_open(MPI_COMM_WORLD, argv[1], MPI_MODE_RDWR | MPI_MODE_CREATE,
                     MPI_INFO_NULL, &file));
    OK(MPI_File_write_at_all(file, test.rank, &byte, 1, MPI_BYTE,
                             MPI_STATUS_IGNORE));
    MPI_Finalize();
    return 0;
}
