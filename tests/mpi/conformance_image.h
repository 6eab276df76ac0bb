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

/** Write n bytes. */
void image_put(struct image *image, int64_t at, const unsigned char *bytes,
               int64_t n);

/** Make n bytes defined, whatever they hold. */
void image_mark(struct image *image, int64_t at, int64_t n);

/** Read n bytes, 0 where undefined. */
void image_get(struct image *image, int64_t at, int64_t n, unsigned char *bytes,
               bool *is_defined);

/** Is none of n bytes defined? */
bool image_is_blank(struct image *image, int64_t at, int64_t n);

/** What MPI_File_set_size() does. */
void image_resize(struct image *image, int64_t size);

/** Forget everything; the image is as a new one, of size 0. */
void image_clear(struct image *image);

#endif
