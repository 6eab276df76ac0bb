/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operations whose costs are counted (costs.c), on a small simulated
 * cluster that has done each of them before.
 *
 * Threads  one.
 * Failure  an operation that fails ends the program.
 */
#ifndef CAPSTAN_TESTS_COSTS_OPERATIONS_H
#define CAPSTAN_TESTS_COSTS_OPERATIONS_H

#include "sim/sim_cluster.h"

#include "capstan/file.h"

#define COSTS_BIG (16u << 20) /* bytes of the striped file */
#define COSTS_PIECES 4096u

struct world {
    struct sim_cluster sim;
    struct capstan_session *session;
    struct capstan_file *small, *big;
    uint8_t *memory; /* COSTS_BIG bytes */
    struct capstan_run runs[COSTS_PIECES];
};

struct operation {
    const char *name;
    void (*run)(struct world *w);
};

extern const struct operation operations[];
extern const size_t noperations;

/** Make the cluster and its files, and do everything twice: connections,
 *  caches and buffers are there then. */
void world_init(struct world *w);
void world_fini(struct world *w);

#endif
