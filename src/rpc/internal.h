/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rpc's files share: messages on their way out, links to targets, sessions
 * of clients.
 *
 * Units    nanoseconds, bytes.
 * Threads  the rpc's owner thread.
 * Failure  said at each call.
 */
#ifndef CAPSTAN_RPC_INTERNAL_H
#define CAPSTAN_RPC_INTERNAL_H

#include "base/pool.h"
#include "net/net.h"
#include "proto/counters.h"
#include "proto/status.h"
#include "rpc/rpc.h"

#include <uthash.h>

#define RPC_SMALL_SIZE 2304u /* room for all but long lists and pages */
#define RPC_SMALL_COUNT 1024u
#define RPC_LARGE_COUNT 32u
#define RPC_LARGE_COUNT_SERVER 128u /* sums ride in replies of large reads */
#define RPC_KEPT_MAX 640u /* bytes of a reply kept for a retry */

#define RPC_RESEND_NS (1000 * NS_PER_MS)    /* ask again after this */
#define RPC_RESEND_MAX_NS (8000 * NS_PER_MS) /* doubled up to this */
#define RPC_HELLO_NS (250 * NS_PER_MS)
#define RPC_HELLO_MAX_NS (2000 * NS_PER_MS)
#define RPC_HELLO_TRIES 4 /* then the connection itself is given up */
#define RPC_BUSY_NS (10 * NS_PER_MS)
#define RPC_BUSY_MAX_NS (500 * NS_PER_MS)
#define RPC_IDLE_NS (600 * NS_PER_SEC) /* an idle session may be forgotten */

/* A message on its way out: from one of two pools, back when it is sent. */
struct rpc_message {
    struct net_op op; /* first: the op's address is the message's */
    struct rpc *rpc;
    struct rpc_link *link; /* requests: told when the connection is lost */
    uint64_t session;      /* replies: the session told of it */
    uint64_t peer;
    uint8_t *bytes;
    size_t len;
    bool is_large;
    bool forget_peer; /* remove the peer when it is sent */
    struct rpc_message *prev, *next;
};

struct rpc_message_pool {
    struct pool buffers;
    struct net_mr *mr;
    struct rpc_message *all;
    struct rpc_message *free;
};

enum link_state {
    LINK_IDLE,    /* nothing to say */
    LINK_HELLO,   /* HELLO sent, answer awaited until retry_ns */
    LINK_READY,   /* session open */
    LINK_BACKOFF, /* lost; HELLO again at retry_ns */
};

/* One target, as a caller sees it. Calls are in order of their numbers: first
 * those sent (number < floor + RPC_WINDOW), then those that wait. */
struct rpc_link {
    struct rpc *rpc;
    const struct cluster_target *target;
    enum link_state state;
    uint64_t peer; /* or NET_PEER_NONE */
    uint64_t session;
    uint64_t next_number;
    uint64_t hello_number; /* of the last HELLO */
    uint64_t hello_first;  /* answers to HELLOs before are too old */
    unsigned hello_tries;  /* without an answer, over this connection */
    uint64_t retry_ns;
    uint64_t retry_step_ns;
    struct rpc_call *calls;          /* all, by number */
    struct rpc_call *slot[RPC_WINDOW]; /* sent ones, by number % RPC_WINDOW */
    bool has_unsent;
};

enum slot_state { SLOT_EMPTY, SLOT_ACTIVE, SLOT_KEPT };

/* What a server remembers of one request number of a client. */
struct rpc_slot {
    uint64_t number;
    enum slot_state state;
    uint8_t *kept; /* RPC_KEPT_MAX bytes, made at first use */
    size_t kept_len;
};

struct rpc_session {
    uint64_t client; /* key */
    uint64_t id;     /* key of the second table */
    uint64_t peer;
    uint64_t floor;
    uint64_t seen_ns;
    unsigned active;
    bool is_lost; /* its connection broke: first to be forgotten */
    uint8_t name[PROTO_NAME_MAX];
    size_t name_len;
    struct rpc_slot slot[RPC_WINDOW];
    UT_hash_handle by_client;
    UT_hash_handle by_id;
};

struct rpc {
    struct rpc_config config;
    struct rpc_message_pool small;
    struct rpc_message_pool large;
    struct rpc_message *unsent; /* refused by the net with -EAGAIN */
    uint8_t name[NET_NAME_MAX];
    size_t name_len;
    struct rpc_link *links; /* one a target, in the cluster's order */
    uint64_t next_timer_ns;
    uint64_t sent, resent;
    struct rpc_session *sessions_by_client;
    struct rpc_session *sessions_by_id;
    unsigned nsessions;
    uint64_t next_session;
    struct rpc_request *requests_all; /* requests_max of them */
    struct rpc_request *requests_free;
    struct rpc_message **reserved; /* request i's small message */
    unsigned active;
    bool is_draining;
};

/* message.c */
int message_pools_init(struct rpc *rpc);
void message_pools_fini(struct rpc *rpc);
/** A message with room for RPC_SMALL_SIZE or PROTO_MESSAGE_MAX bytes, or NULL. */
struct rpc_message *message_get(struct rpc *rpc, bool is_large);
void message_put(struct rpc_message *message);
/** Send and forget; a full queue is tried again by message_flush(). */
void message_send(struct rpc_message *message, uint64_t peer);
int message_flush(struct rpc *rpc);
/** Write header and set the length; the body is in place. */
void message_seal(struct rpc_message *message, struct proto_header *header,
                  size_t body_len);
static inline uint8_t *message_body(struct rpc_message *message)
{
    return message->bytes + PROTO_HEADER_SIZE;
}
static inline size_t message_room(const struct rpc_message *message)
{
    return (message->is_large ? PROTO_MESSAGE_MAX : RPC_SMALL_SIZE) -
           PROTO_HEADER_SIZE;
}

/* link.c */
int links_init(struct rpc *rpc);
void links_fini(struct rpc *rpc);
void link_receive(struct rpc *rpc, const struct proto_header *header, int rc,
                  const uint8_t *body);
/** The net lost the connection to this link's peer. */
void link_lost(struct rpc_link *link);
/** Timers and waiting calls of every link. @return things done. */
int links_poll(struct rpc *rpc);
void rpc_timer_at(struct rpc *rpc, uint64_t when_ns);

/* serve.c */
int serve_init(struct rpc *rpc);
void serve_fini(struct rpc *rpc);
/** A request arrived. @return true when the buffer was kept. */
bool serve_receive(struct rpc *rpc, const struct proto_header *header, int rc,
                   void *buffer);

/* session.c */
struct rpc_session *session_find(struct rpc *rpc, uint64_t id);
/** Find or make the client's session and note its endpoint.
 *  @return 0, -EINVAL (bad name), -ERR_BUSY (too many), -ENOMEM. */
int session_open(struct rpc *rpc, const struct proto_req_hello *hello,
                 struct rpc_session **session_out);
/** The connection of a session broke; an unknown id is ignored. */
void session_lost(struct rpc *rpc, uint64_t id);
void sessions_fini(struct rpc *rpc);

static inline void rpc_count(struct rpc *rpc, enum counter_index which)
{
    if (rpc->config.counters != NULL)
        rpc->config.counters->value[which]++;
}

#endif
