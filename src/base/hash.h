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

/**
 * Where an entry stands in the listing of its directory: 60 bits, at least 16.
 * Two names of one directory that share a place are as good as impossible.
 */
static inline uint64_t hash_place(uint64_t hash)
{
    uint64_t place = hash >> 4;

    return place < 16 ? place + 16 : place;
}

/** Hash an inode number. */
uint64_t hash_ino(uint64_t ino);

#endif
