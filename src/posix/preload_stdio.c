/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams of stdio on files of ours.
 *
 * The C library reads and writes behind a FILE by calls of its own that nobody
 * can wrap, so a stream of ours is a cookie stream (fopencookie(3)) over our
 * read, write, lseek and close. The same goes for stdin, stdout and stderr when
 * their descriptor becomes ours: by dup2, as a shell does, or over exec.
 *
 * Possible failure modes are: more streams at once than fileno() can remember
 * (it then says EBADF, as it does for any cookie stream).
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (64u << 10)
#define STREAMS_MAX 1024

struct cookie {
    int fd;
    FILE *stream;
    char buffer[BUFFER];
};

static struct {
    pthread_mutex_t lock;
    struct cookie *list[STREAMS_MAX];
} streams = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void replace(struct cookie *before, struct cookie *after)
{
    pthread_mutex_lock(&streams.lock);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (streams.list[i] != before)
            continue;
        streams.list[i] = after;
        break;
    }
    pthread_mutex_unlock(&streams.lock);
}

static ssize_t cookie_read(void *ctx, char *data, size_t len)
{
    return read(((struct cookie *)ctx)->fd, data, len);
}

/* A cookie's write says 0 for an error. */
static ssize_t cookie_write(void *ctx, const char *data, size_t len)
{
    ssize_t done = write(((struct cookie *)ctx)->fd, data, len);

    return done > 0 ? done : 0;
}

static int cookie_seek(void *ctx, off64_t *offset, int whence)
{
    off_t at = lseek(((struct cookie *)ctx)->fd, *offset, whence);

    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

static int cookie_close(void *ctx)
{
    struct cookie *cookie = ctx;
    int rc = close(cookie->fd);

    replace(cookie, NULL);
    free(cookie);
    return rc;
}

static FILE *stream_on(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = {cookie_read, cookie_write,
                                                    cookie_seek, cookie_close};
    struct cookie *cookie = calloc(1, sizeof(*cookie));

    if (cookie == NULL)
        return NULL;
    cookie->fd = fd;
    cookie->stream = fopencookie(cookie, mode, functions);
    if (cookie->stream == NULL) {
        free(cookie);
        return NULL;
    }
    setvbuf(cookie->stream, cookie->buffer, _IOFBF, BUFFER);
    replace(NULL, cookie);
    return cookie->stream;
}

/* @return flags of open(2), or -1: no such mode. */
static int flags_of(const char *mode)
{
    bool is_both = strchr(mode, '+') != NULL;
    int flags = is_both ? O_RDWR : O_WRONLY;

    switch (*mode) {
    case 'r':
        flags = is_both ? O_RDWR : O_RDONLY;
        break;
    case 'w':
        flags |= O_CREAT | O_TRUNC;
        break;
    case 'a':
        flags |= O_CREAT | O_APPEND;
        break;
    default:
        return -1;
    }
    if (strchr(mode, 'x') != NULL)
        flags |= O_EXCL;
    if (strchr(mode, 'e') != NULL)
        flags |= O_CLOEXEC;
    return flags;
}

PX_EXPORT FILE *fdopen(int fd, const char *mode)
{
    if (!px_has(fd))
        return px_real()->fdopen(fd, mode);
    if (flags_of(mode) >= 0)
        return stream_on(fd, mode);
    px_result(-EINVAL, 0);
    return NULL;
}

PX_EXPORT FILE *fopen(const char *path, const char *mode)
{
    char place[PX_PATH_MAX];
    FILE *stream;
    int flags, fd;

    if (px_claim(AT_FDCWD, path, place) == 0)
        return px_real()->fopen(path, mode);
    flags = flags_of(mode);
    if (flags < 0) {
        px_result(-EINVAL, 0);
        return NULL;
    }
    fd = open(path, flags, 0666);
    if (fd < 0)
        return NULL;
    stream = stream_on(fd, mode);
    if (stream == NULL)
        close(fd);
    return stream;
}

/* The cookie of a stream; NULL: it is the C library's. */
static struct cookie *cookie_of(FILE *stream)
{
    struct cookie *found = NULL;

    pthread_mutex_lock(&streams.lock);
    for (size_t i = 0; found == NULL && i < STREAMS_MAX; i++)
        if (streams.list[i] != NULL && streams.list[i]->stream == stream)
            found = streams.list[i];
    pthread_mutex_unlock(&streams.lock);
    return found;
}

PX_EXPORT int fileno(FILE *stream)
{
    struct cookie *cookie = cookie_of(stream);

    return cookie != NULL ? cookie->fd : px_real()->fileno(stream);
}

/* A stream cannot become one of ours, or one of ours another: the file behind
 * it changes (its descriptor is copied over), the kind of stream stays. So it
 * works for the three standard streams and for streams of ours. */
PX_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    struct cookie *cookie = cookie_of(stream);
    char place[PX_PATH_MAX];
    int flags = flags_of(mode), fd, target = fileno(stream);

    if (cookie == NULL &&
        (path == NULL || px_claim(AT_FDCWD, path, place) == 0))
        return px_real()->freopen(path, mode, stream);
    if (flags < 0 || path == NULL || (cookie == NULL && target > 2)) {
        px_result(path == NULL ? -ENOTSUP : -EINVAL, 0);
        return NULL;
    }
    fflush(stream);
    fd = open(path, flags, 0666);
    if (fd < 0)
        return NULL;
    if (dup2(fd, target) < 0)
        target = -1;
    close(fd);
    if (target < 0)
        return NULL;
    clearerr(stream);
    if (cookie != NULL)
        return stream;
    return target == 0 ? stdin : target == 1 ? stdout : stderr;
}

__asm__(".globl fopen64\n.set fopen64, fopen\n"
        ".globl freopen64\n.set freopen64, freopen\n"
        ".globl fileno_unlocked\n.set fileno_unlocked, fileno\n");

void px_stdio_follow(int fd)
{
    FILE **standard = fd == 0   ? &stdin
                      : fd == 1 ? &stdout
                      : fd == 2 ? &stderr
                                : NULL;
    FILE *stream;

    if (standard == NULL || cookie_of(*standard) != NULL)
        return;
    if (fd != 0)
        fflush(*standard);
    stream = stream_on(fd, fd == 0 ? "r" : "w");
    if (stream == NULL)
        return;
    if (fd == 2)
        setvbuf(stream, NULL, _IONBF, 0);
    *standard = stream;
}

void px_stdio_init(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (px_has(fd))
            px_stdio_follow(fd);
}
