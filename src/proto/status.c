/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/status.h"

uint32_t proto_status_of(int code)
{
    switch (-code) {
#define X(number, name, code_value)                                            \
    case code_value:                                                           \
        return number;
        PROTO_STATUS_TABLE(X)
#undef X
    default:
        return PROTO_STATUS_IO;
    }
}

int proto_status_code(uint32_t status)
{
    switch (status) {
#define X(number, name, code_value)                                            \
    case number:                                                               \
        return -(code_value);
        PROTO_STATUS_TABLE(X)
#undef X
    default:
        return -EIO;
    }
}
