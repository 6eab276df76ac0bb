/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums in memory, in units of 256.
 *
 * The happy path: unit_want() finds the unit by hash, or takes one that is free
 * or was not used for longest, and reads it from the object's second part, or
 * fills it with zeros where that part holds nothing. A unit that was changed is
 * written back before it may serve another object.
 *
 * Units that are dirty, or about to be, are three quarters of all at most, so
 * that reads go on whatever becomes of the writes.
 *
 * Possible failure modes are: a read that fails ends those who wait for the
 * unit with its code; a write that fails leaves the unit dirty, and its turn
 * comes again after all others; no unit to be had: who wants one waits until
 * another lets go, or until the device has refused so many that it is full (or
 * broken), and then fails with its code.
 */
#include "store/sums_priv.h"

#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#define SCAN_MAX 64u  /* units looked at to find one to be had */
#define AHEAD_MAX 32u /* written early at one turn */

int units_init(struct sums_store *store)
{
    unsigned n = store->config.units_max;
    size_t nbuckets = 1;

    while (nbuckets < n)
        nbuckets *= 2;
    store->unit_mask = nbuckets - 1;
    store->units_all = mem_calloc(n, sizeof(*store->units_all));
    store->unit_buckets = mem_calloc(nbuckets, sizeof(*store->unit_buckets));
    store->sums_all = mem_pages((size_t)n * SUMS_UNIT_SIZE);
    if (store->units_all == NULL || store->unit_buckets == NULL ||
        store->sums_all == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        store->units_all[i].store = store;
        store->units_all[i].sums =
            store->sums_all + (size_t)i * SUMS_UNIT_BLOCKS;
        DL_APPEND(store->units_free, &store->units_all[i]);
    }
    return 0;
}

void units_fini(struct sums_store *store)
{
    free(store->sums_all);
    free(store->unit_buckets);
    free(store->units_all);
}

static struct sum_unit **bucket_of(struct sums_store *store,
                                   const struct sum_object *object,
                                   uint64_t index)
{
    return &store->unit_buckets[hash_ino(object->ino + index * 0x9e3779b9u) &
                                store->unit_mask];
}

static struct sum_unit *find(struct sums_store *store,
                             const struct sum_object *object, uint64_t index)
{
    struct sum_unit *unit = *bucket_of(store, object, index);

    while (unit != NULL && (unit->object != object || unit->index != index))
        unit = unit->chain;
    return unit;
}

static void set_dirty(struct sums_store *store, struct sum_unit *unit,
                      bool is_dirty)
{
    store->nunits_dirty += (unsigned)is_dirty - (unsigned)unit->is_dirty;
    unit->is_dirty = is_dirty;
}

void unit_dirty(struct sums_store *store, struct sum_unit *unit)
{
    set_dirty(store, unit, true);
}

/* Leave the tables; the unit can be found no more. */
static void leave(struct sums_store *store, struct sum_unit *unit)
{
    struct sum_unit **link = bucket_of(store, unit->object, unit->index);

    while (*link != unit)
        link = &(*link)->chain;
    *link = unit->chain;
    DL_DELETE2(unit->object->units, unit, sibling_prev, sibling_next);
    set_dirty(store, unit, false);
    DL_DELETE(store->units_used, unit);
}

static void free_unit(struct sums_store *store, struct sum_unit *unit)
{
    unit->object = NULL;
    unit->is_doomed = false;
    DL_APPEND(store->units_free, unit);
}

static bool is_idle(const struct sum_unit *unit)
{
    return unit->pins == 0 && unit->is_valid && !unit->is_writing;
}

/* Write back the oldest that are dirty. */
static void send_off(struct sums_store *store, unsigned most)
{
    struct sum_unit *unit = store->units_used;

    if (!stuck_may_try(store, &store->units_stuck))
        return;
    for (; unit != NULL && most > 0; unit = unit->next) {
        if (!unit->is_dirty || !is_idle(unit))
            continue;
        unit_write(store, unit, NULL);
        most--;
    }
}

/* The oldest that nobody needs; if there is none, dirty ones are sent off. */
static struct sum_unit *take_oldest(struct sums_store *store)
{
    struct sum_unit *unit = store->units_used;
    unsigned i;

    for (i = 0; unit != NULL && i < SCAN_MAX; unit = unit->next, i++) {
        if (!is_idle(unit) || unit->is_dirty)
            continue;
        leave(store, unit);
        return unit;
    }
    send_off(store, SCAN_MAX);
    return NULL;
}

static struct sum_unit *take_unit(struct sums_store *store)
{
    struct sum_unit *unit = store->units_free;

    if (unit == NULL)
        return take_oldest(store);
    DL_DELETE(store->units_free, unit);
    return unit;
}

static void pin(struct sum_op *op, struct sum_unit *unit)
{
    struct sums_store *store = op->store;

    assert(op->unit == NULL);
    unit->pins++;
    op->unit = unit;
    DL_DELETE(store->units_used, unit);
    DL_APPEND(store->units_used, unit);
}

static void wait_for(struct sum_op **list, struct sum_op *op)
{
    op->wait_next = *list;
    *list = op;
}

static void read_done(struct obj_io *io)
{
    struct sum_unit *unit =
        (struct sum_unit *)((char *)io - offsetof(struct sum_unit, io));
    struct sum_op *waiting = unit->waiting, *op;
    struct sums_store *store = unit->store;
    size_t got = io->result < 0 ? 0 : (size_t)io->result;

    unit->waiting = NULL;
    memset((char *)unit->sums + got, 0, SUMS_UNIT_SIZE - got);
    unit->is_valid = true;
    if (io->result < 0) {
        for (op = waiting; op != NULL; op = op->wait_next)
            op->rc = (int)io->result;
        leave(store, unit);
        free_unit(store, unit);
    }
    wake_all(&waiting);
}

static void start_read(struct sums_store *store, struct sum_unit *unit)
{
    unit->io = (struct obj_io){
        .verb = OBJ_READ,
        .part = 1,
        .ino = unit->object->ino,
        .offset = SUMS_FIRST + unit->index * SUMS_UNIT_SIZE,
        .length = SUMS_UNIT_SIZE,
        .memory = unit->sums,
        .done = read_done,
    };
    store->stats.unit_reads++;
    store_submit(store, &unit->io);
}

/* @return NULL: there is none to be had now. */
static struct sum_unit *make(struct sums_store *store,
                             struct sum_object *object, uint64_t index,
                             enum unit_use use)
{
    struct sum_unit *unit = take_unit(store);
    struct sum_unit **bucket;

    if (unit == NULL)
        return NULL;
    bucket = bucket_of(store, object, index);
    unit->object = object;
    unit->index = index;
    unit->chain = *bucket;
    *bucket = unit;
    DL_APPEND2(object->units, unit, sibling_prev, sibling_next);
    DL_APPEND(store->units_used, unit);
    unit->is_valid = use == UNIT_FILL || index >= object->nunits;
    if (unit->is_valid)
        memset(unit->sums, 0, SUMS_UNIT_SIZE);
    else
        start_read(store, unit);
    return unit;
}

static bool has_dirty_left(const struct sums_store *store)
{
    unsigned max = store->config.units_max;

    return store->nunits_dirty + store->nunits_writing < max - max / 4;
}

/* May one more be dirty, or is this one so already? */
static bool may_dirty(struct sums_store *store, const struct sum_unit *unit)
{
    if ((unit != NULL && (unit->is_dirty || unit->is_writing)) ||
        has_dirty_left(store))
        return true;
    send_off(store, SCAN_MAX);
    return false;
}

bool unit_want(struct sum_op *op, struct sum_object *object, uint64_t index,
               enum unit_use use)
{
    struct sums_store *store = op->store;
    struct sum_unit *unit = find(store, object, index);

    if (use != UNIT_READ && !may_dirty(store, unit)) {
        wait_for(&store->barred, op);
        return false;
    }
    if (unit == NULL)
        unit = make(store, object, index, use);
    if (unit == NULL) {
        wait_for(&store->starved, op);
    } else if (!unit->is_valid) {
        wait_for(&unit->waiting, op);
    } else {
        pin(op, unit);
        if (use != UNIT_READ)
            unit_dirty(store, unit);
    }
    return op->unit != NULL;
}

static void refuse(struct sum_op **list, int rc)
{
    struct sum_op *op;

    while (*list != NULL) { /* others may begin instead, and wait */
        for (op = *list; op != NULL; op = op->wait_next)
            op->rc = rc;
        wake_all(list);
    }
}

/* Is there a unit that will be had, whatever the device takes? */
static bool has_clean(const struct sums_store *store)
{
    const struct sum_unit *unit = store->units_used;

    while (unit != NULL && (unit->is_dirty || unit->is_writing))
        unit = unit->next;
    return unit != NULL || store->units_free != NULL;
}

void units_settle(struct sums_store *store)
{
    int rc;

    if (store->starved != NULL && store->units_free != NULL)
        wake_all(&store->starved);
    if (store->barred != NULL && has_dirty_left(store))
        wake_all(&store->barred);
    if (store->barred == NULL && store->starved == NULL)
        return;
    rc = stuck_code(store, &store->units_stuck);
    if (rc != 0)
        refuse(&store->barred, rc);
    if (rc != 0 && !has_clean(store))
        refuse(&store->starved, rc);
}

/* A unit is idle, or written: who waits may find one now. */
static void wake_waiting(struct sums_store *store)
{
    if (store->starved != NULL)
        wake_all(&store->starved);
    if (store->barred != NULL)
        wake_all(&store->barred);
}

void unit_unpin(struct sum_op *op)
{
    assert(op->unit->pins > 0);
    op->unit->pins--;
    op->unit = NULL;
    wake_waiting(op->store);
}

/* Others may find a place, where the device has one for them. */
static void keep_for_later(struct sums_store *store, struct sum_unit *unit)
{
    set_dirty(store, unit, true);
    DL_DELETE(store->units_used, unit);
    DL_APPEND(store->units_used, unit);
}

static void write_done(struct obj_io *io)
{
    struct sum_unit *unit =
        (struct sum_unit *)((char *)io - offsetof(struct sum_unit, io));
    struct sum_op *writer = unit->writer;
    struct sums_store *store = unit->store;

    unit->writer = NULL;
    unit->is_writing = false;
    store->nunits_writing--;
    stuck_note(store, &store->units_stuck,
               io->result < 0 ? (int)io->result : 0);
    if (unit->is_doomed)
        free_unit(store, unit);
    else if (io->result < 0)
        keep_for_later(store, unit);
    if (writer != NULL) {
        if (io->result < 0)
            writer->rc = (int)io->result;
        if (--writer->waiting == 0)
            writer->step(writer);
    }
    wake_waiting(store);
}

void unit_write(struct sums_store *store, struct sum_unit *unit,
                struct sum_op *writer)
{
    assert(unit->is_dirty && !unit->is_writing);
    set_dirty(store, unit, false);
    unit->is_writing = true;
    store->nunits_writing++;
    unit->writer = writer;
    if (unit->object->nunits <= unit->index)
        unit->object->nunits = unit->index + 1;
    unit->io = (struct obj_io){
        .verb = OBJ_WRITE,
        .part = 1,
        .ino = unit->object->ino,
        .offset = SUMS_FIRST + unit->index * SUMS_UNIT_SIZE,
        .length = SUMS_UNIT_SIZE,
        .memory = unit->sums,
        .done = write_done,
    };
    store->stats.unit_writes++;
    store_submit(store, &unit->io);
}

void units_drop(struct sums_store *store, struct sum_object *object,
                uint64_t index)
{
    struct sum_unit *unit, *next;

    DL_FOREACH_SAFE2(object->units, unit, next, sibling_next)
    {
        if (unit->index < index)
            continue;
        assert(unit->pins == 0 && unit->is_valid);
        leave(store, unit);
        if (unit->is_writing)
            unit->is_doomed = true;
        else
            free_unit(store, unit);
    }
}

void units_write_ahead(struct sums_store *store)
{
    if (store->nunits_dirty > store->config.units_max / 2)
        send_off(store, AHEAD_MAX);
}
