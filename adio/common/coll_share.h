/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What share keeps while it runs: steps and their delivery (coll_share.c), and
 * reading ahead of them (coll_share_read.c).
 *
 * Units    bytes.
 * Threads  as coll.h.
 * Failure  a read that fails is in its step's header and so known to all.
 */
#ifndef CAPSTAN_ADIO_COLL_SHARE_H
#define CAPSTAN_ADIO_COLL_SHARE_H

#include "adio/common/coll_op.h"
#include "adio/common/coll_tree.h"

#define NO_PART SIZE_MAX

struct share_header {
    int64_t code;
    uint64_t bytes; /* that exist, from the step's start */
    int64_t node;   /* of the root */
};

enum ahead_state { AHEAD_FREE, AHEAD_READING, AHEAD_READY };

/* A step that this aggregator reads ahead of its delivery. */
struct ahead {
    enum ahead_state state;
    struct coll_list list;
    struct adio_io *io;
    struct share_header header;
    uint64_t round;
    uint64_t since; /* the read began, for the trace */
};

/* Reads one part, in rounds. */
struct share_reader {
    size_t part; /* or NO_PART */
    struct coll_cursor cursor;
    uint64_t nstarted;
    uint64_t nused;
    struct ahead ahead[2];
    struct adio_error error; /* of the read that failed */
};

enum { READER_OWN, READER_TAKEN, READERS };

/* A part, as all ranks see it. */
struct share_part {
    struct coll_cursor cursor; /* delivered so far */
    bool is_taken;             /* its first aggregator failed */
};

struct delivery {
    struct coll_tree tree;
    struct ahead *ahead; /* at its root: free for the next read when over */
    bool is_under_way;
    uint64_t step;
    uint64_t since; /* for the trace */
};

struct coll_share {
    struct coll_parts parts;
    struct share_part *states; /* one a part */
    uint64_t step_bytes;
    uint64_t nsteps;
    uint64_t step; /* whose header is next or under way */
    struct share_header header;
    MPI_Request header_request;
    bool is_header_posted;
    struct delivery deliveries[2];
    struct coll_scratch scratch;
    struct coll_list skipped;
    struct share_reader readers[READERS];
    int32_t is_ready_local;
    int32_t is_ready_all;
    MPI_Request ready_request;
    bool is_over; /* no step is posted any more */
};

/** How many bytes of a part its round `round` holds. */
uint64_t share_round_bytes(const struct coll_share *share, size_t part,
                           uint64_t round);

/** Make room for reads of `most` runs. @return 0 or -ENOMEM. */
int share_readers_reserve(struct coll_share *share, size_t most);
void share_readers_fini(struct coll_share *share);

/** Begin to read a part from its round `round` on. */
void share_reader_start(struct coll_share *share, int which, size_t part,
                        uint64_t round);

/** Move all reads on, and start what can be started. */
void share_readers_move(struct coll_op *op);

/** Is a read under way? */
bool share_is_reading(const struct coll_share *share);

/** The reader of a part on this rank, or NULL. */
struct share_reader *share_reader_of(struct coll_share *share, size_t part);

#endif
