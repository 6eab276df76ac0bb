/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split cuts each run at the borders between owners: pieces in file order,
 * then sorted by owner, then melted together again, so that an owner of every
 * fourth stripe is sent one vector and not a list of stripes.
 *
 * Possible failure modes: no memory.
 */
#include "adio/common/coll_realm.h"

#include "base/mem.h"

#include <errno.h>

struct piece {
    uint32_t owner;
    struct run run;
};

struct pieces {
    struct piece *all;
    size_t n;
    size_t room;
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static void lay_stripes(struct coll_realm *realm, uint32_t owners,
                        uint64_t stripe_size, uint32_t width)
{
    realm->unit = stripe_size;
    realm->width = width;
    realm->owners = owners <= width ? owners : owners / width * width;
}

static void lay_even(struct coll_realm *realm, uint64_t begin, uint64_t end,
                     uint32_t owners, uint64_t align)
{
    realm->begin = begin / align * align;
    realm->unit = (end - realm->begin + owners - 1) / owners;
    realm->unit = round_up(realm->unit, align);
    realm->owners =
        (uint32_t)((end - realm->begin + realm->unit - 1) / realm->unit);
}

void coll_realm_init(struct coll_realm *realm, uint64_t begin, uint64_t end,
                     uint32_t owners, uint64_t stripe_size, uint32_t width,
                     uint64_t align)
{
    *realm = (struct coll_realm){0};
    if (stripe_size > 0 && width > 0)
        lay_stripes(realm, owners, stripe_size, width);
    else
        lay_even(realm, begin, end, owners, align);
}

uint32_t coll_realm_owner(const struct coll_realm *realm, uint64_t offset,
                          uint64_t *end_out)
{
    uint64_t unit = (offset - realm->begin) / realm->unit;

    if (realm->owners == 1) {
        *end_out = UINT64_MAX;
        return 0;
    }
    *end_out = realm->begin + (unit + 1) * realm->unit;
    if (realm->width == 0)
        return (uint32_t)unit;
    if (realm->owners < realm->width)
        return (uint32_t)(unit % realm->width % realm->owners);
    return (uint32_t)(unit % realm->owners);
}

static int add_piece(struct pieces *pieces, uint32_t owner,
                     const struct run *run)
{
    if (pieces->n == pieces->room) {
        size_t room = pieces->room * 2 + 16;
        void *all = mem_grow(pieces->all, room, sizeof(*pieces->all));

        if (all == NULL)
            return -ENOMEM;
        pieces->all = all;
        pieces->room = room;
    }
    pieces->all[pieces->n++] = (struct piece){owner, *run};
    return 0;
}

/* Cut one run at the borders; `cut` is scratch. */
static int cut_run(const struct coll_realm *realm, const struct run *run,
                   struct coll_list *cut, struct pieces *pieces)
{
    uint64_t at = run->offset;
    uint64_t end;
    uint32_t owner;
    size_t i;
    int rc = 0;

    while (at < run_end(run) && rc == 0) {
        owner = coll_realm_owner(realm, at, &end);
        cut->n = 0;
        rc = coll_clip(run, at, end, cut);
        for (i = 0; i < cut->n && rc == 0; i++)
            rc = add_piece(pieces, owner, &cut->runs[i]);
        at = coll_run_next(run, end);
    }
    return rc;
}

static int by_owner(const void *a, const void *b)
{
    const struct piece *x = a;
    const struct piece *y = b;

    if (x->owner != y->owner)
        return x->owner < y->owner ? -1 : 1;
    if (x->run.offset != y->run.offset)
        return x->run.offset < y->run.offset ? -1 : 1;
    return (x->run.mem > y->run.mem) - (x->run.mem < y->run.mem);
}

static int make_parts(const struct pieces *pieces, struct coll_parts *out)
{
    size_t i, n = 0;
    int rc;

    for (i = 0; i < pieces->n; i++)
        n += i == 0 || pieces->all[i].owner != pieces->all[i - 1].owner;
    *out = (struct coll_parts){0};
    if (n == 0)
        return 0;
    out->parts = mem_calloc(n, sizeof(*out->parts));
    if (out->parts == NULL)
        return -ENOMEM;
    for (i = 0; i < pieces->n; i++) {
        if (i == 0 || pieces->all[i].owner != pieces->all[i - 1].owner)
            out->parts[out->n++].owner = pieces->all[i].owner;
        rc = coll_list_push(&out->parts[out->n - 1].list, &pieces->all[i].run);
        if (rc != 0) {
            coll_parts_fini(out);
            return rc;
        }
    }
    return 0;
}

int coll_realm_split(const struct coll_realm *realm, const struct run *runs,
                     size_t n, struct coll_parts *out)
{
    struct pieces pieces = {0};
    struct coll_list cut = {0};
    size_t i;
    int rc = 0;

    for (i = 0; i < n && rc == 0; i++)
        rc = cut_run(realm, &runs[i], &cut, &pieces);
    if (rc == 0) {
        if (pieces.n > 1)
            qsort(pieces.all, pieces.n, sizeof(*pieces.all), by_owner);
        rc = make_parts(&pieces, out);
    }
    coll_list_fini(&cut);
    free(pieces.all);
    return rc;
}

void coll_parts_fini(struct coll_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        coll_list_fini(&parts->parts[i].list);
    free(parts->parts);
    *parts = (struct coll_parts){0};
}
