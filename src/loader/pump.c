/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Move batches on: gate, start, read, agree, ready (priv.h says why so).
 *
 * Each state is left in the order of the batches, so that all ranks call each
 * communicator's collectives in one order, whatever finishes first.
 *
 * The loader's thread does this, or the caller while it is in one of our calls.
 * The caller may go on to collectives of its own, so all that can wait for
 * another rank is done at one place of its program on all ranks: batch n is
 * agreed upon in capstan_loader_next() for n, and batches are started there up
 * to the same one.
 *
 * Where depth + 1 batches may be more than memory_max, one is gated when it
 * fits beside those that are under way or the caller's, on every rank: all
 * reckon alike, with the rank that gets most. A batch that is alone always may.
 *
 * Waiting spins a little, then sleeps, for ranks may be more than cores.
 */
#include "loader/priv.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define PUMP_THREAD_NAME "capstan-loader" /* at most 15 characters */
#define SPINS 64
#define SLEEP_MIN_NS 20000
#define SLEEP_MAX_NS 500000

static struct slot *slot_of(struct capstan_loader *loader, uint64_t n)
{
    return &loader->slots[n % loader->nslots];
}

/* Sleep for longer and longer while nothing moves. */
static void rest(unsigned *idle)
{
    struct timespec time = {.tv_nsec = SLEEP_MIN_NS};

    if (++*idle < SPINS) {
        sched_yield();
        return;
    }
    for (unsigned i = SPINS; i < *idle && time.tv_nsec < SLEEP_MAX_NS; i++)
        time.tv_nsec += SLEEP_MIN_NS;
    nanosleep(&time, NULL);
}

/* Epochs that have no steps (a dropped tail was all) are over at once. */
static bool has_next(const struct capstan_loader *loader)
{
    uint64_t epochs = loader->options.epochs;

    return plan_steps(&loader->plan) > 0 &&
           (epochs == 0 || loader->epoch - loader->options.epoch < epochs);
}

static void advance(struct capstan_loader *loader)
{
    if (++loader->step < plan_steps(&loader->plan))
        return;
    loader->step = 0;
    loader->epoch++;
}

/* Is there room for one more batch? Under lock. */
static bool has_room(struct capstan_loader *loader)
{
    uint64_t need = loader->next_need;

    /* Then the caller has given up what he holds, and no start will follow. */
    if (loader->is_closing)
        return loader->gated < loader->agreed + loader->nslots;
    if (loader->gated >= loader->released + loader->nslots)
        return false;
    if (!loader->is_tight || loader->gated == loader->released)
        return true;
    for (uint64_t n = loader->released; n < loader->gated; n++)
        need += slot_of(loader, n)->need;
    return need <= loader->memory_least;
}

/* What the caller wants, and whether the next batch may be gated. */
static bool may_gate(struct capstan_loader *loader, bool *wants_stop_out)
{
    bool may;

    if (loader->is_tight && loader->next_need == 0 && has_next(loader))
        loader->next_need = slot_need(loader, loader->epoch, loader->step);
    pthread_mutex_lock(&loader->lock);
    may = has_room(loader);
    loader->kept = loader->released;
    *wants_stop_out = loader->is_closing || loader->note.code != 0;
    pthread_mutex_unlock(&loader->lock);
    return may && loader->gated == loader->started && !loader->is_stopped;
}

static bool step_gate(struct capstan_loader *loader)
{
    struct slot *slot = slot_of(loader, loader->gated);
    bool wants_stop;

    if (!may_gate(loader, &wants_stop))
        return false;
    if (!has_next(loader)) {
        loader->is_stopped = true;
        return true;
    }
    slot->batch = (struct capstan_batch){.epoch = loader->epoch,
                                         .step = loader->step,
                                         .steps = plan_steps(&loader->plan)};
    slot->wants_stop = wants_stop;
    slot->need = loader->next_need;
    loader->next_need = 0;
    MPI_Iallreduce(&slot->wants_stop, &slot->stops, 1, MPI_INT, MPI_MAX,
                   loader->gate_comm, &slot->shared);
    slot->state = SLOT_GATED;
    loader->gated++;
    advance(loader);
    return true;
}

static bool is_done(MPI_Request *request)
{
    int flag = 1;

    MPI_Test(request, &flag, MPI_STATUS_IGNORE);
    return flag != 0;
}

static bool step_start(struct capstan_loader *loader)
{
    struct slot *slot = slot_of(loader, loader->started);

    if (loader->started == loader->gated || loader->is_stopped ||
        !is_done(&slot->shared))
        return false;
    if (slot->stops) {
        loader->is_stopped = true;
        loader->gated = loader->started;
        slot->state = SLOT_FREE;
        return true;
    }
    slot_start(loader, slot);
    slot->state = SLOT_READING;
    loader->started++;
    return true;
}

static bool step_read(struct capstan_loader *loader)
{
    bool has_moved = false;

    for (uint64_t n = loader->agreed; n < loader->started; n++) {
        struct slot *slot = slot_of(loader, n);

        if (slot->state != SLOT_READING || !reads_test(loader, slot))
            continue;
        slot_check(loader, slot);
        slot->state = SLOT_READ;
        has_moved = true;
    }
    return has_moved;
}

static void tell_ready(struct capstan_loader *loader, const struct slot *slot)
{
    pthread_mutex_lock(&loader->lock);
    if (slot->note.code == 0 && loader->note.code == 0)
        loader->ready++;
    else if (loader->note.code == 0)
        loader->note = slot->note;
    loader->is_over = loader->note.code != 0;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

/* Two of them in one step: a batch's agreement may be over at once. */
static bool step_agree(struct capstan_loader *loader)
{
    struct slot *slot = slot_of(loader, loader->agreed);

    if (loader->agreed == loader->started)
        return false;
    if (slot->state == SLOT_READ) {
        slot->own = (struct pair){-slot->note.code, loader->rank};
        MPI_Iallreduce(&slot->own, &slot->worst, 1, MPI_2INT, MPI_MAXLOC,
                       loader->agree_comm, &slot->shared);
        slot->state = SLOT_AGREEING;
    }
    if (slot->state == SLOT_AGREEING && is_done(&slot->shared)) {
        /* Not by note_spread(), which blocks: another rank may be in a start,
         * and wait there for us. */
        slot->note.code = -slot->worst.code;
        if (slot->worst.code != 0)
            MPI_Ibcast(slot->note.text, NOTE_SIZE, MPI_CHAR, slot->worst.rank,
                       loader->agree_comm, &slot->shared);
        slot->state = SLOT_TELLING;
    }
    if (slot->state != SLOT_TELLING || !is_done(&slot->shared))
        return false;
    slot->state = SLOT_READY;
    loader->agreed++;
    tell_ready(loader, slot);
    return true;
}

/* Stopped, and nothing left under way: say so once. */
static bool step_finish(struct capstan_loader *loader)
{
    if (loader->is_finished || !loader->is_stopped ||
        loader->agreed != loader->started)
        return false;
    pthread_mutex_lock(&loader->lock);
    loader->is_over = true;
    loader->is_finished = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    return true;
}

/* A thread's step. */
static bool step(struct capstan_loader *loader)
{
    bool has_moved = step_gate(loader);

    has_moved |= step_start(loader);
    has_moved |= step_read(loader);
    has_moved |= step_agree(loader);
    has_moved |= step_finish(loader);
    return has_moved;
}

/* Gate and start whatever there is room for, and wait for the others with it.
 */
static void start_all(struct capstan_loader *loader)
{
    unsigned idle = 0;

    while (step_gate(loader))
        while (loader->started != loader->gated)
            if (step_start(loader) || step_read(loader))
                idle = 0;
            else
                rest(&idle);
}

void pump_progress(struct capstan_loader *loader)
{
    if (!loader->has_thread)
        step_read(loader);
}

/* All batches that there is room for are ready: wait for the caller. */
static void wait_for_room(struct capstan_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    while (loader->agreed == loader->gated && !loader->is_stopped &&
           !has_room(loader) && !loader->is_closing)
        pthread_cond_wait(&loader->changed, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}

/* The caller has a communicator to himself until all ranks have a thread. */
static bool may_run(struct capstan_loader *loader)
{
    bool is_pumping;

    pthread_mutex_lock(&loader->lock);
    while (!loader->is_pumping && !loader->is_closing)
        pthread_cond_wait(&loader->changed, &loader->lock);
    is_pumping = loader->is_pumping;
    pthread_mutex_unlock(&loader->lock);
    return is_pumping;
}

static void *pump_thread(void *argument)
{
    struct capstan_loader *loader = argument;
    unsigned idle = 0;

    pthread_setname_np(pthread_self(), PUMP_THREAD_NAME);
    if (!may_run(loader))
        return NULL;
    while (!loader->is_finished) {
        if (step(loader)) {
            idle = 0;
            continue;
        }
        wait_for_room(loader);
        rest(&idle);
    }
    return NULL;
}

static void tell_closing(struct capstan_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->is_closing = true;
    loader->released = loader->taken;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    if (loader->has_thread)
        pthread_join(loader->thread, NULL);
}

int pump_start(struct capstan_loader *loader)
{
    bool is_wanted = loader->options.progress == CAPSTAN_PROGRESS_THREAD;

    if (is_wanted &&
        pthread_create(&loader->thread, NULL, pump_thread, loader) == 0)
        loader->has_thread = true;
    if (is_wanted && !loader->has_thread)
        note_set(&loader->note, -ENOMEM, "cannot start a thread");
    if (note_agree(&loader->note, loader->comm) != 0) {
        tell_closing(loader);
        return loader->note.code;
    }
    pthread_mutex_lock(&loader->lock);
    loader->is_pumping = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    return 0;
}

void pump_stop(struct capstan_loader *loader)
{
    unsigned idle = 0;

    if (!loader->is_pumping)
        return;
    tell_closing(loader);
    if (loader->has_thread)
        return;
    start_all(loader);
    while (!loader->is_finished) {
        if (step_read(loader) || step_agree(loader) || step_finish(loader))
            idle = 0;
        else
            rest(&idle);
    }
}

/* Under lock, if there is a thread. */
static bool is_known(const struct capstan_loader *loader, uint64_t n)
{
    return loader->ready > n || loader->is_over;
}

static void wait_for_thread(struct capstan_loader *loader, uint64_t n)
{
    pthread_mutex_lock(&loader->lock);
    while (!is_known(loader, n))
        pthread_cond_wait(&loader->changed, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}

static void wait_ourselves(struct capstan_loader *loader, uint64_t n)
{
    unsigned idle = 0;

    start_all(loader);
    while (!is_known(loader, n)) {
        if (step_read(loader) || step_agree(loader) || step_finish(loader))
            idle = 0;
        else
            rest(&idle);
    }
}

int pump_wait(struct capstan_loader *loader, uint64_t n)
{
    int rc = 0;

    if (loader->has_thread)
        wait_for_thread(loader, n);
    else
        wait_ourselves(loader, n);
    pthread_mutex_lock(&loader->lock);
    if (loader->ready <= n)
        rc = loader->note.code != 0 ? loader->note.code : -ENODATA;
    pthread_mutex_unlock(&loader->lock);
    return rc;
}
