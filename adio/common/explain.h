/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the last collective did and why, as keys and values for
 * MPI_File_get_info and for the report at close.
 *
 * Units    bytes, or plain counts.
 * Threads  pure.
 * Failure  none.
 */
#ifndef CAPSTAN_ADIO_EXPLAIN_H
#define CAPSTAN_ADIO_EXPLAIN_H

#include "adio/common/adio.h"

#include <stddef.h>

#define EXPLAIN_VALUE_MAX 256

/** How many keys there are; their names are explain_key(0) and so on. */
size_t explain_count(void);
const char *explain_key(size_t i);

/** Print value i into value[EXPLAIN_VALUE_MAX]. */
void explain_print(const struct adio_explain *explain, size_t i, char *value);

/** Would value i be printed alike? */
bool explain_is_same(const struct adio_explain *a, const struct adio_explain *b,
                     size_t i);

/**
 * Print the summary of a file on stderr: totals over all ranks, on rank 0.
 * Collective.
 */
void explain_report(struct adio_file *file);

#endif
