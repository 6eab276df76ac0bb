/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One operation on a file, from verb_start() to end_op().
 *
 * The happy path: a read or write is sent to the ring, and again for the rest
 * when it ended short. STAT and TRUNCATE are system calls that touch only the
 * inode. SYNC syncs the file and its shard directory, when names there
 * changed after the last sync of it; what a former process changed is not
 * known, so the first SYNC in each shard always syncs the directory. DESTROY
 * closes and unlinks.
 *
 * Possible failure modes are the device's: the operation ends with the code.
 * -EINTR and -EAGAIN are tried again, RETRIES_MAX times. A write that moves
 * nothing is -EIO. A directory whose sync failed is synced by the next SYNC.
 *
 * Checksums are the business of the layer above (sums.h).
 */
#include "store/verbs_uring.h"

#include "base/log.h"
#include "store/lend_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIRECT_ALIGN 4096u
#define REGISTER_AFTER 16u /* transfers */
#define RETRIES_MAX 1000 /* of one operation, after -EINTR or -EAGAIN */
#ifndef TRANSFER_MAX     /* tests make it small, so that transfers resume */
#define TRANSFER_MAX ((size_t)1 << 30)
#endif

bool verb_makes_file(const struct obj_io *io)
{
    return ((io->verb == OBJ_WRITE || io->verb == OBJ_ALLOCATE) &&
            io->length > 0) ||
           (io->verb == OBJ_TRUNCATE && io->offset > 0);
}

static bool is_beyond_any_file(uint64_t offset, uint64_t length)
{
    return offset > INT64_MAX || length > INT64_MAX - offset;
}

static void log_first_error(struct uring_store *store, const struct obj_io *io)
{
    static const char *const verbs[] = {"read",     "write", "stat",
                                        "truncate", "sync",  "destroy",
                                        "allocation"};

    if (io->result != -EIO || store->has_logged_error)
        return;
    store->has_logged_error = true;
    log_error("%s of object %016llx, offset %llu, length %zu: %s; further "
              "errors of this device are answered, not logged",
              verbs[io->verb], (unsigned long long)io->ino,
              (unsigned long long)io->offset, io->length, strerror(EIO));
}

void end_op(struct uring_store *store, struct obj_io *io, int64_t result)
{
    op_of(io)->file->running--;
    store->active--;
    io->result = result;
    log_first_error(store, io);
    obj_line_add(&store->ended, io);
}

bool tries_again(struct obj_io *io, int result)
{
    return (result == -EINTR || result == -EAGAIN) &&
           op_of(io)->retries++ < RETRIES_MAX;
}

/*
 * READ and WRITE.
 */

/*
 * Direct I/O: an extent that is aligned goes by a second descriptor with
 * O_DIRECT, any other by the page cache, which the kernel keeps coherent: it
 * writes back before a direct read, and drops before a direct write.
 */
static bool is_aligned(const void *memory, size_t length, uint64_t offset)
{
    return (((uintptr_t)memory | length | offset) & (DIRECT_ALIGN - 1)) == 0;
}

static int open_direct(struct uring_store *store, struct file *file)
{
    char path[64];

    if (file->direct_fd >= 0)
        return file->direct_fd;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
    file->direct_fd = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
    if (file->direct_fd < 0 && errno == EINVAL) {
        log_warn("no direct I/O on this file system: going on without");
        store->is_direct = false;
    }
    return file->direct_fd;
}

/* A file that is used a lot is registered, so that the kernel need not look it
 * up each time. Each has two places in the ring. */
static int registered_file(struct uring_store *store, struct file *file,
                           bool is_direct)
{
    unsigned place = 2 * file_index(&store->table, file) + is_direct;
    int fd = is_direct ? file->direct_fd : file->fd;
    unsigned bit = 1u << is_direct;

    if (file->registered & bit)
        return RING_FILE(place);
    if (++file->transfers % REGISTER_AFTER != 0 || place >= store->nplaces ||
        !ring_place(store->ring, place, fd))
        return fd;
    file->registered |= bit;
    return RING_FILE(place);
}

void verb_closing(void *ctx, struct file *file)
{
    struct uring_store *store = ctx;
    unsigned place = 2 * file_index(&store->table, file);

    for (unsigned i = 0; i < 2; i++)
        if (file->registered & 1u << i)
            ring_place(store->ring, place + i, -1);
    file->registered = 0;
    file->transfers = 0;
    lend_end(file);
}

static int transfer_file(struct uring_store *store, struct file *file,
                         const void *memory, size_t length, uint64_t offset)
{
    bool is_direct = store->is_direct && file->part == 0 &&
                     is_aligned(memory, length, offset) &&
                     open_direct(store, file) >= 0;

    return registered_file(store, file, is_direct);
}

static void end_transfer(struct uring_store *store, struct obj_io *io,
                         int result);

/* Where no device is waited for, a copy here costs less than any queue: on
 * tmpfs io_uring hands each operation to a thread of its own. */
static void transfer_now(struct uring_store *store, struct obj_io *io,
                         void *memory, size_t length, uint64_t offset)
{
    int fd = op_of(io)->file->fd;
    ssize_t n = io->verb == OBJ_READ
                    ? pread(fd, memory, length, (off_t)offset)
                    : pwrite(fd, memory, length, (off_t)offset);

    end_transfer(store, io, n < 0 ? -errno : (int)n);
}

static void send_transfer(struct uring_store *store, struct obj_io *io)
{
    struct uring_op *op = op_of(io);
    size_t length = io->length - op->moved;
    char *memory = (char *)io->memory + op->moved;
    uint64_t offset = io->offset + op->moved;
    uint64_t tag = (uintptr_t)io;
    int file;

    if (length > TRANSFER_MAX)
        length = TRANSFER_MAX;
    if (store->is_memory) {
        transfer_now(store, io, memory, length, offset);
        return;
    }
    file = transfer_file(store, op->file, memory, length, offset);
    if (io->verb == OBJ_READ)
        ring_read(store->ring, file, memory, length, offset, tag);
    else
        ring_write(store->ring, file, memory, length, offset, io->is_durable,
                   tag);
}

static void start_transfer(struct uring_store *store, struct obj_io *io)
{
    bool is_read = io->verb == OBJ_READ;

    if (io->length == 0 || (is_read && op_of(io)->file->fd < 0))
        end_op(store, io, 0);
    else if (is_beyond_any_file(io->offset, io->length))
        end_op(store, io, is_read ? 0 : -EFBIG);
    else if (!is_read && op_of(io)->file->is_read_only)
        end_op(store, io, -EROFS);
    else
        send_transfer(store, io);
}

/* Does the object end where this read has come to? If unsure, say no. */
static bool is_at_end(const struct obj_io *io, const struct uring_op *op)
{
    struct stat st;

    return fstat(op->file->fd, &st) == 0 &&
           (uint64_t)st.st_size <= io->offset + op->moved;
}

static void end_transfer(struct uring_store *store, struct obj_io *io,
                         int result)
{
    struct uring_op *op = op_of(io);

    if (tries_again(io, result)) {
        send_transfer(store, io);
        return;
    }
    if (result < 0) {
        end_op(store, io, result);
        return;
    }
    op->moved += (uint64_t)result;
    if (op->moved == io->length)
        end_op(store, io, (int64_t)op->moved);
    else if (io->verb == OBJ_WRITE && result == 0)
        end_op(store, io, -EIO);
    else if (io->verb == OBJ_READ && (result == 0 || is_at_end(io, op)))
        end_op(store, io, (int64_t)op->moved);
    else
        send_transfer(store, io);
}

/*
 * STAT and TRUNCATE: the ring has no operation on a descriptor for them in
 * the kernels of today. Both touch only the inode.
 */

static void start_stat(struct uring_store *store, struct obj_io *io)
{
    struct file *file = op_of(io)->file;
    struct stat st;

    io->size_out = io->mtime_ns_out = 0;
    if (file->fd < 0) {
        end_op(store, io, 0);
        return;
    }
    if (fstat(file->fd, &st) != 0) {
        end_op(store, io, -errno);
        return;
    }
    io->size_out = (uint64_t)st.st_size;
    io->mtime_ns_out = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
                       (uint64_t)st.st_mtim.tv_nsec;
    end_op(store, io, 0);
}

static void start_truncate(struct uring_store *store, struct obj_io *io)
{
    struct file *file = op_of(io)->file;
    int rc = 0;

    if (is_beyond_any_file(io->offset, 0)) {
        end_op(store, io, -EFBIG);
        return;
    }
    if (file->fd >= 0 && file->is_read_only) {
        end_op(store, io, -EROFS);
        return;
    }
    if (file->fd >= 0) {
        lend_end(file);
        do
            rc = ftruncate(file->fd, (off_t)io->offset);
        while (rc != 0 && tries_again(io, -errno));
    }
    end_op(store, io, rc == 0 ? 0 : -errno);
}

/*
 * ALLOCATE.
 */

/* Does the device hold what the file lacks (at most: which parts it has is not
 * asked), and what shall be left over? */
static bool has_room(const struct uring_store *store, struct obj_io *io)
{
    uint64_t end = io->offset + io->length, has = 0, lacks;
    struct statvfs fs;
    struct stat st;

    if (fstatvfs(store->dir_fd, &fs) != 0)
        return true;
    if (fstat(op_of(io)->file->fd, &st) == 0)
        has = (uint64_t)st.st_blocks * 512;
    lacks = end > has ? end - has : 0;
    if (lacks > io->length)
        lacks = io->length;
    return lacks == 0 ||
           lacks + io->spare <= (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void start_allocate(struct uring_store *store, struct obj_io *io)
{
    struct file *file = op_of(io)->file;

    if (is_beyond_any_file(io->offset, io->length))
        end_op(store, io, -EFBIG);
    else if (file->fd < 0) /* of no byte */
        end_op(store, io, 0);
    else if (file->is_read_only)
        end_op(store, io, -EROFS);
    else if (!has_room(store, io))
        end_op(store, io, -ENOSPC);
    else
        ring_allocate(store->ring, file->fd, io->offset, io->length,
                      (uintptr_t)io);
}

static void end_allocate(struct uring_store *store, struct obj_io *io,
                         int result)
{
    if (tries_again(io, result))
        ring_allocate(store->ring, op_of(io)->file->fd, io->offset, io->length,
                      (uintptr_t)io);
    else
        end_op(store, io, result);
}

/*
 * SYNC and DESTROY.
 */

static struct shard *shard_of(struct uring_store *store,
                              const struct obj_io *io)
{
    return &store->shards[file_shard(io->ino)];
}

/* The directory, if names in it changed since it was synced last; else -1.
 * @return 0 or why it cannot be synced. */
static int open_changed_shard(struct uring_store *store, struct obj_io *io)
{
    struct uring_op *op = op_of(io);
    char name[3];

    op->changed = shard_of(store, io)->changed;
    if (shard_of(store, io)->synced >= op->changed)
        return 0;
    snprintf(name, sizeof(name), "%02x", file_shard(io->ino));
    op->shard_fd =
        openat(store->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (op->shard_fd >= 0)
        return 0;
    return errno == ENOENT ? -EIO : -errno;
}

/* Was the open file removed by somebody else? No sync could keep it. */
static bool is_removed(const struct file *file)
{
    struct stat st;

    return fstat(file->fd, &st) == 0 && st.st_nlink == 0;
}

/* The file, and behind it, without coming back here, its directory. */
static void send_syncs(struct uring_store *store, struct obj_io *io)
{
    struct uring_op *op = op_of(io);
    int fd = op->file->fd;

    op->nsyncs = (fd >= 0) + (op->shard_fd >= 0);
    op->rc = 0;
    if (fd >= 0)
        ring_sync(store->ring, fd, op->nsyncs == 2, (uintptr_t)io);
    if (op->shard_fd >= 0)
        ring_sync(store->ring, op->shard_fd, false, (uintptr_t)io);
}

static void start_sync(struct uring_store *store, struct obj_io *io)
{
    struct uring_op *op = op_of(io);
    int rc = op->file->fd >= 0 && is_removed(op->file)
                 ? -EIO
                 : open_changed_shard(store, io);

    if (rc == 0)
        send_syncs(store, io);
    if (rc != 0 || op->nsyncs == 0)
        end_op(store, io, rc);
}

/* One that did not begin, because the other failed, is not the cause. */
static void end_sync(struct uring_store *store, struct obj_io *io, int result)
{
    struct uring_op *op = op_of(io);
    struct shard *shard = shard_of(store, io);

    if (op->rc == 0 || op->rc == -ECANCELED)
        op->rc = result < 0 ? result : op->rc;
    if (--op->nsyncs > 0)
        return;
    if (tries_again(io, op->rc)) {
        send_syncs(store, io);
        return;
    }
    if (op->shard_fd >= 0) {
        close(op->shard_fd);
        if (op->rc == 0 && shard->synced < op->changed)
            shard->synced = op->changed;
    }
    end_op(store, io, op->rc);
}

/* What is not there is gone already. Else the descriptor goes first, so that
 * the blocks are freed by the unlink, which the kernel runs in a worker, and
 * not by close() in this thread. */
static void start_destroy(struct uring_store *store, struct obj_io *io)
{
    struct file *file = op_of(io)->file;

    if (file->fd < 0 && file->is_absent) {
        end_op(store, io, 0);
        return;
    }
    file_close(&store->table, file);
    file->is_held = true;
    ring_unlinkat(store->ring, store->dir_fd, file->path, (uintptr_t)io);
}

static void end_destroy(struct uring_store *store, struct obj_io *io,
                        int result)
{
    struct file *file = op_of(io)->file;

    if (tries_again(io, result)) {
        ring_unlinkat(store->ring, store->dir_fd, file->path, (uintptr_t)io);
        return;
    }
    file->is_held = false;
    file->is_absent = result == 0 || result == -ENOENT;
    if (result == 0)
        shard_of(store, io)->changed++;
    end_op(store, io, result == -ENOENT ? 0 : result);
}

void verb_start(struct uring_store *store, struct obj_io *io)
{
    switch (io->verb) {
    case OBJ_READ:
    case OBJ_WRITE:
        start_transfer(store, io);
        break;
    case OBJ_STAT:
        start_stat(store, io);
        break;
    case OBJ_TRUNCATE:
        start_truncate(store, io);
        break;
    case OBJ_SYNC:
        start_sync(store, io);
        break;
    case OBJ_DESTROY:
        start_destroy(store, io);
        break;
    case OBJ_ALLOCATE:
        start_allocate(store, io);
        break;
    }
}

void verb_go_on(struct uring_store *store, struct obj_io *io, int result)
{
    switch (io->verb) {
    case OBJ_READ:
    case OBJ_WRITE:
        end_transfer(store, io, result);
        break;
    case OBJ_SYNC:
        end_sync(store, io, result);
        break;
    case OBJ_DESTROY:
        end_destroy(store, io, result);
        break;
    case OBJ_ALLOCATE:
        end_allocate(store, io, result);
        break;
    case OBJ_STAT:
    case OBJ_TRUNCATE:
        assert(!"ended where it started");
        break;
    }
}
