/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the files of the checked store: sums.c (queue, order, driver),
 * sums_io.c (reads and writes), sums_cut.c (truncate, destroy), sums_region.c
 * (load, intent, summing again), sums_clean.c (back to the device) and
 * sums_unit.c (sums in memory).
 *
 * An operation is a caller's request or one of our own; it runs through steps,
 * each of which starts transfers of the store below and goes on when the last
 * of them has ended. What concerns a whole object (load, intent, summing
 * again, cleaning) is done by one operation at a time: the object's task.
 *
 * Units    bytes; units and regions as in sums_format.h.
 * Threads  the store's owner.
 * Failure  every operation ends once, with op_end().
 */
#ifndef CAPSTAN_STORE_SUMS_PRIV_H
#define CAPSTAN_STORE_SUMS_PRIV_H

#include "store/obj_line.h"
#include "store/obj_over.h"
#include "store/sums.h"
#include "store/sums_format.h"

#include <assert.h>

#define SUMS_BOOTS_INO 0 /* no object has it: its second part lists boots */
#define OP_TRANSFERS 3u
#define BOUNCE_BLOCKS 6u
#define BOUNCE_SIZE ((size_t)BOUNCE_BLOCKS * SUMS_BLOCK)

struct sums_store;
struct sum_object;
struct sum_op;

/* What a unit is wanted for. */
enum unit_use {
    UNIT_READ,   /* its sums */
    UNIT_CHANGE, /* some of them will be others */
    UNIT_FILL,   /* all will: what the device holds does not matter */
};

/* A device that takes no more of what it is to keep. */
struct sums_stuck {
    unsigned failed;   /* attempts since one succeeded */
    int rc;            /* of the last that failed */
    uint64_t retry_ns; /* no attempt before, unless somebody else makes one */
};

typedef void sum_step_fn(struct sum_op *op);

/* 256 sums in memory. */
struct sum_unit {
    struct sums_store *store;
    struct sum_object *object; /* NULL: free */
    uint64_t index;
    uint32_t *sums; /* little-endian, kept form */
    unsigned pins;
    bool is_valid;          /* else it is being read */
    bool is_dirty;          /* newer than the device's */
    bool is_writing;        /* on its way there */
    bool is_doomed;         /* to be freed when that has ended */
    struct sum_op *waiting; /* for is_valid */
    struct sum_op *writer;  /* waits for !is_writing, or NULL */
    struct sum_unit *chain;
    struct sum_unit *prev, *next;                 /* free, or order of use */
    struct sum_unit *sibling_prev, *sibling_next; /* of the object */
    struct obj_io io;
};

struct sum_object {
    uint64_t ino;
    bool is_used;
    bool is_loaded;
    bool has_header;     /* the device may hold one that says less than dirty */
    bool is_current;     /* it holds one that says exactly this */
    bool is_foreign;     /* another process, trusted, wrote that header */
    bool is_listed;      /* among the dirty */
    bool has_no_size;    /* a write failed: ask again */
    bool is_lost;        /* a sync failed: no later one may succeed */
    uint64_t size;       /* once loaded; after a failed write, at most */
    uint64_t nunits;     /* the second part may hold sums below this */
    uint64_t writes;     /* that have begun */
    uint64_t synced;     /* `writes` + 1 when the last good SYNC began, or 0:
                            one may not have ended by then */
    uint64_t written_ns; /* the last of them */
    struct sums_regions dirty;
    struct sums_regions stale;
    struct sum_op *ops; /* in order of coming */
    unsigned nwaiting;  /* of them, not begun */
    unsigned nchanging; /* of them, neither READ, STAT nor SYNC */
    struct sum_op *task;
    struct sum_unit *units;
    struct sum_object *chain;
    struct sum_object *prev, *next;             /* free, or order of use */
    struct sum_object *dirty_prev, *dirty_next; /* by last write */
};

struct sum_transfer {
    struct obj_io io; /* first */
    struct sum_op *op;
};

struct sum_op {
    struct sums_store *store;
    struct obj_io *user; /* NULL: one of our own */
    struct sum_object *object;
    struct sum_op *prev, *next; /* the object's, or in the free list */
    struct sum_op *wait_next;   /* for a unit, a place or the buffer */
    struct sum_op *joined;      /* writes made by this one: they end with it */
    struct obj_line riders;     /* reads answered from this one's block */
    bool takes_riders; /* its block is on its way to the bounce buffer */
    bool is_active;
    int rc;
    uint64_t bad_offset;
    uint64_t at; /* the span now: [at, span_end) */
    uint64_t span_end;
    uint64_t end;    /* of the whole */
    uint64_t size;   /* the object's when the span began; it may grow since */
    uint64_t index;  /* unit that is being summed again or written */
    uint64_t writes; /* cleaning, SYNC: the object's when it began */
    struct sum_unit *unit; /* pinned, or NULL */
    unsigned waiting;      /* transfers to end */
    sum_step_fn *step;     /* when they have, or when a wait is over */
    struct sum_transfer transfers[OP_TRANSFERS];
    char *bounce;                    /* BOUNCE_BLOCKS blocks */
    uint32_t sums[SUMS_UNIT_BLOCKS]; /* WRITE: of the span's blocks */
};

struct sums_store {
    struct obj_over over; /* first */
    struct sums_config config;
    struct sums_stats stats;
    struct sums_boots boots; /* trusted */
    struct obj_line queue;
    struct obj_line ended;
    unsigned nsubmitted; /* to the store below, since it was last polled */
    unsigned nactive;    /* operations of callers that are not in the queue */
    unsigned nlost;      /* objects that are lost */
    bool is_lost;        /* more than are kept in mind: so all are */

    struct sum_op *ops_all, *ops_free;
    struct sum_op cleaner; /* also drops objects and flushes */
    bool is_cleaning;      /* the cleaner is at work */
    bool is_flushing;
    bool has_unflushed; /* something could not be written then */
    unsigned flush_at; /* the next object to flush */
    char *bounces;

    struct sum_unit *units_all, *units_free, *units_used; /* oldest first */
    struct sum_unit **unit_buckets;
    size_t unit_mask;
    unsigned nunits_dirty;
    unsigned nunits_writing; /* that were dirty */
    struct sums_stuck units_stuck;
    uint32_t *sums_all;
    struct sum_op *starved; /* operations that wait for a unit */
    struct sum_op *barred;  /* and those to be allowed one more that is dirty */

    struct sum_object *objects_all, *objects_free, *objects_used;
    struct sum_object **object_buckets;
    size_t object_mask;
    struct sum_object *dirty; /* oldest write first */
    struct sums_stuck objects_stuck;

    char *buffer; /* one unit of data, to sum it again */
    struct sum_op *buffer_op, *buffer_waiting;
};

/* sums.c */
/** Start a transfer of the store below; op->waiting counts it. */
struct obj_io *op_transfer(struct sum_op *op, enum obj_verb verb, uint8_t part);
/** Account for a failed transfer and say whether this was the last. */
void op_transfer_done(struct obj_io *io);
/** The end of a caller's operation; it may be gone afterwards. */
void op_end(struct sum_op *op, int64_t result);
/** Forget an object that nobody is at. */
void object_drop(struct sums_store *store, struct sum_object *object);
/** Start what may start of an object's operations. */
void object_advance(struct sum_object *object);
void store_submit(struct sums_store *store, struct obj_io *io);
/** A sync failed, or what it failed for is gone. */
void object_set_lost(struct sums_store *store, struct sum_object *object,
                     bool is_lost);
/** Go on with all who wait in a list. */
void wake_all(struct sum_op **list);
/** Note how an attempt to write something back has ended. */
void stuck_note(struct sums_store *store, struct sums_stuck *stuck, int rc);
/** Is it time for another attempt? */
bool stuck_may_try(const struct sums_store *store,
                   const struct sums_stuck *stuck);
/** Who would have to wait for an attempt to succeed: @return 0 to do so, or the
 *  code with which to give up. */
int stuck_code(const struct sums_store *store, const struct sums_stuck *stuck);

/* sums_io.c */
void read_start(struct sum_op *op);
void write_start(struct sum_op *op);
uint32_t unit_sum(const struct sum_unit *unit, uint64_t block);
void unit_set(struct sum_unit *unit, uint64_t block, uint32_t sum);
/** Compare blocks in memory with their sums. @return whether they fit; else
 *  op->rc and op->bad_offset are set. `len` ends with the last block's bytes.
 */
bool check_blocks(struct sum_op *op, uint64_t first, const char *bytes,
                  size_t len);

/* sums_join.c */
/** A write of a part of a block, which is in its bounce buffer if the object
 *  keeps any of it, takes those along that wait for the same block. @return
 *  true: it did, and [at, end) of the buffer is to be written. */
bool writes_join(struct sum_op *op, bool keeps_block);
bool read_may_ride(const struct sum_object *object, const struct obj_io *io);
void read_ride(struct sum_object *object, struct obj_io *io);
void riders_serve(struct sum_op *op);
void riders_fail(struct sum_op *op);

/* sums_cut.c */
void truncate_start(struct sum_op *op);
void destroy_start(struct sum_op *op);

/* sums_region.c */
void load_start(struct sum_op *op);
void intent_start(struct sum_op *op, uint64_t from, uint64_t to);
/** Is there nothing to sum in a stale region? Then it is stale no more. */
bool resum_needless(struct sum_object *object, unsigned region);
/** The region has something: this ends in a later poll. */
void resum_start(struct sum_op *op, unsigned region);
/** Ready the header's sector in `at`. */
void object_header(const struct sum_object *object, uint64_t boot, void *at);
/** The task is over: let the others go on. */
void task_end(struct sum_op *op);
/** As task_end(), and the operation itself has failed if op->rc says so. */
void task_settle(struct sum_op *op);

/* sums_clean.c */
/** Note that an object was written to. */
void object_touched(struct sums_store *store, struct sum_object *object);
void object_unlist(struct sums_store *store, struct sum_object *object);
/** Start a cleaning that is due. */
void clean_poll(struct sums_store *store);
/** Make room for an object. @return whether there is some now. */
bool objects_make_room(struct sums_store *store);
/** Is there a place for one more object that is written to? If not, make one.
 *  Some are left to those that are only read. */
bool objects_may_dirty(struct sums_store *store,
                       const struct sum_object *object);

/* sums_unit.c */
int units_init(struct sums_store *store);
void units_fini(struct sums_store *store);
/** Pin the unit for op->unit. @return false: op->step runs again later, with
 *  op->rc set if there is none to be had. */
bool unit_want(struct sum_op *op, struct sum_object *object, uint64_t index,
               enum unit_use use);
void unit_unpin(struct sum_op *op);
void unit_dirty(struct sums_store *store, struct sum_unit *unit);
/** Write a dirty unit to the device; writer, if any, counts it as waiting. */
void unit_write(struct sums_store *store, struct sum_unit *unit,
                struct sum_op *writer);
/** Forget the object's units from `index` on, written or not. */
void units_drop(struct sums_store *store, struct sum_object *object,
                uint64_t index);
/** Write some early, so that there are always units to be had. */
void units_write_ahead(struct sums_store *store);
/** Go on with who waits for a unit that is there now, and let none wait for one
 *  that cannot be had. */
void units_settle(struct sums_store *store);

#endif
