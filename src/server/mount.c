/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: the directory is empty and not on the device; the device
 * holds a file system that `capstan format` has made; it is mounted. After a
 * server was killed its device is mounted still, and that is good enough.
 *
 * Possible failure modes are: no such device; one that holds something else; a
 * directory that holds something, which would be hidden, perhaps a target that
 * was there before it had a device; no right to mount.
 */
#include "server/mount.h"

#include "base/device.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLAGS (MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC)
#define UNMOUNT_TRIES 100 /* the kernel lets go of the last files by and by */

static const struct timespec pause_20ms = {0, 20000000};

static int refuse(const struct cluster_target *target, int rc, const char *what)
{
    errno = -rc;
    log_error("target %u: %s: %s: %m", target->id, target->device, what);
    return rc;
}

static int look(const struct cluster_target *target,
                struct device_content *content_out)
{
    int fd = open(target->device, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return refuse(target, -errno, "cannot open the device");
    rc = device_look(fd, content_out);
    close(fd);
    return rc == 0 ? 0 : refuse(target, rc, "cannot read the device");
}

static int check_content(const struct cluster_target *target,
                         const struct device_content *content)
{
    char what[160];

    if (strcmp(content->label, DEVICE_LABEL) == 0)
        return 0;
    device_describe(content, what, sizeof(what));
    log_error("target %u: %s holds %s: it was not made by `capstan format`",
              target->id, target->device, what);
    return -EINVAL;
}

/* Nothing may be hidden under the mount. */
static int check_empty(const struct cluster_target *target)
{
    DIR *dir = opendir(target->directory);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return refuse(target, -errno, target->directory);
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = -ENOTEMPTY;
    closedir(dir);
    if (rc != 0)
        log_error("target %u: %s is to be mounted on %s, which is not empty",
                  target->id, target->device, target->directory);
    return rc;
}

static int mount_it(const struct cluster_target *target)
{
    struct device_content content;
    int rc = check_empty(target);

    if (rc == 0)
        rc = look(target, &content);
    if (rc == 0)
        rc = check_content(target, &content);
    if (rc != 0)
        return rc;
    if (mount(target->device, target->directory, content.type, FLAGS, NULL) !=
        0)
        return refuse(target, -errno, "cannot mount the device");
    log_info("target %u: mounted %s on %s", target->id, target->device,
             target->directory);
    return 0;
}

int srv_mount(const struct cluster_target *target, bool *is_ours_out)
{
    struct stat device, directory;
    int rc;

    *is_ours_out = false;
    if (target->device == NULL)
        return 0;
    if (stat(target->device, &device) != 0)
        return refuse(target, -errno, "no such device");
    if (!S_ISBLK(device.st_mode))
        return refuse(target, -ENOTBLK, "no device");
    if ((mkdir(target->directory, 0700) != 0 && errno != EEXIST) ||
        stat(target->directory, &directory) != 0)
        return refuse(target, -errno, target->directory);
    if (directory.st_dev == device.st_rdev)
        return 0;
    rc = mount_it(target);
    *is_ours_out = rc == 0;
    return rc;
}

void srv_unmount(const struct cluster_target *target)
{
    for (unsigned i = 0; i < UNMOUNT_TRIES; i++) {
        if (umount2(target->directory, UMOUNT_NOFOLLOW) == 0)
            return;
        if (errno != EBUSY)
            break;
        nanosleep(&pause_20ms, NULL);
    }
    log_warn("target %u: %s stays mounted on %s: %m", target->id,
             target->device, target->directory);
}
