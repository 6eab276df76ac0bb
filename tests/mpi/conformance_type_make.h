/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How constructors put a type together: the MPI type first (type->mpi), then
 * type_add() for each copy of the old type in the order of the typemap, then
 * type_finish().
 */
#ifndef CAPSTAN_TESTS_CONFORMANCE_TYPE_MAKE_H
#define CAPSTAN_TESTS_CONFORMANCE_TYPE_MAKE_H

#include "conformance_type.h"

/** End the program when rc is an error. */
void type_must(int rc, const char *what);

/** One copy of old, moved by `at` bytes. */
void type_add(struct ctype *type, const struct ctype *old, int64_t at);

/** count copies, an extent apart, from `at` on. */
void type_add_block(struct ctype *type, const struct ctype *old, int64_t at,
                    int count);

/** Commit and ask for the bounds; takes text. @return type */
struct ctype *type_finish(struct ctype *type, char *text);

/** Subarrays and darrays: conformance_array.c */
struct ctype *type_subarray(const struct type_rules *rules,
                            const struct ctype *old);
struct ctype *type_darray(const struct type_rules *rules,
                          const struct ctype *old);

#endif
