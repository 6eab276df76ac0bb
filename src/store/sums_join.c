/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small writes to one block, made as one.
 *
 * The happy path: a write that changes a part of a block has that block in its
 * bounce buffer. The writes that wait behind it and lie in the same block join
 * it: all their bytes are put into the buffer in the order of their coming, and
 * what lies between the first and the last of them is written at once. So a
 * list of a thousand pieces of a few bytes costs a read and a write a block,
 * and not a thousand of each, one after the other.
 *
 * The bytes between are those that were read, or zeros behind the end, and
 * nobody else can change them: who shares the block waits for the first write.
 *
 * Possible failure modes are: the write fails, and with it all that joined.
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
