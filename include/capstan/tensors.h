/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named tensors in one file that all ranks read, and write, together:
 * safetensors files, and checkpoints (doc/loader.md has the format). On
 * MPI_File alone, as capstan/loader.h.
 *
 *     struct capstan_tensors *file;
 *     const struct capstan_tensor *weight;
 *     int rc = capstan_tensors_open(MPI_COMM_WORLD, "capstan:/model",
 *                                   MPI_INFO_NULL, &file);
 *
 *     if (rc == 0 && (weight = capstan_tensors_find(file, "weight")) != NULL)
 *         rc = capstan_tensors_read(file, weight, 0, weight->dims[0], buffer);
 *     if (rc != 0)
 *         fputs(capstan_tensors_error(file), stderr);
 *     capstan_tensors_close(&file);
 *
 * What all ranks read alike leaves the storage once; ranks may as well read
 * rows of their own.
 *
 * Units    bytes; rows along a tensor's first dimension.
 * Threads  one at a time a file. Every call but _find and _error is collective.
 * Failure  0 or a negative code, the same on all ranks, with the same text.
 */
#ifndef CAPSTAN_TENSORS_H
#define CAPSTAN_TENSORS_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAPSTAN_TENSOR_DIMS_MAX 16
#define CAPSTAN_TENSOR_NAME_MAX 1024
#define CAPSTAN_TENSOR_TYPE_MAX 16

struct capstan_tensors;

struct capstan_tensor {
    char *name;
    char type[CAPSTAN_TENSOR_TYPE_MAX]; /* as the file has it: "F32", "<f4" */
    unsigned ndims;                     /* 0: one number, which is one row */
    uint64_t dims[CAPSTAN_TENSOR_DIMS_MAX];
    uint64_t rows;       /* dims[0], or 1 */
    uint64_t row_length; /* bytes */
    uint64_t offset;     /* in the file */
};

/**
 * Open a safetensors file or a checkpoint's last generation.
 *
 * @param file_out  set also on failure, for the text, unless -ENOMEM; ended
 * with capstan_tensors_close().
 * @return 0, -ENOENT, -EIO, -EPROTO (neither of them, or damaged), -ENODATA (a
 *         file of checkpoints, none of which is complete), -ENOMEM.
 */
int capstan_tensors_open(MPI_Comm comm, const char *path, MPI_Info info,
                         struct capstan_tensors **file_out);

/** All of them, ascending by place in the file. Borrowed. */
const struct capstan_tensor *
capstan_tensors_list(const struct capstan_tensors *file, size_t *count_out);

/** NULL: there is none. */
const struct capstan_tensor *
capstan_tensors_find(const struct capstan_tensors *file, const char *name);

/** The generation of a checkpoint; 0: a safetensors file. */
uint64_t capstan_tensors_generation(const struct capstan_tensors *file);

/**
 * Read rows of one tensor: the same on all ranks, or each its own, also none.
 * All ranks name the same tensor.
 *
 * @return 0, -EINVAL (no such rows), -EIO (also: the file is shorter).
 */
int capstan_tensors_read(struct capstan_tensors *file,
                         const struct capstan_tensor *tensor,
                         uint64_t first_row, uint64_t rows, void *buffer);

/** What failed: object and cause. Never NULL. A NULL file is allowed. */
const char *capstan_tensors_error(const struct capstan_tensors *file);

void capstan_tensors_close(struct capstan_tensors **file_p);

/* What a rank writes of a tensor: rows first_row on of all dims[0], or the
 * whole. */
struct capstan_part {
    const char *name;
    const char
        *type; /* numpy's: "<f4", "<i8", "|u1"; its last digits are bytes */
    unsigned ndims;
    const uint64_t *dims; /* of the whole tensor */
    uint64_t first_row;
    uint64_t rows;
    const void *data;
};

/**
 * Write a checkpoint; the one that is there stays until this one is complete,
 * so whenever the writers end, the file holds the old one or the new one,
 * whole. Each row of each tensor is given by one rank; rows that a lower rank
 * has given already are not written again.
 *
 * @param meta  JSON, any value; NULL: null. Rank 0's counts.
 * @param text  CAPSTAN_TENSORS_TEXT_MAX bytes: why it failed, on all ranks.
 * @return 0, -EINVAL (rows that nobody gives, or ranks that differ), -EIO,
 *         -ENOSPC, -ENOMEM.
 */
#define CAPSTAN_TENSORS_TEXT_MAX 1024
int capstan_checkpoint_save(MPI_Comm comm, const char *path, MPI_Info info,
                            const struct capstan_part *parts, size_t nparts,
                            const char *meta, char *text);

#ifdef __cplusplus
}
#endif

#endif
