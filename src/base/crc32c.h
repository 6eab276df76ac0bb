/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC32C (Castagnoli), as RFC 3720 appendix B.4 prints it: begun with all ones,
 * reflected, inverted at the end. ISA-L does the arithmetic and leaves both
 * inversions to its caller; they happen here and nowhere else, so that a sum
 * can be continued by giving it back.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_BASE_CRC32C_H
#define CAPSTAN_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** Continue a sum over more bytes; the sum of nothing is 0, so start with 0.
 *  crc32c(crc32c(0, a, n), b, m) is the sum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
