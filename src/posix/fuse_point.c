/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dead mount cannot be asked for its own name, so the name is made from its
 * parent's. The daemon of a mount is found by its command line, whose last word
 * is the mount point: it may be stopped or stuck, and then could not be asked.
 *
 * Possible failure modes are: a mount that is busy (it stays as it was); a
 * daemon that does not end, which is said and left alone.
 */
#include "posix/fuse_point.h"

#include "base/mountinfo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "capstan-fuse"
#define DAEMONS_MAX 8 /* of one mount point: there is one */
#define CMDLINE_MAX (2 * PATH_MAX)

static int fail(const char *object, const char *cause)
{
    fprintf(stderr, "capstan: %s: %s\n", object, cause);
    return -1;
}

/* The parent's true name and the last name of a path. */
static int name_by_parent(const char *directory, char *path)
{
    char *copy = strdup(directory);
    char *slash, *name = copy;
    char parent[PATH_MAX];
    int rc = -1;

    if (copy == NULL)
        return -1;
    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    slash = strrchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        name = slash + 1;
    }
    if (realpath(slash == NULL   ? "."
                 : *copy == '\0' ? "/"
                                 : copy,
                 parent) != NULL &&
        snprintf(path, PATH_MAX, "%s/%s", parent[1] == '\0' ? "" : parent,
                 name) < PATH_MAX)
        rc = 0;
    free(copy);
    return rc;
}

static bool is_capstan_mount(const char *path)
{
    struct mountinfo *mount = malloc(sizeof(*mount));
    bool is_one = mount != NULL && mountinfo_find(path, mount) &&
                  strcmp(mount->point, path) == 0 &&
                  strcmp(mount->type, MOUNTINFO_CAPSTAN) == 0;

    free(mount);
    return is_one;
}

/* The name in the mount table, without a call that would ask the daemon. A
 * symbolic link to the mount point is followed. */
static bool find_mount(const char *directory, char *path)
{
    if (name_by_parent(directory, path) == 0 && is_capstan_mount(path))
        return true;
    return realpath(directory, path) != NULL && is_capstan_mount(path);
}

int point_look(const char *directory, char *path, enum point_state *state_out)
{
    struct stat stat_buf;

    if (find_mount(directory, path)) {
        *state_out = POINT_MOUNTED;
        if (stat(path, &stat_buf) != 0 &&
            (errno == ENOTCONN || errno == ECONNABORTED))
            *state_out = POINT_DEAD;
        return 0;
    }
    if (realpath(directory, path) == NULL || stat(path, &stat_buf) != 0)
        return fail(directory, strerror(errno));
    if (!S_ISDIR(stat_buf.st_mode))
        return fail(directory, strerror(ENOTDIR));
    *state_out = POINT_FREE;
    return 0;
}

/* umount(2) needs a privilege; fusermount3 has it for the owner of a mount. */
static int take_away(const char *path, bool is_lazy)
{
    int status = 0;
    pid_t pid;

    if (umount2(path, UMOUNT_NOFOLLOW | (is_lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    if (errno != EPERM)
        return fail(path, strerror(errno));
    pid = fork();
    if (pid == 0) {
        execlp("fusermount3", "fusermount3", is_lazy ? "-uz" : "-u", "--", path,
               (char *)NULL);
        _exit(fail("fusermount3", strerror(errno)) != 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return fail(path, strerror(errno));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int point_clear(const char *path)
{
    return take_away(path, true);
}

static ssize_t read_proc(const char *pid, const char *name, char *text,
                         size_t room)
{
    char path[64];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    len = read(fd, text, room - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return len;
}

/* Does a process serve this mount point, in our mount namespace? */
static bool serves(const char *pid, const char *path)
{
    char text[CMDLINE_MAX], link[64], own[64], other[64];
    const char *last;
    ssize_t len, own_len, other_len;

    if (read_proc(pid, "comm", text, sizeof(text)) <= 0 ||
        strncmp(text, PROGRAM "\n", sizeof(PROGRAM)) != 0)
        return false;
    len = read_proc(pid, "cmdline", text, sizeof(text));
    if (len <= 0)
        return false;
    last = memrchr(text, '\0', (size_t)len - 1);
    if (last == NULL || strcmp(last + 1, path) != 0)
        return false;
    snprintf(link, sizeof(link), "/proc/%.16s/ns/mnt", pid);
    own_len = readlink("/proc/self/ns/mnt", own, sizeof(own));
    other_len = readlink(link, other, sizeof(other));
    return own_len == other_len && own_len > 0 &&
           memcmp(own, other, (size_t)own_len) == 0;
}

/* Descriptors of the processes that serve a mount point. */
static unsigned find_daemons(const char *path, struct pollfd *fds)
{
    DIR *proc = opendir("/proc");
    unsigned count = 0;
    struct dirent *entry;
    pid_t pid;

    while (proc != NULL && count < DAEMONS_MAX &&
           (entry = readdir(proc)) != NULL) {
        pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid() || !serves(entry->d_name, path))
            continue;
        fds[count].fd = (int)syscall(SYS_pidfd_open, pid, 0);
        fds[count].events = POLLIN;
        count += fds[count].fd >= 0;
    }
    if (proc != NULL)
        closedir(proc);
    return count;
}

/* Both the one in the background and a parent that waits for it may be there.
 */
static int wait_ends(const char *path, struct pollfd *fds, unsigned count,
                     uint64_t wait_sec)
{
    int rc = 0;

    for (unsigned i = 0; i < count; i++) {
        if (rc == 0 && poll(&fds[i], 1, (int)(wait_sec * 1000)) <= 0)
            rc = fail(path, "unmounted, but its daemon does not end");
        close(fds[i].fd);
    }
    return rc;
}

int point_unmount(const char *directory, uint64_t wait_sec)
{
    struct pollfd fds[DAEMONS_MAX];
    char path[PATH_MAX];
    unsigned count;

    if (!find_mount(directory, path))
        return fail(directory, "no Capstan mount");
    count = find_daemons(path, fds);
    if (take_away(path, count == 0) == 0)
        return wait_ends(path, fds, count, wait_sec);
    for (unsigned i = 0; i < count; i++)
        close(fds[i].fd);
    return -1;
}
