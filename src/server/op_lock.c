/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte-range locks: lock, unlock, renew.
 *
 * The happy path: lock is answered when the lock is granted, or, before the
 * client must doubt that we live, with "not yet"; it then asks again and keeps
 * its place. A repeat of any of them does no harm: lock and renew name what
 * they mean, and unlock takes effect once.
 *
 * Locks are in memory only. After a restart a holder finds at its next renewal
 * or at its unlock that the lock is gone (-ESTALE).
 *
 * Possible failure modes are those of locks.h.
 */
#include "base/err.h"
#include "server/server.h"

#define LOCKS_MAX 4096

static void reply(struct rpc_request *request, bool is_granted)
{
    union proto_rep rep = {.lock = {is_granted, LOCKS_LEASE_NS}};

    rpc_reply(request, 0, &rep, NULL);
}

static void answer(void *ctx, void *asker, bool is_granted)
{
    const struct srv_target *target = ctx;

    if (!target->is_closing)
        reply(asker, is_granted);
}

int lock_table_init(struct srv_target *target)
{
    struct locks_config config = {
        .locks_max = LOCKS_MAX,
        .askers_max = target->config.limits.requests_max / 2,
        .answer = answer,
        .ctx = target,
    };

    return locks_create(&config, &target->locks);
}

void op_lock(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_lock *req = &request->body.lock;
    struct lock_key key = {req->ino, request->client, req->id};
    struct lock_range range = {req->offset, req->length, req->is_shared != 0};
    int rc = locks_ask(target->locks, &key, &range,
                       clock_now(target->clock), request);

    if (rc == 0 || rc == -EAGAIN)
        reply(request, rc == 0);
    else if (rc != -EINPROGRESS)
        rpc_reply(request, rc, NULL, NULL);
}

void op_unlock(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_unlock *req = &request->body.unlock;
    struct lock_key key = {req->ino, request->client, req->id};
    union proto_rep rep = {0};

    rpc_reply(request,
              locks_release(target->locks, &key, clock_now(target->clock)),
              &rep, NULL);
}

void op_renew(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_renew *req = &request->body.renew;
    struct lock_key key = {req->ino, request->client, req->id};
    union proto_rep rep = {.renew = {LOCKS_LEASE_NS}};

    rpc_reply(request,
              locks_renew(target->locks, &key, clock_now(target->clock)), &rep,
              NULL);
}
