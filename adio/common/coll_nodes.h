/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ranks share a node, and which of them aggregate.
 *
 * Aggregator i lives on node i % nodes, so that a few of them already spread
 * over the machine. On each node the first NODE_CANDIDATES, evenly spaced by
 * local rank, may serve: memory follows nodes, not ranks.
 *
 * Units    ranks of the communicator that coll_nodes_init() was given.
 * Threads  read-only once made.
 * Failure  -ENOMEM, told only after this rank took part in every exchange.
 */
#ifndef CAPSTAN_ADIO_COLL_NODES_H
#define CAPSTAN_ADIO_COLL_NODES_H

#include <mpi.h>
#include <stdint.h>

#define NODE_CANDIDATES 8

struct coll_node {
    int32_t ranks; /* on this node */
    int32_t candidates[NODE_CANDIDATES];
};

struct coll_nodes {
    int size; /* of the communicator */
    int nnodes;
    int cores; /* of the smallest node */
    struct coll_node *nodes;
};

/** Find the nodes. Collective, blocking. */
int coll_nodes_init(struct coll_nodes *nodes, MPI_Comm comm);
void coll_nodes_fini(struct coll_nodes *nodes);

/**
 * How many aggregators to use.
 *
 * @param wanted    hint cb_nodes, 0: choose.
 * @param per_node  limit from cb_config_list, 0: none.
 * @param width     devices below the file, 0: unknown.
 * @param bytes     that all ranks want: a little is not spread when choosing.
 */
uint32_t coll_nodes_count(const struct coll_nodes *nodes, uint32_t wanted,
                          uint32_t per_node, uint32_t width, uint64_t bytes);

/** The rank that is aggregator i of n. */
int coll_nodes_rank(const struct coll_nodes *nodes, uint32_t i, uint32_t n);

#endif
