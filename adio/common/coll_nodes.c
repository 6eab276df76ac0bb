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
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPREAD_BYTES (1u << 20) /* one aggregator more for each of these */
#define SINGLE_NODE_MAX 4       /* aggregators chosen on a single node */

/* The NUMA node of a device whose /sys directory says, or -1. */
static int numa_of_file(const char *path)
{
    FILE *file = fopen(path, "r");
    int numa = -1;

    if (file == NULL)
        return -1;
    if (fscanf(file, "%d", &numa) != 1)
        numa = -1;
    fclose(file);
    return numa;
}

/* That of the first network device which knows: fabrics before Ethernet. */
static int numa_of_nic(void)
{
    static const char *const patterns[] = {
        "/sys/class/infiniband/*/device/numa_node",
        "/sys/class/cxi/*/device/numa_node",
        "/sys/class/net/*/device/numa_node"};
    int numa = -1;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        glob_t found;

        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc && numa < 0; k++)
            numa = numa_of_file(found.gl_pathv[k]);
        globfree(&found);
    }
    return numa;
}

/* Where this rank runs now; a rank that is not bound may move on. */
static int numa_here(void)
{
    unsigned cpu, numa;

    return syscall(SYS_getcpu, &cpu, &numa, NULL) == 0 ? (int)numa : -1;
}

void coll_nodes_candidates(const int *numa, int n, int nic, int *out)
{
    int most = -1, nout = 0;
    int turn;

    for (int i = 0; i < n; i++)
        if (numa[i] > most)
            most = numa[i];
    /* Each turn takes the next rank of every NUMA node. */
    for (turn = 0; nout < NODE_CANDIDATES && turn < n; turn++)
        for (int k = 0; k < most + 2 && nout < NODE_CANDIDATES; k++) {
            int wanted = (nic + 1 + k) % (most + 2) - 1;
            int seen = 0;

            for (int i = 0; i < n; i++)
                if (numa[i] == wanted && seen++ == turn) {
                    out[nout++] = i;
                    break;
                }
        }
    for (int i = nout; i < NODE_CANDIDATES; i++)
        out[i] = out[i % nout];
}

/* Whom the others of this node know: candidates as ranks of `comm`. */
static int describe_node(struct coll_nodes *nodes, MPI_Comm local, int rank,
                         const char *list, struct coll_node *node)
{
    char host[MPI_MAX_PROCESSOR_NAME + 1];
    int chosen[NODE_CANDIDATES] = {0};
    int n = nodes->ranks_here;
    int mine[2] = {rank, numa_here()};
    int *all = mem_calloc((size_t)n, sizeof(mine));
    int *numa = mem_calloc((size_t)n, sizeof(*numa));
    int has_memory, length;

    nodes->locals = mem_calloc((size_t)n, sizeof(*nodes->locals));
    has_memory = all != NULL && numa != NULL && nodes->locals != NULL;
    PMPI_Allreduce(MPI_IN_PLACE, &has_memory, 1, MPI_INT, MPI_MIN, local);
    PMPI_Get_processor_name(host, &length);
    *node = (struct coll_node){.ranks = n,
                               .limit = coll_nodes_limit(list, host, n)};
    if (has_memory) {
        PMPI_Allgather(mine, 2, MPI_INT, all, 2, MPI_INT, local);
        for (int i = 0; i < n; i++) {
            nodes->locals[i] = all[2 * i];
            numa[i] = all[2 * i + 1];
        }
        coll_nodes_candidates(numa, n, numa_of_nic(), chosen);
        for (int i = 0; i < NODE_CANDIDATES; i++)
            node->candidates[i] = nodes->locals[chosen[i]];
    }
    free(all);
    free(numa);
    return has_memory ? 0 : -ENOMEM;
}

static int gather_nodes(struct coll_nodes *nodes, const struct coll_node *mine,
                        int rc, MPI_Comm local, MPI_Comm leaders)
{
    const int ints = sizeof(*mine) / sizeof(int32_t);
    int has_memory;
    int counts[2] = {0}; /* nodes, which is this one */

    if (leaders != MPI_COMM_NULL) {
        PMPI_Comm_size(leaders, &counts[0]);
        PMPI_Comm_rank(leaders, &counts[1]);
    }
    PMPI_Bcast(counts, 2, MPI_INT, 0, local);
    nodes->nnodes = counts[0];
    nodes->here = counts[1];
    nodes->nodes = mem_calloc((size_t)nodes->nnodes, sizeof(*nodes->nodes));
    has_memory = rc == 0 && nodes->nodes != NULL;
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

static MPI_Comm split_by_node(MPI_Comm comm)
{
    const char *pretended = getenv("CAPSTAN_NODE_RANKS");
    int n = pretended != NULL ? atoi(pretended) : 0;
    MPI_Comm local, part;
    int rank;

    PMPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
    if (n <= 0)
        return local;
    PMPI_Comm_rank(local, &rank);
    PMPI_Comm_split(local, rank / n, rank, &part);
    PMPI_Comm_free(&local);
    return part;
}

int coll_nodes_init(struct coll_nodes *nodes, MPI_Comm comm, const char *list)
{
    MPI_Comm local, leaders;
    struct coll_node mine;
    int rank, local_rank, cores, rc;

    *nodes = (struct coll_nodes){0};
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &nodes->size);
    local = split_by_node(comm);
    PMPI_Comm_rank(local, &local_rank);
    PMPI_Comm_size(local, &nodes->ranks_here);
    PMPI_Comm_split(comm, local_rank == 0 ? 0 : MPI_UNDEFINED, 0, &leaders);
    rc = describe_node(nodes, local, rank, list, &mine);
    cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    PMPI_Allreduce(&cores, &nodes->cores, 1, MPI_INT, MPI_MIN, comm);
    rc = gather_nodes(nodes, &mine, rc, local, leaders);
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
    free(nodes->locals);
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

/* The head of a node: the root on its own, else the first candidate there. */
static int head_of(const struct coll_nodes *nodes, int node, int root,
                   int root_node)
{
    return node == root_node ? root : nodes->nodes[node].candidates[0];
}

static int index_of(const struct coll_nodes *nodes, int rank)
{
    int i = 0;

    while (i < nodes->ranks_here - 1 && nodes->locals[i] != rank)
        i++;
    return i;
}

/*
 * A binomial tree of `size` numbers: v receives from v with its lowest bit
 * cleared and sends to v + m for each power of two m below that bit, the
 * largest subtree first. @return how many children.
 */
static int binomial(int number, int size, int *children)
{
    int64_t bit = 1;
    int n = 0;

    while (bit < size && (number & bit) == 0)
        bit *= 2;
    while ((bit /= 2) > 0)
        if (number + bit < size)
            children[n++] = (int)(number + bit);
    return n;
}

static void lay_between(const struct coll_nodes *nodes, int root, int root_node,
                        struct coll_place *place)
{
    int n = nodes->nnodes;
    int number = (nodes->here - root_node + n) % n;

    place->nchildren = binomial(number, n, place->children);
    for (int i = 0; i < place->nchildren; i++)
        place->children[i] = head_of(
            nodes, (place->children[i] + root_node) % n, root, root_node);
    if (number > 0)
        place->parent = head_of(
            nodes, ((number & (number - 1)) + root_node) % n, root, root_node);
}

void coll_nodes_tree(const struct coll_nodes *nodes, int rank, int root,
                     int root_node, struct coll_place *place_out)
{
    int n = nodes->ranks_here;
    int head = index_of(nodes, head_of(nodes, nodes->here, root, root_node));
    int number = (index_of(nodes, rank) - head + n) % n;
    int *children;

    *place_out = (struct coll_place){.parent = -1};
    if (number == 0)
        lay_between(nodes, root, root_node, place_out);
    else
        place_out->parent = nodes->locals[((number & (number - 1)) + head) % n];
    children = place_out->children + place_out->nchildren;
    n = binomial(number, n, children);
    for (int i = 0; i < n; i++)
        children[i] = nodes->locals[(children[i] + head) % nodes->ranks_here];
    place_out->nchildren += n;
}
