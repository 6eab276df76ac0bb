/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plan one read or write of every rank: which call, where, with what memory.
 *
 * Writes of a step are disjoint: a rank whose bytes are somebody else's already
 * is moved, and when that does not help it writes nothing. Reads may overlap,
 * begin and end beyond the end of the file, and move nothing at all.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAR_TILE (1 << 20)    /* a tile so large is written a few times only */
#define FILE_MAX (48ll << 30) /* what any file system here can hold, sparse */
#define SPAN_MAX (8 << 20)    /* of a memory buffer */

unsigned char *access_data(const struct access *access)
{
    unsigned char *data = must_alloc((size_t)access->bytes + 8);

    for (int64_t i = 0; i < access->bytes; i += 8) {
        uint64_t word = rng_mix(access->seed + (uint64_t)i / 8);

        memcpy(data + i, &word, 8);
    }
    return data;
}

static int64_t gcd(int64_t a, int64_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

/* What the call is: the same on all ranks. */
static void draw_call(struct run *run, struct handle *handle, struct plan *plan)
{
    struct rng rng;
    uint64_t place;

    conf_rng(run, -1, 'c', &rng);
    *plan = (struct plan){.handle = handle, .nrequests = 1};
    plan->is_write = rng_chance(&rng, 50);
    if ((handle->amode & MPI_MODE_RDONLY) != 0)
        plan->is_write = false;
    else if ((handle->amode & MPI_MODE_WRONLY) != 0)
        plan->is_write = true;
    plan->is_collective = rng_chance(&rng, 55);
    place = rng_below(&rng, 100);
    plan->place = place < 45 ? PLACE_AT : PLACE_POINTER;
    if (place > 88 && run->settings->has_shared && views_are_alike(run, handle))
        plan->place = PLACE_SHARED;
    if (rng_chance(&rng, 40))
        plan->form =
            run->settings->is_blocking ? FORM_BLOCKING : FORM_NONBLOCKING;
    else if (plan->is_collective && rng_chance(&rng, 30))
        plan->form = FORM_SPLIT;
    if (plan->place == PLACE_SHARED && plan->is_collective &&
        plan->form == FORM_NONBLOCKING)
        plan->form = FORM_SPLIT;
    if (plan->form == FORM_NONBLOCKING)
        plan->nrequests = 1 + (int)rng_below(&rng, REQUESTS_MAX);
}

/* --- memory
 * -----------------------------------------------------------------*/

static struct ctype *
draw_leaf(struct rng *rng, const struct signature *signature, int64_t *unit_out)
{
    int basic = signature->basics[0];

    *unit_out = 8;
    if (signature->nbasics > 1)
        return type_record(rng, signature, false);
    if (basic == 0 && rng_chance(rng, 50)) /* BYTE goes with everything */
        basic = (int)rng_below(rng, (uint64_t)type_nbasics());
    struct ctype *leaf = type_basic(basic);
    *unit_out = leaf->extent;
    return leaf;
}

/* How many bytes a call should move, about. */
static int64_t draw_bytes(struct rng *rng)
{
    uint64_t kind = rng_below(rng, 100);

    if (kind < 45)
        return 1 + (int64_t)rng_below(rng, 200);
    if (kind < 80)
        return 1 + (int64_t)rng_below(rng, 4000);
    if (kind < 97)
        return 1 + (int64_t)rng_below(rng, 60000);
    return 1 + (int64_t)rng_below(rng, 400000);
}

/* A number of instances that are whole etypes. */
static int draw_count(const struct run *run, struct rng *rng,
                      const struct view *view, const struct ctype *type)
{
    int64_t size = (int64_t)type->size, esize = (int64_t)view->etype->size;
    int64_t step, count, most = draw_bytes(rng);

    if (rng_chance(rng, 8))
        return 0;
    if (size == 0)
        return (int)rng_below(rng, 5);
    if (view->filetype->size == 0)
        return 0;
    if (view->filetype->extent > FAR_TILE &&
        most > 40 * (int64_t)view->filetype->size)
        most = 40 * (int64_t)view->filetype->size;
    if (type->extent != 0 && most / size > SPAN_MAX / llabs(type->extent))
        most = SPAN_MAX / llabs(type->extent) * size;
    step = esize / gcd(esize, size);
    count = most / size / step * step;
    if (count > (int64_t)run->mask->count_max * step)
        count = (int64_t)run->mask->count_max * step;
    return (int)(count > 0 || most > 40000 ? count : step);
}

static void draw_memory(const struct run *run, struct rng *rng,
                        const struct view *view, struct access *access)
{
    struct type_rules rules = {.rng = rng, .depth = run->mask->depth};
    struct ctype *leaf = draw_leaf(rng, &view->signature, &rules.unit);

    rules.leaf = leaf;
    access->type =
        rng_chance(rng, 20) ? type_contiguous(leaf, 1) : type_random(&rules);
    access->count = draw_count(run, rng, view, access->type);
    if (!type_is_disjoint(access->type, access->count)) {
        type_free(&access->type);
        access->type = type_contiguous(leaf, 1);
        access->count = draw_count(run, rng, view, access->type);
    }
    access->bytes = access->count * (int64_t)access->type->size;
    type_free(&leaf);
}

/* --- place
 * ------------------------------------------------------------------*/

/* Where a view crosses 2 or 4 GiB, about. */
static int64_t far_offset(struct rng *rng, const struct view *view)
{
    int64_t place = (2ll << 30) * (1 + (int64_t)rng_below(rng, 2));
    int64_t tile = (place - view->disp) / view->filetype->extent;

    if (tile < 1)
        return 0;
    return (tile - 1) * (int64_t)view->filetype->size /
           (int64_t)view->etype->size;
}

static int64_t draw_offset(const struct run *run, struct rng *rng,
                           const struct view *view, bool is_write)
{
    int64_t esize = (int64_t)view->etype->size;
    int64_t at = (int64_t)rng_below(rng, (uint64_t)(3000 / esize + 1));
    uint64_t kind = rng_below(rng, 100);

    if (view->filetype->size == 0)
        return at;
    if (kind < 4)
        return at + far_offset(rng, view);
    if (kind < 30 && !is_write) {
        at = view_end(view, run->image.size) - (int64_t)rng_below(rng, 60) + 10;
        return at < 0 ? 0 : at;
    }
    return kind < 50 ? at / 50 : at;
}

/* May the access write there? A write that may takes its bytes. */
static bool claim(struct image *claims, const struct view *view,
                  const struct access *access)
{
    int64_t from = access->at * (int64_t)view->etype->size, length, at;

    if (access->bytes == 0)
        return true;
    if (view_place(view, from + access->bytes - 1) >= FILE_MAX)
        return false;
    for (int64_t i = 0; i < access->bytes; i += length) {
        at = view_piece(view, from + i, access->bytes - i, &length);
        if (!image_is_blank(claims, at, length))
            return false;
    }
    for (int64_t i = 0; i < access->bytes; i += length) {
        at = view_piece(view, from + i, access->bytes - i, &length);
        if (!image_is_blank(claims, at, length))
            return false; /* tiles that interlace show a byte twice */
        image_mark(claims, at, length);
    }
    return true;
}

static void move_nothing(struct access *access)
{
    access->count = 0;
    access->bytes = 0;
}

/* Find bytes for a write that nobody else writes. */
static void place_write(struct image *claims, const struct view *view, int rank,
                        bool is_movable, struct access *access)
{
    int64_t first = access->at;

    for (int attempt = 0; attempt < 4; attempt++) {
        if (claim(claims, view, access))
            return;
        if (!is_movable)
            break;
        access->at = first + (rank + 1) * (attempt + 1) *
                                 (access->bytes / (int64_t)view->etype->size);
    }
    access->at = first;
    move_nothing(access);
}

/* Where an access begins, and where its pointer is after it. */
static void place_access(const struct run *run, const struct plan *plan,
                         int rank, struct rng *rng, struct image *claims,
                         int64_t *pointer, struct access *access)
{
    const struct view *view = &plan->handle->views[rank];
    bool is_movable;

    access->seeks = plan->place == PLACE_POINTER && rng_chance(rng, 60);
    is_movable = plan->place == PLACE_AT || access->seeks;
    access->at =
        is_movable ? draw_offset(run, rng, view, plan->is_write) : *pointer;
    if (plan->is_write)
        place_write(claims, view, rank, is_movable, access);
    else if (access->bytes > 0 && access->at > INT64_MAX / (1 << 24))
        move_nothing(access);
    if (plan->place != PLACE_AT)
        *pointer = access->at + access->bytes / (int64_t)view->etype->size;
}

static void draw_access(struct run *run, struct plan *plan, int request,
                        int rank, struct image *claims, int64_t *pointer)
{
    struct access *access = &plan->accesses[request][rank];
    const struct view *view = &plan->handle->views[rank];
    struct rng rng;

    conf_rng(run, rank, 'x' + request, &rng);
    access->seed = rng_next(&rng);
    access->is_idle = !plan->is_collective && rng_chance(&rng, 25);
    draw_memory(run, &rng, view, access);
    if ((run->mask->quiet[run->step] >> rank & 1) != 0) {
        access->is_idle = !plan->is_collective;
        move_nothing(access);
    }
    if (!access->is_idle)
        place_access(run, plan, rank, &rng, claims, pointer, access);
}

/* Pointers move as the plan goes; the handle's own stay as they are. */
static void draw_accesses(struct run *run, struct plan *plan, int64_t *pointers)
{
    const struct handle *handle = plan->handle;
    bool is_one = plan->place == PLACE_SHARED && !handle->is_self;
    struct image *claims = must_alloc(sizeof(*claims));

    for (int r = 0; r < run->size; r++)
        pointers[r] = plan->place == PLACE_SHARED ? handle->shared[r]
                                                  : handle->pointer[r];
    /* By the shared pointer a rank does all of its requests in its turn. */
    for (int r = 0; r < run->size; r++)
        for (int q = 0; q < plan->nrequests; q++)
            draw_access(run, plan, q, r, claims, &pointers[is_one ? 0 : r]);
    image_clear(claims);
    free(claims);
}

static void tell_plan(struct run *run, const struct plan *plan)
{
    for (int r = 0; r < run->size; r++)
        for (int q = 0; q < plan->nrequests; q++) {
            const struct access *access = &plan->accesses[q][r];

            if (!access->is_idle)
                conf_tell(run, "  rank %d: %s(at %lld%s, %d of %s): %lld B\n",
                          r, run->op, (long long)access->at,
                          access->seeks ? " by seek" : "", access->count,
                          access->type->text, (long long)access->bytes);
        }
}

/* What a write leaves in the file. */
static void apply_write(struct run *run, const struct view *view,
                        const struct access *access)
{
    int64_t from = access->at * (int64_t)view->etype->size, length, at;
    unsigned char *data = access_data(access);

    for (int64_t i = 0; i < access->bytes; i += length) {
        at = view_piece(view, from + i, access->bytes - i, &length);
        image_put(&run->image, at, data + i, length);
    }
    free(data);
}

/* It happened: so the file and the pointers change. */
static void apply(struct run *run, const struct plan *plan,
                  const int64_t *pointers)
{
    struct handle *handle = plan->handle;

    for (int r = 0; r < run->size && plan->place != PLACE_AT; r++)
        if (plan->place == PLACE_SHARED)
            handle->shared[r] = pointers[r];
        else
            handle->pointer[r] = pointers[r];
    if (!plan->is_write)
        return;
    run->is_dirty = true;
    for (int r = 0; r < run->size; r++)
        for (int q = 0; q < plan->nrequests; q++)
            if (!plan->accesses[q][r].is_idle)
                apply_write(run, &handle->views[r], &plan->accesses[q][r]);
}

void step_access(struct run *run, struct handle *handle)
{
    struct plan plan;
    int64_t pointers[RANKS_MAX];

    draw_call(run, handle, &plan);
    call_name(&plan, run->op, sizeof(run->op));
    conf_where(run);
    draw_accesses(run, &plan, pointers);
    tell_plan(run, &plan);
    transfer(run, &plan);
    if (run->verdict.nunsupported == 0 && plan.place != PLACE_SHARED)
        check_pointer(run, handle,
                      plan.place == PLACE_POINTER ? pointers[run->rank]
                                                  : handle->pointer[run->rank]);
    if (conf_agree(run))
        apply(run, &plan, pointers);
    for (int r = 0; r < run->size; r++)
        for (int q = 0; q < plan.nrequests; q++)
            type_free(&plan.accesses[q][r].type);
}
