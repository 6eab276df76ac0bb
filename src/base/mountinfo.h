/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which file system is mounted where: /proc/self/mountinfo, read when asked.
 *
 * Threads  any; no state.
 * Failure  a file that cannot be read is one without mounts.
 */
#ifndef CAPSTAN_BASE_MOUNTINFO_H
#define CAPSTAN_BASE_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/* What a Capstan mount is called there, and how its source begins: the name of
 * the cluster file follows. */
#define MOUNTINFO_CAPSTAN "fuse.capstan"
#define MOUNTINFO_SOURCE "capstan:"

struct mountinfo {
    char root[PATH_MAX];  /* the part of the file system that is mounted */
    char point[PATH_MAX]; /* where */
    char type[64];
    char source[PATH_MAX];
};

/**
 * The mount that a path lies on.
 *
 * @param path  absolute, without ".", ".." and symbolic links; it need not
 *              exist.
 * @return false if there is none.
 */
bool mountinfo_find(const char *path, struct mountinfo *mount_out);

/** Is there any mount of this type? Cheaper than finding out which. */
bool mountinfo_has_type(const char *type);

/** Does a path lie at or below a directory? "" and "/" hold all. */
bool mountinfo_is_below(const char *path, const char *directory);

/** Read one line. @return false if it is none. */
bool mountinfo_parse(const char *line, struct mountinfo *mount_out);

#endif
