/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two-phase: who wants what of whom, without an array of ranks anywhere.
 *
 * A rank sends each aggregator its node and its compressed runs; aggregators do
 * not know from how many ranks they will hear. Termination is the nonblocking
 * consensus of Hoefler, Siebert and Lumsdaine, "Scalable communication
 * protocols for dynamic sparse data exchange" (PPoPP 2010): synchronous sends,
 * a nonblocking barrier entered when one's own have all been received, the end
 * when it is over.
 *
 * Units    bytes. Runs of others have no memory address.
 * Threads  as coll.h.
 * Failure  no memory for a request: its sender is kept with is_lost, to be
 *          told; no memory for one's own: nothing is asked. Only without memory
 *          to remember the sender, past the first COLL_WISHES_MIN, is the job
 *          aborted.
 */
#ifndef CAPSTAN_ADIO_COLL_EXCHANGE_H
#define CAPSTAN_ADIO_COLL_EXCHANGE_H

#include "adio/common/coll_op.h"

#define COLL_WISHES_MIN 16 /* places made before anything is sent */

/* A run as it travels: little but the ranks of one job are of one machine. */
struct coll_wire_run {
    uint64_t offset;
    uint64_t length;
    uint64_t stride;
    uint64_t count;
};

#define COLL_PASS_BETWEEN 0 /* places in coll_round.to: ranks of other nodes   \
                             */
#define COLL_PASS_WITHIN 2  /* and of this one */
#define COLL_PASS_MAX 4
#define COLL_NO_RANK (-1)
#define COLL_SPARED (-2) /* WRITE: somebody else sends these bytes */

/* The round lo .. hi - 1 of an aggregator; below `valid` bytes exist. */
struct coll_round {
    int64_t code;
    uint64_t lo;
    uint64_t hi;
    uint64_t valid;
    uint64_t number;
    int32_t
        from; /* whose message the data is; COLL_NO_RANK: the aggregator's */
    int32_t to[COLL_PASS_MAX]; /* who is sent it on; COLL_NO_RANK: nobody */
    int32_t spare;
};

#define COLL_ROUND_BYTES ((int)sizeof(struct coll_round))

/** Write a list's runs to a place that has room for them. */
void coll_wire_encode(const struct coll_list *list, struct coll_wire_run *to);

/* What a rank wants of this aggregator; from the end of the exchange on, where
 * the aggregator stands with it. */
struct coll_wish {
    int rank;
    struct coll_wire_run *wire; /* while it is received */
    int count;
    MPI_Request request; /* its arrival, later the last round's */
    struct coll_list list;
    uint64_t node;               /* of the rank */
    struct coll_round rounds[2]; /* as this rank is told them, by buffer */
    uint64_t wanted;             /* bytes of the round that is being sent */
    uint64_t hash;     /* of what it wants of the round that is being sent */
    uint64_t nearness; /* the less, the nearer to the aggregator */
    bool is_lost;      /* no memory for the list: the rank must be told */
    size_t first;      /* runs before it end before every round to come */
    uint64_t left;     /* bytes of rounds not yet begun */
};

struct coll_wishes {
    struct coll_wish *all;
    size_t n;
    size_t room;
};

struct coll_exchange {
    struct coll_parts parts; /* this rank's own, by aggregator */
    struct coll_wire_run *wire;
    MPI_Request *sends;
    size_t nsends;
    bool is_sent;
    MPI_Request barrier;
    struct coll_wishes wishes;
};

/** Forget all but the parts, to exchange again. */
void coll_exchange_reset(struct coll_exchange *exchange);

/** Split op->mine by realm (at the second try the parts are there) and send
 *  it. */
void coll_exchange_start(struct coll_op *op);

/** Move on. @return true when every request of every rank has arrived. */
bool coll_exchange_step(struct coll_op *op);

#endif
