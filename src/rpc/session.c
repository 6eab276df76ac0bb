/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions: what a server knows of its clients.
 *
 * The happy path: HELLO names the client's endpoint; the session made for it
 * lives through lost connections and remembers the last RPC_WINDOW requests, so
 * that a retry is answered and not repeated.
 *
 * Possible failure modes are: a client that never comes back (its session is
 * forgotten when the room is needed, or after RPC_IDLE_NS); too many clients
 * (HELLO is answered with "busy").
 */
#include "rpc/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

struct rpc_session *session_find(struct rpc *rpc, uint64_t id)
{
    struct rpc_session *session;

    HASH_FIND(by_id, rpc->sessions_by_id, &id, sizeof(id), session);
    return session;
}

void session_lost(struct rpc *rpc, uint64_t id)
{
    struct rpc_session *session = session_find(rpc, id);

    if (session != NULL)
        session->is_lost = true;
}

static void forget(struct rpc *rpc, struct rpc_session *session)
{
    unsigned i;

    HASH_DELETE(by_client, rpc->sessions_by_client, session);
    HASH_DELETE(by_id, rpc->sessions_by_id, session);
    net_peer_remove(rpc->config.net, session->peer);
    for (i = 0; i < RPC_WINDOW; i++)
        free(session->slot[i].kept);
    free(session);
    rpc->nsessions--;
}

void sessions_fini(struct rpc *rpc)
{
    struct rpc_session *session, *next;

    HASH_ITER(by_client, rpc->sessions_by_client, session, next)
        forget(rpc, session);
}

/* Make room: forget who is gone or silent for long. */
static bool forget_some(struct rpc *rpc)
{
    uint64_t now = clock_now(rpc->config.clock);
    unsigned before = rpc->nsessions;
    struct rpc_session *session, *next;

    HASH_ITER(by_client, rpc->sessions_by_client, session, next)
        if (session->active == 0 &&
            (session->is_lost || now - session->seen_ns > RPC_IDLE_NS))
            forget(rpc, session);
    return rpc->nsessions < before;
}

static int make(struct rpc *rpc, uint64_t client, uint64_t peer,
                struct rpc_session **session_out)
{
    struct rpc_session *session;

    if (rpc->nsessions >= rpc->config.sessions_max && !forget_some(rpc))
        return -ERR_BUSY;
    session = mem_calloc(1, sizeof(*session));
    if (session == NULL)
        return -ENOMEM;
    session->client = client;
    /* Far apart for boots that are neighbours: an id of one process must not
     * be another client's in the next. */
    session->id = rng_mix(rng_mix(rpc->config.boot) + ++rpc->next_session);
    session->peer = peer;
    HASH_ADD(by_client, rpc->sessions_by_client, client,
             sizeof(session->client), session);
    HASH_ADD(by_id, rpc->sessions_by_id, id, sizeof(session->id), session);
    rpc->nsessions++;
    *session_out = session;
    return 0;
}

int session_open(struct rpc *rpc, const struct proto_req_hello *hello,
                 struct rpc_session **session_out)
{
    struct rpc_session *session;
    uint64_t peer;
    int rc;

    HASH_FIND(by_client, rpc->sessions_by_client, &hello->client,
              sizeof(hello->client), session);
    if (session != NULL && !session->is_lost &&
        session->name_len == hello->name.len &&
        memcmp(session->name, hello->name.data, hello->name.len) == 0)
        goto out;
    rc = net_peer_insert(rpc->config.net, hello->name.data, hello->name.len,
                         &peer);
    if (rc != 0)
        return rc;
    if (session == NULL) {
        rc = make(rpc, hello->client, peer, &session);
        if (rc != 0) {
            net_peer_remove(rpc->config.net, peer);
            return rc;
        }
    } else {
        net_peer_remove(rpc->config.net, session->peer);
        session->peer = peer;
    }
    memcpy(session->name, hello->name.data, hello->name.len);
    session->name_len = hello->name.len;
    session->is_lost = false;
out:
    session->seen_ns = clock_now(rpc->config.clock);
    if (hello->floor > session->floor)
        session->floor = hello->floor;
    *session_out = session;
    return 0;
}
