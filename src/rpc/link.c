/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calling side: one link a target.
 *
 * The happy path: the first call turns an idle link to HELLO; the answer
 * brings a session and the link is ready; calls are sent while their number is
 * below the floor + RPC_WINDOW, the others wait in order; an answer frees its
 * slot and lets the next one go.
 *
 * Possible failure modes are: no answer for RPC_RESEND_NS (the link says HELLO
 * again, since a restarted server cannot answer what it does not know, and then
 * sends every call again under its old number); a lost connection (the same, at
 * once); "busy" (the call alone waits a little); another protocol version or
 * another cluster (every call of the link fails with that); a deadline (that
 * call alone fails, and names the server; the connection is closed, so that RMA
 * still on its way cannot reach memory that the caller has got back).
 */
#include "rpc/internal.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <stdio.h>
#include <utlist.h>

int links_init(struct rpc *rpc)
{
    unsigned i, n = rpc->config.cluster->ntargets;

    rpc->links = mem_calloc(n, sizeof(*rpc->links));
    if (rpc->links == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        rpc->links[i].rpc = rpc;
        rpc->links[i].target = rpc->config.cluster->targets[i];
        rpc->links[i].peer = NET_PEER_NONE;
        rpc->links[i].next_number = 1;
    }
    return 0;
}

void links_fini(struct rpc *rpc)
{
    free(rpc->links);
}

void rpc_timer_at(struct rpc *rpc, uint64_t when_ns)
{
    if (when_ns < rpc->next_timer_ns)
        rpc->next_timer_ns = when_ns;
}

static struct rpc_link *find_link(const struct rpc *rpc, uint64_t target)
{
    const struct cluster *cluster = rpc->config.cluster;
    unsigned low = 0, high = cluster->ntargets;
    unsigned middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (cluster->target_ids[middle] == target)
            return &rpc->links[middle];
        if (cluster->target_ids[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static uint64_t link_floor(const struct rpc_link *link)
{
    return link->calls != NULL ? link->calls->number : link->next_number;
}

static uint64_t later(struct rpc *rpc, uint64_t delay_ns)
{
    uint64_t when = clock_now(rpc->config.clock) + delay_ns;

    rpc_timer_at(rpc, when);
    return when;
}

/* Take a call off its link; nothing of it is used after. */
static void unlink_call(struct rpc_call *call)
{
    struct rpc_link *link = call->link;
    struct rpc_call **slot = &link->slot[call->number % RPC_WINDOW];

    if (*slot == call)
        *slot = NULL;
    DL_DELETE(link->calls, call);
    call->link = NULL;
    link->has_unsent = link->calls != NULL; /* the window may have moved */
}

static void end_call(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    unlink_call(call);
    call->done(call, rc, rep);
}

/* Every call so far; done() may start new ones, which have higher numbers. */
static void fail_all(struct rpc_link *link, int rc, const char *text)
{
    uint64_t limit = link->next_number;
    struct rpc_call *call;

    while ((call = link->calls) != NULL && call->number < limit) {
        snprintf(call->text, sizeof(call->text), "%s", text);
        end_call(call, rc, NULL);
    }
}

static void drop_peer(struct rpc_link *link)
{
    if (link->peer != NET_PEER_NONE)
        net_peer_remove(link->rpc->config.net, link->peer);
    link->peer = NET_PEER_NONE;
}

void link_lost(struct rpc_link *link)
{
    struct rpc_call *call;

    if (link->state == LINK_IDLE || link->state == LINK_BACKOFF)
        return;
    DL_FOREACH(link->calls, call)
        call->is_sent = false;
    link->has_unsent = true;
    link->state = LINK_BACKOFF;
    link->hello_first = link->hello_number + 1;
    link->retry_ns = later(link->rpc, link->retry_step_ns / 2);
}

/* Doubles from RPC_HELLO_NS to RPC_HELLO_MAX_NS. */
static void step_retry(struct rpc_link *link)
{
    link->retry_step_ns *= 2;
    if (link->retry_step_ns < RPC_HELLO_NS)
        link->retry_step_ns = RPC_HELLO_NS;
    if (link->retry_step_ns > RPC_HELLO_MAX_NS)
        link->retry_step_ns = RPC_HELLO_MAX_NS;
}

static bool send_hello(struct rpc_link *link)
{
    struct rpc *rpc = link->rpc;
    struct rpc_message *message = message_get(rpc, false);
    union proto_req req = {0};
    struct proto_header header = {0};
    size_t len;
    int rc;

    if (message == NULL)
        return false;
    req.hello.name.data = rpc->name;
    req.hello.name.len = (uint32_t)rpc->name_len;
    req.hello.client = rpc->config.client;
    req.hello.cluster = rpc->config.cluster->id;
    req.hello.floor = link_floor(link);
    req.hello.target = link->target->id;
    rc = proto_req_encode(PROTO_OP_hello, &req, message_body(message),
                          message_room(message), &len);
    assert(rc == 0);
    header.opcode = PROTO_OP_hello;
    header.request = ++link->hello_number;
    header.session = rpc->config.client;
    header.floor = req.hello.floor;
    header.target = link->target->id;
    message_seal(message, &header, len);
    message->link = link;
    message_send(message, link->peer);
    return true;
}

/* Say HELLO and wait for the answer; a peer that failed is resolved anew. One
 * that is only slow keeps its connection, lest each HELLO undo the one before. */
static void connect_link(struct rpc_link *link)
{
    struct rpc *rpc = link->rpc;
    const struct cluster_target *target = link->target;
    int rc = 0;

    if (link->state == LINK_BACKOFF ||
        link->hello_tries >= RPC_HELLO_TRIES) {
        drop_peer(link);
        link->hello_tries = 0;
    }
    link->hello_tries++;
    step_retry(link);
    link->state = LINK_HELLO;
    link->retry_ns = later(rpc, link->retry_step_ns);
    if (link->peer == NET_PEER_NONE)
        rc = net_peer_resolve(rpc->config.net, target->server->node,
                              target->service, &link->peer);
    if (rc != 0 || !send_hello(link))
        log_debug("target %u: no HELLO now: %s", target->id, err_text(rc));
}

/* @return 0, -EAGAIN (no message free: later), or why it can never be sent. */
static int send_call(struct rpc_link *link, struct rpc_call *call)
{
    struct rpc *rpc = link->rpc;
    struct proto_header header = {0};
    struct rpc_message *message;
    bool is_large = false;
    uint64_t wait_ns;
    size_t len;
    int rc;

    do {
        message = message_get(rpc, is_large);
        if (message == NULL)
            return -EAGAIN;
        rc = proto_req_encode(call->opcode, call->req, message_body(message),
                              message_room(message), &len);
        if (rc != 0)
            message_put(message);
    } while (rc == -EMSGSIZE && !is_large && (is_large = true));
    if (rc != 0)
        return rc;
    header.opcode = call->opcode;
    header.request = call->number;
    header.session = link->session;
    header.floor = link_floor(link);
    header.target = link->target->id;
    message_seal(message, &header, len);
    message->link = link;
    rpc->sent += call->tries == 0;
    rpc->resent += call->tries != 0;
    wait_ns = RPC_RESEND_NS << (call->tries < 3 ? call->tries : 3);
    call->tries++;
    call->is_sent = true;
    call->resend_ns = later(rpc, wait_ns);
    link->slot[call->number % RPC_WINDOW] = call;
    message_send(message, link->peer);
    return 0;
}

/* Send what may go: unsent, within the window, not told to wait. */
static int pump(struct rpc_link *link)
{
    uint64_t now = clock_now(link->rpc->config.clock);
    uint64_t limit = link_floor(link) + RPC_WINDOW;
    struct rpc_call *call, *next;
    int moved = 0;
    int rc;

    link->has_unsent = false;
    for (call = link->calls; call != NULL && call->number < limit;
         call = next) {
        next = call->next;
        if (call->is_sent)
            continue;
        if (call->resend_ns > now) {
            rpc_timer_at(link->rpc, call->resend_ns);
            continue;
        }
        rc = send_call(link, call);
        moved += rc != -EAGAIN;
        if (rc != 0 || link->state != LINK_READY) {
            link->has_unsent = true;
            if (rc != 0 && rc != -EAGAIN)
                end_call(call, rc, NULL);
            break;
        }
    }
    return moved;
}

/* Silence, a session that is never made and "busy" have different causes. */
static void say_late(const struct rpc_link *link, struct rpc_call *call)
{
    const struct cluster_target *target = link->target;

    snprintf(call->text, sizeof(call->text),
             "target %u of server %s (%s:%s) did not answer in time (sent %u "
             "times, busy %u times, %s)",
             target->id, target->server->name, target->server->node,
             target->service, call->tries, call->nbusy,
             link->state == LINK_READY ? "connected" : "not connected");
}

static void expire(struct rpc_link *link, struct rpc_call *call)
{
    say_late(link, call);
    if (call->tries > 0) {
        link_lost(link);
        drop_peer(link);
    }
    end_call(call, -ETIMEDOUT, NULL);
}

/* Deadlines and resends; says when to look again. */
static int link_timers(struct rpc_link *link, uint64_t now)
{
    struct rpc *rpc = link->rpc;
    struct rpc_call *call, *next;
    bool is_silent = false;
    int moved = 0;

    for (call = link->calls; call != NULL; call = next) {
        next = call->next;
        if (call->deadline_ns <= now) {
            expire(link, call);
            moved++;
            next = link->calls; /* done() may have changed the list */
            continue;
        }
        rpc_timer_at(rpc, call->deadline_ns);
        if (call->is_sent && call->resend_ns <= now) {
            is_silent = true;
            call->is_sent = false;
        } else if (call->resend_ns > now) {
            rpc_timer_at(rpc, call->resend_ns);
        } else if (!call->is_sent) {
            link->has_unsent = true;
        }
    }
    if (is_silent && link->state == LINK_READY) {
        link->state = LINK_HELLO;
        link->retry_ns = later(rpc, RPC_HELLO_NS);
        link->retry_step_ns = RPC_HELLO_NS;
        link->has_unsent = true;
        send_hello(link);
        moved++;
    }
    return moved;
}

static int poll_link(struct rpc_link *link, uint64_t now, bool check_timers)
{
    int moved = 0;

    if (check_timers)
        moved += link_timers(link, now);
    if (link->calls == NULL)
        return moved;
    switch (link->state) {
    case LINK_IDLE:
        link->retry_step_ns = 0;
        connect_link(link);
        moved++;
        break;
    case LINK_HELLO:
    case LINK_BACKOFF:
        if (link->retry_ns <= now) {
            connect_link(link);
            moved++;
        } else {
            rpc_timer_at(link->rpc, link->retry_ns);
        }
        break;
    case LINK_READY:
        if (link->has_unsent)
            moved += pump(link);
        break;
    }
    return moved;
}

int links_poll(struct rpc *rpc)
{
    uint64_t now = clock_now(rpc->config.clock);
    bool check_timers = now >= rpc->next_timer_ns;
    unsigned i;
    int moved = 0;

    if (check_timers)
        rpc->next_timer_ns = UINT64_MAX;
    for (i = 0; i < rpc->config.cluster->ntargets; i++)
        if (rpc->links[i].calls != NULL)
            moved += poll_link(&rpc->links[i], now, check_timers);
    return moved;
}

static void hello_answered(struct rpc_link *link,
                           const struct proto_header *header, int rc,
                           const uint8_t *body)
{
    union proto_rep rep;
    char text[PROTO_TEXT_MAX];

    if (link->state != LINK_HELLO || header->request < link->hello_first ||
        header->request > link->hello_number)
        return;
    if (rc == 0)
        rc = proto_status_code(header->status);
    if (rc == 0)
        rc = proto_rep_decode(PROTO_OP_hello, body, header->body, &rep);
    if (rc == 0) {
        link->session = rep.hello.session;
        link->state = LINK_READY;
        link->retry_step_ns = 0;
        link->hello_tries = 0;
        link->has_unsent = true;
    } else if (rc == -ERR_VERSION) {
        snprintf(text, sizeof(text),
                 "server %s (%s:%s) speaks protocol version %u, this client %u",
                 link->target->server->name, link->target->server->node,
                 link->target->service, header->version, PROTO_VERSION);
        link->state = LINK_IDLE;
        fail_all(link, rc, text);
    } else if (err_action(rc) == ERR_GIVE_UP) {
        snprintf(text, sizeof(text), "server %s (%s:%s) refused the session: %s",
                 link->target->server->name, link->target->server->node,
                 link->target->service, err_text(rc));
        link->state = LINK_IDLE;
        fail_all(link, rc, text);
    } /* else: busy; HELLO again at retry_ns */
}

/* "Busy, later": the call waits alone, longer each time. */
static void put_off(struct rpc_link *link, struct rpc_call *call)
{
    uint64_t wait_ns = RPC_BUSY_NS << (call->tries < 6 ? call->tries : 6);

    if (wait_ns > RPC_BUSY_MAX_NS)
        wait_ns = RPC_BUSY_MAX_NS;
    call->nbusy++;
    call->is_sent = false;
    link->has_unsent = true;
    call->resend_ns = later(link->rpc, wait_ns);
}

static void take_text(struct rpc_call *call, const uint8_t *body, uint32_t len)
{
    if (len >= sizeof(call->text))
        len = sizeof(call->text) - 1;
    memcpy(call->text, body, len);
    call->text[len] = '\0';
}

static void call_answered(struct rpc_link *link,
                          const struct proto_header *header,
                          const uint8_t *body)
{
    struct rpc_call *call = link->slot[header->request % RPC_WINDOW];
    int rc = proto_status_code(header->status);
    union proto_rep rep;

    if (call == NULL || call->number != header->request ||
        call->opcode != header->opcode)
        return; /* the answer of an answered call */
    if (rc == -ERR_BUSY) {
        put_off(link, call);
        return;
    }
    if (rc == -ERR_SESSION) {
        link_lost(link);
        return;
    }
    call->text[0] = '\0';
    if (rc != 0)
        take_text(call, body, header->body);
    else
        rc = proto_rep_decode(call->opcode, body, header->body, &rep);
    end_call(call, rc, rc == 0 ? &rep : NULL);
}

void link_receive(struct rpc *rpc, const struct proto_header *header, int rc,
                  const uint8_t *body)
{
    struct rpc_link *link = find_link(rpc, header->target);

    if (link == NULL)
        return;
    if (header->opcode == PROTO_OP_hello)
        hello_answered(link, header, rc, body);
    else if (rc == 0)
        call_answered(link, header, body);
}

void rpc_call_start(struct rpc *rpc, struct rpc_call *call)
{
    struct rpc_link *link = find_link(rpc, call->target);

    assert(link != NULL);
    call->link = link;
    call->number = link->next_number++;
    call->resend_ns = 0;
    call->tries = 0;
    call->nbusy = 0;
    call->is_sent = false;
    call->text[0] = '\0';
    DL_APPEND(link->calls, call);
    link->has_unsent = true;
    rpc_timer_at(rpc, link->state == LINK_IDLE ? clock_now(rpc->config.clock)
                                               : call->deadline_ns);
    if (link->state == LINK_READY && rpc->unsent == NULL &&
        call->number < link_floor(link) + RPC_WINDOW)
        send_call(link, call);
}

size_t rpc_eager_max(const struct rpc *rpc, uint16_t target)
{
    const struct rpc_link *link = find_link(rpc, target);

    if (link == NULL || link->peer == NET_PEER_NONE)
        return 0;
    return net_eager_max(rpc->config.net, link->peer);
}

void rpc_call_cancel(struct rpc *rpc, struct rpc_call *call)
{
    if (call->link != NULL)
        unlink_call(call);
}

void rpc_calls_extend(struct rpc *rpc, uint64_t ns)
{
    struct rpc_call *call;
    unsigned i;

    for (i = 0; i < rpc->config.cluster->ntargets; i++)
        DL_FOREACH(rpc->links[i].calls, call)
            if (call->deadline_ns <= UINT64_MAX - ns)
                call->deadline_ns += ns;
}

void rpc_call_counts(const struct rpc *rpc, uint64_t *sent_out,
                     uint64_t *resent_out)
{
    *sent_out = rpc->sent;
    *resent_out = rpc->resent;
}
