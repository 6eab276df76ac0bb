/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scrubbing a target, a step at a time: the place travels with each question,
 * so that the server keeps nothing between two.
 *
 * Possible failure modes are: the target does not answer, or another scrub is
 * at it until the deadline; the place is unchanged then.
 */
#include "client/call.h"

#include <endian.h>
#include <string.h>

struct step {
    struct capstan_scrub *scrub;
    struct capstan_scrub_bad *bad;
    size_t room, n;
};

static uint64_t number_at(const struct proto_bytes *bytes, size_t index)
{
    uint64_t value;

    memcpy(&value, bytes->data + index * sizeof(value), sizeof(value));
    return le64toh(value);
}

static int take(void *ctx, const union proto_rep *rep)
{
    const struct proto_bytes *bad = &rep->scrub.bad;
    struct step *step = ctx;
    size_t i;

    step->scrub->is_done = rep->scrub.is_end != 0;
    step->scrub->shard = rep->scrub.shard;
    step->scrub->ino = rep->scrub.ino;
    step->scrub->offset = rep->scrub.offset;
    step->scrub->objects += rep->scrub.objects;
    step->scrub->bytes += rep->scrub.bytes;
    step->scrub->bad += bad->len / 16;
    for (i = 0; i < bad->len / 16 && i < step->room; i++)
        step->bad[i] = (struct capstan_scrub_bad){number_at(bad, 2 * i),
                                                  number_at(bad, 2 * i + 1)};
    step->n = i;
    return 0;
}

int capstan_target_scrub(struct capstan_session *session, uint16_t id,
                         uint64_t budget, struct capstan_scrub *scrub,
                         struct capstan_scrub_bad *bad, size_t room,
                         size_t *nbad_out)
{
    struct step step = {.scrub = scrub, .bad = bad, .room = room};
    struct cli_call call = {
        .target = id,
        .opcode = PROTO_OP_scrub,
        .take = take,
        .take_ctx = &step,
    };
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (cluster_target(session->cluster, id) == NULL)
        return cli_fail(session, -EINVAL, "target %u: not in the cluster", id);
    call.req.scrub.shard = scrub->shard;
    call.req.scrub.ino = scrub->ino;
    call.req.scrub.offset = scrub->offset;
    call.req.scrub.budget =
        budget < PROTO_SCRUB_BUDGET_MAX ? budget : PROTO_SCRUB_BUDGET_MAX;
    rc = cli_call(session, &call, cli_deadline(session));
    if (rc != 0)
        return cli_call_fail(session, &call, "scrub");
    *nbad_out = step.n;
    return 0;
}
