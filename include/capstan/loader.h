/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The training loader: ranks read shuffled batches of a dataset together.
 *
 * It stands on MPI_File alone: a dataset is whatever MPI_File_open takes, with
 * an index beside the data that `capstan index` or `capstan pack` made.
 *
 *     struct capstan_loader_options options = CAPSTAN_LOADER_OPTIONS_INIT;
 *     struct capstan_loader *loader;
 *     struct capstan_batch batch;
 *     int rc;
 *
 *     options.batch = 256;
 *     rc = capstan_loader_open(MPI_COMM_WORLD, "capstan:/digits", &options,
 *                              &loader);
 *     while (rc == 0 && (rc = capstan_loader_next(loader, &batch)) == 0)
 *         for (size_t i = 0; i < batch.count; i++)
 *             train(batch.samples[i].data, batch.samples[i].length);
 *     if (rc != -ENODATA)
 *         fputs(capstan_loader_error(loader), stderr);
 *     capstan_loader_close(&loader);
 *
 * Every rank sees the same number of steps; the samples of a step do not depend
 * on the number of ranks. The reads of the next batches are under way while one
 * is used.
 *
 * Units    bytes, seconds; samples are numbered as the index lists them.
 * Threads  one thread at a time a loader. With MPI_THREAD_MULTIPLE the loader
 *          has a thread of its own, so that reads go on while ranks compute.
 * Failure  0 or a negative code, the same on all ranks; the text is in
 *          capstan_loader_error(). A loader that has failed stays so.
 */
#ifndef CAPSTAN_LOADER_H
#define CAPSTAN_LOADER_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct capstan_loader;

/* The order of an epoch; a function of seed and epoch alone. */
enum capstan_shuffle {
    CAPSTAN_SHUFFLE_FULL,   /* over all samples: a step may touch any file */
    CAPSTAN_SHUFFLE_WINDOW, /* files shuffled; samples over `window` files: a
                               step touches those, or two windows' at a seam */
    CAPSTAN_SHUFFLE_NONE    /* as the index lists them */
};

/* What becomes of the last batch of an epoch when samples run out. */
enum capstan_tail {
    CAPSTAN_TAIL_DROP, /* it is left out */
    CAPSTAN_TAIL_PAD,  /* filled up from the epoch's beginning; the copies are
                          marked */
    CAPSTAN_TAIL_SHORT /* it is smaller; ranks may get fewer samples, or none */
};

enum capstan_progress {
    CAPSTAN_PROGRESS_AUTO,   /* a thread if MPI_THREAD_MULTIPLE allows it, and
                                who reads is known to bear one */
    CAPSTAN_PROGRESS_CALLER, /* in capstan_loader_next() and _progress() */
    CAPSTAN_PROGRESS_THREAD
};

struct capstan_loader_options {
    uint64_t batch;  /* samples a step over all ranks; 0: 32 a rank */
    uint64_t epochs; /* how many from `epoch` on; 0: without end */
    uint64_t epoch;  /* begin here: */
    uint64_t step;   /* a batch's place is where it may be resumed */
    uint64_t seed;
    enum capstan_shuffle shuffle;
    enum capstan_tail tail;
    uint32_t window; /* files; 0: 8 */
    uint32_t weight; /* of this rank's share of a batch; 0: 1 */
    uint32_t group;  /* so many ranks in a row want the same samples; 0: 1 */
    uint32_t depth;  /* batches read ahead; 0: 2, at most 64 */
    uint64_t memory_max; /* of this rank's buffers; 0: 1 GiB. Where `depth` batches
                            and the caller's do not fit, fewer are read ahead */
    uint32_t files_max;  /* open at a time, for each batch read; 0: 64 */
    uint32_t plan; /* batches of which the storage is told before they are read,
                      where it has use for that (hint capstan_access_plan); 0:
                      none; at most 1024 */
    enum capstan_progress progress;
    int is_unchecked;   /* do not compare samples with the index's CRC32C */
    int is_independent; /* each rank reads its own samples, for comparison */
    const char *index;  /* its name; NULL: DATASET/index */
    MPI_Info info;      /* for MPI_File_open */
};

#define CAPSTAN_LOADER_OPTIONS_INIT                                            \
    {                                                                          \
        .info = MPI_INFO_NULL                                                  \
    }

struct capstan_sample {
    const void *data; /* aligned to 64 bytes */
    size_t length;
    uint64_t number;
    int is_padding; /* it has been in this epoch before */
};

/* This rank's part of a step. Borrowed until the next call on the loader. */
struct capstan_batch {
    uint64_t epoch;
    uint64_t step;
    uint64_t steps; /* of this epoch */
    size_t count;   /* may be 0 */
    const struct capstan_sample *samples;
};

/**
 * Open a dataset. Collective; the options agree on all ranks but for weight,
 * is_unchecked, memory_max and info.
 *
 * @param options     NULL: all defaults.
 * @param loader_out  set also on failure, for the text, unless -ENOMEM; ended
 *                    with capstan_loader_close().
 * @return 0, -EINVAL (options, or they differ), -ENOENT, -EIO, -EPROTO (not an
 *         index, or a damaged one), -ENOMEM.
 */
int capstan_loader_open(MPI_Comm comm, const char *dataset,
                        const struct capstan_loader_options *options,
                        struct capstan_loader **loader_out);

/**
 * The next batch. Collective; gives the last one back.
 *
 * @return 0, -ENODATA (all epochs are over), -EIO (a read failed or was short),
 *         -EBADMSG (a sample does not sum to its CRC), -ENOMEM (also: a batch
 *         beyond memory_max).
 */
int capstan_loader_next(struct capstan_loader *loader,
                        struct capstan_batch *batch_out);

/** Move reads on, for programs that compute long without MPI and have no
 *  MPI_THREAD_MULTIPLE. Local; does not block. */
void capstan_loader_progress(struct capstan_loader *loader);

/** What failed: object and cause. Never NULL; "" if nothing did. A NULL loader
 *  is allowed. */
const char *capstan_loader_error(const struct capstan_loader *loader);

/** End everything. Collective. *loader_p becomes NULL. */
void capstan_loader_close(struct capstan_loader **loader_p);

/** Samples of the dataset, and steps of an epoch. */
uint64_t capstan_loader_samples(const struct capstan_loader *loader);
uint64_t capstan_loader_steps(const struct capstan_loader *loader);

/* Of this rank, since it was opened. */
struct capstan_loader_stats {
    uint64_t steps;
    uint64_t samples;
    uint64_t bytes;      /* of samples, as read */
    uint64_t reads;      /* calls of MPI_File */
    uint64_t opens;      /* of files */
    double wait_seconds; /* in capstan_loader_next(), first batch included */
    double first_wait_seconds;
};
void capstan_loader_stats(struct capstan_loader *loader,
                          struct capstan_loader_stats *stats_out);

/* A member of a WebDataset sample, which is a run of a tar file. */
struct capstan_field {
    const char *name; /* "train/0001.jpg"; not ended by NUL */
    size_t name_length;
    const char *extension; /* "jpg", behind the first dot of the last name */
    size_t extension_length;
    const void *data;
    size_t length;
};

/**
 * Walk a tar sample's members.
 *
 * @param at_inout  0 at first; moved on.
 * @return 0, -ENODATA (no more), -EPROTO (not a tar sample).
 */
int capstan_sample_field(const struct capstan_sample *sample, size_t *at_inout,
                         struct capstan_field *field_out);

#ifdef __cplusplus
}
#endif

#endif
