/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inodes of the cluster in the words of stat(2).
 *
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_POSIX_ATTR_H
#define CAPSTAN_POSIX_ATTR_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <capstan/inode.h>
#include <capstan/namespace.h>

/** S_IFREG, S_IFDIR, ... */
mode_t attr_type(enum capstan_type type);

/** The other way round; CAPSTAN_FILE for no bits at all, as mknod(2) has it. */
enum capstan_type attr_type_of(mode_t mode);

void attr_set(struct stat *attr_out, const struct capstan_stat *stat);

void attr_statvfs_set(struct statvfs *out, const struct capstan_statfs *space);

#endif
