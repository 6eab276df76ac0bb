/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sums of an object as they lie in its second part: a header, then one
 * sum of 32 bits for each block of 4 KiB. doc/on-disk-format.md is the
 * authority.
 *
 * A block's sum covers 4096 bytes, zeros where the object ends before, and is
 * kept as the difference (xor) to the sum of a block of zeros, so that a hole
 * of the sums says what a hole of the object holds.
 *
 * Units    bytes, blocks of 4 KiB, units of 256 sums, regions of 64 MiB.
 * Threads  pure; any.
 * Failure  what was read is checked; nothing is set when it is refused.
 */
#ifndef CAPSTAN_STORE_SUMS_FORMAT_H
#define CAPSTAN_STORE_SUMS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUMS_BLOCK 4096u
#define SUMS_ZERO_CRC 0x98f94189u /* CRC32C of a block of zeros */
#define SUMS_UNIT_BLOCKS 256u
#define SUMS_UNIT_DATA ((uint64_t)SUMS_BLOCK * SUMS_UNIT_BLOCKS)
#define SUMS_UNIT_SIZE (4u * SUMS_UNIT_BLOCKS)
#define SUMS_FIRST 4096u /* where the sums begin */
#define SUMS_HEADER_SIZE 512u
#define SUMS_REGION_SHIFT 26
#define SUMS_REGIONS 1024u /* the last is all that follows */
#define SUMS_WORDS (SUMS_REGIONS / 64)
#define SUMS_BOOTS_MAX 56u

/* One bit a region. */
struct sums_regions {
    uint64_t word[SUMS_WORDS];
};

struct sums_header {
    uint64_t ino;
    uint64_t boot;             /* of the process that wrote it */
    struct sums_regions dirty; /* written to, perhaps not summed or synced */
    struct sums_regions stale; /* of them: to be summed again before use */
};

/* Processes that ended in order: their sums may be trusted on this machine
 * until it starts anew. */
struct sums_boots {
    uint64_t machine;
    uint32_t count;
    uint64_t boot[SUMS_BOOTS_MAX];
};

static inline unsigned sums_region(uint64_t offset)
{
    uint64_t region = offset >> SUMS_REGION_SHIFT;

    return region < SUMS_REGIONS ? (unsigned)region : SUMS_REGIONS - 1;
}

static inline bool sums_region_test(const struct sums_regions *regions,
                                    unsigned region)
{
    return regions->word[region / 64] >> region % 64 & 1;
}

/** Set the bits of the regions that hold [from, to). */
void sums_regions_add(struct sums_regions *regions, uint64_t from, uint64_t to);

/** Does one of the regions of [from, to) lack its bit? */
bool sums_regions_lack(const struct sums_regions *regions, uint64_t from,
                       uint64_t to);

/** The first region of [from, to) with its bit set, or -1. */
int sums_regions_find(const struct sums_regions *regions, uint64_t from,
                      uint64_t to);

bool sums_regions_any(const struct sums_regions *regions);

/** Write SUMS_HEADER_SIZE bytes. */
void sums_header_encode(const struct sums_header *header, void *at);

/** @return 0, -ERR_CORRUPT (no header of this object) or -ENOTSUP (one of
 *  another format). */
int sums_header_decode(const void *at, size_t len, uint64_t ino,
                       struct sums_header *header_out);

/** Write SUMS_HEADER_SIZE bytes. */
void sums_boots_encode(const struct sums_boots *boots, void *at);

/** @return 0, -ERR_CORRUPT or -ENOTSUP (of another format). */
int sums_boots_decode(const void *at, size_t len, struct sums_boots *boots_out);

/** The kept form of the sum of a block of which `len` bytes are given and the
 *  rest are zeros. */
uint32_t sums_of_block(const void *bytes, size_t len);

#endif
