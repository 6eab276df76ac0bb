/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One peer an aggregator, each with a request for the next round's header and
 * two places for the data of a round, for an aggregator has two buffers. A
 * place has a request for the data and, of a read that other ranks want too,
 * some for passing it on. Everything is tested by one Testsome.
 *
 * Possible failure modes: a header with a code ends that peer, data under way
 * is still awaited. Memory for the largest round is taken before the first
 * request is sent, so that a receive cannot fail for want of it.
 */
#include "adio/common/coll_client.h"

#include "base/mem.h"

#include <errno.h>

#define PLACE_REQS (1 + COLL_PASS_MAX)

enum { REQ_HEADER, REQ_PLACES, REQS = REQ_PLACES + 2 * PLACE_REQS };

/* The data of a round, from its message on until it has come and gone. */
struct place {
    struct coll_round round;
    struct coll_memory memory;
    uint64_t bytes;
    int nunder_way; /* requests */
};

struct peer {
    int rank;
    const struct coll_list *list; /* in the exchange's parts */
    size_t first;                 /* runs before it are over */
    uint64_t left;                /* bytes of rounds still to come */
    uint64_t reached;             /* end of the last round taken */
    struct coll_round round;
    bool has_round; /* arrived, data not yet posted */
    uint32_t owner;
    struct place places[2];
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
            .owner = part->owner,
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

static MPI_Request *requests_of(struct coll_op *op, size_t i, int which)
{
    return &op->client->requests[i * REQS + REQ_PLACES +
                                 (size_t)(which * PLACE_REQS)];
}

/* Two rounds of an owner may be on their way from one rank to another. */
static int pass_tag(const struct peer *peer, const struct place *place)
{
    return COLL_TAG_PASS + (int)(2 * peer->owner + place->round.number % 2);
}

static void receive(struct coll_op *op, const struct peer *peer,
                    struct place *place, MPI_Request *to)
{
    const struct coll_memory *memory = &place->memory;
    bool is_passed = place->round.from != COLL_NO_RANK;

    PMPI_Irecv(memory->base, memory->count, memory->type,
               is_passed ? place->round.from : peer->rank,
               is_passed ? pass_tag(peer, place) : COLL_TAG_DATA,
               op->kept->comm, to);
}

static void send(struct coll_op *op, const struct peer *peer,
                 struct place *place, MPI_Request *to)
{
    const struct coll_memory *memory = &place->memory;

    PMPI_Isend(memory->base, memory->count, memory->type, peer->rank,
               COLL_TAG_DATA, op->kept->comm, to);
    if (peer->rank == op->file->rank)
        return;
    op->explain.messages++;
    op->explain.bytes_exchanged += place->bytes;
}

/* The data of a read is here: others may wait for it. */
static void pass_on(struct coll_op *op, const struct peer *peer,
                    struct place *place, MPI_Request *requests)
{
    const struct coll_memory *memory = &place->memory;

    for (int i = 0; i < COLL_PASS_MAX; i++) {
        if (place->round.to[i] == COLL_NO_RANK)
            continue;
        PMPI_Isend(memory->base, memory->count, memory->type,
                   place->round.to[i], pass_tag(peer, place), op->kept->comm,
                   &requests[1 + i]);
        place->nunder_way++;
        op->explain.messages++;
        op->explain.bytes_exchanged += place->bytes;
        if (i < COLL_PASS_WITHIN)
            op->explain.bytes_between_nodes += place->bytes;
    }
}

/* Post the data of a round that has come, when one of two places is free. */
static void take_round(struct coll_op *op, size_t i)
{
    struct coll_client *client = op->client;
    struct peer *peer = &client->peers[i];
    int which = peer->places[0].nunder_way == 0 ? 0 : 1;
    struct place *place = &peer->places[which];

    if (place->nunder_way > 0)
        return;
    peer->has_round = false;
    if (peer->round.code != 0)
        return;
    place->round = peer->round;
    peer->left -= cut(client, peer, peer->round.hi);
    peer->reached = peer->round.hi;
    place->bytes = cut(client, peer, peer->round.valid);
    op->bytes += place->bytes;
    if (place->bytes > 0 && place->round.from != COLL_SPARED) {
        coll_memory_make(&client->scratch, &place->memory);
        (op->verb == COLL_READ ? receive : send)(op, peer, place,
                                                 requests_of(op, i, which));
        place->nunder_way = 1;
    }
    while (peer->first < peer->list->n &&
           run_end(&peer->list->runs[peer->first]) <= peer->round.hi)
        peer->first++;
    if (peer->left > 0)
        await_round(op, i);
}

/* Request `index` is over. */
static void end_request(struct coll_op *op, int index)
{
    size_t i = (size_t)index / REQS;
    struct peer *peer = &op->client->peers[i];
    int which = (index % REQS - REQ_PLACES) / PLACE_REQS;
    struct place *place = &peer->places[which];

    if (index % REQS == REQ_HEADER) {
        peer->has_round = true;
        return;
    }
    place->nunder_way--;
    if (op->verb == COLL_READ && (index % REQS - REQ_PLACES) % PLACE_REQS == 0)
        pass_on(op, peer, place, requests_of(op, i, which));
    if (place->nunder_way == 0)
        coll_memory_free(&place->memory);
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
    for (int k = 0; n != MPI_UNDEFINED && k < n; k++)
        end_request(op, client->indices[k]);
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
