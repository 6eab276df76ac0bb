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

/* Without the mapping the ring can make it good (coll_mapped.c). */
static void fail(struct coll_op *op, bool is_mapped,
                 const struct adio_error *error)
{
    if (is_mapped)
        coll_fail_owner(op, error);
    else
        coll_fail(op, error);
}

static bool start(struct coll_op *op, bool is_mapped)
{
    const struct adio_driver *driver = op->file->driver;
    struct adio_error error = {0};
    int rc;

    if (op->mine.n == 0)
        return false;
    if (is_mapped)
        rc = driver->imapread(op->file, op->mine.runs, op->mine.n, &op->io,
                              &error);
    else if (op->verb == COLL_READ)
        rc = driver->ireadlist(op->file, op->mine.runs, op->mine.n, &op->io,
                               &error);
    else
        rc = driver->iwritelist(op->file, op->mine.runs, op->mine.n, &op->io,
                                &error);
    if (rc != 0)
        fail(op, is_mapped, &error);
    return rc == 0;
}

bool coll_direct_move(struct coll_op *op, bool is_mapped)
{
    struct adio_error error = {0};
    bool is_done;
    int rc;

    if (!op->is_entered && !start(op, is_mapped))
        return true;
    rc =
        op->file->driver->test(op->file, &op->io, &is_done, &op->bytes, &error);
    if (!is_done)
        return false;
    op->io = NULL;
    if (is_mapped)
        op->explain.bytes_mapped += op->bytes;
    else
        op->explain.bytes_storage += op->bytes;
    if (rc != 0)
        fail(op, is_mapped, &error);
    return true;
}

enum coll_state coll_direct_step(struct coll_op *op)
{
    return coll_direct_move(op, false) ? COLL_AGREE : COLL_DIRECT;
}

enum coll_state coll_ahead_step(struct coll_op *op)
{
    bool is_mapped = op->kept->plan.is_mapped;

    if (!op->is_entered && is_mapped && !coll_mapped_is_possible(op))
        return COLL_CLASSIFY;
    if (!coll_direct_move(op, is_mapped))
        return COLL_AHEAD;
    op->local.is_mapped = is_mapped && op->failed.code == 0;
    op->local.is_ahead = op->failed.code == 0;
    op->failed = (struct adio_error){0};
    if (op->error.code != 0)
        op->local.failing = (uint64_t)op->file->rank;
    return COLL_CLASSIFY;
}
