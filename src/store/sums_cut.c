/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Truncate and destroy: alone with their object, so nothing else of it runs.
 *
 * The happy path of a cut: the block in which the object will end is read and
 * compared, its sum computed as it will be; the object is cut; then the sums
 * behind its end are zeros, in memory and on the device, so that they are right
 * for what may be appended. The regions concerned were marked dirty before.
 *
 * Possible failure modes are: the block does not fit its sum (nothing is cut);
 * a part could not be cut: the regions are stale.
 */
#include "store/sums_priv.h"

#include "base/err.h"

#include <string.h>

static uint64_t kept_units(uint64_t size)
{
    return (size + SUMS_UNIT_DATA - 1) / SUMS_UNIT_DATA;
}

static void cut_end(struct sum_op *op)
{
    struct sum_object *object = op->object;

    if (op->unit != NULL)
        unit_unpin(op);
    if (op->rc != 0) {
        sums_regions_add(&object->stale, op->user->offset, op->end);
        object->has_no_size = true;
    } else if (op->user->offset == 0) {
        object_set_lost(op->store, object, false);
    }
    object->is_current = false;
    object_touched(op->store, object);
    op_end(op, 0);
}

/* The bytes are gone; now the sums behind them. */
static void cut_sums(struct sum_op *op)
{
    struct sum_object *object = op->object;
    uint64_t size = op->user->offset;
    unsigned blocks;

    op->step = cut_end;
    if (op->rc != 0) {
        cut_end(op);
        return;
    }
    if (op->unit != NULL) {
        blocks = (unsigned)((size + SUMS_BLOCK - 1) / SUMS_BLOCK -
                            op->unit->index * SUMS_UNIT_BLOCKS);
        if (size % SUMS_BLOCK != 0)
            unit_set(op->unit, blocks - 1, op->sums[0]);
        memset(op->unit->sums + blocks, 0,
               SUMS_UNIT_SIZE - blocks * sizeof(uint32_t));
        unit_dirty(op->store, op->unit);
    }
    object->size = size;
    units_drop(op->store, object, kept_units(size));
    if (object->nunits > kept_units(size)) {
        object->nunits = kept_units(size);
        op_transfer(op, OBJ_TRUNCATE, 1)->offset =
            SUMS_FIRST + object->nunits * SUMS_UNIT_SIZE;
        store_submit(op->store, &op->transfers[0].io);
    } else {
        cut_end(op);
    }
}

static void cut_bytes(struct sum_op *op)
{
    struct obj_io *io = op_transfer(op, OBJ_TRUNCATE, 0);

    op->step = cut_sums;
    io->offset = op->user->offset;
    store_submit(op->store, io);
}

static void refuse(struct sum_op *op)
{
    if (op->unit != NULL)
        unit_unpin(op);
    op_end(op, op->rc);
}

static void cut_block_read(struct sum_op *op)
{
    const struct obj_io *io = &op->transfers[0].io;
    uint64_t size = op->user->offset;

    if (op->rc == 0)
        memset(op->bounce + io->result, 0, SUMS_BLOCK - (size_t)io->result);
    if (op->rc != 0 ||
        !check_blocks(op, size / SUMS_BLOCK, op->bounce, SUMS_BLOCK)) {
        refuse(op);
        return;
    }
    op->sums[0] = sums_of_block(op->bounce, size % SUMS_BLOCK);
    cut_bytes(op);
}

/* The unit of the last block that stays, and that block if it is cut. */
static void cut_unit(struct sum_op *op)
{
    uint64_t size = op->user->offset;
    struct obj_io *io;

    op->step = cut_unit;
    if (op->rc != 0) {
        refuse(op);
        return;
    }
    if (!unit_want(op, op->object, (size - 1) / SUMS_UNIT_DATA, UNIT_CHANGE))
        return;
    if (size % SUMS_BLOCK == 0) {
        cut_bytes(op);
        return;
    }
    op->step = cut_block_read;
    io = op_transfer(op, OBJ_READ, 0);
    io->offset = size - size % SUMS_BLOCK;
    io->length = SUMS_BLOCK;
    io->memory = op->bounce;
    store_submit(op->store, io);
}

static void grown(struct sum_op *op)
{
    struct sum_object *object = op->object;

    if (op->rc != 0) {
        object->has_no_size = true;
    } else if (object->size < op->user->offset) {
        object->size = op->user->offset;
        object_touched(op->store, object);
    }
    op_end(op, 0);
}

void truncate_start(struct sum_op *op)
{
    struct sum_object *object = op->object;
    struct obj_io *io;

    object->writes++;
    op->end = object->size;
    if (op->user->offset < object->size) {
        if (op->user->offset > 0)
            cut_unit(op);
        else
            cut_bytes(op);
        return;
    }
    op->step = grown;
    io = op_transfer(op, OBJ_TRUNCATE, 0);
    io->offset = op->user->offset;
    store_submit(op->store, io);
}

static void destroyed(struct sum_op *op)
{
    struct sum_object *object = op->object;

    object_unlist(op->store, object);
    memset(&object->dirty, 0, sizeof(object->dirty));
    memset(&object->stale, 0, sizeof(object->stale));
    object->size = object->nunits = 0;
    object->has_header = object->is_current = object->has_no_size = false;
    object->is_foreign = false;
    object->is_loaded = op->rc == 0;
    if (op->rc == 0)
        object_set_lost(op->store, object, false);
    op_end(op, 0);
}

void destroy_start(struct sum_op *op)
{
    struct sum_object *object = op->object;
    bool has_sums =
        !object->is_loaded || object->has_header || object->nunits > 0;

    object->writes++;
    units_drop(op->store, object, 0);
    op->step = destroyed;
    store_submit(op->store, op_transfer(op, OBJ_DESTROY, 0));
    if (has_sums)
        store_submit(op->store, op_transfer(op, OBJ_DESTROY, 1));
}
