/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both forms of the metadata executor share: the open store, a queue, and
 * one batch in one transaction.
 *
 * Threads  a batch runs on the names thread; a queue has no lock of its own.
 * Failure  said in names_exec.h.
 */
#ifndef CAPSTAN_SERVER_NAMES_BATCH_H
#define CAPSTAN_SERVER_NAMES_BATCH_H

#include "server/names_exec.h"

struct names_queue {
    struct names_op *head;
    struct names_op **end;
};

struct names_batch {
    struct kv *kv;
    struct names *names;
    uint64_t commits;
    uint64_t unsynced;
};

void names_queue_init(struct names_queue *queue);
void names_queue_push(struct names_queue *queue, struct names_op *op);
/** Move up to `most` operations of from to the end of to. */
void names_queue_move(struct names_queue *from, struct names_queue *to,
                      unsigned most);
/** Call done() of each and empty the queue. @return how many. */
int names_queue_finish(struct names_queue *queue);

int names_batch_open(struct names_batch *batch,
                     const struct names_exec_config *config);
void names_batch_close(struct names_batch *batch);

/** Run every operation of a queue in one transaction and set their codes. */
void names_batch_run(struct names_batch *batch, struct names_queue *queue);

/**
 * The same from memory alone, without a wait for the device.
 *
 * @return false: that was not enough. Nothing has happened, and the queue is
 *         to be run again by names_batch_run().
 */
bool names_batch_hurry(struct names_batch *batch, struct names_queue *queue);

/** Is there one that may change something? */
bool names_queue_has_writes(const struct names_queue *queue);

#endif
