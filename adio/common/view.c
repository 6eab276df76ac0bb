/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File views: from a view offset to a place in the file.
 *
 * A view is the filetype laid tile after tile from disp on (MPI-3.1, 13.3).
 * `starts` holds the data bytes of a tile before each of its vectors, so that
 * a place is found by one division and one binary search, however long the
 * filetype is.
 *
 * Possible failure modes are:
 * - the filetype is not one the standard allows: refused when the view is made;
 * - tiles interlace (a filetype resized to less than it spans): allowed, and
 *   view_runs() sorts. The end of the file has no one place in such a view;
 *   view_bytes_below() counts as if the tiles stood apart.
 */
#include "adio/common/view.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

static int64_t vec_last(const struct flat_vec *vec)
{
    return vec->disp + (int64_t)(vec->count - 1) * vec->stride;
}

/* Displacements of a filetype are not negative and never go back. */
static bool is_monotonic(const struct flat *type)
{
    int64_t before = 0;

    for (size_t i = 0; i < type->nvecs; i++) {
        const struct flat_vec *vec = &type->vecs[i];

        if (vec->disp < before || vec->stride < 0)
            return false;
        before = vec_last(vec);
    }
    return type->extent >= 0;
}

static bool interlaces(const struct flat *type)
{
    const struct flat_vec *last;
    int64_t span;

    if (type->nvecs == 0)
        return false;
    last = &type->vecs[type->nvecs - 1];
    span = vec_last(last) + (int64_t)last->length - type->vecs[0].disp;
    return span > type->extent;
}

int view_create(uint64_t disp, uint64_t etype_size, struct flat *filetype,
                struct adio_view **view_out)
{
    struct adio_view *view;

    if (etype_size == 0 || filetype->size % etype_size != 0 ||
        disp > INT64_MAX || !is_monotonic(filetype))
        return -EINVAL;
    view = mem_calloc(1, sizeof(*view));
    if (view == NULL)
        return -ENOMEM;
    view->starts = mem_calloc(filetype->nvecs + 1, sizeof(*view->starts));
    if (view->starts == NULL)
        goto err_view;
    for (size_t i = 0; i < filetype->nvecs; i++)
        view->starts[i + 1] = view->starts[i] + filetype->vecs[i].length *
                                                    filetype->vecs[i].count;
    view->disp = disp;
    view->etype_size = etype_size;
    view->filetype = flat_get(filetype);
    view->is_interlaced = interlaces(filetype);
    *view_out = view;
    return 0;

err_view:
    free(view);
    return -ENOMEM;
}

int view_create_bytes(struct adio_view **view_out)
{
    struct flat *byte;
    int rc = flat_create(&byte);

    if (rc != 0)
        return rc;
    rc = flat_push(byte, 0, 1);
    flat_end(byte, 0, 1);
    if (rc == 0)
        rc = view_create(0, 1, byte, view_out);
    flat_put(&byte);
    return rc;
}

void view_destroy(struct adio_view **view_p)
{
    struct adio_view *view = *view_p;

    *view_p = NULL;
    if (view == NULL)
        return;
    flat_put(&view->filetype);
    free(view->starts);
    free(view);
}

size_t view_find_vec(const struct adio_view *view, uint64_t at_in_tile)
{
    size_t low = 0, high = view->filetype->nvecs;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (view->starts[middle] <= at_in_tile)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint64_t view_file_offset(const struct adio_view *view, uint64_t at)
{
    const struct flat *type = view->filetype;
    const struct flat_vec *vec;
    uint64_t tile, in_vec;
    size_t v;

    if (type->size == 0)
        return view->disp;
    tile = at / type->size;
    v = view_find_vec(view, at % type->size);
    vec = &type->vecs[v];
    in_vec = at % type->size - view->starts[v];
    return view->disp + tile * (uint64_t)type->extent + (uint64_t)vec->disp +
           in_vec / vec->length * (uint64_t)vec->stride + in_vec % vec->length;
}

/* Data bytes of a vector below a place in its tile. */
static uint64_t vec_below(const struct flat_vec *vec, int64_t place)
{
    uint64_t rest, block;

    if (place <= vec->disp)
        return 0;
    rest = (uint64_t)(place - vec->disp);
    if (vec->count == 1 || vec->stride == 0)
        return rest < vec->length ? rest : vec->length * vec->count;
    block = rest / (uint64_t)vec->stride;
    if (block >= vec->count)
        return vec->length * vec->count;
    rest %= (uint64_t)vec->stride;
    return block * vec->length + (rest < vec->length ? rest : vec->length);
}

uint64_t view_bytes_below(const struct adio_view *view, uint64_t file_offset)
{
    const struct flat *type = view->filetype;
    uint64_t rest, tile, below = 0;
    int64_t first;

    if (type->size == 0)
        return 0;
    first = type->vecs[0].disp;
    if (file_offset <= view->disp + (uint64_t)first)
        return 0;
    rest = file_offset - view->disp - (uint64_t)first;
    tile = type->extent > 0 ? rest / (uint64_t)type->extent : 0;
    rest -= tile * (uint64_t)type->extent;
    for (size_t i = 0; i < type->nvecs; i++)
        below += vec_below(&type->vecs[i], (int64_t)rest + first);
    return tile * type->size + below;
}
