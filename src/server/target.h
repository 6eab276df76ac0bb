/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A target: one device, one fabric endpoint, one reactor. All of a server but
 * the process around it, so that a simulated cluster can run many in one.
 *
 * The happy path: srv_target_create() opens endpoint, objects and names;
 * srv_target_run() serves until it is told to stop and then drains; or, in a
 * simulation, srv_target_poll() is called as an actor. srv_target_destroy().
 *
 * Units    bytes, nanoseconds.
 * Threads  one thread at a time; srv_target_wake() from any.
 * Failure  create refuses a directory that is not this target's; afterwards
 *          errors concern single requests and the target lives on.
 */
#ifndef CAPSTAN_SERVER_TARGET_H
#define CAPSTAN_SERVER_TARGET_H

#include "base/clock.h"
#include "meta/kv.h"
#include "net/net.h"
#include "proto/counters.h"
#include "rpc/cluster.h"
#include "store/obj.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct srv_target;

/* 0 means the default in brackets. */
struct srv_limits {
    unsigned requests_max;  /* served at once [256] */
    unsigned sessions_max;  /* clients known [4096] */
    unsigned buffers;       /* data buffers [64] */
    size_t buffer_size;     /* bytes of each; a multiple of 4096 [262144] */
    unsigned queue_depth;   /* operations at the device [128] */
    unsigned listings_max;  /* directory pages being made [16] */
    unsigned sums_units;    /* sums.h: units_max */
    unsigned sums_objects;  /* sums.h: objects_max */
};

struct srv_target_config {
    const struct cluster *cluster; /* borrowed */
    uint16_t target;               /* its id, in that cluster */
    const struct clock *clock;     /* borrowed */
    const struct net_driver *net;
    const struct obj_driver *objects;
    const struct kv_driver *names;
    void *fabric;    /* net_sim: the fabric */
    void *disk;      /* obj_mem: the disk */
    void *kv_disk;   /* kv_mem: the disk */
    bool is_simulated; /* no directory, no identity file, names run inline */
    uint64_t boot;   /* differs at each start, not 0 */
    uint64_t machine; /* differs at each start of the machine; 0: unknown */
    uint64_t client; /* who we are when we call other targets: random, not 0 */
    struct srv_limits limits;
};

/**
 * Open a target and listen.
 *
 * @param target_out  set on success only.
 * @return 0, -EADDRINUSE, -EINVAL (no such target; not its directory; both
 *         logged), -EBUSY (directory in use), -ENOMEM, or what net_open(),
 *         obj_open() and kv_open() return.
 */
int srv_target_create(const struct srv_target_config *config,
                      struct srv_target **target_out);

/** End at once: requests under way get no answer. NULLs; allows NULL. */
void srv_target_destroy(struct srv_target **target_p);

/** One turn: net and calls, names, objects, timers. @return things done. */
int srv_target_poll(struct srv_target *target);

/** When srv_target_poll() must run again at the latest. */
uint64_t srv_target_next_timer(const struct srv_target *target);

/**
 * Serve until *stop is true; then refuse new requests, finish those under way
 * (for SRV_DRAIN_NS at most), make names durable and return.
 */
#define SRV_DRAIN_NS (5 * NS_PER_SEC)
void srv_target_run(struct srv_target *target, const atomic_bool *stop);

/** Make srv_target_run() look at its flag. Any thread. */
void srv_target_wake(struct srv_target *target);

/** Refuse new requests from now on. */
void srv_target_drain(struct srv_target *target);

/** Is nothing under way? */
bool srv_target_is_idle(const struct srv_target *target);

/** The endpoint, for a simulation to cut off. Owned by the target. */
struct net *srv_target_net(struct srv_target *target);

/** Counters as they are now, space and uptime included. */
void srv_target_counters(struct srv_target *target,
                         struct counters *counters_out);

#endif
