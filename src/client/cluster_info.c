/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cluster as operators see it.
 *
 * The happy path: STATS to a target answers with its counters' values in the
 * order of proto/counters.h, which has names, units and prose.
 *
 * Possible failure modes are: a server of another build, which knows fewer
 * counters or more; those that both know are told.
 */
#include "client/call.h"

#include "proto/counters.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define STATFS_AT_ONCE 16

static_assert(COUNTER_COUNT <= CAPSTAN_COUNTERS_MAX, "room for all counters");

size_t capstan_target_count(const struct capstan_session *session)
{
    return session->cluster->ntargets;
}

void capstan_target_info(const struct capstan_session *session, size_t index,
                         struct capstan_target *target_out)
{
    const struct cluster_target *target;

    assert(index < session->cluster->ntargets);
    target = session->cluster->targets[index];
    target_out->id = target->id;
    target_out->server = target->server->name;
    target_out->node = target->server->node;
    target_out->service = target->service;
    target_out->directory = target->directory;
}

struct values {
    uint64_t value[CAPSTAN_COUNTERS_MAX];
    size_t count;
};

static int take_values(void *ctx, const union proto_rep *rep)
{
    const struct proto_bytes *bytes = &rep->stats.counters;
    struct values *values = ctx;
    uint64_t value;
    size_t i;

    values->count = bytes->len / sizeof(value);
    if (values->count > COUNTER_COUNT)
        values->count = COUNTER_COUNT;
    for (i = 0; i < values->count; i++) {
        memcpy(&value, bytes->data + i * sizeof(value), sizeof(value));
        values->value[i] = le64toh(value);
    }
    return 0;
}

int capstan_target_counters(struct capstan_session *session, uint16_t id,
                            struct capstan_counter *counters, size_t room,
                            size_t *count_out)
{
    struct values values = {.count = 0};
    struct cli_call call = {
        .target = id,
        .opcode = PROTO_OP_stats,
        .take = take_values,
        .take_ctx = &values,
    };
    int rc = cli_enter(session);
    size_t i;

    if (rc != 0)
        return rc;
    if (cluster_target(session->cluster, id) == NULL)
        return cli_fail(session, -EINVAL, "target %u: not in the cluster", id);
    rc = cli_call(session, &call, cli_deadline(session));
    if (rc != 0)
        return cli_call_fail(session, &call, "counters");
    for (i = 0; i < values.count && i < room; i++) {
        counters[i].name = counter_info[i].name;
        counters[i].unit = counter_info[i].unit;
        counters[i].help = counter_info[i].prose;
        counters[i].value = values.value[i];
    }
    *count_out = i;
    return 0;
}

/* Counters of all targets at once; a target that is silent is only counted. */
static void add_space(struct values *values, const struct cli_call *call,
                      struct capstan_statfs *statfs)
{
    if (call->rc != 0 || values->count <= COUNTER_space_free) {
        statfs->silent++;
        return;
    }
    statfs->targets++;
    statfs->total_bytes += values->value[COUNTER_space_total];
    statfs->free_bytes += values->value[COUNTER_space_free];
}

static void ask_space(struct capstan_session *session, size_t first, size_t n,
                      uint64_t deadline_ns, struct capstan_statfs *statfs)
{
    struct cli_call calls[STATFS_AT_ONCE] = {0};
    struct values values[STATFS_AT_ONCE] = {0};

    for (size_t i = 0; i < n; i++) {
        calls[i].target = session->cluster->target_ids[first + i];
        calls[i].opcode = PROTO_OP_stats;
        calls[i].take = take_values;
        calls[i].take_ctx = &values[i];
        cli_call_start(session, &calls[i], deadline_ns);
    }
    cli_calls_wait(session, calls, (unsigned)n, deadline_ns, NULL);
    for (size_t i = 0; i < n; i++)
        add_space(&values[i], &calls[i], statfs);
}

int capstan_statfs(struct capstan_session *session,
                   struct capstan_statfs *statfs_out)
{
    struct capstan_statfs statfs = {0};
    uint64_t deadline = cli_deadline(session);
    size_t n = session->cluster->ntargets;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n; i += STATFS_AT_ONCE)
        ask_space(session, i, n - i < STATFS_AT_ONCE ? n - i : STATFS_AT_ONCE,
                  deadline, &statfs);
    if (statfs.targets == 0)
        return cli_fail(session, -ETIMEDOUT, "statfs: no target answers");
    *statfs_out = statfs;
    return 0;
}
