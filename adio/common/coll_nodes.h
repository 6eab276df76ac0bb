/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ranks share a node, and which of them aggregate.
 *
 * Aggregator i lives on node i % nodes, so that a few of them already spread
 * over the machine. On each node NODE_CANDIDATES ranks may serve: memory
 * follows nodes, not ranks.
 *
 * With cb_config_list (ROMIO's "host:n,other,*:n"; "*" for n: all of the host,
 * none: one, "*" for host: every host not named before) only the hosts it
 * names serve, each with so many ranks at most.
 *
 * Within a node candidates take turns by NUMA node, beginning with that of the
 * network card, so that aggregators sit near it and do not share one memory.
 *
 * CAPSTAN_NODE_RANKS=n pretends that every n ranks of a machine are a node of
 * their own: to test on one machine what happens between several.
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
#define NODE_CHILDREN_MAX 62 /* twice log2 of the most ranks MPI can number */

struct coll_node {
    int32_t ranks; /* on this node */
    int32_t limit; /* of cb_config_list: ranks that may serve */
    int32_t candidates[NODE_CANDIDATES];
};

struct coll_nodes {
    int size; /* of the communicator */
    int nnodes;
    int cores;      /* of the smallest node */
    int here;       /* index of this rank's node */
    int ranks_here; /* on this rank's node */
    int *locals;    /* which ones, ascending */
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

/* Where a rank stands when one rank's bytes go to all. */
struct coll_place {
    int parent; /* -1: the root */
    int children[NODE_CHILDREN_MAX];
    int nchildren;
};

/**
 * Lay a tree over all ranks: from the root to one rank of every other node
 * (its first candidate), then within nodes, a binomial tree each. So bytes
 * enter a node once.
 *
 * @param root_node  the root's node, for only its own ranks know it.
 */
void coll_nodes_tree(const struct coll_nodes *nodes, int rank, int root,
                     int root_node, struct coll_place *place_out);

/**
 * Choose who may serve on a node: ranks take turns by NUMA node, from `nic` on.
 *
 * @param numa   of each local rank, -1: unknown, which counts as a node too.
 * @param out    NODE_CANDIDATES indices into numa; repeated when n is less.
 */
void coll_nodes_candidates(const int *numa, int n, int nic, int *out);

/** The rank that is aggregator i of n. */
int coll_nodes_rank(const struct coll_nodes *nodes, uint32_t i, uint32_t n);

#endif
