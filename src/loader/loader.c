/* SPDX-License-Identifier: BSD-3-Clause */
/* What the caller sees of a loader that is open. */
#include "loader/priv.h"

#include <errno.h>

/* Give back the batch that the caller has, and have the pump run. */
static int release(struct capstan_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->released = loader->taken;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    if (loader->is_pumping)
        return 0;
    return pump_start(loader);
}

int capstan_loader_next(struct capstan_loader *loader,
                        struct capstan_batch *batch_out)
{
    double begin = MPI_Wtime(), waited;
    const struct slot *slot;
    int rc;

    if (!loader->is_pumping && loader->note.code != 0)
        return loader->note.code;
    rc = release(loader);
    if (rc == 0)
        rc = pump_wait(loader, loader->taken);
    waited = MPI_Wtime() - begin;
    loader->stats.wait_seconds += waited;
    if (rc != 0)
        return rc;
    if (loader->stats.steps == 0)
        loader->stats.first_wait_seconds = waited;
    slot = &loader->slots[loader->taken++ % loader->nslots];
    loader->stats.steps++;
    loader->stats.samples += slot->batch.count;
    loader->stats.bytes += slot->bytes;
    *batch_out = slot->batch;
    return 0;
}

void capstan_loader_progress(struct capstan_loader *loader)
{
    if (loader->is_pumping)
        pump_progress(loader);
}

const char *capstan_loader_error(const struct capstan_loader *loader)
{
    return loader != NULL ? loader->note.text : "no memory for a loader";
}

uint64_t capstan_loader_samples(const struct capstan_loader *loader)
{
    return loader->index.nrows;
}

uint64_t capstan_loader_steps(const struct capstan_loader *loader)
{
    return loader->has_plan ? plan_steps(&loader->plan) : 0;
}

void capstan_loader_stats(struct capstan_loader *loader,
                          struct capstan_loader_stats *stats_out)
{
    *stats_out = loader->stats;
    stats_out->reads = __atomic_load_n(&loader->reads, __ATOMIC_RELAXED);
    stats_out->opens = __atomic_load_n(&loader->opens, __ATOMIC_RELAXED);
}
