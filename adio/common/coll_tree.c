/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive from the parent, then send to all children at once.
 *
 * Possible failure modes: none of its own.
 */
#include "adio/common/coll_tree.h"

void coll_tree_init(struct coll_tree *tree)
{
    *tree = (struct coll_tree){.from = MPI_REQUEST_NULL, .is_forwarded = true};
}

void coll_tree_start(struct coll_tree *tree, MPI_Comm comm, int tag,
                     const struct coll_place *place,
                     const struct coll_memory *memory)
{
    tree->comm = comm;
    tree->tag = tag;
    tree->memory = *memory;
    tree->is_forwarded = false;
    tree->place = *place;
    if (place->parent >= 0)
        PMPI_Irecv(memory->base, memory->count, memory->type, place->parent,
                   tag, comm, &tree->from);
}

static void forward(struct coll_tree *tree)
{
    tree->is_forwarded = true;
    for (int i = 0; i < tree->place.nchildren; i++)
        PMPI_Isend(tree->memory.base, tree->memory.count, tree->memory.type,
                   tree->place.children[i], tree->tag, tree->comm,
                   &tree->to[i]);
}

bool coll_tree_step(struct coll_tree *tree)
{
    int flag;

    PMPI_Test(&tree->from, &flag, MPI_STATUS_IGNORE);
    if (!flag)
        return false;
    if (!tree->is_forwarded)
        forward(tree);
    PMPI_Testall(tree->place.nchildren, tree->to, &flag, MPI_STATUSES_IGNORE);
    if (!flag)
        return false;
    tree->place.nchildren = 0;
    coll_memory_free(&tree->memory);
    return true;
}
