/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ordinary PnetCDF program: each rank writes its rows of a variable, all
 * close, open again and read what another rank has written.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mpi.h>
#include <pnetcdf.h>

#define ROWS 1024 /* all ranks */
#define COLUMNS 1024

static void check(int rc, const char *what)
{
    if (rc == NC_NOERR)
        return;
    fprintf(stderr, "%s: %s\n", what, ncmpi_strerror(rc));
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static int value(MPI_Offset row, MPI_Offset column)
{
    return (int)(row * 7919 + column);
}

static int *rows_of(MPI_Offset first, MPI_Offset count, int is_filled)
{
    int *data = calloc((size_t)(count * COLUMNS), sizeof(*data));

    for (MPI_Offset i = 0; data != NULL && is_filled && i < count * COLUMNS;
         i++)
        data[i] = value(first + i / COLUMNS, i % COLUMNS);
    return data;
}

static void write_all(const char *path, int rank, int nranks)
{
    MPI_Offset count[2] = {ROWS / nranks, COLUMNS};
    MPI_Offset start[2] = {rank * count[0], 0};
    int *data = rows_of(start[0], count[0], 1);
    int file, dims[2], variable;

    check(ncmpi_create(MPI_COMM_WORLD, path, NC_CLOBBER | NC_64BIT_DATA,
                       MPI_INFO_NULL, &file),
          "create");
    check(ncmpi_def_dim(file, "row", ROWS, &dims[0]), "row");
    check(ncmpi_def_dim(file, "column", COLUMNS, &dims[1]), "column");
    check(ncmpi_def_var(file, "v", NC_INT, 2, dims, &variable), "variable");
    check(ncmpi_enddef(file), "enddef");
    check(ncmpi_put_vara_int_all(file, variable, start, count, data), "put");
    check(ncmpi_close(file), "close");
    free(data);
}

static void read_all(const char *path, int rank, int nranks)
{
    MPI_Offset count[2] = {ROWS / nranks, COLUMNS};
    MPI_Offset start[2] = {(rank + 1) % nranks * count[0], 0};
    int *data = rows_of(start[0], count[0], 0);
    int file, variable;

    check(ncmpi_open(MPI_COMM_WORLD, path, NC_NOWRITE, MPI_INFO_NULL, &file),
          "open");
    check(ncmpi_inq_varid(file, "v", &variable), "variable");
    check(ncmpi_get_vara_int_all(file, variable, start, count, data), "get");
    check(ncmpi_close(file), "close");
    for (MPI_Offset i = 0; i < count[0] * COLUMNS; i++)
        if (data[i] != value(start[0] + i / COLUMNS, i % COLUMNS)) {
            fprintf(stderr, "other numbers at %lld\n", (long long)i);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
    free(data);
}

int main(int argc, char **argv)
{
    int rank, nranks;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &nranks);
    write_all(argv[1], rank, nranks);
    read_all(argv[1], rank, nranks);
    MPI_Finalize();
    return 0;
}
