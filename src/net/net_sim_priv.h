/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the simulated fabric: what net_sim.c (endpoints), net_sim_fabric.c
 * (time, odds, actors) and net_sim_event.c (the queue of events) share.
 *
 * Units    nanoseconds of the virtual clock; bytes.
 * Threads  one for everything on a fabric.
 * Failure  -ENOMEM only.
 */
#ifndef CAPSTAN_NET_SIM_PRIV_H
#define CAPSTAN_NET_SIM_PRIV_H

#include "base/rng.h"
#include "net/net_sim.h"

#define SIM_NODE_MAX 64
#define SIM_ADDRESSES_MAX 65536
#define SIM_HOP_NS (1 * NS_PER_MS) /* actors are asked that often at least */
#define SIM_EVENT_MAGIC 0x51e7e47u

struct sim_ep;

enum sim_kind {
    SIM_MESSAGE, /* bytes for `to` */
    SIM_DONE,    /* op of `from` ends with rc */
    SIM_WRITE,   /* copy into memory of `to`, then op of `from` ends */
    SIM_READ     /* copy from memory of `to`, then op of `from` ends */
};

/*
 * Something that happens at due_ns. A message's bytes lie behind it, and its
 * event is what the receiver holds until net_release(). When an endpoint goes,
 * its operations go with it (from), and RMA towards it loses its `to`.
 */
struct sim_event {
    unsigned magic;
    enum sim_kind kind;
    uint64_t due_ns;
    uint64_t order; /* of events due at the same time: first come */
    struct sim_ep *from;
    struct sim_ep *to;
    struct sim_event *next; /* in an endpoint's ready list */
    struct net_op *op;
    int rc;
    void *memory;
    uint64_t remote_addr;
    uint64_t key;
    size_t len;
    char bytes[];
};

/* A binary heap of events, the earliest on top. */
struct sim_queue {
    struct sim_event **events;
    size_t nevents;
    size_t room;
};

/** Add an event; the queue owns it. @return 0 or -ENOMEM (still yours). */
int sim_queue_push(struct sim_queue *queue, struct sim_event *event);

/** The earliest event, still queued, or NULL. */
struct sim_event *sim_queue_top(const struct sim_queue *queue);

/** Take the earliest event. The queue must not be empty. */
struct sim_event *sim_queue_pop(struct sim_queue *queue);

/** An endpoint is gone: free its events, turn RMA towards it into failures. */
void sim_queue_forget(struct sim_queue *queue, struct sim_ep *ep);

/** A connection broke: messages between the two are lost, RMA fails. */
void sim_queue_cut(struct sim_queue *queue, const struct sim_ep *a,
                   const struct sim_ep *b);

/** Free the queue and all events in it. */
void sim_queue_fini(struct sim_queue *queue);

/* A place at which an endpoint listens, listened or is hoped to listen. */
struct sim_address {
    char node[SIM_NODE_MAX]; /* "": any node */
    char service[SIM_NODE_MAX];
    struct sim_ep *ep; /* NULL: nobody listens */
};

struct sim_actor {
    net_sim_actor_fn *run; /* NULL: removed */
    void *ctx;
    bool is_running; /* an actor that waits is not entered again */
};

struct net_sim_fabric {
    struct net_sim_config config;
    struct net_sim_counts counts;
    struct clock_virtual *clock;
    struct rng rng;
    struct sim_queue queue;
    uint64_t order;
    uint64_t next_key;
    uint64_t next_port;
    struct sim_address *addresses; /* a peer is an index into this */
    size_t naddresses;
    struct sim_actor *actors;
    size_t nactors;
};

/** Find or make the address. @return 0, -ENOMEM or -EHOSTUNREACH (limits). */
int sim_address_get(struct net_sim_fabric *fabric, const char *node,
                    const char *service, uint64_t *index_out);

/** Make every event happen whose time has come. @return how many. */
int sim_deliver(struct net_sim_fabric *fabric);

/** An event has come: the endpoint keeps it until it is polled. */
void sim_ep_ready(struct sim_ep *ep, struct sim_event *event);

/** Copy an RMA event's bytes. @return 0, -EACCES or -ERR_LINK. */
int sim_ep_rma(struct sim_event *event);

/** Does RMA to and from it hang? NULL: it does not. */
bool sim_ep_is_stalled(const struct sim_ep *ep);

/** Cut an endpoint off: its address is free and its events are gone. */
void sim_ep_detach(struct net_sim_fabric *fabric, struct sim_ep *ep);

#endif
