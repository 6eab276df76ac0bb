/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A two-phase collective read of ranks whose blocks interleave: who aggregates
 * what is the engine's own choice (adio/common/coll_nodes.h, coll_realm.h).
 *
 * An aggregator first takes the requests of all ranks that want something of
 * its realm, a message each; then it reads its realm in rounds, and while one
 * round is delivered, a header and the data for each rank of it, the next is
 * read. The cards of the nodes that receive are not stations here: what they
 * must take in at least is a bound of the time.
 */
#include "adio/common/coll_exchange.h"
#include "adio/common/coll_nodes.h"
#include "adio/common/coll_realm.h"
#include "benchmarks/scale_model.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES_A_CLIENT 2 /* of a round: header and data */

static struct coll_nodes nodes;
static struct coll_realm realm;
static uint64_t total;     /* bytes */
static uint32_t *owner_of; /* aggregator by rank, + 1 */
static uint64_t messages;  /* between ranks */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As coll_nodes_init() finds them; ranks are numbered node by node. */
static void lay_nodes(const struct world *world)
{
    unsigned per_node = (unsigned)world->set.ranks_per_node;

    nodes = (struct coll_nodes){.size = (int)world->nranks,
                                .nnodes = (int)world->nnodes,
                                .cores = (int)per_node};
    nodes.nodes = calloc(world->nnodes, sizeof(*nodes.nodes));
    if (nodes.nodes == NULL)
        exit(1);
    for (unsigned i = 0; i < world->nnodes; i++) {
        struct coll_node *node = &nodes.nodes[i];

        node->ranks = (int32_t)least(per_node, world->nranks - i * per_node);
        node->limit = node->ranks;
        for (int k = 0; k < NODE_CANDIDATES; k++)
            node->candidates[k] = (int32_t)(i * per_node) + k % node->ranks;
    }
}

static void lay_realms(struct world *world)
{
    const struct layout *layout = &world->files[0];
    uint32_t n = coll_nodes_count(&nodes, (uint32_t)world->set.cb_nodes,
                                  layout->width, total);

    coll_realm_init(&realm, 0, total, n, layout->stripe_size, layout->width,
                    layout->stripe_size);
    owner_of = calloc(world->nranks, sizeof(*owner_of));
    if (owner_of == NULL)
        exit(1);
    for (uint32_t i = 0; i < realm.owners; i++)
        owner_of[coll_nodes_rank(&nodes, i, realm.owners)] = i + 1;
}

/* Stripes of a rank's realm from its position on, as many as its buffer has
 * room for. */
static void next_round(struct world *world, uint32_t number)
{
    struct rank *rank = &world->ranks[number];
    uint64_t room = (uint64_t)world->set.cb_buffer_kib << 10;
    uint64_t begin, end;

    work_begin(world, number, &world->files[0]);
    while (rank->position < total && room > 0) {
        begin = rank->position;
        if (coll_realm_owner(&realm, begin, &end) + 1 == owner_of[number]) {
            end = least(least(end, total), begin + room);
            work_extent(world, &world->files[0], begin, end - begin);
            room -= end - begin;
        }
        rank->position = least(end, total);
    }
    work_end(world, &world->files[0]);
    if (rank->position == total)
        rank->left = 0;
}

/* A round has been read: tell its ranks. @return when they have it. */
static uint64_t deliver(struct world *world, uint32_t number)
{
    struct rank *rank = &world->ranks[number];
    double bytes = (double)(rank->done_bytes - rank->told_bytes);
    double blocks = bytes / (world->set.transfer_kib * 1024);
    uint64_t clients = least((uint64_t)blocks + 1, world->nranks);
    uint64_t sent_ns;

    rank->told_bytes = rank->done_bytes;
    messages += MESSAGES_A_CLIENT * clients;
    station_serve(&rank->core, world->now_ns,
                  (uint64_t)(MESSAGES_A_CLIENT * (double)clients *
                                 world->set.aggregator_message_ns +
                             bytes / 1024 * world->set.aggregator_kib_ns));
    sent_ns = station_serve(
        &world->nodes[number / (unsigned)world->set.ranks_per_node].out,
        world->now_ns,
        (uint64_t)(bytes * (1 - 1.0 / world->nnodes) * 8 /
                   world->set.card_gbit));
    return sent_ns > rank->core.free_ns[0] ? sent_ns : rank->core.free_ns[0];
}

/* Only aggregators do anything, and first they hear what is wanted. */
static void hear_wishes(struct world *world)
{
    for (uint32_t i = 0; i < world->nranks; i++) {
        world->ranks[i].left = owner_of[i] > 0 ? UINT32_MAX : 0;
        if (owner_of[i] == 0)
            continue;
        messages += world->nranks;
        station_serve(
            &world->ranks[i].core, 0,
            (uint64_t)(world->nranks * world->set.aggregator_message_ns));
    }
}

static void print(const struct world *world)
{
    double at_least_ns = (double)total / world->nnodes *
                         (1 - 1.0 / world->nnodes) * 8 / world->set.card_gbit;
    double took_ns = (double)world->now_ns;
    uint64_t wishes = world->nranks *
                      (sizeof(struct coll_wish) + sizeof(struct coll_wire_run));

    if (took_ns < at_least_ns)
        took_ns = at_least_ns;
    printf("{\"servers\": %u, \"targets\": %u, \"ranks\": %u, \"nodes\": %u, "
           "\"aggregators\": %u, \"mb_per_s\": %.1f, \"ms\": %.3f, "
           "\"messages\": %.3f, \"requests\": %.3f, "
           "\"aggregator_memory\": %.0f}\n",
           world->nservers, world->ntargets, world->nranks, world->nnodes,
           realm.owners, (double)total * 1e3 / took_ns, took_ns / 1e6,
           (double)messages / world->nranks,
           (double)world->messages / 2 / realm.owners,
           (double)wishes + 2 * world->set.cb_buffer_kib * 1024);
}

void collective_run(const struct scale *set)
{
    static struct world world;

    world_init(&world, set);
    total = (uint64_t)(set->ranks * set->pieces * set->transfer_kib * 1024);
    lay_nodes(&world);
    lay_realms(&world);
    hear_wishes(&world);
    world.next = next_round;
    world.after = deliver;
    world_run(&world);
    print(&world);
    free(owner_of);
    coll_nodes_fini(&nodes);
    world_fini(&world);
}
