/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: pieces_next() decodes a run when it has none, maps the next
 * byte of the current block to the first byte at or behind it that lies on our
 * column, and yields what follows up to the end of stripe, block or limit.
 *
 * When the rest of a block holds no byte of ours, the next block that does is
 * computed: blocks start at x, x + stride, x + 2 * stride ... modulo the row
 * (stripe_size * columns), and block k touches our stripe when its start falls
 * into a window of stripe_size + length - 1 residues. The smallest such k comes
 * from pieces_first_multiple(), so that a vector of a billion blocks of which
 * none is ours costs microseconds.
 *
 * Possible failure modes are: a run that cannot be decoded, or whose memory
 * leaves the span that the client registered. Both are found before the first
 * piece of that run.
 */
#include "server/pieces.h"

#include "base/err.h"
#include "base/inode.h"

int pieces_init(struct pieces *pieces, const struct pieces_config *config,
                uint64_t limit)
{
    if (config->stripe_size < STRIPE_SIZE_MIN ||
        config->stripe_size > STRIPE_SIZE_MAX || config->columns == 0 ||
        config->columns > LAYOUT_WIDTH_MAX || config->column >= config->columns)
        return -EINVAL;
    *pieces = (struct pieces){
        .config = *config,
        .limit = limit,
        .at = config->runs.data,
    };
    return 0;
}

/*
 * If a multiple of a lies in [low, high], it is the answer. Else count how
 * often m must be added until one does: the smallest y with (-m * y) mod a in
 * [low mod a, high mod a], which is the same question about smaller numbers.
 * With a replaced by m - a when that is smaller, a halves each time.
 */
uint64_t pieces_first_multiple(uint64_t a, uint64_t m, uint64_t low,
                               uint64_t high)
{
    uint64_t k, y;

    if (low == 0)
        return 0;
    if (a == 0)
        return UINT64_MAX;
    if (a > m / 2)
        return pieces_first_multiple(m - a, m, m - high, m - low);
    k = (low - 1) / a + 1;
    if (k * a <= high)
        return k;
    y = pieces_first_multiple((a - m % a) % a, a, low % a, high % a);
    if (y == UINT64_MAX)
        return UINT64_MAX;
    return (uint64_t)(((unsigned __int128)m * y + low - 1) / a + 1);
}

/* Does every block of a decoded run stay within the span? The decoder has
 * checked that no sum or product of its fields overflows. */
static bool is_within_span(const struct run *run, uint64_t span)
{
    uint64_t last = run->mem + (run->count - 1) * (uint64_t)run->mem_stride;
    uint64_t top = run->mem > last ? run->mem : last;

    return span == PIECES_NO_SPAN || (top <= span && run->length <= span - top);
}

static int load_run(struct pieces *pieces)
{
    const struct proto_bytes *runs = &pieces->config.runs;
    struct run run;
    int rc;

    rc = proto_run_decode(&pieces->state, &pieces->at, runs->data + runs->len,
                          &run);
    if (rc != 0)
        return rc;
    if (!is_within_span(&run, pieces->config.span))
        return -EFAULT;
    pieces->run = run;
    pieces->block = 0;
    pieces->done = 0;
    return 0;
}

/* How many blocks from a block that starts at `start` until one has a byte on
 * our column: 0 if that block has; UINT64_MAX if none ever will. */
static uint64_t blocks_to_column(const struct pieces *pieces, uint64_t start)
{
    const struct pieces_config *config = &pieces->config;
    uint64_t row = (uint64_t)config->stripe_size * config->columns;
    uint64_t first = (uint64_t)config->column * config->stripe_size;
    uint64_t before = pieces->run.length - 1;
    uint64_t from_window;

    if (before >= row - config->stripe_size)
        return 0;
    /* The window of starts is [first - before, first + stripe_size - 1]. */
    from_window = (start % row + row - first + before) % row;
    if (from_window < before + config->stripe_size)
        return 0;
    return pieces_first_multiple(
        pieces->run.stride % row, row, row - from_window,
        row - from_window + before + config->stripe_size - 1);
}

static bool is_in_stripe(const struct pieces *pieces, uint64_t at)
{
    return at - pieces->stripe_at < pieces->stripe_left;
}

/* The first byte at or behind `at` on our column, as layout_map(). */
static uint64_t map(struct pieces *pieces, uint64_t at, uint64_t *object_out,
                    uint64_t *in_stripe_out)
{
    const struct pieces_config *config = &pieces->config;

    if (!is_in_stripe(pieces, at)) {
        at = layout_map(config->stripe_size, config->columns, config->column,
                        at, object_out, in_stripe_out);
        pieces->stripe_at = at;
        pieces->stripe_left = *in_stripe_out;
        pieces->stripe_object = *object_out;
        return at;
    }
    *object_out = pieces->stripe_object + (at - pieces->stripe_at);
    *in_stripe_out = pieces->stripe_left - (at - pieces->stripe_at);
    return at;
}

/* The rest of the current block is not ours: go to the next that is. */
static void skip_blocks(struct pieces *pieces)
{
    struct run *run = &pieces->run;
    uint64_t left = run->count - 1 - pieces->block;
    uint64_t start, skip;

    pieces->done = 0;
    if (left == 0) {
        run->count = 0;
        return;
    }
    pieces->block++;
    start = run->offset + pieces->block * run->stride;
    if (is_in_stripe(pieces, start))
        return;
    skip = blocks_to_column(pieces, start);
    if (skip >= left)
        run->count = 0;
    else
        pieces->block += skip;
}

static uint64_t min3(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Yield from the current block, or move on. @return true: *piece_out is set. */
static bool step(struct pieces *pieces, struct piece *piece_out)
{
    struct run *run = &pieces->run;
    uint64_t start = run->offset + pieces->block * run->stride;
    uint64_t at, object, in_stripe;

    if (pieces->done == run->length) {
        skip_blocks(pieces);
        return false;
    }
    at = map(pieces, start + pieces->done, &object, &in_stripe);
    if (at >= start + run->length) {
        skip_blocks(pieces);
        return false;
    }
    if (object >= pieces->limit && pieces->done == 0) {
        run->count = 0; /* no later block begins lower */
        return false;
    }
    if (object >= pieces->limit) {
        skip_blocks(pieces);
        return false;
    }
    piece_out->object = object;
    piece_out->mem =
        run->mem + pieces->block * (uint64_t)run->mem_stride + (at - start);
    piece_out->length =
        min3(in_stripe, start + run->length - at, pieces->limit - object);
    pieces->done = at - start + piece_out->length;
    return true;
}

int pieces_next(struct pieces *pieces, struct piece *piece_out)
{
    int rc;

    for (;;) {
        if (pieces->run.count == 0) {
            rc = load_run(pieces);
            if (rc != 0)
                return rc;
        }
        if (step(pieces, piece_out))
            return 0;
    }
}
