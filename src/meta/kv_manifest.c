/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file is blocks of 32 KiB; in each, records of a header (a masked CRC32C
 * of kind and text, the length, the kind) and the text; what is left of a block
 * is too short for a header. A long text is cut into records of kinds 2, 3, 4.
 * Manifests are never recycled, so no other kinds occur.
 */
#include "meta/kv_manifest.h"

#include "base/crc32c.h"

#include <endian.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 32768u
#define HEADER 7u
#define KIND_LAST 4u

static uint32_t unmask(uint32_t masked)
{
    uint32_t turned = masked - 0xa282ead8u;

    return turned >> 17 | turned << 15;
}

/* @return the length of the record with its header; 0: it is damaged. */
static size_t check_record(const uint8_t *record, size_t room)
{
    uint32_t check;
    size_t len = record[4] | (size_t)record[5] << 8;

    memcpy(&check, record, sizeof(check));
    if (record[6] == 0 || record[6] > KIND_LAST || len > room - HEADER ||
        crc32c(0, record + 6, 1 + len) != unmask(le32toh(check)))
        return 0;
    return HEADER + len;
}

/* wanted: as many bytes of the block count. */
static bool check_block(const uint8_t *block, size_t len, uint64_t wanted)
{
    size_t at = 0, n;

    while (at < wanted && BLOCK - at >= HEADER) {
        n = len - at >= HEADER && len > at ? check_record(block + at, len - at)
                                           : 0;
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

bool kv_manifest_is_whole(const char *path, uint64_t bytes)
{
    static _Thread_local uint8_t block[BLOCK];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_whole = fd >= 0;
    ssize_t n;

    for (uint64_t at = 0; is_whole && at < bytes; at += BLOCK) {
        n = pread(fd, block, BLOCK, (off_t)at);
        is_whole = n > 0 && check_block(block, (size_t)n, bytes - at);
    }
    if (fd >= 0)
        close(fd);
    return is_whole;
}
