/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens in one buffer: pieces are gathered, extents go between buffer
 * and object, moves between buffer and client memory.
 *
 * The happy path: slot_gather() lays pieces one behind another, from a start
 * that is congruent with the object's offset modulo a page, so that direct I/O
 * needs no copy; a large piece that begins a new extent is aligned anew. Then
 * the steps run; the last callback of a step starts the next.
 *
 * Possible failure modes are those of extents and moves, told to the job; a
 * read that ends early (the object was cut meanwhile) leaves zeros, never what
 * the buffer held before.
 */
#include "base/err.h"
#include "server/data.h"
#include "server/fragments.h"
#include "server/server.h"

#include <assert.h>
#include <string.h>

#define PAGE 4096u
#define ALIGN_MIN 16384u /* a piece this long is worth a gap in the buffer */

/*
 * Gathering.
 */

static bool continues_extent(const struct slot *slot, const struct piece *piece)
{
    const struct obj_io *last;

    if (slot->nextents == 0)
        return false;
    last = &slot->extents[slot->nextents - 1].io;
    return last->offset + last->length == piece->object;
}

static bool continues_move(const struct slot *slot, const struct piece *piece)
{
    const struct slot_move *last;

    if (slot->nmoves == 0)
        return false;
    last = &slot->moves[slot->nmoves - 1];
    return last->mem + last->length == piece->mem &&
           last->at + last->length == slot->fill;
}

/* Where a new extent would begin. */
static uint32_t place(const struct slot *slot, const struct piece *piece)
{
    if (slot->fill == 0)
        return piece->object % PAGE;
    if (slot->job->is_inline || piece->length < ALIGN_MIN)
        return slot->fill;
    return slot->fill + (uint32_t)((piece->object - slot->fill) % PAGE);
}

static void add_extent(struct slot *slot, const struct piece *piece)
{
    struct slot_extent *extent = &slot->extents[slot->nextents++];

    if (slot->fill == 0)
        slot->start = place(slot, piece);
    slot->fill = place(slot, piece);
    extent->slot = slot;
    extent->io.verb = slot->job->verb;
    extent->io.ino = slot->job->ino;
    extent->io.offset = piece->object;
    extent->io.length = 0;
    extent->io.memory = slot->memory + slot->fill;
    extent->io.sums = NULL;
    extent->io.is_compared_later = slot->job->is_compared_later;
}

static void add_move(struct slot *slot, const struct piece *piece)
{
    struct slot_move *move = &slot->moves[slot->nmoves++];

    move->slot = slot;
    move->mem = piece->mem;
    move->at = slot->fill;
    move->length = 0;
}

/* How much of a piece to take into so much room: all, or up to the end of a
 * block, so that no fragment is in two slots. */
static uint32_t whole_fragments(const struct piece *piece, uint32_t room)
{
    uint32_t beyond;

    if (piece->length <= room)
        return (uint32_t)piece->length;
    beyond = (uint32_t)((piece->object + room) % PROTO_FRAGMENT);
    return beyond < room ? room - beyond : 0;
}

/* @return how much of the piece found room. */
static uint32_t take(struct slot *slot, const struct piece *piece)
{
    struct job *job = slot->job;
    size_t size = job->target->data.pool.buffer_size;
    bool is_new = !continues_extent(slot, piece);
    uint32_t start = is_new ? place(slot, piece) : slot->fill;
    uint32_t room;

    if (is_new && (slot->nextents == SLOT_EXTENTS_MAX ||
                   slot->nmoves == SLOT_MOVES_MAX))
        return 0; /* a new extent may need a new move */
    if (start >= size ||
        (slot->nmoves == SLOT_MOVES_MAX && !continues_move(slot, piece)))
        return 0;
    room = whole_fragments(piece, (uint32_t)size - start);
    if (room == 0)
        return 0;
    if (is_new)
        add_extent(slot, piece);
    if (!job->is_inline && !continues_move(slot, piece))
        add_move(slot, piece);
    slot->extents[slot->nextents - 1].io.length += room;
    if (!job->is_inline)
        slot->moves[slot->nmoves - 1].length += room;
    return room;
}

/* @return true when job->piece is set. */
static bool next_piece(struct job *job)
{
    int rc;

    if (job->has_piece || job->is_over)
        return job->has_piece;
    rc = pieces_next(&job->pieces, &job->piece);
    if (rc == -ENOENT)
        job->is_over = true;
    else if (rc != 0)
        job_fail(job, rc == -EFAULT ? -EINVAL : rc,
                 rc == -EFAULT ? "a run leaves the registered memory"
                               : "a run is malformed");
    job->has_piece = rc == 0;
    return job->has_piece;
}

static void consume(struct slot *slot, uint32_t taken)
{
    struct job *job = slot->job;

    if (job->source != NULL) {
        memcpy(slot->memory + slot->fill, job->source, taken);
        job->source += taken;
    }
    if ((job->piece.object | taken) % PROTO_FRAGMENT != 0)
        slot->is_whole = false;
    slot->fill += taken;
    slot->bytes += taken;
    srv_count(job->target, COUNTER_pieces, 1);
    job->bytes += taken;
    job->nsums += (uint32_t)((job->piece.object + taken - 1) / PROTO_FRAGMENT -
                             job->piece.object / PROTO_FRAGMENT + 1);
    job->piece.object += taken;
    job->piece.mem += taken;
    job->piece.length -= taken;
    job->has_piece = job->piece.length > 0;
}

bool slot_gather(struct slot *slot)
{
    struct job *job = slot->job;
    uint32_t taken;

    if (job->has_sums)
        fragments_mark(slot);
    while (next_piece(job)) {
        taken = take(slot, &job->piece);
        if (taken == 0)
            break;
        consume(slot, taken);
    }
    if (job->has_sums && !job->has_fold && job->nsums > job->nsums_most)
        job_fail(job, -EINVAL, "more pieces than sums");
    return slot->nextents > 0 && job->rc == 0;
}

/*
 * Extents.
 */

static void extent_done(struct obj_io *io)
{
    struct slot *slot = ((struct slot_extent *)io)->slot;
    struct job *job = slot->job;

    if (io->result == -ERR_CORRUPT)
        job_fail_corrupt(job, io->bad_offset, "on the device");
    else if (io->result < 0)
        job_fail(job, (int)io->result, NULL);
    else if (io->verb == OBJ_READ && (uint64_t)io->result < io->length)
        memset((char *)io->memory + io->result, 0,
               io->length - (size_t)io->result); /* cut short meanwhile */
    if (--slot->waiting == 0)
        slot_go_on(slot);
}

void slot_count_extents(const struct slot *slot)
{
    struct srv_target *target = slot->job->target;
    bool is_write = slot->job->verb == OBJ_WRITE;

    for (unsigned i = 0; i < slot->nextents; i++)
        srv_count(target,
                  is_write ? COUNTER_device_bytes_written
                           : COUNTER_device_bytes_read,
                  slot->extents[i].io.length);
    srv_count(target, is_write ? COUNTER_write_extents : COUNTER_read_extents,
              slot->nextents);
}

void slot_start_extents(struct slot *slot)
{
    struct job *job = slot->job;
    struct srv_target *target = job->target;
    bool is_write = job->verb == OBJ_WRITE;
    struct obj_io *io;
    unsigned i;

    if (is_write && object_is_growing(target, slot->job->ino)) {
        slot_put_off(slot);
        return;
    }
    if (is_write && !room_take(&target->room, slot->fill,
                               clock_now(target->clock))) {
        job_fail(slot->job, room_code(&target->room), NULL);
        slot_go_on(slot);
        return;
    }
    if (job->has_sums && !is_write)
        slot_place_sums(slot);
    slot->is_lent = slot_may_be_lent(slot);
    slot->waiting = slot->nextents;
    for (i = 0; i < slot->nextents; i++) {
        io = &slot->extents[i].io;
        io->done = extent_done;
        io->is_lent = slot->is_lent;
        slot->extents[i].slot = slot;
        obj_submit(target->objects, io);
    }
    if (!slot->is_lent)
        slot_count_extents(slot);
}

bool data_is_writing(const struct srv_target *target, uint64_t ino)
{
    const struct data *data = &target->data;
    const struct slot *slot;
    size_t i;

    for (i = 0; i < data->pool.nbuffers; i++) {
        slot = &data->slots_all[i];
        if (slot->waiting > 0 && slot->job->ino == ino &&
            slot->job->verb == OBJ_WRITE &&
            *slot->step == slot_start_extents)
            return true;
    }
    return false;
}

/*
 * Moves.
 */

static void move_done(struct net_op *op, int rc)
{
    struct slot *slot = ((struct slot_move *)op)->slot;

    if (rc != 0)
        job_fail(slot->job, rc, NULL);
    slot->waiting--;
    if (slot->waiting == 0 && !slot->is_put_off)
        slot_go_on(slot);
}

static int post_move(struct slot *slot, struct slot_move *move)
{
    struct job *job = slot->job;
    struct srv_target *target = job->target;
    uint64_t peer = rpc_request_peer(job->request);
    char *memory = slot->memory + move->at;

    move->op.done = move_done;
    if (job->verb == OBJ_READ)
        return net_write(target->net, &move->op, peer, memory, move->length,
                         target->mr, job->addr + move->mem, job->key);
    return net_read(target->net, &move->op, peer, memory, move->length,
                    target->mr, job->addr + move->mem, job->key);
}

/* Also the way on for a slot that was put off. */
void slot_start_moves(struct slot *slot)
{
    struct job *job = slot->job;
    int rc = 0;

    if (slot->is_lent) /* they are there */
        slot->posted = slot->nmoves;
    while (slot->posted < slot->nmoves && job->rc == 0) {
        rc = post_move(slot, &slot->moves[slot->posted]);
        if (rc != 0)
            break;
        slot->posted++;
        slot->waiting++;
        srv_count(job->target,
                  job->verb == OBJ_READ ? COUNTER_rma_writes
                                        : COUNTER_rma_reads, 1);
    }
    if (rc == -EAGAIN && clock_now(job->target->clock) < job->deadline_ns) {
        slot_put_off(slot);
        return;
    }
    if (rc != 0)
        job_fail(job, rc == -EAGAIN ? -ETIMEDOUT : rc, NULL);
    if (slot->posted == slot->nmoves && slot->nmoves > 0)
        job->nunposted--;
    if (slot->waiting == 0)
        slot_go_on(slot);
    else if (job->is_early)
        job_settle(job);
}
