/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repeatable random numbers from one seed: SplitMix64 (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014).
 *
 * Threads  a generator belongs to one thread.
 * Failure  none. Not for secrets.
 */
#ifndef CAPSTAN_BASE_RNG_H
#define CAPSTAN_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/** SplitMix64's finalizer: a bijection that spreads nearby values apart. */
static inline uint64_t rng_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static inline void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

static inline uint64_t rng_next(struct rng *rng)
{
    return rng_mix(rng->state += 0x9e3779b97f4a7c15ull);
}

/** A number in 0 .. bound - 1; bound must not be 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}

/** True in `percent` of 100 calls. */
static inline bool rng_chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

#endif
