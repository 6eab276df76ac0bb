/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory here or in a cluster. The two differ in what opens, reads and
 * writes; all above that is one.
 */
#include "tools/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <capstan/namespace.h>

#include "tools/listing.h"

#define BUFFER_SIZE (4u << 20)
#define REMOTE "capstan:"

int place_open(struct place *place, const char *directory,
               const struct tool_place *cluster)
{
    bool is_remote = strncmp(directory, REMOTE, strlen(REMOTE)) == 0;

    *place = (struct place){.session = NULL};
    if (is_remote && tool_session_open(cluster, &place->session) != TOOL_OK)
        return -1;
    place->directory = strdup(tool_remote(directory));
    if (place->directory != NULL)
        return 0;
    tool_error(directory, "%s", strerror(ENOMEM));
    place_close(place);
    return -1;
}

void place_close(struct place *place)
{
    free(place->directory);
    place->directory = NULL;
    capstan_session_close(&place->session);
}

/* Say what failed, here or there. @return -1. */
static int failed(const struct place *place, const char *path)
{
    if (place->session != NULL)
        tool_session_error(place->session, path);
    else
        tool_error(path, "%m");
    return -1;
}

int place_make(const struct place *place)
{
    int rc;

    if (place->session != NULL) {
        rc = capstan_mkdir(place->session, place->directory, 0);
    } else {
        rc = mkdir(place->directory, 0777);
        if (rc != 0)
            rc = -errno;
    }
    return rc == 0 || rc == -EEXIST ? 0 : failed(place, place->directory);
}

/* Open by flags of both kinds. @return 0 or a negative code, not yet said. */
static int open_file(struct place_file *file, unsigned remote, int local)
{
    if (file->place->session != NULL)
        return capstan_file_open(file->place->session, file->path, remote, NULL,
                                 &file->remote);
    file->fd = open(file->path, local | O_CLOEXEC, 0666);
    return file->fd < 0 ? -errno : 0;
}

static int ask_size(struct place_file *file)
{
    struct stat stat_buf;

    if (file->remote != NULL)
        return capstan_file_size(file->remote, &file->size);
    if (fstat(file->fd, &stat_buf) != 0)
        return -errno;
    file->size = (uint64_t)stat_buf.st_size;
    return 0;
}

static int begin(const struct place *place, const char *name,
                 struct place_file *file)
{
    *file = (struct place_file){.place = place, .fd = -1};
    file->path = listing_join(place->directory, name);
    return file->path != NULL ? 0 : -1;
}

/* Free what a file has. @return 0, or -1 if closing it failed: said. */
static int end(struct place_file *file)
{
    int rc = 0;

    if (file->remote != NULL)
        rc = capstan_file_close(&file->remote);
    if (file->fd >= 0 && close(file->fd) != 0)
        rc = -errno;
    if (rc != 0)
        failed(file->place, file->path);
    free(file->path);
    free(file->buffer);
    return rc != 0 ? -1 : 0;
}

int place_read_open(const struct place *place, const char *name,
                    struct place_file *file_out)
{
    struct place_file file;
    int rc;

    if (begin(place, name, &file) != 0)
        return -1;
    rc = open_file(&file, CAPSTAN_OPEN_READ, O_RDONLY);
    if (rc == 0)
        rc = ask_size(&file);
    if (rc != 0) {
        if (rc != -ENOENT)
            failed(place, file.path);
        end(&file);
        return rc == -ENOENT ? -ENOENT : -1;
    }
    *file_out = file;
    return 0;
}

static int read_some(struct place_file *file, uint64_t offset, void *buffer,
                     size_t length, size_t *done_out)
{
    ssize_t n;

    if (file->remote != NULL)
        return capstan_file_read(file->remote, offset, buffer, length,
                                 done_out);
    do
        n = pread(file->fd, buffer, length, (off_t)offset);
    while (n < 0 && errno == EINTR);
    *done_out = n < 0 ? 0 : (size_t)n;
    return n < 0 ? -errno : 0;
}

int place_read(struct place_file *file, uint64_t offset, void *buffer,
               size_t length)
{
    size_t done = 0;

    while (length > 0) {
        if (read_some(file, offset, buffer, length, &done) != 0)
            return failed(file->place, file->path);
        if (done == 0) {
            tool_error(file->path, "ended at %llu: it became shorter",
                       (unsigned long long)offset);
            return -1;
        }
        offset += done;
        buffer = (char *)buffer + done;
        length -= done;
    }
    return 0;
}

int place_write_open(const struct place *place, const char *name,
                     struct place_file *file_out)
{
    struct place_file file;
    int rc;

    if (begin(place, name, &file) != 0)
        return -1;
    rc = open_file(
        &file, CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_CREATE | CAPSTAN_OPEN_TRUNCATE,
        O_WRONLY | O_CREAT | O_TRUNC);
    if (rc == 0) {
        file.buffer = malloc(BUFFER_SIZE);
        if (file.buffer != NULL) {
            *file_out = file;
            return 0;
        }
        errno = ENOMEM;
    }
    failed(place, file.path);
    end(&file);
    return -1;
}

static int write_some(struct place_file *file, uint64_t offset,
                      const char *data, size_t length, size_t *done_out)
{
    ssize_t n;

    if (file->remote != NULL)
        return capstan_file_write(file->remote, offset, data, length, done_out);
    do
        n = pwrite(file->fd, data, length, (off_t)offset);
    while (n < 0 && errno == EINTR);
    *done_out = n < 0 ? 0 : (size_t)n;
    return n < 0 ? -errno : 0;
}

static int flush(struct place_file *file)
{
    uint64_t offset = file->size - file->used;
    size_t at = 0, done = 0;

    while (at < file->used) {
        if (write_some(file, offset + at, file->buffer + at, file->used - at,
                       &done) != 0)
            return failed(file->place, file->path);
        at += done;
    }
    file->used = 0;
    return 0;
}

int place_write(struct place_file *file, const void *data, size_t length)
{
    const char *at = data;

    while (length > 0) {
        size_t room = BUFFER_SIZE - file->used;
        size_t piece = length < room ? length : room;

        memcpy(file->buffer + file->used, at, piece);
        file->used += piece;
        file->size += piece;
        at += piece;
        length -= piece;
        if (file->used == BUFFER_SIZE && flush(file) != 0)
            return -1;
    }
    return 0;
}

static int sync_file(struct place_file *file)
{
    int rc = file->remote != NULL ? capstan_file_sync(file->remote)
                                  : fsync(file->fd);

    return rc != 0 ? failed(file->place, file->path) : 0;
}

int place_file_close(struct place_file *file)
{
    int rc = 0;

    if (file->buffer != NULL) {
        rc = flush(file);
        if (rc == 0)
            rc = sync_file(file);
    }
    if (end(file) != 0)
        rc = -1;
    return rc;
}

int place_load(const struct place *place, const char *name, void **data_out,
               size_t *size_out)
{
    struct place_file file;
    void *data;
    int rc = place_read_open(place, name, &file);

    if (rc != 0)
        return rc;
    data = malloc(file.size > 0 ? file.size : 1);
    if (data == NULL)
        tool_error(file.path, "%s", strerror(ENOMEM));
    rc = data != NULL ? place_read(&file, 0, data, file.size) : -1;
    if (rc == 0) {
        *data_out = data;
        *size_out = file.size;
    } else {
        free(data);
    }
    place_file_close(&file);
    return rc;
}

int place_save(const struct place *place, const char *name, const void *data,
               size_t size)
{
    struct place_file file;
    int rc = place_write_open(place, name, &file);

    if (rc != 0)
        return rc;
    rc = place_write(&file, data, size);
    return place_file_close(&file) != 0 ? -1 : rc;
}

int place_remove(const struct place *place, const char *name)
{
    char *path = listing_join(place->directory, name);
    int rc;

    if (path == NULL)
        return -1;
    if (place->session != NULL)
        rc = capstan_unlink(place->session, path);
    else
        rc = unlink(path) != 0 ? -errno : 0;
    if (rc != 0 && rc != -ENOENT)
        rc = failed(place, path);
    free(path);
    return rc == -ENOENT ? 0 : rc;
}

struct names {
    char **list;
    size_t count;
    size_t room;
};

static int names_add(struct names *names, const char *name)
{
    if (names->count == names->room) {
        size_t room = names->room == 0 ? 64 : names->room * 2;
        char **grown = reallocarray(names->list, room, sizeof(*grown));

        if (grown == NULL)
            return -1;
        names->list = grown;
        names->room = room;
    }
    names->list[names->count] = strdup(name);
    return names->list[names->count] != NULL ? (names->count++, 0) : -1;
}

static int list_remote(const struct place *place, struct names *names)
{
    struct listing listing;
    int rc = listing_read(place->session, place->directory, &listing);

    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < listing.count; i++)
        if (listing.entries[i].stat.type == CAPSTAN_FILE)
            rc = names_add(names, listing.entries[i].name);
    listing_fini(&listing);
    return rc;
}

static int list_local(const struct place *place, struct names *names)
{
    DIR *dir = opendir(place->directory);
    struct dirent *entry;
    struct stat stat_buf;
    int rc = 0;

    if (dir == NULL)
        return failed(place, place->directory);
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &stat_buf, 0) == 0 &&
            S_ISREG(stat_buf.st_mode))
            rc = names_add(names, entry->d_name);
    closedir(dir);
    return rc;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int place_list(const struct place *place, char ***names_out, size_t *count_out)
{
    struct names names = {.list = NULL};
    int rc = place->session != NULL ? list_remote(place, &names)
                                    : list_local(place, &names);

    if (rc != 0) {
        while (names.count > 0)
            free(names.list[--names.count]);
        free(names.list);
        return -1;
    }
    if (names.count > 0)
        qsort(names.list, names.count, sizeof(*names.list), by_name);
    *names_out = names.list;
    *count_out = names.count;
    return 0;
}
