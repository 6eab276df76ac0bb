/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory that ranks of a node share: the ring, and a board on which each
 * says what it asks for, and how it went, so that a later operation begins and
 * ends without a message.
 *
 * The ring is made by the first operation that wants it, without blocking: rank
 * 0 makes a memory file and tells its number, the others open it by way of
 * /proc, and all agree. It stays the file's; no name is ever left behind.
 *
 * Why not MPI_Win_allocate_shared: it blocks, so it would have to be paid for
 * at every open.
 *
 * Possible failure modes: no memory, or a rank may not look at rank 0 through
 * /proc (another container, another user). All ranks then go on by messages,
 * and the file does not try again.
 */
#include "adio/common/coll_stream.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_FILE_BYTES (sizeof(struct ring_shared) + RING_BYTES)

static void make_file(struct coll_stream *stream)
{
    int fd = memfd_create("capstan-ring", MFD_CLOEXEC);

    stream->name = (struct ring_name){.pid = getpid(), .fd = -1};
    if (fd < 0)
        return;
    if (ftruncate(fd, RING_FILE_BYTES) == 0) {
        stream->name.fd = fd;
        stream->fd = fd;
        return;
    }
    close(fd);
}

static int open_file(const struct coll_stream *stream)
{
    char path[64];

    if (stream->fd >= 0)
        return stream->fd;
    if (stream->name.fd < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", stream->name.pid,
             stream->name.fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

static struct coll_ring *map(int fd)
{
    struct coll_ring *ring = mem_calloc(1, sizeof(*ring));

    if (ring == NULL)
        return NULL;
    ring->size = RING_FILE_BYTES;
    ring->shared =
        mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ring->shared != MAP_FAILED)
        return ring;
    free(ring);
    return NULL;
}

static void attach(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;

    stream->fd = open_file(stream);
    if (stream->fd >= 0)
        op->kept->ring = map(stream->fd);
    stream->has_local = op->kept->ring != NULL;
}

static enum coll_state by_messages(const struct coll_op *op)
{
    if (op->explain.strategy == ADIO_STRATEGY_DIRECT)
        return COLL_DIRECT;
    return op->explain.strategy == ADIO_STRATEGY_SHARE ? COLL_SHARE
                                                       : COLL_REQUEST;
}

static enum coll_state through(struct coll_op *op)
{
    if (op->all.is_mapped)
        return coll_mapped_begin(op);
    if (op->explain.strategy == ADIO_STRATEGY_DIRECT ||
        !(coll_has_no_holes(&op->all) || coll_is_one_list(op)))
        return by_messages(op);
    return COLL_STREAM;
}

static enum coll_state without_ring(struct coll_op *op)
{
    coll_ring_free(&op->kept->ring);
    op->kept->is_ring_refused = true;
    return by_messages(op);
}

enum coll_state coll_ring_step(struct coll_op *op)
{
    struct coll_stream *stream = op->stream;

    if (op->kept->ring != NULL && stream->making == 0)
        return through(op);
    if (stream->making == 0) {
        if (op->file->rank == 0)
            make_file(stream);
        PMPI_Ibcast(&stream->name, sizeof(stream->name), MPI_BYTE, 0,
                    op->kept->comm, &op->request);
        stream->making = 1;
    }
    if (!coll_request_done(op))
        return COLL_RING;
    if (stream->making == 1) {
        attach(op);
        PMPI_Iallreduce(&stream->has_local, &stream->has_all, 1, MPI_INT32_T,
                        MPI_MIN, op->kept->comm, &op->request);
        stream->making = 2;
        if (!coll_request_done(op))
            return COLL_RING;
    }
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    return stream->has_all ? through(op) : without_ring(op);
}

bool coll_ring_is_possible(const struct coll_op *op)
{
    return op->file->size > 1 && op->file->size <= RING_RANKS_MAX &&
           op->kept->nodes.nnodes == 1 && !op->kept->is_ring_refused;
}

void coll_ring_event(struct coll_ring *ring, int nwaking)
{
    __atomic_add_fetch(&ring->shared->nevents, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->shared->ndozing, __ATOMIC_SEQ_CST) > 0)
        syscall(SYS_futex, &ring->shared->nevents, FUTEX_WAKE, nwaking, NULL,
                NULL, 0);
}

void coll_ring_look(struct coll_kept *kept)
{
    kept->is_at_ring = false;
    kept->is_near = false;
    if (kept->ring != NULL)
        kept->ring->nseen =
            __atomic_load_n(&kept->ring->shared->nevents, __ATOMIC_SEQ_CST);
}

void coll_ring_doze(struct coll_kept *kept, unsigned most_us)
{
    const struct timespec most = {.tv_nsec = (long)most_us * 1000};
    struct ring_shared *shared = kept->ring->shared;

    __atomic_add_fetch(&shared->ndozing, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &shared->nevents, FUTEX_WAIT, kept->ring->nseen, &most,
            NULL, 0);
    __atomic_sub_fetch(&shared->ndozing, 1, __ATOMIC_SEQ_CST);
}

/* The board of the meeting that this rank is at, or comes to. */
static struct ring_board *board_of(const struct coll_op *op, int rank)
{
    const struct coll_ring *ring = op->kept->ring;

    return &ring->shared->boards[ring->nmeetings % 2][rank];
}

/*
 * All ranks meet: each has said its own, and waits until all have. Board n % 2
 * cannot be written for meeting n + 2 before all have read it for n: each rank
 * must have said its n + 1 first.
 *
 * When fewer are late than there are cores, who sleeps is woken to look out for
 * them on a core that is free: so nobody has to be woken when the last one
 * comes.
 *
 * @return true when all are there.
 */
static bool have_met(struct coll_op *op)
{
    struct coll_ring *ring = op->kept->ring;
    uint64_t n = ring->nmeetings;
    int nlate = op->file->size;

    if (!op->is_entered)
        __atomic_store_n(&board_of(op, op->file->rank)->said, n,
                         __ATOMIC_SEQ_CST);
    for (int i = 0; i < op->file->size; i++)
        nlate -= __atomic_load_n(&board_of(op, i)->said, __ATOMIC_SEQ_CST) == n;
    op->kept->is_at_ring = true;
    op->kept->is_near = nlate < op->kept->nodes.cores;
    if (!op->is_entered && op->kept->is_near)
        coll_ring_event(ring, INT_MAX);
    return nlate == 0;
}

static void say_asked(struct coll_op *op)
{
    struct ring_asked *asked;

    op->kept->ring->nmeetings++;
    asked = &board_of(op, op->file->rank)->asked;
    asked->summary = op->local;
    asked->nruns = op->mine.n;
    if (op->mine.n <= RING_RUNS_MAX)
        coll_wire_encode(&op->mine, asked->runs);
}

bool coll_ring_combine(struct coll_op *op)
{
    int last = op->file->size - 1;

    if (!op->is_entered)
        say_asked(op);
    if (!have_met(op))
        return false;
    op->is_met = true;
    op->all = coll_ring_asked(op, last)->summary;
    for (int i = last; i > 0; i--) {
        struct coll_summary left = coll_ring_asked(op, i - 1)->summary;
        int one = 1;

        coll_classify_combine(&left, &op->all, &one, NULL);
    }
    return true;
}

const struct ring_asked *coll_ring_asked(const struct coll_op *op, int rank)
{
    return &board_of(op, rank)->asked;
}

bool coll_ring_agree(struct coll_op *op)
{
    if (!op->is_entered) {
        op->kept->ring->nmeetings++;
        memcpy(board_of(op, op->file->rank)->agree, op->agree_local,
               sizeof(op->agree_local));
    }
    if (!have_met(op))
        return false;
    memcpy(op->agree_all, op->agree_local, sizeof(op->agree_all));
    for (int i = 0; i < op->file->size; i++)
        for (int k = 0; k < COLL_AGREE_WORDS; k++)
            if (board_of(op, i)->agree[k] > op->agree_all[k])
                op->agree_all[k] = board_of(op, i)->agree[k];
    return true;
}

void coll_ring_free(struct coll_ring **ring_p)
{
    if (*ring_p == NULL)
        return;
    munmap((*ring_p)->shared, (*ring_p)->size);
    free(*ring_p);
    *ring_p = NULL;
}
