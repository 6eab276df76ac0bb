/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stream: the ranks of one node want a range of the file without holes, or all
 * read the same pieces. It goes through a ring of slots in memory that they
 * share, step after step: one rank reads a step, all copy out of it what they
 * want; or all copy into it, and one rank writes it. No messages; storage moves
 * each byte once, memory twice; of a write that several ranks cover, once.
 *
 * A step is a part of the range, or, where all read the same pieces, of what
 * these are when laid end to end (coll_stream_packed.c).
 *
 * Units    bytes; where steps are packed a position counts from the first piece.
 * Threads  as coll.h; between ranks by atomics in the ring.
 * Failure  a step that failed is moved by another rank, once; a second failure
 *          of it ends the operation on all ranks.
 */
#ifndef CAPSTAN_ADIO_COLL_STREAM_H
#define CAPSTAN_ADIO_COLL_STREAM_H

#include "adio/common/coll_exchange.h"
#include "adio/common/coll_op.h"

#define RING_BYTES (8u << 20)
#define RING_STEP_CHEAP (256u << 10) /* stays in a cache until it is copied */
#define RING_STEP_CHEAP_WRITE (512u << 10) /* fewer ranks to wake */
#define RING_STEP (1u << 20)               /* where a call to storage is dear */
#define RING_RANKS_MAX 64
#define RING_SLOTS_MAX (RING_BYTES / RING_STEP_CHEAP) /* at most 64: bits */

/*
 * What ranks tell each other of a slot. Counts never fall during an operation:
 * slot k serves step k, k + slots, k + 2 slots ..., and the u-th use (from 0)
 * is over when `copied` is (u + 1) * ranks (READ) or `moved` is step + 1
 * (WRITE).
 */
struct ring_slot {
    uint64_t copied; /* ranks that have copied, over all uses */
    uint64_t moved;  /* step + 1 that storage is done with */
    uint64_t failed; /* step + 1 that may be tried again */
    uint64_t failer; /* rank + 1 that failed it */
    uint64_t valid;  /* READ: below this position bytes exist */
    uint64_t spare[3];
};

struct ring_control {
    uint64_t next;      /* step to be moved to or from storage */
    uint64_t is_failed; /* for good */
    uint64_t nsick;     /* ranks whose storage has failed */
    uint64_t spare[5];
    struct ring_slot slots[RING_SLOTS_MAX];
};

#define RING_RUNS_MAX 128

/* What a rank asks for: all of it where there is room. */
struct ring_asked {
    struct coll_summary summary;
    uint64_t nruns; /* above RING_RUNS_MAX: they are not here */
    struct coll_wire_run runs[RING_RUNS_MAX];
};

/* What a rank says when all meet: said when `said` is the meeting's number. */
struct ring_board {
    uint64_t said;
    union {
        struct ring_asked asked; /* CLASSIFY */
        int64_t agree[COLL_AGREE_WORDS];
    };
} __attribute__((aligned(64)));

/* The shared memory: operation n uses controls[n % 2], and the first rank
 * clears the other one meanwhile. */
struct ring_shared {
    /* Who has nothing to do dozes on `nevents` (a futex) after counting itself
     * in; whatever may give it work adds an event, and wakes if any doze. */
    uint32_t nevents;
    uint32_t ndozing;
    struct ring_control controls[2] __attribute__((aligned(64)));
    struct ring_board boards[2][RING_RANKS_MAX];
    char data[] __attribute__((aligned(4096)));
};

struct coll_ring {
    struct ring_shared *shared;
    size_t size;
    uint64_t noperations;
    uint64_t nmeetings;
    uint32_t nseen; /* events before the present step */
};

/** Something has happened that other ranks may wait for: wake so many of them.
 */
void coll_ring_event(struct coll_ring *ring, int nwaking);

/** What a rank asks for, once all have met at the ring in CLASSIFY and until
 *  this rank meets them again. */
const struct ring_asked *coll_ring_asked(const struct coll_op *op, int rank);

/* A step between the ring and storage, by this rank. */
struct stream_io {
    bool is_under_way;
    bool is_second_try;
    uint64_t step;
    uint64_t since;          /* for the trace */
    struct run run;          /* by positions */
    struct coll_list packed; /* where steps are packed: the pieces it is of */
    struct adio_io *io;
};

/* A place in this rank's runs, laid end to end. */
struct packed_place {
    struct coll_cursor cursor;
    uint64_t at;
};

/** The pieces of positions lo .. hi - 1, as they lie in the file and end to end
 *  from data on. @return 0 or -ENOMEM. */
int coll_packed_list(const struct coll_list *mine, struct packed_place *place,
                     uint64_t lo, uint64_t hi, char *data,
                     struct coll_list *out);

/** Copy positions lo .. hi - 1 from data to where this rank wants them.
 *  @return bytes. */
uint64_t coll_packed_copy(const struct coll_list *mine,
                          struct packed_place *place, uint64_t lo, uint64_t hi,
                          const char *data);

struct coll_stream {
    /* Making the ring: rank 0's file, then whether all have it. */
    int making; /* 0: not begun, 1: name is under way, 2: agreeing */
    struct ring_name {
        int32_t pid;
        int32_t fd; /* -1: rank 0 could not */
    } name;
    int fd;
    int32_t has_local;
    int32_t has_all;

    struct ring_control *control;
    bool is_packed;
    uint64_t lo; /* of all steps */
    uint64_t hi;
    uint64_t begin; /* of step 0: aligned, so perhaps before lo */
    uint64_t step_bytes;
    uint64_t nslots;
    uint64_t nsteps;
    uint64_t ranks;
    uint64_t nclaiming; /* ranks that move steps to or from storage */
    bool is_claiming;   /* this one does */
    bool is_covering;   /* WRITE: who covers a step may write it alone */
    bool is_sick;       /* storage has failed here */
    int nios;
    struct stream_io ios[2];
    uint64_t ncopied; /* steps that this rank has copied, in order */
    uint64_t early;   /* bit per slot: copied when this rank had read it */
    uint64_t ncounted;
    size_t first; /* runs before it are over */
    size_t first_counted;
    struct packed_place taken; /* PACKED: where storage, copies and early copies
                                  have come to */
    struct packed_place copied;
    struct packed_place copied_early;
};

#endif
