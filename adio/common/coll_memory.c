/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages go straight from and to the memory that runs name, the user's or a
 * collective buffer: one block is (address, bytes, MPI_BYTE), anything else a
 * struct of vectors over absolute addresses. Nothing is packed by hand.
 *
 * Possible failure modes: no memory. After coll_scratch_reserve(n) a list of n
 * runs cannot fail for it on our side.
 */
#include "adio/common/coll_runs.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

int coll_scratch_reserve(struct coll_scratch *scratch, size_t n)
{
    void *p;

    if (coll_list_reserve(&scratch->list, n) != 0)
        return -ENOMEM;
    n = scratch->list.room;
    if (n <= scratch->room)
        return 0;
    p = mem_grow(scratch->lengths, n, sizeof(*scratch->lengths));
    if (p == NULL)
        return -ENOMEM;
    scratch->lengths = p;
    p = mem_grow(scratch->displacements, n, sizeof(*scratch->displacements));
    if (p == NULL)
        return -ENOMEM;
    scratch->displacements = p;
    p = mem_grow(scratch->types, n, sizeof(MPI_Datatype));
    if (p == NULL)
        return -ENOMEM;
    scratch->types = p;
    scratch->room = n;
    return 0;
}

void coll_scratch_fini(struct coll_scratch *scratch)
{
    coll_list_fini(&scratch->list);
    free(scratch->lengths);
    free(scratch->displacements);
    free(scratch->types);
    *scratch = (struct coll_scratch){0};
}

/*
 * Single bytes, each before the one that came before it. Open MPI 4.1 takes an
 * hvector of bytes of stride -1 for one of stride 1, so the vector is made of
 * pairs, and of the byte that is left of an odd number.
 */
static MPI_Datatype backward_bytes(uint64_t count)
{
    MPI_Aint in_pair[2] = {0, -1};
    MPI_Aint places[2] = {0, -(MPI_Aint)(count - 1)};
    int lengths[2] = {1, count % 2 != 0};
    MPI_Datatype types[2] = {MPI_DATATYPE_NULL, MPI_BYTE};
    MPI_Datatype pair, type;

    PMPI_Type_create_hindexed_block(2, 1, in_pair, MPI_BYTE, &pair);
    PMPI_Type_create_hvector((int)(count / 2), 1, -2, pair, &types[0]);
    PMPI_Type_create_struct(2, lengths, places, types, &type);
    PMPI_Type_free(&types[0]);
    PMPI_Type_free(&pair);
    return type;
}

static MPI_Datatype vector(const struct run *run)
{
    MPI_Datatype type;

    if (run->length == 1 && run->mem_stride == -1)
        return backward_bytes(run->count);
    PMPI_Type_create_hvector((int)run->count, (int)run->length,
                             (MPI_Aint)run->mem_stride, MPI_BYTE, &type);
    return type;
}

static void describe(struct coll_scratch *scratch, size_t i)
{
    const struct run *run = &scratch->list.runs[i];

    assert(run->length <= COLL_PART_MAX && run->count <= COLL_PART_MAX);
    scratch->displacements[i] = (MPI_Aint)run->mem;
    if (run->count == 1) {
        scratch->lengths[i] = (int)run->length;
        scratch->types[i] = MPI_BYTE;
        return;
    }
    scratch->lengths[i] = 1;
    scratch->types[i] = vector(run);
}

int coll_memory_make(struct coll_scratch *scratch, struct coll_memory *out)
{
    struct coll_list *list = &scratch->list;
    size_t i;

    *out = (struct coll_memory){.type = MPI_BYTE};
    if (list->n == 0)
        return 0;
    if (list->n == 1 && list->runs[0].count == 1) {
        assert(list->runs[0].length <= COLL_PART_MAX);
        out->base = (void *)(uintptr_t)list->runs[0].mem;
        out->count = (int)list->runs[0].length;
        return 0;
    }
    if (coll_scratch_reserve(scratch, list->n) != 0)
        return -ENOMEM;
    for (i = 0; i < list->n; i++)
        describe(scratch, i);
    PMPI_Type_create_struct((int)list->n, scratch->lengths,
                            scratch->displacements, scratch->types, &out->type);
    PMPI_Type_commit(&out->type);
    for (i = 0; i < list->n; i++)
        if (scratch->types[i] != MPI_BYTE)
            PMPI_Type_free(&scratch->types[i]);
    out->base = MPI_BOTTOM;
    out->count = 1;
    out->is_derived = true;
    return 0;
}

void coll_memory_free(struct coll_memory *memory)
{
    if (memory->is_derived)
        PMPI_Type_free(&memory->type);
    memory->is_derived = false;
}
