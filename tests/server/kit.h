/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few targets on the simulated fabric, and one bare caller that speaks rpc to
 * them: what a test of the server needs, without the client library.
 *
 * Threads  one.
 * Failure  abort(): a broken kit is not a test result.
 */
#ifndef CAPSTAN_TESTS_SERVER_KIT_H
#define CAPSTAN_TESTS_SERVER_KIT_H

#include "base/clock.h"
#include "net/net_sim.h"
#include "rpc/rpc.h"
#include "server/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIT_TARGETS 3
#define KIT_MEMORY (8u << 20)

struct kit_server {
    struct kit *kit;
    uint16_t id;
    struct srv_target *target; /* NULL while dead */
    struct obj_mem_disk *disk;
    struct kv_mem_disk *names;
};

struct kit {
    struct clock_virtual clock;
    struct net_sim_fabric *fabric;
    struct cluster *cluster;
    struct kit_server servers[KIT_TARGETS];
    struct net *net; /* the caller's */
    struct rpc *rpc;
    uint8_t *memory; /* registered */
    struct net_mr *mr;
    struct net_remote remote;
    uint64_t starts;
    /* the last call */
    bool is_done;
    int rc;
    union proto_rep rep; /* byte fields point into bytes */
    uint8_t bytes[PROTO_MESSAGE_MAX];
    char text[PROTO_TEXT_MAX];
};

void kit_init(struct kit *kit);
void kit_fini(struct kit *kit);

/** As kill -9; and start again. index is the target's id - 1. */
void kit_kill(struct kit *kit, unsigned index);
void kit_start(struct kit *kit, unsigned index);

/** Let virtual time pass. */
void kit_run(struct kit *kit, uint64_t ns);

/** Call and wait for the end. @return its code; kit->rep is the answer. */
int kit_call(struct kit *kit, uint16_t target, uint16_t opcode,
             const void *req);

/** Start a call whose answer nobody looks at; call must outlive it. */
void kit_call_start(struct kit *kit, struct rpc_call *call, uint16_t target,
                    uint16_t opcode, const void *req);

uint64_t kit_counter(struct kit *kit, unsigned index,
                     enum counter_index which);

/** Bytes of an object on a target. */
uint64_t kit_object_size(struct kit *kit, uint16_t target, uint64_t ino);

#endif
