/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stream, packed: all ranks read the same pieces of a file, and what goes
 * through the ring is these laid end to end. A position means the same bytes on
 * every rank, wherever each wants them in its memory.
 *
 * Steps come mostly in order, so each use of the list keeps its place in it and
 * goes on from there; a step that is read once more, for another rank failed,
 * is looked for from the start.
 *
 * Possible failure modes: no memory for the pieces of a step.
 */
#include "adio/common/coll_stream.h"

#include <string.h>

/* Move on by bytes that do not reach beyond a run. */
static void advance(const struct coll_list *mine, struct packed_place *place,
                    uint64_t bytes)
{
    place->at += bytes;
    place->cursor.done += bytes;
    if (place->cursor.done < run_bytes(&mine->runs[place->cursor.run]))
        return;
    place->cursor.run++;
    place->cursor.done = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void seek(const struct coll_list *mine, struct packed_place *place,
                 uint64_t position)
{
    if (place->at > position)
        *place = (struct packed_place){0};
    while (place->at < position) {
        uint64_t left =
            run_bytes(&mine->runs[place->cursor.run]) - place->cursor.done;

        advance(mine, place, least(left, position - place->at));
    }
}

int coll_packed_list(const struct coll_list *mine, struct packed_place *place,
                     uint64_t lo, uint64_t hi, char *data,
                     struct coll_list *out)
{
    uint64_t mem = (uint64_t)(uintptr_t)data;
    int rc;

    seek(mine, place, lo);
    out->n = 0;
    rc = coll_take(mine->runs, mine->n, &place->cursor, hi - lo, out);
    if (rc != 0) {
        *place = (struct packed_place){0};
        return rc;
    }
    place->at = hi;
    for (size_t i = 0; i < out->n; i++) {
        struct run *run = &out->runs[i];

        run->mem = mem;
        run->mem_stride = (int64_t)run->length;
        mem += run_bytes(run);
    }
    return 0;
}

uint64_t coll_packed_copy(const struct coll_list *mine,
                          struct packed_place *place, uint64_t lo, uint64_t hi,
                          const char *data)
{
    seek(mine, place, lo);
    while (place->at < hi) {
        const struct run *run = &mine->runs[place->cursor.run];
        uint64_t block = place->cursor.done / run->length;
        uint64_t within = place->cursor.done % run->length;
        uint64_t bytes = least(run->length - within, hi - place->at);
        int64_t disp = (int64_t)block * run->mem_stride;

        memcpy((char *)(uintptr_t)(run->mem + (uint64_t)disp + within),
               data + (place->at - lo), bytes);
        advance(mine, place, bytes);
    }
    return hi > lo ? hi - lo : 0;
}
