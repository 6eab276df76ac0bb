/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What provider "shm" needs besides: names that do not collide, and a way to
 * see that a peer has died.
 *
 * An endpoint of that provider is a file in /dev/shm named by us:
 * "capstan-<uid>-<service>", or with process id and a random number where the
 * service is left to us. Its owner holds a flock(2) on it for life; the kernel
 * drops the lock when the owner dies, however it dies. So a new owner of a
 * service sees whether the old one lives, and peers see it too, which the
 * provider itself never reports.
 *
 * The file of a dead owner is unlinked, not reused: clients of the old owner
 * still have it mapped, and would write into the queues of the new one.
 *
 * Possible failure modes are: the owner lives (-EADDRINUSE), a service that is
 * no file name (-EINVAL), two owners that start at the same instant (one finds
 * its file replaced, and says -EADDRINUSE).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "fi_ns://" /* the provider takes the rest as it is */
#define STEM PREFIX "capstan-"
#define DIRECTORY "/dev/shm/"

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') ||
              (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9') || text[i] == '-' ||
              text[i] == '_' || text[i] == '.'))
            return false;
    return len > 0;
}

bool ofi_shm_is_name(const void *name, size_t len)
{
    const char *text = name;
    size_t stem_len = strlen(STEM);

    return len > stem_len + 1 && len < NET_NAME_MAX && text[len - 1] == '\0' &&
           memcmp(text, STEM, stem_len) == 0 &&
           is_plain(text + stem_len, len - 1 - stem_len);
}

int ofi_shm_name(const char *service, char name[NET_NAME_MAX])
{
    uint64_t lot = 0;
    int len;

    if (service != NULL && strcmp(service, NET_ANY_PORT) != 0) {
        len = snprintf(name, NET_NAME_MAX, STEM "%u-%s", (unsigned)getuid(),
                       service);
    } else {
        if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
            lot = (uint64_t)(uintptr_t)name;
        len = snprintf(name, NET_NAME_MAX, STEM "%u-any-%d-%016llx",
                       (unsigned)getuid(), (int)getpid(),
                       (unsigned long long)lot);
    }
    if (len < 0 || len >= NET_NAME_MAX - 1 ||
        !ofi_shm_is_name(name, (size_t)len + 1))
        return -EINVAL;
    return 0;
}

static void path_of(const char *name, char path[NET_NAME_MAX + 16])
{
    snprintf(path, NET_NAME_MAX + 16, DIRECTORY "%s", name + strlen(PREFIX));
}

static int open_file(const char *name)
{
    char path[NET_NAME_MAX + 16];

    path_of(name, path);
    return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

int ofi_shm_take_over(const char *name)
{
    char path[NET_NAME_MAX + 16];
    int fd = open_file(name);

    if (fd < 0)
        return errno == ENOENT ? 0 : -EADDRINUSE;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -EADDRINUSE;
    }
    path_of(name, path);
    log_info("%s: left by a process that is gone; removed", path);
    unlink(path);
    close(fd);
    return 0;
}

int ofi_shm_lock(const char *name, int *fd_out)
{
    char path[NET_NAME_MAX + 16];
    struct stat opened, there;
    int fd = open_file(name);

    if (fd < 0)
        return -EADDRINUSE;
    path_of(name, path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &opened) != 0 ||
        stat(path, &there) != 0 || opened.st_ino != there.st_ino) {
        close(fd);
        return -EADDRINUSE;
    }
    *fd_out = fd;
    return 0;
}

int ofi_shm_watch(const char *name)
{
    int fd = open_file(name);

    if (fd >= 0 && ofi_shm_is_dead(fd)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool ofi_shm_is_dead(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        return false;
    flock(fd, LOCK_UN);
    return true;
}
