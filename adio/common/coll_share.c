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
 *      ranks (coll_tree.c), received straight in user memory;
 *   3. while a step is delivered the next header is under way, and an
 *      aggregator reads two of its steps ahead, into its own user memory.
 *
 * Headers go in order; the data of a step has been passed on before data two
 * steps later is posted.
 *
 * Possible failure modes: a rank without memory for its parts says so in an
 * Allreduce that runs while the first reads do, and all give up together. A
 * read that fails is in the step's header: every rank stops there, no data
 * follows. A short read (end of file) delivers only the bytes that exist.
 */
#include "adio/common/coll_op.h"
#include "adio/common/coll_tree.h"

#include "base/mem.h"

#include <errno.h>

#define STEP_MIN (1u << 20) /* smaller ones cost more than they overlap */
#define STEPS_WANTED 8      /* of a part: enough to overlap reading, sending */
#define NO_PART SIZE_MAX

struct header {
    int64_t code;
    uint64_t bytes; /* that exist, from the step's start */
};

enum ahead_state { AHEAD_FREE, AHEAD_READING, AHEAD_READY };

/* A step that this aggregator reads ahead of its delivery. */
struct ahead {
    enum ahead_state state;
    struct coll_list list;
    struct adio_io *io;
    struct header header;
};

struct delivery {
    struct coll_tree tree;
    struct ahead *ahead; /* at its root: free for the next read when over */
};

struct coll_share {
    struct coll_parts parts;
    struct coll_cursor *cursors; /* delivered so far, per part */
    uint64_t step_bytes;
    uint64_t nsteps;
    uint64_t step; /* whose header is next or under way */
    struct header header;
    MPI_Request header_request;
    bool is_header_posted;
    struct delivery deliveries[2];
    struct coll_scratch scratch;
    struct coll_list skipped;
    size_t own; /* index of the part this rank reads, or NO_PART */
    struct coll_cursor read_cursor;
    uint64_t nreads_started;
    uint64_t nreads_used;
    struct ahead ahead[2];
    int32_t is_ready_local;
    int32_t is_ready_all;
    MPI_Request ready_request;
    bool is_over; /* no step is posted any more */
};

static uint64_t part_bytes(const struct coll_share *share, size_t part)
{
    const struct coll_list *list = &share->parts.parts[part].list;

    return runs_bytes(list->runs, list->n);
}

/* How many bytes of a part its round `round` holds. */
static uint64_t round_bytes(const struct coll_share *share, size_t part,
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
    return round_bytes(share, part_of(share, step), step / share->parts.n);
}

static int root_of(const struct coll_op *op, uint64_t step)
{
    const struct coll_share *share = op->share;

    return coll_nodes_rank(&op->kept->nodes,
                           share->parts.parts[part_of(share, step)].owner,
                           op->realm.owners);
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
        coll_list_reserve(&share->ahead[0].list, most) != 0 ||
        coll_list_reserve(&share->ahead[1].list, most) != 0)
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
    share->cursors = mem_calloc(share->parts.n, sizeof(*share->cursors));
    if (share->cursors == NULL)
        return -ENOMEM;
    share->step_bytes = choose_step(op);
    for (i = 0; i < share->parts.n; i++) {
        uint64_t n =
            (part_bytes(share, i) + share->step_bytes - 1) / share->step_bytes;

        if (n > rounds)
            rounds = n;
        if (root_of(op, i) == op->file->rank)
            share->own = i;
    }
    share->nsteps = rounds * share->parts.n;
    op->explain.rounds = (uint32_t)rounds;
    return reserve(share);
}

/* Start the next read of this rank's part, if there is one and a place. */
static void read_ahead(struct coll_op *op)
{
    struct coll_share *share = op->share;
    struct ahead *ahead = &share->ahead[share->nreads_started % 2];
    const struct coll_list *part = &share->parts.parts[share->own].list;
    struct adio_error error = {0};
    uint64_t bytes = round_bytes(share, share->own, share->nreads_started);

    if (bytes == 0 || ahead->state != AHEAD_FREE)
        return;
    share->nreads_started++;
    ahead->list.n = 0;
    ahead->header = (struct header){0};
    coll_take(part->runs, part->n, &share->read_cursor, bytes, &ahead->list);
    ahead->state = AHEAD_READING;
    ahead->header.code = op->file->driver->ireadlist(
        op->file, ahead->list.runs, ahead->list.n, &ahead->io, &error);
    if (ahead->header.code != 0) {
        coll_fail(op, &error);
        ahead->state = AHEAD_READY;
    }
}

static void test_read(struct coll_op *op, struct ahead *ahead)
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
    ahead->header.code = rc;
    op->explain.bytes_storage += ahead->header.bytes;
    if (rc != 0)
        coll_fail(op, &error);
}

static void move_reads(struct coll_op *op)
{
    struct coll_share *share = op->share;
    int i;

    if (share->own == NO_PART)
        return;
    for (i = 0; i < 2; i++)
        test_read(op, &share->ahead[i]);
    for (i = 0; i < 2 && !share->is_over; i++)
        read_ahead(op);
    op->io = NULL;
    for (i = 0; i < 2; i++)
        if (share->ahead[i].state == AHEAD_READING)
            op->io = share->ahead[i].io;
}

static bool is_delivered(struct delivery *delivery)
{
    if (!coll_tree_step(&delivery->tree))
        return false;
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
        struct ahead *ahead = &share->ahead[share->nreads_used % 2];

        if (ahead->state != AHEAD_READY)
            return false;
        share->header = ahead->header;
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
    int root = root_of(op, share->step);

    share->scratch.list.n = 0;
    share->skipped.n = 0;
    coll_take(list->runs, list->n, &share->cursors[part], share->header.bytes,
              &share->scratch.list);
    coll_take(list->runs, list->n, &share->cursors[part],
              bytes - share->header.bytes, &share->skipped);
    coll_memory_make(&share->scratch, &memory);
    if (root == op->file->rank)
        delivery->ahead = &share->ahead[share->nreads_used++ % 2];
    coll_tree_start(&delivery->tree, op->kept->comm,
                    COLL_TAG_STEP + (int)(share->step % 2), root, &memory);
    children = (unsigned)delivery->tree.nchildren;
    op->explain.messages += children;
    op->explain.bytes_exchanged += children * share->header.bytes;
    op->bytes += share->header.bytes;
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
        if (!is_delivered(delivery))
            return;
        if (bytes_of(share, share->step) > 0) {
            if (!post_header(op))
                return;
            PMPI_Test(&share->header_request, &flag, MPI_STATUS_IGNORE);
            if (!flag)
                return;
            share->is_header_posted = false;
            if (share->header.code != 0) {
                share->is_over = true;
                return;
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
    share->own = NO_PART;
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
        share->own = NO_PART;
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
    move_reads(op);
    if (!is_ready(share))
        return COLL_SHARE;
    deliver(op);
    for (int i = 0; i < 2; i++) {
        /* Both are stepped: others wait for what this rank passes on. */
        is_idle &= is_delivered(&share->deliveries[i]);
        is_idle &= share->ahead[i].state != AHEAD_READING;
    }
    return share->is_over && is_idle ? COLL_AGREE : COLL_SHARE;
}

void coll_share_free(struct coll_share **share_p)
{
    struct coll_share *share = *share_p;

    if (share == NULL)
        return;
    coll_parts_fini(&share->parts);
    free(share->cursors);
    coll_scratch_fini(&share->scratch);
    coll_list_fini(&share->skipped);
    coll_list_fini(&share->ahead[0].list);
    coll_list_fini(&share->ahead[1].list);
    free(share);
    *share_p = NULL;
}
