/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two-phase: what all ranks want of a region of the file is moved by one of
 * them (the idea of del Rosario, Bordawekar and Choudhary, 1993; ROMIO's
 * generalised form, Thakur, Gropp and Lusk, 1999). The happy path:
 *
 *   1. REQUEST  each rank sends its runs to the aggregators of the realms they
 *      lie in (coll_exchange.c);
 *   2. MOVE     aggregators go through their rounds (coll_agg.c) while every
 *      rank takes or gives its data (coll_client.c).
 *
 * Possible failure modes: those of the two sides. A rank that fails asks for
 * nothing; an aggregator that fails tells every rank that waits for it.
 */
#include "adio/common/coll_agg.h"

enum coll_state coll_request_step(struct coll_op *op)
{
    if (!op->is_entered)
        coll_exchange_start(op);
    return coll_exchange_step(op) ? COLL_MOVE : COLL_REQUEST;
}

enum coll_state coll_move_step(struct coll_op *op)
{
    bool is_agg_over, is_client_over;

    if (!op->is_entered) {
        op->is_exchanged = true;
        coll_agg_start(op);
        coll_client_start(op);
    }
    is_agg_over = coll_agg_step(op);
    is_client_over = coll_client_step(op);
    return is_agg_over && is_client_over ? COLL_AGREE : COLL_MOVE;
}
