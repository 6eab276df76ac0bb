/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files that are to be packed: below a directory, or named by a list.
 *
 * Units    bytes.
 * Threads  one makes them; then they are read-only.
 * Failure  said on stderr.
 */
#ifndef CAPSTAN_TOOLS_SOURCES_H
#define CAPSTAN_TOOLS_SOURCES_H

#include <stddef.h>
#include <stdint.h>

struct source {
    char *path;       /* to open it */
    const char *name; /* in a shard: part of path */
    size_t key;       /* how much of the name is its sample's key */
    uint64_t length;
    uint64_t mtime_ns;
};

struct sources {
    struct source *list;
    size_t count;
    size_t room;
    uint64_t bytes;
    /* Left out: */
    uint64_t too_long;
    uint64_t too_short; /* empty */
    uint64_t links;     /* symlinks */
};

struct sources_limits {
    uint64_t length_min; /* of a file */
    uint64_t length_max;
    uint64_t total; /* the first so many bytes; 0: all */
};

/**
 * Find the regular files within limits, sorted by key and name.
 *
 * @param from  a directory, symlinks in it not followed; or a file with a path
 *              a line.
 * @return 0 or -1.
 */
int sources_find(struct sources *sources, const char *from,
                 const struct sources_limits *limits);

void sources_fini(struct sources *sources);

#endif
