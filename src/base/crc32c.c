/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/crc32c.h"

#include <isa-l/crc.h>

/* ISA-L counts in int; a longer buffer is summed in pieces of this size. */
#define PIECE_MAX (1u << 30)

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
    /* ISA-L reads only, but its prototype lacks the const. */
    unsigned char *at = (unsigned char *)(uintptr_t)data;
    uint32_t state = ~crc;

    while (length > 0) {
        size_t piece = length < PIECE_MAX ? length : PIECE_MAX;

        state = crc32_iscsi(at, (int)piece, state);
        at += piece;
        length -= piece;
    }
    return ~state;
}
