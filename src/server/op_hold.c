/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOLD: a client renews its leases on files without a name, or drops them.
 *
 * Possible failure modes are: a length that is no number of inode numbers.
 */
#include "base/err.h"
#include "proto/wire.h"
#include "server/holds.h"
#include "server/reaper.h"
#include "server/server.h"

void op_hold(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_hold *req = &request->body.hold;
    struct wire_in in = {req->inos.data, req->inos.data + req->inos.len};
    union proto_rep rep = {.hold = {HOLD_LEASE_NS}};
    uint64_t ino, now = clock_now(target->clock);

    while (wire_get_u64(&in, &ino)) {
        if (req->is_drop)
            holds_drop(target->holds, ino, request->client);
        else
            holds_add(target->holds, ino, request->client, now);
    }
    if (req->is_drop)
        reaper_wake(target->reaper);
    rpc_reply(request, in.at == in.end ? 0 : -EINVAL, &rep, NULL);
}
