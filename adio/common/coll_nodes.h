/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ranks share a node, and which of them aggregate.
 *
 * Aggregator i lives on node i % nodes, so that a few of them already spread
 * over the machine. On each node the first NODE_CANDIDATES, evenly spaced by
 * local rank, may serve: memory follows nodes, not ranks.
 *
 * With cb_config_list (ROMIO's "host:n,other,*:n"; "*" for n: all of the host,
 * none: one, "*" for host: every host not named before) only the hosts it
 * names serve, each with so many ranks at most.
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
    int32_t limit; /* of cb_config_list: ranks that may serve */
    int32_t candidates[NODE_CANDIDATES];
};

struct coll_nodes {
    int size; /* of the communicator */
    int nnodes;
    int cores; /* of the smallest node */
    int ranks_here; /* on this rank's node */
    struct coll_node *nodes;
    int *listed; /* with a cb_config_list: who serves, nodes in turn */
    int nlisted;
};

/** Find the nodes. Collective, blocking. @param list  cb_config_list, alike on
 *  all ranks; "" or one that leaves nobody: none. */
int coll_nodes_init(struct coll_nodes *nodes, MPI_Comm comm, const char *list);
void coll_nodes_fini(struct coll_nodes *nodes);

/** How many ranks of `ranks` a list lets a host use; ranks without a list. */
int coll_nodes_limit(const char *list, const char *host, int ranks);

/** List who serves by the limits of nodes. @return 0 or -ENOMEM. */
int coll_nodes_list(struct coll_nodes *nodes);

/** The most aggregators that there can be. */
uint32_t coll_nodes_most(const struct coll_nodes *nodes);

/**
 * How many aggregators to use.
 *
 * @param wanted    hint cb_nodes, 0: choose.
 * @param width     devices below the file, 0: unknown.
 * @param bytes     that all ranks want: a little is not spread when choosing.
 */
uint32_t coll_nodes_count(const struct coll_nodes *nodes, uint32_t wanted,
                          uint32_t width, uint64_t bytes);

/** The rank that is aggregator i of n. */
int coll_nodes_rank(const struct coll_nodes *nodes, uint32_t i, uint32_t n);

#endif
