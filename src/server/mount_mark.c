/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory is a mount point if it lies on another device than the one above.
 * The mark is one line; one of another cluster or target says nothing to us.
 */
#include "server/mount_mark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 128

static bool is_mount(const char *directory)
{
    char above[PATH_MAX];
    struct stat self, parent;

    return snprintf(above, sizeof(above), "%s/..", directory) < PATH_MAX &&
           stat(directory, &self) == 0 && stat(above, &parent) == 0 &&
           self.st_dev != parent.st_dev;
}

static bool mark_path(const char *directory, char path[PATH_MAX])
{
    char real[PATH_MAX];

    return realpath(directory, real) != NULL &&
           snprintf(path, PATH_MAX, "%s.mount", real) < PATH_MAX;
}

static int print_mark(char line[LINE_MAX_BYTES], uint64_t cluster,
                      uint16_t target)
{
    return snprintf(line, LINE_MAX_BYTES,
                    "target %u of cluster %" PRIx64 " lies on a mount here\n",
                    target, cluster);
}

static bool is_marked(const char *path, uint64_t cluster, uint16_t target)
{
    char wanted[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");
    bool is_ours;

    if (file == NULL)
        return false;
    print_mark(wanted, cluster, target);
    is_ours = fgets(line, sizeof(line), file) != NULL &&
              strcmp(line, wanted) == 0;
    fclose(file);
    return is_ours;
}

bool mount_mark_misses(const char *directory, uint64_t cluster, uint16_t target)
{
    char path[PATH_MAX];

    return !is_mount(directory) && mark_path(directory, path) &&
           is_marked(path, cluster, target);
}

void mount_mark_leave(const char *directory, uint64_t cluster, uint16_t target)
{
    char path[PATH_MAX], line[LINE_MAX_BYTES];
    int fd, len;

    if (!is_mount(directory) || !mark_path(directory, path) ||
        is_marked(path, cluster, target))
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    len = print_mark(line, cluster, target);
    (void)!write(fd, line, (size_t)len);
    (void)!fsync(fd);
    close(fd);
}
