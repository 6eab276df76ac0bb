/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Header and list of boots are one sector of 512 bytes each, which a device
 * writes whole or not at all; a sum over it tells what nobody wrote so.
 */
#include "store/sums_format.h"

#include "base/crc32c.h"
#include "base/err.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define HEADER_MAGIC 0x53504143u /* "CAPS" */
#define BOOTS_MAGIC 0x42504143u  /* "CAPB" */
#define FORMAT 1u

struct sector_head {
    uint32_t magic;
    uint32_t format;
    uint32_t check; /* CRC32C of the sector with zeros here */
    uint32_t count; /* boots */
};

struct header_sector {
    struct sector_head head;
    uint64_t ino;
    uint64_t boot;
    uint64_t dirty[SUMS_WORDS];
    uint64_t stale[SUMS_WORDS];
    uint8_t zeros[224];
};

struct boots_sector {
    struct sector_head head;
    uint64_t machine;
    uint64_t boot[SUMS_BOOTS_MAX];
    uint8_t zeros[40];
};

static_assert(sizeof(struct header_sector) == SUMS_HEADER_SIZE, "one sector");
static_assert(sizeof(struct boots_sector) == SUMS_HEADER_SIZE, "one sector");

void sums_regions_add(struct sums_regions *regions, uint64_t from, uint64_t to)
{
    for (unsigned i = sums_region(from); from < to && i <= sums_region(to - 1);
         i++)
        regions->word[i / 64] |= 1ull << i % 64;
}

bool sums_regions_lack(const struct sums_regions *regions, uint64_t from,
                       uint64_t to)
{
    for (unsigned i = sums_region(from); from < to && i <= sums_region(to - 1);
         i++)
        if (!sums_region_test(regions, i))
            return true;
    return false;
}

int sums_regions_find(const struct sums_regions *regions, uint64_t from,
                      uint64_t to)
{
    for (unsigned i = sums_region(from); from < to && i <= sums_region(to - 1);
         i++)
        if (sums_region_test(regions, i))
            return (int)i;
    return -1;
}

bool sums_regions_any(const struct sums_regions *regions)
{
    for (unsigned i = 0; i < SUMS_WORDS; i++)
        if (regions->word[i] != 0)
            return true;
    return false;
}

/* The sum of a sector, its own field taken as 0. */
static uint32_t sector_check(const void *at)
{
    struct sector_head head;
    uint32_t crc;

    memcpy(&head, at, sizeof(head));
    head.check = 0;
    crc = crc32c(0, &head, sizeof(head));
    return crc32c(crc, (const char *)at + sizeof(head),
                  SUMS_HEADER_SIZE - sizeof(head));
}

static void seal(struct sector_head *head, uint32_t magic, uint32_t count)
{
    head->magic = htole32(magic);
    head->format = htole32(FORMAT);
    head->count = htole32(count);
    head->check = 0;
    head->check = htole32(sector_check(head));
}

/* @return 0, -ERR_CORRUPT, or -ENOTSUP: whole, but of another format. */
static int open_seal(const void *at, size_t len, uint32_t magic)
{
    struct sector_head head;

    if (len < SUMS_HEADER_SIZE)
        return -ERR_CORRUPT;
    memcpy(&head, at, sizeof(head));
    if (le32toh(head.magic) != magic || le32toh(head.check) != sector_check(at))
        return -ERR_CORRUPT;
    return le32toh(head.format) == FORMAT ? 0 : -ENOTSUP;
}

void sums_header_encode(const struct sums_header *header, void *at)
{
    struct header_sector sector = {0};

    sector.ino = htole64(header->ino);
    sector.boot = htole64(header->boot);
    for (unsigned i = 0; i < SUMS_WORDS; i++) {
        sector.dirty[i] = htole64(header->dirty.word[i]);
        sector.stale[i] = htole64(header->stale.word[i]);
    }
    seal(&sector.head, HEADER_MAGIC, 0);
    memcpy(at, &sector, sizeof(sector));
}

int sums_header_decode(const void *at, size_t len, uint64_t ino,
                       struct sums_header *header_out)
{
    struct header_sector sector;
    int rc = open_seal(at, len, HEADER_MAGIC);

    if (rc != 0)
        return rc;
    memcpy(&sector, at, sizeof(sector));
    if (le64toh(sector.ino) != ino)
        return -ERR_CORRUPT;
    header_out->ino = ino;
    header_out->boot = le64toh(sector.boot);
    for (unsigned i = 0; i < SUMS_WORDS; i++) {
        header_out->dirty.word[i] = le64toh(sector.dirty[i]);
        header_out->stale.word[i] = le64toh(sector.stale[i]);
    }
    return 0;
}

void sums_boots_encode(const struct sums_boots *boots, void *at)
{
    struct boots_sector sector = {0};

    sector.machine = htole64(boots->machine);
    for (unsigned i = 0; i < boots->count; i++)
        sector.boot[i] = htole64(boots->boot[i]);
    seal(&sector.head, BOOTS_MAGIC, boots->count);
    memcpy(at, &sector, sizeof(sector));
}

int sums_boots_decode(const void *at, size_t len, struct sums_boots *boots_out)
{
    struct boots_sector sector;
    int rc = open_seal(at, len, BOOTS_MAGIC);

    if (rc != 0)
        return rc;
    memcpy(&sector, at, sizeof(sector));
    if (le32toh(sector.head.count) > SUMS_BOOTS_MAX)
        return -ERR_CORRUPT;
    boots_out->machine = le64toh(sector.machine);
    boots_out->count = le32toh(sector.head.count);
    for (unsigned i = 0; i < SUMS_BOOTS_MAX; i++)
        boots_out->boot[i] = le64toh(sector.boot[i]);
    return 0;
}

uint32_t sums_of_block(const void *bytes, size_t len)
{
    static const char zeros[SUMS_BLOCK];
    uint32_t crc = crc32c(0, bytes, len);

    if (len < SUMS_BLOCK)
        crc = crc32c(crc, zeros, SUMS_BLOCK - len);
    return crc ^ SUMS_ZERO_CRC;
}
