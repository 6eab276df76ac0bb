/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Views: how they are drawn, and where they say that a byte lies.
 *
 * All ranks have the same etype, as the standard wants. The filetypes are dealt
 * (tiles of one type, in turn: what a block distribution does), or all alike,
 * or each rank's own, there or in a part of the file of its own.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB (1ll << 30)

enum style { STYLE_DEALT, STYLE_ALIKE, STYLE_APART, STYLE_FREE, NSTYLES };

void conf_rng(const struct run *run, int rank, int what, struct rng *rng_out)
{
    rng_init(rng_out, rng_mix(run->seed * 1000003 + (uint64_t)run->step) +
                          rng_mix((uint64_t)(rank + 2) * 7919 +
                                  (uint64_t)what * 104729));
}

int64_t view_piece(const struct view *view, int64_t n, int64_t most,
                   int64_t *length_out)
{
    return view->disp + type_piece(view->filetype, n, most, length_out);
}

int64_t view_place(const struct view *view, int64_t n)
{
    int64_t length;

    return view_piece(view, n, 1, &length);
}

int64_t view_end(const struct view *view, int64_t size)
{
    const struct ctype *filetype = view->filetype;
    int64_t esize = (int64_t)view->etype->size, k, tile = 0;

    if (filetype->size == 0)
        return 0;
    if (filetype->extent > 0 && size > view->disp)
        tile = (size - view->disp) / filetype->extent - 2;
    if (filetype->size > 0 && filetype->bytes[0] > filetype->extent)
        tile -= filetype->bytes[0] / filetype->extent;
    k = (tile > 0 ? tile : 0) * (int64_t)filetype->size / esize;
    while (view_place(view, k * esize) < size)
        k++;
    return k;
}

void view_default(struct view *view)
{
    view->disp = 0;
    view->etype = type_basic(0);
    view->filetype = type_basic(0);
    view->signature = (struct signature){.basics = {0}, .nbasics = 1};
}

void view_fini(struct view *view)
{
    type_free(&view->etype);
    type_free(&view->filetype);
}

bool views_are_alike(const struct run *run, const struct handle *handle)
{
    const struct view *first = &handle->views[0];

    for (int r = 1; r < run->size && !handle->is_self; r++)
        if (handle->views[r].disp != first->disp ||
            strcmp(handle->views[r].filetype->text, first->filetype->text) != 0)
            return false;
    return true;
}

static struct ctype *draw_etype(struct rng *rng, struct signature *signature)
{
    struct ctype *basic, *etype;
    int n = rng_chance(rng, 75) ? 1 : 2 + (int)rng_below(rng, 2);

    signature->nbasics = n;
    for (int i = 0; i < n; i++)
        signature->basics[i] = (int)rng_below(rng, (uint64_t)type_nbasics());
    if (n == 1 && rng_chance(rng, 30))
        signature->basics[0] = 0;
    if (n > 1)
        return type_record(rng, signature, true);
    basic = type_basic(signature->basics[0]);
    if (rng_chance(rng, 75))
        return basic;
    etype = type_contiguous(basic, 1 + (int)rng_below(rng, 4));
    type_free(&basic);
    return etype;
}

static struct ctype *draw_filetype(const struct run *run, struct rng *rng,
                                   const struct ctype *etype, bool may_repeat)
{
    struct type_rules rules = {.rng = rng,
                               .leaf = etype,
                               .unit = etype->extent,
                               .depth = run->mask->depth,
                               .is_file = true};

    if (rng_chance(rng, 12))
        return type_contiguous(etype, 1);
    if (may_repeat && etype->nelements == 1 && rng_chance(rng, 40))
        return type_repeats(rng, etype);
    return type_random(&rules);
}

/* Tile by tile, or block by block, gibibytes apart. Takes old. */
static struct ctype *make_far(const struct run *run, struct rng *rng,
                              struct ctype *old, int64_t unit)
{
    int64_t far = (2 * GIB + (int64_t)rng_below(rng, 3 * GIB)) / unit * unit;
    struct ctype *type;

    if (!rng_chance(rng, 6) || run->mask->depth < 2)
        return old;
    if (rng_chance(rng, 50))
        type = type_resized(old, old->lb, far);
    else
        type = type_pair(old, far);
    type_free(&old);
    return type;
}

/* A column: the next tile begins one etype on, and so is the next column. */
static struct ctype *make_column(struct rng *rng, const struct ctype *etype)
{
    int rows = 2 + (int)rng_below(rng, 3), width = 3 + (int)rng_below(rng, 60);
    struct ctype *column = type_column(etype, rows, width), *type;

    type = type_resized(column, 0, etype->extent);
    type_free(&column);
    return type;
}

static int64_t draw_disp(struct rng *rng)
{
    if (rng_chance(rng, 4))
        return 2 * GIB * (1 + (int64_t)rng_below(rng, 3)) - 500 +
               (int64_t)rng_below(rng, 1000);
    if (rng_chance(rng, 10))
        return (int64_t)rng_below(rng, 3 << 20);
    return (int64_t)rng_below(rng, rng_chance(rng, 30) ? 1 : 300);
}

/* Tile r, r + n, r + 2n, ... of a type, for rank r. */
static void deal(struct view *view, struct ctype *tile, int rank, int size)
{
    view->disp += rank * tile->extent;
    view->filetype = type_resized(tile, tile->lb, size * tile->extent);
}

static struct ctype *copy_etype(struct rng rng, struct signature *signature)
{
    return draw_etype(&rng, signature);
}

/* The view of one rank. Only the style and the etype are the same for all. */
static void draw_view(const struct run *run, const struct handle *handle,
                      int rank, struct view *view)
{
    bool may_repeat =
        run->settings->has_repeats && (handle->amode & MPI_MODE_RDONLY) != 0;
    struct rng common, own;
    enum style style;
    struct ctype *tile;
    bool is_own;

    conf_rng(run, -1, 'v', &common);
    conf_rng(run, rank, 'v', &own);
    style = (enum style)rng_below(&common, NSTYLES);
    is_own = style == STYLE_FREE || style == STYLE_APART;
    view->is_interlaced = false;
    view->etype = copy_etype(common, &view->signature);
    conf_rng(run, -1, 'w', &common);
    view->disp = draw_disp(is_own ? &own : &common);
    if (style == STYLE_APART)
        view->disp += rank * 20000;
    tile = draw_filetype(run, is_own ? &own : &common, view->etype, may_repeat);
    if (style == STYLE_DEALT && tile->size > 0) {
        deal(view, tile, rank, run->size);
        type_free(&tile);
        return;
    }
    if (run->settings->has_interlaced && rng_chance(&common, 25)) {
        type_free(&tile);
        tile = make_column(is_own ? &own : &common, view->etype);
    }
    view->is_interlaced = type_interlaces(tile);
    view->filetype =
        view->is_interlaced
            ? tile
            : make_far(run, is_own ? &own : &common, tile, view->etype->extent);
}

static int set_view(struct run *run, struct handle *handle,
                    const struct view *view)
{
    struct rng rng;
    MPI_Info info = MPI_INFO_NULL;
    int rc;

    conf_rng(run, -1, 'h', &rng);
    if (rng_chance(&rng, 30))
        info = random_hints(run, &rng);
    rc = MPI_File_set_view(handle->file, view->disp, view->etype->mpi,
                           view->filetype->mpi, "native", info);
    if (info != MPI_INFO_NULL)
        MPI_Info_free(&info);
    return rc;
}

void step_view(struct run *run, struct handle *handle)
{
    struct view views[RANKS_MAX];

    snprintf(run->op, sizeof(run->op), "set_view");
    conf_where(run);
    for (int r = 0; r < run->size; r++) {
        draw_view(run, handle, r, &views[r]);
        conf_tell(run,
                  "  rank %d: set_view(disp %lld, etype %s, filetype %s)\n", r,
                  (long long)views[r].disp, views[r].etype->text,
                  views[r].filetype->text);
    }
    conf_ok(run, set_view(run, handle, &views[run->rank]), "set_view");
    if (!conf_agree(run)) {
        for (int r = 0; r < run->size; r++)
            view_fini(&views[r]);
        return;
    }
    for (int r = 0; r < run->size; r++) {
        view_fini(&handle->views[r]);
        handle->views[r] = views[r];
        handle->pointer[r] = handle->shared[r] = 0;
    }
}

void step_get_view(struct run *run, struct handle *handle)
{
    const struct view *view = &handle->views[run->rank];
    MPI_Datatype types[2];
    MPI_Offset disp = -1;
    char datarep[MPI_MAX_DATAREP_STRING] = "";
    int numbers[3];

    snprintf(run->op, sizeof(run->op), "get_view");
    conf_where(run);
    if (conf_ok(run,
                MPI_File_get_view(handle->file, &disp, &types[0], &types[1],
                                  datarep),
                "get_view")) {
        if (disp != view->disp || strcmp(datarep, "native") != 0)
            conf_fault(run, FAULT_VIEW, "disp %lld, not %lld; datarep \"%s\"",
                       (long long)disp, (long long)view->disp, datarep);
        for (int i = 0; i < 2; i++) {
            const struct ctype *want = i == 0 ? view->etype : view->filetype;
            MPI_Aint lb, extent;

            MPI_Type_get_extent(types[i], &lb, &extent);
            if (lb != want->lb || extent != want->extent)
                conf_fault(run, FAULT_VIEW, "%s of lb %lld, extent %lld",
                           i == 0 ? "etype" : "filetype", (long long)lb,
                           (long long)extent);
            MPI_Type_get_envelope(types[i], &numbers[0], &numbers[1],
                                  &numbers[2], &numbers[0]);
            if (numbers[0] != MPI_COMBINER_NAMED)
                MPI_Type_free(&types[i]);
        }
    }
    conf_agree(run);
}

void step_byte_offset(struct run *run, struct handle *handle)
{
    const struct view *view = &handle->views[run->rank];
    int64_t at, esize = (int64_t)view->etype->size;
    MPI_Offset place = -1;
    struct rng rng;

    snprintf(run->op, sizeof(run->op), "get_byte_offset");
    conf_where(run);
    conf_rng(run, run->rank, 'o', &rng);
    at = (int64_t)rng_below(&rng, rng_chance(&rng, 10) ? 1 << 20 : 2000);
    if (view->filetype->size > 0 &&
        conf_ok(run, MPI_File_get_byte_offset(handle->file, at, &place),
                "get_byte_offset") &&
        place != view_place(view, at * esize))
        conf_fault(run, FAULT_POINTER, "byte offset of %lld: %lld, not %lld",
                   (long long)at, (long long)place,
                   (long long)view_place(view, at * esize));
    conf_agree(run);
}
