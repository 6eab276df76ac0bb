/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the two halves of obj_uring: obj_uring.c admits operations and opens
 * files, verbs_uring.c carries one operation from its start to its end.
 *
 * Threads  the store's owner.
 * Failure  every verb that starts ends once, with end_op().
 */
#ifndef CAPSTAN_STORE_VERBS_URING_H
#define CAPSTAN_STORE_VERBS_URING_H

#include "store/file_table.h"
#include "store/obj_line.h"
#include "store/ring_uring.h"

#include <assert.h>

#define SHARDS OBJ_SHARDS

/* Counts changes of names in a shard directory; synced <= changed. */
struct shard {
    uint64_t changed;
    uint64_t synced;
};

struct uring_store {
    struct obj_store store; /* first */
    struct ring *ring;
    struct file_table table;
    unsigned nplaces; /* for registered files; two a file, or none */
    int dir_fd; /* objects/ */
    unsigned depth;
    unsigned active;      /* admitted and not ended */
    struct obj_line queue; /* not admitted */
    struct obj_line ended; /* to be called back */
    bool is_direct; /* until the file system refuses */
    bool is_memory; /* a file system without a device: tmpfs */
    bool has_logged_error;
    struct shard shards[SHARDS];
};

/* What the driver keeps in an operation. */
struct __attribute__((may_alias)) uring_op {
    struct file *file;
    uint64_t moved;   /* READ, WRITE: bytes so far */
    uint64_t changed; /* SYNC: the change of the shard that it covers */
    int shard_fd;     /* SYNC: -1 if the shard needs none */
    unsigned retries;
    unsigned nsyncs; /* SYNC: under way */
    int rc;          /* SYNC: of those that have ended */
};

static_assert(sizeof(struct uring_op) <= sizeof(((struct obj_io *)0)->driver),
              "an operation has room for the driver's part");

static inline struct uring_op *op_of(struct obj_io *io)
{
    return (struct uring_op *)io->driver;
}

/** Would it make the file, if there is none? */
bool verb_makes_file(const struct obj_io *io);

/** Start an operation whose file is open, or absent and not needed. */
void verb_start(struct uring_store *store, struct obj_io *io);

/** The ring has ended what a verb sent. */
void verb_go_on(struct uring_store *store, struct obj_io *io, int result);

/** An operation that runs has its result. */
void end_op(struct uring_store *store, struct obj_io *io, int64_t result);

/** Free a file's places in the ring, and its mapping: the table's closing(). */
void verb_closing(void *ctx, struct file *file);

/** Is another try due after this result? */
bool tries_again(struct obj_io *io, int result);

#endif
