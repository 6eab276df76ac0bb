/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accesses in atomic mode.
 *
 * The happy path: lock the hull, move the list, unlock. Each rank does so for
 * itself, in collectives too: each one's access is then one step in a single
 * order of all, which is what the standard asks.
 *
 * Possible failure modes are: the lock cannot be had; the transfer fails (the
 * lock is given back all the same); the lock was lost during the transfer,
 * because its server restarted or this process stopped for longer than a lease
 * lasts. Then others may have come in between, so the access is made again, as
 * if the first had never been: a read brings new data, a write the same bytes.
 * Another's read in between may have seen a part of the first write.
 */
#include "adio/common/atomic.h"

#include <errno.h>

#define TRIES 3

/* A list without a byte has no hull: false. */
static bool find_hull(const struct run *runs, size_t nruns,
                      struct adio_lock *lock)
{
    uint64_t end = 0;

    lock->offset = UINT64_MAX;
    for (size_t i = 0; i < nruns; i++) {
        if (run_bytes(&runs[i]) == 0)
            continue;
        if (runs[i].offset < lock->offset)
            lock->offset = runs[i].offset;
        if (run_end(&runs[i]) > end)
            end = run_end(&runs[i]);
    }
    if (end == 0)
        return false;
    lock->length = end - lock->offset;
    return true;
}

static int move(struct adio_file *file, bool is_write, const struct run *runs,
                size_t nruns, uint64_t *bytes_out, struct adio_error *error)
{
    const struct adio_driver *driver = file->driver;

    return is_write
               ? driver->writelist(file, runs, nruns, bytes_out, error)
               : driver->readlist(file, runs, nruns, bytes_out, error);
}

int atomic_move(struct adio_file *file, bool is_write, const struct run *runs,
                size_t nruns, uint64_t *bytes_out, struct adio_error *error)
{
    struct adio_lock lock = {.is_shared = !is_write};
    struct adio_error lost = {0};
    int rc, unlocked;

    *bytes_out = 0;
    if (!find_hull(runs, nruns, &lock))
        return 0;
    for (int i = 0; i < TRIES; i++) {
        rc = file->driver->lock(file, &lock, error);
        if (rc != 0)
            return rc;
        rc = move(file, is_write, runs, nruns, bytes_out, error);
        unlocked = file->driver->unlock(file, &lock, &lost);
        if (rc != 0 || unlocked != -ESTALE)
            return rc; /* a lock that cannot be given back ends by itself */
    }
    adio_error_set(error, -EIO, "%s: atomic access: lock was lost %d times",
                   file->display, TRIES);
    return -EIO;
}
