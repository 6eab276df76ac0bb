/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata executor: runs queued operations on names, all that are queued
 * in one transaction (group commit), then completes them on the reactor.
 *
 * Two forms behind one ops table: names_threaded has a thread of its own, so
 * that nothing that waits for the device holds up data, and does short work
 * inside names_exec_poll() when that thread is idle; names_inline does all
 * there, for the simulated cluster and tests.
 *
 * Units    none.
 * Threads  the reactor owns the executor and calls everything here; run() is
 *          called on the names thread, or on the reactor while that thread is
 *          idle, and perhaps twice (see is_short); done() inside
 *          names_exec_poll(). An operation belongs to the executor from submit
 *          to done().
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
    bool is_short;   /* a few look-ups: run() may be called on the reactor. If
                        they cannot be answered from memory, what it did is
                        taken back and it is called once more, on the thread */
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
    unsigned queued;   /* of them, those that the next poll begins */
    bool is_moving;    /* the owner's: data are on the move, commit elsewhere */
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

/** Queue an operation; its fields above rc are set. Cannot fail. */
static inline void names_exec_submit(struct names_exec *exec,
                                     struct names_op *op)
{
    op->is_broken = false;
    exec->pending++;
    exec->driver->submit(exec, op);
}

/** Begin what is queued, complete what has ended. @return how many of both. */
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
