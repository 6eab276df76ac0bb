/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls over one endpoint: out to targets, and in from clients. Server to
 * server calls use the same endpoint both ways.
 *
 * Calling, the happy path: rpc_call_start() links the call to its target; the
 * link is opened by HELLO when needed; the request is encoded from the caller's
 * struct into a registered buffer and sent; the reply is matched by its number,
 * decoded, and handed to the call's done().
 *
 * Serving, the happy path: a message arrives, is checked, finds its session,
 * and serve() is called with a struct rpc_request; rpc_reply() encodes the
 * answer and sends it. A request that takes effect once (PROTO_ONCE) leaves
 * its reply in the session until the client says, by its floor, that it has it.
 *
 * Possible failure modes are: a lost message (the call is sent again, with the
 * same number, until its deadline; the server answers again without doing it
 * again); a lost connection (HELLO anew, then every waiting call is sent again);
 * a restarted server (it does not know the session: the same); a busy server
 * (the call is sent again later); a server that never comes (done() gets
 * -ETIMEDOUT at the deadline).
 *
 * Units    nanoseconds, bytes.
 * Threads  one owner thread an rpc; callbacks run in rpc_poll() only.
 * Failure  a call cannot fail to start; done() runs exactly once unless it is
 *          cancelled.
 */
#ifndef CAPSTAN_RPC_H
#define CAPSTAN_RPC_H

#include "base/clock.h"
#include "net/net.h"
#include "proto/proto.h"
#include "rpc/cluster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc;
struct rpc_call;
struct rpc_link;
struct rpc_request;
struct rpc_session;

/* A client holds at most this many calls open to one target; the rest wait. */
#define RPC_WINDOW 64

/**
 * The end of a call. rep (byte fields included) is valid during the callback
 * and only when rc is 0. call->text holds the server's words on failure.
 */
typedef void rpc_done_fn(struct rpc_call *call, int rc,
                         const union proto_rep *rep);

/** One call. Belongs to the caller, as req does, until done() has run. */
struct rpc_call {
    uint16_t target;
    uint16_t opcode;
    const union proto_req *req; /* or a pointer to the one member, cast */
    uint64_t deadline_ns;
    rpc_done_fn *done;
    void *ctx;
    char text[PROTO_TEXT_MAX]; /* on failure: what the server said, or "" */
    /* below: rpc's own */
    struct rpc_link *link;
    struct rpc_call *prev, *next;
    uint64_t number;
    uint64_t resend_ns;
    uint32_t tries;
    uint32_t nbusy; /* answers that said so */
    bool is_sent;
};

/** Take a request: answer it now or later with rpc_reply(), exactly once. */
typedef void rpc_serve_fn(void *ctx, struct rpc_request *request);

/** A request being served. Belongs to rpc until it is answered. */
struct rpc_request {
    uint16_t opcode;
    uint64_t client;   /* the client's own number, the same after a restart */
    uint64_t number;   /* of this request, from that client */
    uint64_t floor;    /* the client needs no answer below */
    union proto_req body; /* byte fields live until rpc_reply() */
    void *user;        /* the server's */
    struct rpc_session *session; /* rpc's own from here */
    struct rpc *rpc;
    void *buffer;
    struct rpc_request *prev, *next;
};

struct rpc_config {
    struct net *net;          /* borrowed; its recv must be rpc_receive */
    const struct clock *clock;
    const struct cluster *cluster; /* borrowed */
    uint64_t client;          /* who we are when we call: random, not 0 */
    rpc_serve_fn *serve;      /* NULL: a pure client */
    void *serve_ctx;
    uint16_t target;          /* served here; 0: none */
    uint64_t boot;            /* differs at each start of the server */
    unsigned requests_max;    /* served at once; beyond: "busy, later" */
    unsigned sessions_max;
    struct counters *counters; /* server's; or NULL */
};

/** @return 0 or -ENOMEM. Set net_config.recv = rpc_receive and recv_ctx =
 *  &slot, a struct rpc * that is filled here, before messages arrive. */
int rpc_create(const struct rpc_config *config, struct rpc **rpc_out);

/** End. Calls under way get no callback; requests get no answer. */
void rpc_destroy(struct rpc **rpc_p);

/** For net_config.recv; ctx is a struct rpc **. */
void rpc_receive(void *ctx, struct net *net, void *buffer, size_t len);

/** Move calls, timers and the net on. @return things done. */
int rpc_poll(struct rpc *rpc);

/** When rpc_poll() must run again at the latest, for timers. */
uint64_t rpc_next_timer(const struct rpc *rpc);

/** Start a call whose public fields are set. */
void rpc_call_start(struct rpc *rpc, struct rpc_call *call);

/** How long a request to a target may be for what it carries to cost less than
 *  by RMA (net_eager_max()); 0 also when there is no connection yet. */
size_t rpc_eager_max(const struct rpc *rpc, uint16_t target);

/** Forget a call: no callback. Its number stays below the floor. */
void rpc_call_cancel(struct rpc *rpc, struct rpc_call *call);

/** Move the deadline of every call: the caller was elsewhere for so long. */
void rpc_calls_extend(struct rpc *rpc, uint64_t ns);

/** Calls sent so far, and sent again. */
void rpc_call_counts(const struct rpc *rpc, uint64_t *sent_out,
                     uint64_t *resent_out);

/**
 * Answer a request and end it. rc is 0 with rep, or negative with text (NULL:
 * none). Cannot fail: an answer that cannot be sent is asked for again.
 */
void rpc_reply(struct rpc_request *request, int rc, const union proto_rep *rep,
               const char *text);

/** The peer of a request's session, for RMA. */
uint64_t rpc_request_peer(const struct rpc_request *request);

/** Stop taking new requests ("busy"); for a server that drains. */
void rpc_drain(struct rpc *rpc);

/** Requests being served. */
unsigned rpc_active(const struct rpc *rpc);

#endif
