/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and attributes on one side of a copy: on this machine or in a cluster,
 * in the same words.
 *
 * Units    bytes, nanoseconds since the epoch.
 * Threads  a side with a session belongs to one thread; one without to any.
 * Failure  a negative code, said by side_error(); outputs on success only.
 */
#ifndef CAPSTAN_TOOLS_SIDE_H
#define CAPSTAN_TOOLS_SIDE_H

#include <stdbool.h>
#include <stddef.h>

#include <capstan/namespace.h>

#include "tools/listing.h"

struct side {
    struct capstan_session *session; /* NULL: on this machine */
};

/** @param is_followed  what a last symbolic link leads to is meant. */
int side_stat(const struct side *side, const char *path, bool is_followed,
              struct capstan_stat *stat_out);

/** Read a directory, sorted by name. @param listing_out  ended with
 *  listing_fini(). @return 0 or -1, said. */
int side_list(const struct side *side, const char *path,
              struct listing *listing_out);

int side_mkdir(const struct side *side, const char *path, uint32_t mode);
int side_readlink(const struct side *side, const char *path, char *text,
                  size_t room);
int side_symlink(const struct side *side, const char *text, const char *path);

/** A FIFO, socket or device like the one that stat_buf tells of. */
int side_mknod(const struct side *side, const char *path,
               const struct capstan_stat *stat_buf);

/** Give a path (of a symbolic link: itself) mode, times and, where that is
 *  allowed, owner and group. */
int side_set(const struct side *side, const char *path,
             const struct capstan_stat *stat_buf);
int side_chmod(const struct side *side, const char *path, uint32_t mode);
int side_unlink(const struct side *side, const char *path);

/** Say why the last call on `path` failed. @return -1. */
int side_error(const struct side *side, const char *path);

#endif
