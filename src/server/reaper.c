/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: after a kick, and PACE_NS of patience for requests that are
 * still under way, a sweep lists up to REAPS_MAX orphans (once, at the start,
 * it counts them all) and ends them side by side, each target after target:
 * here by the object store, elsewhere by a call. An orphan whose every target
 * has acknowledged is forgotten. A full list is followed by another; a short
 * one ends the sweep.
 *
 * Possible failure modes are: a target that does not answer (the others of the
 * layout are asked all the same, the orphan stays, the sweep goes on behind
 * it, and another sweep begins RETRY_NS after); a restart (the first sweep
 * begins with the target).
 */
#include "server/reaper.h"

#include "base/err.h"
#include "base/mem.h"
#include "server/holds.h"
#include "server/server.h"

#include <stddef.h>

#define REAPS_MAX 32
#define PACE_NS (200 * NS_PER_MS)
#define RETRY_NS (2 * NS_PER_SEC)

/* One orphan on its way out. */
struct reap {
    struct names_op op; /* first */
    struct obj_io io;
    struct rpc_call call;
    struct proto_req_obj_destroy req;
    struct reaper *reaper;
    struct layout layout;
    unsigned column; /* asked now */
    bool is_held;    /* somebody may have it open */
    bool has_failed;
};

struct reaper {
    struct names_op op; /* first: the list */
    struct srv_target *target;
    struct reap reaps[REAPS_MAX];
    unsigned nfound;
    unsigned nactive;
    uint64_t cursor; /* list orphans above this number */
    uint64_t total;  /* seen by a list */
    bool is_counted; /* how many there are, since the start */
    uint64_t next_ns;
    bool is_settled; /* a sweep has seen all that was held at the start */
    bool is_sweeping;
    bool is_kicked;
    bool has_failed; /* in this sweep */
};

int reaper_create(struct srv_target *target, struct reaper **reaper_out)
{
    struct reaper *reaper = mem_calloc(1, sizeof(*reaper));
    unsigned i;

    if (reaper == NULL)
        return -ENOMEM;
    reaper->target = target;
    for (i = 0; i < REAPS_MAX; i++)
        reaper->reaps[i].reaper = reaper;
    reaper->next_ns = clock_now(target->clock);
    *reaper_out = reaper;
    return 0;
}

void reaper_destroy(struct reaper **reaper_p)
{
    free(*reaper_p);
    *reaper_p = NULL;
}

void reaper_kick(struct reaper *reaper)
{
    srv_count(reaper->target, COUNTER_orphans, 1);
    reaper_wake(reaper);
}

void reaper_wake(struct reaper *reaper)
{
    reaper->is_kicked = true;
    if (!reaper->is_sweeping && reaper->next_ns == UINT64_MAX)
        reaper->next_ns = clock_now(reaper->target->clock) + PACE_NS;
}

/*
 * The list.
 */

static bool note_orphan(void *ctx, uint64_t ino, const struct layout *layout,
                        bool is_held)
{
    struct reaper *reaper = ctx;
    struct reap *reap;

    reaper->total++;
    if (reaper->nfound < REAPS_MAX) {
        reap = &reaper->reaps[reaper->nfound++];
        reap->req.ino = ino;
        reap->layout = *layout;
        reap->is_held = is_held;
    }
    return !reaper->is_counted || reaper->nfound < REAPS_MAX;
}

static void run_list(struct names_op *op, struct names *names)
{
    struct reaper *reaper = (struct reaper *)op;

    reaper->nfound = 0;
    reaper->total = 0;
    op->rc = names_orphans(names, reaper->cursor, note_orphan, reaper);
}

static void ask_column(struct reap *reap);
static void reap_end(struct reap *reap);
static void list(struct reaper *reaper);

static void end_sweep(struct reaper *reaper)
{
    uint64_t now = clock_now(reaper->target->clock);

    if (!reaper->is_settled && reaper->op.rc == 0) {
        reaper->is_settled = true;
        holds_settle(reaper->target->holds);
    }
    reaper->is_sweeping = false;
    reaper->cursor = 0;
    if (reaper->is_kicked)
        reaper->next_ns = now + PACE_NS;
    else if (reaper->has_failed)
        reaper->next_ns = now + RETRY_NS;
    else
        reaper->next_ns = UINT64_MAX;
}

/* All of a list are dealt with. */
static void end_list(struct reaper *reaper)
{
    if (reaper->nfound == REAPS_MAX)
        list(reaper);
    else
        end_sweep(reaper);
}

/* Somebody has it open; or had before the start, and may come again. */
static bool must_stay(struct reap *reap)
{
    struct srv_target *target = reap->reaper->target;
    uint64_t now = clock_now(target->clock);

    if (!reap->is_held)
        return false;
    if (!reap->reaper->is_settled)
        holds_add(target->holds, reap->req.ino, 0, now);
    return holds_has(target->holds, reap->req.ino, now);
}

/* What somebody has open is left for another sweep. */
static void begin(struct reap *reap)
{
    reap->column = 0;
    reap->has_failed = must_stay(reap);
    if (reap->has_failed)
        reap_end(reap);
    else
        ask_column(reap);
}

static void list_done(struct names_op *op)
{
    struct reaper *reaper = (struct reaper *)op;
    unsigned i, n = reaper->nfound; /* the last may start another list */

    if (reaper->target->is_closing)
        return;
    if (op->rc != 0) {
        reaper->has_failed = true;
        end_sweep(reaper);
        return;
    }
    if (!reaper->is_counted || (reaper->cursor == 0 && n < REAPS_MAX))
        reaper->target->counters.value[COUNTER_orphans] = reaper->total;
    reaper->is_counted = true;
    reaper->nactive = n;
    if (n == 0)
        end_sweep(reaper);
    for (i = 0; i < n; i++)
        if (reaper->reaps[i].req.ino > reaper->cursor)
            reaper->cursor = reaper->reaps[i].req.ino;
    for (i = 0; i < n; i++)
        begin(&reaper->reaps[i]);
}

static void list(struct reaper *reaper)
{
    reaper->op = (struct names_op){.run = run_list, .done = list_done};
    names_exec_submit(reaper->target->exec, &reaper->op);
}

/*
 * One orphan.
 */

static void reap_end(struct reap *reap)
{
    struct reaper *reaper = reap->reaper;

    if (reap->has_failed)
        reaper->has_failed = true;
    if (--reaper->nactive == 0)
        end_list(reaper);
}

static void run_forget(struct names_op *op, struct names *names)
{
    op->rc = names_orphan_done(names, ((struct reap *)op)->req.ino);
}

static void forgotten(struct names_op *op)
{
    struct reap *reap = (struct reap *)op;
    uint64_t *orphans =
        &reap->reaper->target->counters.value[COUNTER_orphans];

    if (reap->reaper->target->is_closing)
        return;
    reap->has_failed = op->rc != 0;
    if (op->rc == 0 && *orphans > 0)
        --*orphans;
    reap_end(reap);
}

static void asked(struct reap *reap, int rc)
{
    if (reap->reaper->target->is_closing)
        return;
    if (rc != 0)
        reap->has_failed = true;
    reap->column++;
    ask_column(reap);
}

static void here_done(struct obj_io *io)
{
    asked((struct reap *)((char *)io - offsetof(struct reap, io)),
          io->result < 0 ? (int)io->result : 0);
}

static void there_done(struct rpc_call *call, int rc,
                       const union proto_rep *rep)
{
    (void)rep;
    asked(call->ctx, rc);
}

static void ask_here(struct reap *reap)
{
    reap->io = (struct obj_io){
        .verb = OBJ_DESTROY, .ino = reap->req.ino, .done = here_done};
    obj_submit(reap->reaper->target->objects, &reap->io);
}

static void ask_there(struct reap *reap, uint16_t id)
{
    struct srv_target *target = reap->reaper->target;

    reap->call = (struct rpc_call){
        .target = id,
        .opcode = PROTO_OP_obj_destroy,
        .req = (const union proto_req *)&reap->req,
        .deadline_ns = clock_now(target->clock) + CALL_TIMEOUT_NS,
        .done = there_done,
        .ctx = reap,
    };
    rpc_call_start(target->rpc, &reap->call);
}

/* A file that was never striped has its bytes at its home alone; but one that
 * was held when its name went may have been striped since. */
static unsigned columns(const struct reap *reap)
{
    return reap->is_held ? reap->layout.width : layout_columns(&reap->layout);
}

/* Ask the target of the current column; behind the last, end it. */
static void ask_column(struct reap *reap)
{
    struct srv_target *target = reap->reaper->target;
    uint16_t id;

    if (reap->column < columns(reap)) {
        id = reap->layout.targets[reap->column];
        if (id == target->config.target)
            ask_here(reap);
        else if (cluster_target(target->cluster, id) != NULL)
            ask_there(reap, id);
        else
            asked(reap, -ENOENT); /* not in the map now */
    } else if (reap->has_failed) {
        reap_end(reap);
    } else {
        reap->op = (struct names_op){.run = run_forget,
                                     .done = forgotten,
                                     .is_write = true,
                                     .is_short = true};
        names_exec_submit(target->exec, &reap->op);
    }
}

int reaper_poll(struct reaper *reaper, uint64_t now)
{
    if (reaper->is_sweeping || now < reaper->next_ns)
        return 0;
    reaper->is_sweeping = true;
    reaper->is_kicked = false;
    reaper->has_failed = false;
    list(reaper);
    return 1;
}

uint64_t reaper_next_timer(const struct reaper *reaper)
{
    return reaper->is_sweeping ? UINT64_MAX : reaper->next_ns;
}
