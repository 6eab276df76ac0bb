/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#include "base/rng.h"

#include <xxhash.h>

uint64_t hash_name(uint64_t parent, const char *name, size_t len)
{
    return XXH64(name, len, parent);
}

uint64_t hash_ino(uint64_t ino)
{
    return rng_mix(ino);
}
