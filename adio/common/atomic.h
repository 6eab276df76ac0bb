/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic mode (MPI-3.1, 13.6.1): an access holds a lock on its hull, from its
 * first byte to its last, shared to read and exclusive to write.
 *
 * Units    bytes.
 * Threads  as the file.
 * Failure  0 or a negative code; the text is in struct adio_error.
 */
#ifndef CAPSTAN_ADIO_ATOMIC_H
#define CAPSTAN_ADIO_ATOMIC_H

#include "adio/common/adio.h"

/**
 * Read or write runs, by nondecreasing file offset, under a lock; waits. An
 * access whose lock was lost meanwhile is made again.
 *
 * @return 0, -EIO (the lock was lost each time), or the driver's.
 */
int atomic_move(struct adio_file *file, bool is_write, const struct run *runs,
                size_t nruns, uint64_t *bytes_out, struct adio_error *error);

#endif
