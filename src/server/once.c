/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: recall finds nothing, the operation does its work, keep
 * writes (client, number) -> (status, reply body).
 *
 * Dropping old answers costs a scan, so it is done when a client's floor has
 * moved by TRIM_STEP since the last time. What was dropped last is remembered
 * for RECENT_MAX clients in a direct-mapped table; a client that lost its place
 * is trimmed once more than needed.
 */
#include "server/once.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

#define RECENT_MAX 1024
#define TRIM_STEP 16
#define STATUS_SIZE 4 /* bytes of the status before the body: 0 so far */

struct recent {
    uint64_t client;
    uint64_t floor;
};

struct srv_once {
    struct recent recent[RECENT_MAX];
};

int once_create(struct srv_once **once_out)
{
    struct srv_once *once = mem_calloc(1, sizeof(*once));

    if (once == NULL)
        return -ENOMEM;
    *once_out = once;
    return 0;
}

void once_destroy(struct srv_once **once_p)
{
    free(*once_p);
    *once_p = NULL;
}

int once_recall(struct names *names, const struct once_key *key,
                union proto_rep *rep_out)
{
    uint8_t kept[NAMES_REPLY_MAX];
    size_t len;
    int rc;

    rc = names_reply_get(names, key->client, key->number, kept, sizeof(kept),
                         &len);
    if (rc != 0)
        return rc;
    if (len < STATUS_SIZE ||
        proto_rep_decode(key->opcode, kept + STATUS_SIZE, len - STATUS_SIZE,
                         rep_out) != 0)
        return -EIO;
    return 0;
}

static int trim(struct srv_once *once, struct names *names,
                const struct once_key *key)
{
    struct recent *recent =
        &once->recent[hash_ino(key->client) % RECENT_MAX];

    if (recent->client != key->client)
        *recent = (struct recent){key->client, 0};
    if (key->floor < recent->floor + TRIM_STEP)
        return 0;
    recent->floor = key->floor;
    return names_reply_trim(names, key->client, key->floor);
}

int once_keep(struct srv_once *once, struct names *names,
              const struct once_key *key, const union proto_rep *rep)
{
    uint8_t kept[NAMES_REPLY_MAX] = {0};
    size_t len;
    int rc;

    rc = proto_rep_encode(key->opcode, rep, kept + STATUS_SIZE,
                          sizeof(kept) - STATUS_SIZE, &len);
    if (rc == 0)
        rc = names_reply_put(names, key->client, key->number, kept,
                             STATUS_SIZE + len);
    if (rc == 0)
        rc = trim(once, names, key);
    return rc;
}
