/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shuffle without memory: a bijection of 0 .. n - 1 that is computed point by
 * point, so that no rank holds an order of all samples.
 *
 * A Feistel network of six rounds permutes the smallest even number of bits
 * that holds n; a result that is not below n is permuted again until it is
 * ("cycle walking": Black and Rogaway, Ciphers with Arbitrary Finite Domains,
 * CT-RSA 2002). As the domain is less than 4 n, that takes less than 4 turns on
 * average.
 *
 * Threads  read-only after perm_init(); any.
 * Failure  none. Not for secrets.
 */
#ifndef CAPSTAN_LOADER_PERM_H
#define CAPSTAN_LOADER_PERM_H

#include <stdint.h>

#define PERM_ROUNDS 6

struct perm {
    uint64_t n;
    unsigned half_bits;
    uint64_t keys[PERM_ROUNDS];
};

/** Make the permutation number `key` of n things; n is at least 1, at most
 *  2^62. */
void perm_init(struct perm *perm, uint64_t n, uint64_t key);

/** Where i goes; i must be below n. */
uint64_t perm_at(const struct perm *perm, uint64_t i);

#endif
