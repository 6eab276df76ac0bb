/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Share: all ranks read the same, so aggregators read disjoint parts of it
 * once and broadcast them. The happy path:
 *
 *   1. every rank splits its runs by file realm; the runs are alike, so the
 *      parts hold the same bytes everywhere, whatever the memory looks like;
 *   2. parts go out in steps of at most one collective buffer, round after
 *      round, aggregator after aggregator. A step is a small broadcast of a
 *      header (status, bytes that exist) and the data itself down a tree of
 *      ranks that enters each node once, received straight in user memory;
 *   3. while a step is delivered the next header is under way, and an
 *      aggregator reads two of its steps ahead, into its own user memory.
 *
 * Headers go in order; the data of a step has been passed on before data two
 * steps later is posted.
 *
 * Possible failure modes: a rank without memory for its parts says so in an
 * Allreduce that runs while the first reads do, and all give up together. A
 * read that fails is in the step's header, and no data follows: the next
 * owner's rank reads that part from there on, and when that fails too every
 * rank stops. A short read (end of file) delivers only the bytes that exist.
 */
#include "adio/common/coll_share.h"

#include "base/mem.h"

#include <errno.h>

#define STEP_MIN (1u << 20) /* smaller ones cost more than they overlap */
#define STEPS_WANTED 8      /* of a part: enough to overlap reading, sending */

static uint64_t part_bytes(const struct coll_share *share, size_t part)
{
    const struct coll_list *list = &share->parts.parts[part].list;

    return runs_bytes(list->runs, list->n);
}

uint64_t share_round_bytes(const struct coll_share *share, size_t part,
                           uint64_t round)
{
    uint64_t bytes = part_bytes(share, part);
    uint64_t before = round * share->step_bytes;

    if (before >= bytes)
        return 0;
    bytes -= before;
    return bytes < share->step_bytes ? bytes : share->step_bytes;
}

static size_t part_of(const struct coll_share *share, uint64_t step)
{
    return step % share->parts.n;
}

static uint64_t bytes_of(const struct coll_share *share, uint64_t step)
{
    return share_round_bytes(share, part_of(share, step),
                             step / share->parts.n);
}

static int root_of(const struct coll_op *op, uint64_t step)
{
    const struct coll_share *share = op->share;
    size_t part = part_of(share, step);
    uint32_t owner = share->parts.parts[part].owner;

    if (share->states[part].is_taken)
        return coll_substitute_rank(op, owner);
    return coll_owner_rank(op, owner);
}

static int reserve(struct coll_share *share)
{
    size_t most = 0;

    for (size_t i = 0; i < share->parts.n; i++)
        if (share->parts.parts[i].list.n > most)
            most = share->parts.parts[i].list.n;
    most = 3 * most + 3; /* a cut run is at most three */
    if (coll_scratch_reserve(&share->scratch, most) != 0 ||
        coll_list_reserve(&share->skipped, most) != 0 ||
        share_readers_reserve(share, most) != 0)
        return -ENOMEM;
    return 0;
}

/* A few steps a part, each at most a collective buffer. */
static uint64_t choose_step(const struct coll_op *op)
{
    uint64_t bytes = runs_bytes(op->mine.runs, op->mine.n) /
                     op->share->parts.n / STEPS_WANTED;

    if (bytes < STEP_MIN)
        bytes = STEP_MIN;
    return bytes < op->all.buffer_size ? bytes : op->all.buffer_size;
}

static int set_up(struct coll_op *op, struct coll_share *share)
{
    uint64_t rounds = 0;
    size_t i;

    if (coll_realm_split(&op->realm, op->mine.runs, op->mine.n,
                         &share->parts) != 0)
        return -ENOMEM;
    share->states = mem_calloc(share->parts.n, sizeof(*share->states));
    if (share->states == NULL)
        return -ENOMEM;
    share->step_bytes = choose_step(op);
    for (i = 0; i < share->parts.n; i++) {
        uint64_t n =
            (part_bytes(share, i) + share->step_bytes - 1) / share->step_bytes;

        if (n > rounds)
            rounds = n;
        if (root_of(op, i) == op->file->rank)
            share_reader_start(share, READER_OWN, i, 0);
    }
    share->nsteps = rounds * share->parts.n;
    op->explain.rounds = (uint32_t)rounds;
    return reserve(share);
}

static bool is_delivered(struct coll_op *op, struct delivery *delivery)
{
    if (!coll_tree_step(&delivery->tree))
        return false;
    if (delivery->is_under_way)
        coll_trace_span(op->kept->trace,
                        TRACE_TRACK_RANKS + (int)(delivery->step % 2),
                        TRACE_DELIVER, delivery->step, delivery->since);
    delivery->is_under_way = false;
    if (delivery->ahead != NULL)
        delivery->ahead->state = AHEAD_FREE;
    delivery->ahead = NULL;
    return true;
}

/* @return true when the header of the present step is under way. */
static bool post_header(struct coll_op *op)
{
    struct coll_share *share = op->share;
    int root = root_of(op, share->step);

    if (share->is_header_posted)
        return true;
    if (root == op->file->rank) {
        struct share_reader *reader =
            share_reader_of(share, part_of(share, share->step));
        struct ahead *ahead = &reader->ahead[reader->nused % 2];

        if (ahead->state != AHEAD_READY)
            return false;
        share->header = ahead->header;
        share->header.node = op->kept->nodes.here;
        op->explain.messages++;
    }
    PMPI_Ibcast(&share->header, sizeof(share->header), MPI_BYTE, root,
                op->kept->comm, &share->header_request);
    share->is_header_posted = true;
    return true;
}

/* Post the data of the present step, whose header has come. */
static void post_data(struct coll_op *op, struct delivery *delivery)
{
    struct coll_share *share = op->share;
    size_t part = part_of(share, share->step);
    const struct coll_list *list = &share->parts.parts[part].list;
    uint64_t bytes = bytes_of(share, share->step);
    uint64_t children;
    struct coll_memory memory;
    struct coll_place place;
    int root = root_of(op, share->step);

    share->scratch.list.n = 0;
    share->skipped.n = 0;
    coll_take(list->runs, list->n, &share->states[part].cursor,
              share->header.bytes, &share->scratch.list);
    coll_take(list->runs, list->n, &share->states[part].cursor,
              bytes - share->header.bytes, &share->skipped);
    coll_memory_make(&share->scratch, &memory);
    if (root == op->file->rank) {
        struct share_reader *reader = share_reader_of(share, part);

        delivery->ahead = &reader->ahead[reader->nused++ % 2];
    }
    delivery->is_under_way = true;
    delivery->step = share->step;
    delivery->since = coll_trace_now(op->kept->trace);
    coll_nodes_tree(&op->kept->nodes, op->file->rank, root,
                    (int)share->header.node, &place);
    coll_tree_start(&delivery->tree, op->kept->comm,
                    COLL_TAG_STEP + (int)(share->step % 2), &place, &memory);
    children = (unsigned)place.nchildren;
    op->explain.messages += children;
    op->explain.bytes_exchanged += children * share->header.bytes;
    op->bytes += share->header.bytes;
}

/*
 * The read of the present step failed. All ranks know it, so all agree that the
 * next owner's rank reads what is left of the part, or that it is the end.
 */
static void take_over(struct coll_op *op)
{
    struct coll_share *share = op->share;
    size_t part = part_of(share, share->step);
    bool was_root = root_of(op, share->step) == op->file->rank;

    if (share->states[part].is_taken || op->file->size == 1) {
        if (was_root)
            coll_fail(op, &share_reader_of(share, part)->error);
        share->is_over = true;
        return;
    }
    share->states[part].is_taken = true;
    if (root_of(op, share->step) != op->file->rank)
        return;
    share_reader_start(share, READER_TAKEN, part, share->step / share->parts.n);
    op->explain.takeovers++;
}

/* Go through steps as far as possible now. */
static void deliver(struct coll_op *op)
{
    struct coll_share *share = op->share;
    int flag;

    while (!share->is_over) {
        struct delivery *delivery = &share->deliveries[share->step % 2];

        if (share->step == share->nsteps) {
            share->is_over = true;
            return;
        }
        if (!is_delivered(op, delivery))
            return;
        if (bytes_of(share, share->step) > 0) {
            if (!post_header(op))
                return;
            PMPI_Test(&share->header_request, &flag, MPI_STATUS_IGNORE);
            if (!flag)
                return;
            share->is_header_posted = false;
            if (share->header.code != 0) {
                take_over(op);
                continue;
            }
            post_data(op, delivery);
        }
        share->step++;
    }
}

int coll_share_create(struct coll_share **share_out)
{
    struct coll_share *share = mem_calloc(1, sizeof(*share));

    if (share == NULL)
        return -ENOMEM;
    for (int i = 0; i < READERS; i++)
        share->readers[i].part = NO_PART;
    share->header_request = MPI_REQUEST_NULL;
    for (int i = 0; i < 2; i++)
        coll_tree_init(&share->deliveries[i].tree);
    *share_out = share;
    return 0;
}

static void enter(struct coll_op *op)
{
    struct coll_share *share = op->share;

    share->is_ready_local = set_up(op, share) == 0;
    if (!share->is_ready_local) {
        coll_fail_memory(op, "sharing one read");
        share->readers[READER_OWN].part = NO_PART;
    }
    PMPI_Iallreduce(&share->is_ready_local, &share->is_ready_all, 1,
                    MPI_INT32_T, MPI_MIN, op->kept->comm,
                    &share->ready_request);
}

/* Have all said that they are ready? When one is not, nothing is posted. */
static bool is_ready(struct coll_share *share)
{
    int flag;

    PMPI_Test(&share->ready_request, &flag, MPI_STATUS_IGNORE);
    if (flag && !share->is_ready_all)
        share->is_over = true;
    return flag;
}

enum coll_state coll_share_step(struct coll_op *op)
{
    struct coll_share *share = op->share;
    bool is_idle = true;

    if (!op->is_entered)
        enter(op);
    share_readers_move(op);
    if (!is_ready(share))
        return COLL_SHARE;
    deliver(op);
    for (int i = 0; i < 2; i++) {
        /* Both are stepped: others wait for what this rank passes on. */
        is_idle &= is_delivered(op, &share->deliveries[i]);
    }
    is_idle &= !share_is_reading(share);
    return share->is_over && is_idle ? COLL_AGREE : COLL_SHARE;
}

void coll_share_free(struct coll_share **share_p)
{
    struct coll_share *share = *share_p;

    if (share == NULL)
        return;
    coll_parts_fini(&share->parts);
    free(share->states);
    coll_scratch_fini(&share->scratch);
    coll_list_fini(&share->skipped);
    share_readers_fini(share);
    free(share);
    *share_p = NULL;
}
