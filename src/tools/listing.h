/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory of the cluster, read whole and sorted by name.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  said on stderr; outputs are set on success only.
 */
#ifndef CAPSTAN_TOOLS_LISTING_H
#define CAPSTAN_TOOLS_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include <capstan/namespace.h>

struct listing_entry {
    char *name;
    struct capstan_stat stat;
    bool has_size;
};

struct listing {
    struct listing_entry *entries;
    size_t count;
};

/** Read a directory. @param listing_out  ended with listing_fini().
 *  @return 0 or -1. */
int listing_read(struct capstan_session *session, const char *path,
                 struct listing *listing_out);

void listing_fini(struct listing *listing);

/** For those who fill a listing themselves: append, then sort by name.
 *  @param room  0 before the first. @return 0 or -ENOMEM, not said. */
int listing_add(struct listing *listing, size_t *room,
                const struct capstan_dirent *dirent);
void listing_sort(struct listing *listing);

/** "dir/name", with one slash between. @return owned, or NULL (said). */
char *listing_join(const char *directory, const char *name);

/** The last name of a path, trailing slashes left out; "" for "/".
 *  @return owned, or NULL (said). */
char *listing_basename(const char *path);

#endif
