/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Members of a tar file: POSIX ustar, with the long names of GNU tar and pax.
 *
 * Units    bytes; a member is a header of 512, its data, and padding to 512.
 * Threads  no state.
 * Failure  -EPROTO on what is not tar; nothing is believed beyond the size
 * given.
 */
#ifndef CAPSTAN_LOADER_TAR_H
#define CAPSTAN_LOADER_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512u

struct tar_header {
    char name[257]; /* prefix and name, ended by NUL */
    char type;      /* '0' a file, 'L' a GNU long name, 'x' pax, ... */
    uint64_t size;  /* of the data behind the header */
    bool is_end;    /* a block of zeros: the rest is unset */
};

/** Read a header. @return 0 or -EPROTO (its own checksum is wrong). */
int tar_header_decode(const void *block, struct tar_header *header_out);

/** Write a header of type '0' (a file) or 'L' (a long name for the next).
 *  @return 0, -ENAMETOOLONG (does not fit into prefix and name), -EFBIG. */
int tar_header_encode(void *block, const char *name, uint64_t size, char type);

/** `size` and what pads it. */
static inline uint64_t tar_padded(uint64_t size)
{
    return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/** The value of "path" in a pax record block, borrowed; NULL: it has none. */
const char *tar_pax_path(const char *data, size_t size, size_t *length_out);

/** How much of a member's name is its sample's key: up to the first dot of the
 *  last component (the WebDataset convention). */
size_t tar_key_length(const char *name, size_t length);

#endif
