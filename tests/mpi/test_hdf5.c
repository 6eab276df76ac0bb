/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HDF5 on top of MPI_File: contiguous, chunked and compressed datasets (filters
 * run collectively), written and read collectively, each rank a block of
 * columns, so that HDF5 makes views of derived types; points; attributes; many
 * datasets; a file that is flushed, read, and opened again.
 */
#include "mpi_test.h"

#include <hdf5.h>

struct mpi_test test;

#define ROWS 64
#define COLUMNS 16 /* of each rank */
#define POINTS 5
#define MANY 20

enum kind { CONTIGUOUS, CHUNKED, COMPRESSED };

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

static hid_t create_dataset(hid_t file, const char *name, enum kind kind)
{
    hsize_t size[2] = {ROWS, (hsize_t)test.size * COLUMNS};
    hsize_t chunk[2] = {ROWS / 4, COLUMNS + 3};
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset;

    if (chunk[1] > size[1])
        chunk[1] = size[1];
    if (kind != CONTIGUOUS)
        CHECK(H5Pset_chunk(create, 2, chunk) >= 0);
    if (kind == COMPRESSED)
        CHECK(H5Pset_deflate(create, 4) >= 0);
    dataset = H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, create,
                         H5P_DEFAULT);
    CHECK(dataset >= 0);
    H5Pclose(create);
    H5Sclose(space);
    return dataset;
}

static void write_dataset(hid_t file, const char *name, enum kind kind)
{
    hsize_t count[2] = {ROWS, COLUMNS};
    hid_t dataset = create_dataset(file, name, kind);
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

/* Each rank reads points of its own, in no order of the file. */
static void read_points(hid_t file, const char *name)
{
    static const hsize_t rows[POINTS] = {40, 3, 63, 0, 17};
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT), transfer = collective();
    hid_t space = H5Dget_space(dataset), memory;
    hsize_t points[POINTS][2], count = POINTS;
    int numbers[POINTS];

    for (int i = 0; i < POINTS; i++) {
        points[i][0] = rows[i];
        points[i][1] = (hsize_t)(test.rank * COLUMNS + (i * 7) % COLUMNS);
    }
    memory = H5Screate_simple(1, &count, NULL);
    CHECK(H5Sselect_elements(space, H5S_SELECT_SET, POINTS, points[0]) >= 0);
    CHECK(H5Dread(dataset, H5T_NATIVE_INT, memory, space, transfer, numbers) >=
          0);
    for (int i = 0; i < POINTS; i++)
        CHECK(numbers[i] == number_at((int)points[i][0], (int)points[i][1]));
    H5Sclose(memory);
    H5Sclose(space);
    H5Pclose(transfer);
    CHECK(H5Dclose(dataset) >= 0);
}

static void write_many(hid_t file)
{
    hsize_t one = 1;
    hid_t space = H5Screate_simple(1, &one, NULL), attribute, dataset;
    char name[32];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        dataset = H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT,
                             H5P_DEFAULT, H5P_DEFAULT);
        CHECK(dataset >= 0);
        attribute = H5Acreate2(dataset, "number", H5T_NATIVE_INT, space,
                               H5P_DEFAULT, H5P_DEFAULT);
        CHECK(H5Awrite(attribute, H5T_NATIVE_INT, &i) >= 0);
        H5Aclose(attribute);
        CHECK(H5Dclose(dataset) >= 0);
    }
    H5Sclose(space);
}

static void check_many(hid_t file)
{
    char name[32];
    hid_t attribute;
    int number;

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        attribute =
            H5Aopen_by_name(file, name, "number", H5P_DEFAULT, H5P_DEFAULT);
        CHECK(H5Aread(attribute, H5T_NATIVE_INT, &number) >= 0);
        CHECK(number == i);
        H5Aclose(attribute);
    }
}

static void check_all(hid_t file)
{
    static const char *const names[] = {"contiguous", "chunked", "compressed"};

    for (int i = 0; i < 3; i++) {
        read_dataset(file, names[i]);
        read_points(file, names[i]);
    }
    check_many(file);
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
    write_dataset(file, "contiguous", CONTIGUOUS);
    write_dataset(file, "chunked", CHUNKED);
    write_dataset(file, "compressed", COMPRESSED);
    write_many(file);
    CHECK(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0);
    check_all(file);
    CHECK(H5Fclose(file) >= 0);
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    CHECK(file >= 0);
    check_all(file);
    CHECK(H5Fclose(file) >= 0);
    H5Pclose(access);
    MPI_Finalize();
    return 0;
}
