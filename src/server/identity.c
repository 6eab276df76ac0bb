/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: the identity file is there, parses, names this cluster and
 * this target, and is locked. At the very first start the directory is empty:
 * the file is written beside its final name, made durable and renamed.
 *
 * Possible failure modes are: no directory (it is not made: a mount may be
 * missing); an empty one on which a mount is missing (mount_mark.h); a file that is damaged or of another format, cluster or target; a
 * directory that holds other things; a directory in use by another process; a
 * crash at the first start, which leaves the unfinished file or nothing, and
 * both are begun anew.
 */
#include "server/identity.h"

#include "base/err.h"
#include "base/hash.h"
#include "server/mount_mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME "target"
#define NAME_NEW "target.new"
#define FORMAT 1u
#define SIZE_MAX_BYTES 256

struct identity {
    unsigned format;
    uint64_t cluster;
    unsigned target;
};

static size_t print_identity(const struct identity *identity, char *at)
{
    int len;

    len = snprintf(at, SIZE_MAX_BYTES,
                   "capstan target\nformat %u\ncluster %" PRIx64
                   "\ntarget %u\n",
                   identity->format, identity->cluster, identity->target);
    len += snprintf(at + len, SIZE_MAX_BYTES - (size_t)len,
                    "check %016" PRIx64 "\n", hash_name(0, at, (size_t)len));
    return (size_t)len;
}

/* @return 0 or -EINVAL. A format that we do not know may check otherwise. */
static int parse_identity(const char *at, size_t len,
                          struct identity *identity_out)
{
    struct identity identity;
    char again[SIZE_MAX_BYTES];

    if (sscanf(at, "capstan target\nformat %u\n", &identity.format) != 1)
        return -EINVAL;
    *identity_out = identity;
    if (identity.format != FORMAT)
        return 0;
    if (sscanf(at, "capstan target\nformat %u\ncluster %" SCNx64
               "\ntarget %u\n", &identity.format, &identity.cluster,
               &identity.target) != 3)
        return -EINVAL;
    if (print_identity(&identity, again) != len || memcmp(again, at, len) != 0)
        return -EINVAL;
    *identity_out = identity;
    return 0;
}

static int say(char *text, int rc, const char *directory, const char *why)
{
    snprintf(text, IDENTITY_TEXT_MAX, "%s: %s", directory, why);
    return rc;
}

static int say_errno(char *text, const char *directory, const char *what)
{
    int rc = -errno;

    snprintf(text, IDENTITY_TEXT_MAX, "%s: %s: %s", directory, what,
             strerror(-rc));
    return rc;
}

static int check(const char *directory, const struct identity *wanted, int fd,
                 char *text)
{
    struct identity found = {0};
    char bytes[SIZE_MAX_BYTES + 1];
    ssize_t len = pread(fd, bytes, SIZE_MAX_BYTES, 0);

    if (len < 0)
        return say_errno(text, directory, "cannot read the file " NAME);
    bytes[len] = '\0';
    if (parse_identity(bytes, (size_t)len, &found) != 0)
        return say(text, -EINVAL, directory, "the file " NAME " is damaged");
    if (found.format != FORMAT) {
        snprintf(text, IDENTITY_TEXT_MAX,
                 "%s: has format %u, this server knows %u", directory,
                 found.format, FORMAT);
        return -EINVAL;
    }
    if (found.cluster == wanted->cluster && found.target == wanted->target)
        return 0;
    snprintf(text, IDENTITY_TEXT_MAX,
             "%s: belongs to target %u of cluster %" PRIx64
             ", not to target %u of cluster %" PRIx64,
             directory, found.target, found.cluster, wanted->target,
             wanted->cluster);
    return -EINVAL;
}

/* What may lie in the directory of a target that was never started. */
static bool is_harmless(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           strcmp(name, NAME_NEW) == 0 || strcmp(name, "lost+found") == 0;
}

static int check_empty(const char *directory, char *text)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return say_errno(text, directory, "cannot open the directory");
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (is_harmless(entry->d_name))
            continue;
        snprintf(text, IDENTITY_TEXT_MAX,
                 "%s: holds %s but no file " NAME
                 ": not a target, and not empty",
                 directory, entry->d_name);
        rc = -EINVAL;
    }
    closedir(dir);
    return rc;
}

static int write_new(const char *directory, const struct identity *identity,
                     int dir_fd, char *text)
{
    char bytes[SIZE_MAX_BYTES];
    size_t len = print_identity(identity, bytes);
    bool is_written;
    int fd;

    fd = openat(dir_fd, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                0600);
    if (fd < 0)
        return say_errno(text, directory, "cannot make the file " NAME_NEW);
    is_written = write(fd, bytes, len) == (ssize_t)len && fsync(fd) == 0;
    close(fd);
    if (!is_written || renameat(dir_fd, NAME_NEW, dir_fd, NAME) != 0 ||
        fsync(dir_fd) != 0)
        return say_errno(text, directory, "cannot write the file " NAME);
    return 0;
}

static int open_or_make(const char *directory, const struct identity *identity,
                        int dir_fd, char *text, int *fd_out)
{
    int fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0 && errno == ENOENT) {
        if (mount_mark_misses(directory, identity->cluster,
                              (uint16_t)identity->target))
            return say(text, -ENODEV, directory,
                       "this target's file system is not mounted here (to "
                       "begin the target anew, remove the .mount file beside)");
        rc = check_empty(directory, text);
        if (rc == 0)
            rc = write_new(directory, identity, dir_fd, text);
        if (rc != 0)
            return rc;
        fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return say_errno(text, directory, "cannot open the file " NAME);
    *fd_out = fd;
    return 0;
}

static int lock(const char *directory, int fd, char *text)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return say(text, -EBUSY, directory, "in use by another server");
    return say_errno(text, directory, "cannot lock the file " NAME);
}

int identity_claim(const char *directory, uint64_t cluster, uint16_t target,
                   char *text, int *fd_out)
{
    struct identity identity = {FORMAT, cluster, target};
    int dir_fd, rc;
    int fd = -1;

    dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return say_errno(text, directory, "cannot open the directory");
    rc = open_or_make(directory, &identity, dir_fd, text, &fd);
    close(dir_fd);
    if (rc != 0)
        return rc;
    rc = check(directory, &identity, fd, text);
    if (rc == 0)
        rc = lock(directory, fd, text);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    mount_mark_leave(directory, cluster, target);
    *fd_out = fd;
    return 0;
}
