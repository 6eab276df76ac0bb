/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PLAN: what a client will read soon.
 *
 * The happy path: the pieces of the runs that lie on our column are given to
 * the store that reads ahead (store/ahead.h), and the answer says how many
 * bytes it took. Nothing is read before the answer.
 *
 * Possible failure modes are: a request out of range (-EINVAL); runs of very
 * many pieces, of which the first PLAN_PIECES_MAX count; no memory set aside
 * for plans, or no more of it: fewer bytes are taken, which is no error.
 */
#include "base/err.h"
#include "server/pieces.h"
#include "server/server.h"
#include "store/ahead.h"

#define PLAN_PIECES_MAX 4096u

static int take_pieces(struct srv_target *target, uint64_t ino,
                       struct pieces *pieces, uint64_t *bytes_out)
{
    struct piece piece;
    uint64_t taken;
    int rc = 0;

    for (unsigned i = 0; i < PLAN_PIECES_MAX; i++) {
        rc = pieces_next(pieces, &piece);
        if (rc != 0)
            break;
        taken = ahead_plan(target->objects, ino, piece.object, piece.length);
        *bytes_out += taken;
        if (taken == 0 && *bytes_out > 0)
            break; /* memory and queue are full */
    }
    return rc == -ENOENT ? 0 : rc;
}

void op_plan(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_plan *req = &request->body.plan;
    struct pieces_config config = {
        .runs = req->runs,
        .stripe_size = req->stripe_size,
        .columns = req->columns,
        .column = req->column,
        .span = PIECES_NO_SPAN,
    };
    union proto_rep rep = {0};
    struct pieces pieces;
    int rc = pieces_init(&pieces, &config, INT64_MAX);

    if (rc == 0 && target->has_ahead)
        rc = take_pieces(target, req->ino, &pieces, &rep.plan.bytes);
    rpc_reply(request, rc, &rep, NULL);
}
