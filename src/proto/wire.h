/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cursors over wire bytes: little-endian numbers, varints, byte strings. Each
 * call returns false, with the cursor unmoved, when the bytes do not suffice.
 *
 * Threads  pure; any.
 * Failure  false.
 */
#ifndef CAPSTAN_PROTO_WIRE_H
#define CAPSTAN_PROTO_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_out {
    uint8_t *at;
    const uint8_t *end;
};

struct wire_in {
    const uint8_t *at;
    const uint8_t *end;
};

#define WIRE_NUMBER(bits, swap_out, swap_in)                                   \
    static inline bool wire_put_u##bits(struct wire_out *out,                  \
                                        uint##bits##_t value)                  \
    {                                                                          \
        uint##bits##_t wire = swap_out(value);                                 \
        if ((size_t)(out->end - out->at) < sizeof(wire))                       \
            return false;                                                      \
        memcpy(out->at, &wire, sizeof(wire));                                  \
        out->at += sizeof(wire);                                               \
        return true;                                                           \
    }                                                                          \
    static inline bool wire_get_u##bits(struct wire_in *in,                    \
                                        uint##bits##_t *value_out)             \
    {                                                                          \
        uint##bits##_t wire;                                                   \
        if ((size_t)(in->end - in->at) < sizeof(wire))                         \
            return false;                                                      \
        memcpy(&wire, in->at, sizeof(wire));                                   \
        in->at += sizeof(wire);                                                \
        *value_out = swap_in(wire);                                            \
        return true;                                                           \
    }
#define WIRE_AS_IS(x) (x)
WIRE_NUMBER(8, WIRE_AS_IS, WIRE_AS_IS)
WIRE_NUMBER(16, htole16, le16toh)
WIRE_NUMBER(32, htole32, le32toh)
WIRE_NUMBER(64, htole64, le64toh)

/* Two's complement. */
static inline bool wire_get_i64(struct wire_in *in, int64_t *value_out)
{
    uint64_t value;

    if (!wire_get_u64(in, &value))
        return false;
    *value_out = (int64_t)value;
    return true;
}

#undef WIRE_AS_IS
#undef WIRE_NUMBER

static inline bool wire_put_bytes(struct wire_out *out, const void *data,
                                  size_t len)
{
    if ((size_t)(out->end - out->at) < len)
        return false;
    if (len > 0)
        memcpy(out->at, data, len);
    out->at += len;
    return true;
}

/* LEB128: seven bits a byte, low bits first (DWARF 4, 7.6). */
static inline bool wire_put_varint(struct wire_out *out, uint64_t value)
{
    do {
        if (out->at == out->end)
            return false;
        *out->at++ = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
    return true;
}

static inline bool wire_get_varint(struct wire_in *in, uint64_t *value_out)
{
    uint64_t value = 0;
    unsigned shift;
    uint8_t byte;

    for (shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        byte = *in->at++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

/* Signed differences as small numbers: 0, -1, 1, -2, ... become 0, 1, 2, 3. */
static inline uint64_t wire_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

#endif
