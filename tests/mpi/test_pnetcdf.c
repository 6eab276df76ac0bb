/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PnetCDF on top of MPI_File: a file is defined, written by blocking and
 * nonblocking puts, and read back by blocking and nonblocking gets before it is
 * closed; each rank has a block of columns.
 *
 * With "reopen" as the second argument the file is opened again and read. This
 * needs a path that open(2) understands: PnetCDF 1.12 reads the magic number by
 * POSIX calls. Without it, reopening is expected to be refused as a file that
 * is not there, and never to hang or to give other data.
 */
#include "mpi_test.h"

#include <pnetcdf.h>
#include <string.h>

struct mpi_test test;

#define ROWS 24
#define COLUMNS 10 /* of each rank */
#define VARIABLES 4

#define NC(call)                                                               \
    do {                                                                       \
        int rc_ = (call);                                                      \
        if (rc_ != NC_NOERR)                                                   \
            fprintf(stderr, "%s\n", ncmpi_strerror(rc_));                      \
        CHECK(rc_ == NC_NOERR);                                                \
    } while (0)

struct layout {
    int file;
    int var[VARIABLES];
    MPI_Offset start[2], count[2];
};

static int number_at(int var, int row, int column)
{
    return var * 1000000 + row * 1000 + column;
}

static void fill(int var, int *out)
{
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
            out[row * COLUMNS + column] =
                number_at(var, row, test.rank * COLUMNS + column);
}

static void check(int var, const int *got)
{
    int want[ROWS * COLUMNS];

    fill(var, want);
    CHECK(memcmp(got, want, sizeof(want)) == 0);
}

static void define(struct layout *at, const char *path)
{
    static const char *const names[VARIABLES] = {"a", "b", "c", "d"};
    int dims[2];

    NC(ncmpi_create(MPI_COMM_WORLD, path, NC_CLOBBER | NC_64BIT_DATA,
                    MPI_INFO_NULL, &at->file));
    NC(ncmpi_def_dim(at->file, "row", ROWS, &dims[0]));
    NC(ncmpi_def_dim(at->file, "column", (MPI_Offset)test.size * COLUMNS,
                     &dims[1]));
    for (int i = 0; i < VARIABLES; i++)
        NC(ncmpi_def_var(at->file, names[i], NC_INT, 2, dims, &at->var[i]));
    NC(ncmpi_put_att_text(at->file, NC_GLOBAL, "title", 5, "ranks"));
    NC(ncmpi_enddef(at->file));
}

static void write_all(const struct layout *at)
{
    int out[VARIABLES][ROWS * COLUMNS], requests[2], status[2];

    for (int i = 0; i < VARIABLES; i++)
        fill(i, out[i]);
    NC(ncmpi_put_vara_int_all(at->file, at->var[0], at->start, at->count,
                              out[0]));
    NC(ncmpi_begin_indep_data(at->file));
    NC(ncmpi_put_vara_int(at->file, at->var[1], at->start, at->count, out[1]));
    NC(ncmpi_end_indep_data(at->file));
    for (int i = 0; i < 2; i++)
        NC(ncmpi_iput_vara_int(at->file, at->var[2 + i], at->start, at->count,
                               out[2 + i], &requests[i]));
    NC(ncmpi_wait_all(at->file, 2, requests, status));
    CHECK(status[0] == NC_NOERR && status[1] == NC_NOERR);
    NC(ncmpi_sync(at->file));
}

static void read_all(const struct layout *at)
{
    int in[VARIABLES][ROWS * COLUMNS], requests[2], status[2];

    memset(in, 0xff, sizeof(in));
    NC(ncmpi_get_vara_int_all(at->file, at->var[0], at->start, at->count,
                              in[0]));
    NC(ncmpi_begin_indep_data(at->file));
    NC(ncmpi_get_vara_int(at->file, at->var[1], at->start, at->count, in[1]));
    NC(ncmpi_end_indep_data(at->file));
    for (int i = 0; i < 2; i++)
        NC(ncmpi_iget_vara_int(at->file, at->var[2 + i], at->start, at->count,
                               in[2 + i], &requests[i]));
    NC(ncmpi_wait_all(at->file, 2, requests, status));
    for (int i = 0; i < VARIABLES; i++)
        check(i, in[i]);
}

/* Once more with nothing for every other rank: they take part all the same. */
static void write_by_some(struct layout *at)
{
    int out[ROWS * COLUMNS] = {0};
    MPI_Offset none[2] = {0, 0};

    fill(0, out);
    NC(ncmpi_put_vara_int_all(at->file, at->var[0], at->start,
                              test.rank % 2 == 0 ? at->count : none, out));
}

static void reopen(struct layout *at, const char *path, bool can_reopen)
{
    int rc =
        ncmpi_open(MPI_COMM_WORLD, path, NC_NOWRITE, MPI_INFO_NULL, &at->file);

    if (!can_reopen) {
        CHECK(rc == NC_ENOENT);
        return;
    }
    NC(rc);
    read_all(at);
    NC(ncmpi_close(at->file));
}

int main(int argc, char **argv)
{
    struct layout at = {0};

    test_start(&argc, &argv);
    at.start[1] = (MPI_Offset)test.rank * COLUMNS;
    at.count[0] = ROWS;
    at.count[1] = COLUMNS;
    define(&at, test_path("pnetcdf.nc"));
    write_all(&at);
    read_all(&at);
    write_by_some(&at);
    read_all(&at);
    NC(ncmpi_close(at.file));
    reopen(&at, test_path("pnetcdf.nc"),
           argc > 2 && strcmp(argv[2], "reopen") == 0);
    OK(MPI_Barrier(MPI_COMM_WORLD));
    if (test.rank == 0)
        OK(MPI_File_delete(test_path("pnetcdf.nc"), MPI_INFO_NULL));
    MPI_Finalize();
    return 0;
}
