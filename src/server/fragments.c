/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking a slot's fragments, and the steps of a slot that compare or keep
 * their sums.
 *
 * A fragment that is a whole block has the sum that the store keeps for the
 * block: it is computed once, at the client, compared here, and kept. Others
 * are summed for the way only.
 *
 * Possible failure modes are: a sum that does not fit what came: the job fails
 * and nothing of the slot is written; a fold that does not: the job fails at
 * its end.
 */
#include "server/fragments.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "server/server.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

void fragments_mark(struct slot *slot)
{
    const struct job *job = slot->job;

    slot->from = job->pieces;
    slot->from_piece = job->piece;
    slot->from_has_piece = job->has_piece;
    slot->from_sum = job->nsums;
}

void fragments_init(struct fragments *fragments, const struct slot *slot)
{
    fragments->slot = slot;
    fragments->pieces = slot->from;
    fragments->piece = slot->from_piece;
    if (!slot->from_has_piece)
        fragments->piece.length = 0;
    fragments->in_extent = 0;
    fragments->left = slot->bytes;
    fragments->number = slot->from_sum;
    fragments->extent = 0;
}

bool fragments_next(struct fragments *fragments, struct fragment *out)
{
    const struct slot *slot = fragments->slot;
    struct piece *piece = &fragments->piece;
    const struct obj_io *io = &slot->extents[fragments->extent].io;
    uint64_t length;
    int rc;

    if (fragments->left == 0)
        return false;
    if (piece->length == 0) {
        rc = pieces_next(&fragments->pieces, piece);
        assert(rc == 0); /* as it was when they were gathered */
    }
    if (fragments->in_extent == io->length) {
        io = &slot->extents[++fragments->extent].io;
        fragments->in_extent = 0;
    }
    assert(piece->object == io->offset + fragments->in_extent);
    length = PROTO_FRAGMENT - piece->object % PROTO_FRAGMENT;
    if (length > piece->length)
        length = piece->length;
    out->object = piece->object;
    out->length = (uint32_t)length;
    out->number = fragments->number++;
    out->memory = (char *)io->memory + fragments->in_extent;
    out->extent = io;
    piece->object += length;
    piece->length -= length;
    fragments->in_extent += length;
    fragments->left -= (uint32_t)length;
    return true;
}

static uint64_t block_of(uint64_t offset)
{
    return offset / PROTO_FRAGMENT;
}

/* Where the extent keeps the sum of a fragment's block. */
static uint32_t *sum_of(const struct fragment *fragment)
{
    const struct obj_io *io = fragment->extent;

    return &io->sums[block_of(fragment->object) - block_of(io->offset)];
}

void slot_place_sums(struct slot *slot)
{
    uint32_t *at = slot->sums;
    struct obj_io *io;

    for (unsigned i = 0; i < slot->nextents; i++) {
        io = &slot->extents[i].io;
        io->sums = at;
        at += block_of(io->offset + io->length - 1) - block_of(io->offset) + 1;
    }
}

/* The last of several fragments of a block that the extent has whole. */
static bool ends_whole_block(const struct fragment *fragment)
{
    uint64_t end = fragment->object + fragment->length;

    return end % PROTO_FRAGMENT == 0 &&
           end - PROTO_FRAGMENT >= fragment->extent->offset;
}

static uint32_t given_sum(const struct job *job, uint32_t number)
{
    uint32_t sum;

    memcpy(&sum, job->given + number * sizeof(sum), sizeof(sum));
    return le32toh(sum);
}

static bool check_fragment(struct job *job, const struct fragment *fragment)
{
    uint32_t crc = crc32c(0, fragment->memory, fragment->length);

    if (job->has_fold) {
        job->fold ^= proto_sums_fold(fragment->number, crc);
    } else if (crc != given_sum(job, fragment->number)) {
        srv_count(job->target, COUNTER_sums_on_the_way, 1);
        job_fail_corrupt(job, fragment->object, "on the way here");
        return false;
    }
    if (fragment->length == PROTO_FRAGMENT)
        *sum_of(fragment) = crc;
    else if (ends_whole_block(fragment))
        *sum_of(fragment) =
            crc32c(0, fragment->memory + fragment->length - PROTO_FRAGMENT,
                   PROTO_FRAGMENT);
    return true;
}

void slot_check_sums(struct slot *slot)
{
    struct job *job = slot->job;
    struct fragments fragments;
    struct fragment fragment;

    if (job->has_sums && job->rc == 0) {
        slot_place_sums(slot);
        fragments_init(&fragments, slot);
        while (fragments_next(&fragments, &fragment))
            if (!check_fragment(job, &fragment))
                break;
    }
    slot_go_on(slot);
}

/* A block that goes to the client in pieces was not compared by the store, nor
 * can the client do it. */
static bool fits_pieces(struct job *job, const struct fragment *fragment)
{
    const char *end = fragment->memory + fragment->length;

    if (!job->is_compared_later || !ends_whole_block(fragment) ||
        crc32c(0, end - PROTO_FRAGMENT, PROTO_FRAGMENT) == *sum_of(fragment))
        return true;
    job_fail_corrupt(job, fragment->object, "on the device");
    return false;
}

/* @return false: the job has failed. */
static bool take_sum(struct job *job, const struct fragment *fragment,
                     uint32_t *crc_out)
{
    const struct obj_io *io = fragment->extent;
    uint64_t end = fragment->object + fragment->length - io->offset;
    bool is_there = io->result >= 0 && end <= (uint64_t)io->result;

    if (is_there && fragment->length == PROTO_FRAGMENT) {
        *crc_out = *sum_of(fragment);
        return true;
    }
    *crc_out = crc32c(0, fragment->memory, fragment->length);
    return !is_there || fits_pieces(job, fragment);
}

void slot_take_sums(struct slot *slot)
{
    struct job *job = slot->job;
    struct fragments fragments;
    struct fragment fragment;
    uint32_t crc;

    if (job->has_sums && job->rc == 0) {
        fragments_init(&fragments, slot);
        while (fragments_next(&fragments, &fragment) &&
               take_sum(job, &fragment, &crc)) {
            if (job->has_fold)
                job->fold ^= proto_sums_fold(fragment.number, crc);
            else
                job->sums[fragment.number] = htole32(crc);
        }
    }
    slot_go_on(slot);
}
