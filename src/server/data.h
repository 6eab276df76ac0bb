/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving data between objects and client memory: jobs and slots.
 *
 * A job is one read or write request. A slot is one pool buffer with what is
 * needed to fill and empty it: extents (operations of the object store) and
 * moves (RMA operations). Bytes lie in a slot in the order of the pieces, so
 * that pieces that are neighbours in the object share an extent, and pieces
 * that are neighbours in client memory share a move.
 *
 * A slot whose bytes are lent (lend.c) leaves its buffer empty: the kernel
 * copies them out of the object.
 *
 * Jobs that want a buffer stand in their client's line and take one in turn, and
 * so do the clients: neither a large request nor a client with many requests
 * keeps a small one waiting. No job holds more than JOB_SLOTS_MAX. A client may
 * hold only as many buffers as are still free, so that those which take their
 * bytes slowly or never (stopped, computing) leave some to the others: n of them
 * leave one in n + 1.
 *
 * Units    bytes.
 * Threads  the target's reactor.
 * Failure  the first error of a job ends it: what is under way is waited for,
 *          nothing new starts, and the request is answered with that error.
 */
#ifndef CAPSTAN_SERVER_DATA_H
#define CAPSTAN_SERVER_DATA_H

#include "base/pool.h"
#include "net/net.h"
#include "rpc/rpc.h"
#include "server/pieces.h"
#include "store/obj.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_SLOTS_MAX 8
#define JOB_TIMEOUT_NS (60 * NS_PER_SEC) /* no job takes a buffer after this */
#define JOB_SAID_MAX 128
#define SLOT_EXTENTS_MAX 128
#define SLOT_MOVES_MAX 64

struct srv_target;
struct job;
struct slot;

struct slot_extent {
    struct obj_io io; /* first */
    struct slot *slot;
};

struct slot_move {
    struct net_op op; /* first */
    struct slot *slot;
    uint64_t mem; /* offset in the client's memory */
    uint32_t at;  /* offset in the slot */
    uint32_t length;
};

typedef void slot_step_fn(struct slot *slot);

/* The buffers that one client holds. */
struct share {
    uint64_t client;
    unsigned nslots; /* 0: the entry is free */
};

/* The jobs of one client that want a buffer. */
struct line {
    uint64_t client;
    struct job *head, **end;
    struct line *next; /* whose turn it is after, or the next free one */
};

struct slot {
    struct job *job;
    struct share *share;
    char *memory;
    struct pieces from;     /* where the job's pieces stood at the start */
    struct piece from_piece; /* begun then, if from_has_piece */
    bool from_has_piece;
    uint32_t from_sum; /* number of the first fragment */
    uint32_t bytes;    /* gathered */
    uint32_t *sums;    /* of the blocks that the extents touch */
    uint32_t start; /* of the first byte: congruent with the object's offset */
    uint32_t fill;  /* end of the bytes taken so far */
    unsigned nextents;
    unsigned nmoves;
    unsigned posted;  /* moves handed to the net */
    unsigned waiting; /* callbacks to come */
    slot_step_fn *const *step; /* what it does now; behind it, what is next */
    struct slot *next;         /* in the free list or the line of the put-off */
    bool is_put_off;
    bool is_whole;   /* each piece is whole fragments */
    bool is_lent;    /* its bytes go from the object to the client at once */
    bool is_refused; /* they could not, and are read */
    struct slot_extent extents[SLOT_EXTENTS_MAX];
    struct slot_move moves[SLOT_MOVES_MAX];
};

/** The request can be answered; job->rc says how. */
typedef void job_answer_fn(struct job *job);

struct job {
    struct srv_target *target;
    struct rpc_request *request; /* NULL once answered */
    slot_step_fn *const *steps;  /* of each of its slots, NULL-ended */
    job_answer_fn *answer;
    enum obj_verb verb;
    uint64_t deadline_ns;
    struct pieces pieces;
    struct piece piece; /* taken from pieces, not yet wholly in a slot */
    bool has_piece;
    bool is_over;     /* no more pieces */
    bool is_inline;   /* data rides in the message: no moves */
    bool is_early;    /* may be answered when the last move is posted */
    bool is_in_line;
    uint64_t client;
    uint64_t ino;
    uint64_t key;
    uint64_t addr;
    uint64_t object_size; /* read: when it began */
    uint64_t bytes;       /* taken into slots */
    bool has_sums;        /* of fragments come or go along */
    bool has_fold;        /* but all of them as one */
    bool is_compared_later; /* read: with those that are kept, by the client */
    uint64_t fold;        /* so far */
    uint32_t nsums;       /* fragments taken into slots */
    uint32_t nsums_most;  /* read: that fit; write: sums that came */
    const uint8_t *given; /* write: the sums, in the message */
    uint32_t *sums;       /* read: PROTO_SUMS_MAX of them, little-endian */
    const uint8_t *source; /* inline write: the next byte of the message */
    unsigned nslots;       /* held */
    unsigned nunposted;    /* of them, not every move posted yet */
    int rc;
    const char *text; /* with rc: more words, or NULL; static, or said */
    char said[JOB_SAID_MAX];
    struct slot *kept; /* inline read: the slot that holds the answer */
    struct obj_io stat;
    struct job *next; /* in the free list or the line */
};

struct data {
    struct pool pool;
    struct slot *slots_all, *slots_free;
    uint32_t *slot_sums, *job_sums;
    unsigned nslots_free;
    struct share *shares; /* as many as buffers: no more clients hold any */
    struct slot *put_off, **put_off_end; /* wait for the net or a size */
    struct job *jobs_all, *jobs_free;
    struct line *lines_all, *lines_free; /* as many as jobs */
    struct line *lines, **lines_end;     /* with jobs, by turn */
    unsigned nlines;
    unsigned njobs; /* not in the free list */
};

/** Make buffers, slots, and jobs for requests_max requests. @return 0, -EINVAL,
 *  -ENOMEM. A zeroed struct may be given to data_fini(). */
int data_init(struct data *data, unsigned requests_max, unsigned buffers,
              size_t buffer_size);
void data_fini(struct data *data);

/** A job for a request, with the fields that reads and writes share. */
struct job *job_take(struct srv_target *target, struct rpc_request *request);

/** Stand in the client's line for a buffer. */
void job_want_slot(struct job *job);

/** The first error counts; nothing new starts. */
void job_fail(struct job *job, int rc, const char *text);

/** A block at this offset of the object does not fit its sum: say which. */
void job_fail_corrupt(struct job *job, uint64_t object_offset,
                      const char *where);

/** End it if nothing is under way. The job may be gone afterwards. */
void job_settle(struct job *job);

/** Give buffers to jobs in line, repeat what was put off. @return things. */
int data_poll(struct srv_target *target);

/** Steps of a slot. Each starts its operations and, when the last has ended,
 *  the next step of the slot follows. */
void slot_start_extents(struct slot *slot);
void slot_start_moves(struct slot *slot);

/** May its bytes go from the object to the client at once? (lend.c) */
bool slot_may_be_lent(const struct slot *slot);
/** Let them; if they cannot, read them after all. A step of reads. */
void slot_move_lent(struct slot *slot);

/** Count what comes from the extents of a slot, or goes there. */
void slot_count_extents(const struct slot *slot);

/** Compare what came with the sums that came with it; a step of writes. */
void slot_check_sums(struct slot *slot);
/** Keep the sums of what goes out, for the answer; a step of reads. */
void slot_take_sums(struct slot *slot);
/** Give the extents their places for sums. */
void slot_place_sums(struct slot *slot);

/** Take the next pieces into a slot. @return true if it got any. */
bool slot_gather(struct slot *slot);

/** Go on to the next step; behind the last, let go of the slot. */
void slot_go_on(struct slot *slot);
void slot_put(struct slot *slot);
/** Repeat the current step at the next turn. */
void slot_put_off(struct slot *slot);

/** Is an extent of a write to this object under way? */
bool data_is_writing(const struct srv_target *target, uint64_t ino);

#endif
