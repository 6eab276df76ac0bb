/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store that reads ahead.
 *
 * A unit is queued, filling or ready, and in the table by object and place from
 * the first to the last. It knows the hull of what was planned in it, in whole
 * blocks, which part of that is in memory, and how many of the planned bytes
 * are still to be read. When the hull grows, the unit is queued once more,
 * before those that have no memory yet, and reads what is missing on one side.
 *
 * Reads that wait for units stand in one list and are looked at again whenever
 * a unit is ready or gone. Those that are over are called back last of all in
 * poll(), as in every store.
 */
#include "store/ahead.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/obj_line.h"
#include "store/obj_over.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define BLOCK 4096u
#define UNIT_BLOCKS (AHEAD_UNIT / BLOCK)
#define CENSUS_SIZE 1024u

enum unit_state { UNIT_FREE, UNIT_QUEUED, UNIT_FILLING, UNIT_READY };

struct unit {
    struct obj_io io; /* first */
    struct ahead_store *store;
    enum unit_state state;
    bool is_dropped; /* goes when its read has ended */
    uint64_t ino;
    uint64_t index;              /* its place in the object, in units */
    uint64_t want_from, want_to; /* planned; offsets in the object */
    uint64_t from, to;           /* of it in memory; equal: nothing */
    uint64_t left;               /* planned bytes that were not read yet */
    uint64_t ready_ns;
    char *memory; /* of the whole unit; NULL: queued for the first time, or free
                   */
    struct unit *chain;       /* in its bucket */
    struct unit *prev, *next; /* in the list of its state */
    uint32_t sums[UNIT_BLOCKS];
};

struct ahead_store {
    struct obj_over over; /* first */
    struct ahead_config config;
    struct ahead_stats stats;
    uint64_t nmemory; /* units that may have memory */
    char *slab;       /* NULL: nothing was planned yet */
    char **memory;    /* a stack of what is free in it */
    uint64_t nmemory_free;
    struct unit *units; /* nmemory + AHEAD_QUEUE_MAX of them */
    struct unit **buckets;
    uint64_t mask;
    struct unit *free, *queued, *ready; /* ready: in the order of their ends */
    unsigned nfilling, nqueued;
    /* Units of the objects that share a place here: most objects have none, and
     * are written without looking for them. */
    uint32_t census[CENSUS_SIZE];
    struct obj_line waiting;
    struct obj_line served; /* from memory */
};

static const struct obj_driver ahead_driver;

static struct ahead_store *store_of(const struct obj_store *base)
{
    assert(base->driver == &ahead_driver);
    return (struct ahead_store *)base;
}

/*
 * Units.
 */

static struct unit **bucket_of(struct ahead_store *store, uint64_t ino,
                               uint64_t index)
{
    return &store->buckets[hash_ino(ino ^ index * 0x9e3779b97f4a7c15ull) &
                           store->mask];
}

static struct unit *unit_find(struct ahead_store *store, uint64_t ino,
                              uint64_t index)
{
    struct unit *unit = *bucket_of(store, ino, index);

    while (unit != NULL && (unit->ino != ino || unit->index != index))
        unit = unit->chain;
    return unit;
}

static uint32_t *census_of(struct ahead_store *store, uint64_t ino)
{
    return &store->census[hash_ino(ino) % CENSUS_SIZE];
}

static void unit_unlink(struct unit *unit)
{
    struct unit **at = bucket_of(unit->store, unit->ino, unit->index);

    while (*at != unit)
        at = &(*at)->chain;
    *at = unit->chain;
}

/* It is in no list any more. */
static void unit_free(struct unit *unit)
{
    struct ahead_store *store = unit->store;

    unit_unlink(unit);
    --*census_of(store, unit->ino);
    if (unit->memory != NULL)
        store->memory[store->nmemory_free++] = unit->memory;
    unit->memory = NULL;
    unit->state = UNIT_FREE;
    LL_PREPEND(store->free, unit);
}

static void unit_drop(struct unit *unit)
{
    struct ahead_store *store = unit->store;

    switch (unit->state) {
    case UNIT_FILLING:
        unit->is_dropped = true;
        return;
    case UNIT_QUEUED:
        DL_DELETE(store->queued, unit);
        store->nqueued--;
        break;
    case UNIT_READY:
        DL_DELETE(store->ready, unit);
        store->stats.bytes_dropped += unit->left;
        break;
    case UNIT_FREE:
        return;
    }
    unit_free(unit);
}

/*
 * Reads.
 */

enum coverage { COVER_NONE, COVER_SOON, COVER_NOW };

/* Are all bytes of a read in units? */
static enum coverage coverage(struct ahead_store *store,
                              const struct obj_io *io)
{
    uint64_t end = io->offset + io->length;
    enum coverage found = COVER_NOW;

    for (uint64_t at = io->offset; at < end;) {
        uint64_t past = (at / AHEAD_UNIT + 1) * AHEAD_UNIT;
        struct unit *unit = unit_find(store, io->ino, at / AHEAD_UNIT);

        if (past > end)
            past = end;
        if (unit == NULL || unit->is_dropped || unit->memory == NULL ||
            at < unit->want_from || past > unit->want_to)
            return COVER_NONE;
        if (at < unit->from || past > unit->to)
            found = COVER_SOON;
        at = past;
    }
    return found;
}

static void copy_sums(const struct unit *unit, const struct obj_io *io,
                      uint64_t at, uint64_t past)
{
    uint64_t first = at / BLOCK, last = (past - 1) / BLOCK;

    memcpy(io->sums + (first - io->offset / BLOCK),
           unit->sums + first % UNIT_BLOCKS,
           (last - first + 1) * sizeof(*io->sums));
}

static void serve(struct ahead_store *store, struct obj_io *io)
{
    uint64_t end = io->offset + io->length, past;

    for (uint64_t at = io->offset; at < end; at = past) {
        struct unit *unit = unit_find(store, io->ino, at / AHEAD_UNIT);

        past = (at / AHEAD_UNIT + 1) * AHEAD_UNIT;
        if (past > end)
            past = end;
        memcpy((char *)io->memory + (at - io->offset),
               unit->memory + at % AHEAD_UNIT, past - at);
        if (io->sums != NULL)
            copy_sums(unit, io, at, past);
        unit->left -= past - at < unit->left ? past - at : unit->left;
        if (unit->left == 0)
            unit_drop(unit);
    }
    store->stats.bytes_served += io->length;
    obj_line_add(&store->served, io);
}

static void look_at(struct ahead_store *store, struct obj_io *io)
{
    switch (coverage(store, io)) {
    case COVER_NOW:
        serve(store, io);
        break;
    case COVER_SOON:
        obj_line_add(&store->waiting, io);
        break;
    case COVER_NONE:
        obj_submit(store->over.below, io);
        break;
    }
}

/* Each that waits, once more. */
static void look_again(struct ahead_store *store)
{
    for (unsigned n = store->waiting.n; n > 0; n--)
        look_at(store, obj_line_take(&store->waiting));
}

/*
 * Filling.
 */

static void enqueue(struct unit *unit)
{
    struct ahead_store *store = unit->store;

    unit->state = UNIT_QUEUED;
    store->nqueued++;
    if (unit->memory != NULL)
        DL_PREPEND(store->queued, unit);
    else
        DL_APPEND(store->queued, unit);
}

static bool is_whole(const struct unit *unit)
{
    return unit->from <= unit->want_from && unit->to >= unit->want_to;
}

/* A side of it has come; less than was asked for: the object ends there. */
static void take_side(struct unit *unit, const struct obj_io *io)
{
    uint64_t end = io->offset + (uint64_t)io->result;

    if (unit->from == unit->to)
        unit->from = unit->to = io->offset;
    if (io->offset < unit->from)
        unit->from = io->offset;
    if (end > unit->to)
        unit->to = end;
    if ((uint64_t)io->result < io->length)
        unit->want_to = end;
}

static void filled(struct obj_io *io)
{
    struct unit *unit = (struct unit *)io;
    struct ahead_store *store = unit->store;

    store->nfilling--;
    if (io->result > 0)
        store->stats.bytes_read += (uint64_t)io->result;
    if (io->result < 0 || unit->is_dropped ||
        (io->result == 0 && unit->from == unit->to)) {
        unit_free(unit);
    } else {
        take_side(unit, io);
        unit->ready_ns = clock_now(store->config.clock);
        if (!is_whole(unit)) {
            enqueue(unit);
        } else {
            unit->state = UNIT_READY;
            DL_APPEND(store->ready, unit);
        }
    }
    look_again(store);
}

static void fill(struct unit *unit)
{
    struct ahead_store *store = unit->store;
    uint64_t from = unit->want_from, to = unit->want_to;

    if (unit->memory == NULL)
        unit->memory = store->memory[--store->nmemory_free];
    if (unit->from < unit->to && from < unit->from)
        to = unit->from;
    else if (unit->from < unit->to)
        from = unit->to;
    unit->state = UNIT_FILLING;
    store->nfilling++;
    unit->io = (struct obj_io){.verb = OBJ_READ,
                               .ino = unit->ino,
                               .offset = from,
                               .length = to - from,
                               .memory = unit->memory + from % AHEAD_UNIT,
                               .sums = unit->sums + from % AHEAD_UNIT / BLOCK,
                               .done = filled};
    obj_submit(store->over.below, &unit->io);
}

/* Memory of a unit that nobody came for. @return whether there was one. */
static bool reclaim(struct ahead_store *store)
{
    struct unit *oldest = store->ready;

    if (oldest == NULL ||
        clock_now(store->config.clock) - oldest->ready_ns < AHEAD_LIFE_NS)
        return false;
    unit_drop(oldest);
    return true;
}

/* @return how many reads were started. */
static int fill_more(struct ahead_store *store)
{
    int n = 0;

    while (store->queued != NULL && store->nfilling < AHEAD_FILLS_MAX &&
           (store->queued->memory != NULL || store->nmemory_free > 0 ||
            reclaim(store))) {
        struct unit *unit = store->queued;

        DL_DELETE(store->queued, unit);
        store->nqueued--;
        fill(unit);
        n++;
    }
    return n;
}

/*
 * Planning.
 */

static int make_memory(struct ahead_store *store)
{
    size_t nunits = store->nmemory + AHEAD_QUEUE_MAX;
    size_t nbuckets = 1;

    while (nbuckets < nunits)
        nbuckets *= 2;
    store->slab = mem_pages(store->nmemory * AHEAD_UNIT);
    store->memory = mem_calloc(store->nmemory, sizeof(*store->memory));
    store->units = mem_calloc(nunits, sizeof(*store->units));
    store->buckets = mem_calloc(nbuckets, sizeof(struct unit *));
    if (store->slab == NULL || store->memory == NULL || store->units == NULL ||
        store->buckets == NULL)
        return -ENOMEM;
    store->mask = nbuckets - 1;
    for (uint64_t i = 0; i < store->nmemory; i++)
        store->memory[store->nmemory_free++] = store->slab + i * AHEAD_UNIT;
    for (size_t i = 0; i < nunits; i++) {
        store->units[i].store = store;
        LL_PREPEND(store->free, &store->units[i]);
    }
    return 0;
}

static void free_memory(struct ahead_store *store)
{
    free(store->slab);
    free(store->memory);
    free(store->units);
    free(store->buckets);
    store->slab = NULL;
    store->memory = NULL;
    store->units = NULL;
    store->buckets = NULL;
}

static struct unit *unit_new(struct ahead_store *store, uint64_t ino,
                             uint64_t index)
{
    struct unit *unit = store->free, **bucket;

    if (unit == NULL || store->nqueued >= AHEAD_QUEUE_MAX)
        return NULL;
    LL_DELETE(store->free, unit);
    unit->ino = ino;
    unit->index = index;
    unit->want_from = UINT64_MAX;
    unit->want_to = unit->from = unit->to = unit->left = 0;
    unit->is_dropped = false;
    bucket = bucket_of(store, ino, index);
    unit->chain = *bucket;
    *bucket = unit;
    ++*census_of(store, ino);
    enqueue(unit);
    return unit;
}

/* Bytes of one unit. @return whether they were taken. */
static bool plan_in_unit(struct ahead_store *store, uint64_t ino, uint64_t at,
                         uint64_t past)
{
    struct unit *unit = unit_find(store, ino, at / AHEAD_UNIT);
    uint64_t from = at / BLOCK * BLOCK;
    uint64_t to = (past + BLOCK - 1) / BLOCK * BLOCK;

    if (unit == NULL)
        unit = unit_new(store, ino, at / AHEAD_UNIT);
    if (unit == NULL || unit->is_dropped)
        return false;
    if (from < unit->want_from)
        unit->want_from = from;
    if (to > unit->want_to)
        unit->want_to = to;
    unit->left += past - at;
    if (unit->state == UNIT_READY && !is_whole(unit)) {
        DL_DELETE(store->ready, unit);
        enqueue(unit);
    }
    return true;
}

uint64_t ahead_plan(struct obj_store *base, uint64_t ino, uint64_t offset,
                    uint64_t length)
{
    struct ahead_store *store = store_of(base);
    uint64_t end = offset + length, taken = 0, past;

    if (store->slab == NULL && make_memory(store) != 0) {
        free_memory(store);
        return 0;
    }
    for (uint64_t at = offset; at < end; at = past) {
        past = (at / AHEAD_UNIT + 1) * AHEAD_UNIT;
        if (past > end)
            past = end;
        if (plan_in_unit(store, ino, at, past))
            taken += past - at;
        else if (store->nqueued >= AHEAD_QUEUE_MAX)
            break;
    }
    return taken;
}

/*
 * The driver.
 */

/* An object changes: what is known of it is old. Who waits for that goes first.
 */
static void forget(struct ahead_store *store, uint64_t ino)
{
    bool has_any = false;

    if (*census_of(store, ino) == 0)
        return;
    for (size_t i = 0; i < store->nmemory + AHEAD_QUEUE_MAX; i++)
        if (store->units[i].state != UNIT_FREE && store->units[i].ino == ino) {
            unit_drop(&store->units[i]);
            has_any = true;
        }
    if (has_any)
        look_again(store);
}

static void ahead_submit(struct obj_store *base, struct obj_io *io)
{
    struct ahead_store *store = store_of(base);

    switch (io->verb) {
    case OBJ_READ:
        if (store->slab != NULL && io->length > 0) {
            look_at(store, io);
            return;
        }
        break;
    case OBJ_WRITE:
    case OBJ_TRUNCATE:
    case OBJ_DESTROY:
        forget(store, io->ino);
        break;
    case OBJ_STAT:
    case OBJ_SYNC:
    case OBJ_ALLOCATE:
        break;
    }
    obj_submit(store->over.below, io);
}

/* Results change in poll() only. */
static int end_served(struct ahead_store *store)
{
    for (struct obj_io *io = store->served.head; io != NULL; io = io->next)
        io->result = (int64_t)io->length;
    return obj_line_call(&store->served);
}

static int ahead_poll(struct obj_store *base)
{
    struct ahead_store *store = store_of(base);
    int n = fill_more(store);

    n += obj_poll(store->over.below);
    return n + end_served(store);
}

static unsigned ahead_pending(const struct obj_store *base)
{
    const struct ahead_store *store = store_of(base);

    return obj_pending(store->over.below) + store->waiting.n + store->served.n;
}

static void ahead_close(struct obj_store *base)
{
    struct ahead_store *store = store_of(base);

    for (size_t i = 0;
         store->slab != NULL && i < store->nmemory + AHEAD_QUEUE_MAX; i++)
        unit_drop(&store->units[i]);
    look_again(store);
    obj_close(store->over.below);
    end_served(store);
    free_memory(store);
    free(store);
}

static const struct obj_driver ahead_driver = {
    .name = "ahead",
    .open = obj_over_open,
    .close = ahead_close,
    .submit = ahead_submit,
    .poll = ahead_poll,
    .pending = ahead_pending,
    .wait_fd = obj_over_wait_fd,
    .space = obj_over_space,
    .list = obj_over_list,
    .fresh = obj_over_fresh,
    .lend = obj_over_lend,
};

int ahead_create(struct obj_store *below, const struct ahead_config *config,
                 struct obj_store **store_out)
{
    struct ahead_store *store;

    if (config->memory_max < AHEAD_UNIT)
        return -EINVAL;
    store = mem_calloc(1, sizeof(*store));
    if (store == NULL)
        return -ENOMEM;
    store->over.store.driver = &ahead_driver;
    store->over.below = below;
    store->config = *config;
    store->nmemory = config->memory_max / AHEAD_UNIT;
    obj_line_init(&store->waiting);
    obj_line_init(&store->served);
    *store_out = &store->over.store;
    return 0;
}

void ahead_stats(const struct obj_store *base, struct ahead_stats *stats_out)
{
    *stats_out = store_of(base)->stats;
}
