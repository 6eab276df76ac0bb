/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of a loader.
 *
 *   open.c    options and index, agreed upon by all ranks
 *   plan.c    who reads what when (plan.h)
 *   pump.c    moves batches through their states, by a thread or the caller
 *   slot.c    one batch: its wants, its memory, its check
 *   read.c    the reads of a batch
 *   source.c  finds who reads rows that are no plain bytes
 *   files.c   open files
 *   tell.c    tells the storage what will be read after that
 *   loader.c  what the caller sees
 *
 * Every rank goes through the same sequence of collectives:
 *
 *     gate 0, start 0, gate 1, start 1, ...      on gate_comm, and on files
 *     agree 0, agree 1, ...                      on agree_comm
 *
 * A gate is a nonblocking reduction: it is over when all ranks have room for
 * that batch, and says whether anybody wants to stop. So the blocking calls of
 * a start (open a file, set a view) find everybody there, and after a stop no
 * rank ever waits in one alone. Agreement makes one rank's failure everybody's.
 *
 * Units    bytes, seconds.
 * Threads  `lock` guards what is marked so; all else belongs to the pump, which
 *          is the loader's thread, or the caller.
 * Failure  struct note: the first one stays.
 */
#ifndef CAPSTAN_LOADER_PRIV_H
#define CAPSTAN_LOADER_PRIV_H

#include "loader/index.h"
#include "loader/plan.h"
#include "loader/source.h"

#include "loader/public.h"

#include <mpi.h>
#include <pthread.h>
#include <stdbool.h>

#define NOTE_SIZE 1024
#define DEPTH_MAX 64u
#define SAMPLE_ALIGN 64u

/* What failed first. */
struct note {
    int code; /* 0 or negative */
    char text[NOTE_SIZE];
};

/** Note a failure unless there is one. @return the code that is noted. */
int note_set(struct note *note, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Note what MPI returned, as -EIO, -ENOENT or -ENOMEM, if it is an error. */
int note_mpi(struct note *note, int rc, const char *what, const char *object);

/** Give all ranks the failure of one, if there is any. Collective. */
int note_agree(struct note *note, MPI_Comm comm);

/** The same, when the code and rank of the worst are known already. */
int note_spread(struct note *note, MPI_Comm comm, int worst, int rank);

/* A file that is open on all ranks, or with is_independent on this one. */
struct open_file {
    MPI_File handle;
    struct source_file *source; /* instead of the handle, where there is one */
    uint32_t file; /* in the index */
    uint64_t used; /* by which start last */
};

struct open_files {
    const struct source *through; /* NULL: MPI */
    MPI_Comm comm; /* that they are opened on */
    MPI_Info info;
    struct open_file *list;
    uint32_t count;
    uint32_t room;
};

enum slot_state {
    SLOT_FREE,
    SLOT_GATED,   /* waits for the others' room */
    SLOT_READING, /* requests are under way */
    SLOT_READ,    /* waits for its turn to agree */
    SLOT_AGREEING,
    SLOT_TELLING, /* why it failed, if it did */
    SLOT_READY    /* the caller's, from here until it is released */
};

/* The calls of MPI_File that are under way for a batch. */
struct reads {
    MPI_Request *requests;
    MPI_Status *statuses;
    struct read *list;
    int count;
    uint64_t room;
};

struct pair {
    int code; /* negated */
    int rank;
};

/* One batch, as this rank sees it. */
struct slot {
    enum slot_state state;
    struct capstan_batch batch;
    struct capstan_sample *samples; /* in the order of the plan */
    uint64_t *order; /* their numbers, ascending, each once: nunique of them */
    size_t *at;      /* where those lie in memory */
    uint64_t nunique;
    uint64_t room; /* of samples, order and at */
    unsigned char *memory;
    size_t memory_size;
    uint64_t bytes; /* of its unique samples */
    uint64_t need;  /* memory, on the rank that gets most; if is_tight */
    struct open_files files;
    struct reads reads;
    MPI_Request shared; /* of the gate, then of the agreement */
    int wants_stop, stops;
    struct pair own, worst; /* of the agreement */
    struct note note;
};

/* Batches of which the storage is told before they are read. */
struct tell {
    bool is_on;
    struct plan plan; /* of the epoch that it is at */
    uint64_t next;    /* counted as batches; at this place: */
    uint64_t epoch, step;
    struct open_files files;
    uint64_t *numbers; /* room for a batch, as all below */
    MPI_Aint *offsets;
    int *lengths;
};

struct capstan_loader {
    struct capstan_loader_options options;
    char *dataset;
    struct index index;
    struct plan plan;
    uint32_t *weights;
    bool has_plan;
    bool is_auto; /* progress was left to us */
    bool has_single; /* no rank gets more than one sample a step: no views */
    const struct source *source; /* who reads; NULL: MPI */
    int rank, ranks;
    MPI_Comm comm, gate_comm, agree_comm;

    /* The pump's. Batches are counted from 0; batch n is in slot n % nslots. */
    struct slot *slots;
    uint32_t nslots;
    uint64_t gated, started, agreed;
    uint64_t epoch, step; /* of the next batch to be gated */
    bool is_stopped;      /* no batch will be started any more */
    uint64_t *touched;    /* a file's last start that touches it, plus 1 */
    uint32_t *files;      /* those of the current start */
    size_t memory_used;
    bool is_tight;         /* depth + 1 batches may be more than memory_max */
    uint64_t memory_least; /* memory_max of the rank that has least */
    uint64_t next_need;    /* slot.need of the next batch to be gated; 0: not
                              known yet */
    uint64_t kept; /* batches before it were released when the last was gated */
    struct tell tell;
    uint64_t reads, opens; /* atomic: the caller asks for them */

    /* Under lock: between the caller and the pump. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t ready;    /* batches that have been agreed upon */
    uint64_t released; /* that the caller gave back */
    bool is_closing;
    bool is_over;     /* ready is final */
    bool is_finished; /* nothing is under way any more */
    struct note note; /* why it is over, if it failed */

    /* The caller's. */
    uint64_t taken;
    pthread_t thread;
    bool has_thread;
    bool is_pumping;
    struct capstan_loader_stats stats;
};

/** Begin and end the pump: a thread, or nothing. pump_stop() is collective and
 *  returns when nothing is under way. @return 0 or -ENOMEM. */
int pump_start(struct capstan_loader *loader);
void pump_stop(struct capstan_loader *loader);

/** Move reads on that are under way, if there is no thread for it. */
void pump_progress(struct capstan_loader *loader);

/** Wait until batch number n is ready. @return 0, -ENODATA or the failure. */
int pump_wait(struct capstan_loader *loader, uint64_t n);

/** Start a batch's reads. Collective, in step with all ranks; what fails is in
 *  slot->note. */
void slot_start(struct capstan_loader *loader, struct slot *slot);

/** Bytes of memory that so long a sample takes. */
uint64_t slot_aligned(uint64_t length);

/** Memory of a step, on the rank that gets most: the same on all ranks. */
uint64_t slot_need(struct capstan_loader *loader, uint64_t epoch,
                   uint64_t step);

/** Get ready to tell, if that is wanted. @return 0 or -ENOMEM. */
int tell_init(struct capstan_loader *loader, const struct plan_shape *shape);

/** Tell what comes up to options.plan batches behind the one just started. Local;
 *  whatever fails ends telling, and nothing else. */
void tell_ahead(struct capstan_loader *loader);

void tell_fini(struct capstan_loader *loader);

/** Compare each sample with its sum. */
void slot_check(const struct capstan_loader *loader, struct slot *slot);

void slot_fini(struct capstan_loader *loader, struct slot *slot);

/** Have room for so many, so that starting them cannot fail for want of it.
 *  @return 0 or -ENOMEM. */
int reads_init(struct reads *reads, uint64_t room);

/** Start the reads of a batch: one collective a file, or one call a sample.
 *  Collective; `files` are open, ascending, and the same on all ranks. */
void reads_start(struct capstan_loader *loader, struct slot *slot,
                 const uint32_t *files, uint32_t nfiles);

/** Are they over? Then what failed is in slot->note. */
bool reads_test(struct capstan_loader *loader, struct slot *slot);

void reads_fini(struct reads *reads);

/**
 * Have files open. Collective; all ranks give the same list.
 *
 * @param start  number of this start, larger than any before.
 * @return 0 or the failure of any rank, the same on all.
 */
int files_open(struct capstan_loader *loader, struct open_files *files,
               const uint32_t *wanted, uint32_t count, uint64_t start,
               struct note *note);

/** Have one file open that is this rank's own (files->comm is MPI_COMM_SELF);
 *  at most files_max of them. Local. @return MPI_FILE_NULL: it cannot be. */
MPI_File files_open_own(struct capstan_loader *loader, struct open_files *files,
                        uint32_t file, uint64_t start);

/** The handle of a file that files_open() has opened, or its source's. */
struct source_file *files_source(const struct open_files *files, uint32_t file);
MPI_File files_handle(const struct open_files *files, uint32_t file);

/** Close all. Collective. */
void files_close(struct open_files *files);

/** "DATASET/NAME", or the name alone if it is absolute or has a prefix of its
 *  own. @return owned, NULL: out of memory. */
char *files_path(const char *dataset, const char *name);

/* What a whole file holds, and who reads it. */
struct slurped {
    void *data; /* ended with free(3) */
    size_t size;
    bool bears_thread; /* whoever does may be called by a thread of ours */
};

/** Read a whole file on all ranks: the same bytes, one collective. */
int files_slurp(MPI_Comm comm, const char *path, MPI_Info info,
                struct slurped *out, struct note *note);

#endif
