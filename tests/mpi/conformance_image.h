/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the file should hold: pages in memory, so that offsets beyond 4 GiB cost
 * nothing. A byte is defined when it was written and not cut off since; the
 * standard leaves the others below the end of the file undefined.
 *
 * Units    bytes.  Threads  one.  Failure  the program ends without memory.
 */
#ifndef CAPSTAN_TESTS_CONFORMANCE_IMAGE_H
#define CAPSTAN_TESTS_CONFORMANCE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define IMAGE_PAGE 4096
#define IMAGE_BUCKETS 512

struct image_page {
    struct image_page *next;
    int64_t number;
    unsigned char bytes[IMAGE_PAGE];
    bool is_defined[IMAGE_PAGE];
};

struct image {
    struct image_page *buckets[IMAGE_BUCKETS];
    struct image_page *last; /* found last */
    int64_t size;            /* of the file */
};

void image_put(struct image *image, int64_t at, unsigned char byte);

/** The byte at a place, 0 if undefined. */
unsigned char image_get(struct image *image, int64_t at, bool *is_defined_out);

/** What MPI_File_set_size() does. */
void image_resize(struct image *image, int64_t size);

/** Forget everything; the image is as a new one, of size 0. */
void image_clear(struct image *image);

#endif
