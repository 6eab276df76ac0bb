/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan-index-hdf5: the index of a dataset that lies in HDF5 files.
 *
 *     mpirun -n 4 capstan-index-hdf5 capstan:/climate /images a.h5 b.h5
 *
 * A sample is one row of an HDF5 dataset, along its first dimension. Where HDF5
 * stores a dataset in one piece, without filters (its contiguous layout, the
 * default), rows are records at known places in the file; so parallel HDF5 is
 * asked once where they are, and the loader reads them as it reads any record,
 * ahead and together, without HDF5. If any of the datasets is chunked or
 * compressed, the index says so, and the loader reads all through HDF5.
 *
 *   1. All ranks open each file by HDF5's MPI-IO driver and ask for layout,
 * place and size of a row.
 *   2. Each rank reads its part of the rows through HDF5, in their type of the
 *      file, and sums them. So the sums are of what HDF5 says a row is: if a
 *      place were wrong, the loader would find the sum wrong.
 *   3. Rank 0 gathers the sums and writes the index.
 *
 * Possible failures: a dataset that is external or not yet written, or that
 * holds references, is refused.
 */
#include "loader/index.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <hdf5.h>
#include <mpi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_SIZE (16u << 20) /* bytes of rows that are read at a time */
#define RANK_DIMS_MAX 32

static int rank, ranks;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    fputs("capstan-index-hdf5: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

/* A dataset that is open. */
struct rows {
    const char *path;
    hid_t file, set, type, space;
    int ndims;
    hsize_t dims[RANK_DIMS_MAX];
    bool is_plain;   /* in one piece, without filters */
    uint64_t offset; /* of the first row in the file, if so */
    uint64_t length; /* of a row */
};

static void open_rows(struct rows *rows, const char *path, const char *name)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);

    H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
    rows->path = path;
    rows->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (rows->file < 0)
        die("%s: HDF5 cannot open it", path);
    rows->set = H5Dopen2(rows->file, name, H5P_DEFAULT);
    if (rows->set < 0)
        die("%s: no dataset %s", path, name);
    rows->type = H5Dget_type(rows->set);
    rows->space = H5Dget_space(rows->set);
    rows->ndims = H5Sget_simple_extent_ndims(rows->space);
    if (rows->ndims < 1 || rows->ndims > RANK_DIMS_MAX)
        die("%s: %s has %d dimensions", path, name, rows->ndims);
    H5Sget_simple_extent_dims(rows->space, rows->dims, NULL);
}

/* Are its rows records in the file, and where? */
static void place_rows(struct rows *rows, const char *name)
{
    hid_t plan = H5Dget_create_plist(rows->set);
    haddr_t offset;

    rows->is_plain =
        H5Pget_layout(plan) == H5D_CONTIGUOUS && H5Pget_nfilters(plan) == 0;
    if (H5Pget_layout(plan) == H5D_VIRTUAL || H5Pget_external_count(plan) != 0)
        die("%s: %s lies in other files", rows->path, name);
    H5Pclose(plan);
    if (H5Tis_variable_str(rows->type) > 0 ||
        H5Tdetect_class(rows->type, H5T_VLEN) > 0 ||
        H5Tdetect_class(rows->type, H5T_REFERENCE) > 0)
        die("%s: %s holds references, not data", rows->path, name);
    rows->length = H5Tget_size(rows->type);
    for (int i = 1; i < rows->ndims; i++)
        rows->length *= rows->dims[i];
    if (rows->length == 0 || rows->length > INDEX_SAMPLE_MAX)
        die("%s: a row of %s has %llu bytes", rows->path, name,
            (unsigned long long)rows->length);
    if (!rows->is_plain)
        return;
    offset = H5Dget_offset(rows->set);
    if (rows->dims[0] > 0 && offset == HADDR_UNDEF)
        die("%s: %s has not been written", rows->path, name);
    rows->offset = offset;
}

/* Rows first .. first + count - 1, as they are in the file. */
static void read_rows(const struct rows *rows, uint64_t first, uint64_t count,
                      void *buffer)
{
    hsize_t start[RANK_DIMS_MAX] = {first}, size[RANK_DIMS_MAX] = {count};
    hid_t memory;

    for (int i = 1; i < rows->ndims; i++)
        size[i] = rows->dims[i];
    memory = H5Screate_simple(rows->ndims, size, NULL);
    H5Sselect_hyperslab(rows->space, H5S_SELECT_SET, start, NULL, size, NULL);
    if (H5Dread(rows->set, rows->type, memory, rows->space, H5P_DEFAULT,
                buffer) < 0)
        die("%s: HDF5 cannot read rows from %llu on", rows->path,
            (unsigned long long)first);
    H5Sclose(memory);
}

static uint64_t part_begin(const struct rows *rows, int of)
{
    return rows->dims[0] * (uint64_t)of / (uint64_t)ranks;
}

/* The sums of this rank's rows. */
static void sum_rows(const struct rows *rows, uint32_t *sums)
{
    uint64_t begin = part_begin(rows, rank), end = part_begin(rows, rank + 1);
    uint64_t step = PIECE_SIZE / rows->length + 1;
    unsigned char *buffer = mem_pages(step * rows->length);

    if (buffer == NULL)
        die("no memory for %llu rows", (unsigned long long)step);
    for (uint64_t at = begin; at < end; at += step) {
        uint64_t count = end - at < step ? end - at : step;

        read_rows(rows, at, count, buffer);
        for (uint64_t i = 0; i < count; i++)
            sums[at - begin + i] =
                crc32c(0, buffer + i * rows->length, rows->length);
    }
    free(buffer);
}

/* All ranks' sums, on rank 0. */
static void gather(const struct rows *rows, const uint32_t *own, uint32_t *all)
{
    int *counts = mem_calloc((size_t)ranks, sizeof(*counts));
    int *places = mem_calloc((size_t)ranks, sizeof(*places));

    if (counts == NULL || places == NULL)
        die("no memory");
    for (int i = 0; i < ranks; i++) {
        places[i] = (int)part_begin(rows, i);
        counts[i] = (int)(part_begin(rows, i + 1) - part_begin(rows, i));
    }
    MPI_Gatherv(own, counts[rank], MPI_UINT32_T, all, counts, places,
                MPI_UINT32_T, 0, MPI_COMM_WORLD);
    free(counts);
    free(places);
}

static void add_rows(struct index *index, const char *name,
                     const struct rows *rows, const uint32_t *sums)
{
    uint64_t begin = index->format == INDEX_HDF5 ? 0 : rows->offset;
    int rc = index_add_file(index, name, begin + rows->dims[0] * rows->length);

    for (uint64_t i = 0; rc == 0 && i < rows->dims[0]; i++) {
        struct index_row row = {.offset = begin + i * rows->length,
                                .length = (uint32_t)rows->length,
                                .crc32c = sums[i]};

        rc = index_add_row(index, &row);
    }
    if (rc != 0)
        die("%s: %s", name, strerror(-rc));
}

static void open_one(struct rows *rows, char path[4096], const char *directory,
                     const char *set, const char *name)
{
    snprintf(path, 4096, "%s/%s", directory, name);
    open_rows(rows, path, set);
    place_rows(rows, set);
}

static void close_rows(struct rows *rows)
{
    H5Sclose(rows->space);
    H5Tclose(rows->type);
    H5Dclose(rows->set);
    H5Fclose(rows->file);
}

static bool is_plain(const char *directory, const char *set, const char *name)
{
    struct rows rows;
    char path[4096];

    open_one(&rows, path, directory, set, name);
    close_rows(&rows);
    return rows.is_plain;
}

static void index_one(struct index *index, const char *directory,
                      const char *set, const char *name)
{
    struct rows rows;
    uint32_t *own, *all;
    char path[4096], full[4096];

    open_one(&rows, path, directory, set, name);
    if (index->format == INDEX_HDF5)
        snprintf(full, sizeof(full), "%s#%s", name, set);
    else
        snprintf(full, sizeof(full), "%s", name);
    if (rows.dims[0] > INT32_MAX)
        die("%s: %llu rows are too many", path,
            (unsigned long long)rows.dims[0]);
    own = mem_calloc(rows.dims[0] + 1, sizeof(*own));
    all = mem_calloc(rows.dims[0] + 1, sizeof(*all));
    if (own == NULL || all == NULL)
        die("no memory for %llu rows", (unsigned long long)rows.dims[0]);
    sum_rows(&rows, own);
    gather(&rows, own, all);
    if (rank == 0)
        add_rows(index, full, &rows, all);
    free(own);
    free(all);
    close_rows(&rows);
}

static void check(int rc, const char *what, const char *path)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (rc == MPI_SUCCESS)
        return;
    MPI_Error_string(rc, text, &length);
    die("cannot %s %s: %s", what, path, text);
}

static void write_index(const struct index *index, const char *directory)
{
    char path[4096];
    MPI_File file;
    void *data;
    size_t size;

    snprintf(path, sizeof(path), "%s/index", directory);
    if (index_encode(index, &data, &size) != 0 || size > INT32_MAX)
        die("%s: no memory, or beyond 2 GiB", path);
    check(MPI_File_open(MPI_COMM_SELF, path, MPI_MODE_WRONLY | MPI_MODE_CREATE,
                        MPI_INFO_NULL, &file),
          "create", path);
    check(MPI_File_set_size(file, 0), "empty", path);
    check(MPI_File_write_at(file, 0, data, (int)size, MPI_BYTE,
                            MPI_STATUS_IGNORE),
          "write", path);
    check(MPI_File_sync(file), "write", path);
    check(MPI_File_close(&file), "close", path);
    free(data);
}

int main(int argc, char **argv)
{
    enum index_format format = INDEX_RECORDS;
    struct index index;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (argc < 4)
        die("usage: mpirun ... capstan-index-hdf5 DIRECTORY DATASET FILE...\n"
            "Index the rows of an HDF5 dataset in files of a directory.");
    for (int i = 3; i < argc; i++)
        if (!is_plain(argv[1], argv[2], argv[i]))
            format = INDEX_HDF5;
    index_init(&index, format);
    for (int i = 3; i < argc; i++)
        index_one(&index, argv[1], argv[2], argv[i]);
    if (rank == 0) {
        write_index(&index, argv[1]);
        printf("indexed %llu rows in %u files%s\n",
               (unsigned long long)index.nrows, index.nfiles,
               format == INDEX_HDF5 ? ", to be read by HDF5" : "");
    }
    index_fini(&index);
    MPI_Finalize();
    return 0;
}
