/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata executor without a thread: a batch runs and completes inside
 * poll(). For the simulated cluster, where one thread moves everything.
 */
#include "base/err.h"
#include "base/mem.h"
#include "server/names_batch.h"

#include <assert.h>

struct inline_exec {
    struct names_exec exec; /* first */
    struct names_batch batch;
    struct names_queue queued;
};

static int inline_create(const struct names_exec_config *config,
                         struct names_exec **exec_out)
{
    struct inline_exec *self = mem_calloc(1, sizeof(*self));
    int rc;

    if (self == NULL)
        return -ENOMEM;
    rc = names_batch_open(&self->batch, config);
    if (rc != 0) {
        free(self);
        return rc;
    }
    self->exec.driver = &names_inline;
    names_queue_init(&self->queued);
    *exec_out = &self->exec;
    return 0;
}

static void inline_destroy(struct names_exec *exec)
{
    struct inline_exec *self = (struct inline_exec *)exec;

    names_batch_close(&self->batch);
    free(self);
}

static void inline_submit(struct names_exec *exec, struct names_op *op)
{
    names_queue_push(&((struct inline_exec *)exec)->queued, op);
}

static int inline_poll(struct names_exec *exec)
{
    struct inline_exec *self = (struct inline_exec *)exec;
    struct names_queue batch;
    int n;

    if (self->queued.head == NULL)
        return 0;
    names_queue_init(&batch);
    names_queue_move(&self->queued, &batch, NAMES_BATCH_MAX);
    names_batch_run(&self->batch, &batch);
    exec->commits = self->batch.commits;
    exec->unsynced = self->batch.unsynced;
    n = names_queue_finish(&batch);
    assert(exec->pending >= (unsigned)n);
    exec->pending -= (unsigned)n;
    return n;
}

static int inline_wait_fd(struct names_exec *exec)
{
    (void)exec;
    return -1;
}

const struct names_exec_driver names_inline = {
    .create = inline_create,
    .destroy = inline_destroy,
    .submit = inline_submit,
    .poll = inline_poll,
    .wait_fd = inline_wait_fd,
};
