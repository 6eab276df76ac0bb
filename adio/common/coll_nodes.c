/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Once a file: a communicator a node (MPI_COMM_TYPE_SHARED), its ranks to its
 * first rank, the first ranks among themselves, and the result back down.
 *
 * Possible failure modes: no memory. A rank without memory still passes every
 * collective, with small arrays of its own stack where it must.
 */
#include "adio/common/coll_nodes.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPREAD_BYTES (1u << 20) /* one aggregator more for each of these */
#define SINGLE_NODE_MAX 4       /* aggregators chosen on a single node */

/* The candidates of this node: local ranks 0, n/8, 2n/8 ... as global ranks. */
static void describe_node(MPI_Comm local, int rank, const char *list,
                          struct coll_node *node)
{
    char host[MPI_MAX_PROCESSOR_NAME + 1];
    int length;
    int size, me, i;
    int32_t mine[NODE_CANDIDATES];

    PMPI_Comm_size(local, &size);
    PMPI_Comm_rank(local, &me);
    for (i = 0; i < NODE_CANDIDATES; i++) {
        int who = size <= NODE_CANDIDATES
                      ? i % size
                      : (int)((int64_t)i * size / NODE_CANDIDATES);

        mine[i] = who == me ? rank : -1;
    }
    node->ranks = size;
    PMPI_Get_processor_name(host, &length);
    node->limit = coll_nodes_limit(list, host, size);
    PMPI_Allreduce(mine, node->candidates, NODE_CANDIDATES, MPI_INT32_T,
                   MPI_MAX, local);
}

static int gather_nodes(struct coll_nodes *nodes, const struct coll_node *mine,
                        MPI_Comm local, MPI_Comm leaders)
{
    const int ints = sizeof(*mine) / sizeof(int32_t);
    int has_memory;

    if (leaders != MPI_COMM_NULL)
        PMPI_Comm_size(leaders, &nodes->nnodes);
    PMPI_Bcast(&nodes->nnodes, 1, MPI_INT, 0, local);
    nodes->nodes = mem_calloc((size_t)nodes->nnodes, sizeof(*nodes->nodes));
    has_memory = nodes->nodes != NULL;
    PMPI_Allreduce(MPI_IN_PLACE, &has_memory, 1, MPI_INT, MPI_MIN, local);
    if (leaders != MPI_COMM_NULL)
        PMPI_Allreduce(MPI_IN_PLACE, &has_memory, 1, MPI_INT, MPI_MIN, leaders);
    PMPI_Bcast(&has_memory, 1, MPI_INT, 0, local);
    if (!has_memory)
        return -ENOMEM;
    if (leaders != MPI_COMM_NULL)
        PMPI_Allgather(mine, ints, MPI_INT32_T, nodes->nodes, ints, MPI_INT32_T,
                       leaders);
    PMPI_Bcast(nodes->nodes, ints * nodes->nnodes, MPI_INT32_T, 0, local);
    return 0;
}

int coll_nodes_init(struct coll_nodes *nodes, MPI_Comm comm, const char *list)
{
    MPI_Comm local, leaders;
    struct coll_node mine;
    int rank, local_rank, cores, rc;

    *nodes = (struct coll_nodes){0};
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &nodes->size);
    PMPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
    PMPI_Comm_rank(local, &local_rank);
    PMPI_Comm_size(local, &nodes->ranks_here);
    PMPI_Comm_split(comm, local_rank == 0 ? 0 : MPI_UNDEFINED, 0, &leaders);
    describe_node(local, rank, list, &mine);
    cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    PMPI_Allreduce(&cores, &nodes->cores, 1, MPI_INT, MPI_MIN, comm);
    rc = gather_nodes(nodes, &mine, local, leaders);
    if (leaders != MPI_COMM_NULL)
        PMPI_Comm_free(&leaders);
    PMPI_Comm_free(&local);
    if (rc == 0 && *list != '\0')
        rc = coll_nodes_list(nodes);
    return rc;
}

/* Does a word of the list, up to its colon, name the host? ROMIO compares whole
 * names; a first label is taken too, for names come with and without domain. */
static bool names_host(const char *word, size_t length, const char *host)
{
    if (length == 1 && *word == '*')
        return true;
    return strncmp(word, host, length) == 0 &&
           (host[length] == '\0' || host[length] == '.');
}

int coll_nodes_limit(const char *list, const char *host, int ranks)
{
    if (list[strspn(list, ", \t")] == '\0')
        return ranks;
    for (;;) {
        const char *word = list + strspn(list, ", \t");
        size_t all = strcspn(word, ", \t");
        size_t name = strcspn(word, ":, \t");
        long n = 1;

        if (all == 0)
            return 0;
        list = word + all;
        if (!names_host(word, name, host))
            continue;
        if (word[name] == ':')
            n = word[name + 1] == '*' ? ranks
                                      : strtol(word + name + 1, NULL, 10);
        if (n < 0)
            n = 0;
        return n < ranks ? (int)n : ranks;
    }
}

int coll_nodes_list(struct coll_nodes *nodes)
{
    size_t room = (size_t)nodes->nnodes * NODE_CANDIDATES;

    nodes->listed = mem_calloc(room, sizeof(*nodes->listed));
    if (nodes->listed == NULL)
        return -ENOMEM;
    for (int c = 0; c < NODE_CANDIDATES; c++)
        for (int i = 0; i < nodes->nnodes; i++)
            if (c < nodes->nodes[i].limit && c < nodes->nodes[i].ranks)
                nodes->listed[nodes->nlisted++] = nodes->nodes[i].candidates[c];
    if (nodes->nlisted > 0)
        return 0;
    free(nodes->listed); /* nobody left: as without a list */
    nodes->listed = NULL;
    return 0;
}

void coll_nodes_fini(struct coll_nodes *nodes)
{
    free(nodes->nodes);
    free(nodes->listed);
    *nodes = (struct coll_nodes){0};
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* coll_nodes_rank() never names a rank twice below. */
uint32_t coll_nodes_most(const struct coll_nodes *nodes)
{
    uint32_t fewest = UINT32_MAX;

    if (nodes->listed != NULL)
        return (uint32_t)nodes->nlisted;
    if (nodes->nnodes == 1)
        return (uint32_t)nodes->size;
    for (int i = 0; i < nodes->nnodes; i++)
        fewest = least(fewest, (uint32_t)nodes->nodes[i].ranks);
    fewest = least(fewest, NODE_CANDIDATES);
    return fewest * (uint32_t)nodes->nnodes;
}

static uint32_t choose(const struct coll_nodes *nodes, uint32_t width)
{
    uint32_t half = (uint32_t)nodes->cores / 2;

    if (nodes->nnodes == 1)
        return least(SINGLE_NODE_MAX, half > 2 ? half : 2);
    if (width > (uint32_t)nodes->nnodes) /* devices that one a node starves */
        return least(width, 2 * (uint32_t)nodes->nnodes);
    return (uint32_t)nodes->nnodes;
}

uint32_t coll_nodes_count(const struct coll_nodes *nodes, uint32_t wanted,
                          uint32_t width, uint64_t bytes)
{
    uint32_t limit = coll_nodes_most(nodes);
    uint64_t useful = bytes / SPREAD_BYTES + 1;

    if (wanted > 0)
        return least(wanted, limit);
    wanted = least(choose(nodes, width), limit);
    return useful < wanted ? (uint32_t)useful : wanted;
}

int coll_nodes_rank(const struct coll_nodes *nodes, uint32_t i, uint32_t n)
{
    uint32_t node = i % (uint32_t)nodes->nnodes;

    if (nodes->listed != NULL)
        return nodes->listed[i];
    if (nodes->nnodes == 1)
        return (int)((uint64_t)i * (uint32_t)nodes->size / n);
    return nodes->nodes[node].candidates[i / (uint32_t)nodes->nnodes];
}
