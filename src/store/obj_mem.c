/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated device: two images of the objects, one as it looks now, one as
 * it would look after a loss of power, and the journal of what lies between.
 *
 * The happy path: submit() appends to a queue; poll() carries out the oldest
 * `queue_depth` operations, in order, on the image of now, and notes each
 * change in the journal; SYNC moves an object's changes to the durable image.
 *
 * Possible failure modes are:
 *
 * - The pages would exceed the capacity: -ENOSPC, nothing is written.
 *
 * - The test's fault is due: the operation fails with its code, undone.
 *
 * - No memory: -ENOMEM, as the device's.
 *
 * Loss of power and faults follow from seeds and counts alone. mtime counts
 * the changes of the device unless it has been given a clock.
 */
#include "store/obj.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/image_mem.h"
#include "store/journal_mem.h"

#include <assert.h>
#include <errno.h>

struct obj_mem_disk {
    uint64_t capacity;
    struct image now;
    struct image durable;
    struct journal journal;
    uint64_t nchanges;
    const struct clock *clock; /* or NULL */
    int fault_after; /* operations; -1: never */
    int fault_code;
    bool is_open;
};

struct mem_store {
    struct obj_store store; /* first */
    struct obj_mem_disk *disk;
    unsigned depth;
    unsigned npending;
    struct obj_io *head;
    struct obj_io **end;
};

/* The second part of an object is an object of its own here: a simulated
 * cluster has too few targets for inode numbers that reach the top bit. */
#define PART_BIT ((uint64_t)1 << 63)

static uint64_t key_of(const struct obj_io *io)
{
    uint64_t key = io->ino & ~PART_BIT;

    return io->part == 0 ? key : key | PART_BIT;
}

static struct mem_store *store_of(const struct obj_store *base)
{
    assert(base->driver == &obj_mem);
    return (struct mem_store *)base;
}

/*
 * The verbs.
 */

static bool is_full(const struct obj_mem_disk *disk, const struct obj_io *io)
{
    uint64_t missing =
        image_missing_pages(&disk->now, key_of(io), io->offset, io->length);

    return (disk->now.npages + missing) * IMAGE_PAGE > disk->capacity;
}

/* Note a change, to be durable later. */
static int note(struct obj_mem_disk *disk, enum change_kind kind,
                const struct obj_io *io)
{
    bool is_write = kind == CHANGE_WRITE;

    return journal_add(&disk->journal, &disk->durable, kind, key_of(io),
                       io->offset, is_write ? io->memory : NULL,
                       is_write ? io->length : 0);
}

static void touch(struct obj_mem_disk *disk, uint64_t ino)
{
    struct image_object *object = image_find(&disk->now, ino);

    disk->nchanges++;
    if (object != NULL)
        object->mtime_ns =
            disk->clock != NULL ? clock_wall(disk->clock) : disk->nchanges;
}

static int64_t do_write(struct obj_mem_disk *disk, const struct obj_io *io)
{
    int rc;

    if (io->length == 0)
        return 0;
    if (io->offset > INT64_MAX || io->length > INT64_MAX - io->offset)
        return -EFBIG;
    if (is_full(disk, io))
        return -ENOSPC;
    rc = image_write(&disk->now, key_of(io), io->offset, io->memory,
                     io->length);
    if (rc == 0)
        rc = note(disk, CHANGE_WRITE, io);
    if (rc == 0 && io->is_durable)
        rc = journal_settle(&disk->journal, &disk->durable, key_of(io));
    touch(disk, key_of(io));
    return rc == 0 ? (int64_t)io->length : rc;
}

static int64_t do_truncate(struct obj_mem_disk *disk, const struct obj_io *io)
{
    int rc;

    if (io->offset > INT64_MAX)
        return -EFBIG;
    rc = image_truncate(&disk->now, key_of(io), io->offset);
    if (rc == 0)
        rc = note(disk, CHANGE_TRUNCATE, io);
    touch(disk, key_of(io));
    return rc;
}

/* Nothing is set aside; what would not fit is refused. */
static int64_t do_allocate(const struct obj_mem_disk *disk,
                           const struct obj_io *io)
{
    if (io->offset > INT64_MAX || io->length > INT64_MAX - io->offset)
        return -EFBIG;
    return io->length > disk->capacity ? -ENOSPC : 0;
}

static int64_t do_stat(struct obj_mem_disk *disk, struct obj_io *io)
{
    const struct image_object *object = image_find(&disk->now, key_of(io));

    io->size_out = object == NULL ? 0 : object->size;
    io->mtime_ns_out = object == NULL ? 0 : object->mtime_ns;
    return 0;
}

static int64_t do_destroy(struct obj_mem_disk *disk, const struct obj_io *io)
{
    int rc = note(disk, CHANGE_DESTROY, io);

    if (rc == 0)
        image_destroy(&disk->now, key_of(io));
    return rc;
}

static bool fault_is_due(struct obj_mem_disk *disk)
{
    return disk->fault_after >= 0 && disk->fault_after-- == 0;
}

static int64_t carry_out(struct obj_mem_disk *disk, struct obj_io *io)
{
    if (fault_is_due(disk))
        return -disk->fault_code;
    switch (io->verb) {
    case OBJ_READ:
        return (int64_t)image_read(&disk->now, key_of(io), io->offset,
                                   io->memory, io->length);
    case OBJ_WRITE:
        return do_write(disk, io);
    case OBJ_STAT:
        return do_stat(disk, io);
    case OBJ_TRUNCATE:
        return do_truncate(disk, io);
    case OBJ_SYNC:
        return journal_settle(&disk->journal, &disk->durable, key_of(io));
    case OBJ_DESTROY:
        return do_destroy(disk, io);
    case OBJ_ALLOCATE:
        return do_allocate(disk, io);
    }
    assert(!"a verb of the table");
    return -EINVAL;
}

/*
 * The driver.
 */

static int mem_open(const struct obj_config *config,
                    struct obj_store **store_out)
{
    struct mem_store *store = mem_calloc(1, sizeof(*store));

    if (store == NULL)
        return -ENOMEM;
    store->store.driver = &obj_mem;
    store->disk = config->disk;
    store->depth = config->queue_depth == 0 ? 64 : config->queue_depth;
    store->end = &store->head;
    assert(!store->disk->is_open);
    store->disk->is_open = true;
    *store_out = &store->store;
    return 0;
}

static void mem_submit(struct obj_store *base, struct obj_io *io)
{
    struct mem_store *store = store_of(base);

    io->next = NULL;
    *store->end = io;
    store->end = &io->next;
    store->npending++;
}

/* What a callback submits waits for the next poll, as in obj_uring. */
static int mem_poll(struct obj_store *base)
{
    struct mem_store *store = store_of(base);
    unsigned n =
        store->npending < store->depth ? store->npending : store->depth;

    for (unsigned i = 0; i < n; i++) {
        struct obj_io *io = store->head;

        store->head = io->next;
        if (store->head == NULL)
            store->end = &store->head;
        store->npending--;
        io->result = carry_out(store->disk, io);
        io->done(io);
    }
    return (int)n;
}

static unsigned mem_pending(const struct obj_store *base)
{
    return store_of(base)->npending;
}

static int mem_wait_fd(struct obj_store *base)
{
    return -1;
}

static int mem_space(struct obj_store *base, uint64_t *total_out,
                     uint64_t *free_out)
{
    const struct obj_mem_disk *disk = store_of(base)->disk;
    uint64_t used = disk->now.npages * IMAGE_PAGE;

    *total_out = disk->capacity;
    *free_out = used < disk->capacity ? disk->capacity - used : 0;
    return 0;
}

static int mem_list(struct obj_store *base, unsigned shard, uint64_t after,
                    uint64_t *inos, unsigned room, unsigned *count_out)
{
    const struct image *image = &store_of(base)->disk->now;
    unsigned n = 0;

    for (size_t i = 0; i < image->nobjects && n < room; i++) {
        uint64_t ino = image->objects[i].ino;

        if ((ino & PART_BIT) == 0 && ino > after &&
            (hash_ino(ino) & (OBJ_SHARDS - 1)) == shard)
            inos[n++] = ino;
    }
    *count_out = n;
    return 0;
}

/* A simulated cluster proves that it is so. */
static void mem_fresh(struct obj_store *base, uint64_t ino)
{
    struct obj_io io = {.ino = ino};

    for (io.part = 0; io.part < 2; io.part++)
        assert(image_find(&store_of(base)->disk->now, key_of(&io)) == NULL);
}

static void mem_close(struct obj_store *base)
{
    struct mem_store *store = store_of(base);

    while (store->npending > 0)
        mem_poll(base);
    store->disk->is_open = false;
    free(store);
}

const struct obj_driver obj_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .submit = mem_submit,
    .poll = mem_poll,
    .pending = mem_pending,
    .wait_fd = mem_wait_fd,
    .space = mem_space,
    .list = mem_list,
    .fresh = mem_fresh,
};

/*
 * The device.
 */

int obj_mem_disk_create(uint64_t capacity, struct obj_mem_disk **disk_out)
{
    struct obj_mem_disk *disk = mem_calloc(1, sizeof(*disk));

    if (disk == NULL)
        return -ENOMEM;
    disk->capacity = capacity;
    disk->fault_after = -1;
    journal_init(&disk->journal);
    *disk_out = disk;
    return 0;
}

void obj_mem_disk_destroy(struct obj_mem_disk **disk_p)
{
    struct obj_mem_disk *disk = *disk_p;

    if (disk == NULL)
        return;
    journal_fini(&disk->journal);
    image_fini(&disk->now);
    image_fini(&disk->durable);
    free(disk);
    *disk_p = NULL;
}

void obj_mem_disk_power_loss(struct obj_mem_disk *disk, uint64_t seed)
{
    int rc = journal_power_loss(&disk->journal, &disk->durable, seed);

    image_fini(&disk->now);
    if (rc == 0)
        rc = image_copy(&disk->durable, &disk->now);
    assert(rc == 0); /* a test without memory has nothing more to show */
}

void obj_mem_disk_clock(struct obj_mem_disk *disk, const struct clock *clock)
{
    disk->clock = clock;
}

void obj_mem_disk_fault(struct obj_mem_disk *disk, int n, int code)
{
    disk->fault_after = n;
    disk->fault_code = code;
}

bool obj_mem_disk_flip(struct obj_mem_disk *disk, uint64_t seed)
{
    const struct image_object *object;
    struct rng rng;
    uint64_t bit;

    rng_init(&rng, seed);
    if (disk->now.nobjects == 0)
        return false;
    object = &disk->now.objects[rng_below(&rng, disk->now.nobjects)];
    if (object->npages == 0)
        return false;
    bit = rng_below(&rng, 8 * IMAGE_PAGE);
    object->pages[rng_below(&rng, object->npages)].bytes[bit / 8] ^=
        (char)(1u << bit % 8);
    return true;
}
