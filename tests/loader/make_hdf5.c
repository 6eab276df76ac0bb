/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write random rows into HDF5 files through parallel HDF5, and the same bytes
 * into a flat file: make_hdf5 PREFIX FLAT. Built by test_hdf5.sh.
 *
 * PREFIXa.h5 and PREFIXb.h5 hold /group/rows, 100 and 60 rows of 7 x 5 uint16,
 * in one piece; PREFIXchunked.h5 and PREFIXpacked.h5 the same rows in chunks,
 * the latter compressed.
 */
#include <hdf5.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 35

static int rank, size;

static void fail(const char *what)
{
    fprintf(stderr, "make_hdf5: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* All ranks create; each writes its rows. */
static void make(const char *prefix, const char *name, const uint16_t *data,
                 hsize_t count, int is_chunked, int is_packed)
{
    hsize_t dims[3] = {count, 7, 5}, start[3] = {0}, part[3] = {0, 7, 5};
    hsize_t chunk[3] = {10, 7, 5};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), plan, file, group, space, set;
    hid_t memory, transfer;
    char path[4096];

    snprintf(path, sizeof(path), "%s%s.h5", prefix, name);
    H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    group = H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    plan = H5Pcreate(H5P_DATASET_CREATE);
    if (is_chunked)
        H5Pset_chunk(plan, 3, chunk);
    if (is_packed) {
        H5Pset_shuffle(plan);
        H5Pset_deflate(plan, 6);
    }
    space = H5Screate_simple(3, dims, NULL);
    set = H5Dcreate2(group, "rows", H5T_STD_U16LE, space, H5P_DEFAULT, plan,
                     H5P_DEFAULT);
    start[0] = count * (hsize_t)rank / (hsize_t)size;
    part[0] = count * (hsize_t)(rank + 1) / (hsize_t)size - start[0];
    memory = H5Screate_simple(3, part, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, part, NULL);
    transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
    if (file < 0 || set < 0 ||
        H5Dwrite(set, H5T_STD_U16LE, memory, space, transfer,
                 data + start[0] * COLUMNS) < 0)
        fail(path);
    H5Pclose(transfer);
    H5Sclose(memory);
    H5Sclose(space);
    H5Pclose(plan);
    H5Dclose(set);
    H5Gclose(group);
    H5Pclose(access);
    if (H5Fclose(file) < 0)
        fail(path);
}

int main(int argc, char **argv)
{
    uint16_t data[160 * COLUMNS];
    FILE *flat;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 3)
        fail("usage");
    srand(3);
    for (int i = 0; i < 160 * COLUMNS; i++)
        data[i] = (uint16_t)rand();
    make(argv[1], "a", data, 100, 0, 0);
    make(argv[1], "b", data + 100 * COLUMNS, 60, 0, 0);
    make(argv[1], "chunked", data, 100, 1, 0);
    make(argv[1], "packed", data + 100 * COLUMNS, 60, 1, 1);
    if (rank == 0) {
        flat = fopen(argv[2], "w");
        if (flat == NULL || fwrite(data, sizeof(data), 1, flat) != 1 ||
            fclose(flat) != 0)
            fail(argv[2]);
    }
    MPI_Finalize();
    return 0;
}
