/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct (and independent): each rank gives its own runs to the driver as one
 * list and all meet again at AGREE. No second hop, nothing exchanged.
 *
 * Ahead: a rank that asks for what it asked for the last time, when ranks were
 * found to be disjoint, moves it at once and only then says so in CLASSIFY.
 * When all ranks have, that was the operation. When not, what was read ahead is
 * read again by whatever is chosen (unless that is direct), and what was
 * written ahead is written again.
 *
 * Possible failure modes: those of the driver.
 */
#include "adio/common/coll_op.h"

static bool start(struct coll_op *op)
{
    const struct adio_driver *driver = op->file->driver;
    struct adio_error error = {0};
    int rc;

    if (op->mine.n == 0)
        return false;
    if (op->verb == COLL_READ)
        rc = driver->ireadlist(op->file, op->mine.runs, op->mine.n, &op->io,
                               &error);
    else
        rc = driver->iwritelist(op->file, op->mine.runs, op->mine.n, &op->io,
                                &error);
    if (rc != 0)
        coll_fail(op, &error);
    return rc == 0;
}

/* @return true when this rank's transfer is over. */
static bool move(struct coll_op *op)
{
    struct adio_error error = {0};
    bool is_done;
    int rc;

    if (!op->is_entered && !start(op))
        return true;
    rc =
        op->file->driver->test(op->file, &op->io, &is_done, &op->bytes, &error);
    if (!is_done)
        return false;
    op->io = NULL;
    op->explain.bytes_storage += op->bytes;
    if (rc != 0)
        coll_fail(op, &error);
    return true;
}

enum coll_state coll_direct_step(struct coll_op *op)
{
    return move(op) ? COLL_AGREE : COLL_DIRECT;
}

enum coll_state coll_ahead_step(struct coll_op *op)
{
    if (!move(op))
        return COLL_AHEAD;
    op->local.is_ahead = true;
    if (op->error.code != 0)
        op->local.failing = (uint64_t)op->file->rank;
    return COLL_CLASSIFY;
}
