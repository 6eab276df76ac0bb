/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Find the samples of a data file and sum them.
 *
 * Units    bytes.
 * Threads  no state; one thread a scan.
 * Failure  the first wrong byte ends a scan; rows found before were given out.
 */
#ifndef CAPSTAN_LOADER_SCAN_H
#define CAPSTAN_LOADER_SCAN_H

#include "loader/index.h"

/* The file, wherever it lies. */
struct scan_source {
    /* Fill the buffer. @return 0 or a negative code, which ends the scan. */
    int (*read)(void *context, uint64_t offset, void *buffer, size_t length);
    void *context;
    uint64_t size;
};

typedef int (*scan_row_fn)(void *context, const struct index_row *row);

/**
 * Call `found` for every sample, in file order. A raw file is one sample.
 *
 * @param record    length of INDEX_RECORDS, at least 1.
 * @param at_out    set on failure only: about where in the file.
 * @return 0, -EPROTO (not of this format, or damaged), -EFBIG (a sample longer
 *         than INDEX_SAMPLE_MAX), -ENOMEM, or what `read` or `found` returned.
 */
int scan_file(const struct scan_source *source, enum index_format format,
              uint64_t record, scan_row_fn found, void *context,
              uint64_t *at_out);

/** TFRecord's way to store a CRC32C. */
static inline uint32_t scan_mask(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

#endif
