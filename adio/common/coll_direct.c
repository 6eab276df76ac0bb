/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct (and independent): each rank gives its own runs to the driver as one
 * list and all meet again at AGREE. No second hop, nothing exchanged.
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

enum coll_state coll_direct_step(struct coll_op *op)
{
    struct adio_error error = {0};
    bool is_done;
    int rc;

    if (!op->is_entered && !start(op))
        return COLL_AGREE;
    rc =
        op->file->driver->test(op->file, &op->io, &is_done, &op->bytes, &error);
    if (!is_done)
        return COLL_DIRECT;
    op->io = NULL;
    op->explain.bytes_storage = op->bytes;
    if (rc != 0)
        coll_fail(op, &error);
    return COLL_AGREE;
}
