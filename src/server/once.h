/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers that survive a restart: a request that takes effect once keeps its
 * reply in the transaction of its effect, so that a retry that comes to a new
 * process is answered and not repeated.
 *
 * Only successes are kept: a failed request has done nothing, and its retry
 * may be decided anew.
 *
 * Threads  the names thread, inside the open transaction.
 * Failure  said at each call.
 */
#ifndef CAPSTAN_SERVER_ONCE_H
#define CAPSTAN_SERVER_ONCE_H

#include "meta/names.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_once;

int once_create(struct srv_once **once_out);
void once_destroy(struct srv_once **once_p);

/* Who asks, and what. */
struct once_key {
    uint64_t client;
    uint64_t number;
    uint64_t floor;
    unsigned opcode;
};

/**
 * Look for the answer of an earlier try.
 *
 * @return 0 (*rep_out is that answer), -ENOENT (it is new) or -EIO.
 */
int once_recall(struct names *names, const struct once_key *key,
                union proto_rep *rep_out);

/**
 * Keep an answer, and now and then drop those that the client needs no more.
 *
 * @return 0, or what the store said: the transaction must not commit.
 */
int once_keep(struct srv_once *once, struct names *names,
              const struct once_key *key, const union proto_rep *rep);

#endif
