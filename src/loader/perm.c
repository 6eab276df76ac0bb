/* SPDX-License-Identifier: BSD-3-Clause */
#include "loader/perm.h"

#include "base/rng.h"

void perm_init(struct perm *perm, uint64_t n, uint64_t key)
{
    struct rng rng;

    perm->n = n;
    perm->half_bits = 1;
    while (perm->half_bits < 31 && n > (uint64_t)1 << (2 * perm->half_bits))
        perm->half_bits++;
    rng_init(&rng, key);
    for (unsigned i = 0; i < PERM_ROUNDS; i++)
        perm->keys[i] = rng_next(&rng);
}

static uint64_t feistel(const struct perm *perm, uint64_t x)
{
    uint64_t mask = ((uint64_t)1 << perm->half_bits) - 1;
    uint64_t left = x >> perm->half_bits, right = x & mask;

    for (unsigned i = 0; i < PERM_ROUNDS; i++) {
        uint64_t next = left ^ (rng_mix(right ^ perm->keys[i]) & mask);

        left = right;
        right = next;
    }
    return left << perm->half_bits | right;
}

uint64_t perm_at(const struct perm *perm, uint64_t i)
{
    do
        i = feistel(perm, i);
    while (i >= perm->n);
    return i;
}
