/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated fabric: endpoints in one process, virtual time, one seed.
 *
 * Messages take a random delay, may be dropped or delivered twice; order
 * between two endpoints is kept among messages that are delivered unless
 * `reorder_percent` says otherwise. RMA is a copy at its time of completion,
 * never dropped alone: to a crashed endpoint it ends with ERR_LINK, and so does
 * one under which the connection breaks, with all that is under way between
 * the two; what is started later travels by a new connection.
 *
 * Actors are the other loops of the process (servers): while anybody waits,
 * every actor is run and the clock jumps to the next event.
 *
 * Threads  one thread for everything on a fabric.
 * Failure  -ENOMEM only.
 */
#ifndef CAPSTAN_NET_SIM_H
#define CAPSTAN_NET_SIM_H

#include "base/clock.h"
#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>

struct net_sim_fabric;

struct net_sim_config {
    uint64_t seed;
    uint64_t delay_min_ns; /* of a message or RMA */
    uint64_t delay_max_ns;
    unsigned drop_percent;      /* of messages */
    unsigned duplicate_percent; /* of messages */
    unsigned reorder_percent;   /* of messages: delay without keeping order */
    unsigned break_percent;     /* of RMA: the connection breaks under it */
    unsigned flip_percent;      /* of messages and RMA: a bit is flipped */
    size_t eager_max;           /* what net_eager_max() says */
};

/** One turn of a loop; returns how many things it did. */
typedef int net_sim_actor_fn(void *ctx);

int net_sim_create(const struct net_sim_config *config,
                   struct clock_virtual *clock,
                   struct net_sim_fabric **fabric_out);
void net_sim_destroy(struct net_sim_fabric **fabric_p);

/** Change the odds from now on. */
void net_sim_set_odds(struct net_sim_fabric *fabric, unsigned drop_percent,
                      unsigned duplicate_percent, unsigned reorder_percent);

/** Add a loop. @return 0 or -ENOMEM. */
int net_sim_actor_add(struct net_sim_fabric *fabric, net_sim_actor_fn *run,
                      void *ctx);
void net_sim_actor_remove(struct net_sim_fabric *fabric, void *ctx);

/**
 * Cut an endpoint off as kill -9 would: what is under way to or from it is
 * lost, operations of others to it end with ERR_LINK. net_close() it after.
 */
void net_sim_crash(struct net_sim_fabric *fabric, struct net *net);

/**
 * Let RMA to and from an endpoint hang, as to a process that is stopped or
 * computes; false lets it go on.
 */
void net_sim_stall(struct net *net, bool is_stalled);

/**
 * Run actors and deliver what is due; when nobody did anything, jump to the
 * next event, but not beyond until_ns. @return things done.
 */
int net_sim_step(struct net_sim_fabric *fabric, uint64_t until_ns);

/** Messages sent, dropped, duplicated so far: for reports of a failed seed,
 *  and for what operations cost. */
struct net_sim_counts {
    uint64_t sent, dropped, duplicated, rma;
    uint64_t sent_bytes, rma_bytes;
    uint64_t flipped_messages, flipped_rma;
};
void net_sim_counts(const struct net_sim_fabric *fabric,
                    struct net_sim_counts *counts_out);

#endif
