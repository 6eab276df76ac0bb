/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copying of one file into or out of the cluster, with several large
 * requests under way.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  said on stderr; a destination that was begun is removed.
 */
#ifndef CAPSTAN_TOOLS_COPY_H
#define CAPSTAN_TOOLS_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include <capstan/file.h>

#include "tools/progress.h"

struct copy {
    struct capstan_session *session;
    struct progress progress;
    uint32_t stripe_size; /* of new files; 0: the cluster's default */
    uint16_t width;       /* the same */
    char *buffers;
};

/** @param session  borrowed. @return 0 or -1. */
int copy_init(struct copy *copy, struct capstan_session *session);
void copy_fini(struct copy *copy);

/** Copy a local file; "-" is standard input. @return 0 or -1. */
int copy_put(struct copy *copy, const char *local, const char *remote);

/** Copy to a local file; "-" is standard output. @return 0 or -1. */
int copy_get(struct copy *copy, const char *remote, const char *local);

#endif
