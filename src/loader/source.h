/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datasets whose rows are no plain bytes of a file: chunked or compressed, to
 * be read by a library that knows how. Such a library is a shared object beside
 * ours, loaded when an index asks for it, so that no program carries it which
 * does not need it.
 *
 * Units    rows, counted from 0; all have one length, in bytes.
 * Threads  one at a time in all of them.
 * Failure  a negative code; `text` says why.
 */
#ifndef CAPSTAN_LOADER_SOURCE_H
#define CAPSTAN_LOADER_SOURCE_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TEXT_MAX 256

struct source_file;

struct source {
    const char *name;
    /** Open a file, "PATH#DATASET". Collective. @return 0, -ENOENT, -EIO. */
    int (*open)(MPI_Comm comm, MPI_Info info, const char *path,
                struct source_file **file_out, char *text);
    /** Read rows, ascending, one behind the other into the buffer. Collective:
     *  a rank that wants none asks for none. @return 0, -EIO (also: rows are
     * not of that length), -ENOMEM. */
    int (*read)(struct source_file *file, const uint64_t *rows, size_t count,
                size_t length, void *buffer, char *text);
    /** Collective. NULLs. */
    void (*close)(struct source_file **file_p);
};

/* The symbol that such a shared object has. */
#define SOURCE_SYMBOL capstan_loader_source
extern const struct source SOURCE_SYMBOL __attribute__((visibility("default")));

/**
 * Find the source for HDF5. @return NULL: there is none; `text` says why.
 */
const struct source *source_hdf5(char *text);

#endif
