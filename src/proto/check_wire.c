/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A record in a page of CHECK: u8 kind (the first byte of its key), u8 type, u8
 * state, u32 n, u64 a, u64 b, u8 length and the text, u16 length and the key.
 */
#include "base/err.h"
#include "proto/proto.h"
#include "proto/wire.h"

int proto_check_encode(const struct proto_check *record, uint8_t **at_p,
                       const uint8_t *end)
{
    struct wire_out out = {*at_p, end};

    if (record->text.len > NAME_LEN_MAX || record->key.len > UINT16_MAX ||
        !(wire_put_u8(&out, record->kind) && wire_put_u8(&out, record->type) &&
          wire_put_u8(&out, record->state) && wire_put_u32(&out, record->n) &&
          wire_put_u64(&out, record->a) && wire_put_u64(&out, record->b) &&
          wire_put_u8(&out, (uint8_t)record->text.len) &&
          wire_put_bytes(&out, record->text.data, record->text.len) &&
          wire_put_u16(&out, (uint16_t)record->key.len) &&
          wire_put_bytes(&out, record->key.data, record->key.len)))
        return -EMSGSIZE;
    *at_p = out.at;
    return 0;
}

/* So many bytes of the message. */
static bool take_bytes(struct wire_in *in, size_t len,
                       struct proto_bytes *bytes)
{
    if (len > (size_t)(in->end - in->at))
        return false;
    *bytes = (struct proto_bytes){in->at, (uint32_t)len};
    in->at += len;
    return true;
}

int proto_check_decode(const uint8_t **at_p, const uint8_t *end,
                       struct proto_check *record_out)
{
    struct wire_in in = {*at_p, end};
    struct proto_check *record = record_out;
    uint8_t text_len;
    uint16_t key_len;

    if (in.at == in.end)
        return -ENOENT;
    if (!(wire_get_u8(&in, &record->kind) && wire_get_u8(&in, &record->type) &&
          wire_get_u8(&in, &record->state) && wire_get_u32(&in, &record->n) &&
          wire_get_u64(&in, &record->a) && wire_get_u64(&in, &record->b) &&
          wire_get_u8(&in, &text_len) &&
          take_bytes(&in, text_len, &record->text) &&
          wire_get_u16(&in, &key_len) &&
          take_bytes(&in, key_len, &record->key)))
        return -ERR_PROTOCOL;
    *at_p = in.at;
    return 0;
}
