/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a session remembers of the namespace, for CLI_DIRS_TTL_NS: directories
 * and symbolic links by name, and the attributes of directories by number.
 * Files are never remembered, but for a hint which number a name had.
 *
 * Units    nanoseconds.
 * Threads  the session's owner.
 * Failure  a cache may forget: what cannot be remembered is asked again.
 */
#ifndef CAPSTAN_CLIENT_DIRS_H
#define CAPSTAN_CLIENT_DIRS_H

#include "base/inode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_dirs;

int cli_dirs_create(struct cli_dirs **dirs_out);
void cli_dirs_destroy(struct cli_dirs **dirs_p);

/** Forget everything. */
void cli_dirs_drop(struct cli_dirs *dirs);

/** How many names are remembered. */
unsigned cli_dirs_count(const struct cli_dirs *dirs);

/* What a name was. */
struct cli_dir {
    uint64_t ino;
    enum inode_type type; /* INODE_DIR or INODE_SYMLINK */
    const char *link;     /* the text; until the cache changes */
    size_t link_len;
};

/** Remember a name that stands for a directory or a symbolic link. */
void cli_dirs_put(struct cli_dirs *dirs, uint64_t parent, const char *text,
                  size_t len, const struct cli_dir *dir, uint64_t now);
bool cli_dirs_find(struct cli_dirs *dirs, uint64_t parent, const char *text,
                   size_t len, uint64_t now, struct cli_dir *dir_out);
/** Forget a name, whatever it is. */
void cli_dirs_forget(struct cli_dirs *dirs, uint64_t parent, const char *text,
                     size_t len);

/** The attributes of a directory. */
void cli_attrs_put(struct cli_dirs *dirs, const struct inode *inode,
                   uint64_t now);
bool cli_attrs_find(struct cli_dirs *dirs, uint64_t ino, uint64_t now,
                    struct inode *inode_out);
void cli_attrs_forget(struct cli_dirs *dirs, uint64_t ino);

/** A hint, which may be old: the number of a file; 0: not known. */
void cli_hint_put(struct cli_dirs *dirs, uint64_t parent, const char *text,
                  size_t len, uint64_t ino);
uint64_t cli_hint_find(const struct cli_dirs *dirs, uint64_t parent,
                       const char *text, size_t len);

#endif
