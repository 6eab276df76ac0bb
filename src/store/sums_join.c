/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small reads and writes of one block, made as one.
 *
 * The happy path of reads: a read that wants a part of one block has that block
 * on its way to its bounce buffer. A read that comes right behind it and lies
 * in the same block rides along: it takes no operation of its own, and its
 * bytes are copied when the block has come and fits its sum. Nothing can have
 * changed the block meanwhile, for who writes to it waits for the first read.
 *
 * The happy path of writes: a write that changes a part of a block has that
 * block in its bounce buffer. The writes that wait behind it and lie in the
 * same block join it: all their bytes are put into the buffer in the order of
 * their coming, and what lies between the first and the last of them is written
 * at once. So a list of a thousand pieces of a few bytes costs a read and a
 * write a block, and not a thousand of each, one after the other.
 *
 * The bytes between are those that were read, or zeros behind the end, and
 * nobody else can change them: who shares the block waits for the first write.
 *
 * Possible failure modes are: the read or the write fails, and with it all that
 * joined.
 */
#include "store/sums_priv.h"

#include <string.h>

static uint64_t end_of(const struct obj_io *io)
{
    return io->offset + io->length;
}

static bool is_within(const struct obj_io *io, uint64_t block)
{
    return io->offset >= block && end_of(io) <= block + SUMS_BLOCK;
}

/* Must what comes behind `other` stay behind it, in this block? */
static bool is_a_bar(const struct obj_io *other, uint64_t block)
{
    switch (other->verb) {
    case OBJ_READ:
    case OBJ_WRITE:
        return other->offset < block + SUMS_BLOCK && end_of(other) > block;
    case OBJ_STAT:
    case OBJ_ALLOCATE:
        return false;
    default:
        return true;
    }
}

static void put_bytes(struct sum_op *op, const struct sum_op *from,
                      uint64_t block)
{
    memcpy(op->bounce + (from->user->offset - block), from->user->memory,
           from->user->length);
}

static void join(struct sum_op *op, struct sum_op *other, uint64_t block)
{
    other->is_active = true;
    other->joined = op->joined;
    op->joined = other;
    op->object->nwaiting--;
    op->object->writes++;
    op->store->stats.writes_joined++;
    put_bytes(op, other, block);
    if (other->user->offset < op->at)
        op->at = other->user->offset;
    if (end_of(other->user) > op->end)
        op->end = op->span_end = end_of(other->user);
}

bool writes_join(struct sum_op *op, bool keeps_block)
{
    uint64_t block = op->at - op->at % SUMS_BLOCK;
    struct sum_op *other, *task = op->object->task;

    if (!is_within(op->user, block) || op->user->length == SUMS_BLOCK ||
        op->next == NULL)
        return false;
    if (!keeps_block)
        memset(op->bounce, 0, SUMS_BLOCK);
    put_bytes(op, op, block);
    for (other = op->next; other != NULL; other = other->next)
        if (other->user->verb == OBJ_WRITE && !other->is_active &&
            other != task && is_within(other->user, block))
            join(op, other, block);
        else if (is_a_bar(other->user, block))
            break;
    return op->joined != NULL;
}

/* The last operation of the object, so that none is between the two. */
bool read_may_ride(const struct sum_object *object, const struct obj_io *io)
{
    const struct sum_op *last = object->ops == NULL ? NULL : object->ops->prev;

    return last != NULL && last->takes_riders &&
           is_within(io, last->at - last->at % SUMS_BLOCK);
}

void read_ride(struct sum_object *object, struct obj_io *io)
{
    struct sum_op *op = object->ops->prev;

    obj_line_add(&op->riders, io);
    op->store->nactive++;
    op->store->stats.reads_joined++;
}

static void rider_end(struct sum_op *op, struct obj_io *io, int64_t result)
{
    io->result = result;
    io->bad_offset = op->bad_offset;
    op->store->nactive--;
    obj_line_add(&op->store->ended, io);
}

/* The object may have grown since the block was read: by zeros, in it. */
void riders_serve(struct sum_op *op)
{
    uint64_t block = op->at - op->at % SUMS_BLOCK, end;

    while (op->riders.n > 0) {
        struct obj_io *io = obj_line_take(&op->riders);

        end = end_of(io) < op->object->size ? end_of(io) : op->object->size;
        if (io->offset >= end) {
            rider_end(op, io, 0);
            continue;
        }
        memcpy(io->memory, op->bounce + (io->offset - block), end - io->offset);
        if (io->sums != NULL)
            io->sums[0] =
                unit_sum(op->unit, block / SUMS_BLOCK) ^ SUMS_ZERO_CRC;
        rider_end(op, io, (int64_t)(end - io->offset));
    }
}

void riders_fail(struct sum_op *op)
{
    while (op->riders.n > 0)
        rider_end(op, obj_line_take(&op->riders), op->rc);
}
