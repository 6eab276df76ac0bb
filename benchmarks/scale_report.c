/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/scale_model.h"

#include <stdio.h>

/* What is busiest, of stations of a kind: a part of the time. */
struct busiest {
    const char *name;
    double part;
};

static void look(const struct world *world, struct busiest *busiest,
                 const char *name, const struct station *station)
{
    double part = (double)station->busy_ns / station->nplaces /
                  (double)(world->now_ns > 0 ? world->now_ns : 1);

    if (part <= busiest->part)
        return;
    busiest->part = part;
    busiest->name = name;
}

static struct busiest find_busiest(const struct world *world)
{
    struct busiest busiest = {"nothing", 0};

    for (unsigned i = 0; i < world->ntargets; i++) {
        look(world, &busiest, "server core", &world->targets[i].core);
        look(world, &busiest, "device", &world->targets[i].device);
    }
    for (unsigned i = 0; i < world->nservers; i++)
        look(world, &busiest, "server card", &world->servers[i].out);
    for (unsigned i = 0; i < world->nnodes; i++)
        look(world, &busiest, "client card", &world->nodes[i].in);
    for (unsigned i = 0; i < world->nranks; i++)
        look(world, &busiest, "client core", &world->ranks[i].core);
    if (world->host.nplaces > 0)
        look(world, &busiest, "the host's cores", &world->host);
    return busiest;
}

/* The most that a target moved, by the mean, and how many moved nothing. */
static double balance(const struct world *world, unsigned *nidle_out)
{
    uint64_t most = 0;

    *nidle_out = 0;
    for (unsigned i = 0; i < world->ntargets; i++) {
        *nidle_out += world->targets[i].bytes == 0;
        if (world->targets[i].bytes > most)
            most = world->targets[i].bytes;
    }
    return (double)most * world->ntargets / (double)world->bytes;
}

/* A second, from the first rank's start to the last one's end. */
static double operations_per_s(const struct world *world)
{
    return (double)world->noperations * 1e9 / (double)world->now_ns;
}

void report_print(const struct world *world)
{
    double n = (double)world->noperations;
    double per_s = operations_per_s(world);
    struct busiest busiest = find_busiest(world);
    unsigned nidle;
    double uneven = balance(world, &nidle);

    printf("{\"servers\": %u, \"targets\": %u, \"ranks\": %u, "
           "\"mb_per_s\": %.1f, \"pieces_per_s\": %.1f, "
           "\"operation_us\": %.2f, \"messages\": %.3f, "
           "\"message_bytes\": %.1f, \"most_by_mean\": %.3f, "
           "\"idle_targets\": %u, \"busiest\": \"%s\", \"busy\": %.3f}\n",
           world->nservers, world->ntargets, world->nranks,
           per_s * (double)world->bytes / n / 1e6,
           per_s * (double)world->pieces / n,
           (double)world->waited_ns / n / 1e3, (double)world->messages / n,
           (double)world->message_bytes / n, uneven, nidle, busiest.name,
           busiest.part);
}
