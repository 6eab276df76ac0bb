/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One collective operation, and what a file keeps between operations. Private
 * to adio/common/coll*.c.
 *
 * Units    bytes.
 * Threads  as coll.h.
 * Failure  an error of this rank goes to op->error by coll_fail(), first one
 *          kept; the rank goes on taking part until all agree at the end.
 */
#ifndef CAPSTAN_ADIO_COLL_OP_H
#define CAPSTAN_ADIO_COLL_OP_H

#include "adio/common/adio.h"
#include "adio/common/coll.h"
#include "adio/common/coll_nodes.h"
#include "adio/common/coll_realm.h"
#include "adio/common/coll_runs.h"
#include "adio/common/coll_trace.h"

#define COLL_NOBODY UINT64_MAX
#define COLL_AGREE_WORDS 3

/* Tags on the engine's own communicator. */
enum coll_tag {
    COLL_TAG_NEVER, /* used by no message */
    COLL_TAG_REQUEST,
    COLL_TAG_ROUND,
    COLL_TAG_DATA,
    COLL_TAG_STEP, /* and the next: two steps may be under way */
    COLL_TAG_PASS = COLL_TAG_STEP + 2, /* and on: two for each owner */
};

/*
 * X(name, step function, states that may follow). A step function returns the
 * state it wants next, its own while it waits.
 */
#define COLL_STATES(X)                                                         \
    X(CLASSIFY, coll_classify_step,                                            \
      TO(TEXT) | TO(DIRECT) | TO(SHARE) | TO(RING) | TO(REQUEST) | TO(AGREE) | \
          TO(OVER))                                                            \
    X(AHEAD, coll_ahead_step, TO(CLASSIFY))                                    \
    X(DIRECT, coll_direct_step, TO(AGREE))                                     \
    X(SHARE, coll_share_step, TO(AGREE))                                       \
    X(RING, coll_ring_step,                                                    \
      TO(STREAM) | TO(DIRECT) | TO(MAPPED) | TO(SHARE) | TO(REQUEST) |         \
          TO(AGREE))                                                           \
    X(MAPPED, coll_mapped_step, TO(AGREE))                                     \
    X(STREAM, coll_stream_step, TO(AGREE) | TO(OVER))                          \
    X(REQUEST, coll_request_step, TO(MOVE))                                    \
    X(MOVE, coll_move_step, TO(AGREE))                                         \
    X(AGREE, coll_agree_step, TO(TAKEOVER) | TO(RING) | TO(TEXT) | TO(OVER))   \
    X(TAKEOVER, coll_takeover_step, TO(REQUEST) | TO(TEXT))                    \
    X(TEXT, coll_text_step, TO(OVER))                                          \
    X(OVER, coll_over_step, 0)

enum coll_state {
#define X(name, step, next) COLL_##name,
    COLL_STATES(X)
#undef X
};

/*
 * What one Allreduce tells of all ranks. Everything is 64 bits wide, so that
 * the whole is one vector of MPI_UINT64_T.
 */
struct coll_summary {
    uint64_t begin; /* hull of what is asked; begin > end: nothing is */
    uint64_t end;
    uint64_t bytes;
    uint64_t blocks;
    uint64_t asking;     /* ranks that ask for anything */
    uint64_t hash;       /* of the runs */
    uint64_t seams;      /* sum of mix(end) - mix(begin) over all blocks */
    uint64_t longest;    /* block */
    uint64_t is_alike;   /* every rank asks for the same */
    uint64_t is_ordered; /* rank r ends before rank r + 1 begins */
    uint64_t is_ahead;   /* every rank has moved its own as the last time */
    uint64_t is_tangled; /* a rank's own runs interleave or overlap */
    uint64_t is_same;    /* every rank asks for what it asked for last time */
    uint64_t is_mapped;  /* every rank can copy its own from mapped memory */
    uint64_t failing;    /* lowest rank with an error, or COLL_NOBODY */
    /* The lowest rank's word goes, so that ranks with other hints agree. */
    uint64_t strategy;
    uint64_t toggle;
    uint64_t buffer_size;
    uint64_t cb_nodes;
    uint64_t stripe_size;
    uint64_t width;
    uint64_t cheap_piece;
    uint64_t listed_piece;
};

#define COLL_REACH_CHUNK 64 /* owners told of by one Allreduce */

/* After a failed write: up to where owners have moved everything. */
struct coll_reach {
    uint32_t first; /* owner that the chunk begins with */
    uint64_t local[COLL_REACH_CHUNK];
    uint64_t all[COLL_REACH_CHUNK]; /* UINT64_MAX: that owner did not fail */
};

struct coll_share;    /* coll_share.h */
struct coll_stream;   /* coll_stream.h */
struct coll_ring;     /* coll_stream.h */
struct coll_exchange; /* coll_exchange.h */
struct coll_client;   /* coll_client.h */
struct coll_agg;      /* coll_agg.h */

struct coll_op {
    struct adio_file *file;
    struct coll_kept *kept;
    struct coll_op *next; /* started after this one on the same file */
    enum coll_verb verb;
    enum coll_state state;
    bool is_entered; /* the state has done its first step */
    uint64_t since;  /* when the state began, for the trace */
    struct adio_error error;
    struct coll_list mine; /* this rank's runs: ascending, none empty */
    struct coll_summary local;
    struct coll_summary all;
    struct coll_realm realm;
    struct adio_explain explain;
    uint64_t bytes;    /* arrived at, or left, this rank's memory */
    size_t mem_before; /* mem_taken() at the start */
    MPI_Request request;
    int64_t agree_local[COLL_AGREE_WORDS]; /* who failed, rounds, which owner
                                              failed */
    int64_t agree_all[COLL_AGREE_WORDS];
    struct adio_error failed; /* as aggregator: may be made good (TAKEOVER) */
    bool is_second_try;       /* failed realms are moved by other ranks */
    bool is_asked;            /* as the last time: no exchange */
    bool is_exchanged;        /* aggregators know what is wanted */
    bool is_met;              /* CLASSIFY was at the ring */
    bool is_mapped;           /* each copies its own from mapped memory */
    struct coll_reach reach;
    int failing; /* whose text TEXT brings */
    struct adio_io *io;
    struct coll_share *share;
    struct coll_stream *stream;
    struct coll_exchange *exchange;
    struct coll_client *client;
    struct coll_agg *agg;
};

/* The last operation, when it was direct: the next one may well be alike. */
struct coll_plan {
    bool is_set;
    bool is_mapped;
    enum coll_verb verb;
    uint64_t bytes; /* of the next two, so that a start need not compare runs */
    uint64_t hash;
    uint64_t toggle;
    char why[128];
};

/* What aggregators were asked for by the last two-phase operation: when all ask
 * for the same again nothing is exchanged. */
struct coll_asked {
    bool is_set;
    uint64_t bytes;
    uint64_t hash;
    struct coll_realm realm;
    struct coll_exchange *exchange; /* its wishes */
};

/* The last read that share or two-phase was chosen for: the same once more is
 * worth a mapping. */
struct coll_read {
    bool is_set;
    uint64_t bytes;
    uint64_t hash;
};

/* file->coll. */
struct coll_kept {
    MPI_Comm comm; /* so that nobody else's messages can meet ours */
    MPI_Op combine;
    MPI_Datatype summary_type;
    MPI_Datatype run_type; /* a run as requests carry it */
    struct coll_nodes nodes;
    struct coll_op *head; /* operations in the order they were started */
    struct coll_op *tail;
    bool is_stepping; /* MPI calls of a step may call back into coll_step() */
    bool is_at_ring;  /* the last step ended waiting for an event there */
    bool is_near;     /* which will not take long */
    char *buffers[2]; /* of an aggregator, kept from operation to operation */
    uint64_t buffer_size;
    struct coll_plan plan;
    struct coll_asked asked;
    struct coll_read read;
    struct coll_ring *ring;   /* memory of all ranks of the node, or NULL */
    bool is_ring_refused;     /* it could not be made: not tried again */
    struct coll_trace *trace; /* NULL: none is wanted */
    struct coll_op *spare; /* so that a start cannot fail for want of memory */
};

/** Note a failure of this rank; the first one stays. */
void coll_fail(struct coll_op *op, const struct adio_error *error);

/** Note a failure of this rank as aggregator, which another may make good. */
void coll_fail_owner(struct coll_op *op, const struct adio_error *error);

/** The rank that moves the realm of an owner in this try. */
int coll_owner_rank(const struct coll_op *op, uint32_t owner);

/** The rank that takes an owner's realm over. */
int coll_substitute_rank(const struct coll_op *op, uint32_t owner);

/** Note -ENOMEM, saying for what. */
void coll_fail_memory(struct coll_op *op, const char *what);

/** True once op->request is over. */
bool coll_request_done(struct coll_op *op);

/** One of a file's two collective buffers, or NULL: only one operation moves at
 *  a time. It stays the file's; a larger size ends the earlier buffers. */
char *coll_buffer(struct coll_kept *kept, int i, uint64_t size);
void coll_buffers_free(struct coll_kept *kept);

/** Meet at the ring: combine all ranks' summaries (op->all), or the largest of
 *  their words (op->agree_all). @return true when all are there. */
bool coll_ring_combine(struct coll_op *op);
bool coll_ring_agree(struct coll_op *op);

enum coll_apart { COLL_APART_UNKNOWN, COLL_APART, COLL_OVERLAP };

/** Does any rank want a byte that another one wants too? After CLASSIFY. */
enum coll_apart coll_ring_apart(const struct coll_op *op);

/** A step begins: what happens at the ring from now on is news. */
void coll_ring_look(struct coll_kept *kept);

/** Sleep until something happens at the ring, or has since the last step began,
 *  at most so long. */
void coll_ring_doze(struct coll_kept *kept, unsigned most_us);

/** Does every byte from the first to the last belong to somebody? */
bool coll_has_no_holes(const struct coll_summary *all);

/** Do all ranks read the same pieces, in order? */
bool coll_is_one_list(const struct coll_op *op);

/** This rank's own part by itself. @return true when that is over. */
bool coll_direct_move(struct coll_op *op, bool is_mapped);

/** Can this rank copy all that it wants from mapped memory, and may it? */
bool coll_mapped_is_possible(const struct coll_op *op);
/** Share or two-phase was chosen: the next operation may be the same again. */
void coll_mapped_note(struct coll_op *op);
/** All can: go that way. */
enum coll_state coll_mapped_begin(struct coll_op *op);
/** It gave way under some rank: all go another way. */
enum coll_state coll_mapped_undo(struct coll_op *op);
/** It was read so: say so, and remember. */
enum coll_state coll_mapped_end(struct coll_op *op);

/** Remember the operation: the next one that asks for the same goes ahead. */
void coll_classify_remember(struct coll_op *op);

/** May all ranks of the file meet in a ring's memory? */
bool coll_ring_is_possible(const struct coll_op *op);

/** Describe op->mine and this rank's hints. */
void coll_classify_start(struct coll_op *op);
/** The MPI_Op behind kept->combine. */
void coll_classify_combine(void *left, void *right_inout, int *len,
                           MPI_Datatype *type);

/*
 * What strategies keep is made before CLASSIFY, so that a rank without memory
 * is found out there. @return 0 or -ENOMEM.
 */
int coll_share_create(struct coll_share **share_out);
int coll_stream_create(struct coll_stream **stream_out);
int coll_exchange_create(struct coll_exchange **exchange_out);
int coll_client_create(struct coll_client **client_out);
int coll_agg_create(struct coll_agg **agg_out);

/* The steps of the table above. */
#define X(name, step, next) enum coll_state step(struct coll_op *op);
COLL_STATES(X)
#undef X
void coll_share_free(struct coll_share **share_p);
void coll_stream_free(struct coll_stream **stream_p);
void coll_ring_free(struct coll_ring **ring_p);
void coll_exchange_free(struct coll_exchange **exchange_p);

/** Does this rank ask for what it asked for the last time, and has it memory to
 *  do so? */
bool coll_exchange_is_same(struct coll_op *op);

/** The operation is over: keep what its aggregators were asked for, if that can
 *  be used again. */
void coll_exchange_keep(struct coll_op *op);
void coll_exchange_forget(struct coll_kept *kept);
void coll_client_free(struct coll_client **client_p);
void coll_agg_free(struct coll_agg **agg_p);

#endif
