/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/sim_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "simulated cluster: %s: %d\n", what, rc);
    abort();
}

static void start_server(struct sim_server *server)
{
    struct sim_cluster *sim = server->sim;
    struct srv_target_config config = {
        .cluster = sim->cluster,
        .target = server->id,
        .clock = &sim->clock.clock,
        .net = &net_sim,
        .objects = &obj_mem,
        .names = &kv_mem,
        .fabric = sim->fabric,
        .disk = server->disk,
        .kv_disk = server->names,
        .is_simulated = true,
        .limits = {.sums_units = 24, .sums_objects = 12}, /* run out of both */
        .boot = sim->config.seed * 1000 + server->id * 100 + ++server->boots,
        .client = 1000 * server->boots + 100 + server->id,
    };

    must(srv_target_create(&config, &server->target), "start a server");
}

static int server_turn(void *ctx)
{
    struct sim_server *server = ctx;

    if (server->target != NULL)
        return srv_target_poll(server->target);
    if (server->sim->clock.now_ns < server->restart_ns)
        return 0;
    start_server(server);
    return 1;
}

void sim_kill(struct sim_cluster *sim, unsigned index)
{
    struct sim_server *server = &sim->servers[index];

    if (server->target == NULL)
        return;
    net_sim_crash(sim->fabric, srv_target_net(server->target));
    srv_target_destroy(&server->target);
    server->restart_ns =
        sim->clock.now_ns + rng_below(&sim->rng, 800) * NS_PER_MS;
    sim->kills++;
}

void sim_power_loss(struct sim_cluster *sim, unsigned index)
{
    struct sim_server *server = &sim->servers[index];

    sim_kill(sim, index);
    obj_mem_disk_power_loss(server->disk, rng_next(&sim->rng));
    kv_mem_disk_power_loss(server->names, rng_next(&sim->rng));
}

/* Kills at random times; an actor of its own, so never inside a server. */
static int killer_turn(void *ctx)
{
    struct sim_cluster *sim = ctx;

    if (sim->config.kill_ms == 0 || sim->clock.now_ns < sim->next_kill_ns)
        return 0;
    if (sim->next_kill_ns != 0)
        sim_kill(sim, (unsigned)rng_below(&sim->rng, sim->config.ntargets));
    sim->next_kill_ns = sim->clock.now_ns +
                        rng_below(&sim->rng, 2 * sim->config.kill_ms) *
                            NS_PER_MS;
    return 0;
}

static void make_map(struct sim_cluster *sim)
{
    char yaml[8192], text[CLUSTER_TEXT_MAX];
    int used;
    unsigned i;

    used = snprintf(yaml, sizeof(yaml),
                    "cluster: 5eed\ndefaults:\n  stripe_size: %u\nservers:\n",
                    sim->config.stripe_size);
    for (i = 0; i < sim->config.ntargets; i++)
        used += snprintf(yaml + used, sizeof(yaml) - used,
                         "  - name: s%u\n    node: sim\n    targets:\n"
                         "      - id: %u\n        service: t%u\n"
                         "        directory: /simulated/%u\n",
                         i + 1, i + 1, i + 1, i + 1);
    if (cluster_parse(yaml, (size_t)used, "sim", &sim->cluster, text) != 0) {
        fprintf(stderr, "%s\n", text);
        abort();
    }
}

static void make_client(struct sim_cluster *sim, unsigned index)
{
    struct cli_config config = {
        .net_driver = &net_sim,
        .fabric = sim->fabric,
        .clock = &sim->clock.clock,
        .cluster = sim->cluster,
        .client = 1 + index,
        .timeout_ms = sim->config.timeout_ms,
    };
    char text[CLUSTER_TEXT_MAX];

    must(cli_session_create(&config, &sim->clients[index], text), "client");
}

void sim_init(struct sim_cluster *sim, const struct sim_config *config)
{
    struct net_sim_config odds = {
        .seed = config->seed,
        .delay_min_ns =
            config->delay_ns != 0 ? config->delay_ns : 5 * NS_PER_US,
        .delay_max_ns =
            config->delay_ns != 0 ? config->delay_ns : 200 * NS_PER_US,
        .drop_percent = config->drop_percent,
        .duplicate_percent = config->duplicate_percent,
        .reorder_percent = config->reorder_percent,
        .break_percent = config->break_percent,
        .flip_percent = config->flip_percent,
        .eager_max = config->seed % 3 == 0 ? PROTO_MESSAGE_MAX : 0,
    };
    unsigned i;

    memset(sim, 0, sizeof(*sim));
    sim->config = *config;
    rng_init(&sim->rng, config->seed ^ 0x6b696c6c);
    clock_virtual_init(&sim->clock);
    must(net_sim_create(&odds, &sim->clock, &sim->fabric), "fabric");
    make_map(sim);
    for (i = 0; i < config->ntargets; i++) {
        sim->servers[i].sim = sim;
        sim->servers[i].id = (uint16_t)(i + 1);
        must(obj_mem_disk_create(1ull << 32, &sim->servers[i].disk), "disk");
        obj_mem_disk_clock(sim->servers[i].disk, &sim->clock.clock);
        must(kv_mem_disk_create(&sim->servers[i].names), "names");
        start_server(&sim->servers[i]);
        must(net_sim_actor_add(sim->fabric, server_turn, &sim->servers[i]),
             "actor");
    }
    must(net_sim_actor_add(sim->fabric, killer_turn, sim), "killer");
    for (i = 0; i < config->nclients; i++)
        make_client(sim, i);
}

void sim_fini(struct sim_cluster *sim)
{
    unsigned i;

    for (i = 0; i < sim->config.nclients; i++)
        capstan_session_close(&sim->clients[i]);
    net_sim_actor_remove(sim->fabric, sim);
    for (i = 0; i < sim->config.ntargets; i++) {
        net_sim_actor_remove(sim->fabric, &sim->servers[i]);
        srv_target_destroy(&sim->servers[i].target);
        obj_mem_disk_destroy(&sim->servers[i].disk);
        kv_mem_disk_destroy(&sim->servers[i].names);
    }
    cluster_destroy(&sim->cluster);
    net_sim_destroy(&sim->fabric);
}

void sim_run(struct sim_cluster *sim, uint64_t ns)
{
    uint64_t until = sim->clock.now_ns + ns;

    while (sim->clock.now_ns < until) {
        if (net_sim_step(sim->fabric, until) == 0)
            clock_virtual_set(&sim->clock, sim->clock.now_ns + NS_PER_MS);
    }
}

uint64_t sim_counter(struct sim_cluster *sim, enum counter_index which)
{
    struct counters counters;
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < sim->config.ntargets; i++) {
        if (sim->servers[i].target == NULL)
            continue;
        srv_target_counters(sim->servers[i].target, &counters);
        sum += counters.value[which];
    }
    return sum;
}
