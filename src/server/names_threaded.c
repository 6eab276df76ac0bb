/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata executor with a thread of its own.
 *
 * The happy path: submit() appends to `fresh`, and poll() looks at what came
 * since the last one. If the thread is idle and all of it is short, it is run
 * right here, in one transaction and from memory alone: to wake a thread and be
 * woken by it costs ten times what a look-up does.
 *
 * Else it goes to `given` and wakes the thread; the thread takes up to
 * NAMES_BATCH_MAX of them, runs the batch, appends it to `ended` and writes the
 * eventfd; poll() takes `ended` and calls back. While a batch commits, the next
 * one gathers: that is the group commit.
 *
 * To the thread goes what may take long; what wants a sync, unless nothing is
 * left to sync; what memory could not answer; changes, while data are on the
 * move: the kernel makes a writer wait when there is much to be written back.
 *
 * Possible failure modes are those of a batch (names_batch.c).
 *
 * The lock: `mutex` guards given, ended, the two counts beside them and
 * is_stopping; it is held for a few pointer moves only, never over a call that
 * may block. An operation itself has one owner at a time: the reactor, a
 * queue, or the thread. The batch belongs to the thread while the reactor waits
 * for anything of it (nthere > 0), else to the reactor.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/names_batch.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct threaded_exec {
    struct names_exec exec; /* first */
    struct names_batch batch;
    pthread_t thread;
    int event_fd;
    struct names_queue fresh; /* the reactor's: submitted since the last poll */
    unsigned nthere;          /* the reactor's: given to the thread */
    atomic_bool has_ended; /* a hint, so that an idle poll takes no lock */
    pthread_mutex_t mutex;
    pthread_cond_t is_queued;
    struct names_queue given;
    struct names_queue ended;
    uint64_t commits;
    uint64_t unsynced;
    bool is_stopping;
};

/* @return false when the thread shall end. */
static bool take_batch(struct threaded_exec *self, struct names_queue *batch)
{
    bool is_stopping;

    names_queue_init(batch);
    pthread_mutex_lock(&self->mutex);
    while (self->given.head == NULL && !self->is_stopping)
        pthread_cond_wait(&self->is_queued, &self->mutex);
    is_stopping = self->is_stopping;
    names_queue_move(&self->given, batch, NAMES_BATCH_MAX);
    pthread_mutex_unlock(&self->mutex);
    return !is_stopping;
}

static void give_back(struct threaded_exec *self, struct names_queue *batch)
{
    uint64_t one = 1;
    ssize_t written;

    pthread_mutex_lock(&self->mutex);
    names_queue_move(batch, &self->ended, NAMES_BATCH_MAX);
    self->commits = self->batch.commits;
    self->unsynced = self->batch.unsynced;
    pthread_mutex_unlock(&self->mutex);
    written = write(self->event_fd, &one, sizeof(one));
    (void)written; /* a full counter is readable too */
    atomic_store(&self->has_ended, true); /* after: who sees it can read */
}

static void *thread_main(void *arg)
{
    struct threaded_exec *self = arg;
    struct names_queue batch;

    while (take_batch(self, &batch)) {
        names_batch_run(&self->batch, &batch);
        give_back(self, &batch);
    }
    return NULL;
}

static int start_thread(struct threaded_exec *self)
{
    int rc;

    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->is_queued, NULL);
    rc = pthread_create(&self->thread, NULL, thread_main, self);
    if (rc == 0)
        return 0;
    errno = rc;
    log_error("names: cannot start a thread: %m");
    pthread_cond_destroy(&self->is_queued);
    pthread_mutex_destroy(&self->mutex);
    return -rc;
}

static int threaded_create(const struct names_exec_config *config,
                           struct names_exec **exec_out)
{
    struct threaded_exec *self = mem_calloc(1, sizeof(*self));
    int rc;

    if (self == NULL)
        return -ENOMEM;
    self->exec.driver = &names_threaded;
    names_queue_init(&self->fresh);
    names_queue_init(&self->given);
    names_queue_init(&self->ended);
    self->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->event_fd < 0) {
        rc = -errno;
        goto err_self;
    }
    rc = names_batch_open(&self->batch, config);
    if (rc != 0)
        goto err_fd;
    rc = start_thread(self);
    if (rc != 0)
        goto err_batch;
    *exec_out = &self->exec;
    return 0;

err_batch:
    names_batch_close(&self->batch);
err_fd:
    close(self->event_fd);
err_self:
    free(self);
    return rc;
}

static void threaded_destroy(struct names_exec *exec)
{
    struct threaded_exec *self = (struct threaded_exec *)exec;

    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->is_queued);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->is_queued);
    pthread_mutex_destroy(&self->mutex);
    names_batch_close(&self->batch);
    close(self->event_fd);
    free(self);
}

static void threaded_submit(struct names_exec *exec, struct names_op *op)
{
    names_queue_push(&((struct threaded_exec *)exec)->fresh, op);
    exec->queued++;
}

static void hand_over(struct threaded_exec *self)
{
    self->nthere += self->exec.queued;
    self->exec.queued = 0;
    pthread_mutex_lock(&self->mutex);
    names_queue_move(&self->fresh, &self->given, UINT32_MAX);
    pthread_cond_signal(&self->is_queued);
    pthread_mutex_unlock(&self->mutex);
}

/* Back to the reactor, whose they are. @return how many. */
static int finish(struct names_exec *exec, struct names_queue *queue)
{
    int n = names_queue_finish(queue);

    assert(exec->pending >= (unsigned)n);
    exec->pending -= (unsigned)n;
    return n;
}

static bool may_run_here(const struct threaded_exec *self)
{
    const struct names_op *op;
    bool has_writes;

    if (self->nthere > 0 || self->exec.queued > NAMES_BATCH_MAX)
        return false;
    has_writes = names_queue_has_writes(&self->fresh);
    if (has_writes && self->exec.is_moving)
        return false;
    for (op = self->fresh.head; op != NULL; op = op->next)
        if (!op->is_short ||
            (op->wants_sync && (has_writes || self->batch.unsynced > 0)))
            return false;
    return true;
}

/* The thread is idle: the batch is ours. */
static int run_here(struct threaded_exec *self)
{
    struct names_queue batch;

    if (!names_batch_hurry(&self->batch, &self->fresh)) {
        hand_over(self);
        return 1;
    }
    self->exec.commits = self->batch.commits;
    self->exec.unsynced = self->batch.unsynced;
    self->exec.queued = 0;
    names_queue_init(&batch); /* done() may submit more */
    names_queue_move(&self->fresh, &batch, UINT32_MAX);
    return finish(&self->exec, &batch);
}

static int begin_fresh(struct threaded_exec *self)
{
    if (self->fresh.head == NULL)
        return 0;
    if (may_run_here(self))
        return run_here(self);
    hand_over(self);
    return 1;
}

static int take_ended(struct threaded_exec *self)
{
    struct names_queue ended;
    uint64_t count;
    ssize_t got;
    int n;

    if (!atomic_exchange(&self->has_ended, false))
        return 0;
    got = read(self->event_fd, &count, sizeof(count));
    (void)got; /* the poll before may have read for two batches */
    names_queue_init(&ended);
    pthread_mutex_lock(&self->mutex);
    names_queue_move(&self->ended, &ended, UINT32_MAX);
    self->exec.commits = self->commits;
    self->exec.unsynced = self->unsynced;
    pthread_mutex_unlock(&self->mutex);
    n = finish(&self->exec, &ended);
    self->nthere -= (unsigned)n;
    return n;
}

/* What ended first: what its callbacks submit is begun at once. */
static int threaded_poll(struct names_exec *exec)
{
    struct threaded_exec *self = (struct threaded_exec *)exec;
    int n = take_ended(self);

    return n + begin_fresh(self);
}

static int threaded_wait_fd(struct names_exec *exec)
{
    return ((struct threaded_exec *)exec)->event_fd;
}

const struct names_exec_driver names_threaded = {
    .create = threaded_create,
    .destroy = threaded_destroy,
    .submit = threaded_submit,
    .poll = threaded_poll,
    .wait_fd = threaded_wait_fd,
};

void names_exec_destroy(struct names_exec **exec_p)
{
    if (*exec_p != NULL)
        (*exec_p)->driver->destroy(*exec_p);
    *exec_p = NULL;
}
