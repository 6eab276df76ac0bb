/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two-phase, the side of an aggregator: moves its file realm between storage
 * and the ranks that asked, in rounds, with two buffers.
 *
 * Units    bytes.
 * Threads  as coll.h.
 * Failure  a failure goes to op->error and, as a last round with its code, to
 *          every rank whose bytes have not all been dealt with.
 */
#ifndef CAPSTAN_ADIO_COLL_AGG_H
#define CAPSTAN_ADIO_COLL_AGG_H

#include "adio/common/coll_client.h"
#include "adio/common/coll_space.h"

/* READ: FREE, STORAGE, RANKS, FREE ...   WRITE: FREE, RANKS, STORAGE, FREE. */
enum agg_state { AGG_FREE, AGG_STORAGE, AGG_LOADED, AGG_RANKS };

struct agg_slot {
    enum agg_state state;
    char *buffer;
    uint64_t origin; /* the buffer's start in packed space */
    struct coll_round round;
    struct coll_list list; /* what storage is asked for */
    struct adio_io *io;
    uint64_t since;        /* what the slot does, for the trace */
    MPI_Request *requests; /* two a client */
    int nrequests;
    struct coll_memory *memories; /* one a client */
    int nmemories;
};

/* The clients of a round that want anything, ordered by group. */
struct coll_pass {
    struct coll_wish **order;
    size_t n;
    size_t *heads; /* of a group: the first of each node */
};

struct coll_agg {
    struct coll_wish *clients; /* in the exchange */
    size_t nclients;
    struct coll_space space;
    struct coll_union set;
    uint64_t buffer_size;
    uint64_t nrounds;
    uint64_t next_round; /* to begin */
    uint64_t next_out;   /* READ: to deliver */
    struct agg_slot slots[2];
    struct coll_scratch scratch;
    struct coll_list clip;
    struct coll_pass pass;
    struct coll_round last; /* sent on failure */
    uint64_t lost_from;     /* WRITE: from here on bytes are not in storage */
    bool is_failed;
    bool is_last_sent;
};

/** Forget what was done, to begin again. */
void coll_agg_reset(struct coll_agg *agg);

/** Begin with the wishes of op->exchange. */
void coll_agg_start(struct coll_op *op);

/** Move on. @return true when every client has been dealt with. */
bool coll_agg_step(struct coll_op *op);

/* Within the aggregator: coll_agg.c calls, coll_agg_round.c does. */

/** Set the slot's round: its bounds and origin. */
void coll_round_begin(struct coll_agg *agg, struct agg_slot *slot);

/** List the union of what is wanted in slot->round. @return 0 or -ENOMEM. */
int coll_round_unite(struct coll_agg *agg, struct agg_slot *slot);

/** Send the round and its data (READ), or receive data for it (WRITE).
 *  @return 0 or -ENOMEM; what was posted before it stays posted. */
int coll_round_post(struct coll_op *op, struct agg_slot *slot);

/** Make room for so many clients. @return 0 or -ENOMEM. */
int coll_pass_reserve(struct coll_pass *pass, size_t nclients);
void coll_pass_fini(struct coll_pass *pass);

/** Bring clients that want the same together, nodes by nearness. */
void coll_pass_sort(struct coll_pass *pass);

/** Where the group that begins at `first` ends. */
size_t coll_pass_group_end(const struct coll_pass *pass, size_t first);

/** Say in rounds[slot] of each of a group from whom it has the data and to whom
 *  it passes it on; all are COLL_NO_RANK before. */
void coll_pass_lay(struct coll_pass *pass, size_t first, size_t end, int slot);

#endif
