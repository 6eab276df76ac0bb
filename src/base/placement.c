/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/placement.h"

#include "base/hash.h"

#include <assert.h>

static unsigned fanout_count(unsigned n)
{
    return n < FANOUT_MAX ? n : FANOUT_MAX;
}

unsigned placement_fanout(uint64_t dir_ino, const uint16_t *targets, unsigned n,
                          uint16_t fanout_out[FANOUT_MAX])
{
    unsigned count = fanout_count(n);
    unsigned start, i;

    assert(n > 0);
    start = (unsigned)(hash_ino(dir_ino) % n);
    for (i = 0; i < count; i++)
        fanout_out[i] = targets[(start + i) % n];
    return count;
}

uint16_t placement_owner(uint64_t parent, const char *text, size_t len,
                         const uint16_t *targets, unsigned n)
{
    uint16_t fanout[FANOUT_MAX];
    unsigned count = placement_fanout(parent, targets, n, fanout);

    return fanout[hash_name(parent, text, len) % count];
}

void placement_columns(uint16_t owner, const uint16_t *targets, unsigned n,
                       unsigned width, uint16_t *columns_out)
{
    unsigned at = 0;

    assert(width >= 1 && width <= n);
    while (targets[at] != owner)
        at++;
    for (unsigned i = 0; i < width; i++)
        columns_out[i] = targets[(at + i) % n];
}
