/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mapped: the ranks of a node read what is in memory already, in a page cache
 * that all of them can map. Each copies what it wants from there: one copy a
 * rank, no ring, and nothing is asked of storage.
 *
 * The happy path: in CLASSIFY each rank says whether all it wants can be had
 * so, and is what it read the last time; when all say yes and ranks overlap, or
 * want the same, each copies, and all meet at AGREE. The next operation that
 * asks for the same copies ahead (coll_direct.c) and meets once.
 *
 * Possible failure modes: pages give way under a copy, because the file is cut
 * or its device fails. Then all ranks go through the ring as if nothing had
 * been copied, and what the ring makes of it (a short count, a takeover, an
 * error) is how it ends.
 */
#include "adio/common/coll_op.h"

#include <stdio.h>
#include <string.h>

#define WHY ", from the mapped page cache"
#define WORTH_BYTES (256u << 10) /* less is sooner had from the ring */

/* The first copy from a page costs a fault, the ring none: only those after it
 * are quicker. */
static bool is_worth(const struct coll_op *op)
{
    const struct coll_read *read = &op->kept->read;

    if (op->file->hints.map_reads == ADIO_ENABLE)
        return true;
    return read->is_set && read->bytes == op->local.bytes &&
           read->hash == op->local.hash &&
           (read->bytes == 0 || read->bytes >= WORTH_BYTES);
}

bool coll_mapped_is_possible(const struct coll_op *op)
{
    return op->verb == COLL_READ && op->error.code == 0 &&
           op->local.strategy == ADIO_STRATEGY_AUTOMATIC &&
           op->local.toggle == ADIO_AUTOMATIC && op->local.cb_nodes == 0 &&
           op->kept->nodes.listed == NULL && coll_ring_is_possible(op) &&
           is_worth(op) &&
           op->file->driver->may_map(op->file, op->mine.runs, op->mine.n);
}

void coll_mapped_note(struct coll_op *op)
{
    if (op->verb == COLL_READ)
        op->kept->read = (struct coll_read){
            .is_set = op->explain.strategy == ADIO_STRATEGY_SHARE ||
                      op->explain.strategy == ADIO_STRATEGY_TWO_PHASE,
            .bytes = op->local.bytes,
            .hash = op->local.hash,
        };
}

enum coll_state coll_mapped_begin(struct coll_op *op)
{
    op->is_mapped = true;
    return op->local.is_ahead ? COLL_AGREE : COLL_MAPPED;
}

enum coll_state coll_mapped_step(struct coll_op *op)
{
    return coll_direct_move(op, true) ? COLL_AGREE : COLL_MAPPED;
}

enum coll_state coll_mapped_undo(struct coll_op *op)
{
    op->is_mapped = false;
    op->all.is_mapped = 0;
    op->failed = (struct adio_error){0};
    op->bytes = 0;
    return COLL_RING;
}

enum coll_state coll_mapped_end(struct coll_op *op)
{
    char why[sizeof(op->explain.why)];

    memcpy(why, op->explain.why, sizeof(why));
    snprintf(op->explain.why, sizeof(op->explain.why), "%.90s" WHY, why);
    op->explain.strategy = ADIO_STRATEGY_SHARE;
    op->explain.aggregators = 0;
    coll_classify_remember(op);
    return COLL_OVER;
}
