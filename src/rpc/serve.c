/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The serving side: requests in, replies out.
 *
 * The happy path: a request of a known session takes its slot (number modulo
 * RPC_WINDOW), a struct rpc_request and the message for its reply, so that the
 * reply cannot fail for want of one; serve() gets it; rpc_reply() sends it.
 *
 * Possible failure modes are: a repeat of a request under way (dropped: its
 * answer will come) or of one that took effect (its kept reply is sent again);
 * an old repeat (below the client's floor: dropped); no room ("busy, later");
 * a message that is not ours (counted, dropped); a version, cluster or target
 * that is not ours (said in the answer to HELLO).
 */
#include "rpc/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <utlist.h>

int serve_init(struct rpc *rpc)
{
    unsigned i, n = rpc->config.requests_max;

    if (rpc->config.serve == NULL)
        return 0;
    rpc->requests_all = mem_calloc(n, sizeof(*rpc->requests_all));
    rpc->reserved = mem_calloc(n, sizeof(*rpc->reserved));
    if (rpc->requests_all == NULL || rpc->reserved == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++)
        DL_APPEND(rpc->requests_free, &rpc->requests_all[i]);
    return 0;
}

void serve_fini(struct rpc *rpc)
{
    sessions_fini(rpc);
    free(rpc->reserved);
    free(rpc->requests_all);
}

/* The header of a reply, from the header or the request that it answers. */
static struct proto_header reply_header(struct rpc *rpc, unsigned opcode,
                                        uint64_t number, int rc)
{
    struct proto_header header = {0};

    header.opcode = (uint16_t)opcode;
    header.flags = PROTO_FLAG_REPLY;
    header.status = proto_status_of(rc);
    header.request = number;
    header.target = rpc->config.target;
    return header;
}

/* A reply without a body; if no message is free, the client asks again. */
static void answer_code(struct rpc *rpc, const struct proto_header *to,
                        uint64_t peer, int rc, bool forget_peer)
{
    struct proto_header header =
        reply_header(rpc, to->opcode, to->request, rc);
    struct rpc_message *message = message_get(rpc, false);

    if (message == NULL) {
        if (forget_peer)
            net_peer_remove(rpc->config.net, peer);
        return;
    }
    header.target = to->target;
    header.session = to->session;
    message_seal(message, &header, 0);
    message->session = to->session;
    message->forget_peer = forget_peer;
    message_send(message, peer);
}

/* Tell a stranger why it is refused. */
static void refuse(struct rpc *rpc, const struct proto_header *header,
                   const struct proto_req_hello *hello, int why)
{
    uint64_t peer;

    if (net_peer_insert(rpc->config.net, hello->name.data, hello->name.len,
                        &peer) == 0)
        answer_code(rpc, header, peer, why, true);
}

static void serve_hello(struct rpc *rpc, const struct proto_header *to, int rc,
                        const uint8_t *body)
{
    struct proto_header header = reply_header(rpc, to->opcode, to->request, 0);
    struct rpc_session *session;
    struct rpc_message *message;
    union proto_req req;
    union proto_rep rep = {0};
    size_t len;

    if (proto_req_decode(PROTO_OP_hello, body, to->body, &req) != 0) {
        rpc_count(rpc, COUNTER_malformed);
        return;
    }
    if (rc == 0 && (req.hello.cluster != rpc->config.cluster->id ||
                    req.hello.target != rpc->config.target))
        rc = -ERR_CLUSTER;
    if (rc == 0)
        rc = session_open(rpc, &req.hello, &session);
    if (rc != 0) {
        log_debug("refused a session: %s", err_text(rc));
        refuse(rpc, to, &req.hello, rc);
        return;
    }
    message = message_get(rpc, false);
    if (message == NULL)
        return; /* HELLO comes again */
    rep.hello.session = session->id;
    rep.hello.window = RPC_WINDOW;
    rep.hello.target = rpc->config.target;
    rc = proto_rep_encode(PROTO_OP_hello, &rep, message_body(message),
                          message_room(message), &len);
    assert(rc == 0);
    header.session = session->id;
    message_seal(message, &header, len);
    message->session = session->id;
    message_send(message, session->peer);
}

/* A repeat: say again what was said. */
static void send_kept(struct rpc *rpc, struct rpc_session *session,
                      const struct rpc_slot *slot)
{
    struct rpc_message *message = message_get(rpc, false);

    if (message == NULL)
        return;
    memcpy(message->bytes, slot->kept, slot->kept_len);
    message->len = slot->kept_len;
    message->session = session->id;
    message_send(message, session->peer);
}

/* Is it new? Otherwise it has been dealt with here. */
static bool is_fresh(struct rpc *rpc, struct rpc_session *session,
                     const struct proto_header *header)
{
    struct rpc_slot *slot = &session->slot[header->request % RPC_WINDOW];

    if (header->request < session->floor) {
        rpc_count(rpc, COUNTER_repeats);
        return false;
    }
    if (header->request >= session->floor + RPC_WINDOW) {
        rpc_count(rpc, COUNTER_malformed);
        return false;
    }
    if (slot->state == SLOT_EMPTY)
        return true;
    if (slot->number == header->request) {
        rpc_count(rpc, COUNTER_repeats);
        if (slot->state == SLOT_KEPT)
            send_kept(rpc, session, slot);
        return false;
    }
    if (slot->state == SLOT_KEPT)
        return true;
    /* The slot's request outlived its caller's patience. */
    rpc_count(rpc, COUNTER_busy);
    answer_code(rpc, header, session->peer, -ERR_BUSY, false);
    return false;
}

/* Everything a request needs until its reply is on its way. */
static int admit(struct rpc *rpc, struct rpc_slot *slot, unsigned opcode,
                 struct rpc_request **request_out)
{
    struct rpc_request *request = rpc->requests_free;
    struct rpc_message *message;

    if (rpc->is_draining || request == NULL)
        return -ERR_BUSY;
    if ((proto_op_flags(opcode) & PROTO_ONCE) && slot->kept == NULL) {
        slot->kept = mem_calloc(1, RPC_KEPT_MAX);
        if (slot->kept == NULL)
            return -ERR_BUSY;
    }
    message = message_get(rpc, false);
    if (message == NULL)
        return -ERR_BUSY;
    DL_DELETE(rpc->requests_free, request);
    rpc->reserved[request - rpc->requests_all] = message;
    *request_out = request;
    return 0;
}

bool serve_receive(struct rpc *rpc, const struct proto_header *header, int rc,
                   void *buffer)
{
    const uint8_t *body = (const uint8_t *)buffer + PROTO_HEADER_SIZE;
    struct rpc_session *session;
    struct rpc_request *request = NULL;
    struct rpc_slot *slot;
    union proto_req req;

    if (rpc->config.serve == NULL)
        return false;
    if (header->opcode == PROTO_OP_hello && (rc == 0 || rc == -ERR_VERSION)) {
        serve_hello(rpc, header, rc, body);
        return false;
    }
    session = rc == 0 ? session_find(rpc, header->session) : NULL;
    if (session == NULL)
        return false; /* nobody to answer; the client will say HELLO */
    session->seen_ns = clock_now(rpc->config.clock);
    if (header->floor > session->floor)
        session->floor = header->floor;
    rpc_count(rpc, COUNTER_requests);
    if (!is_fresh(rpc, session, header))
        return false;
    slot = &session->slot[header->request % RPC_WINDOW];
    slot->state = SLOT_EMPTY;
    rc = proto_req_decode(header->opcode, body, header->body, &req);
    if (rc != 0)
        rpc_count(rpc, COUNTER_malformed);
    else
        rc = admit(rpc, slot, header->opcode, &request);
    if (rc != 0) {
        if (rc == -ERR_BUSY)
            rpc_count(rpc, COUNTER_busy);
        answer_code(rpc, header, session->peer, rc, false);
        return false;
    }
    slot->state = SLOT_ACTIVE;
    slot->number = header->request;
    session->active++;
    rpc->active++;
    request->opcode = header->opcode;
    request->client = session->client;
    request->number = header->request;
    request->floor = session->floor;
    request->body = req;
    request->user = NULL;
    request->session = session;
    request->rpc = rpc;
    request->buffer = buffer;
    rpc->config.serve(rpc->config.serve_ctx, request);
    return true;
}

/* The text of a failure rides as the body. */
static size_t put_text(struct rpc_message *message, const char *text)
{
    size_t len = text == NULL ? 0 : strnlen(text, PROTO_TEXT_MAX - 1);

    memcpy(message_body(message), text == NULL ? "" : text, len);
    return len;
}

/* Encode into the reserved message, or a large one; busy if there is none. */
static int encode_reply(struct rpc_request *request, int rc,
                        const union proto_rep *rep, const char *text,
                        struct rpc_message **message_inout, size_t *len_out)
{
    struct rpc_message *large;

    if (rc == 0) {
        rc = proto_rep_encode(request->opcode, rep,
                              message_body(*message_inout),
                              message_room(*message_inout), len_out);
        if (rc == 0)
            return 0;
        large = message_get(request->rpc, true);
        if (large != NULL) {
            rc = proto_rep_encode(request->opcode, rep, message_body(large),
                                  message_room(large), len_out);
            assert(rc == 0);
            message_put(*message_inout);
            *message_inout = large;
            return 0;
        }
        rc = -ERR_BUSY;
    }
    *len_out = put_text(*message_inout, text);
    return rc;
}

static void settle_slot(struct rpc_request *request, int rc,
                        const struct rpc_message *message)
{
    struct rpc_slot *slot =
        &request->session->slot[request->number % RPC_WINDOW];

    assert(slot->state == SLOT_ACTIVE && slot->number == request->number);
    slot->state = SLOT_EMPTY;
    if ((proto_op_flags(request->opcode) & PROTO_ONCE) == 0 || rc == -ERR_BUSY)
        return;
    assert(message->len <= RPC_KEPT_MAX);
    memcpy(slot->kept, message->bytes, message->len);
    slot->kept_len = message->len;
    slot->state = SLOT_KEPT;
}

void rpc_reply(struct rpc_request *request, int rc, const union proto_rep *rep,
               const char *text)
{
    struct rpc *rpc = request->rpc;
    struct rpc_session *session = request->session;
    struct rpc_message *message = rpc->reserved[request - rpc->requests_all];
    struct proto_header header;
    size_t len;

    rc = encode_reply(request, rc, rep, text, &message, &len);
    if (rc != 0)
        rpc_count(rpc, rc == -ERR_BUSY ? COUNTER_busy : COUNTER_errors);
    header = reply_header(rpc, request->opcode, request->number, rc);
    header.session = session->id;
    message_seal(message, &header, len);
    settle_slot(request, rc, message);
    message->session = session->id;
    net_release(rpc->config.net, request->buffer);
    session->active--;
    rpc->active--;
    DL_APPEND(rpc->requests_free, request);
    message_send(message, session->peer);
}

uint64_t rpc_request_peer(const struct rpc_request *request)
{
    return request->session->peer;
}
