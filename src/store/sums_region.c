/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an object needs before its bytes may be touched.
 *
 * Load: its size, and from its header which regions are dirty and stale. With
 * no header that holds, all that it has is stale: it was never cleaned, or was
 * made by a server that knew no sums.
 *
 * Intent: before the first write to a region that is clean on the device, the
 * header is written durably with that region dirty. An object without a header
 * needs none: it says that all is dirty by having none. A header of a process
 * that ended in order speaks for what that one had written, so it is written
 * anew in our name before we write.
 *
 * Summing again: a stale region is read and its sums computed from what it
 * holds. One at a time, for there is one buffer.
 *
 * Possible failure modes are the device's: the operation that came for it fails
 * with the code, the object stays as it was, and the next one tries again.
 */
#include "store/sums_priv.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

#define REGION_UNITS ((1ull << SUMS_REGION_SHIFT) / SUMS_UNIT_DATA)

void task_end(struct sum_op *op)
{
    struct sum_object *object = op->object;

    assert(object->task == op);
    object->task = NULL;
    object_advance(object);
}

void task_settle(struct sum_op *op)
{
    if (op->rc == 0) {
        task_end(op);
        return;
    }
    op->object->task = NULL;
    op_end(op, op->rc);
}

/*
 * Load.
 */

/* Were the sums that the device has written by somebody who has kept them? */
static bool is_trusted(const struct sums_store *store, uint64_t boot)
{
    if (boot == store->config.boot)
        return true;
    for (unsigned i = 0; i < store->boots.count; i++)
        if (store->boots.boot[i] == boot)
            return true;
    return false;
}

static void take_header(struct sum_op *op, const struct sums_header *header)
{
    struct sum_object *object = op->object;
    bool trusts = is_trusted(op->store, header->boot);

    object->has_header = true;
    object->is_foreign = header->boot != op->store->config.boot;
    object->dirty = header->dirty;
    object->stale = header->stale;
    for (unsigned i = 0; !trusts && i < SUMS_WORDS; i++)
        object->stale.word[i] |= object->dirty.word[i];
    object->is_current = trusts;
    if (object->size == 0) /* a crash has left sums behind the bytes */
        sums_regions_add(&object->stale, 0, object->nunits * SUMS_UNIT_DATA);
    if (sums_regions_any(&object->dirty))
        object_touched(op->store, object);
}

/* A crash may leave sums and no header yet; that is zeros. */
static bool has_other_than_zeros(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != 0)
            return true;
    return false;
}

static void take_no_header(struct sum_op *op, bool is_damaged)
{
    struct sum_object *object = op->object;
    uint64_t reach = object->nunits * SUMS_UNIT_DATA;

    op->store->stats.headers_damaged += is_damaged;
    if (is_damaged)
        log_warn("object %016llx: its sums have no valid header; all of it is "
                 "summed again",
                 (unsigned long long)object->ino);
    if (reach < object->size)
        reach = object->size;
    sums_regions_add(&object->dirty, 0, reach);
    sums_regions_add(&object->stale, 0, reach);
}

/* What another version has written is neither trusted nor written over. */
static void refuse_format(struct sum_op *op)
{
    log_error("object %016llx: its sums are of a format that this server does "
              "not know",
              (unsigned long long)op->object->ino);
    op->rc = -EIO;
}

static void take_sums(struct sum_op *op)
{
    struct sum_object *object = op->object;
    size_t got = (size_t)op->transfers[1].io.result;
    uint64_t end = op->transfers[2].io.size_out;
    struct sums_header header;
    int rc = sums_header_decode(op->bounce, got, object->ino, &header);

    if (rc == -ENOTSUP) {
        refuse_format(op);
        return;
    }
    object->is_loaded = true;
    if (end > SUMS_FIRST)
        object->nunits = (end - SUMS_FIRST - 1) / SUMS_UNIT_SIZE + 1;
    if (rc == 0)
        take_header(op, &header);
    else
        take_no_header(op, has_other_than_zeros(op->bounce, got));
}

static void load_done(struct sum_op *op)
{
    struct sum_object *object = op->object;

    if (op->rc == 0) {
        object->size = op->transfers[0].io.size_out;
        object->has_no_size = false;
    }
    if (op->rc == 0 && !object->is_loaded)
        take_sums(op);
    task_settle(op);
}

void load_start(struct sum_op *op)
{
    struct obj_io *io;

    op->object->task = op;
    op->step = load_done;
    store_submit(op->store, op_transfer(op, OBJ_STAT, 0));
    if (op->object->is_loaded)
        return;
    io = op_transfer(op, OBJ_READ, 1);
    io->length = SUMS_HEADER_SIZE;
    io->memory = op->bounce;
    store_submit(op->store, io);
    store_submit(op->store, op_transfer(op, OBJ_STAT, 1));
}

/*
 * Intent.
 */

void object_header(const struct sum_object *object, uint64_t boot, void *at)
{
    struct sums_header header = {.ino = object->ino,
                                 .boot = boot,
                                 .dirty = object->dirty,
                                 .stale = object->stale};

    sums_header_encode(&header, at);
}

static void intent_done(struct sum_op *op)
{
    if (op->rc == 0) {
        sums_regions_add(&op->object->dirty, op->at, op->end);
        op->object->is_current = true;
        op->object->is_foreign = false;
    }
    task_settle(op);
}

void intent_start(struct sum_op *op, uint64_t from, uint64_t to)
{
    struct sum_object *object = op->object;
    struct sum_object marked = *object;
    struct obj_io *io;

    if (!object->has_header) {
        sums_regions_add(&object->dirty, from, to);
        return;
    }
    object->task = op;
    op->step = intent_done;
    op->at = from;
    op->end = to;
    sums_regions_add(&marked.dirty, from, to);
    object_header(&marked, op->store->config.boot, op->bounce);
    io = op_transfer(op, OBJ_WRITE, 1);
    io->is_durable = true;
    io->length = SUMS_HEADER_SIZE;
    io->memory = op->bounce;
    op->store->stats.intents++;
    store_submit(op->store, io);
}

/*
 * Summing again. op->index is the unit, op->at the region, op->end its end.
 */

static void resum_end(struct sum_op *op)
{
    struct sums_store *store = op->store;
    struct sum_object *object = op->object;
    unsigned region = (unsigned)op->at;

    store->buffer_op = NULL;
    if (op->rc == 0) {
        object->stale.word[region / 64] &= ~(1ull << region % 64);
        object->is_current = false;
        object_touched(store, object);
    }
    task_settle(op);
    wake_all(&store->buffer_waiting);
}

static void resum_next(struct sum_op *op);

static void resum_read(struct sum_op *op)
{
    const struct obj_io *io = &op->transfers[0].io;
    size_t got = op->rc == 0 ? (size_t)io->result : 0;
    struct sum_unit *unit = op->unit;
    size_t at, part;

    for (at = 0; at < got; at += part) {
        part = got - at < SUMS_BLOCK ? got - at : SUMS_BLOCK;
        unit_set(unit, at / SUMS_BLOCK,
                 sums_of_block(op->store->buffer + at, part));
    }
    op->store->stats.bytes_resummed += got;
    unit_unpin(op);
    if (op->rc != 0) {
        resum_end(op);
        return;
    }
    op->index++;
    resum_next(op);
}

static void resum_unit(struct sum_op *op)
{
    struct obj_io *io;

    op->step = resum_unit;
    if (op->rc != 0) {
        resum_end(op);
        return;
    }
    if (!unit_want(op, op->object, op->index, UNIT_FILL))
        return;
    memset(op->unit->sums, 0, SUMS_UNIT_SIZE);
    unit_dirty(op->store, op->unit);
    op->step = resum_read;
    io = op_transfer(op, OBJ_READ, 0);
    io->offset = op->index * SUMS_UNIT_DATA;
    io->length = SUMS_UNIT_DATA;
    io->memory = op->store->buffer;
    store_submit(op->store, io);
}

/* The first unit that has neither bytes nor sums, nor has any behind it. */
static uint64_t units_end(const struct sum_object *object)
{
    uint64_t end = (object->size + SUMS_UNIT_DATA - 1) / SUMS_UNIT_DATA;

    return end < object->nunits ? object->nunits : end;
}

static void resum_next(struct sum_op *op)
{
    if (op->index < units_end(op->object) && op->index < op->end)
        resum_unit(op);
    else
        resum_end(op);
}

static void resum_begin(struct sum_op *op)
{
    struct sums_store *store = op->store;

    op->step = resum_begin;
    if (store->buffer_op != NULL) {
        op->wait_next = store->buffer_waiting;
        store->buffer_waiting = op;
        return;
    }
    store->buffer_op = op;
    resum_next(op);
}

bool resum_needless(struct sum_object *object, unsigned region)
{
    if (region * REGION_UNITS < units_end(object))
        return false;
    object->stale.word[region / 64] &= ~(1ull << region % 64);
    object->is_current = false;
    return true;
}

void resum_start(struct sum_op *op, unsigned region)
{
    op->object->task = op;
    op->at = region;
    op->index = region * REGION_UNITS;
    op->end =
        region == SUMS_REGIONS - 1 ? UINT64_MAX : (region + 1) * REGION_UNITS;
    resum_begin(op);
}
