/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copying of files and of directories with all that is below them, into,
 * out of or within the cluster. One thread walks the source and makes the
 * directories; a crew of threads, each with a session, copies the files.
 *
 * Units    bytes.
 * Threads  the caller's, and those of the crew, which end with tree_close().
 * Failure  said on stderr; what cannot be copied is left out, the rest goes on.
 */
#ifndef CAPSTAN_TOOLS_TREE_H
#define CAPSTAN_TOOLS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/progress.h"
#include "tools/side.h"
#include "tools/tool.h"

#define TREE_JOBS_MAX 64

struct tree_wish {
    struct tool_place place;
    bool is_from_remote;
    bool is_to_remote;
    bool is_recursive;
    bool is_followed; /* symbolic links on the way too, not only operands */
    bool is_kept;     /* mode, times and owner as they are */
    bool is_careful;  /* what is there already is left alone */
    uint64_t stripe_size;
    uint64_t width;
    uint64_t jobs; /* files at once; 0: TREE_JOBS, or 1 if not recursive */
};

struct tree;

/** @param wish  borrowed until tree_close(). @return TOOL_OK, TOOL_FAILED,
 *  TOOL_USAGE. */
int tree_open(const struct tree_wish *wish, struct tree **tree_out);

/** Copy what is at `from` so that it is at `to`. */
void tree_copy(struct tree *tree, const char *from, const char *to);

/** Is this path a directory, on the side that is copied to? */
bool tree_is_directory(struct tree *tree, const char *to);

/** Wait for all, free. @return 0, or -1: something was not copied. */
int tree_close(struct tree **tree_p);

#endif
