/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ADIO: the file as the MPI-IO engine sees it, and the table that a storage
 * driver fills. After ROMIO's ADIO (Thakur, Gropp, Lusk, "An abstract-device
 * interface for implementing portable parallel-I/O interfaces", 1996), with
 * list I/O, not contiguous I/O, as the primitive.
 *
 * Layers: src/mpiio turns Open MPI's calls into calls on struct adio_file;
 * view.h and access.h turn (view, memory type, count) into runs; coll.h
 * carries runs out together with the other ranks, and the independent calls
 * give them to the driver as they are.
 *
 * Units    bytes everywhere; offsets in etypes exist above access.h only.
 * Threads  a file belongs to one thread at a time; the face serialises.
 * Failure  0 or a negative code; the text is in struct adio_error.
 */
#ifndef CAPSTAN_ADIO_H
#define CAPSTAN_ADIO_H

#include "base/run.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADIO_ERROR_TEXT_MAX 512

struct adio_file;
struct adio_io;

/* Why something failed: travels between ranks as it is. */
struct adio_error {
    int32_t code; /* 0, or a negative errno */
    char text[ADIO_ERROR_TEXT_MAX];
};

/** Fill an error: "<path>: <what>: <cause of code>". */
void adio_error_set(struct adio_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum adio_open_flags {
    ADIO_READ = 1,
    ADIO_WRITE = 2,
    ADIO_CREATE = 4,
    ADIO_EXCL = 8,
};

enum adio_feature {
    ADIO_FEATURE_LIST_IO = 1,      /* a list costs what its bytes cost: no data
                                      sieving, direct strategy worth while */
    ADIO_FEATURE_LOCKS = 2,        /* byte-range locks */
    ADIO_FEATURE_SHARED_POINTER = 4, /* pointer_step is the driver's own */
    ADIO_FEATURE_FLUSH_ALL = 8, /* one rank's flush is for what any wrote */
};

/* Where bytes lie: for file realms. stripe_size 0: no preference. */
struct adio_layout {
    uint32_t stripe_size;
    uint32_t width; /* stripe s is on device s % width */
    uint32_t cheap_piece; /* a piece of so many bytes costs little more than its
                             copy (a local page cache); 0: calls are dear */
    uint32_t listed_piece; /* reading a list of such pieces costs no more than
                              having others read them; 0: unknown */
};

/* What the engine wants of a new file; 0: the driver's default. */
struct adio_create {
    uint32_t mode;            /* permission bits; 0: 0644 */
    uint32_t striping_unit;   /* hint */
    uint32_t striping_factor; /* hint */
};

/* A lock, held or wanted. The caller's; handle is the driver's. */
struct adio_lock {
    uint64_t offset;
    uint64_t length; /* at least 1 */
    bool is_shared;
    void *handle;
};

/**
 * A storage driver. Every slot is filled: adio_driver_complete() puts a generic
 * default (-ENOTSUP, or built from the others) where a driver leaves NULL.
 *
 * Calls are local to the calling rank; opening collectively (create on one
 * rank, then open on all) is adio_open()'s work.
 */
struct adio_driver {
    const char *name;
    unsigned features; /* enum adio_feature */

    /** Get ready to open: all ranks at once, before one creates. Default: 0. */
    int (*prepare)(const char *path, struct adio_error *error);
    /** Open path (prefix already removed); sets file->driver_data. */
    int (*open)(struct adio_file *file, const char *path, unsigned flags,
                const struct adio_create *create, struct adio_error *error);
    int (*close)(struct adio_file *file, struct adio_error *error);
    /** Remove a path. No file is needed. */
    int (*delete)(const char *path, struct adio_error *error);
    int (*get_size)(struct adio_file *file, uint64_t *size_out,
                    struct adio_error *error);
    int (*resize)(struct adio_file *file, uint64_t size,
                  struct adio_error *error);
    /** Make the file at least so long, with storage for its first `size` bytes;
     *  what was written stays. Default -ENOTSUP. */
    int (*allocate)(struct adio_file *file, uint64_t size,
                    struct adio_error *error);
    int (*flush)(struct adio_file *file, struct adio_error *error);
    void (*layout)(struct adio_file *file, struct adio_layout *layout_out);

    /**
     * Start to read or write runs; run.mem is an address. The runs and the
     * memory are borrowed until test() says done. A read beyond the end of the
     * file is short: bytes counts those below the end, wherever in the list.
     */
    int (*ireadlist)(struct adio_file *file, const struct run *runs,
                     size_t nruns, struct adio_io **io_out,
                     struct adio_error *error);
    int (*iwritelist)(struct adio_file *file, const struct run *runs,
                      size_t nruns, struct adio_io **io_out,
                      struct adio_error *error);
    /** Could all of these runs be read at once by imapread()? Default: no. */
    bool (*may_map)(struct adio_file *file, const struct run *runs,
                    size_t nruns);
    /**
     * As ireadlist, after may_map said yes: out of memory that the processes of
     * the node share (a page cache, mapped), nothing is asked of storage. It
     * ends with -EAGAIN where that memory gave way: read in another way then.
     */
    int (*imapread)(struct adio_file *file, const struct run *runs,
                    size_t nruns, struct adio_io **io_out,
                    struct adio_error *error);
    /**
     * Move on; when *done_out is true the io is over and freed, *io_p is NULL,
     * *bytes_out is what was really moved, and the return value is its end.
     */
    int (*test)(struct adio_file *file, struct adio_io **io_p, bool *done_out,
                uint64_t *bytes_out, struct adio_error *error);
    /** As ireadlist/iwritelist then test until done; generic default. */
    int (*readlist)(struct adio_file *file, const struct run *runs,
                    size_t nruns, uint64_t *bytes_out,
                    struct adio_error *error);
    int (*writelist)(struct adio_file *file, const struct run *runs,
                     size_t nruns, uint64_t *bytes_out,
                     struct adio_error *error);
    /** These runs will be read soon, whatever their memory: advice, to have them
     *  in memory by then; default: nothing. */
    void (*plan)(struct adio_file *file, const struct run *runs, size_t nruns);
    /** Wait a little for something to move on; default: yields the core. */
    void (*idle)(struct adio_file *file);
    /** End what the process shares between files; none is open any more. */
    void (*finalize)(void);

    /** Wait for a lock on a byte range, and give it back; default -ENOTSUP.
     *  unlock is -ESTALE when the lock was lost meanwhile. */
    int (*lock)(struct adio_file *file, struct adio_lock *lock,
                struct adio_error *error);
    int (*unlock)(struct adio_file *file, struct adio_lock *lock,
                  struct adio_error *error);
    /**
     * Shared pointer (pointer.h): add to it, or set it when is_set, once; the
     * default is a window of MPI at rank 0.
     */
    int (*pointer_step)(struct adio_file *file, bool is_set, int64_t value,
                        int64_t *before_out, struct adio_error *error);
    /** Nobody needs it any more; called by rank 0 alone. */
    void (*pointer_drop)(struct adio_file *file);
};

/** Fill a driver's empty slots with the generic ones. */
void adio_driver_complete(struct adio_driver *driver);

/** The drivers, each completed at first use. */
const struct adio_driver *ad_capstan(void);
/** For an ordinary path: NULL if it does not lie on a Capstan mount nor below the
 *  preload library's prefix. */
const struct adio_driver *ad_capstan_mounted(const char *path);
const struct adio_driver *ad_posix(void);
const struct adio_driver *ad_null(void);

/* Hints: what is in force; hints.h parses and prints them. */
enum adio_toggle { ADIO_AUTOMATIC, ADIO_ENABLE, ADIO_DISABLE };
enum adio_strategy {
    ADIO_STRATEGY_AUTOMATIC,
    ADIO_STRATEGY_SHARE,
    ADIO_STRATEGY_DIRECT,
    ADIO_STRATEGY_TWO_PHASE,
    ADIO_STRATEGY_INDEPENDENT, /* collective buffering switched off */
};

struct adio_hints {
    uint32_t cb_nodes;       /* aggregators wanted; 0: choose */
    uint32_t cb_buffer_size; /* bytes of one round's buffer */
    char cb_config_list[256];
    enum adio_toggle cb_read;  /* romio_cb_read */
    enum adio_toggle cb_write; /* romio_cb_write */
    enum adio_toggle ds_read;  /* romio_ds_read: data sieving */
    enum adio_toggle ds_write;
    bool no_indep_rw;
    uint32_t ind_rd_buffer_size;
    uint32_t ind_wr_buffer_size;
    uint32_t striping_unit;
    uint32_t striping_factor;
    enum adio_strategy strategy; /* capstan_strategy */
    bool is_reporting; /* capstan_report: print a summary at close */
    bool is_planning;  /* capstan_access_plan: a view says what is read next */
    enum adio_toggle map_reads; /* capstan_map_reads */
};

/* What the last collective did and why: printed by MPI_File_get_info. */
struct adio_explain {
    enum adio_strategy strategy;
    char why[128]; /* e.g. "all ranks read the same range" */
    uint32_t aggregators;
    uint32_t rounds;
    uint32_t takeovers;       /* realms of others that this rank moved */
    uint64_t bytes_storage;   /* this rank moved to or from storage */
    uint64_t bytes_mapped;    /* this rank copied from a mapped page cache */
    uint64_t bytes_delivered; /* this rank wanted and got */
    uint64_t bytes_exchanged; /* this rank sent to other ranks */
    uint64_t bytes_between_nodes; /* of them, read by two-phase for others */
    uint64_t messages;        /* this rank sent to other ranks */
    uint64_t memory;          /* this rank allocated for it, at most */
    uint64_t plans_reused;    /* 1: what was agreed on the last time served */
    uint64_t collectives;     /* so far on this file, totals in the *_total */
    uint64_t plans_reused_total;
    uint64_t bytes_storage_total;
    uint64_t bytes_mapped_total;
    uint64_t bytes_delivered_total;
};

struct adio_view; /* view.h */

/* The shared file pointer of one collective open: pointer.h. */
struct adio_pointer {
    uint64_t handle;     /* random, the same on all ranks */
    uint64_t generation; /* views set so far: each begins with a new pointer */
    int64_t start;       /* where this generation's pointer begins */
    uint64_t opened_ns;
    bool is_used; /* by this rank, or by any as of the last adio_sync() */
    bool has_window;
    MPI_Win window;   /* drivers without a pointer of their own */
    int64_t *places;  /* rank 0's memory in it; without one, its own */
    int64_t alone[2];
};

struct adio_file {
    const struct adio_driver *driver;
    void *driver_data;
    char *path;    /* as given to the driver */
    char *display; /* as the user said it: for messages */
    MPI_Comm comm; /* our own duplicate */
    int rank;
    int size;
    int amode; /* MPI_MODE_* */
    struct adio_hints hints;
    struct adio_view *view;
    uint64_t position; /* individual pointer, in etypes of the view */
    struct adio_pointer pointer;
    bool is_atomic;
    bool is_open;  /* the driver has it */
    bool is_dirty; /* this rank wrote since the last adio_sync() */
    struct adio_explain explain;
    void *coll; /* coll.c: what it keeps between operations */
};

/**
 * Open collectively: rank 0 creates, then all open; all ranks return alike,
 * with the same text. Rank 0's hints are everybody's.
 *
 * @param comm  duplicated. @param amode  MPI_MODE_* already checked.
 * @param file_out  set on success only; ended by adio_close().
 */
int adio_open(const struct adio_driver *driver, MPI_Comm comm,
              const char *display, const char *path, int amode,
              const struct adio_hints *hints, struct adio_file **file_out,
              struct adio_error *error);

/** Close collectively (and delete when amode says so); *file_p is NULL. What
 *  was written is flushed first (MPI-3.1, 13.2.2). */
int adio_close(struct adio_file **file_p, struct adio_error *error);

/** Close when no rank can be spoken to any more (MPI is finalizing): local,
 *  the communicator is left, nothing is deleted. *file_p is NULL. */
void adio_abandon(struct adio_file **file_p);

/** Flush collectively if any rank wrote. @return the same on all ranks. */
int adio_sync(struct adio_file *file, struct adio_error *error);

/** Make rank 0's hints everybody's. Collective. */
void adio_share_hints(struct adio_file *file);

/** Agree on an error: the lowest failing rank's code and text on every rank.
 *  Collective. @return that code, or 0 when nobody failed. */
int adio_agree(MPI_Comm comm, struct adio_error *error_inout);

#endif
