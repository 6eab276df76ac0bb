/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checked store: its queue, the order of operations, and the driver.
 *
 * The happy path:
 *
 * 1. submit() appends to the queue. poll() admits from it while operations and
 *    objects are to be had, and joins each to the list of its object.
 *
 * 2. An operation begins when nothing before it in that list is in its way and
 *    the object is ready for it: loaded, its regions not stale and, for a
 *    write, marked dirty on the device. What is missing is done first, by that
 *    operation, as the object's task.
 *
 * 3. It runs through its steps (sums_io.c, sums_cut.c); when it ends, those
 *    behind it in the list are looked at again.
 *
 * 4. Operations that ended are called back last of all, as in obj_uring.
 *
 * STAT and SYNC go to the store below as they are: what SYNC promises of the
 * bytes needs no sums, since a dirty region is summed again after a crash.
 *
 * A SYNC that failed is not to be repeated: the kernel tells an error of
 * writing back once, and then takes the pages for written. So the object is
 * lost: every later SYNC of it fails too, until it is cut to nothing or
 * destroyed. Whether the bytes are there is for their sums to say.
 */
#include "store/sums_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <utlist.h>

#define OPS_DEFAULT 256
#define UNITS_DEFAULT 8192
#define OBJECTS_DEFAULT 8192
#define IDLE_DEFAULT_NS (2 * NS_PER_SEC)
#define LOST_PART 4  /* of the objects may be lost */
#define ROUNDS_MAX 8 /* of the store below, in one poll */
#define STUCK_AFTER 16 /* attempts in a row that failed */
#define STUCK_PAUSE_NS (100 * NS_PER_MS) /* after one that failed */

static const struct obj_driver sums_driver;

static struct sums_store *store_of(const struct obj_store *base)
{
    assert(base->driver == &sums_driver);
    return (struct sums_store *)base;
}

/*
 * Transfers of the store below.
 */

void store_submit(struct sums_store *store, struct obj_io *io)
{
    store->nsubmitted++;
    obj_submit(store->over.below, io);
}

void op_transfer_done(struct obj_io *io)
{
    struct sum_op *op = ((struct sum_transfer *)io)->op;

    if (io->result < 0 && op->rc == 0)
        op->rc = (int)io->result;
    if (--op->waiting == 0)
        op->step(op);
}

struct obj_io *op_transfer(struct sum_op *op, enum obj_verb verb, uint8_t part)
{
    struct sum_transfer *transfer = &op->transfers[op->waiting++];

    assert(op->waiting <= OP_TRANSFERS);
    transfer->op = op;
    transfer->io = (struct obj_io){
        .verb = verb,
        .part = part,
        .ino = op->object == NULL ? SUMS_BOOTS_INO : op->object->ino,
        .done = op_transfer_done,
    };
    return &transfer->io;
}

void wake_all(struct sum_op **list)
{
    struct sum_op *op = *list, *next;

    *list = NULL;
    for (; op != NULL; op = next) {
        next = op->wait_next;
        op->step(op);
    }
}

/*
 * What the device does not take.
 */

void stuck_note(struct sums_store *store, struct sums_stuck *stuck, int rc)
{
    stuck->failed = rc == 0 ? 0 : stuck->failed + 1;
    stuck->rc = rc;
    if (rc != 0)
        stuck->retry_ns = clock_now(store->config.clock) + STUCK_PAUSE_NS;
}

static bool is_stuck(const struct sums_stuck *stuck)
{
    return stuck->failed >= STUCK_AFTER;
}

bool stuck_may_try(const struct sums_store *store,
                   const struct sums_stuck *stuck)
{
    return !is_stuck(stuck) ||
           clock_now(store->config.clock) >= stuck->retry_ns;
}

int stuck_code(const struct sums_store *store, const struct sums_stuck *stuck)
{
    return stuck_may_try(store, stuck) ? 0 : stuck->rc;
}

/*
 * Objects.
 */

static struct sum_object **object_bucket(struct sums_store *store, uint64_t ino)
{
    return &store->object_buckets[hash_ino(ino) & store->object_mask];
}

static struct sum_object *object_find(struct sums_store *store, uint64_t ino)
{
    struct sum_object *object = *object_bucket(store, ino);

    while (object != NULL && object->ino != ino)
        object = object->chain;
    return object;
}

/* @return NULL: there is no place for it now. */
static struct sum_object *object_get(struct sums_store *store, uint64_t ino)
{
    struct sum_object *object = object_find(store, ino);
    struct sum_object **bucket;

    if (object != NULL) {
        DL_DELETE(store->objects_used, object);
        DL_APPEND(store->objects_used, object);
        return object;
    }
    if (store->objects_free == NULL && !objects_make_room(store))
        return NULL;
    object = store->objects_free;
    DL_DELETE(store->objects_free, object);
    bucket = object_bucket(store, ino);
    *object =
        (struct sum_object){.ino = ino, .is_used = true, .chain = *bucket};
    *bucket = object;
    DL_APPEND(store->objects_used, object);
    return object;
}

void object_drop(struct sums_store *store, struct sum_object *object)
{
    struct sum_object **link = object_bucket(store, object->ino);

    assert(object->ops == NULL && object->task == NULL);
    object_set_lost(store, object, false);
    units_drop(store, object, 0);
    object_unlist(store, object);
    while (*link != object)
        link = &(*link)->chain;
    *link = object->chain;
    DL_DELETE(store->objects_used, object);
    object->is_used = false;
    DL_APPEND(store->objects_free, object);
}

/* Lost objects are kept in mind, but not so many that others find no place. */
void object_set_lost(struct sums_store *store, struct sum_object *object,
                     bool is_lost)
{
    if (is_lost == object->is_lost)
        return;
    object->is_lost = is_lost;
    store->nlost += is_lost ? 1 : -1u;
    if (store->nlost <= store->config.objects_max / LOST_PART || store->is_lost)
        return;
    store->is_lost = true;
    log_error("syncs of more than %u objects failed: no sync succeeds until "
              "the server is started anew",
              store->nlost - 1);
}

/*
 * The order of an object's operations.
 */

static bool shares_block(const struct obj_io *a, const struct obj_io *b)
{
    uint64_t a_first = a->offset / SUMS_BLOCK;
    uint64_t b_first = b->offset / SUMS_BLOCK;

    return a_first <= (b->offset + b->length - 1) / SUMS_BLOCK &&
           b_first <= (a->offset + a->length - 1) / SUMS_BLOCK;
}

/* Neither reads bytes nor changes them. */
static bool is_passive(enum obj_verb verb)
{
    return verb == OBJ_STAT || verb == OBJ_SYNC || verb == OBJ_ALLOCATE;
}

/* Must `later` wait until `earlier` has ended? */
static bool is_in_the_way(const struct obj_io *earlier,
                          const struct obj_io *later)
{
    if (earlier->verb == OBJ_TRUNCATE || earlier->verb == OBJ_DESTROY ||
        later->verb == OBJ_TRUNCATE || later->verb == OBJ_DESTROY ||
        later->verb == OBJ_SYNC)
        return true;
    if (is_passive(earlier->verb) || is_passive(later->verb))
        return false;
    return (earlier->verb == OBJ_WRITE || later->verb == OBJ_WRITE) &&
           shares_block(earlier, later);
}

static bool changes(const struct sum_op *op)
{
    return obj_changes(op->user->verb);
}

static bool must_wait(const struct sum_op *op)
{
    const struct sum_op *earlier;

    /* Reads by the hundred do not look at each other. */
    if (op->object->nchanging == 0 && op->user->verb != OBJ_SYNC)
        return false;
    for (earlier = op->object->ops; earlier != op; earlier = earlier->next)
        if (is_in_the_way(earlier->user, op->user))
            return true;
    return false;
}

static void pass_done(struct sum_op *op)
{
    struct obj_io *io = &op->transfers[0].io;

    op->user->size_out = io->size_out;
    op->user->mtime_ns_out = io->mtime_ns_out;
    op_end(op, io->result);
}

static void pass_start(struct sum_op *op)
{
    struct obj_io *io = op_transfer(op, op->user->verb, 0);

    op->step = pass_done;
    io->offset = op->user->offset;
    io->length = op->user->length;
    io->spare = op->user->spare;
    store_submit(op->store, io);
}

/* Of a SYNC that is not noted: a write that stands behind it may have begun
 * before it and end after it. */
#define NO_WRITES UINT64_MAX

static void sync_done(struct sum_op *op)
{
    if (op->rc != 0)
        object_set_lost(op->store, op->object, true);
    else
        op->object->synced = op->writes + 1;
    op_end(op, 0);
}

static void sync_start(struct sum_op *op)
{
    if (op->object->is_lost || op->store->is_lost) {
        op_end(op, -EIO);
        return;
    }
    op->step = sync_done;
    op->writes = op->object->nchanging == 0 ? op->object->writes : NO_WRITES;
    store_submit(op->store, op_transfer(op, OBJ_SYNC, 0));
}

/* The bytes that an operation reads or changes. */
static void range_of(const struct sum_op *op, uint64_t *from, uint64_t *to)
{
    *from = op->user->offset;
    *to = op->user->verb == OBJ_TRUNCATE ? op->object->size
                                         : op->user->offset + op->user->length;
}

/* Do bytes of the object move just now? Who asks for its size, or sums it
 * again, must not meet that. */
static bool has_active(const struct sum_object *object)
{
    const struct sum_op *op;

    for (op = object->ops; op != NULL; op = op->next)
        if (op->is_active && !is_passive(op->user->verb))
            return true;
    return false;
}

/* Is the object ready for it? If not, and nobody is at it, begin. */
static bool make_ready(struct sum_op *op)
{
    struct sum_object *object = op->object;
    enum obj_verb verb = op->user->verb;
    uint64_t from, to;
    int stale;

    if (is_passive(verb))
        return true;
    if (verb == OBJ_DESTROY)
        return object->task == NULL;
    if (!object->is_loaded || object->has_no_size) {
        if (object->task == NULL && !has_active(object))
            load_start(op);
        return false;
    }
    range_of(op, &from, &to);
    while ((stale = sums_regions_find(&object->stale, from, to)) >= 0) {
        if (resum_needless(object, (unsigned)stale))
            continue;
        if (object->task == NULL && !has_active(object))
            resum_start(op, (unsigned)stale);
        return false;
    }
    if (verb == OBJ_READ ||
        (!object->is_foreign && !sums_regions_lack(&object->dirty, from, to)))
        return verb != OBJ_TRUNCATE || object->task == NULL;
    if (object->task == NULL)
        intent_start(op, from, to);
    return object->task == NULL;
}

static bool try_begin(struct sum_op *op)
{
    static sum_step_fn *const start[] = {
        [OBJ_READ] = read_start,         [OBJ_WRITE] = write_start,
        [OBJ_STAT] = pass_start,         [OBJ_SYNC] = sync_start,
        [OBJ_TRUNCATE] = truncate_start, [OBJ_DESTROY] = destroy_start,
        [OBJ_ALLOCATE] = pass_start,
    };

    if (op->object->task == op || must_wait(op) || !make_ready(op))
        return false;
    op->is_active = true;
    op->object->nwaiting--;
    start[op->user->verb](op);
    return true;
}

void object_advance(struct sum_object *object)
{
    struct sum_op *op = object->ops;

    while (op != NULL && object->nwaiting > 0) {
        if (!op->is_active && try_begin(op))
            op = object->ops; /* it may have ended, and others with it */
        else
            op = op->next;
    }
}

static void leave(struct sum_op *op, int64_t result)
{
    struct sums_store *store = op->store;
    struct sum_object *object = op->object;

    assert(op->unit == NULL && op->waiting == 0);
    op->user->result = op->rc != 0 ? op->rc : result;
    op->user->bad_offset = op->bad_offset;
    obj_line_add(&store->ended, op->user);
    DL_DELETE(object->ops, op);
    object->nchanging -= changes(op);
    if (!op->is_active)
        object->nwaiting--;
    store->nactive--;
    DL_APPEND(store->ops_free, op);
}

void op_end(struct sum_op *op, int64_t result)
{
    struct sum_object *object = op->object;
    struct sum_op *joined = op->joined, *next;

    riders_fail(op); /* those that were served are gone */
    leave(op, result);
    for (; joined != NULL; joined = next) {
        next = joined->joined;
        joined->rc = op->rc;
        joined->bad_offset = op->bad_offset;
        leave(joined, (int64_t)joined->user->length);
    }
    object_advance(object);
}

/*
 * The driver.
 */

static void sums_submit(struct obj_store *base, struct obj_io *io)
{
    obj_line_add(&store_of(base)->queue, io);
}

/* Ends at once: what no object can hold, and nothing. */
static bool is_over(const struct obj_io *io, int64_t *result_out)
{
    bool is_beyond =
        io->offset > INT64_MAX || io->length > INT64_MAX - io->offset;

    *result_out = 0;
    switch (io->verb) {
    case OBJ_READ:
        return io->length == 0 || is_beyond;
    case OBJ_WRITE:
        *result_out = is_beyond && io->length > 0 ? -EFBIG : 0;
        return io->length == 0 || is_beyond;
    case OBJ_TRUNCATE:
        *result_out = io->offset > INT64_MAX ? -EFBIG : 0;
        return io->offset > INT64_MAX;
    case OBJ_STAT:
    case OBJ_SYNC:
    case OBJ_DESTROY:
    case OBJ_ALLOCATE:
        break;
    }
    return false;
}

/* The place of the object that it concerns, or NULL: there is none now. */
static struct sum_object *place_of(struct sums_store *store,
                                   const struct obj_io *io)
{
    if ((io->verb == OBJ_WRITE || io->verb == OBJ_TRUNCATE) &&
        !objects_may_dirty(store, object_find(store, io->ino)))
        return NULL;
    return object_get(store, io->ino);
}

/* @return false: no operation or no object is to be had. */
static bool admit_one(struct sums_store *store, struct obj_io *io)
{
    struct sum_op *op = store->ops_free;
    struct sum_object *object;

    if (op == NULL)
        return false;
    object = place_of(store, io);
    if (object == NULL)
        return false;
    DL_DELETE(store->ops_free, op);
    op->user = io;
    op->object = object;
    op->is_active = false;
    op->joined = NULL;
    obj_line_init(&op->riders);
    op->takes_riders = false;
    op->rc = 0;
    op->bad_offset = 0;
    store->nactive++;
    DL_APPEND(object->ops, op);
    object->nchanging += changes(op);
    object->nwaiting++;
    obj_line_take(&store->queue);
    try_begin(op);
    return true;
}

/* Is it answered by an operation that is under way? */
static bool admit_rider(struct sums_store *store, struct obj_io *io)
{
    struct sum_object *object;

    if (io->verb != OBJ_READ)
        return false;
    object = object_find(store, io->ino);
    if (object == NULL || !read_may_ride(object, io))
        return false;
    read_ride(object, obj_line_take(&store->queue));
    return true;
}

/* Must it end without having begun, since its object gets no place? */
static bool is_refused(const struct sums_store *store, int64_t *result_out)
{
    *result_out = stuck_code(store, &store->objects_stuck);
    return store->ops_free != NULL && *result_out != 0;
}

static void admit(struct sums_store *store)
{
    struct obj_io *io;

    while ((io = store->queue.head) != NULL) {
        if (is_over(io, &io->result))
            obj_line_add(&store->ended, obj_line_take(&store->queue));
        else if (admit_rider(store, io) || admit_one(store, io))
            continue;
        else if (is_refused(store, &io->result))
            obj_line_add(&store->ended, obj_line_take(&store->queue));
        else
            break;
    }
}

static int sums_poll(struct obj_store *base)
{
    struct sums_store *store = store_of(base);
    unsigned rounds = 0;
    int n = 0;

    units_write_ahead(store);
    clean_poll(store);
    do {
        store->nsubmitted = 0;
        admit(store);
        n += obj_poll(store->over.below);
        admit(store);
        units_settle(store);
    } while (store->nsubmitted > 0 && ++rounds < ROUNDS_MAX);
    return n + (int)store->nsubmitted + obj_line_call(&store->ended);
}

static unsigned sums_pending(const struct obj_store *base)
{
    const struct sums_store *store = store_of(base);

    return store->queue.n + store->nactive + store->ended.n +
           obj_pending(store->over.below) + store->is_flushing;
}

static void fini(struct sums_store *store)
{
    free(store->buffer);
    free(store->object_buckets);
    free(store->objects_all);
    units_fini(store);
    free(store->bounces);
    free(store->ops_all);
    free(store);
}

/* Nothing is written that was not under way: whoever wants the sums kept has
 * called sums_flush() before. */
static void sums_close(struct obj_store *base)
{
    struct sums_store *store = store_of(base);

    while (sums_pending(base) > 0)
        sums_poll(base);
    obj_close(store->over.below);
    fini(store);
}

static const struct obj_driver sums_driver = {
    .name = "sums",
    .open = obj_over_open,
    .close = sums_close,
    .submit = sums_submit,
    .poll = sums_poll,
    .pending = sums_pending,
    .wait_fd = obj_over_wait_fd,
    .space = obj_over_space,
    .list = obj_over_list,
    .fresh = obj_over_fresh,
    .lend = obj_over_lend,
};

void sums_flush(struct obj_store *base)
{
    struct sums_store *store = store_of(base);

    store->is_flushing = true;
    store->has_unflushed = false;
    store->flush_at = 0;
}

struct obj_store *sums_below(struct obj_store *base)
{
    return store_of(base)->over.below;
}

void sums_stats(const struct obj_store *base, struct sums_stats *stats_out)
{
    *stats_out = store_of(base)->stats;
}

/*
 * Create.
 */

static void set_defaults(struct sums_config *config)
{
    if (config->ops_max == 0)
        config->ops_max = OPS_DEFAULT;
    if (config->units_max == 0)
        config->units_max = UNITS_DEFAULT;
    if (config->objects_max == 0)
        config->objects_max = OBJECTS_DEFAULT;
    if (config->idle_ns == 0)
        config->idle_ns = IDLE_DEFAULT_NS;
}

static int make_ops(struct sums_store *store)
{
    unsigned n = store->config.ops_max;

    store->ops_all = mem_calloc(n, sizeof(*store->ops_all));
    store->bounces = mem_pages((n + 1) * BOUNCE_SIZE);
    store->buffer = mem_pages(SUMS_UNIT_DATA);
    if (store->ops_all == NULL || store->bounces == NULL ||
        store->buffer == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        store->ops_all[i].store = store;
        store->ops_all[i].bounce = store->bounces + i * BOUNCE_SIZE;
        DL_APPEND(store->ops_free, &store->ops_all[i]);
    }
    store->cleaner.store = store;
    store->cleaner.bounce = store->bounces + n * BOUNCE_SIZE;
    return 0;
}

static int make_objects(struct sums_store *store)
{
    unsigned n = store->config.objects_max;
    size_t nbuckets = 1;

    while (nbuckets < n)
        nbuckets *= 2;
    store->object_mask = nbuckets - 1;
    store->objects_all = mem_calloc(n, sizeof(*store->objects_all));
    store->object_buckets =
        mem_calloc(nbuckets, sizeof(*store->object_buckets));
    if (store->objects_all == NULL || store->object_buckets == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        DL_APPEND(store->objects_free, &store->objects_all[i]);
    return 0;
}

struct boots_read {
    struct obj_io io; /* first */
    bool is_done;
    char sector[SUMS_HEADER_SIZE];
};

static void boots_read(struct obj_io *io)
{
    ((struct boots_read *)io)->is_done = true;
}

/* Whose sums are to be trusted? Of another start of the machine: nobody's. */
static int read_boots(struct sums_store *store)
{
    struct boots_read read = {.io = {.verb = OBJ_READ,
                                     .part = 1,
                                     .ino = SUMS_BOOTS_INO,
                                     .length = SUMS_HEADER_SIZE,
                                     .done = boots_read}};

    read.io.memory = read.sector;
    obj_submit(store->over.below, &read.io);
    while (!read.is_done)
        obj_poll(store->over.below);
    if (read.io.result < 0)
        return (int)read.io.result;
    if (sums_boots_decode(read.sector, (size_t)read.io.result, &store->boots) !=
            0 ||
        store->boots.machine != store->config.machine ||
        store->config.machine == 0)
        store->boots = (struct sums_boots){.machine = store->config.machine};
    return 0;
}

int sums_create(struct obj_store *below, const struct sums_config *config,
                struct obj_store **store_out)
{
    struct sums_store *store = mem_calloc(1, sizeof(*store));
    int rc;

    if (store == NULL)
        return -ENOMEM;
    store->over.store.driver = &sums_driver;
    store->over.below = below;
    store->config = *config;
    set_defaults(&store->config);
    obj_line_init(&store->queue);
    obj_line_init(&store->ended);
    rc = make_ops(store);
    if (rc == 0)
        rc = units_init(store);
    if (rc == 0)
        rc = make_objects(store);
    if (rc == 0)
        rc = read_boots(store);
    if (rc != 0) {
        fini(store);
        return rc;
    }
    *store_out = &store->over.store;
    return 0;
}
