/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directory streams below the prefix.
 *
 * A stream of ours is known by two words at its start, of which the first is
 * where the C library's streams keep a descriptor: a negative number there.
 * Entries come in batches, read inside the session's lock and told outside.
 */
#include "posix/preload.h"

#include "base/mem.h"
#include "posix/attr.h"
#include "posix/preload_real.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_FD ((int)0x9ca95742)
#define MAGIC 0x6b51c0de42a7d319ull
#define BATCH 128u

/* What the library does not list. */
enum { AT_START, AT_DOT, AT_DOTDOT };

struct stream {
    int magic_fd;
    uint64_t magic;
    int fd; /* a descriptor of ours */
    uint64_t ino;
    uint64_t cookie; /* of the entry that was told last */
    bool is_end;     /* nothing follows the batch */
    unsigned count;
    unsigned next;
    struct dirent entries[BATCH];
};

static struct stream *ours(DIR *dir)
{
    struct stream *stream = (struct stream *)dir;

    return stream != NULL && stream->magic_fd == MAGIC_FD &&
                   stream->magic == MAGIC
               ? stream
               : NULL;
}

static DIR *new_stream(int fd, uint64_t ino)
{
    struct stream *stream = mem_calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->magic_fd = MAGIC_FD;
    stream->magic = MAGIC;
    stream->fd = fd;
    stream->ino = ino;
    return (DIR *)stream;
}

PX_EXPORT DIR *fdopendir(int fd)
{
    struct px_open *open = px_get(fd);
    DIR *dir = NULL;

    if (open == NULL)
        return px_real()->fdopendir(fd);
    if (open->is_directory && !(open->flags & O_PATH))
        dir = new_stream(fd, open->ino);
    px_result(dir != NULL ? 0 : open->is_directory ? -EBADF : -ENOTDIR, errno);
    px_put(open);
    return dir;
}

PX_EXPORT DIR *opendir(const char *path)
{
    char place[PX_PATH_MAX];
    int fd;
    DIR *dir;

    if (px_claim(AT_FDCWD, path, place) == 0)
        return px_real()->opendir(path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    dir = fdopendir(fd);
    if (dir == NULL)
        close(fd);
    return dir;
}

static void set_entry(struct dirent *out, const char *name, uint64_t ino,
                      uint64_t cookie, mode_t type)
{
    out->d_ino = ino;
    out->d_off = (off_t)cookie;
    out->d_reclen = sizeof(*out);
    out->d_type = (unsigned char)IFTODT(type);
    snprintf(out->d_name, sizeof(out->d_name), "%s", name);
}

static void add(struct stream *stream, const char *name, uint64_t ino,
                uint64_t cookie, mode_t type)
{
    set_entry(&stream->entries[stream->count++], name, ino, cookie, type);
}

static long fetch_listed(struct stream *stream, struct capstan_session *session)
{
    struct capstan_dirent entry;
    struct capstan_dir *listing;
    long rc = capstan_inode_dir_open(session, stream->ino, &listing);

    if (rc != 0)
        return rc;
    if (stream->cookie > AT_DOTDOT)
        capstan_dir_seek(listing, stream->cookie);
    while (rc == 0 && stream->count < BATCH) {
        rc = capstan_dir_read(listing, &entry);
        if (rc == 0)
            add(stream, entry.name, entry.stat.ino, entry.cookie,
                attr_type(entry.stat.type));
    }
    capstan_dir_close(&listing);
    stream->is_end = rc == -ENOENT;
    return stream->is_end || stream->count > 0 ? 0 : rc;
}

/* The batch that follows stream->cookie. */
static long fetch(struct stream *stream)
{
    struct capstan_session *session;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    stream->count = stream->next = 0;
    if (stream->cookie == AT_START)
        add(stream, ".", stream->ino, AT_DOT, S_IFDIR);
    if (stream->cookie <= AT_DOT) {
        struct capstan_stat stat = {.ino = stream->ino};

        capstan_lookup_at(session, stream->ino, "..", CAPSTAN_LOOKUP_QUICK,
                          &stat);
        add(stream, "..", stat.ino, AT_DOTDOT, S_IFDIR);
    }
    rc = fetch_listed(stream, session);
    px_leave();
    return rc;
}

PX_EXPORT struct dirent *readdir(DIR *dir)
{
    struct stream *stream = ours(dir);
    int saved_errno = errno;
    struct dirent *entry;

    if (stream == NULL)
        return px_real()->readdir(dir);
    if (stream->next == stream->count) {
        long rc = stream->is_end ? 0 : fetch(stream);

        if (px_result(rc, saved_errno) != 0 || stream->next == stream->count)
            return NULL;
    }
    entry = &stream->entries[stream->next++];
    stream->cookie = (uint64_t)entry->d_off;
    return entry;
}

PX_EXPORT int readdir_r(DIR *dir, struct dirent *entry, struct dirent **result)
{
    struct dirent *found;

    if (ours(dir) == NULL)
        return px_real()->readdir_r(dir, entry, result);
    errno = 0;
    found = readdir(dir);
    *result = NULL;
    if (found == NULL)
        return errno;
    *entry = *found;
    *result = entry;
    return 0;
}

PX_EXPORT int closedir(DIR *dir)
{
    struct stream *stream = ours(dir);
    int rc;

    if (stream == NULL)
        return px_real()->closedir(dir);
    rc = close(stream->fd);
    stream->magic = 0;
    free(stream);
    return rc;
}

static void go_to(struct stream *stream, uint64_t cookie)
{
    stream->cookie = cookie;
    stream->count = stream->next = 0;
    stream->is_end = false;
}

PX_EXPORT void rewinddir(DIR *dir)
{
    if (ours(dir) == NULL)
        px_real()->rewinddir(dir);
    else
        go_to(ours(dir), AT_START);
}

PX_EXPORT void seekdir(DIR *dir, long cookie)
{
    if (ours(dir) == NULL)
        px_real()->seekdir(dir, cookie);
    else
        go_to(ours(dir), (uint64_t)cookie);
}

PX_EXPORT long telldir(DIR *dir)
{
    return ours(dir) == NULL ? px_real()->telldir(dir)
                             : (long)ours(dir)->cookie;
}

PX_EXPORT int dirfd(DIR *dir)
{
    return ours(dir) == NULL ? px_real()->dirfd(dir) : ours(dir)->fd;
}

struct list {
    struct dirent **entries;
    size_t count;
};

static int keep(struct list *list, const struct dirent *entry)
{
    struct dirent **grown =
        mem_grow(list->entries, list->count + 1, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    list->entries = grown;
    grown[list->count] = mem_calloc(1, sizeof(*entry));
    if (grown[list->count] == NULL)
        return -ENOMEM;
    *grown[list->count++] = *entry;
    return 0;
}

typedef int filter_fn(const struct dirent *entry);
typedef int compare_fn(const struct dirent **one, const struct dirent **two);

static long scan(DIR *dir, struct list *list, filter_fn *filter)
{
    struct dirent *entry;
    int rc = 0;

    errno = 0;
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (filter == NULL || filter(entry) != 0)
            rc = keep(list, entry);
        errno = 0;
    }
    return rc != 0 ? rc : -errno;
}

PX_EXPORT int scandirat(int dir_fd, const char *path, struct dirent ***list_out,
                        filter_fn *filter, compare_fn *compare)
{
    char place[PX_PATH_MAX];
    int saved_errno = errno;
    struct list list = {NULL, 0};
    long rc = px_claim(dir_fd, path, place);
    int fd;
    DIR *dir;

    if (rc == 0)
        return px_real()->scandirat(dir_fd, path, list_out, filter, compare);
    fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return -1;
    rc = scan(dir, &list, filter);
    closedir(dir);
    if (rc == 0) {
        if (compare != NULL && list.count > 1)
            qsort(list.entries, list.count, sizeof(*list.entries),
                  (int (*)(const void *, const void *))compare);
        *list_out = list.entries;
        return (int)px_result((long)list.count, saved_errno);
    }
    while (list.count > 0)
        free(list.entries[--list.count]);
    free(list.entries);
    return (int)px_result(rc, saved_errno);
}

PX_EXPORT int scandir(const char *path, struct dirent ***list_out,
                      filter_fn *filter, compare_fn *compare)
{
    return scandirat(AT_FDCWD, path, list_out, filter, compare);
}

__asm__(".globl readdir64\n.set readdir64, readdir\n"
        ".globl readdir64_r\n.set readdir64_r, readdir_r\n"
        ".globl scandir64\n.set scandir64, scandir\n"
        ".globl scandirat64\n.set scandirat64, scandirat\n");

static_assert(AT_DOTDOT < CAPSTAN_COOKIE_MIN &&
                  sizeof(struct dirent) == sizeof(struct dirent64),
              "cookies of our own; the 64-bit twin is the same");
