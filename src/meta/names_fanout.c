/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which targets hold the entries of a directory, and which one holds a record.
 *
 * Every client and server must answer alike, for ever: the choice follows from
 * the inode number and the list of targets alone. It is a sample without
 * repetition by Floyd's method (Bentley and Floyd, "A sample of brilliance",
 * CACM 30(9), 1987): FANOUT_MAX steps at any number of targets.
 *
 * Nothing here can fail.
 */
#include "meta/names.h"

#include "base/hash.h"
#include "base/rng.h"

#include <assert.h>

static bool has(const uint16_t *ids, unsigned n, uint16_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

unsigned names_fanout(uint64_t dir_ino, const uint16_t *targets,
                      unsigned ntargets, uint16_t fanout_out[FANOUT_MAX])
{
    unsigned n = ntargets < FANOUT_MAX ? ntargets : FANOUT_MAX;
    struct rng rng;
    uint16_t id;

    assert(ntargets > 0);
    rng_init(&rng, hash_ino(dir_ino));
    for (unsigned i = 0; i < n; i++) {
        unsigned last = ntargets - n + i;

        id = targets[rng_below(&rng, last + 1)];
        fanout_out[i] = has(fanout_out, i, id) ? targets[last] : id;
    }
    return n;
}

uint16_t names_owner(const struct name *name, const uint16_t *targets,
                     unsigned ntargets)
{
    uint16_t fanout[FANOUT_MAX];
    unsigned n = names_fanout(name->parent, targets, ntargets, fanout);

    return fanout[hash_name(name->parent, name->text, name->len) % n];
}
