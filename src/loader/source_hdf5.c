/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of HDF5 datasets through parallel HDF5, for those that are chunked or
 * compressed: all ranks select their rows and read collectively, in the type
 * that the rows have in the file.
 *
 * HDF5 moves and unpacks whole chunks. Of a compressed chunk that several ranks
 * want rows of, each reads and unpacks it.
 *
 * Possible failure modes are those of HDF5: a file or dataset that it cannot
 * open, a chunk that it cannot unpack; rows of another length than the index
 * says.
 */
#include "loader/source.h"

#include "base/mem.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMS_MAX H5S_MAX_RANK

struct source_file {
    hid_t file, set, type, space, transfer;
    int ndims;
    hsize_t dims[DIMS_MAX];
};

static void hdf5_close(struct source_file **file_p)
{
    struct source_file *file = *file_p;

    *file_p = NULL;
    if (file->transfer >= 0)
        H5Pclose(file->transfer);
    if (file->space >= 0)
        H5Sclose(file->space);
    if (file->type >= 0)
        H5Tclose(file->type);
    if (file->set >= 0)
        H5Dclose(file->set);
    if (file->file >= 0)
        H5Fclose(file->file);
    free(file);
}

/* The innermost of HDF5's reasons, which comes last. */
static herr_t note_reason(unsigned n, const H5E_error2_t *error, void *text)
{
    (void)n;
    snprintf(text, SOURCE_TEXT_MAX, "HDF5: %s: %s", error->func_name,
             error->desc);
    return 0;
}

static void tell_reason(char *text)
{
    snprintf(text, SOURCE_TEXT_MAX, "HDF5 says no reason");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_reason, text);
}

static hid_t open_file(MPI_Comm comm, MPI_Info info, const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file;

    H5Pset_fapl_mpio(access, comm, info);
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

/* @return 0, or -EIO where HDF5 refuses. */
static int open_set(struct source_file *file, const char *name)
{
    file->set = H5Dopen2(file->file, name, H5P_DEFAULT);
    if (file->set < 0)
        return -EIO;
    file->type = H5Dget_type(file->set);
    file->space = H5Dget_space(file->set);
    file->transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_dxpl_mpio(file->transfer, H5FD_MPIO_COLLECTIVE);
    file->ndims = H5Sget_simple_extent_ndims(file->space);
    if (file->ndims < 1 || file->ndims > DIMS_MAX)
        return -EIO;
    return H5Sget_simple_extent_dims(file->space, file->dims, NULL) < 0 ? -EIO
                                                                        : 0;
}

/* To close is collective: all ranks have the file, or none has. */
static int agree(MPI_Comm comm, int rc)
{
    int worst;

    MPI_Allreduce(&rc, &worst, 1, MPI_INT, MPI_MIN, comm);
    return worst;
}

static int hdf5_open(MPI_Comm comm, MPI_Info info, const char *path,
                     struct source_file **file_out, char *text)
{
    struct source_file *file = mem_calloc(1, sizeof(*file));
    char *copy = mem_strdup(path), *mark;
    int rc = -ENOMEM;

    snprintf(text, SOURCE_TEXT_MAX, "no memory");
    if (agree(comm, file == NULL || copy == NULL ? rc : 0) != 0)
        goto err_memory;
    file->set = file->type = file->space = file->transfer = -1;
    mark = strrchr(copy, '#');
    if (mark != NULL)
        *mark = '\0';
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    file->file = open_file(comm, info, copy);
    rc = file->file < 0 || mark == NULL ? -EIO : open_set(file, mark + 1);
    if (rc != 0)
        tell_reason(text);
    else
        snprintf(text, SOURCE_TEXT_MAX, "another rank cannot");
    rc = agree(comm, rc);
    if (rc != 0) {
        hdf5_close(&file);
        goto err_memory;
    }
    free(copy);
    *file_out = file;
    return 0;

err_memory:
    free(copy);
    free(file);
    return rc;
}

static size_t row_length(const struct source_file *file)
{
    size_t length = H5Tget_size(file->type);

    for (int i = 1; i < file->ndims; i++)
        length *= file->dims[i];
    return length;
}

/* Rows that follow each other are one block. */
static herr_t select_rows(const struct source_file *file, const uint64_t *rows,
                          size_t count)
{
    hsize_t start[DIMS_MAX] = {0}, size[DIMS_MAX];
    herr_t rc = H5Sselect_none(file->space);
    size_t past;

    memcpy(size, file->dims, sizeof(size));
    for (size_t i = 0; rc >= 0 && i < count; i = past) {
        past = i + 1;
        while (past < count && rows[past] == rows[past - 1] + 1)
            past++;
        start[0] = rows[i];
        size[0] = past - i;
        rc = H5Sselect_hyperslab(file->space, H5S_SELECT_OR, start, NULL, size,
                                 NULL);
    }
    return rc;
}

static hid_t memory_space(const struct source_file *file, size_t count)
{
    hsize_t size[DIMS_MAX];
    hid_t space;

    memcpy(size, file->dims, sizeof(size));
    size[0] = count > 0 ? count : 1;
    space = H5Screate_simple(file->ndims, size, NULL);
    if (space >= 0 && count == 0)
        H5Sselect_none(space);
    return space;
}

static int hdf5_read(struct source_file *file, const uint64_t *rows,
                     size_t count, size_t length, void *buffer, char *text)
{
    hid_t memory;
    herr_t rc;
    char none;

    if (count > 0 &&
        (length != row_length(file) || rows[count - 1] >= file->dims[0])) {
        snprintf(text, SOURCE_TEXT_MAX,
                 "%llu rows of %zu bytes, not as it was indexed",
                 (unsigned long long)file->dims[0], row_length(file));
        count = 0; /* the others wait for us */
        length = 0;
    }
    rc = select_rows(file, rows, count);
    memory = memory_space(file, rc < 0 ? 0 : count);
    if (rc < 0)
        H5Sselect_none(file->space);
    if (H5Dread(file->set, file->type, memory, file->space, file->transfer,
                count > 0 ? buffer : &none) < 0)
        rc = -1;
    if (rc < 0)
        tell_reason(text);
    H5Sclose(memory);
    return rc < 0 || length == 0 ? -EIO : 0;
}

const struct source SOURCE_SYMBOL = {
    .name = "hdf5",
    .open = hdf5_open,
    .read = hdf5_read,
    .close = hdf5_close,
};
