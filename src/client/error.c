/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/cli.h"

/* Our own codes and the errno that says nearly the same. */
static const struct {
    int code;
    int plain;
} plain[] = {
    {ERR_VERSION, EPROTO}, {ERR_SESSION, ESTALE},  {ERR_BUSY, EBUSY},
    {ERR_CORRUPT, EIO},    {ERR_PROTOCOL, EPROTO}, {ERR_CLUSTER, EPROTO},
    {ERR_FROZEN, EBUSY},   {ERR_LINK, ECONNRESET}, {ERR_GONE, ESTALE},
};

const char *capstan_strerror(int code)
{
    return err_text(code);
}

int capstan_errno(int code)
{
    size_t i;

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (plain[i].code == -code)
            return plain[i].plain;
    return code < 0 ? -code : code;
}
