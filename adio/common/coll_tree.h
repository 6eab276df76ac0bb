/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message from one rank to all, forwarded along a tree (coll_nodes_tree).
 *
 * Why not MPI_Ibcast: Open MPI 4 and 5 cut a large one into segments of 16 KiB
 * and advance one segment a progress call, which on busy cores costs a
 * scheduler's turn each, and send empty segments for a derived datatype. Here
 * the step is the segment.
 *
 * Units    bytes.
 * Threads  as coll.h.
 * Failure  none.
 */
#ifndef CAPSTAN_ADIO_COLL_TREE_H
#define CAPSTAN_ADIO_COLL_TREE_H

#include "adio/common/coll_nodes.h"
#include "adio/common/coll_runs.h"

struct coll_tree {
    MPI_Comm comm;
    int tag;
    struct coll_memory memory; /* owned: freed when it is over */
    MPI_Request from;
    struct coll_place place;
    MPI_Request to[NODE_CHILDREN_MAX];
    bool is_forwarded;
};

/** A tree that is over. */
void coll_tree_init(struct coll_tree *tree);

/**
 * Start. Two trees with one tag must follow each other on every rank.
 *
 * @param memory  what to send at the root, where to receive elsewhere; taken.
 */
void coll_tree_start(struct coll_tree *tree, MPI_Comm comm, int tag,
                     const struct coll_place *place,
                     const struct coll_memory *memory);

/** Move on. @return true when received and passed on (or never started). */
bool coll_tree_step(struct coll_tree *tree);

#endif
