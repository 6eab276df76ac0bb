/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flattened datatypes.
 *
 * Pieces arrive in typemap order. The newest piece is kept open as a vector of
 * one block, so that a piece that touches its end makes it longer. When a piece
 * arrives that does not touch, the open block is settled: if it continues the
 * vector before it (same length, same distance) it joins it, and two single
 * blocks of one length become a vector of two. flat_end() settles the last one.
 * Once four blocks of a vector are there, the one before the open block grows
 * in the vector's own steps, so the others are added at once.
 *
 * Possible failure modes are: no memory for the list of vectors. The flat then
 * holds what it held before and may only be dropped.
 */
#include "adio/common/flat.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FLAT_ROOM_FIRST 4
#define SINGLES 4 /* blocks of a vector pushed one by one */

int flat_create(struct flat **flat_out)
{
    struct flat *flat = mem_calloc(1, sizeof(*flat));

    if (flat == NULL)
        return -ENOMEM;
    flat->refs = 1;
    *flat_out = flat;
    return 0;
}

/* Let the open block join the vector before it, when it continues it. */
static void settle(struct flat *flat)
{
    struct flat_vec *open, *before;

    if (flat->nvecs < 2)
        return;
    open = &flat->vecs[flat->nvecs - 1];
    before = open - 1;
    if (before->length != open->length)
        return;
    if (before->count == 1)
        before->stride = open->disp - before->disp;
    else if (open->disp - before->disp !=
             before->stride * (int64_t)before->count)
        return;
    before->count++;
    flat->nvecs--;
}

static int make_room(struct flat *flat)
{
    size_t room = flat->room == 0 ? FLAT_ROOM_FIRST : 2 * flat->room;
    struct flat_vec *vecs;

    if (flat->nvecs < flat->room)
        return 0;
    vecs = mem_grow(flat->vecs, room, sizeof(*vecs));
    if (vecs == NULL)
        return -ENOMEM;
    flat->vecs = vecs;
    flat->room = room;
    return 0;
}

int flat_push(struct flat *flat, int64_t disp, uint64_t length)
{
    struct flat_vec *open;
    int rc;

    if (length == 0)
        return 0;
    if (flat->nvecs > 0 && flat->has_open) {
        open = &flat->vecs[flat->nvecs - 1];
        if (open->disp + (int64_t)open->length == disp) {
            open->length += length;
            return 0;
        }
        settle(flat);
    }
    rc = make_room(flat);
    if (rc != 0) {
        flat->has_open = false;
        return rc;
    }
    flat->vecs[flat->nvecs++] =
        (struct flat_vec){.disp = disp, .length = length, .count = 1};
    flat->has_open = true;
    return 0;
}

int flat_push_blocks(struct flat *flat, int64_t disp, uint64_t length,
                     int64_t stride, uint64_t count)
{
    uint64_t singles = count < SINGLES ? count : SINGLES;
    int rc = 0;

    if (length == 0 || count == 0)
        return 0;
    if (stride == (int64_t)length)
        return flat_push(flat, disp, length * count);
    for (uint64_t i = 0; i < singles && rc == 0; i++)
        rc = flat_push(flat, disp + (int64_t)i * stride, length);
    if (rc != 0 || count == singles)
        return rc;
    flat->vecs[flat->nvecs - 2].count += count - singles;
    flat->vecs[flat->nvecs - 1].disp += (int64_t)(count - singles) * stride;
    return 0;
}

void flat_end(struct flat *flat, int64_t lb, int64_t extent)
{
    if (flat->has_open)
        settle(flat);
    flat->has_open = false;
    flat->lb = lb;
    flat->extent = extent;
    flat->size = 0;
    for (size_t i = 0; i < flat->nvecs; i++)
        flat->size += flat->vecs[i].length * flat->vecs[i].count;
    flat->is_contiguous = flat->nvecs == 1 && flat->vecs[0].count == 1 &&
                          flat->vecs[0].disp == 0 && extent >= 0 &&
                          flat->vecs[0].length == (uint64_t)extent;
}

struct flat *flat_get(struct flat *flat)
{
    assert(flat->refs > 0);
    __atomic_add_fetch(&flat->refs, 1, __ATOMIC_RELAXED);
    return flat;
}

void flat_put(struct flat **flat_p)
{
    struct flat *flat = *flat_p;

    *flat_p = NULL;
    if (flat == NULL)
        return;
    assert(flat->refs > 0);
    if (__atomic_sub_fetch(&flat->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    free(flat->vecs);
    free(flat);
}
