/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random datatypes: each constructor of MPI, nested up to DEPTH times, each
 * level with gaps of its own.
 */
#include "random_type.h"

#include "mpi_test.h"

#define DEPTH 3
#define BLOCKS_MAX 4

struct maker {
    struct rng *rng;
    MPI_Datatype base;
    bool is_monotonic;
};

static MPI_Datatype make(const struct maker *maker, int depth);

static MPI_Aint extent_of(MPI_Datatype type)
{
    MPI_Aint lb, extent;

    MPI_Type_get_extent(type, &lb, &extent);
    return extent;
}

static int below(const struct maker *maker, int bound)
{
    return (int)rng_below(maker->rng, (uint64_t)bound);
}

static MPI_Datatype make_vector(const struct maker *maker, MPI_Datatype child)
{
    int length = 1 + below(maker, 3);
    MPI_Datatype type;

    OK(MPI_Type_vector(1 + below(maker, 5), length, length + below(maker, 4),
                       child, &type));
    return type;
}

/* Blocks with gaps between; in a random order when they may go back. */
static MPI_Datatype make_indexed(const struct maker *maker, MPI_Datatype child)
{
    int lengths[BLOCKS_MAX], starts[BLOCKS_MAX];
    int nblocks = 1 + below(maker, BLOCKS_MAX), at = 0;
    MPI_Datatype type, resized;

    for (int i = 0; i < nblocks; i++) {
        at += below(maker, 3);
        starts[i] = at;
        lengths[i] = 1 + below(maker, 3);
        at += lengths[i];
    }
    for (int i = 0; i < nblocks && !maker->is_monotonic; i++) {
        int k = below(maker, nblocks), start = starts[i], length = lengths[i];

        starts[i] = starts[k];
        lengths[i] = lengths[k];
        starts[k] = start;
        lengths[k] = length;
    }
    OK(MPI_Type_indexed(nblocks, lengths, starts, child, &type));
    OK(MPI_Type_create_resized(type, 0, at * extent_of(child), &resized));
    MPI_Type_free(&type);
    return resized;
}

static MPI_Datatype make_struct(const struct maker *maker, MPI_Datatype child)
{
    MPI_Datatype types[2] = {child, make(maker, 1)};
    int lengths[2] = {1 + below(maker, 2), 1 + below(maker, 2)};
    MPI_Aint gap = below(maker, 4) * extent_of(maker->base);
    MPI_Aint starts[2] = {0, lengths[0] * extent_of(child) + gap};
    MPI_Datatype type, resized;

    OK(MPI_Type_create_struct(2, lengths, starts, types, &type));
    OK(MPI_Type_create_resized(
        type, 0, starts[1] + lengths[1] * extent_of(types[1]), &resized));
    MPI_Type_free(&type);
    MPI_Type_free(&types[1]);
    return resized;
}

static MPI_Datatype make_subarray(const struct maker *maker, MPI_Datatype child)
{
    int sizes[2] = {1 + below(maker, 4), 1 + below(maker, 4)};
    int subsizes[2] = {1 + below(maker, sizes[0]), 1 + below(maker, sizes[1])};
    int starts[2] = {below(maker, sizes[0] - subsizes[0] + 1),
                     below(maker, sizes[1] - subsizes[1] + 1)};
    MPI_Datatype type;

    OK(MPI_Type_create_subarray(2, sizes, subsizes, starts, MPI_ORDER_C, child,
                                &type));
    return type;
}

static MPI_Datatype wrap(const struct maker *maker, MPI_Datatype child)
{
    MPI_Datatype type;

    switch (below(maker, 6)) {
    case 0:
        OK(MPI_Type_contiguous(1 + below(maker, 4), child, &type));
        return type;
    case 1:
        return make_vector(maker, child);
    case 2:
        return make_indexed(maker, child);
    case 3:
        return make_struct(maker, child);
    case 4:
        return make_subarray(maker, child);
    default:
        OK(MPI_Type_create_resized(child, 0,
                                   extent_of(child) +
                                       below(maker, 4) * extent_of(maker->base),
                                   &type));
        return type;
    }
}

static MPI_Datatype make(const struct maker *maker, int depth)
{
    MPI_Datatype child, type;

    if (depth == 0) {
        OK(MPI_Type_dup(maker->base, &type));
        return type;
    }
    child = make(maker, below(maker, depth));
    type = wrap(maker, child);
    MPI_Type_free(&child);
    return type;
}

MPI_Datatype random_type(struct rng *rng, MPI_Datatype base, bool is_monotonic)
{
    struct maker maker = {rng, base, is_monotonic};
    MPI_Datatype type = make(&maker, below(&maker, DEPTH + 1));

    OK(MPI_Type_commit(&type));
    return type;
}
