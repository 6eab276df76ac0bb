/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: ring_create() sets up a submission queue of `depth` entries
 * (so a slot is always free for an operation within the depth) and registers
 * the caller's memory in pieces of at most 1 GiB, the kernel's limit.
 *
 * Possible failure modes are:
 *
 * - io_uring does not exist, or is forbidden (seccomp, sysctl): -ENOSYS.
 *
 * - Registering exceeds RLIMIT_MEMLOCK: operations use plain addresses. More
 *   files than RLIMIT_NOFILE: they use plain descriptors.
 *
 * - The kernel is older than 5.19 and does not know how to leave our thread
 *   alone when an operation ends: the ring is set up without that.
 *
 * - io_uring_enter lacks memory: the entries stay prepared for a later send.
 */
#include "store/ring_uring.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <string.h>

#define PIECE_BYTES ((size_t)1 << 30)
#define PIECES_MAX 64

/* What has ended waits until this thread calls the kernel anyway, and does not
 * interrupt it; the ring says so by a flag. */
#define SETUP_FLAGS (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

struct ring {
    struct io_uring uring;
    char *memory; /* NULL: nothing is registered */
    size_t memory_size;
};

static void register_memory(struct ring *ring, char *memory, size_t size)
{
    struct iovec pieces[PIECES_MAX];
    unsigned n = 0;
    int rc;

    if (size > PIECE_BYTES * PIECES_MAX)
        size = PIECE_BYTES * PIECES_MAX;
    for (size_t at = 0; at < size; at += PIECE_BYTES, n++) {
        pieces[n].iov_base = memory + at;
        pieces[n].iov_len = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
    }
    rc = io_uring_register_buffers(&ring->uring, pieces, n);
    if (rc != 0) {
        log_info("io_uring: %zu bytes were not registered (%s); "
                 "going on without",
                 size, strerror(-rc));
        return;
    }
    ring->memory = memory;
    ring->memory_size = size;
}

int ring_create(unsigned depth, void *memory, size_t memory_size,
                struct ring **ring_out)
{
    struct ring *ring = mem_calloc(1, sizeof(*ring));
    int rc;

    if (ring == NULL)
        return -ENOMEM;
    rc = io_uring_queue_init(depth, &ring->uring, SETUP_FLAGS);
    if (rc == -EINVAL)
        rc = io_uring_queue_init(depth, &ring->uring, 0);
    if (rc != 0)
        goto err_ring;
    io_uring_ring_dontfork(&ring->uring);
    if (memory != NULL && memory_size > 0)
        register_memory(ring, memory, memory_size);
    *ring_out = ring;
    return 0;

err_ring:
    log_error("io_uring: a queue of %u cannot be set up: %s", depth,
              strerror(-rc));
    free(ring);
    return rc == -ENOMEM ? -ENOMEM : -ENOSYS;
}

void ring_destroy(struct ring **ring_p)
{
    if (*ring_p == NULL)
        return;
    io_uring_queue_exit(&(*ring_p)->uring);
    free(*ring_p);
    *ring_p = NULL;
}

unsigned ring_places(struct ring *ring, unsigned nplaces)
{
    int rc = io_uring_register_files_sparse(&ring->uring, nplaces);

    if (rc == 0)
        return nplaces;
    log_info("io_uring: %u files cannot be registered (%s); going on without",
             nplaces, strerror(-rc));
    return 0;
}

bool ring_place(struct ring *ring, unsigned place, int fd)
{
    return io_uring_register_files_update(&ring->uring, place, &fd, 1) == 1;
}

/* A registered file is named by its place. */
static void set_file(struct io_uring_sqe *entry, int file)
{
    if (file >= 0)
        return;
    entry->fd = RING_FILE(0) - file;
    entry->flags |= IOSQE_FIXED_FILE;
}

static struct io_uring_sqe *take_entry(struct ring *ring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

    assert(entry != NULL);
    return entry;
}

/* The piece that holds all of an extent, or -1. */
static int piece_of(const struct ring *ring, const char *memory, size_t length)
{
    size_t at = (size_t)(memory - ring->memory);

    if (ring->memory == NULL || memory < ring->memory ||
        at >= ring->memory_size || length > ring->memory_size - at)
        return -1;
    if (at / PIECE_BYTES != (at + length - 1) / PIECE_BYTES)
        return -1;
    return (int)(at / PIECE_BYTES);
}

void ring_read(struct ring *ring, int file, void *memory, size_t length,
               uint64_t offset, uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);
    int piece = piece_of(ring, memory, length);

    if (piece < 0)
        io_uring_prep_read(entry, file, memory, (unsigned)length, offset);
    else
        io_uring_prep_read_fixed(entry, file, memory, (unsigned)length, offset,
                                 piece);
    set_file(entry, file);
    io_uring_sqe_set_data64(entry, tag);
}

void ring_write(struct ring *ring, int file, void *memory, size_t length,
                uint64_t offset, bool is_durable, uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);
    int piece = piece_of(ring, memory, length);

    if (piece < 0)
        io_uring_prep_write(entry, file, memory, (unsigned)length, offset);
    else
        io_uring_prep_write_fixed(entry, file, memory, (unsigned)length, offset,
                                  piece);
    set_file(entry, file);
    if (is_durable)
        entry->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data64(entry, tag);
}

void ring_sync(struct ring *ring, int fd, bool is_first, uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);

    io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC);
    if (is_first)
        entry->flags |= IOSQE_IO_LINK;
    io_uring_sqe_set_data64(entry, tag);
}

void ring_allocate(struct ring *ring, int fd, uint64_t offset, uint64_t length,
                   uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);

    io_uring_prep_fallocate(entry, fd, FALLOC_FL_KEEP_SIZE, (off_t)offset,
                            (off_t)length);
    io_uring_sqe_set_data64(entry, tag);
}

void ring_openat(struct ring *ring, int dir_fd, const char *path, int flags,
                 mode_t mode, uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);

    io_uring_prep_openat(entry, dir_fd, path, flags, mode);
    io_uring_sqe_set_data64(entry, tag);
}

void ring_unlinkat(struct ring *ring, int dir_fd, const char *path,
                   uint64_t tag)
{
    struct io_uring_sqe *entry = take_entry(ring);

    io_uring_prep_unlinkat(entry, dir_fd, path, 0);
    io_uring_sqe_set_data64(entry, tag);
}

unsigned ring_unsent(const struct ring *ring)
{
    return io_uring_sq_ready(&ring->uring);
}

int ring_send(struct ring *ring)
{
    int sent = io_uring_submit(&ring->uring);

    return sent < 0 ? -EAGAIN : sent;
}

void ring_wait(struct ring *ring)
{
    io_uring_submit_and_wait(&ring->uring, 1);
}

unsigned ring_reap(struct ring *ring, unsigned most, ring_end_fn *fn, void *ctx)
{
    struct io_uring_cqe *end;
    unsigned n = 0;
    uint64_t tag;
    int result;

    while (n < most && io_uring_peek_cqe(&ring->uring, &end) == 0 &&
           end != NULL) {
        tag = io_uring_cqe_get_data64(end);
        result = end->res;
        io_uring_cqe_seen(&ring->uring, end);
        fn(ctx, tag, result);
        n++;
    }
    return n;
}

int ring_fd(const struct ring *ring)
{
    return ring->uring.ring_fd;
}
