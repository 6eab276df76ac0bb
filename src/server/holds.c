/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: one record for each file and client, in a chain by the file's
 * hash. The reaper's question drops what has run out on its way.
 */
#include "server/holds.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

#define CHAINS 1024u

struct hold {
    struct hold *next;
    uint64_t ino;
    uint64_t client;
    uint64_t until_ns;
};

struct holds {
    uint64_t grace_ns; /* until then everything is taken for held */
    bool has_lost;     /* one that there was no room for */
    unsigned count;
    struct hold *chains[CHAINS];
};

int holds_create(uint64_t now, struct holds **holds_out)
{
    struct holds *holds = mem_calloc(1, sizeof(*holds));

    if (holds == NULL)
        return -ENOMEM;
    holds->grace_ns = now + HOLD_LEASE_NS;
    *holds_out = holds;
    return 0;
}

static struct hold **chain_of(struct holds *holds, uint64_t ino)
{
    return &holds->chains[hash_ino(ino) % CHAINS];
}

static void forget(struct holds *holds, struct hold **at)
{
    struct hold *hold = *at;

    *at = hold->next;
    free(hold);
    holds->count--;
}

void holds_destroy(struct holds **holds_p)
{
    struct holds *holds = *holds_p;

    if (holds == NULL)
        return;
    for (unsigned i = 0; i < CHAINS; i++)
        while (holds->chains[i] != NULL)
            forget(holds, &holds->chains[i]);
    free(holds);
    *holds_p = NULL;
}

void holds_add(struct holds *holds, uint64_t ino, uint64_t client, uint64_t now)
{
    struct hold **chain = chain_of(holds, ino);
    struct hold *hold;

    for (hold = *chain; hold != NULL; hold = hold->next)
        if (hold->ino == ino && hold->client == client)
            break;
    if (hold == NULL) {
        hold = holds->count < HOLDS_MAX ? mem_calloc(1, sizeof(*hold)) : NULL;
        if (hold == NULL) {
            holds->has_lost = true;
            return;
        }
        *hold = (struct hold){.next = *chain, .ino = ino, .client = client};
        *chain = hold;
        holds->count++;
    }
    hold->until_ns = now + HOLD_LEASE_NS;
}

void holds_drop(struct holds *holds, uint64_t ino, uint64_t client)
{
    struct hold **at = chain_of(holds, ino);

    while (*at != NULL) {
        if ((*at)->ino == ino && (*at)->client == client)
            forget(holds, at);
        else
            at = &(*at)->next;
    }
}

void holds_settle(struct holds *holds)
{
    if (!holds->has_lost)
        holds->grace_ns = 0;
}

bool holds_has(struct holds *holds, uint64_t ino, uint64_t now)
{
    struct hold **at = chain_of(holds, ino);
    bool has = now < holds->grace_ns;

    while (*at != NULL) {
        if ((*at)->until_ns <= now) {
            forget(holds, at);
            continue;
        }
        has = has || (*at)->ino == ino;
        at = &(*at)->next;
    }
    return has;
}
