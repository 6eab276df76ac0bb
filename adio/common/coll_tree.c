/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranks are numbered from the root: number v receives from v with its lowest
 * bit cleared and sends to v + m for each power of two m below that bit, the
 * largest subtree first.
 *
 * Possible failure modes: none of its own.
 */
#include "adio/common/coll_tree.h"

void coll_tree_init(struct coll_tree *tree)
{
    *tree = (struct coll_tree){.from = MPI_REQUEST_NULL, .is_forwarded = true};
}

static void find_children(struct coll_tree *tree, int number, int size,
                          int root)
{
    int64_t bit = 1;

    tree->nchildren = 0;
    while (bit < size && (number & bit) == 0)
        bit *= 2;
    while ((bit /= 2) > 0)
        if (number + bit < size)
            tree->children[tree->nchildren++] =
                (int)((number + bit + root) % size);
}

void coll_tree_start(struct coll_tree *tree, MPI_Comm comm, int tag, int root,
                     const struct coll_memory *memory)
{
    int size, rank, number;

    PMPI_Comm_size(comm, &size);
    PMPI_Comm_rank(comm, &rank);
    number = (rank - root + size) % size;
    tree->comm = comm;
    tree->tag = tag;
    tree->memory = *memory;
    tree->is_forwarded = false;
    find_children(tree, number, size, root);
    if (number == 0)
        return;
    PMPI_Irecv(memory->base, memory->count, memory->type,
               ((number & (number - 1)) + root) % size, tag, comm, &tree->from);
}

static void forward(struct coll_tree *tree)
{
    tree->is_forwarded = true;
    for (int i = 0; i < tree->nchildren; i++)
        PMPI_Isend(tree->memory.base, tree->memory.count, tree->memory.type,
                   tree->children[i], tree->tag, tree->comm, &tree->to[i]);
}

bool coll_tree_step(struct coll_tree *tree)
{
    int flag;

    PMPI_Test(&tree->from, &flag, MPI_STATUS_IGNORE);
    if (!flag)
        return false;
    if (!tree->is_forwarded)
        forward(tree);
    PMPI_Testall(tree->nchildren, tree->to, &flag, MPI_STATUSES_IGNORE);
    if (!flag)
        return false;
    tree->nchildren = 0;
    coll_memory_free(&tree->memory);
    return true;
}
