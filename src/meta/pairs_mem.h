/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sorted set of key-value pairs in memory. A pair without a value is a
 * tombstone: it says that the key is deleted.
 *
 * Units    bytes; keys are ordered as memcmp orders them.
 * Threads  one owner thread.
 * Failure  -ENOMEM, with the set as it was.
 */
#ifndef CAPSTAN_META_PAIRS_MEM_H
#define CAPSTAN_META_PAIRS_MEM_H

#include <stdbool.h>
#include <stddef.h>

struct pair {
    size_t key_len;
    size_t value_len;
    bool is_tombstone;
    char bytes[]; /* key, then value */
};

struct pairs {
    struct pair **list;
    size_t n;
    size_t room;
};

/** Compare two keys. @return below, equal to or above 0. */
int pairs_compare(const void *a, size_t a_len, const void *b, size_t b_len);

/** A new pair; value NULL makes a tombstone. @return NULL: no memory. */
struct pair *pair_create(const void *key, size_t key_len, const void *value,
                         size_t value_len);

/** The place of the first key that is `key` or above. */
size_t pairs_slot(const struct pairs *pairs, const void *key, size_t key_len);

/** The pair with this key, or NULL. */
struct pair *pairs_find(const struct pairs *pairs, const void *key,
                        size_t key_len);

/** See that the next n insertions find room. @return 0 or -ENOMEM. */
int pairs_reserve(struct pairs *pairs, size_t n);

/** Put a pair in; there must be room. Takes it.
 *  @return the pair that had its key, now the caller's, or NULL. */
struct pair *pairs_exchange(struct pairs *pairs, struct pair *pair);

/** Take out the pair with this key; it is the caller's. NULL: none. */
struct pair *pairs_take(struct pairs *pairs, const void *key, size_t key_len);

/** Free every pair; the set is empty then. A zeroed set is an empty one. */
void pairs_clear(struct pairs *pairs);

#endif
