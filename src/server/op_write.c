/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * WRITE: from client memory, or from the message, into objects.
 *
 * The happy path: slots are filled by moves (RMA reads), or copied from the
 * message when the data is inline, and emptied by extents; when the last has
 * ended the request is answered with the bytes written.
 *
 * Possible failure modes are: a request out of range, or inline data that is
 * not as long as its runs (-EINVAL, before anything happens); a run that
 * leaves the registered memory (when it is reached); the device's (-ENOSPC,
 * -EIO, ...) and the fabric's errors. A write that failed may have written
 * some of its bytes, and promises none.
 */
#include "base/err.h"
#include "server/data.h"
#include "server/server.h"

#include <endian.h>
#include <string.h>

static slot_step_fn *const rma_steps[] = {slot_start_moves, slot_check_sums,
                                          slot_start_extents, NULL};
static slot_step_fn *const inline_steps[] = {slot_start_extents, NULL};

static uint64_t given_fold(const struct job *job)
{
    uint64_t fold;

    memcpy(&fold, job->given, sizeof(fold));
    return le64toh(fold);
}

static void answer(struct job *job)
{
    union proto_rep rep = {0};

    if (job->has_fold && job->rc == 0 && job->fold != given_fold(job)) {
        srv_count(job->target, COUNTER_sums_on_the_way, 1);
        job_fail_corrupt(job, 0, "on the way here, in a list that begins at");
    } else if (job->has_sums && !job->has_fold && job->rc == 0 &&
             job->nsums != job->nsums_most) {
        job_fail(job, -EINVAL, "fewer pieces than sums");
    }
    rep.write.bytes = job->bytes;
    if (job->rc == 0) {
        srv_count(job->target, COUNTER_bytes_received, job->bytes);
        srv_count(job->target, COUNTER_inline_bytes,
                  job->is_inline ? job->bytes : 0);
    }
    rpc_reply(job->request, job->rc, &rep, job->text);
}

/* Are the runs on this column exactly as long as the data that came along? */
static bool is_as_long(const struct job *job, uint32_t len)
{
    struct pieces pieces = job->pieces;
    struct piece piece;
    uint64_t bytes = 0;
    int rc = 0;

    while (bytes <= len && (rc = pieces_next(&pieces, &piece)) == 0)
        bytes += piece.length;
    return rc == -ENOENT && bytes == len;
}

static bool is_sound(struct job *job, const struct proto_req_write *req)
{
    struct pieces_config config = {
        .runs = req->runs,
        .stripe_size = req->stripe_size,
        .columns = req->columns,
        .column = req->column,
        .span = job->is_inline ? PIECES_NO_SPAN : req->span,
    };

    if (pieces_init(&job->pieces, &config, UINT64_MAX) != 0)
        return false;
    if (job->is_inline)
        return is_as_long(job, req->data.len);
    return req->addr + req->span >= req->addr &&
           (job->has_fold ? req->sums.len == sizeof(job->fold)
                          : req->sums.len % sizeof(uint32_t) == 0);
}

void op_write(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_write *req = &request->body.write;
    struct job *job = job_take(target, request);

    srv_count(target, COUNTER_writes, 1);
    job->verb = OBJ_WRITE;
    job->is_inline = req->data.len > 0;
    job->has_sums = req->sums_kind != PROTO_SUMS_NONE && !job->is_inline;
    job->has_fold = job->has_sums && req->sums_kind == PROTO_SUMS_FOLD;
    job->given = req->sums.data;
    job->nsums_most = req->sums.len / (uint32_t)sizeof(uint32_t);
    job->source = job->is_inline ? req->data.data : NULL;
    job->steps = job->is_inline ? inline_steps : rma_steps;
    job->answer = answer;
    job->ino = req->ino;
    job->key = req->key;
    job->addr = req->addr;
    if (!is_sound(job, req)) {
        job_fail(job, -EINVAL, "stripes, columns, memory or data out of range");
        job_settle(job);
        return;
    }
    job_want_slot(job);
}
