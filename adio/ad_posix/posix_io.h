/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * List I/O on a file descriptor: runs in order through preadv and pwritev.
 *
 * Units    bytes; run.mem is an address.
 * Threads  one thread at a time a transfer.
 * Failure  negative errno; what was moved before it is counted.
 */
#ifndef CAPSTAN_ADIO_POSIX_IO_H
#define CAPSTAN_ADIO_POSIX_IO_H

#include "base/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a transfer stands: block `block` of run `run`, `within` bytes of it. */
struct posix_cursor {
    size_t run;
    uint64_t block;
    uint64_t within;
};

struct posix_io {
    int fd;
    bool is_write;
    const struct run *runs; /* borrowed */
    size_t nruns;
    uint64_t hole_max; /* reads go over holes of so many bytes at most */
    struct posix_cursor at;
    uint64_t bytes; /* moved so far */
    uint64_t end;   /* reads: nothing lies at or after this offset */
};

#define POSIX_IO_HOLE_MAX 4096

/**
 * Begin; nothing is moved yet.
 *
 * @param hole_max  of a read: holes of so many bytes, at most
 * POSIX_IO_HOLE_MAX, are read over; 0: none. A write never is.
 */
void posix_io_start(struct posix_io *io, int fd, bool is_write,
                    const struct run *runs, size_t nruns, uint64_t hole_max);

/**
 * Move about `slice` bytes, at least one system call's worth when any is left.
 *
 * @param done_out  true when nothing is left, or on failure.
 * @return 0 or the negative errno of the call that failed.
 */
int posix_io_move(struct posix_io *io, uint64_t slice, bool *done_out);

/** What is left of the block at the cursor, below the end. @return false:
 *  nothing is left. */
bool posix_io_peek(struct posix_io *io, uint64_t *offset_out,
                   uint64_t *length_out, void **mem_out);

/** So many bytes of that block have been moved. */
void posix_io_advance(struct posix_io *io, uint64_t bytes);

#endif
