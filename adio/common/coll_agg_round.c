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

static void post_data(struct coll_op *op, struct agg_slot *slot, int rank,
                      const struct coll_memory *memory)
{
    MPI_Request *request = &slot->requests[slot->nrequests++];

    if (op->verb == COLL_READ)
        PMPI_Isend(memory->base, memory->count, memory->type, rank,
                   COLL_TAG_DATA, op->kept->comm, request);
    else
        PMPI_Irecv(memory->base, memory->count, memory->type, rank,
                   COLL_TAG_DATA, op->kept->comm, request);
}

static void count_sent(struct coll_op *op, int rank, uint64_t bytes)
{
    if (rank == op->file->rank)
        return;
    op->explain.messages++;
    if (op->verb == COLL_WRITE || bytes == 0)
        return;
    op->explain.messages++;
    op->explain.bytes_exchanged += bytes;
}

/* Everything of one client in one round. */
static int post_client(struct coll_op *op, struct agg_slot *slot,
                       struct coll_wish *client)
{
    struct coll_agg *agg = op->agg;
    struct coll_memory *memory = &slot->memories[slot->nmemories];
    uint64_t wanted = 0, bytes;
    int rc = place(agg, slot, client, slot->round.hi);

    if (rc != 0)
        return rc;
    wanted = runs_bytes(agg->scratch.list.runs, agg->scratch.list.n);
    if (wanted == 0)
        return 0;
    if (slot->round.valid < slot->round.hi)
        rc = place(agg, slot, client, slot->round.valid);
    if (rc == 0)
        rc = coll_memory_make(&agg->scratch, memory);
    if (rc != 0)
        return rc;
    bytes = runs_bytes(agg->scratch.list.runs, agg->scratch.list.n);
    slot->nmemories++;
    client->left -= wanted;
    PMPI_Isend(&slot->round, COLL_ROUND_BYTES, MPI_BYTE, client->rank,
               COLL_TAG_ROUND, op->kept->comm,
               &slot->requests[slot->nrequests++]);
    if (bytes > 0)
        post_data(op, slot, client->rank, memory);
    count_sent(op, client->rank, bytes);
    return 0;
}

int coll_round_post(struct coll_op *op, struct agg_slot *slot)
{
    struct coll_agg *agg = op->agg;
    int rc = 0;

    for (size_t i = 0; i < agg->nclients && rc == 0; i++)
        if (agg->clients[i].left > 0)
            rc = post_client(op, slot, &agg->clients[i]);
    return rc;
}
