/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One batch.
 *
 *   1. Walk the step's places: note which files anybody touches, and which
 *      samples are ours.
 *   2. Lay our samples out in memory, by number, so by file and offset; one
 *      that comes twice lies there once. Slots keep their memory, unless it is
 *      so tight that each must have no more than it needs.
 *   3. Open the files that are not yet open, and start the reads (read.c).
 *   4. When all reads are over, check the sums.
 *
 * Possible failures: no memory, a file that cannot be opened, a read that fails
 * or is short, a wrong sum. A rank that fails in 1 or 2 takes part in 3 all the
 * same, with nothing to read.
 */
#include "loader/priv.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

void slot_fini(struct capstan_loader *loader, struct slot *slot)
{
    files_close(&slot->files);
    free(slot->samples);
    free(slot->order);
    free(slot->at);
    free(slot->memory);
    loader->memory_used -= slot->memory_size;
    reads_fini(&slot->reads);
}

static void have_room(struct slot *slot, uint64_t count)
{
    if (count <= slot->room)
        return;
    free(slot->samples);
    free(slot->order);
    free(slot->at);
    slot->samples = mem_calloc(count, sizeof(*slot->samples));
    slot->order = mem_calloc(count, sizeof(*slot->order));
    slot->at = mem_calloc(count, sizeof(*slot->at));
    slot->room = count;
    if (slot->samples == NULL || slot->order == NULL || slot->at == NULL) {
        slot->room = 0;
        note_set(&slot->note, -ENOMEM, "no memory for a batch of %llu samples",
                 (unsigned long long)count);
    }
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static int by_file(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

/* Step 1. @return how many files are touched; they are in loader->files. */
static uint32_t walk_step(struct capstan_loader *loader, struct slot *slot,
                          struct plan_slice own)
{
    struct plan_slice all = plan_step(&loader->plan, slot->batch.step);
    uint64_t start = loader->started + 1;
    uint32_t count = 0;

    for (uint64_t i = 0; i < all.count; i++) {
        uint64_t place = all.first + i;
        uint64_t number = plan_sample(&loader->plan, place);
        uint32_t file = index_file_of(&loader->index, number);

        if (loader->touched[file] != start) {
            loader->touched[file] = start;
            loader->files[count++] = file;
        }
        if (place - own.first < slot->batch.count)
            slot->samples[place - own.first] = (struct capstan_sample){
                .number = number,
                .length = loader->index.rows[number].length,
                .is_padding = place >= loader->index.nrows,
            };
    }
    qsort(loader->files, count, sizeof(*loader->files), by_file);
    return count;
}

uint64_t slot_aligned(uint64_t length)
{
    return (length + SAMPLE_ALIGN - 1) / SAMPLE_ALIGN * SAMPLE_ALIGN;
}

/* Samples that come twice are counted twice. */
uint64_t slot_need(struct capstan_loader *loader, uint64_t epoch, uint64_t step)
{
    struct plan *plan = &loader->plan;
    uint64_t most = 0;

    if (plan->epoch != epoch)
        plan_set_epoch(plan, epoch);
    for (uint32_t rank = 0; rank < plan->shape.ranks;
         rank += plan->shape.group) {
        struct plan_slice slice = plan_rank_step(plan, step, rank);
        uint64_t need = 0;

        for (uint64_t i = 0; i < slice.count; i++) {
            uint64_t number = plan_sample(plan, slice.first + i);

            need += slot_aligned(loader->index.rows[number].length);
        }
        if (need > most)
            most = need;
    }
    return most;
}

static void drop_memory(struct capstan_loader *loader, struct slot *slot)
{
    free(slot->memory);
    loader->memory_used -= slot->memory_size;
    slot->memory = NULL;
    slot->memory_size = 0;
}

/* Of all slots whose batches the caller has given back, and of this one. */
static void drop_unused(struct capstan_loader *loader)
{
    for (uint32_t i = 0; i < loader->nslots; i++) {
        bool is_used = false;

        for (uint64_t n = loader->kept; n < loader->started; n++)
            is_used |= n % loader->nslots == i;
        if (!is_used)
            drop_memory(loader, &loader->slots[i]);
    }
}

static void have_memory(struct capstan_loader *loader, struct slot *slot,
                        size_t need)
{
    if (loader->is_tight)
        drop_unused(loader);
    if (need <= slot->memory_size)
        return;
    drop_memory(loader, slot);
    if (loader->memory_used + need > loader->options.memory_max) {
        note_set(&slot->note, -ENOMEM,
                 "rank %d: a batch of %zu bytes is more than memory_max, %llu",
                 loader->rank, need,
                 (unsigned long long)loader->options.memory_max);
        return;
    }
    slot->memory = mem_pages(need);
    slot->memory_size = slot->memory != NULL ? need : 0;
    loader->memory_used += slot->memory_size;
    if (slot->memory == NULL)
        note_set(&slot->note, -ENOMEM, "rank %d: no memory for a batch of %zu",
                 loader->rank, need);
}

/* Step 2: the numbers that we want, each once, ascending, and memory for them.
 */
static void lay_out(struct capstan_loader *loader, struct slot *slot)
{
    uint64_t unique = 0;
    size_t need = 0;

    for (uint64_t i = 0; i < slot->batch.count; i++)
        slot->order[i] = slot->samples[i].number;
    if (slot->batch.count > 0) /* else there may be no memory for them yet */
        qsort(slot->order, slot->batch.count, sizeof(*slot->order), by_value);
    for (uint64_t i = 0; i < slot->batch.count; i++)
        if (i == 0 || slot->order[i] != slot->order[i - 1]) {
            slot->order[unique++] = slot->order[i];
            need += slot_aligned(loader->index.rows[slot->order[i]].length);
        }
    have_memory(loader, slot, need);
    slot->nunique = slot->note.code == 0 ? unique : 0;
}

/* Where they lie, and so where the samples are, which come in the plan's order.
 */
static void point(struct capstan_loader *loader, struct slot *slot)
{
    size_t at = 0;

    slot->bytes = 0;
    for (uint64_t i = 0; i < slot->nunique; i++) {
        slot->at[i] = at;
        at += slot_aligned(loader->index.rows[slot->order[i]].length);
        slot->bytes += loader->index.rows[slot->order[i]].length;
    }
    for (uint64_t i = 0; i < slot->batch.count && slot->nunique > 0; i++) {
        const uint64_t *found =
            bsearch(&slot->samples[i].number, slot->order, slot->nunique,
                    sizeof(*slot->order), by_value);

        slot->samples[i].data = slot->memory + slot->at[found - slot->order];
    }
}

void slot_start(struct capstan_loader *loader, struct slot *slot)
{
    struct capstan_batch *batch = &slot->batch;
    struct plan_slice own;
    uint32_t nfiles;

    slot->note.code = 0;
    slot->nunique = 0;
    if (loader->plan.epoch != batch->epoch)
        plan_set_epoch(&loader->plan, batch->epoch);
    own = plan_rank_step(&loader->plan, batch->step, (uint32_t)loader->rank);
    have_room(slot, own.count);
    batch->count = slot->note.code == 0 ? own.count : 0;
    batch->samples = slot->samples;
    nfiles = walk_step(loader, slot, own);
    lay_out(loader, slot);
    point(loader, slot);
    if (files_open(loader, &slot->files, loader->files, nfiles,
                   loader->started + 1, &slot->note) == 0)
        reads_start(loader, slot, loader->files, nfiles);
    tell_ahead(loader);
}

/* Step 4. */
void slot_check(const struct capstan_loader *loader, struct slot *slot)
{
    const struct index *index = &loader->index;

    if (loader->options.is_unchecked || slot->note.code != 0)
        return;
    for (uint64_t i = 0; i < slot->nunique; i++) {
        const struct index_row *row = &index->rows[slot->order[i]];
        uint32_t sum = crc32c(0, slot->memory + slot->at[i], row->length);

        if (sum == row->crc32c)
            continue;
        note_set(&slot->note, -EBADMSG,
                 "%s/%s: sample %llu (offset %llu, length %u) sums to %08x, "
                 "in the index to %08x",
                 loader->dataset,
                 index->files[index_file_of(index, slot->order[i])].name,
                 (unsigned long long)slot->order[i],
                 (unsigned long long)row->offset, row->length, sum,
                 row->crc32c);
        return;
    }
}
