/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who asks: u32 uid, u32 gid, u8 is_checked, then a u32 for each further group.
 */
#include "base/err.h"
#include "proto/proto.h"
#include "proto/wire.h"

uint32_t proto_cred_encode(const struct cred *cred, uint8_t at[PROTO_CRED_MAX])
{
    struct wire_out out = {at, at + PROTO_CRED_MAX};

    wire_put_u32(&out, cred->uid);
    wire_put_u32(&out, cred->gid);
    wire_put_u8(&out, cred->is_checked);
    for (uint32_t i = 0; i < cred->ngroups; i++)
        wire_put_u32(&out, cred->groups[i]);
    return (uint32_t)(out.at - at);
}

int proto_cred_decode(const struct proto_bytes *bytes, struct cred *cred_out)
{
    struct wire_in in = {bytes->data, bytes->data + bytes->len};
    struct cred *cred = cred_out;
    uint8_t is_checked;

    if (!wire_get_u32(&in, &cred->uid) || !wire_get_u32(&in, &cred->gid) ||
        !wire_get_u8(&in, &is_checked) || is_checked > 1)
        return -ERR_PROTOCOL;
    cred->is_checked = is_checked != 0;
    for (cred->ngroups = 0; in.at < in.end; cred->ngroups++)
        if (cred->ngroups == CRED_GROUPS_MAX ||
            !wire_get_u32(&in, &cred->groups[cred->ngroups]))
            return -ERR_PROTOCOL;
    return 0;
}
