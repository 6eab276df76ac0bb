/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects as files, through io_uring.
 *
 * The happy path:
 *
 * 1. submit() appends the operation to the store's queue. Nothing else.
 *
 * 2. poll() reaps what has ended, then admits operations from the queue while
 *    fewer than `depth` are active. An admitted operation joins the waiting
 *    line of its file.
 *
 * 3. advance() starts the operations of that line in order (verbs_uring.c). A
 *    file that is not open is opened first, through the ring; to be made only
 *    if the operation at the head of the line needs it.
 *
 * 4. All that was prepared goes to the kernel in one io_uring_enter. What
 *    ended at once (page cache) is reaped in the same poll().
 *
 * 5. Operations that ended are collected and called back last of all, so a
 *    callback may submit, and may free its operation. What it submits waits
 *    for the next poll(): a poll() that returned 0 has left nothing unsent.
 *
 * Order: within one object, SYNC, TRUNCATE and DESTROY start after everything
 * submitted before them has ended, and nothing starts during a DESTROY. Reads,
 * writes and stats run in any order between those.
 *
 * Possible failure modes are:
 *
 * - An operation, or the open it needed, ends with an error: it alone fails.
 *
 * - The process has no descriptor left: a quiet file is closed and the open is
 *   tried again; if none is quiet, the operation fails with -EMFILE.
 *
 * - The file system became read-only: reads go on, changes end with -EROFS.
 *
 * - Somebody took the files away: -EIO where that can be told, and for whoever
 *   wants durable what has no name any more.
 *
 * - io_uring_enter has no memory: entries stay for the next poll().
 */
#include "store/obj.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/lend_uring.h"
#include "store/verbs_uring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEPTH_DEFAULT 64
#define DEPTH_MAX 4096
#define REAP_MAX 8 /* at once, so that the device's queue is soon full again */
#define QUIET_MIN 16
#define QUIET_MAX 4096

/* A tag is an operation, or a file with the low bit set: its open. */
#define TAG_OPEN 1u

static struct uring_store *store_of(const struct obj_store *base)
{
    assert(base->driver == &obj_uring);
    return (struct uring_store *)base;
}

/*
 * A file's line.
 */

/* Take the head of the line: from now on it runs. */
static struct obj_io *take_waiting(struct file *file)
{
    struct obj_io *io = file->waiting;

    file->waiting = io->next;
    if (file->waiting == NULL)
        file->waiting_end = &file->waiting;
    file->running++;
    return io;
}

static bool may_start(const struct file *file, const struct obj_io *io)
{
    bool waits_for_earlier = io->verb == OBJ_SYNC || io->verb == OBJ_TRUNCATE ||
                             io->verb == OBJ_DESTROY;

    if (file->is_held || file->is_opening)
        return false;
    return !waits_for_earlier || file->running == 0;
}

static bool needs_open(const struct file *file, const struct obj_io *io)
{
    if (file->fd >= 0 || io->verb == OBJ_DESTROY)
        return false;
    return !file->is_absent || verb_makes_file(io);
}

static void end_open(struct uring_store *store, struct file *file, int result);

/* Where no device is waited for, at once: as transfers (verbs_uring.c). */
static void start_open(struct uring_store *store, struct file *file)
{
    int flags = O_CLOEXEC | (file->is_read_only ? O_RDONLY : O_RDWR);
    int fd;

    file->is_opening = true;
    file->is_creating = verb_makes_file(file->waiting);
    if (file->is_creating)
        flags |= O_CREAT;
    if (store->is_memory) {
        fd = openat(store->dir_fd, file->path, flags, 0600);
        end_open(store, file, fd < 0 ? -errno : fd);
        return;
    }
    ring_openat(store->ring, store->dir_fd, file->path, flags, 0600,
                (uintptr_t)file | TAG_OPEN);
}

static void advance(struct uring_store *store, struct file *file)
{
    while (file->waiting != NULL && may_start(file, file->waiting)) {
        if (needs_open(file, file->waiting)) {
            start_open(store, file);
            return;
        }
        verb_start(store, take_waiting(file));
    }
    if (file->waiting != NULL || file->running > 0)
        return;
    if (file->is_read_only) { /* perhaps it can be written next time */
        file_close(&store->table, file);
        file->is_read_only = false;
    }
    file_table_put(&store->table, file);
}

/* The shard directories are made before any object: one that is not there was
 * taken away, and nobody knows what was in it. */
static bool is_directory_gone(const struct uring_store *store,
                              const struct file *file)
{
    char name[3] = {file->path[0], file->path[1], '\0'};

    return faccessat(store->dir_fd, name, F_OK, 0) != 0;
}

/* May the open that ended so be tried in another way? */
static bool opens_otherwise(struct uring_store *store, struct file *file,
                            int result)
{
    if (result == -EROFS && !file->is_creating && !file->is_read_only) {
        file->is_read_only = true;
        return true;
    }
    return tries_again(file->waiting, result) ||
           ((result == -EMFILE || result == -ENFILE) &&
            file_table_evict(&store->table));
}

static void end_open(struct uring_store *store, struct file *file, int result)
{
    file->is_opening = false;
    if (result == -ENOENT && is_directory_gone(store, file))
        result = -EIO;
    if (result >= 0) {
        file->fd = result;
        file->is_absent = false;
        file_table_note_made(&store->table, file->ino, file->part);
        store->shards[file_shard(file->ino)].changed += file->is_creating;
    } else if (result == -ENOENT && !file->is_creating) {
        file->is_absent = true;
        file_table_note_absent(&store->table, file->ino, file->part);
    } else if (!opens_otherwise(store, file, result)) {
        file->is_read_only = false;
        end_op(store, take_waiting(file), result);
    }
    advance(store, file);
}

static void on_end(void *ctx, uint64_t tag, int result)
{
    struct uring_store *store = ctx;
    struct obj_io *io = (struct obj_io *)(uintptr_t)tag;
    struct file *file;

    if (tag & TAG_OPEN) {
        file = (struct file *)(uintptr_t)(tag & ~(uint64_t)TAG_OPEN);
        end_open(store, file, result);
        return;
    }
    file = op_of(io)->file;
    verb_go_on(store, io, result);
    advance(store, file);
}

/*
 * The queue.
 */

static void uring_submit(struct obj_store *base, struct obj_io *io)
{
    obj_line_add(&store_of(base)->queue, io);
}

static void admit(struct uring_store *store)
{
    struct obj_io *io;
    struct file *file;

    while (store->active < store->depth && store->queue.n > 0) {
        io = obj_line_take(&store->queue);
        file = file_table_get(&store->table, io->ino, io->part);
        *op_of(io) = (struct uring_op){.file = file, .shard_fd = -1};
        store->active++;
        io->next = NULL;
        *file->waiting_end = io;
        file->waiting_end = &io->next;
        advance(store, file);
    }
}

static int uring_poll(struct obj_store *base)
{
    struct uring_store *store = store_of(base);

    ring_reap(store->ring, REAP_MAX, on_end, store);
    admit(store);
    while (ring_unsent(store->ring) > 0 && ring_send(store->ring) > 0) {
        ring_reap(store->ring, REAP_MAX, on_end, store);
        admit(store);
    }
    return obj_line_call(&store->ended);
}

static unsigned uring_pending(const struct obj_store *base)
{
    const struct uring_store *store = store_of(base);

    return store->queue.n + store->active + store->ended.n;
}

static int uring_wait_fd(struct obj_store *base)
{
    return ring_fd(store_of(base)->ring);
}

static int uring_space(struct obj_store *base, uint64_t *total_out,
                       uint64_t *free_out)
{
    struct statvfs fs;

    if (fstatvfs(store_of(base)->dir_fd, &fs) != 0)
        return -errno;
    *total_out = (uint64_t)fs.f_blocks * fs.f_frsize;
    *free_out = (uint64_t)fs.f_bavail * fs.f_frsize;
    return 0;
}

static void uring_fresh(struct obj_store *base, uint64_t ino)
{
    struct uring_store *store = store_of(base);

    for (uint8_t part = 0; part < FILE_PARTS; part++)
        file_table_note_absent(&store->table, ino, part);
}

static const void *uring_lend(struct obj_store *base, uint64_t ino,
                              uint64_t offset, size_t length)
{
    return lend_bytes(store_of(base), ino, offset, length);
}

/*
 * Listing.
 */

/* The number that a name stands for. @return false: it is not an object's. */
static bool parse_name(const char *name, uint64_t *ino_out)
{
    static const char digits[] = "0123456789abcdef";

    if (strlen(name) != 16 || strspn(name, digits) != 16)
        return false;
    *ino_out = strtoull(name, NULL, 16);
    return true;
}

/* Keep the least `room` of all that are offered, ascending. */
static void offer(uint64_t ino, uint64_t *inos, unsigned room, unsigned *count)
{
    unsigned at = *count;

    if (at == room && ino >= inos[room - 1])
        return;
    if (at == room)
        at--;
    for (; at > 0 && inos[at - 1] > ino; at--)
        inos[at] = inos[at - 1];
    inos[at] = ino;
    *count += *count < room;
}

static int uring_list(struct obj_store *base, unsigned shard, uint64_t after,
                      uint64_t *inos, unsigned room, unsigned *count_out)
{
    struct dirent *entry;
    uint64_t ino;
    char name[3];
    DIR *dir;
    int fd;

    snprintf(name, sizeof(name), "%02x", shard & 0xff);
    fd = openat(store_of(base)->dir_fd, name,
                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL)
        return -errno;
    *count_out = 0;
    while ((entry = readdir(dir)) != NULL)
        if (parse_name(entry->d_name, &ino) && ino > after)
            offer(ino, inos, room, count_out);
    closedir(dir);
    return 0;
}

/*
 * Open and close.
 */

static int make_directory(int parent_fd, const char *name)
{
    return mkdirat(parent_fd, name, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int make_shards(int dir_fd)
{
    char name[3];
    int rc;

    for (unsigned i = 0; i < SHARDS; i++) {
        snprintf(name, sizeof(name), "%02x", i);
        rc = make_directory(dir_fd, name);
        if (rc != 0)
            return rc;
    }
    return fsync(dir_fd) == 0 ? 0 : -errno;
}

/* Open objects/ below the directory; what is missing is made. */
static int open_directory(const char *directory, int *dir_fd_out)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int above_fd, dir_fd, rc;

    above_fd = open(directory, flags);
    if (above_fd < 0)
        return -errno;
    rc = make_directory(above_fd, "objects");
    if (rc != 0)
        goto out_above;
    dir_fd = openat(above_fd, "objects", flags);
    if (dir_fd < 0) {
        rc = -errno;
        goto out_above;
    }
    rc = make_shards(dir_fd);
    if (rc == 0 && fsync(above_fd) != 0)
        rc = -errno;
    if (rc == 0)
        *dir_fd_out = dir_fd;
    else
        close(dir_fd);

out_above:
    close(above_fd);
    return rc;
}

/* A quarter of the descriptors that the process may have: a server runs
 * several targets. */
static unsigned quiet_max(void)
{
    struct rlimit limit;
    rlim_t n = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        n = limit.rlim_cur / 4;
    if (n < QUIET_MIN)
        n = QUIET_MIN;
    return n > QUIET_MAX ? QUIET_MAX : (unsigned)n;
}

static bool is_in_memory(int dir_fd)
{
    struct statfs fs;

    return fstatfs(dir_fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static void store_init(struct uring_store *store,
                       const struct obj_config *config)
{
    unsigned depth = config->queue_depth;

    store->store.driver = &obj_uring;
    store->depth = depth == 0          ? DEPTH_DEFAULT
                   : depth > DEPTH_MAX ? DEPTH_MAX
                                       : depth;
    store->is_direct = config->is_direct;
    obj_line_init(&store->queue);
    obj_line_init(&store->ended);
    for (unsigned i = 0; i < SHARDS; i++)
        store->shards[i].changed = 1; /* by a former process, perhaps */
}

static int uring_open(const struct obj_config *config,
                      struct obj_store **store_out)
{
    struct uring_store *store = mem_calloc(1, sizeof(*store));
    int rc;

    if (store == NULL)
        return -ENOMEM;
    store_init(store, config);
    rc = open_directory(config->directory, &store->dir_fd);
    if (rc != 0) {
        errno = -rc;
        log_error("cannot open the objects in %s: %m", config->directory);
        goto err_store;
    }
    store->is_memory = is_in_memory(store->dir_fd);
    rc = file_table_init(&store->table, store->depth, quiet_max());
    if (rc != 0)
        goto err_directory;
    rc = ring_create(2 * store->depth, config->pool, config->pool_size,
                     &store->ring); /* a sync takes two entries */
    if (rc != 0)
        goto err_table;
    store->nplaces =
        ring_places(store->ring, 2 * (store->depth + store->table.quiet_max));
    store->table.closing = verb_closing;
    store->table.closing_ctx = store;
    *store_out = &store->store;
    return 0;

err_table:
    file_table_fini(&store->table);
err_directory:
    close(store->dir_fd);
err_store:
    free(store);
    return rc;
}

static void uring_close(struct obj_store *base)
{
    struct uring_store *store = store_of(base);

    while (uring_pending(base) > 0) {
        if (uring_poll(base) == 0 && store->active > 0)
            ring_wait(store->ring);
    }
    file_table_fini(&store->table); /* frees places in the ring */
    ring_destroy(&store->ring);
    close(store->dir_fd);
    free(store);
}

const struct obj_driver obj_uring = {
    .name = "uring",
    .open = uring_open,
    .close = uring_close,
    .submit = uring_submit,
    .poll = uring_poll,
    .pending = uring_pending,
    .wait_fd = uring_wait_fd,
    .space = uring_space,
    .list = uring_list,
    .fresh = uring_fresh,
    .lend = uring_lend,
};
