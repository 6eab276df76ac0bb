/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fabric: one endpoint that sends messages to peers and moves memory by
 * RMA, behind one ops table: net_ofi (libfabric, FI_EP_RDM) or net_sim (one
 * process, virtual time, drops and delays from a seed).
 *
 * The happy path: net_open() makes an endpoint that listens; net_name() is the
 * blob by which others reach it; net_peer_add() turns a host and service, or
 * such a blob, into a peer; net_send() and net_write()/net_read() start a
 * transfer; net_poll() completes transfers and hands over arrived messages by
 * calling back.
 *
 * Possible failure modes are: a peer that is gone (the operation's callback
 * gets ERR_LINK; the next operation to it connects anew), a message lost or
 * late (only the layer above can tell), a registration refused.
 *
 * Units    bytes, nanoseconds.
 * Threads  one owner thread an endpoint; no locks. Callbacks run in net_poll()
 *          or net_wait() only, never inside the call that starts an operation.
 * Failure  a start that fails with -EAGAIN has done nothing: poll, then repeat.
 */
#ifndef CAPSTAN_NET_H
#define CAPSTAN_NET_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_NAME_MAX 128         /* bytes of an endpoint's name */
#define NET_ANY_PORT "0"         /* service: let the system choose */
#define NET_PEER_NONE UINT64_MAX /* no peer */

struct net;
struct net_op;
struct net_mr;

/** An arrived message. The bytes are valid until net_release(net, buffer). */
typedef void net_recv_fn(void *ctx, struct net *net, void *buffer, size_t len);

/** The end of an operation: rc is 0 or negative. Runs exactly once. */
typedef void net_done_fn(struct net_op *op, int rc);

/**
 * One operation. Belongs to the caller, who keeps it, and the memory it names,
 * until its callback has run.
 */
struct net_op {
    net_done_fn *done;
    void *driver[12]; /* the driver's own (libfabric's context first) */
};

struct net_config {
    const char *provider;      /* libfabric's name, e.g. "tcp;ofi_rxm", "shm" */
    const char *node;          /* address to listen on; NULL: any */
    const char *const *toward; /* with node NULL: nodes that must reach us */
    unsigned toward_count;
    const char *service; /* port or name to listen on; NULL or "0": any */
    size_t message_max;  /* longest message sent or received */
    unsigned receives;   /* receive buffers kept posted */
    net_recv_fn *recv;
    void *recv_ctx;
    const struct clock *clock;
    void *fabric;     /* net_sim: the struct net_sim_fabric; else NULL */
    bool no_shortcut; /* net_ofi: no RMA past the provider on one machine */
};

/* What memory is made of; a GPU kind will join. */
enum net_mem_kind { NET_MEM_HOST };

/* What peers may do to registered memory. */
enum net_access {
    NET_LOCAL = 0,       /* local side of our own operations only */
    NET_REMOTE_READ = 1, /* peers may read it */
    NET_REMOTE_WRITE = 2 /* peers may write it */
};

/** How a peer names registered memory: travels on the wire. */
struct net_remote {
    uint64_t key;
    uint64_t addr; /* of the registration's first byte, as peers must say it */
};

/** What an endpoint's provider can do; fixed when it is open. */
struct net_caps {
    bool send_after_write; /* a send to a peer never overtakes an RMA write */
    bool has_wait_fd;      /* net_wait_fd() is a descriptor */
    size_t message_max;    /* as configured */
};

/* Every slot is filled; a driver without an operation returns -ENOTSUP. */
struct net_driver {
    const char *name;
    int (*open)(const struct net_config *config, struct net **net_out);
    void (*close)(struct net *net);
    int (*name_get)(struct net *net, void *name, size_t *len_inout);
    int (*peer_resolve)(struct net *net, const char *node, const char *service,
                        uint64_t *peer_out);
    int (*peer_insert)(struct net *net, const void *name, size_t len,
                       uint64_t *peer_out);
    void (*peer_remove)(struct net *net, uint64_t peer);
    int (*mr_reg)(struct net *net, void *memory, size_t len,
                  enum net_mem_kind kind, unsigned access,
                  struct net_mr **mr_out);
    void (*mr_dereg)(struct net *net, struct net_mr *mr);
    void (*mr_remote)(const struct net_mr *mr, struct net_remote *remote_out);
    int (*send)(struct net *net, struct net_op *op, uint64_t peer,
                const void *message, size_t len, struct net_mr *mr);
    int (*write)(struct net *net, struct net_op *op, uint64_t peer,
                 const void *memory, size_t len, struct net_mr *mr,
                 uint64_t remote_addr, uint64_t key);
    int (*read)(struct net *net, struct net_op *op, uint64_t peer, void *memory,
                size_t len, struct net_mr *mr, uint64_t remote_addr,
                uint64_t key);
    bool (*can_copy)(struct net *net, uint64_t peer);
    int (*copy)(struct net *net, uint64_t peer, const void *memory, size_t len,
                uint64_t remote_addr, uint64_t key);
    size_t (*eager_max)(const struct net *net, uint64_t peer);
    void (*release)(struct net *net, void *buffer);
    int (*poll)(struct net *net);
    int (*wait_fd)(struct net *net);
    int (*may_sleep)(struct net *net);
    int (*wait)(struct net *net, uint64_t until_ns);
    const struct net_caps *(*caps)(const struct net *net);
};

/* Drivers embed this first. */
struct net {
    const struct net_driver *driver;
    size_t expected; /* net_expect() */
};

extern const struct net_driver net_ofi;
extern const struct net_driver net_sim;

/**
 * Open an endpoint and start to receive.
 *
 * @param net_out  set on success only; ended with net_close().
 * @return 0, -EINVAL (unknown provider, bad address; logged), -EADDRINUSE,
 *         -ENODATA (no such provider here), -ENOMEM.
 */
static inline int net_open(const struct net_driver *driver,
                           const struct net_config *config,
                           struct net **net_out)
{
    return driver->open(config, net_out);
}

/** Close. Callbacks of operations still under way do not run. */
static inline void net_close(struct net *net)
{
    net->driver->close(net);
}

/**
 * The endpoint's own name, for peers to insert.
 *
 * @param len_inout  in: room at name (NET_NAME_MAX suffices); out: bytes.
 * @return 0 or -ENOSPC.
 */
static inline int net_name(struct net *net, void *name, size_t *len_inout)
{
    return net->driver->name_get(net, name, len_inout);
}

/** Look up a host and service. @return 0, -EHOSTUNREACH or -ENOMEM. */
static inline int net_peer_resolve(struct net *net, const char *node,
                                   const char *service, uint64_t *peer_out)
{
    return net->driver->peer_resolve(net, node, service, peer_out);
}

/** Make a peer of an endpoint's name. The bytes may come from outside.
 *  @return 0, -EINVAL (not a name) or -ENOMEM. */
static inline int net_peer_insert(struct net *net, const void *name, size_t len,
                                  uint64_t *peer_out)
{
    return net->driver->peer_insert(net, name, len, peer_out);
}

/** Forget a peer and its connection. */
static inline void net_peer_remove(struct net *net, uint64_t peer)
{
    net->driver->peer_remove(net, peer);
}

/**
 * Register memory. After net_mr_dereg() no peer can touch it any more.
 *
 * @param access  NET_REMOTE_* or'ed, or NET_LOCAL.
 * @return 0, -EINVAL, -ENOMEM or the provider's refusal.
 */
static inline int net_mr_reg(struct net *net, void *memory, size_t len,
                             enum net_mem_kind kind, unsigned access,
                             struct net_mr **mr_out)
{
    return net->driver->mr_reg(net, memory, len, kind, access, mr_out);
}

static inline void net_mr_dereg(struct net *net, struct net_mr *mr)
{
    net->driver->mr_dereg(net, mr);
}

static inline void net_mr_remote(struct net *net, const struct net_mr *mr,
                                 struct net_remote *remote_out)
{
    net->driver->mr_remote(mr, remote_out);
}

/**
 * Send a message. done(0) means the buffer may be reused, not that the peer
 * has it. mr is the registration of message, or NULL.
 *
 * @return 0, -EAGAIN (queue full), -EMSGSIZE, or ERR_LINK negated.
 */
static inline int net_send(struct net *net, struct net_op *op, uint64_t peer,
                           const void *message, size_t len, struct net_mr *mr)
{
    return net->driver->send(net, op, peer, message, len, mr);
}

/**
 * RMA write of local memory to a peer's. done(0) means the memory may be
 * reused; that the bytes have arrived, a message sent behind them tells, when
 * caps.send_after_write, else done(0) tells it. @return as net_send().
 */
static inline int net_write(struct net *net, struct net_op *op, uint64_t peer,
                            const void *memory, size_t len, struct net_mr *mr,
                            uint64_t remote_addr, uint64_t key)
{
    return net->driver->write(net, op, peer, memory, len, mr, remote_addr, key);
}

/** RMA read of a peer's memory into ours. @return as net_send(). */
static inline int net_read(struct net *net, struct net_op *op, uint64_t peer,
                           void *memory, size_t len, struct net_mr *mr,
                           uint64_t remote_addr, uint64_t key)
{
    return net->driver->read(net, op, peer, memory, len, mr, remote_addr, key);
}

/** Can net_copy() reach this peer now? It is another process of this machine
 *  then, whose memory we may touch. */
static inline bool net_can_copy(struct net *net, uint64_t peer)
{
    return net->driver->can_copy(net, peer);
}

/**
 * RMA write at once, by the kernel alone: from memory that need not be
 * registered, nor be there at all (a mapping of a file that has been cut).
 *
 * @return 0; -EACCES (no such memory, theirs or ours), -ERR_LINK, -ENOTSUP.
 *         Part may be there then; net_write() tells what is the matter.
 */
static inline int net_copy(struct net *net, uint64_t peer, const void *memory,
                           size_t len, uint64_t remote_addr, uint64_t key)
{
    return net->driver->copy(net, peer, memory, len, remote_addr, key);
}

/**
 * How long a message to a peer may be, for what it carries to cost less than by
 * an RMA of the peer's: it goes in one piece then, without a question and an
 * answer. @return bytes; 0: RMA is cheap, or long messages are not.
 */
static inline size_t net_eager_max(const struct net *net, uint64_t peer)
{
    return net->driver->eager_max(net, peer);
}

/** Give a received message's buffer back, so that it can receive again. */
static inline void net_release(struct net *net, void *buffer)
{
    net->driver->release(net, buffer);
}

/** Move everything on; never blocks. @return events handled (0: idle). */
static inline int net_poll(struct net *net)
{
    return net->driver->poll(net);
}

/** A descriptor to poll(2) while idle, or -1 if the provider has none. */
static inline int net_wait_fd(struct net *net)
{
    return net->driver->wait_fd(net);
}

/**
 * May the thread sleep on net_wait_fd()? For 100 ms at a time, no longer:
 * links that do not come up are given up by net_poll() only.
 *
 * @return 0, or -EAGAIN: poll first.
 */
static inline int net_may_sleep(struct net *net)
{
    return net->driver->may_sleep(net);
}

/** What is waited for moves about so many bytes: so long may a spin be. */
static inline void net_expect(struct net *net, size_t bytes)
{
    net->expected = bytes;
}

/**
 * Wait for something to do: polls, spins a little, then sleeps until an event
 * or until the clock says until_ns. net_sim moves the whole simulated world on
 * instead. @return events handled; 0 when the time came first.
 */
static inline int net_wait(struct net *net, uint64_t until_ns)
{
    return net->driver->wait(net, until_ns);
}

static inline const struct net_caps *net_caps(const struct net *net)
{
    return net->driver->caps(net);
}

#endif
