/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata executor: runs queued operations on names, all that are queued
 * in one transaction (group commit), then completes them on the reactor.
 *
 * Two forms behind one ops table: on a thread of its own (names_threaded), so
 * that a commit never holds up data, or inside names_exec_poll()
 * (names_inline), for the simulated cluster and tests.
 *
 * Units    none.
 * Threads  the reactor owns the executor and calls everything here; run() is
 *          called on the names thread, done() inside names_exec_poll(). An
 *          operation belongs to the executor from submit to done().
 * Failure  a commit that fails answers every operation of its batch with the
 *          error, and none of them has happened.
 */
#ifndef CAPSTAN_SERVER_NAMES_EXEC_H
#define CAPSTAN_SERVER_NAMES_EXEC_H

#include "meta/kv.h"
#include "meta/names.h"

#include <stdbool.h>
#include <stdint.h>

#define NAMES_BATCH_MAX 256 /* operations of one transaction */

struct names_op;
struct names_exec;

/** Do it, inside the open transaction; the result goes to op->rc. */
typedef void names_run_fn(struct names_op *op, struct names *names);

/** It is committed (op->rc as run() left it) or failed (op->rc). */
typedef void names_done_fn(struct names_op *op);

struct names_op {
    names_run_fn *run;
    names_done_fn *done;
    bool is_write;   /* run() may write */
    bool wants_sync; /* end only when all so far would survive power loss */
    int rc;
    bool is_broken; /* set by run(): half done, the batch must not commit */
    struct names_op *next; /* the executor's */
};

struct names_exec_config {
    const struct kv_driver *kv;
    struct kv_config kv_config;
    uint16_t target;
    const struct inode *root; /* the target keeps the root directory, which is
                                 made like this; else NULL */
};

struct names_exec_driver {
    int (*create)(const struct names_exec_config *config,
                  struct names_exec **exec_out);
    void (*destroy)(struct names_exec *exec);
    void (*submit)(struct names_exec *exec, struct names_op *op);
    int (*poll)(struct names_exec *exec);
    int (*wait_fd)(struct names_exec *exec);
};

/* Forms embed this first. */
struct names_exec {
    const struct names_exec_driver *driver;
    unsigned pending;  /* submitted, not yet completed */
    uint64_t commits;  /* that wrote something, as of the last poll */
    uint64_t unsynced; /* of them, since the last sync */
};

extern const struct names_exec_driver names_threaded;
extern const struct names_exec_driver names_inline;

/** Open the store and start. @return 0, what kv_open() and names_create()
 *  return, or -EAGAIN (no thread). */
static inline int names_exec_create(const struct names_exec_driver *driver,
                                    const struct names_exec_config *config,
                                    struct names_exec **exec_out)
{
    return driver->create(config, exec_out);
}

/** End the batch under way, forget what is queued, close; nothing is synced. No
 *  done() is called. A NULL *exec_p is allowed. */
void names_exec_destroy(struct names_exec **exec_p);

/** Queue an operation; its four fields above rc are set. Cannot fail. */
static inline void names_exec_submit(struct names_exec *exec,
                                     struct names_op *op)
{
    op->is_broken = false;
    exec->pending++;
    exec->driver->submit(exec, op);
}

/** Complete what has ended. @return how many. */
static inline int names_exec_poll(struct names_exec *exec)
{
    return exec->driver->poll(exec);
}

/** A descriptor that is readable when something ended, or -1. */
static inline int names_exec_wait_fd(struct names_exec *exec)
{
    return exec->driver->wait_fd(exec);
}

#endif
