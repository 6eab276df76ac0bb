/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Placement hashes. They decide where records lie, so they never change:
 * XXH64 (specification 0.1.1) for names, SplitMix64's finalizer for numbers.
 *
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_BASE_HASH_H
#define CAPSTAN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/** Hash a name within its directory. */
uint64_t hash_name(uint64_t parent, const char *name, size_t len);

/** Hash an inode number. */
uint64_t hash_ino(uint64_t ino);

#endif
