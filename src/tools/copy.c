/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of slots, each a buffer and at most one request. Put: end the oldest
 * request, fill its buffer, start it. Get: start reads until the ring is full,
 * end the oldest, write its buffer out. Either way the file moves in order on
 * the local side and DEPTH requests wide on the cluster's.
 *
 * After a failure every request is still ended, because its buffer is lent out
 * until then; only the first error is said.
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
    size_t length;
};

struct ring {
    struct copy *copy;
    struct capstan_file *file;
    const char *remote;
    const char *local;
    int fd;
    struct slot slots[DEPTH];
};

int copy_init(struct copy *copy, struct capstan_session *session)
{
    void *buffers;

    memset(copy, 0, sizeof(*copy));
    if (posix_memalign(&buffers, PAGE, (size_t)DEPTH * CHUNK) != 0) {
        tool_error("copy", "%s", strerror(ENOMEM));
        return -1;
    }
    copy->session = session;
    copy->buffers = buffers;
    return 0;
}

void copy_fini(struct copy *copy)
{
    free(copy->buffers);
    copy->buffers = NULL;
}

static void ring_init(struct ring *ring, struct copy *copy, const char *remote,
                      const char *local)
{
    *ring =
        (struct ring){.copy = copy, .remote = remote, .local = local, .fd = -1};
    for (size_t i = 0; i < DEPTH; i++)
        ring->slots[i].buffer = copy->buffers + i * CHUNK;
}

/* End a slot's request. An empty slot is fine: 0 bytes. */
static int slot_end(struct ring *ring, struct slot *slot, uint64_t *bytes_out)
{
    *bytes_out = 0;
    if (slot->request == NULL)
        return 0;
    if (capstan_request_wait(&slot->request, bytes_out) == 0)
        return 0;
    tool_session_error(ring->copy->session, ring->remote);
    return -1;
}

static void ring_drain(struct ring *ring)
{
    uint64_t bytes;

    for (size_t i = 0; i < DEPTH; i++)
        if (ring->slots[i].request != NULL)
            capstan_request_wait(&ring->slots[i].request, &bytes);
}

static int slot_start(struct ring *ring, struct slot *slot, uint64_t offset,
                      size_t length, bool is_write)
{
    struct capstan_run run = {
        .offset = offset, .length = length, .count = 1, .memory = slot->buffer};
    int rc;

    slot->length = length;
    rc = is_write
             ? capstan_file_writev_start(ring->file, &run, 1, &slot->request)
             : capstan_file_readv_start(ring->file, &run, 1, &slot->request);
    if (rc == 0)
        return 0;
    slot->request = NULL;
    tool_session_error(ring->copy->session, ring->remote);
    return -1;
}

static int check_interrupt(const struct ring *ring)
{
    if (!tool_interrupted())
        return 0;
    tool_error(ring->local, "interrupted");
    return -1;
}

/* Fill a buffer as far as the file goes. */
static int read_local(const struct ring *ring, char *buffer, size_t *len_out)
{
    size_t len = 0;
    ssize_t n;

    do {
        n = read(ring->fd, buffer + len, CHUNK - len);
        if (n < 0 && errno == EINTR && !tool_interrupted())
            continue;
        if (n < 0) {
            tool_error(ring->local, "%m");
            return -1;
        }
        len += (size_t)n;
    } while (n != 0 && len < CHUNK);
    *len_out = len;
    return 0;
}

static int write_local(const struct ring *ring, const char *buffer, size_t len)
{
    while (len > 0) {
        ssize_t n = write(ring->fd, buffer, len);

        if (n < 0 && errno == EINTR && !tool_interrupted())
            continue;
        if (n < 0) {
            tool_error(ring->local, "%m");
            return -1;
        }
        buffer += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put_slot_end(struct ring *ring, struct slot *slot)
{
    size_t length = slot->request != NULL ? slot->length : 0;
    uint64_t bytes;

    if (slot_end(ring, slot, &bytes) != 0)
        return -1;
    if (bytes != length) {
        tool_error(ring->remote, "%zu of %zu bytes were written", (size_t)bytes,
                   length);
        return -1;
    }
    progress_add(&ring->copy->progress, bytes);
    return 0;
}

static int put_data(struct ring *ring)
{
    uint64_t offset = 0;
    size_t len = 1;

    for (size_t n = 0; len > 0; n++) {
        struct slot *slot = &ring->slots[n % DEPTH];

        if (put_slot_end(ring, slot) != 0 || check_interrupt(ring) != 0 ||
            read_local(ring, slot->buffer, &len) != 0)
            return -1;
        if (len > 0 && slot_start(ring, slot, offset, len, true) != 0)
            return -1;
        offset += len;
    }
    for (size_t i = 0; i < DEPTH; i++)
        if (put_slot_end(ring, &ring->slots[i]) != 0)
            return -1;
    return 0;
}

/* Open the local file to put. @return its mode, or -1. */
static int open_source(struct ring *ring)
{
    struct stat stat_buf;

    if (strcmp(ring->local, "-") == 0) {
        ring->fd = dup(STDIN_FILENO);
        return ring->fd >= 0 ? 0644 : -1;
    }
    ring->fd = open(ring->local, O_RDONLY | O_CLOEXEC);
    if (ring->fd < 0 || fstat(ring->fd, &stat_buf) != 0) {
        tool_error(ring->local, "%m");
        return -1;
    }
    if (S_ISDIR(stat_buf.st_mode)) {
        tool_error(ring->local, "is a directory; -r copies it");
        return -1;
    }
    return (int)(stat_buf.st_mode & 0777);
}

static int put_open(struct ring *ring, int mode)
{
    struct copy *copy = ring->copy;
    struct capstan_layout layout = {.stripe_size = copy->stripe_size,
                                    .width = copy->width,
                                    .mode = (uint32_t)mode};

    if (mode >= 0 &&
        capstan_file_open(copy->session, ring->remote,
                          CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE |
                              CAPSTAN_OPEN_TRUNCATE,
                          &layout, &ring->file) == 0)
        return 0;
    if (mode >= 0)
        tool_session_error(copy->session, ring->remote);
    return -1;
}

int copy_put(struct copy *copy, const char *local, const char *remote)
{
    struct ring ring;
    int rc;

    ring_init(&ring, copy, remote, local);
    rc = put_open(&ring, open_source(&ring));
    if (rc == 0) {
        rc = put_data(&ring);
        ring_drain(&ring);
        if (capstan_file_close(&ring.file) != 0 && rc == 0) {
            tool_session_error(copy->session, remote);
            rc = -1;
        }
        if (rc != 0)
            capstan_unlink(copy->session, remote);
    }
    if (ring.fd >= 0)
        close(ring.fd);
    return rc;
}

/* Start reads until the ring is full or the file ends. */
static int get_ahead(struct ring *ring, uint64_t size, uint64_t *offset,
                     size_t *started, size_t ended)
{
    while (*offset < size && *started - ended < DEPTH) {
        struct slot *slot = &ring->slots[*started % DEPTH];
        uint64_t left = size - *offset;
        size_t length = left < CHUNK ? (size_t)left : CHUNK;

        if (slot_start(ring, slot, *offset, length, false) != 0)
            return -1;
        *offset += length;
        ++*started;
    }
    return 0;
}

static int get_data(struct ring *ring, uint64_t size)
{
    uint64_t offset = 0, bytes;
    size_t started = 0, ended = 0;
    bool is_short = false;

    while (!is_short) {
        struct slot *slot = &ring->slots[ended % DEPTH];

        if (check_interrupt(ring) != 0 ||
            get_ahead(ring, size, &offset, &started, ended) != 0)
            return -1;
        if (started == ended)
            return 0;
        if (slot_end(ring, slot, &bytes) != 0 ||
            write_local(ring, slot->buffer, (size_t)bytes) != 0)
            return -1;
        ended++;
        progress_add(&ring->copy->progress, bytes);
        /* The file became shorter meanwhile: what there is, is all. */
        is_short = bytes < slot->length;
    }
    return 0;
}

/* Open the local file to fill, with the mode of the remote one. */
static int open_destination(struct ring *ring)
{
    struct capstan_stat stat_buf;

    if (strcmp(ring->local, "-") == 0) {
        ring->fd = dup(STDOUT_FILENO);
        return ring->fd >= 0 ? 0 : -1;
    }
    if (capstan_stat(ring->copy->session, ring->remote, &stat_buf) != 0) {
        tool_session_error(ring->copy->session, ring->remote);
        return -1;
    }
    ring->fd = open(ring->local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    stat_buf.mode & 0777);
    if (ring->fd >= 0)
        return 0;
    tool_error(ring->local, "%m");
    return -1;
}

/* Remove what was begun, unless it is no plain file (a pipe, /dev/null). */
static void remove_destination(const struct ring *ring)
{
    struct stat stat_buf;

    if (strcmp(ring->local, "-") != 0 && ring->fd >= 0 &&
        fstat(ring->fd, &stat_buf) == 0 && S_ISREG(stat_buf.st_mode))
        unlink(ring->local);
}

int copy_get(struct copy *copy, const char *remote, const char *local)
{
    struct ring ring;
    uint64_t size;
    int rc;

    ring_init(&ring, copy, remote, local);
    if (capstan_file_open(copy->session, remote, CAPSTAN_OPEN_READ, NULL,
                          &ring.file) != 0 ||
        capstan_file_size(ring.file, &size) != 0) {
        tool_session_error(copy->session, remote);
        if (ring.file != NULL)
            capstan_file_close(&ring.file);
        return -1;
    }
    rc = open_destination(&ring);
    if (rc == 0)
        rc = get_data(&ring, size);
    ring_drain(&ring);
    capstan_file_close(&ring.file);
    if (rc != 0)
        remove_destination(&ring);
    if (ring.fd >= 0 && close(ring.fd) != 0 && rc == 0) {
        tool_error(local, "%m");
        unlink(local);
        rc = -1;
    }
    return rc;
}
