/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mark is one record that is written in place: 56 bytes within one sector,
 * which a device writes whole or not at all, with a sum over them. The first
 * one is made durable under another name and renamed, so that no loss of power
 * leaves an empty file.
 *
 * Possible failure modes are: a record that is not one (damaged: nobody knows
 * what the store should hold); a write that fails: the mark stays as it was.
 */
#include "meta/kv_mark.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "meta/kv_manifest.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_MAGIC 0x4e504143u /* "CAPN" */
#define MARK_FORMAT 1u

/* As in the file: little-endian. */
struct record {
    uint32_t magic;
    uint32_t format;
    uint32_t check; /* CRC32C of the record with zeros here */
    uint32_t zero;
    uint64_t machine;
    uint64_t synced;
    uint64_t written;
    uint64_t manifest;
    uint64_t manifest_bytes;
};

static_assert(sizeof(struct record) == 56, "no padding");

static uint32_t check_of(struct record record)
{
    record.check = 0;
    return htole32(crc32c(0, &record, sizeof(record)));
}

static bool is_sound(const struct record *record)
{
    return le32toh(record->magic) == MARK_MAGIC &&
           record->check == check_of(*record);
}

static int path_of(const char *directory, char path[PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s.mark", directory);

    return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* @return its length, or -errno. */
static ssize_t read_record(const char *path, struct record *record_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = pread(fd, record_out, sizeof(*record_out), 0);
    if (n < 0)
        n = -errno;
    close(fd);
    return n;
}

/* The manifest that the store uses now, by its file CURRENT. @return false: it
 * cannot be told, which RocksDB will say better. */
static bool find_manifest(const char *directory, uint64_t *number_out,
                          char path[PATH_MAX])
{
    unsigned long long number;
    FILE *file;
    int n;

    if (snprintf(path, PATH_MAX, "%s/CURRENT", directory) >= PATH_MAX)
        return false;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    n = fscanf(file, "MANIFEST-%llu", &number);
    fclose(file);
    *number_out = number;
    return n == 1 && snprintf(path, PATH_MAX, "%s/MANIFEST-%06llu", directory,
                              number) < PATH_MAX;
}

/* A manifest that was cut short names tables of an earlier time. */
static int check_manifest(const struct record *record, const char *directory)
{
    uint64_t least = le64toh(record->manifest), number = 0;
    char path[PATH_MAX];
    struct stat st;

    if (!find_manifest(directory, &number, path) || stat(path, &st) != 0 ||
        number > least)
        return 0;
    if (number == least &&
        (uint64_t)st.st_size >= le64toh(record->manifest_bytes)) {
        if (kv_manifest_is_whole(path, le64toh(record->manifest_bytes)))
            return 0;
        log_error("%s is damaged", path);
        return -EIO;
    }
    log_error("%s is damaged: it has %llu bytes, not %llu of number %llu", path,
              (unsigned long long)st.st_size,
              (unsigned long long)le64toh(record->manifest_bytes),
              (unsigned long long)least);
    return -EIO;
}

int kv_mark_look(struct kv_mark *mark, const char *directory, uint64_t machine,
                 uint64_t *least_out)
{
    struct record record;
    char path[PATH_MAX];
    int rc = path_of(directory, path);
    ssize_t n;

    *least_out = 0;
    *mark = (struct kv_mark){.machine = machine};
    if (rc != 0)
        return rc;
    n = read_record(path, &record);
    if (n == -ENOENT)
        return 0;
    if (n != sizeof(record) || !is_sound(&record)) {
        log_error("%s is damaged: whether the names are whole is not known",
                  path);
        return -EIO;
    }
    if (le32toh(record.format) != MARK_FORMAT) {
        log_error("%s has format %u, this server knows %u", path,
                  le32toh(record.format), MARK_FORMAT);
        return -EIO;
    }
    mark->synced = le64toh(record.synced);
    *least_out = mark->synced;
    if (machine != 0 && le64toh(record.machine) == machine)
        *least_out = le64toh(record.written);
    return check_manifest(&record, directory);
}

static struct record record_of(const struct kv_mark *mark)
{
    struct record record = {.magic = htole32(MARK_MAGIC),
                            .format = htole32(MARK_FORMAT),
                            .machine = htole64(mark->machine),
                            .synced = htole64(mark->synced),
                            .written = htole64(mark->written),
                            .manifest = htole64(mark->manifest),
                            .manifest_bytes = htole64(mark->manifest_bytes)};

    record.check = check_of(record);
    return record;
}

/* @return -1 with errno. */
static int sync_above(const char *path)
{
    char above[PATH_MAX];
    char *slash;
    int fd, rc;

    snprintf(above, sizeof(above), "%s", path);
    slash = strrchr(above, '/');
    if (slash == NULL)
        return 0;
    *slash = '\0';
    fd = open(above[0] == '\0' ? "/" : above,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

/* @return a descriptor, or -1 with errno. */
static int make(const struct kv_mark *mark, const char *path)
{
    struct record record = record_of(mark);
    char fresh[PATH_MAX + 8];
    int fd;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (pwrite(fd, &record, sizeof(record), 0) == sizeof(record) &&
        fsync(fd) == 0 && rename(fresh, path) == 0 && sync_above(path) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint64_t manifest_size(const struct kv_mark *mark)
{
    struct stat st;

    if (mark->manifest_fd < 0 || fstat(mark->manifest_fd, &st) != 0)
        return 0;
    return (uint64_t)st.st_size;
}

static void close_manifest(struct kv_mark *mark)
{
    if (mark->is_open && mark->manifest_fd >= 0)
        close(mark->manifest_fd);
    mark->manifest_fd = -1;
}

/* Opening the store has made a new one. */
static void open_manifest(struct kv_mark *mark, const char *directory)
{
    char path[PATH_MAX];

    close_manifest(mark);
    if (find_manifest(directory, &mark->manifest, path))
        mark->manifest_fd = open(path, O_RDONLY | O_CLOEXEC);
    mark->manifest_bytes = 0;
    mark->manifest_seen = manifest_size(mark);
}

static int open_mark(struct kv_mark *mark, const char *directory)
{
    char path[PATH_MAX];
    int rc = path_of(directory, path);

    if (rc != 0)
        return rc;
    mark->fd = open(path, O_RDWR | O_CLOEXEC);
    if (mark->fd < 0 && errno == ENOENT)
        mark->fd = make(mark, path);
    if (mark->fd < 0) {
        rc = -errno;
        log_error("%s: %m", path);
        return rc;
    }
    mark->is_open = true;
    return 0;
}

int kv_mark_open(struct kv_mark *mark, const char *directory, uint64_t change)
{
    int rc;

    open_manifest(mark, directory);
    mark->written = change;
    rc = mark->is_open ? 0 : open_mark(mark, directory);
    if (rc == 0)
        kv_mark_note(mark, change, false);
    else if (mark->manifest_fd >= 0)
        close(mark->manifest_fd);
    return rc;
}

static void put(struct kv_mark *mark)
{
    struct record record = record_of(mark);

    if (pwrite(mark->fd, &record, sizeof(record), 0) == sizeof(record) ||
        mark->has_failed)
        return;
    mark->has_failed = true;
    log_warn("the mark of the names cannot be written: %m");
}

void kv_mark_note(struct kv_mark *mark, uint64_t change, bool is_synced)
{
    mark->written = change;
    if (is_synced) {
        mark->synced = change;
        mark->manifest_bytes = mark->manifest_seen;
        mark->manifest_seen = manifest_size(mark);
    }
    put(mark);
}

void kv_mark_close(struct kv_mark *mark, bool is_orderly)
{
    if (!mark->is_open)
        return;
    if (is_orderly) {
        mark->manifest_bytes = manifest_size(mark);
        put(mark);
    }
    close_manifest(mark);
    close(mark->fd);
    mark->is_open = false;
}
