/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Header and bodies. The bodies' encoders and decoders are made from the table
 * in msgs.h: one function a message and direction, and a switch over opcodes.
 */
#include "proto/proto.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "proto/inode_wire.h"
#include "proto/wire.h"

#include <assert.h>

const char *proto_op_name(unsigned opcode)
{
    switch (opcode) {
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return #name;
        PROTO_MSGS(X)
#undef X
    default:
        return NULL;
    }
}

unsigned proto_op_flags(unsigned opcode)
{
    switch (opcode) {
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return flags;
        PROTO_MSGS(X)
#undef X
    default:
        return 0;
    }
}

#define CHECK_AT 52 /* in the header */

/* The sum of a whole message, its own field taken as 0. */
static uint32_t message_check(const uint8_t *at, size_t len)
{
    static const uint8_t zeros[4];
    uint32_t crc = crc32c(0, at, CHECK_AT);

    crc = crc32c(crc, zeros, sizeof(zeros));
    return crc32c(crc, at + CHECK_AT + 4, len - CHECK_AT - 4);
}

void proto_header_encode(const struct proto_header *header, uint8_t *at)
{
    struct wire_out out = {at, at + PROTO_HEADER_SIZE};
    struct wire_out check = {at + CHECK_AT, at + CHECK_AT + 4};

    wire_put_u32(&out, header->magic);
    wire_put_u16(&out, header->version);
    wire_put_u16(&out, header->opcode);
    wire_put_u32(&out, header->flags);
    wire_put_u32(&out, header->status);
    wire_put_u64(&out, header->request);
    wire_put_u64(&out, header->session);
    wire_put_u64(&out, header->floor);
    wire_put_u64(&out, header->target);
    wire_put_u32(&out, header->body);
    wire_put_u32(&out, 0);
    wire_put_u64(&out, header->reserved2);
    assert(out.at == out.end);
    wire_put_u32(&check, message_check(at, PROTO_HEADER_SIZE + header->body));
}

int proto_header_decode(const uint8_t *at, size_t len,
                        struct proto_header *header_out)
{
    struct wire_in in = {at, at + len};
    struct proto_header *h = header_out;

    if (len < PROTO_HEADER_SIZE || len > PROTO_MESSAGE_MAX)
        return -ERR_PROTOCOL;
    wire_get_u32(&in, &h->magic);
    wire_get_u16(&in, &h->version);
    wire_get_u16(&in, &h->opcode);
    wire_get_u32(&in, &h->flags);
    wire_get_u32(&in, &h->status);
    wire_get_u64(&in, &h->request);
    wire_get_u64(&in, &h->session);
    wire_get_u64(&in, &h->floor);
    wire_get_u64(&in, &h->target);
    wire_get_u32(&in, &h->body);
    wire_get_u32(&in, &h->check);
    wire_get_u64(&in, &h->reserved2);
    if (h->magic != PROTO_MAGIC)
        return -ERR_PROTOCOL;
    if (h->check != message_check(at, len) &&
        (h->version != 1 || h->check != 0)) /* version 1 had no check */
        return -ERR_PROTOCOL;
    if (h->version != PROTO_VERSION)
        return -ERR_VERSION;
    return h->body == len - PROTO_HEADER_SIZE ? 0 : -ERR_PROTOCOL;
}

/* A byte field: its length, checked against the field's limit, then itself. */
static bool put_field(struct wire_out *out, const struct proto_bytes *bytes,
                      uint32_t limit)
{
    return bytes->len <= limit && wire_put_u32(out, bytes->len) &&
           wire_put_bytes(out, bytes->data, bytes->len);
}

static bool get_field(struct wire_in *in, struct proto_bytes *bytes,
                      uint32_t limit)
{
    if (!wire_get_u32(in, &bytes->len) || bytes->len > limit ||
        bytes->len > (size_t)(in->end - in->at))
        return false;
    bytes->data = in->at;
    in->at += bytes->len;
    return true;
}

#define PUT_U8(name) &&wire_put_u8(out, msg->name)
#define PUT_U16(name) &&wire_put_u16(out, msg->name)
#define PUT_U32(name) &&wire_put_u32(out, msg->name)
#define PUT_U64(name) &&wire_put_u64(out, msg->name)
#define PUT_INODE(name) &&inode_put(out, &msg->name)
#define PUT_BYTES(name, limit) &&put_field(out, &msg->name, limit)

#define GET_U8(name) &&wire_get_u8(in, &msg->name)
#define GET_U16(name) &&wire_get_u16(in, &msg->name)
#define GET_U32(name) &&wire_get_u32(in, &msg->name)
#define GET_U64(name) &&wire_get_u64(in, &msg->name)
#define GET_INODE(name) &&inode_get(in, &msg->name)
#define GET_BYTES(name, limit) &&get_field(in, &msg->name, limit)

#define CODEC(side, UPPER, name)                                               \
    static bool put_##side##_##name(struct wire_out *out,                      \
                                    const struct proto_##side##_##name *msg)   \
    {                                                                          \
        return true PROTO_##UPPER##_##name(PUT_U8, PUT_U16, PUT_U32, PUT_U64,  \
                                           PUT_INODE, PUT_BYTES);              \
    }                                                                          \
    static bool get_##side##_##name(struct wire_in *in,                        \
                                    struct proto_##side##_##name *msg)         \
    {                                                                          \
        return true PROTO_##UPPER##_##name(GET_U8, GET_U16, GET_U32, GET_U64,  \
                                           GET_INODE, GET_BYTES);              \
    }
#define X(value, name, flags) CODEC(req, REQ, name) CODEC(rep, REP, name)
PROTO_MSGS(X)
#undef X

/* Callers may pass the one struct instead of the union: members overlay. */
#define DISPATCH(side)                                                         \
    static bool put_##side(unsigned opcode, struct wire_out *out,              \
                           const union proto_##side *msg)                      \
    {                                                                          \
        switch (opcode) {                                                      \
            PROTO_MSGS(X)                                                      \
        default:                                                               \
            return false;                                                      \
        }                                                                      \
    }
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return put_req_##name(out, &msg->name);
DISPATCH(req)
#undef X
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return put_rep_##name(out, &msg->name);
DISPATCH(rep)
#undef X
#undef DISPATCH
#define DISPATCH(side)                                                         \
    static bool get_##side(unsigned opcode, struct wire_in *in,                \
                           union proto_##side *msg)                            \
    {                                                                          \
        switch (opcode) {                                                      \
            PROTO_MSGS(X)                                                      \
        default:                                                               \
            return false;                                                      \
        }                                                                      \
    }
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return get_req_##name(in, &msg->name);
DISPATCH(req)
#undef X
#define X(value, name, flags)                                                  \
    case value:                                                                \
        return get_rep_##name(in, &msg->name);
DISPATCH(rep)
#undef X

int proto_req_encode(unsigned opcode, const union proto_req *req, uint8_t *at,
                     size_t room, size_t *len_out)
{
    struct wire_out out = {at, at + room};

    if (proto_op_name(opcode) == NULL)
        return -ERR_PROTOCOL;
    if (!put_req(opcode, &out, req))
        return -EMSGSIZE;
    *len_out = (size_t)(out.at - at);
    return 0;
}

int proto_rep_encode(unsigned opcode, const union proto_rep *rep, uint8_t *at,
                     size_t room, size_t *len_out)
{
    struct wire_out out = {at, at + room};

    if (proto_op_name(opcode) == NULL)
        return -ERR_PROTOCOL;
    if (!put_rep(opcode, &out, rep))
        return -EMSGSIZE;
    *len_out = (size_t)(out.at - at);
    return 0;
}

int proto_req_decode(unsigned opcode, const uint8_t *at, size_t len,
                     union proto_req *req_out)
{
    struct wire_in in = {at, at + len};

    if (!get_req(opcode, &in, req_out) || in.at != in.end)
        return -ERR_PROTOCOL;
    return 0;
}

int proto_rep_decode(unsigned opcode, const uint8_t *at, size_t len,
                     union proto_rep *rep_out)
{
    struct wire_in in = {at, at + len};

    if (!get_rep(opcode, &in, rep_out) || in.at != in.end)
        return -ERR_PROTOCOL;
    return 0;
}
