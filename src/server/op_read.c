/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * READ: from objects into client memory, or into the reply.
 *
 * The happy path: the object's size is asked first and bounds the pieces, so
 * that the size in the reply agrees with the bytes that were moved, whatever
 * is appended meanwhile. Then slots are filled by extents and emptied by moves.
 * An inline read gathers everything, in rounds if it has many pieces, into one
 * slot, which becomes the reply's data.
 *
 * What goes by RMA with sums is compared by the client, with the sums that are
 * kept for the blocks: so nothing that the device or the way has changed becomes
 * data, and each byte is summed once. Only when that fails is the client's next
 * request compared here too, to tell which it was.
 *
 * Long extents for a client on this machine may pass by the slot (lend.c).
 *
 * Bytes beyond the object's end are not sent: the client knows from the size.
 *
 * Possible failure modes are: a request out of range (-EINVAL, before anything
 * happens), a run that leaves the registered memory (when it is reached), the
 * device's and the fabric's errors (data.c).
 */
#include "base/err.h"
#include "server/data.h"
#include "server/server.h"

#include <endian.h>
#include <stddef.h>

static void end_inline(struct slot *slot);

static slot_step_fn *const rma_steps[] = {
    slot_start_extents, slot_move_lent, slot_take_sums, slot_start_moves, NULL};
static slot_step_fn *const inline_steps[] = {slot_start_extents, end_inline,
                                             NULL};

/* Another round into the same slot, or the end: the memory of a slot that was
 * just let go is still its own while the answer is made. */
static void end_inline(struct slot *slot)
{
    struct job *job = slot->job;

    slot->nextents = 0;
    if (job->rc == 0 && slot_gather(slot)) {
        slot->step = job->steps;
        (*slot->step)(slot);
        return;
    }
    job->kept = slot;
    slot_go_on(slot);
}

static void answer(struct job *job)
{
    struct srv_target *target = job->target;
    union proto_rep rep = {0};
    uint64_t fold;

    rep.read.object_size = job->object_size;
    rep.read.bytes = job->bytes;
    if (job->has_fold) {
        fold = htole64(job->fold);
        rep.read.sums = (struct proto_bytes){(uint8_t *)&fold, sizeof(fold)};
    } else if (job->has_sums) {
        rep.read.sums.data = (const uint8_t *)job->sums;
        rep.read.sums.len = job->nsums * (uint32_t)sizeof(*job->sums);
    }
    if (job->kept != NULL) {
        rep.read.data.data =
            (const uint8_t *)job->kept->memory + job->kept->start;
        rep.read.data.len = job->kept->fill - job->kept->start;
    }
    if (job->rc == 0) {
        srv_count(target, COUNTER_bytes_sent, job->bytes);
        srv_count(target, COUNTER_inline_bytes, rep.read.data.len);
    }
    rpc_reply(job->request, job->rc, &rep, job->text);
}

/* Does all of it fit into a reply? */
static bool fits_inline(const struct job *job)
{
    struct pieces pieces = job->pieces;
    struct piece piece;
    uint64_t bytes = 0;

    while (bytes <= PROTO_INLINE_MAX && pieces_next(&pieces, &piece) == 0)
        bytes += piece.length;
    return bytes <= PROTO_INLINE_MAX;
}

static void stat_done(struct obj_io *io)
{
    struct job *job =
        (struct job *)((char *)io - offsetof(struct job, stat));

    if (io->result < 0) {
        job_fail(job, (int)io->result, NULL);
        job_settle(job);
        return;
    }
    job->object_size = io->size_out;
    job->pieces.limit = io->size_out;
    if (job->is_inline && !fits_inline(job)) {
        job_fail(job, -EINVAL, "more than fits into a reply");
        job_settle(job);
        return;
    }
    job_want_slot(job);
}

void op_read(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_read *req = &request->body.read;
    unsigned kind = req->sums_kind & ~(unsigned)PROTO_SUMS_CHECKED;
    struct job *job = job_take(target, request);
    struct pieces_config config = {
        .runs = req->runs,
        .stripe_size = req->stripe_size,
        .columns = req->columns,
        .column = req->column,
        .span = req->is_inline ? PIECES_NO_SPAN : req->span,
    };

    srv_count(target, COUNTER_reads, 1);
    job->verb = OBJ_READ;
    job->steps = req->is_inline ? inline_steps : rma_steps;
    job->answer = answer;
    job->is_inline = req->is_inline != 0;
    job->has_sums = kind != PROTO_SUMS_NONE && !job->is_inline;
    job->has_fold = job->has_sums && kind == PROTO_SUMS_FOLD;
    job->is_compared_later =
        job->has_sums && (req->sums_kind & PROTO_SUMS_CHECKED) == 0;
    job->nsums_most = PROTO_SUMS_MAX;
    job->is_early =
        !job->is_inline && net_caps(target->net)->send_after_write;
    job->ino = req->ino;
    job->key = req->key;
    job->addr = req->addr;
    if (pieces_init(&job->pieces, &config, 0) != 0 ||
        (!job->is_inline && req->addr + req->span < req->addr)) {
        job_fail(job, -EINVAL, "stripes, columns or memory out of range");
        job_settle(job);
        return;
    }
    job->stat = (struct obj_io){
        .verb = OBJ_STAT, .ino = req->ino, .done = stat_done};
    obj_submit(target->objects, &job->stat);
}
