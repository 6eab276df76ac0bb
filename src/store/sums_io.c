/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes of checked objects, in spans: the bytes of an extent that
 * one unit of sums covers.
 *
 * The happy path of a read: whole blocks come from the device, the caller's
 * straight into its memory, blocks of which it wants a part by way of the
 * operation's bounce buffer; each is compared with its sum.
 *
 * The happy path of a write: blocks that keep some of their bytes are read and
 * compared first; the sums of all blocks as they will be are computed; the
 * caller's bytes are written as they are; the sums are noted.
 *
 * Possible failure modes are told in sums.h.
 */
#include "store/sums_priv.h"

#include "base/crc32c.h"
#include "base/err.h"

#include <endian.h>
#include <string.h>

static const char zeros[SUMS_BLOCK];

uint32_t unit_sum(const struct sum_unit *unit, uint64_t block)
{
    return le32toh(unit->sums[block % SUMS_UNIT_BLOCKS]);
}

void unit_set(struct sum_unit *unit, uint64_t block, uint32_t sum)
{
    unit->sums[block % SUMS_UNIT_BLOCKS] = htole32(sum);
}

static uint64_t round_down(uint64_t offset)
{
    return offset - offset % SUMS_BLOCK;
}

static uint64_t round_up(uint64_t offset)
{
    return round_down(offset + SUMS_BLOCK - 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool check_blocks(struct sum_op *op, uint64_t first, const char *bytes,
                  size_t len)
{
    uint32_t *sums = op->user->verb == OBJ_READ ? op->user->sums : NULL;
    uint64_t base = op->user->offset / SUMS_BLOCK;
    uint64_t block = first;
    uint32_t sum;
    size_t at, part;

    for (at = 0; at < len; at += part, block++) {
        part = len - at < SUMS_BLOCK ? len - at : SUMS_BLOCK;
        sum = sums_of_block(bytes + at, part);
        if (sum != unit_sum(op->unit, block)) {
            op->store->stats.mismatches++;
            op->rc = -ERR_CORRUPT;
            op->bad_offset = block * SUMS_BLOCK;
            return false;
        }
        if (sums != NULL)
            sums[block - base] = sum ^ SUMS_ZERO_CRC;
    }
    return true;
}

/* What a transfer did not bring, because the object ends, is zeros. */
static void pad_with_zeros(struct obj_io *io)
{
    memset((char *)io->memory + io->result, 0, io->length - (size_t)io->result);
}

static void get(struct sum_op *op, uint64_t offset, uint64_t end, char *memory)
{
    struct obj_io *io = op_transfer(op, OBJ_READ, 0);

    io->offset = offset;
    io->length = end - offset;
    io->memory = memory;
    store_submit(op->store, io);
}

/* The caller's memory for an offset of the object. */
static char *memory_at(const struct sum_op *op, uint64_t offset)
{
    return (char *)op->user->memory + (offset - op->user->offset);
}

/* Begin the next span. @return false: it ended, or goes on later. */
static bool next_span(struct sum_op *op)
{
    uint64_t index = op->at / SUMS_UNIT_DATA;

    if (!unit_want(op, op->object, index,
                   op->user->verb == OBJ_READ ? UNIT_READ : UNIT_CHANGE))
        return false;
    op->span_end = least(op->end, (index + 1) * SUMS_UNIT_DATA);
    op->size = op->object->size;
    return true;
}

static void fail(struct sum_op *op)
{
    if (op->unit != NULL)
        unit_unpin(op);
    op_end(op, op->rc);
}

/*
 * READ.
 */

/* How the blocks of a span come in. */
struct read_plan {
    uint64_t first, past; /* whole blocks, in bytes */
    bool has_head;        /* the first is wanted in part: bounce, block 0 */
    bool has_tail;        /* the last, and it goes on: bounce, block 1 */
    bool is_bounced;      /* all by way of the bounce buffer */
    uint64_t from, to;    /* else straight to the caller */
};

static void plan_read(const struct sum_op *op, struct read_plan *plan)
{
    plan->first = round_down(op->at);
    plan->past = round_up(op->span_end);
    plan->has_head = op->at != plan->first;
    plan->has_tail = op->span_end != plan->past && op->span_end < op->size;
    plan->is_bounced = (plan->has_head || plan->has_tail) &&
                       plan->past - plan->first <= BOUNCE_SIZE;
    plan->from = plan->has_head ? plan->first + SUMS_BLOCK : op->at;
    plan->to = plan->has_tail ? plan->past - SUMS_BLOCK : op->span_end;
}

static void read_span(struct sum_op *op);

/* The sums of whole blocks, for a caller who compares. @return where the blocks
 * that are left begin. */
static uint64_t hand_over(struct sum_op *op, uint64_t from, uint64_t to)
{
    uint64_t base = op->user->offset / SUMS_BLOCK;

    if (!op->user->is_compared_later || op->user->sums == NULL)
        return from;
    for (; to - from >= SUMS_BLOCK; from += SUMS_BLOCK)
        op->user->sums[from / SUMS_BLOCK - base] =
            unit_sum(op->unit, from / SUMS_BLOCK) ^ SUMS_ZERO_CRC;
    return from;
}

static bool check_straight(struct sum_op *op, const struct read_plan *plan)
{
    uint64_t from = hand_over(op, plan->from, plan->to);

    return (!plan->has_head || check_blocks(op, plan->first / SUMS_BLOCK,
                                            op->bounce, SUMS_BLOCK)) &&
           check_blocks(op, from / SUMS_BLOCK, memory_at(op, from),
                        plan->to - from) &&
           (!plan->has_tail ||
            check_blocks(op, plan->to / SUMS_BLOCK, op->bounce + SUMS_BLOCK,
                         SUMS_BLOCK));
}

static void copy_edges(struct sum_op *op, const struct read_plan *plan)
{
    if (plan->is_bounced) {
        memcpy(memory_at(op, op->at), op->bounce + (op->at - plan->first),
               op->span_end - op->at);
        return;
    }
    if (plan->has_head)
        memcpy(memory_at(op, op->at), op->bounce + (op->at - plan->first),
               plan->from - op->at);
    if (plan->has_tail)
        memcpy(memory_at(op, plan->to), op->bounce + SUMS_BLOCK,
               op->span_end - plan->to);
}

static void read_check(struct sum_op *op)
{
    struct read_plan plan;
    bool fits;

    op->takes_riders = false;
    if (op->rc != 0) {
        fail(op);
        return;
    }
    plan_read(op, &plan);
    for (unsigned i = 0; i < OP_TRANSFERS; i++)
        if (op->transfers[i].io.length > 0)
            pad_with_zeros(&op->transfers[i].io);
    if (plan.is_bounced)
        fits = check_blocks(op, plan.first / SUMS_BLOCK, op->bounce,
                            plan.past - plan.first);
    else
        fits = check_straight(op, &plan);
    if (!fits) {
        fail(op);
        return;
    }
    copy_edges(op, &plan);
    riders_serve(op);
    unit_unpin(op);
    op->at = op->span_end;
    read_span(op);
}

/* Are the bytes fetched elsewhere? Then only their sums are wanted. */
static bool is_lent(const struct sum_op *op)
{
    const struct obj_io *io = op->user;

    return io->is_lent && io->is_compared_later && io->sums != NULL &&
           (io->offset | io->length) % SUMS_BLOCK == 0 &&
           op->end == io->offset + io->length;
}

static void start_reads(struct sum_op *op)
{
    struct read_plan plan;

    plan_read(op, &plan);
    for (unsigned i = 0; i < OP_TRANSFERS; i++)
        op->transfers[i].io.length = 0;
    op->step = read_check;
    if (is_lent(op)) {
        read_check(op);
        return;
    }
    if (plan.is_bounced) {
        op->takes_riders = plan.past - plan.first == SUMS_BLOCK;
        get(op, plan.first, plan.past, op->bounce);
        return;
    }
    if (plan.has_head)
        get(op, plan.first, plan.from, op->bounce);
    if (plan.to > plan.from)
        get(op, plan.from, plan.to, memory_at(op, plan.from));
    if (plan.has_tail)
        get(op, plan.to, plan.past, op->bounce + SUMS_BLOCK);
}

static void read_span(struct sum_op *op)
{
    op->step = read_span;
    if (op->rc != 0)
        fail(op);
    else if (op->at == op->end)
        op_end(op, (int64_t)(op->end - op->user->offset));
    else if (next_span(op))
        start_reads(op);
}

void read_start(struct sum_op *op)
{
    op->at = op->user->offset;
    op->end = least(op->at + op->user->length, op->object->size);
    if (op->at >= op->end)
        op_end(op, 0);
    else
        read_span(op);
}

/*
 * WRITE.
 */

/* Which of a span's blocks keep bytes that the object has: at most the first
 * and the last. */
struct write_plan {
    uint64_t first, last; /* offsets of these blocks */
    bool keeps_first;     /* read into block 0 of the bounce buffer */
    bool keeps_last;      /* into block 1; it is another than the first */
};

static void plan_write(const struct sum_op *op, struct write_plan *plan)
{
    uint64_t size = op->size;
    bool cuts_last = op->span_end % SUMS_BLOCK != 0 && op->span_end < size;

    plan->first = round_down(op->at);
    plan->last = round_down(op->span_end - 1);
    plan->keeps_first = (op->at != plan->first && plan->first < size) ||
                        (cuts_last && plan->last == plan->first);
    plan->keeps_last = cuts_last && plan->last != plan->first;
}

static uint32_t sum_of_part(const struct sum_op *op, const char *old,
                            uint64_t block)
{
    uint64_t low = block > op->at ? block : op->at;
    uint64_t high = least(op->span_end, block + SUMS_BLOCK);
    uint32_t crc = crc32c(0, old, low - block);

    crc = crc32c(crc, memory_at(op, low), high - low);
    crc = crc32c(crc, old + (high - block), block + SUMS_BLOCK - high);
    return crc ^ SUMS_ZERO_CRC;
}

static uint32_t sum_of_whole(const struct sum_op *op, uint64_t block)
{
    const uint32_t *given = op->user->sums;

    if (given == NULL)
        return sums_of_block(memory_at(op, block), SUMS_BLOCK);
    return given[(block - round_down(op->user->offset)) / SUMS_BLOCK] ^
           SUMS_ZERO_CRC;
}

static void compute_sums(struct sum_op *op, const struct write_plan *plan)
{
    uint64_t block = plan->first;
    const char *old;

    for (unsigned i = 0; block <= plan->last; block += SUMS_BLOCK, i++) {
        if (block >= op->at && block + SUMS_BLOCK <= op->span_end) {
            op->sums[i] = sum_of_whole(op, block);
            continue;
        }
        old = zeros;
        if (block == plan->first && plan->keeps_first)
            old = op->bounce;
        else if (block == plan->last && plan->keeps_last)
            old = op->bounce + SUMS_BLOCK;
        op->sums[i] = sum_of_part(op, old, block);
    }
}

static void write_span(struct sum_op *op);

static void write_done(struct sum_op *op)
{
    struct sum_object *object = op->object;
    uint64_t block = op->at / SUMS_BLOCK;

    if (op->rc != 0) {
        sums_regions_add(&object->stale, op->at, op->span_end);
        object->has_no_size = true;
        object->is_current = false;
        object_touched(op->store, object);
        fail(op);
        return;
    }
    for (unsigned i = 0; block <= (op->span_end - 1) / SUMS_BLOCK; i++)
        unit_set(op->unit, block++, op->sums[i]);
    unit_dirty(op->store, op->unit);
    if (object->size < op->span_end)
        object->size = op->span_end;
    unit_unpin(op);
    op->at = op->span_end;
    write_span(op);
}

static void put(struct sum_op *op, void *memory)
{
    struct obj_io *io = op_transfer(op, OBJ_WRITE, 0);

    op->step = write_done;
    io->offset = op->at;
    io->length = op->span_end - op->at;
    io->memory = memory;
    store_submit(op->store, io);
}

/* Nothing has changed yet when this fails. */
static void write_sums(struct sum_op *op)
{
    struct write_plan plan;

    plan_write(op, &plan);
    for (unsigned i = 0; op->rc == 0 && i < 2; i++)
        if (op->transfers[i].io.length > 0)
            pad_with_zeros(&op->transfers[i].io);
    if (op->rc != 0 ||
        (plan.keeps_first &&
         !check_blocks(op, plan.first / SUMS_BLOCK, op->bounce, SUMS_BLOCK)) ||
        (plan.keeps_last &&
         !check_blocks(op, plan.last / SUMS_BLOCK, op->bounce + SUMS_BLOCK,
                       SUMS_BLOCK))) {
        fail(op);
        return;
    }
    if (writes_join(op, plan.keeps_first)) {
        op->sums[0] = sums_of_block(op->bounce, SUMS_BLOCK);
        put(op, op->bounce + op->at % SUMS_BLOCK);
        return;
    }
    compute_sums(op, &plan);
    put(op, memory_at(op, op->at));
}

static void start_write(struct sum_op *op)
{
    struct write_plan plan;

    plan_write(op, &plan);
    op->transfers[0].io.length = op->transfers[1].io.length = 0;
    op->step = write_sums;
    if (plan.keeps_first)
        get(op, plan.first, plan.first + SUMS_BLOCK, op->bounce);
    if (plan.keeps_last)
        get(op, plan.last, plan.last + SUMS_BLOCK, op->bounce + SUMS_BLOCK);
    if (op->waiting == 0)
        write_sums(op);
}

static void write_span(struct sum_op *op)
{
    op->step = write_span;
    if (op->rc != 0) {
        object_touched(op->store, op->object); /* by the spans before */
        fail(op);
    } else if (op->at == op->end) {
        object_touched(op->store, op->object);
        op_end(op, (int64_t)op->user->length);
    } else if (next_span(op)) {
        start_write(op);
    }
}

void write_start(struct sum_op *op)
{
    op->at = op->user->offset;
    op->end = op->at + op->user->length;
    op->object->writes++;
    write_span(op);
}
