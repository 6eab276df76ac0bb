/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block devices through libblkid, which knows what file systems, volumes and
 * tables of partitions look like.
 *
 * What it does not know may be somebody's data all the same, an encrypted
 * volume without a header for instance: so a device is blank only if both of
 * its ends are zeros too.
 */
#include "base/device.h"

#include "base/mem.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_SIZE ((size_t)1 << 20)
#define WIPES_MAX 64 /* signatures on one device */

int device_claim(const char *path, int *fd_out)
{
    struct stat st;
    int fd;

    if (stat(path, &st) != 0)
        return -errno;
    if (!S_ISBLK(st.st_mode))
        return -ENOTBLK;
    /* On a block device the kernel takes O_EXCL for: nobody else's. */
    fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *fd_out = fd;
    return 0;
}

int device_size(int fd, uint64_t *size_out)
{
    off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0)
        return -errno;
    *size_out = (uint64_t)size;
    return 0;
}

/* A probe of all kinds of signatures, or NULL with errno set. */
static blkid_probe probe_open(int fd, int flags)
{
    blkid_probe probe = blkid_new_probe();

    errno = probe == NULL ? ENOMEM : 0;
    if (probe == NULL)
        return NULL;
    if (blkid_probe_set_device(probe, fd, 0, 0) == 0 &&
        blkid_probe_enable_superblocks(probe, 1) == 0 &&
        blkid_probe_set_superblocks_flags(probe, flags) == 0 &&
        blkid_probe_enable_partitions(probe, 1) == 0 &&
        blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC) == 0)
        return probe;
    if (errno == 0)
        errno = EIO;
    blkid_free_probe(probe);
    return NULL;
}

static void take(blkid_probe probe, const char *name, char *text, size_t room)
{
    const char *value;

    if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0)
        snprintf(text, room, "%s", value);
}

static int look_for_signatures(int fd, struct device_content *content)
{
    blkid_probe probe =
        probe_open(fd, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
                           BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC);
    int rc;

    if (probe == NULL)
        return -errno;
    errno = 0;
    rc = blkid_do_fullprobe(probe); /* 0: something, 1: nothing */
    if (rc == 0) {
        take(probe, "TYPE", content->type, sizeof(content->type));
        take(probe, "LABEL", content->label, sizeof(content->label));
        take(probe, "UUID", content->uuid, sizeof(content->uuid));
        if (content->type[0] == '\0') {
            take(probe, "PTTYPE", content->type, sizeof(content->type));
            content->is_table = true;
        }
    }
    blkid_free_probe(probe);
    if (rc < 0)
        return errno != 0 ? -errno : -EIO;
    return 0;
}

static int is_zero_at(int fd, uint64_t offset, size_t len, bool *is_zero_out)
{
    char *bytes = mem_pages(END_SIZE);
    ssize_t got;
    int rc = 0;

    if (bytes == NULL)
        return -ENOMEM;
    got = pread(fd, bytes, len, (off_t)offset);
    if (got < 0)
        rc = -errno;
    else if ((size_t)got < len)
        rc = -EIO;
    else
        *is_zero_out = len == 0 || (bytes[0] == 0 &&
                                    memcmp(bytes, bytes + 1, len - 1) == 0);
    free(bytes);
    return rc;
}

static int look_at_ends(int fd, bool *is_blank_out)
{
    bool is_first = false, is_last = false;
    uint64_t size = 0;
    size_t len;
    int rc = device_size(fd, &size);

    len = size < END_SIZE ? (size_t)size : END_SIZE;
    if (rc == 0)
        rc = is_zero_at(fd, 0, len, &is_first);
    if (rc == 0)
        rc = is_zero_at(fd, size - len, len, &is_last);
    *is_blank_out = is_first && is_last;
    return rc;
}

int device_look(int fd, struct device_content *content_out)
{
    struct device_content content = {.type = ""};
    int rc = look_for_signatures(fd, &content);

    if (rc == 0 && content.type[0] == '\0')
        rc = look_at_ends(fd, &content.is_blank);
    if (rc == 0)
        *content_out = content;
    return rc;
}

int device_wipe(int fd)
{
    blkid_probe probe = probe_open(fd, BLKID_SUBLKS_MAGIC);
    int rc = 0;

    if (probe == NULL)
        return -errno;
    errno = 0;
    for (unsigned i = 0; i < WIPES_MAX && rc == 0; i++) {
        if (blkid_do_probe(probe) != 0)
            break; /* no more */
        if (blkid_do_wipe(probe, 0) != 0)
            rc = errno != 0 ? -errno : -EIO;
    }
    blkid_free_probe(probe);
    return rc == 0 && fsync(fd) != 0 ? -errno : rc;
}

void device_describe(const struct device_content *content, char *text,
                     unsigned room)
{
    if (content->is_blank)
        snprintf(text, room, "nothing");
    else if (content->type[0] == '\0')
        snprintf(text, room, "bytes of no kind that is known");
    else if (content->is_table)
        snprintf(text, room, "partitions (%s)", content->type);
    else if (content->label[0] != '\0')
        snprintf(text, room, "%s with the label %s", content->type,
                 content->label);
    else
        snprintf(text, room, "%s", content->type);
}
