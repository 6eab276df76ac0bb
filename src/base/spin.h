/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does it pay to spin before sleeping? That depends on how long waits are just
 * now, so each wait tells how it ended: waits that a spin outlasts are followed
 * by spins, and those that it does not by sleep at once. Spinning that never
 * catches anything takes the processor from whoever is waited for.
 *
 * Units    waits.
 * Threads  one owner.
 * Failure  none.
 */
#ifndef CAPSTAN_SPIN_H
#define CAPSTAN_SPIN_H

#include <stdbool.h>

#define SPIN_TRUST_MAX 8u
#define SPIN_TRY_EVERY 32u /* waits, of which one tries a spin */

struct spin {
    unsigned doubt; /* SPIN_TRUST_MAX: no spin has caught anything of late */
    unsigned skipped;
};

/** Is the wait that begins now to spin first? */
static inline bool spin_begin(struct spin *spin)
{
    if (spin->doubt < SPIN_TRUST_MAX)
        return true;
    if (++spin->skipped < SPIN_TRY_EVERY)
        return false;
    spin->skipped = 0;
    return true;
}

/** A wait that did spin is over: did the spin catch what ended it? */
static inline void spin_end(struct spin *spin, bool is_caught)
{
    if (is_caught)
        spin->doubt /= 2;
    else if (spin->doubt < SPIN_TRUST_MAX)
        spin->doubt++;
}

#endif
