/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An array of pointers, sorted by key. An insertion moves the pointers behind
 * it: enough for the names of a simulated target.
 *
 * The only failure mode is want of memory.
 */
#include "meta/pairs_mem.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int pairs_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common == 0 ? 0 : memcmp(a, b, common);

    if (order != 0)
        return order;
    return (a_len > b_len) - (a_len < b_len);
}

struct pair *pair_create(const void *key, size_t key_len, const void *value,
                         size_t value_len)
{
    struct pair *pair = mem_calloc(1, sizeof(*pair) + key_len + value_len);

    if (pair == NULL)
        return NULL;
    pair->key_len = key_len;
    pair->is_tombstone = value == NULL;
    pair->value_len = value == NULL ? 0 : value_len;
    memcpy(pair->bytes, key, key_len);
    if (pair->value_len > 0)
        memcpy(pair->bytes + key_len, value, value_len);
    return pair;
}

size_t pairs_slot(const struct pairs *pairs, const void *key, size_t key_len)
{
    size_t low = 0, high = pairs->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct pair *pair = pairs->list[middle];

        if (pairs_compare(pair->bytes, pair->key_len, key, key_len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct pairs *pairs, size_t slot, const void *key,
                  size_t key_len)
{
    const struct pair *pair;

    if (slot == pairs->n)
        return false;
    pair = pairs->list[slot];
    return pairs_compare(pair->bytes, pair->key_len, key, key_len) == 0;
}

struct pair *pairs_find(const struct pairs *pairs, const void *key,
                        size_t key_len)
{
    size_t slot = pairs_slot(pairs, key, key_len);

    return is_at(pairs, slot, key, key_len) ? pairs->list[slot] : NULL;
}

int pairs_reserve(struct pairs *pairs, size_t n)
{
    size_t room = pairs->room == 0 ? 16 : pairs->room;
    struct pair **list;

    while (room < pairs->n + n)
        room *= 2;
    if (room == pairs->room)
        return 0;
    list = mem_grow(pairs->list, room, sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    pairs->list = list;
    pairs->room = room;
    return 0;
}

struct pair *pairs_exchange(struct pairs *pairs, struct pair *pair)
{
    size_t slot = pairs_slot(pairs, pair->bytes, pair->key_len);
    struct pair *old = NULL;

    if (is_at(pairs, slot, pair->bytes, pair->key_len)) {
        old = pairs->list[slot];
    } else {
        assert(pairs->n < pairs->room);
        memmove(&pairs->list[slot + 1], &pairs->list[slot],
                (pairs->n - slot) * sizeof(*pairs->list));
        pairs->n++;
    }
    pairs->list[slot] = pair;
    return old;
}

struct pair *pairs_take(struct pairs *pairs, const void *key, size_t key_len)
{
    size_t slot = pairs_slot(pairs, key, key_len);
    struct pair *pair;

    if (!is_at(pairs, slot, key, key_len))
        return NULL;
    pair = pairs->list[slot];
    pairs->n--;
    memmove(&pairs->list[slot], &pairs->list[slot + 1],
            (pairs->n - slot) * sizeof(*pairs->list));
    return pair;
}

void pairs_clear(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->n; i++)
        free(pairs->list[i]);
    free(pairs->list);
    memset(pairs, 0, sizeof(*pairs));
}
