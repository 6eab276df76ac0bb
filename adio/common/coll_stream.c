/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stream. The happy path of a read, on each rank, until all is copied:
 *
 *   1. claim the next step whose slot is free, and read it (any rank does that
 *      has time, so that one that is not on a core holds nobody up);
 *   2. copy out of every step that has been read, in order.
 *
 * Of a write: copy into every slot that is free, in order; claim the next step
 * that all have copied into, and write it; until all is written (of one into a
 * local page cache all copies first, for another rank can write meanwhile; of
 * others a step of each in turn). A step that
 * lies whole within one block of some rank (ranks that write the same, or that
 * overlap widely) is not copied: such a rank writes it out of its own memory,
 * as MPI leaves open whose bytes stay.
 *
 * Nothing is allocated on the way, so nothing here can fail for want of memory.
 *
 * Possible failure modes: storage fails a step: its slot says which rank failed
 * it, and the first other rank that sees it tries again. When that fails too
 * the ring says so, and every rank leaves once its own transfers are over. What
 * has been copied from, or written, by then is counted, and no more.
 */
#include "adio/common/coll_stream.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool swap(uint64_t *word, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

int coll_stream_create(struct coll_stream **stream_out)
{
    struct coll_stream *stream = mem_calloc(1, sizeof(*stream));

    if (stream == NULL)
        return -ENOMEM;
    stream->fd = -1;
    *stream_out = stream;
    return 0;
}

void coll_stream_free(struct coll_stream **stream_p)
{
    struct coll_stream *stream = *stream_p;

    if (stream == NULL)
        return;
    for (int i = 0; i < 2; i++)
        coll_list_fini(&stream->ios[i].packed);
    free(stream);
    *stream_p = NULL;
}

/* With hints only the ranks that they choose; else whoever has time. */
static bool is_claiming(struct coll_op *op)
{
    op->stream->nclaiming = op->realm.owners;
    if (op->all.cb_nodes == 0 && op->kept->nodes.listed == NULL) {
        op->stream->nclaiming = op->stream->ranks;
        op->explain.aggregators = (uint32_t)op->file->size;
        return true;
    }
    for (uint32_t i = 0; i < op->realm.owners; i++)
        if (coll_owner_rank(op, i) == op->file->rank)
            return true;
    return false;
}

/* What the steps are cut from. */
static void lay_steps(const struct coll_op *op, struct coll_stream *stream)
{
    uint64_t step = stream->step_bytes;

    stream->is_packed = !coll_has_no_holes(&op->all);
    stream->lo = stream->is_packed ? 0 : op->all.begin;
    stream->hi = stream->is_packed ? op->local.bytes : op->all.end;
    stream->begin = stream->lo / step * step;
    stream->nsteps = (stream->hi - stream->begin + step - 1) / step;
}

static void enter(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;
    struct coll_ring *ring = op->kept->ring;
    uint64_t n = ring->noperations++;
    bool is_cheap = op->all.cheap_piece > 0;
    uint64_t cheap =
        op->verb == COLL_READ ? RING_STEP_CHEAP : RING_STEP_CHEAP_WRITE;

    stream->control = &ring->shared->controls[n % 2];
    if (op->file->rank == 0)
        memset(&ring->shared->controls[(n + 1) % 2], 0,
               sizeof(*stream->control));
    stream->step_bytes = is_cheap ? cheap : RING_STEP;
    if (op->all.buffer_size < stream->step_bytes)
        stream->step_bytes = op->all.buffer_size;
    stream->nslots = RING_BYTES / stream->step_bytes;
    if (stream->nslots > RING_SLOTS_MAX)
        stream->nslots = RING_SLOTS_MAX;
    lay_steps(op, stream);
    stream->ranks = (unsigned)op->file->size;
    stream->nios = is_cheap ? 1 : 2;
    stream->is_claiming = is_claiming(op);
    stream->is_covering = op->verb == COLL_WRITE && op->is_met &&
                          stream->nclaiming == stream->ranks;
    op->explain.rounds = (uint32_t)stream->nsteps;
}

static uint64_t step_lo(const struct coll_op *op, uint64_t step)
{
    uint64_t lo = op->stream->begin + step * op->stream->step_bytes;

    return lo > op->stream->lo ? lo : op->stream->lo;
}

static uint64_t step_hi(const struct coll_op *op, uint64_t step)
{
    uint64_t hi = op->stream->begin + (step + 1) * op->stream->step_bytes;

    return hi < op->stream->hi ? hi : op->stream->hi;
}

static struct ring_slot *slot_of(const struct coll_stream *stream,
                                 uint64_t step)
{
    return &stream->control->slots[step % stream->nslots];
}

static char *data_of(const struct coll_op *op, uint64_t step)
{
    const struct coll_stream *stream = op->stream;

    return op->kept->ring->shared->data +
           step % stream->nslots * stream->step_bytes;
}

/* May the slot be used for this step? The uses before it are over. */
static bool is_free(const struct coll_op *op, uint64_t step)
{
    const struct coll_stream *stream = op->stream;
    const struct ring_slot *slot = slot_of(stream, step);
    uint64_t uses = step / stream->nslots;

    if (uses == 0)
        return true;
    if (op->verb == COLL_READ)
        return load(&slot->copied) == uses * stream->ranks;
    return load(&slot->moved) == step + 1 - stream->nslots;
}

/* Does what a rank asks for hold the step in one block? */
static bool covers(const struct coll_op *op, const struct coll_summary *asked,
                   uint64_t step)
{
    return asked->blocks == 1 && asked->begin <= step_lo(op, step) &&
           asked->end >= step_hi(op, step);
}

/* Is the step of a write held by some rank alone? All ranks find the same. */
static bool is_covered(const struct coll_op *op, uint64_t step)
{
    if (!op->stream->is_covering)
        return false;
    for (int i = 0; i < op->file->size; i++)
        if (covers(op, &coll_ring_asked(op, i)->summary, step))
            return true;
    return false;
}

static bool is_claimable(const struct coll_op *op, uint64_t step)
{
    const struct coll_stream *stream = op->stream;

    if (op->verb == COLL_READ)
        return is_free(op, step);
    if (is_covered(op, step))
        return covers(op, &op->local, step) && is_free(op, step);
    return load(&slot_of(stream, step)->copied) ==
           (step / stream->nslots + 1) * stream->ranks;
}

/* Where a step lies in the block of this rank that covers it. */
static char *own_data_of(const struct coll_op *op, uint64_t step)
{
    const struct run *run = op->mine.runs;

    return (char *)(uintptr_t)(run->mem + (step_lo(op, step) - run->offset));
}

/* A step failed on this rank: let another one try, or give up. */
static void fail(struct coll_op *op, struct stream_io *io,
                 const struct adio_error *error)
{
    struct coll_stream *stream = op->stream;
    struct ring_slot *slot = slot_of(stream, io->step);

    io->is_under_way = false;
    if (!stream->is_sick)
        __atomic_add_fetch(&stream->control->nsick, 1, __ATOMIC_ACQ_REL);
    stream->is_sick = true;
    if (io->is_second_try) {
        coll_fail(op, error);
        store(&stream->control->is_failed, 1);
        coll_ring_event(op->kept->ring, INT_MAX);
        return;
    }
    if (is_covered(op, io->step)) /* for the other one to write */
        memcpy(data_of(op, io->step), own_data_of(op, io->step),
               io->run.length);
    store(&slot->failer, (unsigned)op->file->rank + 1);
    store(&slot->failed, io->step + 1);
    coll_ring_event(op->kept->ring, INT_MAX);
}

/* Give a step to the driver. */
static int start_io(struct coll_op *op, struct stream_io *io,
                    struct adio_error *error)
{
    const struct adio_driver *driver = op->file->driver;
    struct coll_stream *stream = op->stream;
    const struct run *run = &io->run;
    int rc;

    if (!stream->is_packed && op->verb == COLL_WRITE)
        return driver->iwritelist(op->file, run, 1, &io->io, error);
    if (!stream->is_packed)
        return driver->ireadlist(op->file, run, 1, &io->io, error);
    rc = coll_packed_list(&op->mine, &stream->taken, run->offset,
                          run->offset + run->length,
                          (char *)(uintptr_t)run->mem, &io->packed);
    if (rc != 0) {
        adio_error_set(error, rc, "%s: a step of the ring", op->file->display);
        return rc;
    }
    return driver->ireadlist(op->file, io->packed.runs, io->packed.n, &io->io,
                             error);
}

static void start(struct coll_op *op, struct stream_io *io, uint64_t step,
                  bool is_second_try)
{
    struct adio_error error = {0};
    uint64_t lo = step_lo(op, step);
    char *data = !is_second_try && is_covered(op, step) ? own_data_of(op, step)
                                                        : data_of(op, step);

    *io = (struct stream_io){
        .packed = io->packed,
        .is_under_way = true,
        .is_second_try = is_second_try,
        .step = step,
        .since = coll_trace_now(op->kept->trace),
        .run = {.offset = lo,
                .length = step_hi(op, step) - lo,
                .count = 1,
                .mem = (uint64_t)(uintptr_t)data},
    };
    op->explain.takeovers += is_second_try;
    if (start_io(op, io, &error) != 0)
        fail(op, io, &error);
}

/* A rank whose storage has failed leaves the work to others, if there are. */
static bool is_fit(const struct coll_stream *stream, uint64_t nranks)
{
    return !stream->is_sick || load(&stream->control->nsick) >= nranks;
}

static void claim(struct coll_op *op, struct stream_io *io)
{
    struct coll_stream *stream = op->stream;
    uint64_t step = load(&stream->control->next);

    if (step == stream->nsteps || !stream->is_claiming)
        return;
    /* Who alone has the bytes tries also when it is not fit. */
    if ((is_fit(stream, stream->nclaiming) || is_covered(op, step)) &&
        is_claimable(op, step) && swap(&stream->control->next, step, step + 1))
        start(op, io, step, false);
}

/* Take over a step that another rank failed. Steps that this rank has still to
 * copy, or to see written, are the ones to look at. */
static void claim_failed(struct coll_op *op, struct stream_io *io)
{
    struct coll_stream *stream = op->stream;

    if (!is_fit(stream, stream->ranks))
        return;
    for (uint64_t k = 0; k < stream->nslots && k < stream->nsteps; k++) {
        struct ring_slot *slot = &stream->control->slots[k];
        uint64_t failed = load(&slot->failed);

        if (failed != 0 &&
            load(&slot->failer) != (unsigned)op->file->rank + 1 &&
            swap(&slot->failed, failed, 0)) {
            start(op, io, failed - 1, true);
            return;
        }
    }
}

/* One run's bytes in lo .. hi - 1, between memory and `data`, which holds lo;
 * without data they are only counted. */
static uint64_t copy_run(const struct run *run, enum coll_verb verb,
                         uint64_t lo, uint64_t hi, char *data)
{
    uint64_t at = coll_run_next(run, lo);
    uint64_t bytes = 0;

    while (at < hi) {
        uint64_t block = run->count > 1 ? (at - run->offset) / run->stride : 0;
        uint64_t within = at - run->offset - block * run->stride;
        uint64_t length = run->length - within;
        char *mem = (char *)(uintptr_t)(run->mem + within +
                                        block * (uint64_t)run->mem_stride);

        if (length > hi - at)
            length = hi - at;
        if (data != NULL && verb == COLL_READ)
            memcpy(mem, data + (at - lo), length);
        else if (data != NULL)
            memcpy(data + (at - lo), mem, length);
        bytes += length;
        if (block + 1 == run->count)
            break;
        at = run->offset + (block + 1) * run->stride;
    }
    return bytes;
}

static uint64_t copy_runs(const struct coll_op *op, size_t *first, uint64_t lo,
                          uint64_t hi, char *data)
{
    const struct coll_list *mine = &op->mine;
    uint64_t bytes = 0;

    while (*first < mine->n && run_end(&mine->runs[*first]) <= lo)
        (*first)++;
    for (size_t i = *first; i < mine->n && mine->runs[i].offset < hi; i++)
        bytes += copy_run(&mine->runs[i], op->verb, lo, hi, data);
    return bytes;
}

static uint64_t bit_of(const struct coll_stream *stream, uint64_t step)
{
    return 1ull << (step % stream->nslots);
}

/* Copy out of a step that this rank has just read: it is in its cache still. It
 * counts as copied in its turn. */
static void copy_early(struct coll_op *op, uint64_t step, uint64_t valid)
{
    struct coll_stream *stream = op->stream;
    uint64_t since = coll_trace_now(op->kept->trace);
    size_t first = stream->first;
    uint64_t lo = step_lo(op, step);
    uint64_t hi = step_hi(op, step);

    if (valid < hi)
        hi = valid;
    op->bytes += stream->is_packed
                     ? coll_packed_copy(&op->mine, &stream->copied_early, lo,
                                        hi, data_of(op, step))
                     : copy_runs(op, &first, lo, hi, data_of(op, step));
    stream->early |= bit_of(stream, step);
    coll_trace_span(op->kept->trace, TRACE_TRACK_RANKS, TRACE_DELIVER, step,
                    since);
}

/* Does a later step wait for the slot of this one? */
static bool is_wanted_again(const struct coll_stream *stream, uint64_t step)
{
    return step + stream->nslots < stream->nsteps;
}

/* Who waits for a step that storage is done with? Of a read all; of a write who
 * needs its slot, and at the end all. */
static void tell_moved(struct coll_op *op, uint64_t step)
{
    const struct coll_stream *stream = op->stream;

    if (op->verb == COLL_READ || is_wanted_again(stream, step) ||
        load(&stream->control->next) == stream->nsteps)
        coll_ring_event(op->kept->ring, INT_MAX);
}

/* Must somebody be woken for this step of a write? In a local page cache who is
 * awake for the one before goes on to it. */
static bool is_first_to_write(const struct coll_stream *stream, uint64_t step)
{
    return stream->nios > 1 || load(&stream->control->next) == step;
}

/* All have copied a step: of a read its slot is free; of a write it can be
 * written, by this rank if no other is awake for it. */
static void tell_copied(struct coll_op *op, uint64_t step)
{
    const struct coll_stream *stream = op->stream;
    bool any_may = stream->nclaiming == stream->ranks;

    if (op->verb == COLL_READ && is_wanted_again(stream, step))
        coll_ring_event(op->kept->ring, INT_MAX);
    if (op->verb == COLL_WRITE && !is_covered(op, step) &&
        (!any_may || is_first_to_write(stream, step)))
        coll_ring_event(op->kept->ring, any_may ? 1 : INT_MAX);
}

static void test(struct coll_op *op, struct stream_io *io)
{
    struct ring_slot *slot = slot_of(op->stream, io->step);
    struct adio_error error = {0};
    uint64_t bytes = 0;
    bool is_done;
    int rc =
        op->file->driver->test(op->file, &io->io, &is_done, &bytes, &error);

    if (!is_done)
        return;
    op->explain.bytes_storage += bytes;
    coll_trace_span(
        op->kept->trace, TRACE_TRACK_STORAGE + (int)(io - op->stream->ios),
        op->verb == COLL_READ ? TRACE_READ : TRACE_WRITE, io->step, io->since);
    if (rc == 0 && op->verb == COLL_WRITE && bytes < io->run.length) {
        rc = -EIO;
        adio_error_set(&error, rc, "%s: short write at %llu", op->file->display,
                       (unsigned long long)io->run.offset);
    }
    if (rc != 0) {
        fail(op, io, &error);
        return;
    }
    io->is_under_way = false;
    slot->valid = io->run.offset + bytes;
    store(&slot->moved, io->step + 1);
    tell_moved(op, io->step);
    if (op->verb == COLL_READ)
        copy_early(op, io->step, io->run.offset + bytes);
}

/* @return true when this rank has nothing under way. */
static bool move_storage(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;
    bool is_idle = true;

    op->io = NULL;
    for (int i = 0; i < stream->nios; i++) {
        struct stream_io *io = &stream->ios[i];

        if (!io->is_under_way && !load(&stream->control->is_failed)) {
            claim_failed(op, io);
            if (!io->is_under_way)
                claim(op, io);
        }
        if (io->is_under_way)
            test(op, io);
        if (io->is_under_way) {
            is_idle = false;
            op->io = io->io;
        }
    }
    return is_idle;
}

static bool is_copyable(const struct coll_op *op, uint64_t step)
{
    uint64_t moved = load(&slot_of(op->stream, step)->moved);

    if (op->verb == COLL_READ)
        return moved == step + 1;
    if (is_covered(op, step)) /* perhaps over already, with later ones */
        return moved + op->stream->nslots >= step + 1;
    return is_free(op, step);
}

/* Copy a step in its turn. */
static void copy_step(struct coll_op *op, uint64_t step)
{
    struct coll_stream *stream = op->stream;
    struct ring_slot *slot = slot_of(stream, step);
    uint64_t since = coll_trace_now(op->kept->trace);
    uint64_t lo = step_lo(op, step);
    uint64_t hi = step_hi(op, step);
    uint64_t bytes;

    if (op->verb == COLL_READ && slot->valid < hi)
        hi = slot->valid;
    bytes = stream->is_packed
                ? coll_packed_copy(&op->mine, &stream->copied, lo, hi,
                                   data_of(op, step))
                : copy_runs(op, &stream->first, lo, hi, data_of(op, step));
    if (op->verb == COLL_READ)
        op->bytes += bytes;
    coll_trace_span(op->kept->trace, TRACE_TRACK_RANKS,
                    op->verb == COLL_READ ? TRACE_DELIVER : TRACE_COLLECT, step,
                    since);
}

/* Copy the next step, if it can be. @return false: it cannot. */
static bool copy_next(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;
    uint64_t step = stream->ncopied;

    if (step == stream->nsteps || !is_copyable(op, step))
        return false;
    if ((stream->early & bit_of(stream, step)) == 0 && !is_covered(op, step))
        copy_step(op, step);
    stream->early &= ~bit_of(stream, step);
    stream->ncopied++;
    if (__atomic_add_fetch(&slot_of(stream, step)->copied, 1,
                           __ATOMIC_ACQ_REL) ==
        (step / stream->nslots + 1) * stream->ranks)
        tell_copied(op, step);
    return true;
}

/*
 * Count what has been written, in order. A slot that has gone on to a later
 * step has had this one written too.
 */
static void count_written(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;

    while (stream->ncounted < stream->ncopied) {
        uint64_t step = stream->ncounted;

        if (load(&slot_of(stream, step)->moved) < step + 1)
            return;
        op->bytes += copy_runs(op, &stream->first_counted, step_lo(op, step),
                               step_hi(op, step), NULL);
        stream->ncounted++;
    }
}

/*
 * A rank that has got all steps knows that all ranks will: nothing is left to
 * agree on. After a failure for good no rank gets all.
 */
static bool is_over(const struct coll_op *op)
{
    const struct coll_stream *stream = op->stream;

    if (load(&stream->control->is_failed))
        return true;
    return (op->verb == COLL_READ ? stream->ncopied : stream->ncounted) ==
           stream->nsteps;
}

/* @return true when this rank has nothing under way, and nothing to do. */
static bool move_read(struct coll_op *op)
{
    bool is_idle;

    do
        is_idle = move_storage(op);
    while (copy_next(op));
    return is_idle;
}

/* The same. A write into a local page cache is over within the call: who has
 * still to copy leaves it to those who wait for that, and helps afterwards. */
static bool move_write(struct coll_op *op)
{
    bool is_first = op->stream->nios == 1;
    bool is_idle, has_moved;
    uint64_t before;

    do {
        while (is_first && copy_next(op))
            ;
        before = op->explain.bytes_storage;
        is_idle = move_storage(op);
        has_moved = op->explain.bytes_storage != before;
        count_written(op);
    } while (copy_next(op) || has_moved);
    count_written(op);
    return is_idle;
}

enum coll_state coll_stream_step(struct coll_op *op)
{
    bool is_idle;

    if (!op->is_entered)
        enter(op);
    is_idle = op->verb == COLL_READ ? move_read(op) : move_write(op);
    op->kept->is_at_ring = is_idle;
    if (!is_idle || !is_over(op))
        return COLL_STREAM;
    return load(&op->stream->control->is_failed) ? COLL_AGREE : COLL_OVER;
}
