/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/scale_model.h"

#include <stdio.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define BEGIN (1u << 31) /* in an event: of a rank, not of a request */

/* Where a request is, or goes next. */
enum stage { CALL, SEND, ARRIVE, TAKE, READ, REPLY, BACK, LAND, END, OVER };

static void *make(size_t n, size_t size)
{
    void *memory = calloc(n, size);

    if (memory == NULL) {
        fprintf(stderr, "scale_sim: no memory\n");
        exit(1);
    }
    return memory;
}

/* --- Stations on the way --- */

static double kib(const struct request *request)
{
    return request->bytes / 1024.0;
}

/* A core of its own, or one of the host's. */
static uint64_t compute(struct world *world, struct station *core, double ns)
{
    return station_serve(world->set.host_cores > 0 ? &world->host : core,
                         world->now_ns, (uint64_t)ns);
}

static uint64_t card_ns(const struct world *world, double bytes)
{
    return (uint64_t)(world->set.card_message_ns +
                      bytes * 8 / world->set.card_gbit);
}

/* @return when the first byte is at the other side. */
static uint64_t send_from(struct world *world, struct station *out,
                          double bytes, struct request *request)
{
    uint64_t service_ns = card_ns(world, bytes);
    uint64_t end_ns;

    if (world->set.host_cores > 0)
        return world->now_ns;
    end_ns = station_serve(out, world->now_ns, service_ns) +
             (uint64_t)world->set.wire_ns;
    request->not_before_ns = end_ns;
    return end_ns - service_ns;
}

static uint64_t receive_at(struct world *world, struct station *in,
                           double bytes, const struct request *request)
{
    uint64_t end_ns;

    if (world->set.host_cores > 0)
        return world->now_ns;
    end_ns = station_serve(in, world->now_ns, card_ns(world, bytes));
    return end_ns > request->not_before_ns ? end_ns : request->not_before_ns;
}

static uint64_t read_device(struct world *world, struct target *target,
                            const struct request *request)
{
    const struct scale *set = &world->set;
    double by_count = request->pieces * 1e9 / set->device_iops;
    double by_bytes = request->bytes * 1e3 / set->device_mb_per_s;

    if (set->has_device == 0)
        return world->now_ns;
    return station_serve(
               &target->device, world->now_ns,
               (uint64_t)(by_count > by_bytes ? by_count : by_bytes)) +
           (uint64_t)set->device_ns;
}

/* When the request has passed the stage at which it is now. */
static uint64_t pass(struct world *world, struct request *request)
{
    const struct scale *set = &world->set;
    struct rank *rank = &world->ranks[request->rank];
    struct server *node =
        &world->nodes[request->rank / (unsigned)set->ranks_per_node];
    struct target *target = &world->targets[request->target];
    struct server *server =
        &world->servers[request->target / (unsigned)set->targets];

    switch ((enum stage)request->stage) {
    case CALL:
        return compute(world, &rank->core,
                       set->client_request_ns +
                           set->client_piece_ns * request->pieces);
    case SEND:
        return send_from(world, &node->out, request->message, request);
    case ARRIVE:
        return receive_at(world, &server->in, request->message, request);
    case TAKE:
        return compute(world, &target->core,
                       set->server_request_ns +
                           set->server_piece_ns * request->pieces);
    case READ:
        return read_device(world, target, request);
    case REPLY:
        return compute(world, &target->core, set->server_kib_ns * kib(request));
    case BACK:
        return send_from(world, &server->out,
                         (double)request->reply + request->bytes, request);
    case LAND:
        return receive_at(world, &node->in,
                          (double)request->reply + request->bytes, request);
    case END:
        return compute(world, &rank->core, set->client_kib_ns * kib(request));
    case OVER:
        break;
    }
    return world->now_ns;
}

/* --- Requests and operations --- */

static uint32_t request_new(struct world *world)
{
    uint32_t index = world->unused;

    if (index != NONE) {
        world->unused = world->requests[index].rank;
        return index;
    }
    if (world->nrequests == world->requests_room) {
        world->requests_room = 2 * world->requests_room + 1024;
        world->requests = realloc(
            world->requests, world->requests_room * sizeof(*world->requests));
        if (world->requests == NULL)
            exit(1);
    }
    return (uint32_t)world->nrequests++;
}

void world_send(struct world *world, const struct request *request)
{
    uint32_t index = request_new(world);

    world->requests[index] = *request;
    world->requests[index].stage = CALL;
    world->ranks[request->rank].nunder_way++;
    world->messages += 2;
    world->message_bytes += request->message + request->reply;
    world->pieces += request->pieces;
    queue_push(&world->queue, world->now_ns, index);
}

static void begin(struct world *world, uint32_t index)
{
    struct rank *rank = &world->ranks[index];

    if (rank->left == 0)
        return;
    if (rank->ready_ns > world->now_ns) {
        queue_push(&world->queue, rank->ready_ns, BEGIN | index);
        return;
    }
    rank->left--;
    rank->since_ns = world->now_ns;
    world->next(world, index);
}

/* Two buffers: the operation after this one's next waits for what follows it.
 */
static void follow(struct world *world, uint32_t index)
{
    struct rank *rank = &world->ranks[index];
    uint64_t before_ns = rank->followed_ns;

    if (world->after == NULL)
        return;
    rank->followed_ns = world->after(world, index);
    rank->ready_ns = before_ns;
}

static void note_operation(struct world *world, const struct rank *rank)
{
    world->waited_ns += world->now_ns - rank->since_ns;
}

static void end_request(struct world *world, uint32_t index)
{
    struct request *request = &world->requests[index];
    uint32_t number = request->rank;
    struct rank *rank = &world->ranks[number];

    world->targets[request->target].bytes += request->bytes;
    world->bytes += request->bytes;
    rank->done_bytes += request->bytes;
    request->rank = world->unused;
    world->unused = index;
    if (--rank->nunder_way > 0)
        return;
    note_operation(world, rank);
    follow(world, number);
    begin(world, number);
}

void world_run(struct world *world)
{
    struct event event;
    struct request *request;

    for (uint32_t i = 0; i < world->nranks; i++)
        begin(world, i);
    while (queue_pop(&world->queue, &event)) {
        world->now_ns = event.at_ns;
        if ((event.what & BEGIN) != 0) {
            begin(world, event.what & ~BEGIN);
            continue;
        }
        request = &world->requests[event.what];
        if (request->stage == OVER) {
            end_request(world, event.what);
            continue;
        }
        event.at_ns = pass(world, request);
        request->stage++;
        queue_push(&world->queue, event.at_ns, event.what);
    }
}

/* --- The world --- */

static struct server *make_cards(unsigned n)
{
    struct server *servers = make(n, sizeof(*servers));

    for (unsigned i = 0; i < n; i++) {
        station_init(&servers[i].in, 1);
        station_init(&servers[i].out, 1);
    }
    return servers;
}

static void make_targets(struct world *world)
{
    world->targets = make(world->ntargets, sizeof(*world->targets));
    world->target_ids = make(world->ntargets, sizeof(*world->target_ids));
    for (unsigned i = 0; i < world->ntargets; i++) {
        world->target_ids[i] = (uint16_t)(i + 1);
        station_init(&world->targets[i].core, 1);
        station_init(&world->targets[i].device, 1);
    }
}

static void make_ranks(struct world *world)
{
    world->ranks = make(world->nranks, sizeof(*world->ranks));
    for (unsigned i = 0; i < world->nranks; i++) {
        struct rank *rank = &world->ranks[i];

        station_init(&rank->core, 1);
        rng_init(&rank->rng, rng_mix((uint64_t)world->set.seed << 32 | i));
        rank->left = (uint32_t)world->set.operations;
    }
}

void world_init(struct world *world, const struct scale *set)
{
    *world = (struct world){.set = *set, .unused = NONE};
    world->nservers = (unsigned)set->servers;
    world->ntargets = world->nservers * (unsigned)set->targets;
    world->nranks = (unsigned)set->ranks;
    world->nnodes = (world->nranks - 1) / (unsigned)set->ranks_per_node + 1;
    world->noperations = world->nranks * (uint64_t)set->operations;
    world->servers = make_cards(world->nservers);
    world->nodes = make_cards(world->nnodes);
    make_targets(world);
    make_ranks(world);
    if (set->host_cores > 0)
        station_init(&world->host, (unsigned)set->host_cores);
    world->next = work_next;
    work_init(world);
}

void world_fini(struct world *world)
{
    work_fini(world);
    queue_fini(&world->queue);
    free(world->servers);
    free(world->nodes);
    free(world->targets);
    free(world->target_ids);
    free(world->ranks);
    free(world->requests);
}
