/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a rank does whose step brought nothing.
 *
 * Ranks and servers may share cores, and who polls keeps the core from the one
 * that is waited for; sched_yield() alone does not mend that, for a scheduler
 * may well return at once. So a rank polls for a moment and then sleeps until
 * another one wakes it (at the ring), its driver does, or a nap is over.
 *
 * Who sleeps at the ring in a blocking call lets MPI move on what the program
 * has under way before each sleep: another rank may have to get a message of
 * this one before it can come to the ring.
 *
 * Within MPI_Wait a rank may sleep too, but not within an MPI_Test between
 * which the program computes: a thread that has used next to no processor time
 * since the last step is taken to wait.
 *
 * Possible failure modes: none. No sleep is without an end, so a wake-up that
 * is missed costs its length.
 */
#include "adio/common/coll_op.h"

#include <sched.h>
#include <time.h>

#define POLLS_CROWDED 8 /* more ranks than cores */
#define POLLS_NEAR 200  /* a core is free, and the wait nearly over */
#define POLLS_ALONE 2000
#define NAP_NS 20000
#define DOZE_US 1000      /* in a blocking call */
#define DOZE_SHORT_US 100 /* where other messages may be waited for as well */
#define WAITING_NS 20000  /* of processor time, between two steps */

static bool has_polled(const struct coll_op *op, struct coll_wait *wait)
{
    const struct coll_nodes *nodes = &op->kept->nodes;
    bool is_crowded = nodes->ranks_here > nodes->cores;
    unsigned crowded = op->kept->is_near ? POLLS_NEAR : POLLS_CROWDED;

    if (wait->state != (int)op->state) {
        wait->state = (int)op->state;
        wait->npolls = 0;
    }
    return wait->npolls++ >= (is_crowded ? crowded : POLLS_ALONE);
}

/* Nobody sends what is looked for: it is MPI's progress that is wanted. */
static void let_mpi_progress(const struct coll_op *op)
{
    int flag;

    PMPI_Iprobe(op->file->rank, COLL_TAG_NEVER, op->kept->comm, &flag,
                MPI_STATUS_IGNORE);
}

void coll_wait(struct coll_op *op, struct coll_wait *wait)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    bool has = has_polled(op, wait);

    if (op->io != NULL && !op->kept->is_at_ring)
        op->file->driver->idle(op->file);
    else if (!has)
        sched_yield();
    else if (op->kept->is_at_ring) {
        let_mpi_progress(op);
        coll_ring_doze(op->kept, DOZE_US);
    } else
        nanosleep(&nap, NULL);
}

void coll_wait_in_mpi(struct coll_op *op, struct coll_wait *wait)
{
    struct timespec now;
    uint64_t used_ns;

    if (!op->kept->is_at_ring)
        return;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    used_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (used_ns - wait->used_ns > WAITING_NS)
        wait->npolls = 0;
    wait->used_ns = used_ns;
    if (has_polled(op, wait))
        coll_ring_doze(op->kept, DOZE_SHORT_US);
}
