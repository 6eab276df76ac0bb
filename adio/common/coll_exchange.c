/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When every rank asks for the same as the last time (CLASSIFY tells), nothing
 * is sent: a rank splits its own runs anew, for its memory may be elsewhere,
 * and an aggregator takes the wishes that were kept. Else:
 *
 * The exchange in steps: send (Issend), receive whatever comes (Improbe), enter
 * the barrier when one's sends are matched, go on receiving until it is over.
 *
 * A request of the next operation cannot arrive here: its sender has passed
 * AGREE of this one, and so has this rank.
 *
 * Possible failure modes: without memory for an incoming request it is
 * received into nothing, truncated, and the communicator made not to abort
 * for it; the sender is remembered and will be told by the aggregator.
 */
#include "adio/common/coll_client.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(struct coll_wire_run) == 4 * sizeof(uint64_t),
              "kept->run_type is four MPI_UINT64_T");

static int grow_wishes(struct coll_wishes *wishes)
{
    size_t room = wishes->room > 0 ? wishes->room * 2 : COLL_WISHES_MIN;
    void *all = mem_grow(wishes->all, room, sizeof(*wishes->all));

    if (all == NULL)
        return -ENOMEM;
    wishes->all = all;
    wishes->room = room;
    return 0;
}

int coll_exchange_create(struct coll_exchange **exchange_out)
{
    struct coll_exchange *exchange = mem_calloc(1, sizeof(*exchange));

    if (exchange == NULL)
        return -ENOMEM;
    if (grow_wishes(&exchange->wishes) != 0) {
        free(exchange);
        return -ENOMEM;
    }
    exchange->barrier = MPI_REQUEST_NULL;
    *exchange_out = exchange;
    return 0;
}

static int set_up(struct coll_op *op, struct coll_exchange *exchange)
{
    size_t i, nruns = 0;

    if (!op->is_second_try &&
        coll_realm_split(&op->realm, op->mine.runs, op->mine.n,
                         &exchange->parts) != 0)
        return -ENOMEM;
    for (i = 0; i < exchange->parts.n; i++)
        nruns += exchange->parts.parts[i].list.n + 1;
    if (nruns == 0)
        return 0;
    exchange->wire = mem_calloc(nruns, sizeof(*exchange->wire));
    exchange->sends = mem_calloc(exchange->parts.n, sizeof(MPI_Request));
    if (exchange->wire == NULL || exchange->sends == NULL ||
        coll_client_reserve(op) != 0) {
        coll_parts_fini(&exchange->parts);
        return -ENOMEM;
    }
    return 0;
}

void coll_wire_encode(const struct coll_list *list, struct coll_wire_run *to)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct run *run = &list->runs[i];

        *to++ = (struct coll_wire_run){run->offset, run->length, run->stride,
                                       run->count};
    }
}

static void undo_set_up(struct coll_op *op)
{
    coll_exchange_reset(op->exchange);
    coll_parts_fini(&op->exchange->parts);
    coll_client_reset(op->client);
}

/* The wishes that were kept, as if they had just arrived. */
static void take_kept(struct coll_op *op)
{
    struct coll_wishes *wishes = &op->exchange->wishes;
    struct coll_wishes own = *wishes;

    *wishes = op->kept->asked.exchange->wishes;
    op->kept->asked.exchange->wishes = own;
    coll_exchange_forget(op->kept);
    for (size_t i = 0; i < wishes->n; i++) {
        struct coll_wish *wish = &wishes->all[i];

        wish->request = MPI_REQUEST_NULL;
        wish->first = 0;
        wish->left = runs_bytes(wish->list.runs, wish->list.n);
    }
    op->explain.plans_reused = 1;
}

void coll_exchange_start(struct coll_op *op)
{
    struct coll_exchange *exchange = op->exchange;
    struct coll_wire_run *wire;

    if (op->is_asked) {
        take_kept(op);
        return;
    }
    if (!op->is_second_try)
        undo_set_up(op);
    if (set_up(op, exchange) != 0) {
        coll_fail_memory(op, "asking aggregators");
        return;
    }
    wire = exchange->wire;
    for (size_t i = 0; i < exchange->parts.n; i++) {
        const struct coll_part *part = &exchange->parts.parts[i];
        int to = coll_owner_rank(op, part->owner);

        *wire =
            (struct coll_wire_run){.offset = (unsigned)op->kept->nodes.here};
        coll_wire_encode(&part->list, wire + 1);
        PMPI_Issend(wire, (int)part->list.n + 1, op->kept->run_type, to,
                    COLL_TAG_REQUEST, op->kept->comm,
                    &exchange->sends[exchange->nsends++]);
        wire += part->list.n + 1;
        op->explain.messages += to != op->file->rank;
    }
}

static struct coll_wish *new_wish(struct coll_wishes *wishes)
{
    if (wishes->n == wishes->room && grow_wishes(wishes) != 0)
        return NULL;
    wishes->all[wishes->n] = (struct coll_wish){.request = MPI_REQUEST_NULL};
    return &wishes->all[wishes->n++];
}

static void receive(struct coll_op *op, MPI_Message *message,
                    const MPI_Status *status)
{
    struct coll_wish *wish = new_wish(&op->exchange->wishes);

    if (wish == NULL) /* nowhere to remember who must be told */
        PMPI_Abort(op->kept->comm, 1);
    wish->rank = status->MPI_SOURCE;
    PMPI_Get_count(status, op->kept->run_type, &wish->count);
    wish->wire = mem_calloc((size_t)wish->count, sizeof(*wish->wire));
    wish->is_lost = wish->wire == NULL ||
                    coll_list_reserve(&wish->list, (size_t)wish->count) != 0;
    if (wish->is_lost) {
        PMPI_Comm_set_errhandler(op->kept->comm, MPI_ERRORS_RETURN);
        wish->count = 0;
    }
    PMPI_Imrecv(wish->wire, wish->count, op->kept->run_type, message,
                &wish->request);
}

static void receive_all(struct coll_op *op)
{
    MPI_Message message;
    MPI_Status status;
    int flag = 1;

    while (flag) {
        PMPI_Improbe(MPI_ANY_SOURCE, COLL_TAG_REQUEST, op->kept->comm, &flag,
                     &message, &status);
        if (flag)
            receive(op, &message, &status);
    }
}

static void decode(struct coll_wish *wish)
{
    wish->node = wish->is_lost ? 0 : wish->wire[0].offset;
    wish->list.n = 0;
    for (int i = 1; i < wish->count; i++) {
        const struct coll_wire_run *wire = &wish->wire[i];

        wish->list.runs[wish->list.n++] = (struct run){
            .offset = wire->offset,
            .length = wire->length,
            .stride = wire->stride,
            .count = wire->count,
        };
    }
    wish->left = wish->is_lost ? 1 : runs_bytes(wish->list.runs, wish->list.n);
    free(wish->wire);
    wish->wire = NULL;
}

static bool is_received(struct coll_wishes *wishes)
{
    int flag;

    for (size_t i = 0; i < wishes->n; i++) {
        PMPI_Test(&wishes->all[i].request, &flag, MPI_STATUS_IGNORE);
        if (!flag)
            return false;
    }
    for (size_t i = 0; i < wishes->n; i++)
        decode(&wishes->all[i]);
    return true;
}

bool coll_exchange_step(struct coll_op *op)
{
    struct coll_exchange *exchange = op->exchange;
    int flag;

    if (op->is_asked)
        return true;
    receive_all(op);
    if (!exchange->is_sent) {
        PMPI_Testall((int)exchange->nsends, exchange->sends, &flag,
                     MPI_STATUSES_IGNORE);
        if (!flag)
            return false;
        exchange->is_sent = true;
        PMPI_Ibarrier(op->kept->comm, &exchange->barrier);
    }
    PMPI_Test(&exchange->barrier, &flag, MPI_STATUS_IGNORE);
    return flag && is_received(&exchange->wishes);
}

void coll_exchange_reset(struct coll_exchange *exchange)
{
    struct coll_wishes *wishes = &exchange->wishes;

    for (size_t i = 0; i < wishes->n; i++) {
        coll_list_fini(&wishes->all[i].list);
        free(wishes->all[i].wire);
    }
    wishes->n = 0;
    free(exchange->wire);
    free(exchange->sends);
    exchange->wire = NULL;
    exchange->sends = NULL;
    exchange->nsends = 0;
    exchange->is_sent = false;
    exchange->barrier = MPI_REQUEST_NULL;
}

void coll_exchange_free(struct coll_exchange **exchange_p)
{
    struct coll_exchange *exchange = *exchange_p;

    if (exchange == NULL)
        return;
    coll_exchange_reset(exchange);
    free(exchange->wishes.all);
    coll_parts_fini(&exchange->parts);
    free(exchange);
    *exchange_p = NULL;
}

/* All that needs memory is made now: a rank that is waited for by aggregators
 * must not fail later. */
bool coll_exchange_is_same(struct coll_op *op)
{
    const struct coll_asked *asked = &op->kept->asked;

    if (!asked->is_set || asked->bytes != op->local.bytes ||
        asked->hash != op->local.hash || op->error.code != 0)
        return false;
    op->realm = asked->realm;
    if (set_up(op, op->exchange) == 0)
        return true;
    undo_set_up(op);
    return false;
}

/* All ranks keep, or none: what went wrong was agreed on. */
void coll_exchange_keep(struct coll_op *op)
{
    if (op->explain.strategy != ADIO_STRATEGY_TWO_PHASE ||
        op->error.code != 0 || op->is_second_try || !op->is_exchanged)
        return;
    coll_exchange_forget(op->kept);
    coll_parts_fini(&op->exchange->parts);
    op->kept->asked = (struct coll_asked){
        .is_set = true,
        .bytes = op->local.bytes,
        .hash = op->local.hash,
        .realm = op->realm,
        .exchange = op->exchange,
    };
    op->exchange = NULL;
}

void coll_exchange_forget(struct coll_kept *kept)
{
    coll_exchange_free(&kept->asked.exchange);
    kept->asked.is_set = false;
}
