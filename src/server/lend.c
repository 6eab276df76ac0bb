/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads with one copy: the kernel moves an object's bytes from where they are
 * (obj_lend) into the client's memory, and no buffer here holds them.
 *
 * The happy path: a slot that has one long extent of whole blocks for one place
 * in the memory of a client on this machine is lent. Its extent then brings the
 * sums alone; slot_move_lent() has the bytes copied; the client compares them.
 *
 * Whoever writes there meanwhile may be seen in part. The sums do not fit then,
 * and the client asks again, for bytes that are compared here, which are read.
 *
 * Possible failure modes are: the store does not lend (a device, a hole, an
 * object that was cut), the copy fails (that, or the client's memory or the
 * client is gone). The slot starts again and reads, and what is really wrong
 * comes out on that way.
 */
#include "server/data.h"
#include "server/server.h"

#define LEND_MIN 65536u /* below, two copies in the cache cost as little */

bool slot_may_be_lent(const struct slot *slot)
{
    const struct job *job = slot->job;

    return job->is_compared_later && slot->is_whole && !slot->is_refused &&
           slot->nextents == 1 && slot->nmoves == 1 &&
           slot->bytes >= LEND_MIN &&
           net_can_copy(job->target->net, rpc_request_peer(job->request));
}

static bool copy_lent(const struct slot *slot)
{
    const struct obj_io *io = &slot->extents[0].io;
    const struct slot_move *move = &slot->moves[0];
    const struct job *job = slot->job;
    struct srv_target *target = job->target;
    const void *bytes;

    if (io->result != (int64_t)io->length)
        return false;
    bytes = obj_lend(target->objects, io->ino, io->offset, io->length);
    return bytes != NULL &&
           net_copy(target->net, rpc_request_peer(job->request), bytes,
                    io->length, job->addr + move->mem, job->key) == 0;
}

static void count_lent(const struct slot *slot)
{
    struct srv_target *target = slot->job->target;

    slot_count_extents(slot);
    srv_count(target, COUNTER_rma_writes, 1);
    srv_count(target, COUNTER_bytes_lent, slot->bytes);
}

void slot_move_lent(struct slot *slot)
{
    if (slot->is_lent && slot->job->rc == 0 && !slot->job->target->is_closing) {
        if (!copy_lent(slot)) {
            slot->is_refused = true;
            slot->step = slot->job->steps;
            (*slot->step)(slot);
            return;
        }
        count_lent(slot);
    }
    slot_go_on(slot);
}
