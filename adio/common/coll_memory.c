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
    PMPI_Type_create_hvector((int)run->count, (int)run->length,
                             (MPI_Aint)run->mem_stride, MPI_BYTE,
                             &scratch->types[i]);
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
                            scratch->displacements, scratch->types,
                            &out->type);
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
