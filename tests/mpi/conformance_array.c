/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Subarrays and darrays (MPI-3.1, 4.1.3 and 4.1.4): walk all elements of the
 * whole array in the order of memory, and keep those that belong to it.
 */
#include "conformance_type_make.h"

#include <stdio.h>
#include <stdlib.h>

#define DIMS_MAX 3

struct array {
    int ndims;
    int order;
    int sizes[DIMS_MAX];
    /* subarray */
    int subsizes[DIMS_MAX];
    int starts[DIMS_MAX];
    /* darray */
    int distribs[DIMS_MAX];
    int dargs[DIMS_MAX];
    int psizes[DIMS_MAX];
    int coords[DIMS_MAX];
};

typedef bool has_fn(const struct array *array, const int *index);

static int below(const struct type_rules *rules, int bound)
{
    return (int)rng_below(rules->rng, (uint64_t)bound);
}

/* The index of the element at a place, the fastest dimension last or first. */
static void index_of(const struct array *array, int place, int *index)
{
    for (int i = 0; i < array->ndims; i++) {
        int d = array->order == MPI_ORDER_C ? array->ndims - 1 - i : i;

        index[d] = place % array->sizes[d];
        place /= array->sizes[d];
    }
}

static void add_elements(struct ctype *type, const struct ctype *old,
                         const struct array *array, has_fn *has)
{
    int nelements = 1, index[DIMS_MAX];

    for (int d = 0; d < array->ndims; d++)
        nelements *= array->sizes[d];
    for (int place = 0; place < nelements; place++) {
        index_of(array, place, index);
        if (has(array, index))
            type_add(type, old, place * old->extent);
    }
}

static char *list_text(const int *values, int n)
{
    char text[64] = "";
    int at = 0;

    for (int i = 0; i < n; i++)
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%d",
                       i > 0 ? "," : "", values[i]);
    return text_make("[%s]", text);
}

static bool is_in_subarray(const struct array *array, const int *index)
{
    for (int d = 0; d < array->ndims; d++)
        if (index[d] < array->starts[d] ||
            index[d] >= array->starts[d] + array->subsizes[d])
            return false;
    return true;
}

struct ctype *type_subarray(const struct type_rules *rules,
                            const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    struct array array = {.ndims = 1 + below(rules, DIMS_MAX),
                          .order = below(rules, 2) ? MPI_ORDER_C
                                                   : MPI_ORDER_FORTRAN};
    char *sizes, *subsizes, *starts, *text;

    for (int d = 0; d < array.ndims; d++) {
        array.sizes[d] = 1 + below(rules, 5);
        array.subsizes[d] = 1 + below(rules, array.sizes[d]);
        array.starts[d] = below(rules, array.sizes[d] - array.subsizes[d] + 1);
    }
    type_must(MPI_Type_create_subarray(array.ndims, array.sizes, array.subsizes,
                                       array.starts, array.order, old->mpi,
                                       &type->mpi),
              "subarray");
    add_elements(type, old, &array, is_in_subarray);
    sizes = list_text(array.sizes, array.ndims);
    subsizes = list_text(array.subsizes, array.ndims);
    starts = list_text(array.starts, array.ndims);
    text = text_make("subarray(%s, %s, %s, %s, %s)", sizes, subsizes, starts,
                     array.order == MPI_ORDER_C ? "C" : "FORTRAN", old->text);
    free(sizes);
    free(subsizes);
    free(starts);
    return type_finish(type, text);
}

/* Who owns an index of a dimension. */
static int owner(const struct array *array, int d, int index)
{
    int size = array->sizes[d], nprocs = array->psizes[d];
    int block = array->dargs[d];

    switch (array->distribs[d]) {
    case MPI_DISTRIBUTE_BLOCK:
        if (block == MPI_DISTRIBUTE_DFLT_DARG)
            block = (size + nprocs - 1) / nprocs;
        return index / block;
    case MPI_DISTRIBUTE_CYCLIC:
        if (block == MPI_DISTRIBUTE_DFLT_DARG)
            block = 1;
        return index / block % nprocs;
    default:
        return 0;
    }
}

static bool is_in_darray(const struct array *array, const int *index)
{
    for (int d = 0; d < array->ndims; d++)
        if (owner(array, d, index[d]) != array->coords[d])
            return false;
    return true;
}

static void choose_distribution(const struct type_rules *rules,
                                struct array *array, int d)
{
    static const int kinds[] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC,
                                MPI_DISTRIBUTE_NONE};
    int least;

    array->sizes[d] = 1 + below(rules, 9);
    array->distribs[d] = kinds[below(rules, 3)];
    array->psizes[d] = 1;
    array->dargs[d] = MPI_DISTRIBUTE_DFLT_DARG;
    if (array->distribs[d] == MPI_DISTRIBUTE_NONE)
        return;
    array->psizes[d] = 1 + below(rules, 3);
    least = (array->sizes[d] + array->psizes[d] - 1) / array->psizes[d];
    if (array->distribs[d] == MPI_DISTRIBUTE_BLOCK && below(rules, 2))
        array->dargs[d] = least + below(rules, 2);
    else if (array->distribs[d] == MPI_DISTRIBUTE_CYCLIC && below(rules, 2))
        array->dargs[d] = 1 + below(rules, 3);
}

struct ctype *type_darray(const struct type_rules *rules,
                          const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    struct array array = {.ndims = 1 + below(rules, 2),
                          .order = below(rules, 2) ? MPI_ORDER_C
                                                   : MPI_ORDER_FORTRAN};
    int nprocs = 1, rank = 0, rc;
    char *sizes, *grid, *coords, *text;

    for (int d = 0; d < array.ndims; d++) {
        choose_distribution(rules, &array, d);
        array.coords[d] = below(rules, array.psizes[d]);
        nprocs *= array.psizes[d];
        rank = rank * array.psizes[d] + array.coords[d];
    }
    add_elements(type, old, &array, is_in_darray);
    sizes = list_text(array.sizes, array.ndims);
    grid = list_text(array.psizes, array.ndims);
    coords = list_text(array.coords, array.ndims);
    text = text_make("darray(%s, %s%s, args %d %d, at %s of %s, %s, %s)", sizes,
                     array.distribs[0] == MPI_DISTRIBUTE_BLOCK    ? "block"
                     : array.distribs[0] == MPI_DISTRIBUTE_CYCLIC ? "cyclic"
                                                                  : "none",
                     array.ndims == 1                             ? ""
                     : array.distribs[1] == MPI_DISTRIBUTE_BLOCK  ? " block"
                     : array.distribs[1] == MPI_DISTRIBUTE_CYCLIC ? " cyclic"
                                                                  : " none",
                     array.dargs[0], array.dargs[1], coords, grid,
                     array.order == MPI_ORDER_C ? "C" : "FORTRAN", old->text);
    rc = MPI_Type_create_darray(nprocs, rank, array.ndims, array.sizes,
                                array.distribs, array.dargs, array.psizes,
                                array.order, old->mpi, &type->mpi);
    type_must(rc, text);
    free(sizes);
    free(grid);
    free(coords);
    return type_finish(type, text);
}
