/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs and directory entries. A run is written as varints:
 *
 *     kind       bit 0: a vector (count > 1); bit 1: the length differs from
 *                the run before; bit 2: memory does not go on where it ended
 *     offset     zigzag of the distance from the end of the run before
 *     length     if bit 1
 *     memory     if bit 2: zigzag of the distance from where memory ended
 *     count, stride, zigzag of mem_stride    if bit 0
 */
#include "proto/proto.h"

#include "base/err.h"
#include "proto/inode_wire.h"
#include "proto/wire.h"

enum { KIND_VECTOR = 1, KIND_LENGTH = 2, KIND_MEMORY = 4 };

#define REACH_MAX (1ull << 62) /* no offset, length or product beyond */

static uint64_t mem_end(const struct run *run)
{
    return run->mem + (run->count - 1) * (uint64_t)run->mem_stride +
           run->length;
}

int proto_run_encode(struct proto_runs *state, const struct run *run,
                     uint8_t **at_p, const uint8_t *end)
{
    struct wire_out out = {*at_p, end};
    uint64_t kind = 0;

    kind |= run->count > 1 ? KIND_VECTOR : 0;
    kind |= run->length != state->length ? KIND_LENGTH : 0;
    kind |= run->mem != state->mem_end ? KIND_MEMORY : 0;
    if (!wire_put_varint(&out, kind) ||
        !wire_put_varint(&out,
                         wire_zigzag((int64_t)(run->offset - state->end))))
        return -EMSGSIZE;
    if ((kind & KIND_LENGTH) && !wire_put_varint(&out, run->length))
        return -EMSGSIZE;
    if ((kind & KIND_MEMORY) &&
        !wire_put_varint(&out,
                         wire_zigzag((int64_t)(run->mem - state->mem_end))))
        return -EMSGSIZE;
    if ((kind & KIND_VECTOR) &&
        !(wire_put_varint(&out, run->count) &&
          wire_put_varint(&out, run->stride) &&
          wire_put_varint(&out, wire_zigzag(run->mem_stride))))
        return -EMSGSIZE;
    state->end = run_end(run);
    state->mem_end = mem_end(run);
    state->length = run->length;
    *at_p = out.at;
    return 0;
}

/* a + (count - 1) * stride + length, all below the reach. */
static bool is_within_reach(uint64_t at, uint64_t count, uint64_t stride,
                            uint64_t length)
{
    uint64_t reach;

    if (at > REACH_MAX || length > REACH_MAX || count > REACH_MAX ||
        stride > REACH_MAX)
        return false;
    return !__builtin_mul_overflow(count - 1, stride, &reach) &&
           reach <= REACH_MAX && at + reach + length <= REACH_MAX;
}

/* Memory offsets stay at or above 0, strides may be negative. */
static bool is_sane(const struct run *run)
{
    uint64_t magnitude = run->mem_stride < 0 ? 0 - (uint64_t)run->mem_stride
                                             : (uint64_t)run->mem_stride;
    uint64_t bytes;

    if (run->count == 0 || run->length == 0 ||
        !is_within_reach(run->offset, run->count, run->stride, run->length) ||
        !is_within_reach(0, run->count, magnitude, run->length) ||
        run->mem > REACH_MAX)
        return false;
    if (__builtin_mul_overflow(run->count, run->length, &bytes) ||
        bytes > REACH_MAX)
        return false;
    return run->mem_stride >= 0 || run->mem >= (run->count - 1) * magnitude;
}

int proto_run_decode(struct proto_runs *state, const uint8_t **at_p,
                     const uint8_t *end, struct run *run_out)
{
    struct wire_in in = {*at_p, end};
    uint64_t kind, offset, memory = 0, mem_stride = 0;
    struct run run = {0};

    if (in.at == in.end)
        return -ENOENT;
    run.length = state->length;
    run.count = 1;
    if (!wire_get_varint(&in, &kind) || kind > 7 ||
        !wire_get_varint(&in, &offset) ||
        ((kind & KIND_LENGTH) && !wire_get_varint(&in, &run.length)) ||
        ((kind & KIND_MEMORY) && !wire_get_varint(&in, &memory)))
        return -ERR_PROTOCOL;
    if ((kind & KIND_VECTOR) && !(wire_get_varint(&in, &run.count) &&
                                  wire_get_varint(&in, &run.stride) &&
                                  wire_get_varint(&in, &mem_stride)))
        return -ERR_PROTOCOL;
    run.offset = state->end + (uint64_t)wire_unzigzag(offset);
    run.mem = state->mem_end + (uint64_t)wire_unzigzag(memory);
    run.mem_stride = wire_unzigzag(mem_stride);
    if (!is_sane(&run))
        return -ERR_PROTOCOL;
    state->end = run_end(&run);
    state->mem_end = mem_end(&run);
    state->length = run.length;
    *at_p = in.at;
    *run_out = run;
    return 0;
}

int proto_entry_encode(const struct proto_entry *entry, uint8_t **at_p,
                       const uint8_t *end)
{
    struct wire_out out = {*at_p, end};

    if (entry->text.len > NAME_LEN_MAX ||
        !(wire_put_u8(&out, (uint8_t)entry->text.len) &&
          wire_put_bytes(&out, entry->text.data, entry->text.len) &&
          wire_put_u8(&out, entry->is_away) &&
          inode_put(&out, &entry->inode) &&
          wire_put_u64(&out, entry->object_size) &&
          wire_put_u64(&out, entry->object_mtime_ns)))
        return -EMSGSIZE;
    *at_p = out.at;
    return 0;
}

int proto_entry_decode(const uint8_t **at_p, const uint8_t *end,
                       struct proto_entry *entry_out)
{
    struct wire_in in = {*at_p, end};
    uint8_t len, is_away;

    if (in.at == in.end)
        return -ENOENT;
    if (!wire_get_u8(&in, &len) || len == 0 || len > in.end - in.at)
        return -ERR_PROTOCOL;
    entry_out->text.data = in.at;
    entry_out->text.len = len;
    in.at += len;
    if (!wire_get_u8(&in, &is_away) || is_away > 1 ||
        !inode_get(&in, &entry_out->inode) ||
        !wire_get_u64(&in, &entry_out->object_size) ||
        !wire_get_u64(&in, &entry_out->object_mtime_ns))
        return -ERR_PROTOCOL;
    entry_out->is_away = is_away != 0;
    *at_p = in.at;
    return 0;
}
