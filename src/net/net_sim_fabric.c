/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated fabric itself: addresses, actors, odds and time.
 *
 * The happy path: endpoints put events into the queue (net_sim.c); whoever
 * waits calls net_sim_step(), which runs every actor once and makes due events
 * happen; when nobody had anything to do the clock moves on to the next event.
 *
 * Actors have timers that the fabric cannot see. So the clock never moves by
 * more than SIM_HOP_NS without asking them again; a timer fires at most that late.
 *
 * Possible failure modes are: an actor that waits inside its turn (it is not
 * entered again until that turn is over), an actor that removes itself or adds
 * another (the list is walked by index, and emptied slots are swept only when
 * none is running).
 */
#include "net/net_sim_priv.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>


int net_sim_create(const struct net_sim_config *config,
                   struct clock_virtual *clock,
                   struct net_sim_fabric **fabric_out)
{
    struct net_sim_fabric *fabric = mem_calloc(1, sizeof(*fabric));

    if (fabric == NULL)
        return -ENOMEM;
    assert(config->delay_min_ns <= config->delay_max_ns);
    fabric->config = *config;
    fabric->clock = clock;
    fabric->next_key = 1;
    rng_init(&fabric->rng, config->seed);
    *fabric_out = fabric;
    return 0;
}

void net_sim_destroy(struct net_sim_fabric **fabric_p)
{
    struct net_sim_fabric *fabric = *fabric_p;

    *fabric_p = NULL;
    if (fabric == NULL)
        return;
    for (size_t i = 0; i < fabric->naddresses; i++)
        assert(fabric->addresses[i].ep == NULL);
    sim_queue_fini(&fabric->queue);
    free(fabric->addresses);
    free(fabric->actors);
    free(fabric);
}

void net_sim_set_odds(struct net_sim_fabric *fabric, unsigned drop_percent,
                      unsigned duplicate_percent, unsigned reorder_percent)
{
    fabric->config.drop_percent = drop_percent;
    fabric->config.duplicate_percent = duplicate_percent;
    fabric->config.reorder_percent = reorder_percent;
}

void net_sim_counts(const struct net_sim_fabric *fabric,
                    struct net_sim_counts *counts_out)
{
    *counts_out = fabric->counts;
}

/* A listener on any node is found from every node. */
static bool is_at(const struct sim_address *address, const char *node,
                  const char *service)
{
    return strcmp(address->service, service) == 0 &&
           (address->node[0] == '\0' || node[0] == '\0' ||
            strcmp(address->node, node) == 0);
}

int sim_address_get(struct net_sim_fabric *fabric, const char *node,
                    const char *service, uint64_t *index_out)
{
    struct sim_address *grown;

    for (size_t i = 0; i < fabric->naddresses; i++)
        if (is_at(&fabric->addresses[i], node, service)) {
            *index_out = i;
            return 0;
        }
    if (strlen(node) >= SIM_NODE_MAX || strlen(service) >= SIM_NODE_MAX ||
        fabric->naddresses == SIM_ADDRESSES_MAX)
        return -EHOSTUNREACH;
    grown = mem_grow(fabric->addresses, fabric->naddresses + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    fabric->addresses = grown;
    grown += fabric->naddresses;
    memset(grown, 0, sizeof(*grown));
    snprintf(grown->node, sizeof(grown->node), "%s", node);
    snprintf(grown->service, sizeof(grown->service), "%s", service);
    *index_out = fabric->naddresses++;
    return 0;
}

int net_sim_actor_add(struct net_sim_fabric *fabric, net_sim_actor_fn *run,
                      void *ctx)
{
    struct sim_actor *grown;

    grown = mem_grow(fabric->actors, fabric->nactors + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    fabric->actors = grown;
    grown[fabric->nactors++] = (struct sim_actor){.run = run, .ctx = ctx};
    return 0;
}

/* Drop the slots of removed actors, unless a walk is under way. */
static void sweep_actors(struct net_sim_fabric *fabric)
{
    size_t nkept = 0;

    for (size_t i = 0; i < fabric->nactors; i++)
        if (fabric->actors[i].is_running)
            return;
    for (size_t i = 0; i < fabric->nactors; i++)
        if (fabric->actors[i].run != NULL)
            fabric->actors[nkept++] = fabric->actors[i];
    fabric->nactors = nkept;
}

void net_sim_actor_remove(struct net_sim_fabric *fabric, void *ctx)
{
    for (size_t i = 0; i < fabric->nactors; i++)
        if (fabric->actors[i].ctx == ctx)
            fabric->actors[i].run = NULL;
    sweep_actors(fabric);
}

static int run_actors(struct net_sim_fabric *fabric)
{
    int ndone = 0;

    for (size_t i = 0; i < fabric->nactors; i++) {
        if (fabric->actors[i].run == NULL || fabric->actors[i].is_running)
            continue;
        fabric->actors[i].is_running = true;
        ndone += fabric->actors[i].run(fabric->actors[i].ctx);
        fabric->actors[i].is_running = false; /* the array may have moved */
    }
    sweep_actors(fabric);
    return ndone;
}

/* Draws nothing where connections hold, so that old seeds stay what they are.
 */
static void toss_link(struct net_sim_fabric *fabric, struct sim_event *event)
{
    if (fabric->config.break_percent == 0 || event->to == NULL ||
        !rng_chance(&fabric->rng, fabric->config.break_percent))
        return;
    sim_queue_cut(&fabric->queue, event->from, event->to);
    event->to = NULL;
}

static void happen(struct net_sim_fabric *fabric, struct sim_event *event)
{
    if (event->kind == SIM_MESSAGE) {
        sim_ep_ready(event->to, event);
        return;
    }
    if (event->kind == SIM_WRITE || event->kind == SIM_READ) {
        if (sim_ep_is_stalled(event->to) || sim_ep_is_stalled(event->from)) {
            event->due_ns = fabric->clock->now_ns + SIM_HOP_NS;
            if (sim_queue_push(&fabric->queue, event) == 0)
                return;
        }
        toss_link(fabric, event);
        event->rc = sim_ep_rma(event);
    }
    sim_ep_ready(event->from, event);
}

int sim_deliver(struct net_sim_fabric *fabric)
{
    struct sim_event *event;
    int ndone = 0;

    while ((event = sim_queue_top(&fabric->queue)) != NULL &&
           event->due_ns <= fabric->clock->now_ns) {
        happen(fabric, sim_queue_pop(&fabric->queue));
        ndone++;
    }
    return ndone;
}

/* Move the clock to the next event, a hop at most, not beyond until_ns. */
static void hop(struct net_sim_fabric *fabric, uint64_t until_ns)
{
    const struct sim_event *next = sim_queue_top(&fabric->queue);
    uint64_t to_ns = fabric->clock->now_ns + SIM_HOP_NS;

    if (next != NULL && next->due_ns < to_ns)
        to_ns = next->due_ns;
    clock_virtual_set(fabric->clock, to_ns < until_ns ? to_ns : until_ns);
}

int net_sim_step(struct net_sim_fabric *fabric, uint64_t until_ns)
{
    for (;;) {
        int ndone = run_actors(fabric);

        ndone += sim_deliver(fabric);
        if (ndone > 0 || fabric->clock->now_ns >= until_ns)
            return ndone;
        hop(fabric, until_ns);
    }
}
