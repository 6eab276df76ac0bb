/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers kept for retried requests, by client and request id.
 *
 * The happy path: put() in the transaction of the effect; get() when a request
 * comes that may be a retry; trim() when the client says up to where it has
 * its answers.
 *
 * trim() collects a bounded number of keys, deletes them, and goes round again
 * until none is below the floor: the visitor of kv_each() must not write. It
 * begins where it ended the last time: the store steps over every key that was
 * deleted before until it has got rid of them, which may be thousands.
 */
#include "meta/names_private.h"

#include "base/hash.h"

#include <errno.h>

#define TRIM_AT_ONCE 64

int names_reply_put(struct names *names, uint64_t client, uint64_t request,
                    const void *reply, size_t len)
{
    struct names_key key = names_key_numbers(NAMES_REPLY, client, request);

    if (len > NAMES_REPLY_MAX)
        return -EINVAL;
    return names_put(names, &key, reply, len);
}

int names_reply_get(struct names *names, uint64_t client, uint64_t request,
                    void *reply, size_t room, size_t *len_out)
{
    struct names_key key = names_key_numbers(NAMES_REPLY, client, request);

    return kv_get(names->kv, key.bytes, key.len, reply, room, len_out);
}

struct trim {
    struct names *names;
    uint64_t floor;
    uint64_t requests[TRIM_AT_ONCE];
    unsigned n;
    int rc;
};

static bool collect(void *ctx, const void *key, size_t key_len,
                    const void *value, size_t value_len)
{
    struct trim *trim = ctx;
    uint64_t request;

    if (key_len != 1 + 8 + 8) {
        trim->rc = names_damaged(trim->names, key, key_len);
        return false;
    }
    request = names_key_number_at(key, 9);
    if (request >= trim->floor)
        return false;
    trim->requests[trim->n++] = request;
    return trim->n < TRIM_AT_ONCE;
}

static int trim_some(struct trim *trim, uint64_t client, uint64_t from)
{
    struct names_key prefix = names_key_number(NAMES_REPLY, client);
    struct names_key first = names_key_numbers(NAMES_REPLY, client, from);
    int rc;

    trim->n = 0;
    rc = kv_each(trim->names->kv, first.bytes, first.len, prefix.bytes,
                 prefix.len, collect, trim);
    if (rc == 0)
        rc = trim->rc;
    for (unsigned i = 0; rc == 0 && i < trim->n; i++) {
        struct names_key key =
            names_key_numbers(NAMES_REPLY, client, trim->requests[i]);

        rc = names_del(trim->names, &key);
    }
    return rc;
}

int names_reply_trim(struct names *names, uint64_t client, uint64_t floor)
{
    struct trim trim = {.names = names, .floor = floor};
    struct names_trimmed *last =
        &names->trimmed[hash_ino(client) % NAMES_TRIMMED];
    uint64_t from = last->client == client ? last->floor : 0;
    int rc;

    do
        rc = trim_some(&trim, client, from);
    while (rc == 0 && trim.n == TRIM_AT_ONCE);
    if (rc == 0)
        *last = (struct names_trimmed){client, floor};
    return rc;
}
