/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server's files share: the target and the tables of its operations.
 *
 * A request arrives in rpc's serve callback, op_dispatch() finds its handler,
 * and the handler takes a task of its kind from a list that was filled at
 * start: rpc admits no more than requests_max requests, so a task is there.
 *
 * Units    bytes, nanoseconds.
 * Threads  the target's reactor, except the run callbacks of names operations
 *          (names_exec.h), which see only their own operation, the cluster map
 *          and what is marked "names thread" below.
 * Failure  every handler answers its request exactly once.
 */
#ifndef CAPSTAN_SERVER_SERVER_H
#define CAPSTAN_SERVER_SERVER_H

#include "base/pool.h"
#include "base/spin.h"
#include "proto/counters.h"
#include "rpc/rpc.h"
#include "server/data.h"
#include "server/locks.h"
#include "server/names_exec.h"
#include "server/once.h"
#include "server/room.h"
#include "server/target.h"
#include "store/obj.h"

#include <stdatomic.h>

#define CALL_TIMEOUT_NS (5 * NS_PER_SEC) /* of a call to another target */
#define SYNC_EVERY_NS NS_PER_SEC         /* names are durable after this */

struct names_task;
struct listing;
struct object_task;
struct change_task;
struct changes;
struct check_page;
struct holds;
struct reaper;
struct scrub;

struct srv_target {
    struct srv_target_config config;
    const struct cluster *cluster;
    const struct clock *clock;
    uint64_t started_ns;
    int node; /* NUMA, of the device; -1: not known */
    struct net *net;
    struct net_mr *mr; /* of the pool */
    struct rpc *rpc;
    struct obj_store *objects;
    struct obj_store *checked; /* below it, past what was read ahead */
    bool has_ahead;            /* objects is an ahead.h store */
    struct names_exec *exec;
    struct srv_once *once; /* names thread */
    struct counters counters;
    struct data data; /* reads and writes */
    unsigned ncorrupt_logged;
    struct spin spin; /* of the reactor */

    struct names_task *names_all, *names_free;
    struct object_task *objects_all, *objects_free;
    struct object_task *grows; /* see op_object.c */
    struct listing *listings_all, *listings_free;
    struct changes *changes;
    struct change_task *changes_free;
    unsigned nwaiting; /* changes that try again later */
    struct holds *holds;
    struct check_page *check_page;
    struct reaper *reaper;
    struct scrub *scrub;
    struct locks *locks;

    struct names_op sync_op; /* once a second while there is something new */
    bool is_syncing;
    uint64_t sync_due_ns; /* UINT64_MAX: nothing to sync */

    struct room room; /* is_low: names thread too */
    int identity_fd; /* locked while we run, or -1 */
    int wake_fd;
    bool is_closing; /* callbacks only let go of what they hold */
};

/** Find the handler of a request and call it: rpc's serve callback. */
void op_dispatch(void *ctx, struct rpc_request *request);

/** One handler an opcode. */
typedef void op_fn(struct srv_target *target, struct rpc_request *request);

op_fn op_scrub;                                             /* op_scrub.c */
op_fn op_ping, op_stats;                                     /* op_misc.c */
op_fn op_lookup, op_getattr, op_setattr, op_create, op_mkdir, op_make,
    op_set_striped, op_dir_state;                            /* op_names.c */
op_fn op_unlink, op_rmdir, op_link, op_rename;               /* op_change.c */
op_fn op_part;                                               /* change_part.c */
op_fn op_xattr_get, op_xattr_set;                            /* op_xattr.c */
op_fn op_check, op_repair;                                   /* op_check.c */
op_fn op_plan;                                               /* op_plan.c */
op_fn op_hold;                                               /* op_hold.c */
op_fn op_readdir;                                            /* op_readdir.c */
op_fn op_read;                                               /* op_read.c */
op_fn op_write;                                              /* op_write.c */
op_fn op_obj_stat, op_obj_truncate, op_obj_allocate, op_obj_sync,
    op_obj_destroy;                                          /* op_object.c */
op_fn op_lock, op_unlock, op_renew;                           /* op_lock.c */
op_fn op_counter_step, op_counter_drop;                      /* op_counter.c */

/* Make and end the tasks of a kind; fini allows what init never made. */
int names_tasks_init(struct srv_target *target);
void names_tasks_fini(struct srv_target *target);
int listings_init(struct srv_target *target);
void listings_fini(struct srv_target *target);
int object_tasks_init(struct srv_target *target);
void object_tasks_fini(struct srv_target *target);
int changes_init(struct srv_target *target);
void changes_fini(struct srv_target *target);
int scrub_create(struct srv_target *target);
void scrub_destroy(struct srv_target *target);
int check_page_init(struct srv_target *target);
void check_page_fini(struct srv_target *target);
int lock_table_init(struct srv_target *target);

/** Settle or undo the changes that a restart interrupted. */
void changes_recover(struct srv_target *target);
/** Timers of changes that wait to try again. @return things done. */
int changes_poll(struct srv_target *target, uint64_t now);
uint64_t changes_next_timer(const struct srv_target *target);

/** Start objects that waited for the writes before them. @return how many. */
int object_tasks_poll(struct srv_target *target);
/** Is a size being set for this object, so that writes must wait? */
bool object_is_growing(const struct srv_target *target, uint64_t ino);

/** Is the record, or the directory's page, this target's? */
bool owns_name(const struct srv_target *target, uint64_t parent,
               const struct proto_bytes *text);
bool owns_directory(const struct srv_target *target, uint64_t dir);
/** Is the inode kept here? */
bool is_home(const struct srv_target *target, uint64_t ino);

/** Make names durable: is_syncing until that has ended. */
void target_sync(struct srv_target *target);

/** A name as names.h wants it. */
static inline struct name name_of(uint64_t parent,
                                  const struct proto_bytes *text)
{
    return (struct name){parent, (const char *)text->data, text->len};
}

static inline void srv_count(struct srv_target *target,
                             enum counter_index which, uint64_t more)
{
    target->counters.value[which] += more;
}

#endif
