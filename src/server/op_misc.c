/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PING and STATS, and the table of all handlers.
 *
 * Possible failure modes are: an opcode without a handler (-ENOTSUP); space
 * that the device does not tell (0 in the counters).
 */
#include "base/err.h"
#include "base/numa_pin.h"
#include "server/server.h"
#include "store/ahead.h"
#include "store/sums.h"

#include <assert.h>

static_assert(COUNTER_COUNT <= PROTO_COUNTERS_MAX, "counters fit a reply");

static op_fn *const handlers[] = {
    [PROTO_OP_ping] = op_ping,
    [PROTO_OP_scrub] = op_scrub,
    [PROTO_OP_stats] = op_stats,
    [PROTO_OP_lookup] = op_lookup,
    [PROTO_OP_create] = op_create,
    [PROTO_OP_mkdir] = op_mkdir,
    [PROTO_OP_unlink] = op_unlink,
    [PROTO_OP_rmdir] = op_rmdir,
    [PROTO_OP_readdir] = op_readdir,
    [PROTO_OP_set_striped] = op_set_striped,
    [PROTO_OP_freeze] = op_part,
    [PROTO_OP_thaw] = op_part,
    [PROTO_OP_read] = op_read,
    [PROTO_OP_write] = op_write,
    [PROTO_OP_obj_stat] = op_obj_stat,
    [PROTO_OP_obj_truncate] = op_obj_truncate,
    [PROTO_OP_obj_sync] = op_obj_sync,
    [PROTO_OP_obj_destroy] = op_obj_destroy,
    [PROTO_OP_counter_step] = op_counter_step,
    [PROTO_OP_counter_drop] = op_counter_drop,
    [PROTO_OP_lock] = op_lock,
    [PROTO_OP_unlock] = op_unlock,
    [PROTO_OP_renew] = op_renew,
    [PROTO_OP_getattr] = op_getattr,
    [PROTO_OP_setattr] = op_setattr,
    [PROTO_OP_make] = op_make,
    [PROTO_OP_rename] = op_rename,
    [PROTO_OP_link] = op_link,
    [PROTO_OP_dir_state] = op_dir_state,
    [PROTO_OP_hold] = op_hold,
    [PROTO_OP_check] = op_check,
    [PROTO_OP_repair] = op_repair,
    [PROTO_OP_xattr_get] = op_xattr_get,
    [PROTO_OP_xattr_set] = op_xattr_set,
    [PROTO_OP_entry_lock] = op_part,
    [PROTO_OP_entry_settle] = op_part,
    [PROTO_OP_inode_settle] = op_part,
    [PROTO_OP_plan] = op_plan,
    [PROTO_OP_obj_allocate] = op_obj_allocate,
};

void op_dispatch(void *ctx, struct rpc_request *request)
{
    struct srv_target *target = ctx;

    if (request->opcode < sizeof(handlers) / sizeof(handlers[0]) &&
        handlers[request->opcode] != NULL)
        handlers[request->opcode](target, request);
    else
        rpc_reply(request, -ENOTSUP, NULL, NULL);
}

void op_ping(struct srv_target *target, struct rpc_request *request)
{
    union proto_rep rep = {0};

    (void)target;
    rpc_reply(request, 0, &rep, NULL);
}

static void take_sums(struct srv_target *target)
{
    uint64_t *value = target->counters.value;
    struct sums_stats stats;

    sums_stats(target->checked, &stats);
    value[COUNTER_sums_mismatches] = stats.mismatches;
    value[COUNTER_sums_resummed] = stats.bytes_resummed;
    value[COUNTER_sums_intents] = stats.intents;
    value[COUNTER_sums_cleanings] = stats.cleanings;
    value[COUNTER_sums_reads] = stats.unit_reads;
    value[COUNTER_sums_writes] = stats.unit_writes;
    value[COUNTER_objects_dirty] = stats.objects_dirty;
    value[COUNTER_sums_headers] = stats.headers_damaged;
}

/* Reads count what they ask for as bytes of the device: what was read ahead is
 * counted here, and what it spared taken off. */
static void take_ahead(const struct srv_target *target, uint64_t *value)
{
    struct ahead_stats stats = {0};

    if (target->has_ahead)
        ahead_stats(target->objects, &stats);
    value[COUNTER_plan_bytes_read] = stats.bytes_read;
    value[COUNTER_plan_bytes_served] = stats.bytes_served;
    value[COUNTER_plan_bytes_dropped] = stats.bytes_dropped;
    value[COUNTER_device_bytes_read] += stats.bytes_read - stats.bytes_served;
}

/* Nodes count from 0; here 0 means that there is none to be told. */
static void take_nodes(struct srv_target *target)
{
    uint64_t *value = target->counters.value;

    if (target->config.is_simulated)
        return;
    value[COUNTER_node_of_device] = (uint64_t)(target->node + 1);
    value[COUNTER_node_of_thread] = (uint64_t)(numa_node_of_thread() + 1);
    value[COUNTER_node_of_buffers] =
        (uint64_t)(numa_node_of_memory(target->data.pool.base) + 1);
}

void srv_target_counters(struct srv_target *target,
                         struct counters *counters_out)
{
    uint64_t *value = target->counters.value;

    value[COUNTER_uptime_ns] = clock_now(target->clock) - target->started_ns;
    value[COUNTER_names_commits] = target->exec->commits;
    if (obj_space(target->objects, &value[COUNTER_space_total],
                  &value[COUNTER_space_free]) != 0)
        value[COUNTER_space_total] = value[COUNTER_space_free] = 0;
    value[COUNTER_queued] = target->data.njobs;
    value[COUNTER_device_queue] = obj_pending(target->objects);
    take_sums(target);
    take_nodes(target);
    *counters_out = target->counters;
    take_ahead(target, counters_out->value);
}

void op_stats(struct srv_target *target, struct rpc_request *request)
{
    uint8_t bytes[COUNTER_COUNT * 8];
    struct counters counters;
    union proto_rep rep;
    unsigned i;

    srv_target_counters(target, &counters);
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(counters.value[i / 8] >> (i % 8 * 8));
    rep.stats.counters.data = bytes;
    rep.stats.counters.len = sizeof(bytes);
    rpc_reply(request, 0, &rep, NULL);
}
