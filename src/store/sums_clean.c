/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums on their way to the device: one object at a time, by one operation of
 * our own, the cleaner.
 *
 * The happy path of a cleaning: an object has been quiet; its bytes are made
 * durable, unless a caller has done so since the last write; its units are
 * written, these made durable; if nothing was written to it meanwhile, its
 * header says that the regions are clean. The header itself may reach the
 * device when it likes.
 *
 * An object whose place another needs, and every object when the store is
 * flushed, is written in the same way but without making anything durable: its
 * regions stay dirty.
 *
 * Possible failure modes are: the device's, or a write in between: the object
 * stays dirty and its turn comes again. When the device has refused many in a
 * row, no further object may become dirty, and a quarter of the places are left
 * to what is read.
 */
#include "store/sums_priv.h"

#include "base/log.h"

#include <string.h>
#include <utlist.h>

#define DROP_SCAN_MAX 16 /* objects looked at to find one to forget */

void object_unlist(struct sums_store *store, struct sum_object *object)
{
    if (!object->is_listed)
        return;
    DL_DELETE2(store->dirty, object, dirty_prev, dirty_next);
    object->is_listed = false;
    store->stats.objects_dirty--;
}

void object_touched(struct sums_store *store, struct sum_object *object)
{
    object_unlist(store, object);
    object->written_ns = clock_now(store->config.clock);
    DL_APPEND2(store->dirty, object, dirty_prev, dirty_next);
    object->is_listed = true;
    store->stats.objects_dirty++;
}

/* Not to be met again soon by who looks for a place. */
static void object_last(struct sums_store *store, struct sum_object *object)
{
    DL_DELETE(store->objects_used, object);
    DL_APPEND(store->objects_used, object);
}

/* Begin, or go on, with what is not on the device. @return false: all is. */
static bool write_units(struct sum_op *op)
{
    struct sum_unit *unit;

    DL_FOREACH2(op->object->units, unit, sibling_next)
    {
        if (unit->is_writing) {
            assert(unit->writer == NULL);
            unit->writer = op;
            op->waiting++;
        } else if (unit->is_dirty && unit->is_valid) {
            unit_write(op->store, unit, op);
            op->waiting++;
        }
    }
    return op->waiting > 0;
}

static void write_header(struct sum_op *op, sum_step_fn *then)
{
    struct sum_object *object = op->object;
    struct obj_io *io = op_transfer(op, OBJ_WRITE, 1);

    object->has_header = true;
    object->is_current = true;
    object->is_foreign = false;
    object_header(object, op->store->config.boot, op->bounce);
    io->length = SUMS_HEADER_SIZE;
    io->memory = op->bounce;
    op->step = then;
    store_submit(op->store, io);
}

static void cleaner_end(struct sum_op *op)
{
    op->store->is_cleaning = false;
    task_end(op);
}

/*
 * Cleaning.
 */

static void give_up(struct sum_op *op)
{
    if (op->rc != 0)
        stuck_note(op->store, &op->store->objects_stuck, op->rc);
    object_touched(op->store, op->object);
    cleaner_end(op);
}

static void clean_header_written(struct sum_op *op)
{
    if (op->rc != 0) {
        op->object->is_current = false;
        give_up(op);
        return;
    }
    stuck_note(op->store, &op->store->objects_stuck, 0);
    op->store->stats.cleanings++;
    cleaner_end(op);
}

static bool is_disturbed(const struct sum_op *op)
{
    return op->rc != 0 || op->object->writes != op->writes;
}

static void clean_sums_synced(struct sum_op *op)
{
    struct sum_object *object = op->object;

    if (is_disturbed(op)) {
        give_up(op);
        return;
    }
    for (unsigned i = 0; i < SUMS_WORDS; i++)
        object->dirty.word[i] &= object->stale.word[i];
    object_unlist(op->store, object);
    write_header(op, clean_header_written);
}

static void clean_units(struct sum_op *op)
{
    op->step = clean_units;
    if (is_disturbed(op)) {
        give_up(op);
        return;
    }
    if (write_units(op))
        return;
    op->step = clean_sums_synced;
    store_submit(op->store, op_transfer(op, OBJ_SYNC, 1));
}

/* This sync may be the one that is told of an error: callers must hear of it. */
static void clean_bytes_synced(struct sum_op *op)
{
    if (op->rc != 0)
        object_set_lost(op->store, op->object, true);
    clean_units(op);
}

static bool is_being_written(const struct sum_object *object)
{
    const struct sum_op *op;

    for (op = object->ops; op != NULL; op = op->next)
        if (obj_changes(op->user->verb))
            return true;
    return false;
}

static bool has_fresh_regions(const struct sum_object *object)
{
    for (unsigned i = 0; i < SUMS_WORDS; i++)
        if (object->dirty.word[i] & ~object->stale.word[i])
            return true;
    return false;
}

static void cleaner_take(struct sums_store *store, struct sum_object *object)
{
    struct sum_op *op = &store->cleaner;

    assert(!store->is_cleaning && object->task == NULL);
    store->is_cleaning = true;
    object->task = op;
    op->object = object;
    op->rc = 0;
    op->writes = object->writes;
}

static void clean_one(struct sums_store *store, struct sum_object *object)
{
    struct sum_op *op = &store->cleaner;

    if (object->task != NULL || is_being_written(object)) {
        object_touched(store, object);
        return;
    }
    if (!has_fresh_regions(object) && object->has_header) {
        object_unlist(store, object);
        return;
    }
    cleaner_take(store, object);
    if (object->synced == object->writes + 1) { /* a caller's SYNC was last */
        clean_units(op);
        return;
    }
    op->step = clean_bytes_synced;
    store_submit(store, op_transfer(op, OBJ_SYNC, 0));
}

/*
 * Flushing, to forget an object or to end in order.
 */

static bool has_unwritten_units(const struct sum_object *object)
{
    const struct sum_unit *unit;

    DL_FOREACH2(object->units, unit, sibling_next)
    {
        if (unit->is_dirty || unit->is_writing)
            return true;
    }
    return false;
}

static bool has_news(const struct sum_object *object)
{
    return object->is_loaded && !object->is_current &&
           (object->has_header || sums_regions_any(&object->dirty));
}

/* Must it be remembered that a sync of it failed? */
static bool is_kept(const struct sums_store *store,
                    const struct sum_object *object)
{
    return object->is_lost && !store->is_lost;
}

static bool may_be_dropped(const struct sums_store *store,
                           const struct sum_object *object)
{
    return object->ops == NULL && object->task == NULL && !has_news(object) &&
           !has_unwritten_units(object) && !is_kept(store, object);
}

/* One that could not be written is not to be met again soon. */
static void flush_end(struct sum_op *op)
{
    struct sums_store *store = op->store;
    struct sum_object *object = op->object;

    stuck_note(store, &store->objects_stuck, op->rc);
    if (op->rc != 0) {
        store->has_unflushed |= store->is_flushing;
        object_last(store, object);
        object_touched(store, object);
    }
    cleaner_end(op);
}

static void flush_header_written(struct sum_op *op)
{
    if (op->rc != 0)
        op->object->is_current = false;
    flush_end(op);
}

static void flush_units(struct sum_op *op)
{
    op->step = flush_units;
    if (op->rc == 0 && write_units(op))
        return;
    if (op->rc != 0 || !has_news(op->object))
        flush_end(op);
    else
        write_header(op, flush_header_written);
}

static void flush_one(struct sums_store *store, struct sum_object *object)
{
    cleaner_take(store, object);
    flush_units(&store->cleaner);
}

/* @return whether the object could be forgotten, and was. */
static bool consider(struct sums_store *store, struct sum_object *object,
                     struct sum_object **candidate)
{
    if (may_be_dropped(store, object)) {
        object_drop(store, object);
        return true;
    }
    if (is_kept(store, object))
        object_last(store, object);
    else if (*candidate == NULL && object->ops == NULL && object->task == NULL)
        *candidate = object;
    return false;
}

/* Write it, so that it may be forgotten next time. */
static void flush_candidate(struct sums_store *store,
                            struct sum_object *candidate)
{
    if (candidate != NULL && !store->is_cleaning &&
        stuck_may_try(store, &store->objects_stuck))
        flush_one(store, candidate);
}

/* How many are looked at: all, when nothing else may help. */
static unsigned scan_max(const struct sums_store *store)
{
    return stuck_code(store, &store->objects_stuck) != 0
               ? store->config.objects_max
               : DROP_SCAN_MAX;
}

bool objects_make_room(struct sums_store *store)
{
    struct sum_object *object = store->objects_used, *next;
    struct sum_object *candidate = NULL;
    unsigned most = scan_max(store);

    for (unsigned i = 0; object != NULL && i < most; object = next, i++) {
        next = object->next;
        if (consider(store, object, &candidate))
            return true;
    }
    flush_candidate(store, candidate);
    return false;
}

bool objects_may_dirty(struct sums_store *store,
                       const struct sum_object *written)
{
    unsigned max = store->config.objects_max;
    struct sum_object *object = store->dirty, *next;
    struct sum_object *candidate = NULL;
    unsigned most = scan_max(store);

    if ((written != NULL && written->is_listed) ||
        store->stats.objects_dirty < max - max / 4 - store->nlost)
        return true;
    for (unsigned i = 0; object != NULL && i < most; object = next, i++) {
        next = object->dirty_next;
        if (consider(store, object, &candidate))
            return true;
    }
    flush_candidate(store, candidate);
    return false;
}

static void flush_over(struct sums_store *store, bool is_kept)
{
    if (!is_kept)
        log_warn("not all sums of this run could be written: they will be "
                 "computed again");
    store->is_cleaning = false;
    store->is_flushing = false;
}

static void boots_written(struct sum_op *op)
{
    flush_over(op->store, op->rc == 0);
}

/* If all is written, the next process may trust it. */
static void write_boots(struct sums_store *store)
{
    struct sum_op *op = &store->cleaner;
    struct sums_boots *boots = &store->boots;
    struct obj_io *io;

    if (store->config.machine == 0 || store->has_unflushed) {
        flush_over(store, !store->has_unflushed);
        return;
    }
    if (boots->count == SUMS_BOOTS_MAX)
        memmove(&boots->boot[0], &boots->boot[1],
                --boots->count * sizeof(boots->boot[0]));
    boots->boot[boots->count++] = store->config.boot;
    store->is_cleaning = true;
    op->object = NULL;
    op->rc = 0;
    op->step = boots_written;
    sums_boots_encode(boots, op->bounce);
    io = op_transfer(op, OBJ_WRITE, 1);
    io->length = SUMS_HEADER_SIZE;
    io->memory = op->bounce;
    store_submit(store, io);
}

static void flush_poll(struct sums_store *store)
{
    struct sum_object *object;

    while (!store->is_cleaning && store->flush_at < store->config.objects_max) {
        object = &store->objects_all[store->flush_at++];
        if (object->is_used && object->task == NULL &&
            (has_news(object) || has_unwritten_units(object)))
            flush_one(store, object);
    }
    if (!store->is_cleaning)
        write_boots(store);
}

void clean_poll(struct sums_store *store)
{
    struct sum_object *object = store->dirty;

    if (store->is_cleaning)
        return;
    if (store->is_flushing)
        flush_poll(store);
    else if (object != NULL && stuck_may_try(store, &store->objects_stuck) &&
             clock_now(store->config.clock) >=
                 object->written_ns + store->config.idle_ns)
        clean_one(store, object);
}
