/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Share, the side of an aggregator: reads its part two rounds ahead of their
 * delivery, into its own user memory. A rank reads at most two parts: its own
 * and that of the owner before it, when that one has failed.
 *
 * Possible failure modes: a read that does not start or fails. Its round is
 * ready all the same, with the code; that reader starts no other.
 */
#include "adio/common/coll_share.h"

#include <errno.h>

int share_readers_reserve(struct coll_share *share, size_t most)
{
    for (int r = 0; r < READERS; r++)
        for (int i = 0; i < 2; i++)
            if (coll_list_reserve(&share->readers[r].ahead[i].list, most) != 0)
                return -ENOMEM;
    return 0;
}

void share_readers_fini(struct coll_share *share)
{
    for (int r = 0; r < READERS; r++)
        for (int i = 0; i < 2; i++)
            coll_list_fini(&share->readers[r].ahead[i].list);
}

void share_reader_start(struct coll_share *share, int which, size_t part,
                        uint64_t round)
{
    struct share_reader *reader = &share->readers[which];

    reader->part = part;
    reader->cursor = share->states[part].cursor;
    reader->nstarted = reader->nused = round;
}

struct share_reader *share_reader_of(struct coll_share *share, size_t part)
{
    int which = share->states[part].is_taken ? READER_TAKEN : READER_OWN;

    return &share->readers[which];
}

static void fail(struct share_reader *reader, struct ahead *ahead, int rc,
                 const struct adio_error *error)
{
    ahead->header.code = rc;
    if (reader->error.code == 0)
        reader->error = *error;
}

/* Start the next read of a part, if there is one and a place. */
static void read_ahead(struct coll_op *op, struct share_reader *reader)
{
    struct coll_share *share = op->share;
    struct ahead *ahead = &reader->ahead[reader->nstarted % 2];
    const struct coll_list *part = &share->parts.parts[reader->part].list;
    struct adio_error error = {0};
    uint64_t bytes = share_round_bytes(share, reader->part, reader->nstarted);
    int rc;

    if (bytes == 0 || ahead->state != AHEAD_FREE || reader->error.code != 0)
        return;
    ahead->round = reader->nstarted++;
    ahead->since = coll_trace_now(op->kept->trace);
    ahead->list.n = 0;
    ahead->header = (struct share_header){0};
    coll_take(part->runs, part->n, &reader->cursor, bytes, &ahead->list);
    ahead->state = AHEAD_READING;
    rc = op->file->driver->ireadlist(op->file, ahead->list.runs, ahead->list.n,
                                     &ahead->io, &error);
    if (rc != 0) {
        ahead->state = AHEAD_READY;
        fail(reader, ahead, rc, &error);
    }
}

static void test_read(struct coll_op *op, struct share_reader *reader,
                      struct ahead *ahead)
{
    struct adio_error error = {0};
    bool is_done;
    int rc;

    if (ahead->state != AHEAD_READING)
        return;
    rc = op->file->driver->test(op->file, &ahead->io, &is_done,
                                &ahead->header.bytes, &error);
    if (!is_done)
        return;
    ahead->state = AHEAD_READY;
    coll_trace_span(op->kept->trace,
                    TRACE_TRACK_STORAGE + (int)(ahead - reader->ahead),
                    TRACE_READ, ahead->round, ahead->since);
    op->explain.bytes_storage += ahead->header.bytes;
    if (rc != 0)
        fail(reader, ahead, rc, &error);
}

static void move_reader(struct coll_op *op, struct share_reader *reader)
{
    int i;

    if (reader->part == NO_PART)
        return;
    for (i = 0; i < 2; i++)
        test_read(op, reader, &reader->ahead[i]);
    for (i = 0; i < 2 && !op->share->is_over; i++)
        read_ahead(op, reader);
    for (i = 0; i < 2; i++)
        if (reader->ahead[i].state == AHEAD_READING)
            op->io = reader->ahead[i].io;
}

void share_readers_move(struct coll_op *op)
{
    op->io = NULL;
    for (int r = 0; r < READERS; r++)
        move_reader(op, &op->share->readers[r]);
}

bool share_is_reading(const struct coll_share *share)
{
    for (int r = 0; r < READERS; r++)
        for (int i = 0; i < 2; i++)
            if (share->readers[r].ahead[i].state == AHEAD_READING)
                return true;
    return false;
}
