/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An aggregator's rounds. The happy path of a read, for each of two slots:
 *
 *   1. begin the next round, unite what is wanted, start to read it (STORAGE);
 *   2. when it is there (LOADED) and all earlier rounds are out, send each
 *      client the round and its data (RANKS);
 *   3. when all is sent the slot is free for the round after next.
 *
 * So round i + 1 is read while round i is delivered. A write is the mirror:
 * tell each client the round and receive its data (RANKS), then write the union
 * (STORAGE), while the other slot receives.
 *
 * Possible failure modes: once anything fails no round is begun; what is under
 * way in the slots is finished (a client that was told a round has its data
 * sent or received); then each client with bytes left is sent a last round
 * with the code; what it was not sent another rank may move (coll_takeover.c).
 * A short read is the end of the file: the round says up to
 * where bytes exist. A short write is -EIO.
 */
#include "adio/common/coll_agg.h"

#include "base/mem.h"

#include <errno.h>

int coll_agg_create(struct coll_agg **agg_out)
{
    *agg_out = mem_calloc(1, sizeof(**agg_out));
    if (*agg_out == NULL)
        return -ENOMEM;
    (*agg_out)->lost_from = UINT64_MAX;
    return 0;
}

/* What lies in a slot's round will not get to storage. */
static void lose(struct coll_agg *agg, const struct agg_slot *slot)
{
    if (slot->round.lo < agg->lost_from)
        agg->lost_from = slot->round.lo;
}

/* The rounds that will not be begun are lost too. */
static void lose_rest(struct coll_agg *agg)
{
    uint64_t from = agg->next_round * agg->buffer_size;

    if (agg->nrounds == 0)
        agg->lost_from = 0;
    else if (agg->next_round < agg->nrounds &&
             coll_space_offset(&agg->space, from, false) < agg->lost_from)
        agg->lost_from = coll_space_offset(&agg->space, from, false);
}

static void fail(struct coll_op *op, const struct adio_error *error)
{
    coll_fail_owner(op, error);
    if (!op->agg->is_failed) {
        op->agg->last.code = error->code;
        lose_rest(op->agg);
    }
    op->agg->is_failed = true;
}

static void fail_memory(struct coll_op *op)
{
    struct adio_error error;

    adio_error_set(&error, -ENOMEM, "%s: aggregating", op->file->display);
    fail(op, &error);
}

/* @return 0, or -ENOMEM when the wish of a client was lost. */
static int take_clients(struct coll_op *op)
{
    struct coll_agg *agg = op->agg;

    agg->clients = op->exchange->wishes.all;
    agg->nclients = op->exchange->wishes.n;
    for (size_t i = 0; i < agg->nclients; i++)
        if (agg->clients[i].is_lost)
            fail_memory(op);
    return agg->is_failed ? -ENOMEM : 0;
}

static int lay_space(struct coll_agg *agg)
{
    int rc = 0;

    for (size_t i = 0; i < agg->nclients; i++) {
        const struct coll_list *list = &agg->clients[i].list;

        for (size_t k = 0; k < list->n && rc == 0; k++)
            rc = coll_space_add(&agg->space, &list->runs[k]);
    }
    coll_space_end(&agg->space);
    return rc;
}

static int make_slot(struct coll_op *op, int i)
{
    const struct coll_agg *agg = op->agg;
    struct agg_slot *slot = &op->agg->slots[i];

    slot->buffer = coll_buffer(op->kept, i, agg->buffer_size);
    slot->requests = mem_calloc(2 * agg->nclients, sizeof(MPI_Request));
    slot->memories = mem_calloc(agg->nclients, sizeof(*slot->memories));
    return slot->buffer == NULL || slot->requests == NULL ||
                   slot->memories == NULL
               ? -ENOMEM
               : 0;
}

static int make_buffers(struct coll_op *op)
{
    struct coll_agg *agg = op->agg;
    uint64_t wanted = op->all.buffer_size;
    int rc;

    agg->buffer_size = agg->space.bytes < wanted ? agg->space.bytes : wanted;
    agg->nrounds = (agg->space.bytes + agg->buffer_size - 1) / agg->buffer_size;
    rc = coll_union_init(&agg->set, agg->buffer_size);
    if (rc == 0)
        rc = coll_pass_reserve(&agg->pass, agg->nclients);
    if (rc == 0)
        rc = make_slot(op, 0);
    if (rc == 0 && agg->nrounds > 1)
        rc = make_slot(op, 1);
    return rc;
}

void coll_agg_start(struct coll_op *op)
{
    struct coll_agg *agg = op->agg;

    if (op->exchange->wishes.n == 0)
        return;
    op->explain.takeovers += op->is_second_try;
    if (take_clients(op) != 0)
        return;
    if (lay_space(agg) != 0 || make_buffers(op) != 0) {
        agg->nrounds = 0;
        fail_memory(op);
    }
    if (op->explain.rounds < agg->nrounds)
        op->explain.rounds = (uint32_t)agg->nrounds;
}

/* A slot has read or written, or delivered or collected, its round. */
static void trace(struct coll_op *op, const struct agg_slot *slot,
                  bool is_storage)
{
    int track = is_storage ? TRACE_TRACK_STORAGE : TRACE_TRACK_RANKS;
    bool is_read = op->verb == COLL_READ;
    enum trace_name name = is_read ? TRACE_DELIVER : TRACE_COLLECT;

    if (op->kept->trace == NULL)
        return;
    if (is_storage)
        name = is_read ? TRACE_READ : TRACE_WRITE;
    coll_trace_span(op->kept->trace, track + (int)(slot - op->agg->slots), name,
                    slot->origin / op->agg->buffer_size, slot->since);
}

/* Ask storage for slot->list. */
static void start_io(struct coll_op *op, struct agg_slot *slot)
{
    const struct adio_driver *driver = op->file->driver;
    struct adio_error error = {0};
    int rc;

    slot->since = coll_trace_now(op->kept->trace);
    if (op->verb == COLL_READ)
        rc = driver->ireadlist(op->file, slot->list.runs, slot->list.n,
                               &slot->io, &error);
    else
        rc = driver->iwritelist(op->file, slot->list.runs, slot->list.n,
                                &slot->io, &error);
    slot->state = AGG_STORAGE;
    if (rc != 0) {
        slot->state = AGG_FREE;
        lose(op->agg, slot);
        fail(op, &error);
    }
}

static void unite_and_start_io(struct coll_op *op, struct agg_slot *slot)
{
    if (coll_round_unite(op->agg, slot) == 0) {
        start_io(op, slot);
        return;
    }
    slot->state = AGG_FREE;
    lose(op->agg, slot);
    fail_memory(op);
}

static void post(struct coll_op *op, struct agg_slot *slot)
{
    slot->state = AGG_RANKS;
    slot->since = coll_trace_now(op->kept->trace);
    if (coll_round_post(op, slot) != 0) {
        lose(op->agg, slot);
        fail_memory(op);
    }
}

static void begin(struct coll_op *op, struct agg_slot *slot)
{
    struct coll_agg *agg = op->agg;

    if (agg->is_failed || agg->next_round == agg->nrounds ||
        slot->buffer == NULL)
        return;
    coll_round_begin(agg, slot);
    if (op->verb == COLL_READ)
        unite_and_start_io(op, slot);
    else
        post(op, slot);
}

/* Storage has ended a slot's io. */
static void stored(struct coll_op *op, struct agg_slot *slot, int rc,
                   uint64_t bytes, struct adio_error *error)
{
    bool is_short = bytes < runs_bytes(slot->list.runs, slot->list.n);

    trace(op, slot, true);
    op->explain.bytes_storage += bytes;
    slot->state = op->verb == COLL_READ ? AGG_LOADED : AGG_FREE;
    if (rc == 0 && is_short && op->verb == COLL_WRITE) {
        rc = -EIO;
        adio_error_set(error, rc, "%s: short write at %llu", op->file->display,
                       (unsigned long long)slot->round.lo);
    }
    if (rc != 0) {
        slot->state = AGG_FREE;
        lose(op->agg, slot);
        fail(op, error);
    } else if (is_short) {
        slot->round.valid =
            coll_offset_at(slot->list.runs, slot->list.n, bytes);
    }
}

static void test_io(struct coll_op *op, struct agg_slot *slot)
{
    struct adio_error error = {0};
    uint64_t bytes = 0;
    bool is_done;
    int rc =
        op->file->driver->test(op->file, &slot->io, &is_done, &bytes, &error);

    if (is_done)
        stored(op, slot, rc, bytes, &error);
}

/* A loaded round goes out in its turn; after a failure its turn never comes. */
static void send_in_turn(struct coll_op *op, struct agg_slot *slot)
{
    struct coll_agg *agg = op->agg;

    if (agg->is_failed) { /* some client may lack the round before */
        slot->state = AGG_FREE;
    } else if (slot->origin == agg->next_out * agg->buffer_size) {
        agg->next_out++;
        post(op, slot);
    }
}

static void test_ranks(struct coll_op *op, struct agg_slot *slot)
{
    int flag;

    PMPI_Testall(slot->nrequests, slot->requests, &flag, MPI_STATUSES_IGNORE);
    if (!flag)
        return;
    trace(op, slot, false);
    for (int i = 0; i < slot->nmemories; i++)
        coll_memory_free(&slot->memories[i]);
    slot->state = AGG_FREE;
    if (op->verb == COLL_WRITE && op->agg->is_failed)
        lose(op->agg, slot);
    else if (op->verb == COLL_WRITE)
        unite_and_start_io(op, slot);
}

static void move_slot(struct coll_op *op, struct agg_slot *slot)
{
    switch (slot->state) {
    case AGG_FREE:
        begin(op, slot);
        break;
    case AGG_STORAGE:
        test_io(op, slot);
        break;
    case AGG_LOADED:
        send_in_turn(op, slot);
        break;
    case AGG_RANKS:
        test_ranks(op, slot);
        break;
    }
}

static void send_last(struct coll_op *op)
{
    struct coll_agg *agg = op->agg;

    agg->is_last_sent = true;
    for (size_t i = 0; i < agg->nclients; i++)
        if (agg->clients[i].left > 0)
            PMPI_Isend(&agg->last, COLL_ROUND_BYTES, MPI_BYTE,
                       agg->clients[i].rank, COLL_TAG_ROUND, op->kept->comm,
                       &agg->clients[i].request);
}

static bool is_last_received(struct coll_agg *agg)
{
    int flag = 1;

    for (size_t i = 0; i < agg->nclients && flag; i++)
        PMPI_Test(&agg->clients[i].request, &flag, MPI_STATUS_IGNORE);
    return flag;
}

bool coll_agg_step(struct coll_op *op)
{
    struct coll_agg *agg = op->agg;
    int i;

    if (agg->nclients == 0)
        return true;
    op->io = NULL;
    for (i = 0; i < 2; i++) {
        move_slot(op, &agg->slots[i]);
        if (agg->slots[i].state == AGG_STORAGE)
            op->io = agg->slots[i].io;
    }
    for (i = 0; i < 2; i++)
        if (agg->slots[i].state != AGG_FREE)
            return false;
    if (!agg->is_failed)
        return agg->next_round == agg->nrounds;
    if (!agg->is_last_sent)
        send_last(op);
    return is_last_received(agg);
}

void coll_agg_reset(struct coll_agg *agg)
{
    for (int i = 0; i < 2; i++) {
        free(agg->slots[i].requests);
        free(agg->slots[i].memories);
        coll_list_fini(&agg->slots[i].list);
    }
    coll_space_fini(&agg->space);
    coll_union_fini(&agg->set);
    coll_scratch_fini(&agg->scratch);
    coll_list_fini(&agg->clip);
    coll_pass_fini(&agg->pass);
    *agg = (struct coll_agg){.lost_from = UINT64_MAX};
}

void coll_agg_free(struct coll_agg **agg_p)
{
    if (*agg_p == NULL)
        return;
    coll_agg_reset(*agg_p);
    free(*agg_p);
    *agg_p = NULL;
}
