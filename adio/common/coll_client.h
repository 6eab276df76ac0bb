/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two-phase, the side of every rank: takes from (gives to) aggregators what it
 * asked for in the exchange.
 *
 * An aggregator begins each of its rounds that concern this rank with a
 * coll_round message. On a read the data follows it, from the aggregator or
 * from another rank that wants the same, and may have to be passed on; on a
 * write it is the permission to send. Both sides know the rank's runs, so the
 * round's bounds say exactly which bytes, in which order: nothing else travels.
 *
 * Units    bytes.
 * Threads  as coll.h.
 * Failure  a round with a code is the last one of that aggregator.
 */
#ifndef CAPSTAN_ADIO_COLL_CLIENT_H
#define CAPSTAN_ADIO_COLL_CLIENT_H

#include "adio/common/coll_exchange.h"

/** Forget the peers. */
void coll_client_reset(struct coll_client *client);

/**
 * From where on the bytes of part i are still owed to this rank: UINT64_MAX
 * when none are. Reads; on a write only aggregators know.
 */
uint64_t coll_client_owed_from(const struct coll_client *client, size_t i);

/** Where the rounds of part i that this rank took part in end. */
uint64_t coll_client_reached(const struct coll_client *client, size_t i);

/** Take all memory this side needs for op->exchange->parts. */
int coll_client_reserve(struct coll_op *op);

/** Begin to wait for rounds of the aggregators asked. */
void coll_client_start(struct coll_op *op);

/** Move on. @return true when nothing is awaited any more. */
bool coll_client_step(struct coll_op *op);

#endif
