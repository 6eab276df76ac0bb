/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message to one target.
 *
 * The happy path: runs are encoded into an open part as they come; when it is
 * full, or nothing else comes, it is sent; the server moves the data by RMA, or
 * few bytes ride in the message; the callback notes the end. In a write's
 * message more bytes ride where that is cheaper than to be asked for them (ADR
 * 53).
 *
 * The runs are kept encoded only: who needs their pieces (inline data, holes)
 * decodes them again.
 *
 * A part whose pieces travel packed (io_pack.h) has its runs encoded twice: as
 * the program's memory has them, and as the server is told.
 *
 * What moves by RMA is summed here before it goes, or compared with the sums in
 * the answer when it has come; a message checks itself.
 *
 * Possible failure modes are: inline data that is not as long as the runs say
 * (-ERR_PROTOCOL, nothing is copied); memory that cannot be registered; bytes
 * that do not fit their sum: they are asked for, or sent, once more, which
 * heals what was flipped on the way, and then it is -ERR_CORRUPT. A server
 * compares what it read only when asked for it once more: then its text tells
 * whether the device or the way is to blame.
 */
#include "client/io.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "client/file.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#define WRITE_HEAD_MAX (PROTO_HEADER_SIZE + 64u) /* all but runs and data */

static_assert(SPLIT_FRAGMENT == PROTO_FRAGMENT, "one idea of a fragment");

/* All pieces of a part, one after the other. */
struct walk {
    const struct io_part *part;
    struct proto_runs decoder;
    const uint8_t *at;
    struct split_pieces pieces;
    bool has_run;
    uint64_t packed; /* where the run begins among those before it */
};

static void walk_init(struct walk *walk, const struct io_part *part)
{
    memset(walk, 0, sizeof(*walk));
    walk->part = part;
    walk->at = part->runs;
}

/* @return false at the end; piece->mem is an address then. */
static bool walk_next(struct walk *walk, struct split_piece *piece)
{
    const struct io_part *part = walk->part;
    struct run run;

    for (;;) {
        if (walk->has_run && split_piece_next(&walk->pieces, piece)) {
            piece->mem += part->base;
            return true;
        }
        if (walk->has_run)
            walk->packed += run_bytes(&walk->pieces.run);
        if (proto_run_decode(&walk->decoder, &walk->at,
                             part->runs + part->runs_len, &run) != 0)
            return false;
        split_pieces_init(&walk->pieces, &part->request->map, part->column,
                          &run);
        walk->has_run = true;
    }
}

/* Where the piece that walk_next() gave lies when it travels. */
static char *walk_place(const struct walk *walk,
                        const struct split_piece *piece)
{
    const struct split_pieces *pieces = &walk->pieces;

    if (walk->part->bounce == NULL)
        return (char *)(uintptr_t)piece->mem;
    return walk->part->bounce->memory + walk->packed +
           pieces->block * pieces->run.length + pieces->within - piece->length;
}

uint64_t io_part_offset(const struct io_part *part)
{
    struct split_piece piece;
    struct walk walk;

    walk_init(&walk, part);
    return walk_next(&walk, &piece) ? piece.offset : 0;
}

void io_part_open(struct io_part *part, uint16_t column)
{
    memset(&part->encoder, 0, sizeof(part->encoder));
    memset(&part->packed_encoder, 0, sizeof(part->packed_encoder));
    part->bounce = part->request->is_packed
                       ? io_bounce_take(part->request->session)
                       : NULL;
    part->packed_len = 0;
    part->packed = 0;
    part->base = 0;
    part->column = column;
    part->span = NULL;
    part->runs_len = 0;
    part->bytes = 0;
    part->nsums_most = 0;
    part->end = 0;
    part->is_repeated = false;
    part->state = IO_PART_OPEN;
}

void io_part_let_go(struct io_part *part)
{
    struct capstan_session *session = part->request->session;

    if (part->bounce_mr != NULL)
        net_mr_dereg(session->net, part->bounce_mr);
    io_bounce_put(session, part->bounce);
    part->bounce_mr = NULL;
    part->bounce = NULL;
}

/* Is there no room for so many bytes of a run? */
static bool is_full(const struct io_part *part, const struct run *run,
                    const struct io_span *span, uint64_t bytes)
{
    if (part->span == NULL)
        return false;
    if (part->bounce != NULL)
        return part->packed + run_bytes(run) > IO_BOUNCE_BYTES;
    return part->span != span || part->bytes + bytes > IO_PART_BYTES;
}

static bool encode_packed(struct io_part *part, const struct run *run)
{
    uint8_t *at = part->packed_runs + part->packed_len;
    struct run packed = *run;

    if (part->bounce == NULL)
        return true;
    packed.mem = part->packed;
    packed.mem_stride = run->count > 1 ? (int64_t)run->length : 0;
    if (proto_run_encode(&part->packed_encoder, &packed, &at,
                         part->packed_runs + part->request->runs_room) != 0)
        return false;
    part->packed_len = (size_t)(at - part->packed_runs);
    part->packed += run_bytes(run);
    return true;
}

/* Both ways, or neither. */
static bool encode(struct io_part *part, const struct run *run)
{
    uint8_t *at = part->runs + part->runs_len;
    struct proto_runs before = part->encoder;
    struct run relative = *run;

    relative.mem -= part->base;
    if (proto_run_encode(&part->encoder, &relative, &at,
                         part->runs + part->request->runs_room) != 0)
        return false;
    if (!encode_packed(part, run)) {
        part->encoder = before;
        return false;
    }
    part->runs_len = (size_t)(at - part->runs);
    return true;
}

bool io_part_append(struct io_part *part, const struct run *run)
{
    const struct capstan_request *request = part->request;
    struct io_span *span = io_memory_find(&request->memory, run->mem);
    uint64_t bytes = split_bytes(&request->map, part->column, run);

    if (is_full(part, run, span, bytes) ||
        (part->span != NULL && part->nsums_most <= PROTO_SUMS_MAX &&
         part->nsums_most + split_fragments(run) > PROTO_SUMS_MAX))
        return false;
    if (part->span == NULL && run_bytes(run) > IO_BOUNCE_BYTES)
        io_part_let_go(part);
    if (part->bounce == NULL && part->span == NULL)
        part->base = span->low;
    if (!encode(part, run)) {
        assert(part->span != NULL);
        return false;
    }
    part->span = span;
    part->bytes += bytes;
    part->nsums_most += split_fragments(run);
    if (run_end(run) > part->end)
        part->end = run_end(run);
    return true;
}

/* Collect inline data for a write. */
static struct proto_bytes gather(const struct io_part *part, uint8_t *to)
{
    struct split_piece piece;
    struct walk walk;
    uint64_t len = 0;

    walk_init(&walk, part);
    for (; walk_next(&walk, &piece); len += piece.length) {
        assert(len + piece.length <= PROTO_WRITE_INLINE_MAX);
        memcpy(to + len, (const void *)(uintptr_t)piece.mem, piece.length);
    }
    return (struct proto_bytes){to, (uint32_t)len};
}

/* The pieces where they are, if one follows the other in memory; else empty. */
static struct proto_bytes in_place(const struct io_part *part)
{
    struct proto_bytes data = {NULL, 0};
    struct split_piece piece;
    struct walk walk;

    walk_init(&walk, part);
    for (; walk_next(&walk, &piece); data.len += (uint32_t)piece.length) {
        if (data.data == NULL)
            data.data = (const uint8_t *)(uintptr_t)piece.mem;
        else if (piece.mem != (uintptr_t)data.data + data.len)
            return (struct proto_bytes){NULL, 0};
    }
    return data;
}

/* May so many bytes ride in the request? More than a little only where a long
 * message is cheaper than RMA. */
static bool is_message_for_all(const struct io_part *part)
{
    const struct capstan_request *request = part->request;
    uint16_t target = request->file->inode.layout.targets[part->column];
    uint64_t len =
        WRITE_HEAD_MAX + part->runs_len + part->packed_len + part->bytes;

    return part->bytes <= PROTO_WRITE_INLINE_MAX && len <= PROTO_MESSAGE_MAX &&
           len <= rpc_eager_max(request->session->rpc, target);
}

/* What rides in a write's message; empty: it is for the server to fetch. */
static struct proto_bytes inline_data(const struct io_part *part)
{
    if (part->bytes <= PROTO_INLINE_MAX)
        return gather(part, part->data);
    if (!is_message_for_all(part))
        return (struct proto_bytes){NULL, 0};
    if (part->bounce != NULL)
        return gather(part, (uint8_t *)part->bounce->memory);
    return in_place(part);
}

/* The bytes of a piece that the object had. */
static uint64_t length_there(const struct split_piece *piece,
                             uint64_t object_size)
{
    if (piece->object_offset >= object_size)
        return 0;
    if (piece->length > object_size - piece->object_offset)
        return object_size - piece->object_offset;
    return piece->length;
}

static uint64_t bytes_there(const struct io_part *part, uint64_t object_size)
{
    struct split_piece piece;
    struct walk walk;
    uint64_t bytes = 0;

    walk_init(&walk, part);
    while (walk_next(&walk, &piece))
        bytes += length_there(&piece, object_size);
    return bytes;
}

/*
 * Sums. What lies in one block of 4 KiB of the object is a fragment of a piece
 * and has a sum, in the order of the pieces. A part that has too many for a
 * message folds them into one number.
 */

static enum proto_sums sums_kind(const struct io_part *part)
{
    if (part->request->nsums_room == 0 || part->bytes <= PROTO_INLINE_MAX)
        return PROTO_SUMS_NONE;
    return part->nsums_most > PROTO_SUMS_MAX ? PROTO_SUMS_FOLD
                                             : PROTO_SUMS_EACH;
}

struct fragment {
    uint64_t offset;    /* in the file */
    const char *memory; /* as it travels */
    uint32_t length;
    uint32_t number;
};

typedef bool fragment_fn(void *ctx, const struct fragment *fragment);

static bool ignore(void *ctx, const struct fragment *fragment)
{
    (void)ctx;
    (void)fragment;
    return true;
}

/* Call fn for each fragment below the object's size, while it says true. What
 * travels packed is copied on the way: there before it is summed for a write,
 * back after it was found right for a read. */
static bool each_fragment(const struct io_part *part, uint64_t object_size,
                          fragment_fn *fn, void *ctx)
{
    struct fragment fragment = {0};
    struct split_piece piece;
    struct walk walk;
    uint64_t at, length, there;
    char *place, *memory;

    walk_init(&walk, part);
    while (walk_next(&walk, &piece)) {
        there = length_there(&piece, object_size);
        place = walk_place(&walk, &piece);
        memory = (char *)(uintptr_t)piece.mem;
        for (at = 0; at < there; at += length) {
            length =
                SPLIT_FRAGMENT - (piece.object_offset + at) % SPLIT_FRAGMENT;
            if (length > there - at)
                length = there - at;
            fragment.offset = piece.offset + at;
            fragment.memory = place + at;
            fragment.length = (uint32_t)length;
            if (place != memory && part->request->is_write)
                memcpy(place + at, memory + at, length);
            if (!fn(ctx, &fragment))
                return false;
            if (place != memory && !part->request->is_write)
                memcpy(memory + at, place + at, length);
            fragment.number++;
        }
    }
    return true;
}

/* What is done with the sums of a part, one after the other. */
struct sums {
    enum proto_sums kind;
    uint8_t *each; /* to write, or to compare with */
    uint32_t n;
    uint64_t fold;
    uint64_t bad_offset;
};

static bool add_sum(void *ctx, const struct fragment *fragment)
{
    uint32_t crc = crc32c(0, fragment->memory, fragment->length);
    struct sums *sums = ctx;

    sums->fold ^= proto_sums_fold(fragment->number, crc);
    if (sums->kind == PROTO_SUMS_EACH) {
        assert(sums->n < PROTO_SUMS_MAX);
        crc = htole32(crc);
        memcpy(sums->each + 4 * sums->n++, &crc, sizeof(crc));
    }
    return true;
}

/* The sums of a part that is written. */
static void compute_sums(struct io_part *part, struct proto_req_write *req)
{
    struct sums sums = {.kind = sums_kind(part), .each = part->sums};

    req->sums_kind = sums.kind;
    req->sums.data = part->sums;
    if (sums.kind == PROTO_SUMS_NONE) {
        if (part->bounce != NULL)
            each_fragment(part, UINT64_MAX, ignore, NULL);
        return;
    }
    each_fragment(part, UINT64_MAX, add_sum, &sums);
    req->sums.len = 4 * sums.n;
    if (sums.kind == PROTO_SUMS_EACH)
        return;
    sums.fold = htole64(sums.fold);
    memcpy(part->sums, &sums.fold, sizeof(sums.fold));
    req->sums.len = sizeof(sums.fold);
}

static bool compare_sum(void *ctx, const struct fragment *fragment)
{
    uint32_t crc = htole32(crc32c(0, fragment->memory, fragment->length));
    struct sums *sums = ctx;

    sums->bad_offset = fragment->offset;
    return fragment->number < sums->n &&
           memcmp(sums->each + 4 * fragment->number, &crc, sizeof(crc)) == 0;
}

static bool is_fold(const struct io_part *part, const struct proto_bytes *given)
{
    struct sums sums = {.kind = PROTO_SUMS_FOLD};

    each_fragment(part, part->object_size, add_sum, &sums);
    sums.fold = htole64(sums.fold);
    return memcmp(&sums.fold, given->data, sizeof(sums.fold)) == 0;
}

/* Is what was moved into the caller's memory what the server has sent? */
static int check_sums(struct io_part *part, const struct proto_bytes *given)
{
    struct sums sums = {.each = (uint8_t *)(uintptr_t)given->data,
                        .n = given->len / 4,
                        .bad_offset = io_part_offset(part)};

    if ((part->req.read.sums_kind & PROTO_SUMS_FOLD) != 0) {
        if (given->len != sizeof(sums.fold))
            return -ERR_PROTOCOL;
        if (is_fold(part, given))
            return 0;
    } else if (each_fragment(part, part->object_size, compare_sum, &sums)) {
        return 0;
    }
    snprintf(part->call.text, sizeof(part->call.text),
             "on the way here: offset %llu",
             (unsigned long long)sums.bad_offset);
    return -ERR_CORRUPT;
}

/* Spread inline data of a read. */
static int scatter(const struct io_part *part, const struct proto_bytes *data)
{
    const uint8_t *from = data->data;
    struct split_piece piece;
    struct walk walk;
    uint64_t length;

    if (bytes_there(part, part->object_size) != data->len)
        return -ERR_PROTOCOL;
    walk_init(&walk, part);
    while (walk_next(&walk, &piece)) {
        length = length_there(&piece, part->object_size);
        memcpy((void *)(uintptr_t)piece.mem, from, length);
        from += length;
    }
    return 0;
}

static int take_read(struct io_part *part, const struct proto_rep_read *rep)
{
    part->moved = rep->bytes;
    part->object_size = rep->object_size;
    if (part->req.read.is_inline)
        return scatter(part, &rep->data);
    if (part->req.read.sums_kind != PROTO_SUMS_NONE)
        return check_sums(part, &rep->sums);
    if (part->bounce != NULL)
        each_fragment(part, part->object_size, ignore, NULL);
    return 0;
}

static void repeat(struct io_part *part)
{
    struct capstan_session *session = part->request->session;

    part->is_repeated = true;
    if (!part->request->is_write && part->req.read.sums_kind != PROTO_SUMS_NONE)
        part->req.read.sums_kind |= PROTO_SUMS_CHECKED;
    session->sums_repeats++;
    log_warn("checksum mismatch %s: once more", part->call.text);
    cli_rpc_start(session, &part->call);
}

static void on_done(struct rpc_call *call, int rc, const union proto_rep *rep)
{
    struct io_part *part = call->ctx;
    struct capstan_request *request = part->request;

    part->moved = 0;
    if (rc == 0 && request->is_write)
        part->moved = rep->write.bytes;
    else if (rc == 0)
        rc = take_read(part, &rep->read);
    if (rc == -ERR_CORRUPT && !part->is_repeated) {
        repeat(part);
        return;
    }
    part->rc = rc;
    part->state = IO_PART_ENDED;
    request->session->moving -= part->bytes;
    request->is_ready = true;
}

static int fill_remote(struct io_part *part, uint64_t *key_out,
                       uint64_t *addr_out, uint64_t *span_out)
{
    struct capstan_request *request = part->request;
    struct net *net = request->session->net;
    unsigned access = request->is_write ? NET_REMOTE_READ : NET_REMOTE_WRITE;
    struct net_remote remote;
    int rc;

    if (part->bounce == NULL) {
        rc = io_span_register(net, part->span, access, &remote);
        *span_out = part->span->high - part->span->low;
    } else {
        rc = net_mr_reg(net, part->bounce->memory, part->packed, NET_MEM_HOST,
                        access, &part->bounce_mr);
        *span_out = part->packed;
        if (rc == 0)
            net_mr_remote(net, part->bounce_mr, &remote);
    }
    if (rc != 0)
        return rc;
    *key_out = remote.key;
    *addr_out = remote.addr;
    return 0;
}

/* Also where the bounce was let go, because the bytes ride in the message: what
 * was encoded for it has addresses in its other runs. */
static bool is_sent_packed(const struct io_part *part)
{
    return part->packed_len > 0;
}

static uint64_t span_to_send(const struct io_part *part)
{
    return is_sent_packed(part) ? part->packed
                                : part->span->high - part->span->low;
}

static struct proto_bytes runs_to_send(const struct io_part *part)
{
    if (!is_sent_packed(part))
        return (struct proto_bytes){part->runs, (uint32_t)part->runs_len};
    return (struct proto_bytes){part->packed_runs, (uint32_t)part->packed_len};
}

static int fill_read(struct io_part *part)
{
    struct proto_req_read *req = &part->req.read;
    const struct capstan_request *request = part->request;

    memset(req, 0, sizeof(*req));
    req->ino = request->file->inode.ino;
    req->stripe_size = request->map.stripe_size;
    req->columns = request->map.columns;
    req->column = part->column;
    req->runs = runs_to_send(part);
    req->is_inline = part->bytes <= PROTO_INLINE_MAX;
    req->span = span_to_send(part);
    req->sums_kind = sums_kind(part);
    return req->is_inline
               ? 0
               : fill_remote(part, &req->key, &req->addr, &req->span);
}

static int fill_write(struct io_part *part)
{
    struct proto_req_write *req = &part->req.write;
    const struct capstan_request *request = part->request;

    memset(req, 0, sizeof(*req));
    req->ino = request->file->inode.ino;
    req->stripe_size = request->map.stripe_size;
    req->columns = request->map.columns;
    req->column = part->column;
    req->runs = runs_to_send(part);
    req->span = span_to_send(part);
    req->data = inline_data(part);
    if (req->data.data != NULL)
        return 0;
    compute_sums(part, req);
    return fill_remote(part, &req->key, &req->addr, &req->span);
}

int io_part_send(struct io_part *part)
{
    struct capstan_request *request = part->request;
    struct rpc_call *call = &part->call;
    int rc;

    if (part->bytes <= PROTO_INLINE_MAX)
        io_part_let_go(part);
    rc = request->is_write ? fill_write(part) : fill_read(part);
    if (rc != 0)
        return rc;
    call->target = request->file->inode.layout.targets[part->column];
    call->opcode = request->is_write ? PROTO_OP_write : PROTO_OP_read;
    call->req = (const union proto_req *)&part->req;
    call->deadline_ns = cli_deadline(request->session);
    call->done = on_done;
    call->ctx = part;
    request->guard_ns = call->deadline_ns;
    part->state = IO_PART_SENT;
    request->session->moving += part->bytes;
    cli_rpc_start(request->session, call);
    return 0;
}

void io_part_stop(struct io_part *part)
{
    struct capstan_session *session = part->request->session;

    if (part->state == IO_PART_SENT) {
        rpc_call_cancel(session->rpc, &part->call);
        session->moving -= part->bytes;
        part->state = IO_PART_FREE;
    }
    io_part_let_go(part);
}

bool io_part_is_short(const struct io_part *part)
{
    const struct split_map *map = &part->request->map;

    /* The column's whole share of what lies below part->end is there: so are
     * the pieces. The common case costs no walk. */
    if (part->object_size >= layout_object_size(map->stripe_size, map->columns,
                                                part->column, part->end))
        return false;
    return bytes_there(part, part->object_size) < bytes_there(part, UINT64_MAX);
}

void io_part_fill(const struct io_part *part, uint64_t eof)
{
    struct split_piece piece;
    struct walk walk;
    uint64_t there, limit;

    walk_init(&walk, part);
    while (walk_next(&walk, &piece)) {
        there = length_there(&piece, part->object_size);
        limit = piece.offset >= eof ? 0 : eof - piece.offset;
        if (limit > piece.length)
            limit = piece.length;
        if (there < limit)
            memset((char *)(uintptr_t)piece.mem + there, 0, limit - there);
    }
}
