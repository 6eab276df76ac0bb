/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One peer an aggregator, each with three requests: the next round's header
 * and the data of two rounds, for an aggregator has two buffers. Everything is
 * tested by one Testsome.
 *
 * Possible failure modes: a header with a code ends that peer, data under way
 * is still awaited. Memory for the largest round is taken before the first
 * request is sent, so that a receive cannot fail for want of it.
 */
#include "adio/common/coll_client.h"

#include "base/mem.h"

#include <errno.h>

enum { REQ_HEADER, REQ_DATA0, REQ_DATA1, REQS };

struct peer {
    int rank;
    const struct coll_list *list; /* in the exchange's parts */
    size_t first;                 /* runs before it are over */
    uint64_t left;                /* bytes of rounds still to come */
    uint64_t reached;             /* end of the last round taken */
    struct coll_round round;
    bool has_round; /* arrived, data not yet posted */
    struct coll_memory data[2];
};

struct coll_client {
    struct peer *peers;
    size_t npeers;
    MPI_Request *requests; /* REQS a peer */
    int *indices;
    struct coll_scratch scratch;
};

int coll_client_create(struct coll_client **client_out)
{
    *client_out = mem_calloc(1, sizeof(**client_out));
    return *client_out == NULL ? -ENOMEM : 0;
}

int coll_client_reserve(struct coll_op *op)
{
    struct coll_client *client = op->client;
    const struct coll_parts *parts = &op->exchange->parts;
    size_t i, most = 0;

    if (parts->n == 0)
        return 0;
    for (i = 0; i < parts->n; i++)
        if (parts->parts[i].list.n > most)
            most = parts->parts[i].list.n;
    client->peers = mem_calloc(parts->n, sizeof(*client->peers));
    client->requests = mem_calloc(parts->n * REQS, sizeof(MPI_Request));
    client->indices = mem_calloc(parts->n * REQS, sizeof(int));
    if (client->peers == NULL || client->requests == NULL ||
        client->indices == NULL)
        return -ENOMEM;
    return coll_scratch_reserve(&client->scratch, 3 * most);
}

static void await_round(struct coll_op *op, size_t i)
{
    struct peer *peer = &op->client->peers[i];

    PMPI_Irecv(&peer->round, COLL_ROUND_BYTES, MPI_BYTE, peer->rank,
               COLL_TAG_ROUND, op->kept->comm,
               &op->client->requests[i * REQS + REQ_HEADER]);
}

void coll_client_start(struct coll_op *op)
{
    struct coll_client *client = op->client;
    const struct coll_parts *parts = &op->exchange->parts;

    for (size_t i = 0; i < parts->n * REQS; i++)
        client->requests[i] = MPI_REQUEST_NULL;
    for (size_t i = 0; i < parts->n; i++) {
        const struct coll_part *part = &parts->parts[i];

        client->peers[i] = (struct peer){
            .rank = coll_owner_rank(op, part->owner),
            .list = &part->list,
            .left = runs_bytes(part->list.runs, part->list.n),
        };
        await_round(op, i);
    }
    client->npeers = parts->n;
}

/* Put into scratch what a round holds of a peer's list below `to`. */
static uint64_t cut(struct coll_client *client, struct peer *peer, uint64_t to)
{
    struct coll_list *list = &client->scratch.list;
    size_t first = peer->first;

    list->n = 0;
    coll_clip_all(peer->list->runs, peer->list->n, &first, peer->round.lo, to,
                  list);
    return runs_bytes(list->runs, list->n);
}

static void post_data(struct coll_op *op, struct peer *peer, MPI_Request *to,
                      struct coll_memory *memory)
{
    coll_memory_make(&op->client->scratch, memory);
    if (op->verb == COLL_READ) {
        PMPI_Irecv(memory->base, memory->count, memory->type, peer->rank,
                   COLL_TAG_DATA, op->kept->comm, to);
        return;
    }
    PMPI_Isend(memory->base, memory->count, memory->type, peer->rank,
               COLL_TAG_DATA, op->kept->comm, to);
}

static void count_sent(struct coll_op *op, const struct peer *peer,
                       uint64_t bytes)
{
    if (op->verb == COLL_READ || peer->rank == op->file->rank)
        return;
    op->explain.messages++;
    op->explain.bytes_exchanged += bytes;
}

/* Post the data of a round that has come, when one of two places is free. */
static void take_round(struct coll_op *op, size_t i)
{
    struct coll_client *client = op->client;
    struct peer *peer = &client->peers[i];
    MPI_Request *requests = &client->requests[i * REQS];
    int place = requests[REQ_DATA0] == MPI_REQUEST_NULL ? 0 : 1;
    uint64_t bytes;

    if (requests[REQ_DATA0 + place] != MPI_REQUEST_NULL)
        return;
    peer->has_round = false;
    if (peer->round.code != 0)
        return;
    peer->left -= cut(client, peer, peer->round.hi);
    peer->reached = peer->round.hi;
    bytes = cut(client, peer, peer->round.valid);
    if (bytes > 0) {
        post_data(op, peer, &requests[REQ_DATA0 + place], &peer->data[place]);
        count_sent(op, peer, bytes);
        op->bytes += bytes;
    }
    while (peer->first < peer->list->n &&
           run_end(&peer->list->runs[peer->first]) <= peer->round.hi)
        peer->first++;
    if (peer->left > 0)
        await_round(op, i);
}

bool coll_client_step(struct coll_op *op)
{
    struct coll_client *client = op->client;
    int n = 0;
    size_t i;

    if (client->npeers == 0)
        return true;
    PMPI_Testsome((int)(client->npeers * REQS), client->requests, &n,
                  client->indices, MPI_STATUSES_IGNORE);
    for (int k = 0; n != MPI_UNDEFINED && k < n; k++) {
        struct peer *peer = &client->peers[client->indices[k] / REQS];
        int what = client->indices[k] % REQS;

        if (what == REQ_HEADER)
            peer->has_round = true;
        else
            coll_memory_free(&peer->data[what - REQ_DATA0]);
    }
    for (i = 0; i < client->npeers; i++)
        if (client->peers[i].has_round)
            take_round(op, i);
    for (i = 0; i < client->npeers * REQS; i++)
        if (client->requests[i] != MPI_REQUEST_NULL)
            return false;
    for (i = 0; i < client->npeers; i++)
        if (client->peers[i].has_round)
            return false;
    return true;
}

uint64_t coll_client_owed_from(const struct coll_client *client, size_t i)
{
    const struct peer *peer = &client->peers[i];

    return peer->left > 0 ? peer->reached : UINT64_MAX;
}

uint64_t coll_client_reached(const struct coll_client *client, size_t i)
{
    return client->peers[i].reached;
}

void coll_client_reset(struct coll_client *client)
{
    free(client->peers);
    free(client->requests);
    free(client->indices);
    client->peers = NULL;
    client->requests = NULL;
    client->indices = NULL;
    client->npeers = 0;
}

void coll_client_free(struct coll_client **client_p)
{
    struct coll_client *client = *client_p;

    if (client == NULL)
        return;
    coll_client_reset(client);
    coll_scratch_fini(&client->scratch);
    free(client);
    *client_p = NULL;
}
