/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HDF5 on top of MPI_File: a contiguous and a chunked dataset, written and read
 * collectively, each rank a block of columns, so that HDF5 makes views of
 * derived types.
 */
#include "mpi_test.h"

#include <hdf5.h>

struct mpi_test test;

#define ROWS 64
#define COLUMNS 16 /* of each rank */

static int number_at(int row, int column)
{
    return row * 100000 + column;
}

static hid_t collective(void)
{
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);

    CHECK(H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE) >= 0);
    return transfer;
}

/* This rank's columns of the file. */
static hid_t my_columns(hid_t dataset)
{
    hsize_t start[2] = {0, (hsize_t)test.rank * COLUMNS};
    hsize_t count[2] = {ROWS, COLUMNS};
    hid_t space = H5Dget_space(dataset);

    CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count,
                              NULL) >= 0);
    return space;
}

static hid_t create_dataset(hid_t file, const char *name, bool is_chunked)
{
    hsize_t size[2] = {ROWS, (hsize_t)test.size * COLUMNS};
    hsize_t chunk[2] = {ROWS / 4, COLUMNS + 3};
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset;

    if (chunk[1] > size[1])
        chunk[1] = size[1];
    if (is_chunked)
        CHECK(H5Pset_chunk(create, 2, chunk) >= 0);
    dataset = H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, create,
                         H5P_DEFAULT);
    CHECK(dataset >= 0);
    H5Pclose(create);
    H5Sclose(space);
    return dataset;
}

static void write_dataset(hid_t file, const char *name, bool is_chunked)
{
    hsize_t count[2] = {ROWS, COLUMNS};
    hid_t dataset = create_dataset(file, name, is_chunked);
    hid_t memory = H5Screate_simple(2, count, NULL);
    hid_t space = my_columns(dataset), transfer = collective();
    int numbers[ROWS][COLUMNS];

    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            numbers[r][c] = number_at(r, test.rank * COLUMNS + c);
    CHECK(H5Dwrite(dataset, H5T_NATIVE_INT, memory, space, transfer, numbers) >=
          0);
    H5Pclose(transfer);
    H5Sclose(space);
    H5Sclose(memory);
    CHECK(H5Dclose(dataset) >= 0);
}

/* Every rank reads its neighbour's columns, then all of the dataset. */
static void read_dataset(hid_t file, const char *name)
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT), transfer = collective();
    int ncolumns = test.size * COLUMNS;
    int *numbers = calloc((size_t)(ROWS * ncolumns), sizeof(*numbers));

    CHECK(dataset >= 0 && numbers != NULL);
    CHECK(H5Dread(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, transfer,
                  numbers) >= 0);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < ncolumns; c++)
            CHECK(numbers[r * ncolumns + c] == number_at(r, c));
    free(numbers);
    H5Pclose(transfer);
    CHECK(H5Dclose(dataset) >= 0);
}

static hid_t parallel(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);

    CHECK(H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL) >= 0);
    return access;
}

int main(int argc, char **argv)
{
    const char *path;
    hid_t access, file;

    test_start(&argc, &argv);
    path = test_path("data.h5");
    access = parallel();
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    CHECK(file >= 0);
    write_dataset(file, "contiguous", false);
    write_dataset(file, "chunked", true);
    CHECK(H5Fclose(file) >= 0);
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    CHECK(file >= 0);
    read_dataset(file, "contiguous");
    read_dataset(file, "chunked");
    CHECK(H5Fclose(file) >= 0);
    H5Pclose(access);
    MPI_Finalize();
    return 0;
}
