/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies on a block device.
 *
 * Threads  any; no state.
 * Failure  a device that cannot be read is an error, never "nothing".
 */
#ifndef CAPSTAN_BASE_DEVICE_H
#define CAPSTAN_BASE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* The label of a file system that `capstan format` has made. */
#define DEVICE_LABEL "capstan"

struct device_content {
    char type[32];  /* of a file system, a volume, ...; "" if none is known */
    char label[64]; /* "" if it has none */
    char uuid[48];
    bool is_table; /* what is known is a table of partitions */
    bool is_blank; /* nothing known, and zeros at both ends */
};

/**
 * Open a block device for oneself alone.
 *
 * @param fd_out  the caller closes it.
 * @return 0, -ENOTBLK, -EBUSY (mounted, or part of something that is in use),
 * or what open(2) gave.
 */
int device_claim(const char *path, int *fd_out);

/** Look at a device. @return 0, or -errno (it cannot be read). */
int device_look(int fd, struct device_content *content_out);

/** Remove all signatures that are known. @return 0 or -errno. */
int device_wipe(int fd);

/** Its bytes. @return 0 or -errno. */
int device_size(int fd, uint64_t *size_out);

/** Say in words what it holds, "nothing" too. */
void device_describe(const struct device_content *content, char *text,
                     unsigned room);

#endif
