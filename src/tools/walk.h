/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk over a tree of the cluster: every entry once, among the others of its
 * directory; and, if wanted, a directory before and after what is in it.
 * Entries are passed on as they are read, so a directory of millions costs no
 * memory for its files.
 *
 * Units    bytes.
 * Threads  one.
 * Failure  said on stderr; the walk goes on and tells of it at its end.
 */
#ifndef CAPSTAN_TOOLS_WALK_H
#define CAPSTAN_TOOLS_WALK_H

#include <stdbool.h>

#include <capstan/namespace.h>

struct walk_entry {
    const char *path; /* below the walk's top, which begins it */
    const char *name;
    unsigned depth; /* 0: the top */
    const struct capstan_stat *stat;
};

/** @return 0, or < 0: this directory is not entered (of a file: no matter). */
typedef int walk_fn(void *ctx, const struct walk_entry *entry);

struct walk {
    struct capstan_session *session;
    unsigned depth_max;   /* entries below are not looked at */
    bool is_whole_needed; /* sizes and times of striped files are asked for */
    walk_fn *found; /* an entry; all of a directory before any is entered */
    walk_fn *enter; /* a directory, now; may be NULL */
    walk_fn *leave; /* may be NULL */
    void *ctx;
};

/** Walk. @return 0, or -1 if something could not be read. */
int walk_tree(const struct walk *walk, const char *top);

#endif
