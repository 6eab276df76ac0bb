/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copying of one file into, out of or within the cluster, with several
 * large requests under way.
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
    struct capstan_session *session; /* NULL: nothing in a cluster is meant */
    struct progress *progress;
    uint32_t stripe_size; /* of new files; 0: the cluster's default */
    uint16_t width;       /* the same */
    char *buffers;
};

/* Where a copy comes from or goes to. */
struct copy_end {
    const char *path; /* here, "-" is standard input or output */
    bool is_remote;
};

/** @param session, progress  borrowed. @return 0 or -1. */
int copy_init(struct copy *copy, struct capstan_session *session,
              struct progress *progress);
void copy_fini(struct copy *copy);

/** Copy a file's bytes; one that is new gets the mode too. @return 0 or -1. */
int copy_file(struct copy *copy, struct copy_end from, struct copy_end to);

#endif
