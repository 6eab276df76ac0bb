/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The conformance program: what its files share.
 *
 * A seed is a list of steps. Each step is drawn from (seed, step, rank) and
 * from what earlier steps left, and all ranks draw for all ranks, so each knows
 * what every other one does, without a message. A step is planned (no file is
 * touched), done, agreed on (faults of all ranks), and only then put into the
 * state that is expected. Any step may be left out or made smaller and the rest
 * is still a legal program: that is how a failing seed shrinks.
 *
 * Units    places in files are bytes; offsets are etypes of a view.
 * Threads  one; a signal handler prints run->where.
 * Failure  faults are data (struct verdict); the program goes on with the next
 *          seed.
 */
#ifndef CAPSTAN_TESTS_CONFORMANCE_H
#define CAPSTAN_TESTS_CONFORMANCE_H

#include "conformance_image.h"
#include "conformance_type.h"

#define RANKS_MAX 64
#define STEPS_MAX 24
#define REQUESTS_MAX 3

/* What may be wrong, the worst last. X(name, word) */
#define FAULTS(X)                                                              \
    X(NONE, "none")                                                            \
    X(SIZE, "size")                                                            \
    X(POINTER, "pointer")                                                      \
    X(VIEW, "view")                                                            \
    X(COUNT, "count")                                                          \
    X(BEYOND, "beyond-count") /* memory changed that a short read did not fill \
                               */                                              \
    X(HOLE, "hole")           /* memory changed that is not in the type */     \
    X(DATA, "data")                                                            \
    X(FILE, "file") /* at the end the file holds something else */             \
    X(ERROR, "error")                                                          \
    X(ORACLE, "oracle") /* MPI_Pack and our own map differ */

enum fault {
#define X(name, word) FAULT_##name,
    FAULTS(X)
#undef X
};

#define FAULT_TEXT 700

struct verdict {
    enum fault fault;
    char text[FAULT_TEXT];
    int ncalls;       /* that this rank made and that are supported */
    int nunsupported; /* that returned MPI_ERR_UNSUPPORTED_OPERATION */
};

/* How a seed is made smaller. */
struct mask {
    bool is_dropped[STEPS_MAX];
    uint64_t quiet[STEPS_MAX]; /* ranks that move nothing, a bit each */
    int depth;                 /* of types */
    int count_max;             /* of instances */
    bool has_hints;
};

struct view {
    int64_t disp;
    struct ctype *etype;
    struct ctype *filetype;
    struct signature signature;
    bool is_interlaced; /* places go back from tile to tile */
};

enum { HANDLE_MAIN, HANDLE_SECOND, HANDLE_SELF, NHANDLES };

/* A file handle: of all ranks, or one of each rank alone (HANDLE_SELF). */
struct handle {
    MPI_File file;
    MPI_Comm comm;
    bool is_open;
    bool is_self;
    bool is_atomic;
    int amode;
    struct view views[RANKS_MAX];
    int64_t pointer[RANKS_MAX];
    int64_t shared[RANKS_MAX]; /* [0] only, unless is_self */
};

/* What the program was told. */
struct settings {
    const char *path;
    uint64_t start;
    uint64_t nseeds;
    struct mask mask;
    bool is_verbose;
    bool shrinks;
    bool is_strict;   /* holes of the file are zero, short reads touch less */
    bool needs_sync;  /* other ranks see a write after sync-barrier-sync */
    bool has_shared;  /* try shared pointers */
    bool is_blocking; /* leave nonblocking calls out */
    bool has_interlaced; /* filetypes whose tiles reach into each other */
    bool goes_on;        /* a wrong count does not end a seed */
    bool has_repeats;    /* filetypes that show a byte twice */
    unsigned timeout;    /* seconds a step may take */
    const char *report;
};

struct run {
    const struct settings *settings;
    const struct mask *mask;
    int rank;
    int size;
    uint64_t seed;
    int step;
    bool is_quiet;     /* while shrinking */
    enum fault wanted; /* while shrinking: the same fault again */
    bool is_telling;   /* print every step */
    struct handle handles[NHANDLES];
    struct image image;
    bool is_dirty; /* written since the last sync */
    struct verdict verdict;
    uint64_t nnoted; /* faults that did not end a seed */
    char op[64];     /* the class of the current operation */
    char *story;     /* what the current step does, on all ranks */
    char path[4096]; /* of the file */
};

/* conformance.c */

/** Note where we are, for the signal handlers, and start the clock. */
void conf_where(const struct run *run);

/* conformance_verdict.c */

/** Note a fault of this rank; the first of a step stays. */
void conf_fault(struct run *run, enum fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Look at a return code. @return true when the call succeeded. */
bool conf_ok(struct run *run, int rc, const char *call);

/** As conf_ok() for a call that only prepares what the step is about. */
bool conf_begun(struct run *run, int rc, const char *call);

/** The worst of all ranks, with its text. @return true: go on, what was asked
 *  for has happened; false: nothing happened (unsupported) or a fault. */
bool conf_agree(struct run *run);

/** Add to what the step says it does. */
void conf_tell(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *conf_fault_word(enum fault fault);

/* How often each operation ran, was unsupported, was wrong. */
void tally_add(const struct run *run, bool is_unsupported);
void tally_print(const struct settings *settings, int size, uint64_t nfailed);

/* conformance_view.c */

/** Draw from (seed, step, rank, what); rank -1 for what all ranks share. */
void conf_rng(const struct run *run, int rank, int what, struct rng *rng_out);

/** Where data byte n of a view lies in the file. */
int64_t view_place(const struct view *view, int64_t n);

/** The same, and how many of `most` data bytes lie side by side there. */
int64_t view_piece(const struct view *view, int64_t n, int64_t most,
                   int64_t *length_out);

/** The first etype of the view that starts at or after `size`. */
int64_t view_end(const struct view *view, int64_t size);

void view_default(struct view *view);

/** May the shared pointer be used: the same view on every rank? */
bool views_are_alike(const struct run *run, const struct handle *handle);
void view_fini(struct view *view);

/** Set new views on a handle, sometimes with hints. */
void step_view(struct run *run, struct handle *handle);
void step_get_view(struct run *run, struct handle *handle);
void step_byte_offset(struct run *run, struct handle *handle);

/* conformance_file.c */

/** Open a handle (no-op when it is open). @return false: a fault. */
bool handle_open(struct run *run, int number, int amode);
void handle_close(struct run *run, int number);

/** Hints drawn at random; MPI_INFO_NULL sometimes. */
MPI_Info random_hints(struct run *run, struct rng *rng);

/** Make writes visible to all ranks and handles, as the standard has it. */
void settle_file(struct run *run);

void step_resize(struct run *run, struct handle *handle);
void step_get_size(struct run *run, struct handle *handle);
void step_sync(struct run *run, struct handle *handle);
void step_info(struct run *run, struct handle *handle);
void step_reopen(struct run *run, int number);
void step_atomicity(struct run *run, struct handle *handle);

/** Compare the whole file, by rank 0 alone. */
void check_file(struct run *run);

/* conformance_pointer.c */
void step_seek(struct run *run, struct handle *handle);
void step_seek_shared(struct run *run, struct handle *handle);

/** Is this rank's individual pointer where it should be? */
void check_pointer(struct run *run, const struct handle *handle, int64_t want);

/* conformance_access.c: one read or write of each rank */
enum place { PLACE_AT, PLACE_POINTER, PLACE_SHARED };
enum form { FORM_BLOCKING, FORM_NONBLOCKING, FORM_SPLIT };

struct access {
    bool is_idle; /* makes no call; never in a collective */
    bool seeks;
    int64_t at; /* etypes */
    struct ctype *type;
    int count;
    int64_t bytes;
    uint64_t seed; /* of the data */
};

struct plan {
    struct handle *handle;
    bool is_write;
    bool is_collective;
    enum place place;
    enum form form;
    int nrequests;
    struct access accesses[REQUESTS_MAX][RANKS_MAX];
};

void step_access(struct run *run, struct handle *handle);

/** The data of a write, packed. The caller frees it. */
unsigned char *access_data(const struct access *access);

/* conformance_transfer.c */

/** Make this rank's calls of a plan and compare what they did. */
void transfer(struct run *run, const struct plan *plan);

/* conformance_calls.c: the MPI calls by what they do */

/** One blocking or split call. */
int call_blocking(const struct plan *plan, const struct access *access,
                  void *memory, MPI_Status *status);
int call_start(const struct plan *plan, const struct access *access,
               void *memory, MPI_Request *request);
void call_name(const struct plan *plan, char *name, size_t room);

/* conformance_seed.c */

/** Run one seed. @return the worst fault. */
enum fault seed_run(struct run *run);

/* conformance_shrink.c */

/** Make a failing seed small, and show it. */
void seed_shrink(struct run *run);

/** The options that repeat a run with this mask. */
void mask_print(const struct mask *mask, char *text, size_t room);

#endif
