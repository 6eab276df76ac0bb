/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cluster of scripted servers in memory, and a client session on it, all in
 * one process over the simulated fabric. The servers share one table of names
 * and one of objects, and map bytes by plain arithmetic of their own.
 *
 * Units    nanoseconds, bytes.
 * Threads  one.
 * Failure  a broken assumption aborts the program.
 */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

#include "base/rng.h"
#include "client/cli.h"
#include "net/net_sim.h"

#define FAKE_TARGETS_MAX 12
#define FAKE_NAMES_MAX 256
#define FAKE_OPCODES 80
#define FAKE_PAGE 3 /* entries in one READDIR page */

struct fake_object {
    uint8_t *bytes;
    uint64_t size;
};

struct fake_name {
    uint64_t parent; /* 0: free */
    char text[NAME_LEN_MAX + 1];
    struct inode inode;
    struct fake_object objects[FAKE_TARGETS_MAX + 1]; /* by target id */
};

struct fake_target {
    struct fake *fake;
    uint16_t id;
    struct net *net;
    struct rpc *rpc;
    struct counters *counters;
    bool is_silent; /* takes requests and never answers */
};

struct fake {
    struct clock_virtual clock;
    struct net_sim_fabric *fabric;
    struct cluster *cluster;
    struct fake_target targets[FAKE_TARGETS_MAX];
    unsigned ntargets;
    uint32_t stripe_size; /* of new files */
    uint16_t width;
    struct fake_name names[FAKE_NAMES_MAX];
    uint64_t next_ino;
    unsigned served[FAKE_OPCODES]; /* requests by opcode */
    unsigned runs;                 /* seen in reads and writes */
    unsigned inlined;              /* reads and writes that rode along */
    unsigned jumps; /* in memory, from one piece to the next */
    uint64_t allocated; /* bytes that objects were asked to set aside */
    unsigned strays; /* runs that leave the memory that was registered */
    uint16_t fail_opcode;          /* the next fail_count of these fail */
    int fail_rc;
    unsigned fail_count;
    void (*before_read)(struct fake *fake); /* NULL, or called once */
    struct capstan_session *session;
};

/** Start ntargets servers and a session. */
struct fake *fake_create(unsigned ntargets, const struct net_sim_config *odds);
void fake_destroy(struct fake *fake);

/** No delay worth mentioning, nothing lost. */
struct net_sim_config fake_calm(uint64_t seed);

/** The record of a name, or NULL. */
struct fake_name *fake_find(struct fake *fake, uint64_t parent,
                            const char *text);

/** Mark a file striped, as another client would. */
void fake_stripe(struct fake_name *name);

/** Write a byte of a file directly into its object. */
void fake_poke(struct fake *fake, struct fake_name *name, uint64_t offset,
               uint8_t byte);

/** Forget how many requests were served. */
void fake_count_anew(struct fake *fake);

#endif
