/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What kind of collective is this? One Allreduce of a summary answers for all
 * ranks, then every rank decides alike, for it decides from the same numbers:
 *
 *   1. a rank that failed before: nothing moves, its text goes to all;
 *   2. nobody asks for anything: over;
 *   3. all ranks ask for the same: share;
 *   4. rank after rank, in large pieces: direct;
 *   5. the rest: two-phase.
 *
 * On one node 3 goes through shared memory (coll_stream.c), and so does 5 when
 * the ranks together want every byte of a range.
 *
 * The operator is associative and keeps rank order (it is not commutative):
 * that is what lets it see "rank r ends before rank r + 1 begins" in O(1)
 * memory, where a gather of bounds would take O(ranks). Hints and layout are
 * those of the lowest rank, so ranks given different hints do not part ways.
 *
 * Possible failure modes: none of its own. A wrong guess costs time, never
 * correctness: each strategy is right for every access.
 */
#include "adio/common/coll_op.h"

#include "base/rng.h"

#include <stdio.h>
#include <string.h>

#define DIRECT_BLOCK_MIN (64u << 10) /* bytes a block, on average */
#define REALM_ALIGN (1u << 20)
#define SEAMS_MAX (1u << 20)
#define BUFFER_DEFAULT (16u << 20)

/*
 * Do the blocks of all ranks tile what lies between the first and the last
 * byte, each byte asked for once? mix(end) - mix(begin) summed over all blocks
 * telescopes to that of the whole exactly when every seam but the outermost is
 * an end as often as a begin, that is when as many blocks cover either side of
 * it. (By chance it would once in 2^64.)
 */
static uint64_t seams_of(const struct run *run)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < run->count; i++) {
        uint64_t begin = run->offset + i * run->stride;

        sum += rng_mix(begin + run->length) - rng_mix(begin);
    }
    return sum;
}

static bool is_tiled(const struct coll_summary *all)
{
    return all->seams == rng_mix(all->end) - rng_mix(all->begin);
}

bool coll_has_no_holes(const struct coll_summary *all)
{
    return all->longest == all->end - all->begin || is_tiled(all);
}

static void describe_access(struct coll_op *op, struct coll_summary *sum)
{
    sum->begin = UINT64_MAX;
    for (size_t i = 0; i < op->mine.n; i++) {
        const struct run *run = &op->mine.runs[i];

        if (run->offset < sum->begin)
            sum->begin = run->offset;
        if (run_end(run) > sum->end)
            sum->end = run_end(run);
        sum->bytes += run_bytes(run);
        sum->blocks += run->count;
        if (run->length > sum->longest)
            sum->longest = run->length;
        /* Where counting seams would cost more than it may save: no sum. */
        sum->seams += run->count <= SEAMS_MAX ? seams_of(run) : 1;
    }
    sum->asking = sum->bytes > 0;
    sum->hash = coll_list_hash(&op->mine);
    sum->is_alike = sum->is_ordered = true;
}

static void describe_hints(const struct adio_file *file, enum coll_verb verb,
                           struct coll_summary *sum)
{
    const struct adio_hints *hints = &file->hints;
    struct adio_layout layout = {0};

    file->driver->layout((struct adio_file *)file, &layout);
    sum->stripe_size = layout.stripe_size;
    sum->width = layout.width;
    sum->cheap_piece = layout.cheap_piece;
    sum->listed_piece = layout.listed_piece;
    sum->strategy = hints->strategy;
    sum->toggle = verb == COLL_READ ? hints->cb_read : hints->cb_write;
    sum->buffer_size =
        hints->cb_buffer_size > 0 ? hints->cb_buffer_size : BUFFER_DEFAULT;
    if (sum->buffer_size > COLL_PART_MAX)
        sum->buffer_size = COLL_PART_MAX;
    sum->cb_nodes = hints->cb_nodes;
}

static bool is_as_before(const struct coll_op *op)
{
    const struct coll_plan *plan = &op->kept->plan;

    return plan->is_set && plan->verb == op->verb &&
           plan->bytes == op->local.bytes && plan->hash == op->local.hash &&
           plan->toggle == op->local.toggle &&
           op->local.strategy == ADIO_STRATEGY_AUTOMATIC &&
           op->error.code == 0 && op->file->size > 1;
}

void coll_classify_start(struct coll_op *op)
{
    struct coll_summary *sum = &op->local;
    uint64_t tangled = sum->is_tangled;

    *sum = (struct coll_summary){.is_tangled = tangled};
    if (op->error.code != 0)
        op->mine.n = 0;
    describe_access(op, sum);
    describe_hints(op->file, op->verb, sum);
    sum->failing = op->error.code != 0 ? (uint64_t)op->file->rank : COLL_NOBODY;
    if (is_as_before(op))
        op->state = COLL_AHEAD;
}

/* right = left then right. */
static void combine(const struct coll_summary *left, struct coll_summary *right)
{
    struct coll_summary both = *left; /* its hints and layout stay */

    both.is_alike = left->is_alike && right->is_alike &&
                    left->hash == right->hash && left->begin == right->begin &&
                    left->end == right->end;
    both.is_ordered =
        left->is_ordered && right->is_ordered &&
        (left->asking == 0 || right->asking == 0 || left->end <= right->begin);
    both.is_ahead = left->is_ahead && right->is_ahead;
    both.is_tangled = left->is_tangled || right->is_tangled;
    both.is_same = left->is_same && right->is_same;
    both.is_mapped = left->is_mapped && right->is_mapped;
    if (right->begin < both.begin)
        both.begin = right->begin;
    if (right->end > both.end)
        both.end = right->end;
    both.bytes += right->bytes;
    both.blocks += right->blocks;
    both.seams += right->seams;
    if (right->longest > both.longest)
        both.longest = right->longest;
    both.asking += right->asking;
    if (right->failing < both.failing)
        both.failing = right->failing;
    *right = both;
}

void coll_classify_combine(void *left, void *right_inout, int *len,
                           MPI_Datatype *type)
{
    const struct coll_summary *in = left;
    struct coll_summary *inout = right_inout;

    for (int i = 0; i < *len; i++)
        combine(&in[i], &inout[i]);
}

static bool is_large(const struct coll_summary *all)
{
    return all->bytes / all->blocks >= DIRECT_BLOCK_MIN;
}

/* Large enough that a device gains nothing from larger ones. */
static bool is_cheap(const struct coll_summary *all)
{
    return all->cheap_piece > 0 && all->bytes / all->blocks >= all->cheap_piece;
}

/* No larger share of the work than its own list costs a rank. */
static bool is_listed(const struct coll_summary *all)
{
    return all->listed_piece > 0 &&
           all->bytes / all->blocks >= all->listed_piece;
}

static enum coll_state chosen(struct coll_op *op, enum adio_strategy strategy,
                              const char *why)
{
    op->explain.strategy = strategy;
    snprintf(op->explain.why, sizeof(op->explain.why), "%s", why);
    switch (strategy) {
    case ADIO_STRATEGY_SHARE:
        return COLL_SHARE;
    case ADIO_STRATEGY_TWO_PHASE:
        return COLL_REQUEST;
    default:
        return COLL_DIRECT;
    }
}

static const char *how_mixed(const struct coll_summary *all)
{
    if (all->is_ordered)
        return "ranks are disjoint, in small pieces";
    if (all->bytes > all->end - all->begin)
        return "ranks overlap";
    return "ranks interleave";
}

bool coll_is_one_list(const struct coll_op *op)
{
    return op->verb == COLL_READ && op->all.is_alike && !op->all.is_tangled;
}

/* Ranks of one node need no messages where there are no holes, or the same ones
 * for all; where there are others the ring's boards will tell the next time
 * whether ranks are apart. */
static enum coll_state through_ring(struct coll_op *op,
                                    enum coll_state by_messages)
{
    bool is_boards = op->kept->ring == NULL && is_listed(&op->all);

    if (!coll_ring_is_possible(op) ||
        !(coll_has_no_holes(&op->all) || coll_is_one_list(op) || is_boards ||
          op->all.is_mapped))
        return by_messages;
    return COLL_RING;
}

void coll_classify_remember(struct coll_op *op)
{
    struct coll_plan *plan = &op->kept->plan;

    *plan = (struct coll_plan){
        .is_set = true,
        .is_mapped = op->is_mapped,
        .verb = op->verb,
        .bytes = op->local.bytes,
        .hash = op->local.hash,
        .toggle = op->local.toggle,
    };
    memcpy(plan->why, op->explain.why, sizeof(plan->why));
}

/* The next operation may be the same again: each rank then moves its own before
 * it asks the others (coll_direct.c). */
static enum coll_state remembered(struct coll_op *op, enum coll_state direct)
{
    op->all.is_mapped = 0;
    coll_classify_remember(op);
    return coll_ring_is_possible(op) ? COLL_RING : direct;
}

static enum coll_state choose_by_access(struct coll_op *op, bool may_direct,
                                        bool may_share)
{
    const struct coll_summary *all = &op->all;
    bool is_list_io = op->file->driver->features & ADIO_FEATURE_LIST_IO;
    enum coll_apart apart;

    if (may_share)
        return through_ring(
            op, chosen(op, ADIO_STRATEGY_SHARE, "all ranks read the same"));
    if (may_direct && op->file->size == 1)
        return chosen(op, ADIO_STRATEGY_DIRECT, "one rank only");
    apart = coll_ring_apart(op);
    if (may_direct && all->is_ordered && !all->is_tangled && is_large(all))
        return chosen(op, ADIO_STRATEGY_DIRECT,
                      "ranks are disjoint, in large pieces");
    if (may_direct && (all->is_ordered || is_tiled(all)) && !all->is_tangled &&
        is_cheap(all))
        return remembered(
            op, chosen(op, ADIO_STRATEGY_DIRECT,
                       "ranks are disjoint, in pieces that are cheap here"));
    if (may_direct && op->verb == COLL_READ && is_listed(all) &&
        !coll_has_no_holes(all) && apart == COLL_APART)
        return chosen(op, ADIO_STRATEGY_DIRECT,
                      "no byte is wanted twice, and lists are cheap here");
    if (may_direct && is_list_io && apart != COLL_OVERLAP && !all->is_alike &&
        !all->is_tangled && all->bytes <= all->end - all->begin &&
        is_large(all))
        return chosen(op, ADIO_STRATEGY_DIRECT,
                      "ranks interleave in large pieces");
    return through_ring(op,
                        chosen(op, ADIO_STRATEGY_TWO_PHASE, how_mixed(all)));
}

static enum coll_state choose(struct coll_op *op)
{
    const struct coll_summary *all = &op->all;
    bool may_share = coll_is_one_list(op) && op->file->size > 1;

    switch ((enum adio_strategy)all->strategy) {
    case ADIO_STRATEGY_SHARE:
        if (may_share)
            return chosen(op, ADIO_STRATEGY_SHARE, "asked for by hint");
        return chosen(op, ADIO_STRATEGY_TWO_PHASE,
                      "share asked for, but ranks differ or write");
    case ADIO_STRATEGY_DIRECT:
        return chosen(op, ADIO_STRATEGY_DIRECT, "asked for by hint");
    case ADIO_STRATEGY_TWO_PHASE:
        return chosen(op, ADIO_STRATEGY_TWO_PHASE, "asked for by hint");
    case ADIO_STRATEGY_INDEPENDENT:
        return chosen(op, ADIO_STRATEGY_INDEPENDENT, "asked for by hint");
    case ADIO_STRATEGY_AUTOMATIC:
        break;
    }
    if (all->toggle == ADIO_DISABLE)
        return chosen(op, ADIO_STRATEGY_INDEPENDENT,
                      op->verb == COLL_READ ? "romio_cb_read is disable"
                                            : "romio_cb_write is disable");
    return choose_by_access(op, all->toggle != ADIO_ENABLE, may_share);
}

static void lay_realms(struct coll_op *op)
{
    const struct coll_summary *all = &op->all;
    uint64_t align =
        all->buffer_size < REALM_ALIGN ? all->buffer_size : REALM_ALIGN;
    uint32_t n = coll_nodes_count(&op->kept->nodes, (uint32_t)all->cb_nodes,
                                  (uint32_t)all->width, all->bytes);

    coll_realm_init(&op->realm, all->begin, all->end, n, all->stripe_size,
                    (uint32_t)all->width, align);
}

static bool is_same_realm(const struct coll_op *op)
{
    const struct coll_realm *before = &op->kept->asked.realm;

    return before->begin == op->realm.begin && before->unit == op->realm.unit &&
           before->width == op->realm.width &&
           before->owners == op->realm.owners;
}

static bool is_combined(struct coll_op *op)
{
    if (op->kept->ring != NULL)
        return coll_ring_combine(op);
    if (!op->is_entered)
        PMPI_Iallreduce(&op->local, &op->all, 1, op->kept->summary_type,
                        op->kept->combine, op->kept->comm, &op->request);
    return coll_request_done(op);
}

enum coll_state coll_classify_step(struct coll_op *op)
{
    enum coll_state next;

    if (!op->is_entered) {
        op->local.is_same = coll_exchange_is_same(op);
        if (!op->local.is_ahead)
            op->local.is_mapped = coll_mapped_is_possible(op);
    }
    if (!is_combined(op))
        return COLL_CLASSIFY;
    if (op->all.failing != COLL_NOBODY) {
        op->failing = (int)op->all.failing;
        snprintf(op->explain.why, sizeof(op->explain.why),
                 "rank %d failed before the others", op->failing);
        return COLL_TEXT;
    }
    if (op->all.is_ahead) {
        op->explain.plans_reused = 1;
        op->explain.strategy = ADIO_STRATEGY_DIRECT;
        if (op->kept->plan.is_mapped)
            op->explain.strategy = ADIO_STRATEGY_SHARE;
        memcpy(op->explain.why, op->kept->plan.why, sizeof(op->explain.why));
        return COLL_OVER;
    }
    op->kept->plan.is_set = false;
    if (op->all.bytes == 0) {
        snprintf(op->explain.why, sizeof(op->explain.why), "nothing to do");
        return COLL_OVER;
    }
    lay_realms(op);
    next = choose(op);
    coll_mapped_note(op);
    op->is_asked = op->all.is_same && is_same_realm(op);
    if (op->explain.strategy == ADIO_STRATEGY_SHARE ||
        op->explain.strategy == ADIO_STRATEGY_TWO_PHASE)
        op->explain.aggregators = op->realm.owners;
    if (op->local.is_ahead && op->explain.strategy == ADIO_STRATEGY_DIRECT)
        return COLL_AGREE; /* this rank's part is done */
    if (!(op->local.is_ahead && next == COLL_RING && op->all.is_mapped))
        op->bytes = 0;
    return next;
}
