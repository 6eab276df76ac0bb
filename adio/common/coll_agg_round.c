/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One round of an aggregator: a slice of packed space, so a range lo .. hi - 1
 * of the file of which exactly the wanted parts have a place in the buffer.
 *
 * A client that wants something in the range gets a coll_round message; its
 * data then travels in the order of its own list cut to the range, between the
 * buffer and the client's memory, without packing on either side.
 *
 * Possible failure modes: no memory for a list or a datatype. A client whose
 * data cannot be described has had no round message yet, so it is still owed
 * the one that ends it.
 */
#include "adio/common/coll_agg.h"

#include <errno.h>

/* Runs that end before every round under way need not be looked at again. */
static void pass_over(struct coll_agg *agg, const struct agg_slot *slot)
{
    const struct agg_slot *other = &agg->slots[slot == agg->slots];
    uint64_t lo = slot->round.lo;

    if (other->state != AGG_FREE && other->round.lo < lo)
        lo = other->round.lo;
    for (size_t i = 0; i < agg->nclients; i++) {
        struct coll_wish *client = &agg->clients[i];

        while (client->first < client->list.n &&
               run_end(&client->list.runs[client->first]) <= lo)
            client->first++;
    }
}

void coll_round_begin(struct coll_agg *agg, struct agg_slot *slot)
{
    uint64_t from = agg->next_round++ * agg->buffer_size;
    uint64_t to = from + agg->buffer_size;

    if (to > agg->space.bytes)
        to = agg->space.bytes;
    slot->origin = from;
    slot->round = (struct coll_round){
        .number = agg->next_round,
        .lo = coll_space_offset(&agg->space, from, false),
        .hi = coll_space_offset(&agg->space, to, true),
    };
    slot->round.valid = slot->round.hi;
    slot->nrequests = slot->nmemories = 0;
    pass_over(agg, slot);
}

/* Into scratch->list: a client's data below `to`, as it lies in the buffer. */
static int place(struct coll_agg *agg, const struct agg_slot *slot,
                 struct coll_wish *client, uint64_t to)
{
    size_t first = client->first;
    int rc;

    agg->clip.n = 0;
    agg->scratch.list.n = 0;
    rc = coll_clip_all(client->list.runs, client->list.n, &first,
                       slot->round.lo, to, &agg->clip);
    for (size_t i = 0; i < agg->clip.n && rc == 0; i++)
        rc = coll_space_map(&agg->space, &agg->clip.runs[i], slot->origin,
                            slot->buffer, &agg->scratch.list);
    return rc;
}

int coll_round_unite(struct coll_agg *agg, struct agg_slot *slot)
{
    int rc = 0;

    coll_union_clear(&agg->set);
    slot->list.n = 0;
    for (size_t i = 0; i < agg->nclients && rc == 0; i++) {
        rc = place(agg, slot, &agg->clients[i], slot->round.hi);
        if (rc == 0)
            coll_union_add(&agg->set, agg->scratch.list.runs,
                           agg->scratch.list.n, slot->buffer);
    }
    if (rc == 0)
        rc = coll_union_list(&agg->set, &agg->space, slot->origin, slot->buffer,
                             &slot->list);
    return rc;
}

static void announce(struct coll_op *op, struct agg_slot *slot,
                     struct coll_wish *client)
{
    int i = (int)(slot - op->agg->slots);
    struct coll_round *round = &client->rounds[i];

    PMPI_Isend(round, COLL_ROUND_BYTES, MPI_BYTE, client->rank, COLL_TAG_ROUND,
               op->kept->comm, &slot->requests[slot->nrequests++]);
    op->explain.messages += client->rank != op->file->rank;
}

static void send(struct coll_op *op, struct agg_slot *slot,
                 const struct coll_wish *client, uint64_t bytes)
{
    const struct coll_memory *memory = &slot->memories[slot->nmemories - 1];

    PMPI_Isend(memory->base, memory->count, memory->type, client->rank,
               COLL_TAG_DATA, op->kept->comm,
               &slot->requests[slot->nrequests++]);
    if (client->rank == op->file->rank)
        return;
    op->explain.messages++;
    op->explain.bytes_exchanged += bytes;
    if (client->node != (unsigned)op->kept->nodes.here)
        op->explain.bytes_between_nodes += bytes;
}

static void receive(struct coll_op *op, struct agg_slot *slot, int rank)
{
    const struct coll_memory *memory = &slot->memories[slot->nmemories - 1];

    PMPI_Irecv(memory->base, memory->count, memory->type, rank, COLL_TAG_DATA,
               op->kept->comm, &slot->requests[slot->nrequests++]);
}

/* Describe the memory of one client's data. @return 0 or -ENOMEM. */
static int describe(struct coll_agg *agg, struct agg_slot *slot,
                    struct coll_wish *client, uint64_t *bytes_out)
{
    int rc = place(agg, slot, client, slot->round.valid);

    if (rc == 0)
        rc = coll_memory_make(&agg->scratch, &slot->memories[slot->nmemories]);
    if (rc != 0)
        return rc;
    slot->nmemories++;
    *bytes_out = runs_bytes(agg->scratch.list.runs, agg->scratch.list.n);
    return 0;
}

/* A round as one client is told it; coll_pass_lay() says who passes it on. */
static void set_round(struct coll_agg *agg, struct agg_slot *slot,
                      struct coll_wish *client)
{
    struct coll_round *round = &client->rounds[slot - agg->slots];

    *round = slot->round;
    round->from = COLL_NO_RANK;
    for (int i = 0; i < COLL_PASS_MAX; i++)
        round->to[i] = COLL_NO_RANK;
}

/* Into agg->pass: who wants what of a round. @return 0 or -ENOMEM. */
static int ask_clients(struct coll_op *op, struct agg_slot *slot)
{
    struct coll_agg *agg = op->agg;
    int rc = 0;

    agg->pass.n = 0;
    for (size_t i = 0; i < agg->nclients && rc == 0; i++) {
        struct coll_wish *client = &agg->clients[i];

        if (client->left == 0)
            continue;
        rc = place(agg, slot, client, slot->round.hi);
        client->wanted =
            runs_bytes(agg->scratch.list.runs, agg->scratch.list.n);
        client->hash = coll_list_hash(&agg->clip);
        client->nearness = client->node != (unsigned)op->kept->nodes.here;
        client->nearness += client->rank != op->file->rank;
        set_round(agg, slot, client);
        if (client->wanted > 0)
            agg->pass.order[agg->pass.n++] = client;
    }
    return rc;
}

/* The data goes to the first of a group, and the round to all. */
static int send_group(struct coll_op *op, struct agg_slot *slot, size_t first,
                      size_t end)
{
    struct coll_pass *pass = &op->agg->pass;
    uint64_t bytes;
    int rc = describe(op->agg, slot, pass->order[first], &bytes);

    if (rc != 0)
        return rc;
    coll_pass_lay(pass, first, end, (int)(slot - op->agg->slots));
    for (size_t i = first; i < end; i++) {
        pass->order[i]->left -= pass->order[i]->wanted;
        announce(op, slot, pass->order[i]);
    }
    if (bytes > 0)
        send(op, slot, pass->order[first], bytes);
    return 0;
}

/* Of ranks that write the same bytes the nearest one sends them: MPI leaves
 * open whose bytes stay. */
static int receive_group(struct coll_op *op, struct agg_slot *slot,
                         size_t first, size_t end)
{
    struct coll_wish **order = op->agg->pass.order;
    uint64_t bytes;
    int rc = describe(op->agg, slot, order[first], &bytes);

    if (rc != 0)
        return rc;
    for (size_t i = first; i < end; i++) {
        if (i > first)
            order[i]->rounds[slot - op->agg->slots].from = COLL_SPARED;
        order[i]->left -= order[i]->wanted;
        announce(op, slot, order[i]);
    }
    receive(op, slot, order[first]->rank);
    return 0;
}

int coll_round_post(struct coll_op *op, struct agg_slot *slot)
{
    struct coll_pass *pass = &op->agg->pass;
    int rc = ask_clients(op, slot);
    size_t end;

    if (rc == 0)
        coll_pass_sort(pass);
    for (size_t i = 0; i < pass->n && rc == 0; i = end) {
        end = coll_pass_group_end(pass, i);
        if (op->verb == COLL_READ)
            rc = send_group(op, slot, i, end);
        else
            rc = receive_group(op, slot, i, end);
    }
    return rc;
}
