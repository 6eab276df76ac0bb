/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random datatypes made of whole instances of a base type.
 *
 * Units    types start at 0 and stay within their extent, so instances laid one
 *          after the other do not overlap.
 * Threads  the caller's rng.
 * Failure  MPI_Abort.
 */
#ifndef CAPSTAN_TESTS_RANDOM_TYPE_H
#define CAPSTAN_TESTS_RANDOM_TYPE_H

#include "base/rng.h"

#include <mpi.h>
#include <stdbool.h>

/**
 * Make a committed type; the caller frees it.
 *
 * @param is_monotonic  displacements never go back, as a filetype needs it.
 */
MPI_Datatype random_type(struct rng *rng, MPI_Datatype base, bool is_monotonic);

#endif
