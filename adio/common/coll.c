/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a collective operation. The happy path:
 *
 *   1. CLASSIFY  one Allreduce tells every rank what all ask for;
 *   2. DIRECT, SHARE or REQUEST then MOVE carry it out;
 *   3. AGREE     one Allreduce tells whether anybody failed;
 *   4. OVER.
 *
 * Only nonblocking MPI calls are made, and only by the oldest operation of a
 * file: a later one waits its turn, so that every rank issues its collectives
 * on kept->comm in one order however fast each is stepped. A step within a
 * step (MPI_Test may run a progress callback that steps) does nothing.
 *
 * Possible failure modes: a rank that failed before the start is found by
 * CLASSIFY and nothing moves; one that fails later is found by AGREE. When it
 * failed as an aggregator of two-phase, TAKEOVER lets another rank move what
 * is left of its realm, once. Else TEXT brings the lowest failing rank's code
 * and text to all.
 */
#include "adio/common/coll_op.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    enum coll_state (*step)(struct coll_op *op);
    unsigned next; /* bit per state that may follow */
} states[] = {
#define TO(name) (1u << COLL_##name)
#define X(name, step, next) {#name, step, next},
    COLL_STATES(X)
#undef X
#undef TO
};

void coll_fail(struct coll_op *op, const struct adio_error *error)
{
    if (op->error.code == 0)
        op->error = *error;
}

void coll_fail_owner(struct coll_op *op, const struct adio_error *error)
{
    if (op->failed.code == 0)
        op->failed = *error;
}

void coll_fail_memory(struct coll_op *op, const char *what)
{
    struct adio_error error;

    adio_error_set(&error, -ENOMEM, "%s: %s", op->file->display, what);
    coll_fail(op, &error);
}

bool coll_request_done(struct coll_op *op)
{
    int flag;

    PMPI_Test(&op->request, &flag, MPI_STATUS_IGNORE);
    return flag;
}

static bool is_agreed(struct coll_op *op)
{
    if (op->kept->ring != NULL)
        return coll_ring_agree(op);
    if (!op->is_entered)
        PMPI_Iallreduce(op->agree_local, op->agree_all, COLL_AGREE_WORDS,
                        MPI_INT64_T, MPI_MAX, op->kept->comm, &op->request);
    return coll_request_done(op);
}

enum coll_state coll_agree_step(struct coll_op *op)
{
    int size = op->file->size;

    if (!op->is_entered) {
        /* The larger, the lower the rank: the largest is the lowest. */
        op->agree_local[0] = op->error.code != 0 ? size - op->file->rank : 0;
        op->agree_local[1] = op->explain.rounds;
        op->agree_local[2] = op->failed.code != 0 ? size - op->file->rank : 0;
    }
    if (!is_agreed(op))
        return COLL_AGREE;
    op->explain.rounds = (uint32_t)op->agree_all[1];
    if (op->agree_all[0] == 0 && op->agree_all[2] == 0)
        return op->is_mapped ? coll_mapped_end(op) : COLL_OVER;
    if (op->agree_all[2] != 0)
        return op->is_mapped ? coll_mapped_undo(op) : COLL_TAKEOVER;
    op->failing = size - (int)op->agree_all[0];
    return COLL_TEXT;
}

enum coll_state coll_text_step(struct coll_op *op)
{
    if (!op->is_entered)
        PMPI_Ibcast(&op->error, sizeof(op->error), MPI_BYTE, op->failing,
                    op->kept->comm, &op->request);
    return coll_request_done(op) ? COLL_OVER : COLL_TEXT;
}

enum coll_state coll_over_step(struct coll_op *op)
{
    return COLL_OVER;
}

static struct coll_op *new_op(struct coll_kept *kept)
{
    struct coll_op *op = mem_calloc(1, sizeof(*op));

    if (op == NULL) {
        op = kept->spare;
        kept->spare = NULL;
    }
    if (op == NULL) {
        log_error("collective: no memory for a second operation");
        abort(); /* this rank cannot even say so: the others would wait */
    }
    return op;
}

/* The spare comes back into reserve first. */
static void free_op(struct coll_op *op)
{
    struct coll_kept *kept = op->kept;

    if (kept->spare != NULL) {
        free(op);
        return;
    }
    memset(op, 0, sizeof(*op));
    kept->spare = op;
}

static void enqueue(struct coll_kept *kept, struct coll_op *op)
{
    if (kept->tail != NULL)
        kept->tail->next = op;
    else
        kept->head = op;
    kept->tail = op;
}

static void dequeue(struct coll_kept *kept)
{
    kept->head = kept->head->next;
    if (kept->head == NULL)
        kept->tail = NULL;
}

/* Everything that CLASSIFY must know about, made or failed. */
static void set_up(struct coll_op *op, const struct run *runs, size_t nruns)
{
    bool is_tangled = false;

    if (coll_list_take(&op->mine, runs, nruns, &is_tangled) != 0 ||
        coll_share_create(&op->share) != 0 ||
        coll_stream_create(&op->stream) != 0 ||
        coll_exchange_create(&op->exchange) != 0 ||
        coll_client_create(&op->client) != 0 || coll_agg_create(&op->agg) != 0)
        coll_fail_memory(op, "starting a collective");
    op->local.is_tangled = is_tangled;
}

/* An operation that nobody steps yet. */
static struct coll_op *begin(struct adio_file *file)
{
    struct coll_op *op;
    size_t taken;

    if (file->coll == NULL && coll_prepare(file) != 0) {
        log_error("%s: collective: no memory", file->display);
        abort();
    }
    taken = mem_taken();
    op = new_op(file->coll);
    op->mem_before = taken;
    op->file = file;
    op->kept = file->coll;
    op->request = MPI_REQUEST_NULL;
    op->since = coll_trace_now(op->kept->trace);
    return op;
}

void coll_start(struct adio_file *file, enum coll_verb verb,
                const struct run *runs, size_t nruns,
                const struct adio_error *local, struct coll_op **op_out)
{
    struct coll_op *op = begin(file);

    op->verb = verb;
    if (local != NULL && local->code != 0)
        op->error = *local;
    else
        set_up(op, runs, nruns);
    coll_classify_start(op);
    enqueue(op->kept, op);
    *op_out = op;
}

static void trace_state(struct coll_op *op)
{
    static const enum trace_name names[] = {
        [COLL_CLASSIFY] = TRACE_CLASSIFY, [COLL_DIRECT] = TRACE_DIRECT,
        [COLL_MAPPED] = TRACE_MAPPED,     [COLL_SHARE] = TRACE_SHARE,
        [COLL_RING] = TRACE_RING,         [COLL_AHEAD] = TRACE_AHEAD,
        [COLL_STREAM] = TRACE_STREAM,     [COLL_REQUEST] = TRACE_REQUEST,
        [COLL_MOVE] = TRACE_MOVE,         [COLL_AGREE] = TRACE_AGREE,
        [COLL_TAKEOVER] = TRACE_TAKEOVER, [COLL_TEXT] = TRACE_TEXT,
    };

    coll_trace_span(op->kept->trace, TRACE_TRACK_PHASE, names[op->state], 0,
                    op->since);
    op->since = coll_trace_now(op->kept->trace);
}

/* Step one operation as far as it goes now. */
static void advance(struct coll_op *op)
{
    enum coll_state next;

    while (op->state != COLL_OVER) {
        next = states[op->state].step(op);
        op->is_entered = true;
        if (next == op->state)
            return;
        assert(states[op->state].next & (1u << next));
        if (op->kept->trace != NULL)
            trace_state(op);
        op->state = next;
        op->is_entered = false;
    }
}

bool coll_step(struct coll_op *op)
{
    struct coll_kept *kept = op->kept;

    if (kept->is_stepping)
        return op->state == COLL_OVER;
    kept->is_stepping = true;
    coll_ring_look(kept);
    while (op->state != COLL_OVER && kept->head != NULL) {
        advance(kept->head);
        if (kept->head->state != COLL_OVER)
            break;
        coll_exchange_keep(kept->head); /* before the next one looks */
        dequeue(kept);
    }
    kept->is_stepping = false;
    return op->state == COLL_OVER;
}

static void explain(struct coll_op *op)
{
    struct adio_explain *last = &op->file->explain;

    op->explain.bytes_delivered = op->bytes;
    op->explain.memory = mem_taken() - op->mem_before;
    op->explain.collectives = last->collectives + 1;
    op->explain.plans_reused_total =
        last->plans_reused_total + op->explain.plans_reused;
    op->explain.bytes_storage_total =
        last->bytes_storage_total + op->explain.bytes_storage;
    op->explain.bytes_mapped_total =
        last->bytes_mapped_total + op->explain.bytes_mapped;
    op->explain.bytes_delivered_total = last->bytes_delivered_total + op->bytes;
    *last = op->explain;
}

int coll_finish(struct coll_op **op_p, uint64_t *bytes_out,
                struct adio_error *error)
{
    struct coll_op *op = *op_p;
    int code = op->error.code;

    assert(op->state == COLL_OVER);
    explain(op);
    *bytes_out = op->bytes;
    *error = op->error;
    coll_share_free(&op->share);
    coll_stream_free(&op->stream);
    coll_exchange_free(&op->exchange);
    coll_client_free(&op->client);
    coll_agg_free(&op->agg);
    coll_list_fini(&op->mine);
    free_op(op);
    *op_p = NULL;
    return code;
}

int coll_run(struct adio_file *file, enum coll_verb verb,
             const struct run *runs, size_t nruns,
             const struct adio_error *local, uint64_t *bytes_out,
             struct adio_error *error)
{
    struct coll_wait wait = {0};
    struct coll_op *op;

    coll_start(file, verb, runs, nruns, local, &op);
    while (!coll_step(op))
        coll_wait(op, &wait);
    return coll_finish(&op, bytes_out, error);
}

/* An operation that has nothing but its end: AGREE, with the word where others
 * have their rounds. */
int coll_agree(struct adio_file *file, uint32_t *word_inout,
               struct adio_error *error_inout)
{
    struct coll_op *op = begin(file);
    struct coll_wait wait = {0};

    op->state = COLL_AGREE;
    op->explain.rounds = *word_inout;
    op->error = *error_inout;
    enqueue(op->kept, op);
    while (!coll_step(op))
        coll_wait(op, &wait);
    *word_inout = op->explain.rounds;
    *error_inout = op->error;
    free_op(op);
    return error_inout->code;
}
