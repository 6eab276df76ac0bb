/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole cluster in one process: real servers and clients over the simulated
 * fabric, devices and clock, from one seed. Servers can be killed and started
 * again at any event; the devices outlive them.
 *
 * Units    virtual nanoseconds.
 * Threads  one.
 * Failure  abort(): a broken harness is not a test result.
 */
#ifndef CAPSTAN_TESTS_SIM_CLUSTER_H
#define CAPSTAN_TESTS_SIM_CLUSTER_H

#include "base/clock.h"
#include "base/rng.h"
#include "client/cli.h"
#include "net/net_sim.h"
#include "server/target.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_TARGETS_MAX 16
#define SIM_CLIENTS_MAX 8

struct sim_server {
    struct sim_cluster *sim;
    struct srv_target *target; /* NULL while dead */
    struct obj_mem_disk *disk;
    struct kv_mem_disk *names;
    uint16_t id;
    uint64_t boots;
    uint64_t restart_ns; /* while dead */
};

struct sim_config {
    uint64_t seed;
    unsigned ntargets;
    unsigned nclients;
    uint32_t stripe_size;
    unsigned drop_percent, duplicate_percent, reorder_percent, break_percent;
    unsigned flip_percent; /* of messages and RMA */
    unsigned kill_ms; /* a kill this often on average; 0: never */
    uint32_t timeout_ms;
    uint64_t delay_ns; /* of everything sent; 0: random, 5 to 200 us */
};

struct sim_cluster {
    struct sim_config config;
    struct clock_virtual clock;
    struct net_sim_fabric *fabric;
    struct cluster *cluster;
    struct sim_server servers[SIM_TARGETS_MAX];
    struct capstan_session *clients[SIM_CLIENTS_MAX];
    struct rng rng;
    uint64_t next_kill_ns;
    unsigned kills;
};

void sim_init(struct sim_cluster *sim, const struct sim_config *config);
void sim_fini(struct sim_cluster *sim);

/** As kill -9: what the server acknowledged stays. Restarts by itself. */
void sim_kill(struct sim_cluster *sim, unsigned index);

/** As a loss of power there: what was not synced is lost in part. */
void sim_power_loss(struct sim_cluster *sim, unsigned index);

/** Let virtual time pass. */
void sim_run(struct sim_cluster *sim, uint64_t ns);

/** The sum of a counter over living servers. */
uint64_t sim_counter(struct sim_cluster *sim, enum counter_index which);

#endif
