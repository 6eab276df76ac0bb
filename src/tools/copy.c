/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of slots, each a buffer that is read into and then written from. The
 * slots move on in order; where an end lies in the cluster its part is a
 * request, and up to DEPTH of them are under way:
 *
 *     start a read    as long as a slot is free and the source goes on
 *     move            end the oldest read, start the write of its bytes
 *     end             end the oldest write; its slot is free again
 *
 * Here, a read or write is done when it is started. After a failure every
 * request is still ended, because its buffer is lent out until then; only the
 * first error is said.
 */
#include "tools/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capstan/namespace.h>

#include "tools/tool.h"

#define DEPTH 4
#define CHUNK (4u << 20)
#define PAGE 4096

struct slot {
    char *buffer;
    struct capstan_request *request; /* NULL: none under way */
    uint64_t offset;
    size_t length;
};

struct end {
    const char *path;
    bool is_remote;
    struct capstan_file *file;
    int fd;
};

struct ring {
    struct copy *copy;
    struct end from;
    struct end to;
    uint64_t limit; /* of a remote source: its size */
    uint64_t offset;
    bool is_over; /* the source has no more */
    size_t started, moved, ended;
    struct slot slots[DEPTH];
};

int copy_init(struct copy *copy, struct capstan_session *session,
              struct progress *progress)
{
    void *buffers;

    memset(copy, 0, sizeof(*copy));
    if (posix_memalign(&buffers, PAGE, (size_t)DEPTH * CHUNK) != 0) {
        tool_error("copy", "%s", strerror(ENOMEM));
        return -1;
    }
    copy->session = session;
    copy->progress = progress;
    copy->buffers = buffers;
    return 0;
}

void copy_fini(struct copy *copy)
{
    free(copy->buffers);
    copy->buffers = NULL;
}

static struct slot *slot_of(struct ring *ring, size_t n)
{
    return &ring->slots[n % DEPTH];
}

static int say(const struct ring *ring, const struct end *end)
{
    if (end->is_remote)
        tool_session_error(ring->copy->session, end->path);
    else
        tool_error(end->path, "%m");
    return -1;
}

/* Fill a buffer as far as the file goes. */
static int read_local(const struct end *end, char *buffer, size_t *len_out)
{
    size_t len = 0;
    ssize_t n;

    do {
        n = read(end->fd, buffer + len, CHUNK - len);
        if (n < 0 && errno == EINTR && !tool_interrupted())
            continue;
        if (n < 0) {
            tool_error(end->path, "%m");
            return -1;
        }
        len += (size_t)n;
    } while (n != 0 && len < CHUNK);
    *len_out = len;
    return 0;
}

static int write_local(const struct end *end, const char *buffer, size_t len)
{
    while (len > 0) {
        ssize_t n = write(end->fd, buffer, len);

        if (n < 0 && errno == EINTR && !tool_interrupted())
            continue;
        if (n < 0) {
            tool_error(end->path, "%m");
            return -1;
        }
        buffer += n;
        len -= (size_t)n;
    }
    return 0;
}

static int start_request(struct ring *ring, const struct end *end,
                         struct slot *slot, bool is_write)
{
    struct capstan_run run = {.offset = slot->offset,
                              .length = slot->length,
                              .count = 1,
                              .memory = slot->buffer};
    int rc = is_write
                 ? capstan_file_writev_start(end->file, &run, 1, &slot->request)
                 : capstan_file_readv_start(end->file, &run, 1, &slot->request);

    if (rc == 0)
        return 0;
    slot->request = NULL;
    return say(ring, end);
}

/* End a slot's request, if it has one: then *bytes_out is set. */
static int end_request(struct ring *ring, const struct end *end,
                       struct slot *slot, uint64_t *bytes_out)
{
    if (slot->request == NULL ||
        capstan_request_wait(&slot->request, bytes_out) == 0)
        return 0;
    return say(ring, end);
}

static bool may_start(const struct ring *ring)
{
    return !ring->is_over && ring->started - ring->ended < DEPTH;
}

static int start_read(struct ring *ring)
{
    struct slot *slot = slot_of(ring, ring->started);
    uint64_t left = ring->limit - ring->offset;

    slot->offset = ring->offset;
    slot->length = left < CHUNK ? (size_t)left : CHUNK;
    if (!ring->from.is_remote &&
        read_local(&ring->from, slot->buffer, &slot->length) != 0)
        return -1;
    ring->is_over = slot->length < CHUNK;
    if (slot->length == 0)
        return 0;
    ring->offset += slot->length;
    ring->started++;
    return ring->from.is_remote ? start_request(ring, &ring->from, slot, false)
                                : 0;
}

/* The oldest read becomes a write. */
static int move(struct ring *ring)
{
    struct slot *slot = slot_of(ring, ring->moved);
    uint64_t bytes = slot->length;

    if (end_request(ring, &ring->from, slot, &bytes) != 0)
        return -1;
    ring->moved++;
    if (bytes < slot->length) {
        /* The file became shorter meanwhile: what there is, is all. What was
         * started behind it reads nothing. */
        ring->is_over = true;
        slot->length = (size_t)bytes;
    }
    if (slot->length == 0)
        return 0;
    if (ring->to.is_remote)
        return start_request(ring, &ring->to, slot, true);
    return write_local(&ring->to, slot->buffer, slot->length);
}

static int end_write(struct ring *ring)
{
    struct slot *slot = slot_of(ring, ring->ended);
    uint64_t bytes = slot->length;

    if (end_request(ring, &ring->to, slot, &bytes) != 0)
        return -1;
    if (bytes != slot->length) {
        tool_error(ring->to.path, "%zu of %zu bytes were written",
                   (size_t)bytes, slot->length);
        return -1;
    }
    ring->ended++;
    progress_add(ring->copy->progress, bytes);
    return 0;
}

static int step(struct ring *ring)
{
    if (tool_interrupted()) {
        tool_error(ring->from.path, "interrupted");
        return -1;
    }
    if (may_start(ring)) {
        size_t before = ring->started;

        if (start_read(ring) != 0)
            return -1;
        /* As many requests to read as there may be, before any is ended. */
        if (ring->from.is_remote && ring->started > before && may_start(ring))
            return 0;
    }
    if (ring->moved < ring->started)
        return move(ring);
    return ring->ended < ring->moved ? end_write(ring) : 0;
}

static int move_all(struct ring *ring)
{
    int rc = 0;

    while (rc == 0 && (!ring->is_over || ring->ended < ring->started)) {
        rc = step(ring);
        /* Written here is written. */
        while (rc == 0 && !ring->to.is_remote && ring->ended < ring->moved)
            rc = end_write(ring);
    }
    return rc;
}

static void drain(struct ring *ring)
{
    uint64_t bytes;

    for (size_t i = 0; i < DEPTH; i++)
        if (ring->slots[i].request != NULL)
            capstan_request_wait(&ring->slots[i].request, &bytes);
}

static bool is_stream(const struct end *end)
{
    return !end->is_remote && strcmp(end->path, "-") == 0;
}

/* Open the source. @param mode_out  its permission bits. */
static int open_here(struct ring *ring, uint32_t *mode_out)
{
    struct end *from = &ring->from;
    struct stat stat_buf;

    from->fd = is_stream(from) ? dup(STDIN_FILENO)
                               : open(from->path, O_RDONLY | O_CLOEXEC);
    if (from->fd < 0 || fstat(from->fd, &stat_buf) != 0)
        return say(ring, from);
    if (S_ISDIR(stat_buf.st_mode)) {
        tool_error(from->path, "is a directory; -r copies it");
        return -1;
    }
    ring->limit = UINT64_MAX;
    *mode_out = is_stream(from) ? 0644 : stat_buf.st_mode & 0777;
    return 0;
}

static int open_there(struct ring *ring, uint32_t *mode_out)
{
    struct capstan_session *session = ring->copy->session;
    struct capstan_stat stat_buf;
    struct end *from = &ring->from;

    if (capstan_file_open(session, from->path, CAPSTAN_OPEN_READ, NULL,
                          &from->file) != 0 ||
        capstan_file_size(from->file, &ring->limit) != 0 ||
        capstan_stat(session, from->path, &stat_buf) != 0)
        return say(ring, from);
    *mode_out = stat_buf.mode & 0777;
    return 0;
}

static int create_here(struct ring *ring, uint32_t mode)
{
    struct end *to = &ring->to;

    to->fd =
        is_stream(to)
            ? dup(STDOUT_FILENO)
            : open(to->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return to->fd >= 0 ? 0 : say(ring, to);
}

static int create_there(struct ring *ring, uint32_t mode)
{
    struct copy *copy = ring->copy;
    struct capstan_layout layout = {
        .stripe_size = copy->stripe_size, .width = copy->width, .mode = mode};

    if (capstan_file_open(copy->session, ring->to.path,
                          CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                              CAPSTAN_OPEN_TRUNCATE,
                          &layout, &ring->to.file) == 0)
        return 0;
    return say(ring, &ring->to);
}

/* End what an end holds. @return 0, or -1: not yet said. */
static int close_end(struct end *end)
{
    int rc = 0;

    if (end->file != NULL)
        rc = capstan_file_close(&end->file);
    if (end->fd >= 0)
        rc = close(end->fd);
    end->fd = -1;
    return rc;
}

/* Remove what was begun, unless it is no plain file (a pipe, /dev/null). */
static void remove_begun(const struct ring *ring)
{
    const struct end *to = &ring->to;
    struct stat stat_buf;

    if (to->is_remote)
        capstan_unlink(ring->copy->session, to->path);
    else if (!is_stream(to) && lstat(to->path, &stat_buf) == 0 &&
             S_ISREG(stat_buf.st_mode))
        unlink(to->path);
}

static int copy_opened(struct ring *ring, uint32_t mode)
{
    int rc =
        ring->to.is_remote ? create_there(ring, mode) : create_here(ring, mode);

    if (rc != 0)
        return rc;
    rc = move_all(ring);
    drain(ring);
    if (close_end(&ring->to) != 0 && rc == 0)
        rc = say(ring, &ring->to);
    if (rc != 0)
        remove_begun(ring);
    return rc;
}

static struct end end_of(struct copy_end given)
{
    return (struct end){
        .path = given.path, .is_remote = given.is_remote, .fd = -1};
}

int copy_file(struct copy *copy, struct copy_end from, struct copy_end to)
{
    struct ring ring = {.copy = copy, .from = end_of(from), .to = end_of(to)};
    uint32_t mode = 0;
    int rc;

    for (size_t i = 0; i < DEPTH; i++)
        ring.slots[i].buffer = copy->buffers + i * CHUNK;
    rc = from.is_remote ? open_there(&ring, &mode) : open_here(&ring, &mode);
    if (rc == 0)
        rc = copy_opened(&ring, mode);
    close_end(&ring.from);
    return rc;
}
