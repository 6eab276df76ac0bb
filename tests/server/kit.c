/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/kit.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CALL_NS (20 * NS_PER_SEC)

static const char map[] =
    "cluster: 7e57\n"
    "defaults:\n"
    "  stripe_size: 4096\n"
    "servers:\n"
    "  - name: s1\n"
    "    node: sim\n"
    "    targets:\n"
    "      - {id: 1, service: t1, directory: /simulated/1}\n"
    "      - {id: 2, service: t2, directory: /simulated/2}\n"
    "      - {id: 3, service: t3, directory: /simulated/3}\n";

static void must(bool is_well, const char *what)
{
    if (is_well)
        return;
    fprintf(stderr, "kit: %s\n", what);
    abort();
}

static int turn(void *ctx)
{
    struct kit_server *server = ctx;

    return server->target == NULL ? 0 : srv_target_poll(server->target);
}

void kit_start(struct kit *kit, unsigned index)
{
    struct kit_server *server = &kit->servers[index];
    struct srv_target_config config = {
        .cluster = kit->cluster,
        .target = server->id,
        .clock = &kit->clock.clock,
        .net = &net_sim,
        .objects = &obj_mem,
        .names = &kv_mem,
        .fabric = kit->fabric,
        .disk = server->disk,
        .kv_disk = server->names,
        .is_simulated = true,
        .boot = ++kit->starts,
        .client = 1000 + kit->starts,
        .limits = {.requests_max = 32, .buffers = 4, .buffer_size = 65536},
    };

    must(srv_target_create(&config, &server->target) == 0, "target");
}

void kit_kill(struct kit *kit, unsigned index)
{
    struct kit_server *server = &kit->servers[index];

    net_sim_crash(kit->fabric, srv_target_net(server->target));
    srv_target_destroy(&server->target);
}

static void start_caller(struct kit *kit)
{
    struct net_config net_config = {
        .provider = "sim",
        .node = "sim",
        .service = "caller",
        .message_max = PROTO_MESSAGE_MAX,
        .receives = 64,
        .recv = rpc_receive,
        .recv_ctx = &kit->rpc,
        .clock = &kit->clock.clock,
        .fabric = kit->fabric,
    };
    struct rpc_config rpc_config = {
        .clock = &kit->clock.clock,
        .cluster = kit->cluster,
        .client = 77,
    };

    must(net_open(&net_sim, &net_config, &kit->net) == 0, "net");
    rpc_config.net = kit->net;
    must(rpc_create(&rpc_config, &kit->rpc) == 0, "rpc");
    kit->memory = mem_calloc(1, KIT_MEMORY);
    must(kit->memory != NULL, "memory");
    must(net_mr_reg(kit->net, kit->memory, KIT_MEMORY, NET_MEM_HOST,
                    NET_REMOTE_READ | NET_REMOTE_WRITE, &kit->mr) == 0,
         "registration");
    net_mr_remote(kit->net, kit->mr, &kit->remote);
}

void kit_init(struct kit *kit)
{
    struct net_sim_config odds = {
        .seed = 1, .delay_min_ns = 1000, .delay_max_ns = 50000};
    char text[CLUSTER_TEXT_MAX];
    unsigned i;

    memset(kit, 0, sizeof(*kit));
    clock_virtual_init(&kit->clock);
    must(net_sim_create(&odds, &kit->clock, &kit->fabric) == 0, "fabric");
    must(cluster_parse(map, sizeof(map) - 1, "kit", &kit->cluster, text) == 0,
         text);
    for (i = 0; i < KIT_TARGETS; i++) {
        kit->servers[i].kit = kit;
        kit->servers[i].id = (uint16_t)(i + 1);
        must(obj_mem_disk_create(64u << 20, &kit->servers[i].disk) == 0,
             "disk");
        must(kv_mem_disk_create(&kit->servers[i].names) == 0, "names");
        kit_start(kit, i);
        must(net_sim_actor_add(kit->fabric, turn, &kit->servers[i]) == 0,
             "actor");
    }
    start_caller(kit);
}

void kit_fini(struct kit *kit)
{
    unsigned i;

    rpc_destroy(&kit->rpc);
    net_mr_dereg(kit->net, kit->mr);
    net_close(kit->net);
    for (i = 0; i < KIT_TARGETS; i++) {
        net_sim_actor_remove(kit->fabric, &kit->servers[i]);
        srv_target_destroy(&kit->servers[i].target);
        obj_mem_disk_destroy(&kit->servers[i].disk);
        kv_mem_disk_destroy(&kit->servers[i].names);
    }
    cluster_destroy(&kit->cluster);
    net_sim_destroy(&kit->fabric);
    free(kit->memory);
}

static void step(struct kit *kit, uint64_t until_ns)
{
    if (rpc_poll(kit->rpc) + net_sim_step(kit->fabric, until_ns) == 0)
        clock_virtual_set(&kit->clock, kit->clock.now_ns + NS_PER_MS);
}

void kit_run(struct kit *kit, uint64_t ns)
{
    uint64_t until_ns = kit->clock.now_ns + ns;

    while (kit->clock.now_ns < until_ns)
        step(kit, until_ns);
}

static void keep(struct kit *kit, struct proto_bytes *field)
{
    memcpy(kit->bytes, field->data, field->len);
    field->data = kit->bytes;
}

static void call_done(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    struct kit *kit = call->ctx;

    kit->is_done = true;
    kit->rc = rc;
    memcpy(kit->text, call->text, sizeof(kit->text));
    if (rc != 0)
        return;
    kit->rep = *rep;
    if (call->opcode == PROTO_OP_read)
        keep(kit, &kit->rep.read.data);
    else if (call->opcode == PROTO_OP_readdir)
        keep(kit, &kit->rep.readdir.entries);
    else if (call->opcode == PROTO_OP_stats)
        keep(kit, &kit->rep.stats.counters);
}

static void start_call(struct kit *kit, struct rpc_call *call, uint16_t target,
                       uint16_t opcode, const void *req)
{
    call->target = target;
    call->opcode = opcode;
    call->req = req;
    call->deadline_ns = kit->clock.now_ns + CALL_NS;
    call->ctx = kit;
    rpc_call_start(kit->rpc, call);
}

static void ignore(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    (void)call;
    (void)rc;
    (void)rep;
}

void kit_call_start(struct kit *kit, struct rpc_call *call, uint16_t target,
                    uint16_t opcode, const void *req)
{
    *call = (struct rpc_call){.done = ignore};
    start_call(kit, call, target, opcode, req);
}

int kit_call(struct kit *kit, uint16_t target, uint16_t opcode,
             const void *req)
{
    struct rpc_call call = {.done = call_done};

    kit->is_done = false;
    start_call(kit, &call, target, opcode, req);
    while (!kit->is_done)
        step(kit, kit->clock.now_ns + 10 * NS_PER_MS);
    return kit->rc;
}

uint64_t kit_counter(struct kit *kit, unsigned index, enum counter_index which)
{
    struct counters counters;

    srv_target_counters(kit->servers[index].target, &counters);
    return counters.value[which];
}

uint64_t kit_object_size(struct kit *kit, uint16_t target, uint64_t ino)
{
    struct proto_req_obj_stat req = {ino};

    must(kit_call(kit, target, PROTO_OP_obj_stat, &req) == 0, "stat");
    return kit->rep.obj_stat.size;
}
