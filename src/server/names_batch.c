/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: begin, run every operation, commit once, and one sync if any
 * of them asked for it.
 *
 * Possible failure modes are:
 *
 * - Begin or commit fails: nothing was applied; all get the code.
 *
 * - An operation was left half done (is_broken): the transaction is rolled back
 *   and all get that operation's code.
 *
 * - The sync fails: all is committed, and only those that asked for durability
 *   get the code; the next sync tries again.
 */
#include "server/names_batch.h"

#include "base/err.h"
#include "base/log.h"

void names_queue_init(struct names_queue *queue)
{
    queue->head = NULL;
    queue->end = &queue->head;
}

void names_queue_push(struct names_queue *queue, struct names_op *op)
{
    op->next = NULL;
    *queue->end = op;
    queue->end = &op->next;
}

static struct names_op *pop(struct names_queue *queue)
{
    struct names_op *op = queue->head;

    queue->head = op->next;
    if (queue->head == NULL)
        queue->end = &queue->head;
    return op;
}

void names_queue_move(struct names_queue *from, struct names_queue *to,
                      unsigned most)
{
    while (most-- > 0 && from->head != NULL)
        names_queue_push(to, pop(from));
}

int names_queue_finish(struct names_queue *queue)
{
    struct names_op *op;
    int n = 0;

    while (queue->head != NULL) {
        op = pop(queue);
        op->done(op);
        n++;
    }
    return n;
}

int names_batch_open(struct names_batch *batch,
                     const struct names_exec_config *config)
{
    int rc = kv_open(config->kv, &config->kv_config, &batch->kv);

    if (rc != 0)
        return rc;
    rc = names_create(batch->kv, config->target, &batch->names);
    if (rc != 0)
        goto err_names;
    if (config->root != NULL)
        rc = names_root(batch->names, config->root);
    if (rc != 0)
        goto err_root;
    batch->commits = 0;
    batch->unsynced = 1; /* what a former process may have left */
    return 0;

err_root:
    names_destroy(&batch->names);
err_names:
    kv_close(batch->kv);
    return rc;
}

void names_batch_close(struct names_batch *batch)
{
    names_destroy(&batch->names);
    kv_close(batch->kv);
}

static void fail_all(struct names_queue *queue, int rc)
{
    struct names_op *op;

    for (op = queue->head; op != NULL; op = op->next)
        op->rc = rc;
}

/* @return 0, or the code of the operation that was left half done. */
static int run_all(struct names_batch *batch, struct names_queue *queue)
{
    struct names_op *op;

    for (op = queue->head; op != NULL; op = op->next) {
        op->run(op, batch->names);
        if (op->is_broken)
            return op->rc != 0 ? op->rc : -EIO;
    }
    return 0;
}

static void sync_batch(struct names_batch *batch, struct names_queue *queue)
{
    struct names_op *op;
    bool is_wanted = false;
    int rc;

    for (op = queue->head; op != NULL; op = op->next)
        is_wanted = is_wanted || op->wants_sync;
    if (!is_wanted || batch->unsynced == 0)
        return;
    rc = kv_sync(batch->kv);
    if (rc == 0) {
        batch->unsynced = 0;
        return;
    }
    log_error("names: cannot sync the log: %s", err_text(rc));
    for (op = queue->head; op != NULL; op = op->next)
        if (op->wants_sync)
            op->rc = rc;
}

bool names_queue_has_writes(const struct names_queue *queue)
{
    const struct names_op *op;

    for (op = queue->head; op != NULL; op = op->next)
        if (op->is_write)
            return true;
    return false;
}

static int commit(struct names_batch *batch)
{
    int rc = kv_commit(batch->kv, false);

    if (rc == 0) {
        batch->commits++;
        batch->unsynced++;
        return 0;
    }
    if (!batch->kv->has_missed)
        log_error("names: cannot commit: %s", err_text(rc));
    names_undone(batch->names);
    return rc;
}

/* @return 0; else nothing has happened. */
static int run_in_transaction(struct names_batch *batch,
                              struct names_queue *queue)
{
    int rc = kv_begin(batch->kv);

    if (rc != 0)
        return rc;
    rc = run_all(batch, queue);
    if (rc == 0 && batch->kv->has_missed)
        rc = -EAGAIN;
    if (rc != 0) {
        kv_rollback(batch->kv);
        names_undone(batch->names);
        return rc;
    }
    if (names_queue_has_writes(queue))
        return commit(batch);
    kv_rollback(batch->kv); /* nothing to roll back: only ends it */
    return 0;
}

void names_batch_run(struct names_batch *batch, struct names_queue *queue)
{
    int rc = run_in_transaction(batch, queue);

    if (rc == 0)
        sync_batch(batch, queue);
    else
        fail_all(queue, rc);
}

bool names_batch_hurry(struct names_batch *batch, struct names_queue *queue)
{
    struct names_op *op;
    int rc;

    kv_hurry(batch->kv, true);
    rc = run_in_transaction(batch, queue);
    kv_hurry(batch->kv, false);
    if (rc == 0)
        return true;
    if (!batch->kv->has_missed) {
        fail_all(queue, rc);
        return true;
    }
    for (op = queue->head; op != NULL; op = op->next)
        op->is_broken = false;
    return false;
}
