/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks that touch in the file, whatever run they come from, go into one
 * system call of up to IOV_PIECES pieces. A read goes over small holes between
 * blocks too (data sieving, without a second copy: what lies in a hole goes to
 * memory that nobody looks at), since a system call costs more than they do:
 *
 *   1. gather() walks from the cursor while the next block begins where the
 *      last one ended, or a small hole later;
 *   2. preadv or pwritev moves them;
 *   3. the cursor advances by what was really moved, so a short transfer is
 *      resumed by simply going on.
 *
 * Possible failure modes: a read of 0 bytes is the end of the file: blocks at
 * or after it are skipped and not counted, blocks before it (a list need not be
 * in order) are still read. EINTR is repeated. A write that moves nothing
 * without an errno is -EIO. Everything else is the errno.
 */
#include "adio/ad_posix/posix_io.h"

#include <errno.h>
#include <sys/uio.h>

#define IOV_PIECES 256

/* Where the bytes of holes go, from any thread. */
static char waste[POSIX_IO_HOLE_MAX];

struct batch {
    struct iovec iov[IOV_PIECES];
    int niov;
    uint64_t offset;
    uint64_t bytes;
};

void posix_io_start(struct posix_io *io, int fd, bool is_write,
                    const struct run *runs, size_t nruns, uint64_t hole_max)
{
    *io = (struct posix_io){
        .fd = fd,
        .is_write = is_write,
        .runs = runs,
        .nruns = nruns,
        .hole_max = is_write ? 0 : hole_max,
        .end = UINT64_MAX,
    };
}

static void next_block(const struct posix_io *io, struct posix_cursor *at)
{
    at->within = 0;
    if (++at->block == io->runs[at->run].count) {
        at->block = 0;
        at->run++;
    }
}

static uint64_t file_offset(const struct posix_io *io,
                            const struct posix_cursor *at)
{
    const struct run *run = &io->runs[at->run];

    return run->offset + at->block * run->stride + at->within;
}

static void *memory(const struct posix_io *io, const struct posix_cursor *at)
{
    const struct run *run = &io->runs[at->run];
    int64_t disp = (int64_t)at->block * run->mem_stride;

    return (void *)(uintptr_t)(run->mem + (uint64_t)disp + at->within);
}

/* Move the cursor to a block that holds bytes. @return false: none left. */
static bool settle(const struct posix_io *io, struct posix_cursor *at)
{
    while (at->run < io->nruns) {
        if (io->runs[at->run].length != 0 && file_offset(io, at) < io->end)
            return true;
        at->run++; /* offsets within a run never fall: skip the rest of it */
        at->block = at->within = 0;
    }
    return false;
}

static void add_piece(struct batch *batch, void *base, uint64_t length)
{
    batch->iov[batch->niov++] =
        (struct iovec){.iov_base = base, .iov_len = length};
    batch->bytes += length;
}

static void gather(const struct posix_io *io, uint64_t limit,
                   struct batch *batch)
{
    struct posix_cursor at = io->at;

    batch->niov = 0;
    batch->bytes = 0;
    batch->offset = file_offset(io, &at);
    while (batch->niov + 2 <= IOV_PIECES && settle(io, &at)) {
        uint64_t hole = file_offset(io, &at) - batch->offset - batch->bytes;
        uint64_t length = io->runs[at.run].length - at.within;

        if (hole > io->hole_max || batch->bytes + hole >= limit)
            return; /* it may lie before, too: then the hole is huge */
        if (hole > 0)
            add_piece(batch, waste, hole);
        if (length > limit - batch->bytes)
            length = limit - batch->bytes;
        add_piece(batch, memory(io, &at), length);
        next_block(io, &at);
    }
}

/* Within one block. */
void posix_io_advance(struct posix_io *io, uint64_t bytes)
{
    io->bytes += bytes;
    io->at.within += bytes;
    if (io->at.within < io->runs[io->at.run].length)
        return;
    next_block(io, &io->at);
    settle(io, &io->at); /* over runs of length 0, as gather() went */
}

static void advance(struct posix_io *io, const struct batch *batch,
                    uint64_t bytes)
{
    for (int i = 0; bytes > 0; i++) {
        uint64_t length = batch->iov[i].iov_len;

        if (length > bytes)
            length = bytes;
        if (batch->iov[i].iov_base != waste)
            posix_io_advance(io, length);
        bytes -= length;
    }
}

static int move_batch(struct posix_io *io, const struct batch *batch,
                      uint64_t *moved_out)
{
    ssize_t n;

    do {
        if (io->is_write)
            n = pwritev(io->fd, batch->iov, batch->niov, (off_t)batch->offset);
        else
            n = preadv(io->fd, batch->iov, batch->niov, (off_t)batch->offset);
    } while (n < 0 && errno == EINTR);
    *moved_out = n > 0 ? (uint64_t)n : 0;
    if (n < 0)
        return -errno;
    return n == 0 && io->is_write ? -EIO : 0;
}

int posix_io_move(struct posix_io *io, uint64_t slice, bool *done_out)
{
    struct batch batch;
    uint64_t moved;
    int rc;

    *done_out = true;
    while (settle(io, &io->at)) {
        if (slice == 0) {
            *done_out = false;
            return 0;
        }
        gather(io, slice, &batch);
        rc = move_batch(io, &batch, &moved);
        if (rc != 0)
            return rc;
        if (moved == 0)
            io->end = batch.offset;
        advance(io, &batch, moved);
        slice -= moved;
    }
    return 0;
}

bool posix_io_peek(struct posix_io *io, uint64_t *offset_out,
                   uint64_t *length_out, void **mem_out)
{
    if (!settle(io, &io->at))
        return false;
    *offset_out = file_offset(io, &io->at);
    *length_out = io->runs[io->at.run].length - io->at.within;
    if (*length_out > io->end - *offset_out)
        *length_out = io->end - *offset_out;
    *mem_out = memory(io, &io->at);
    return true;
}
