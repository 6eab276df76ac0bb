/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: a change is added to the end of a list when it is made, and
 * is applied to the durable image and freed when its object is synced.
 *
 * A loss of power gives each change one of three fates: it is there, it is not,
 * or a write is there in some of its sectors. A change is freed only after it
 * was applied, so want of memory loses none.
 */
#include "store/journal_mem.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <string.h>

#define SECTOR 512u

void journal_init(struct journal *journal)
{
    journal->head = NULL;
    journal->end = &journal->head;
    journal->bytes = 0;
}

/* Free the change that *link points to. */
static void drop(struct journal *journal, struct change **link)
{
    struct change *change = *link;

    *link = change->next;
    if (*link == NULL)
        journal->end = link;
    journal->bytes -= sizeof(*change) + change->length;
    free(change);
}

void journal_fini(struct journal *journal)
{
    while (journal->head != NULL)
        drop(journal, &journal->head);
}

static int apply(const struct change *change, struct image *durable)
{
    switch (change->kind) {
    case CHANGE_WRITE:
        return image_write(durable, change->ino, change->offset, change->bytes,
                           change->length);
    case CHANGE_TRUNCATE:
        return image_truncate(durable, change->ino, change->offset);
    case CHANGE_DESTROY:
        image_destroy(durable, change->ino);
        break;
    }
    return 0;
}

int journal_add(struct journal *journal, struct image *durable,
                enum change_kind kind, uint64_t ino, uint64_t offset,
                const void *bytes, size_t length)
{
    struct change *change;

    while (journal->bytes > JOURNAL_BYTES_MAX) {
        if (apply(journal->head, durable) != 0)
            return -ENOMEM;
        drop(journal, &journal->head);
    }
    change = mem_calloc(1, sizeof(*change) + length);
    if (change == NULL)
        return -ENOMEM;
    change->kind = kind;
    change->ino = ino;
    change->offset = offset;
    change->length = length;
    if (length > 0)
        memcpy(change->bytes, bytes, length);
    *journal->end = change;
    journal->end = &change->next;
    journal->bytes += sizeof(*change) + length;
    return 0;
}

int journal_settle(struct journal *journal, struct image *durable, uint64_t ino)
{
    struct change **link = &journal->head;

    while (*link != NULL) {
        if ((*link)->ino != ino) {
            link = &(*link)->next;
            continue;
        }
        if (apply(*link, durable) != 0)
            return -ENOMEM;
        drop(journal, link);
    }
    return 0;
}

/* Write some of the sectors. */
static int apply_torn(const struct change *change, struct image *durable,
                      struct rng *rng)
{
    size_t part;
    int rc;

    for (size_t done = 0; done < change->length; done += part) {
        uint64_t at = change->offset + done;

        part = SECTOR - at % SECTOR;
        if (part > change->length - done)
            part = change->length - done;
        if (rng_chance(rng, 50))
            continue;
        rc = image_write(durable, change->ino, at, change->bytes + done, part);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int journal_power_loss(struct journal *journal, struct image *durable,
                       uint64_t seed)
{
    struct rng rng;
    int rc = 0;

    rng_init(&rng, seed);
    for (; rc == 0 && journal->head != NULL; drop(journal, &journal->head)) {
        if (rng_chance(&rng, 40))
            continue;
        if (journal->head->kind == CHANGE_WRITE && rng_chance(&rng, 30))
            rc = apply_torn(journal->head, durable, &rng);
        else
            rc = apply(journal->head, durable);
    }
    return rc;
}
