/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths to names: "/a/b/c" becomes (inode of /a/b, "c").
 *
 * Directories on the way are remembered for a second, files never, so a hot
 * path costs the one call that asks for its last name.
 *
 * Units    bytes.
 * Threads  the session's owner.
 * Failure  a failed call leaves its output as it was; texts are the caller's.
 */
#ifndef CAPSTAN_CLIENT_PATH_H
#define CAPSTAN_CLIENT_PATH_H

#include "client/call.h"

#include "base/inode.h"

/* A path without ".", "..", or needless slashes; "" is the root. */
struct cli_path {
    char text[PATH_LEN_MAX + 2];
    size_t len;
};

/* A record's key. len 0: the root directory, which has no record. */
struct cli_name {
    uint64_t parent;
    const char *text; /* into the path; not terminated */
    size_t len;
    bool is_cached; /* the parent came from the cache and may be stale */
};

int cli_dirs_create(struct cli_dirs **dirs_out);
void cli_dirs_destroy(struct cli_dirs **dirs_p);

/** Forget every remembered directory. */
void cli_dirs_drop(struct cli_dirs *dirs);

/** How many are remembered. */
unsigned cli_dirs_count(const struct cli_dirs *dirs);

/** Tidy a path up. @return 0, -ENOENT (empty), -ENAMETOOLONG. */
int cli_path_set(struct cli_path *path, const char *text);

/** The target that owns a name. */
uint16_t cli_name_owner(const struct capstan_session *session,
                        const struct cli_name *name);

/** Prepare a lookup of a name. */
void cli_lookup_init(const struct capstan_session *session,
                     const struct cli_name *name, struct cli_call *call);

/** What to do with a path's last name; see cli_path_each(). */
typedef int cli_name_fn(struct capstan_session *session,
                        const struct cli_name *name, uint64_t deadline_ns,
                        void *ctx);

/**
 * Resolve a path, then act on its name. Acts again after another walk if the
 * first went through the cache and ended in -ENOENT, -ENOTDIR or -ESTALE, and
 * again and again until the session's timeout while the parent is frozen.
 *
 * @param verb  for the text of a failure, "stat".
 * @return what act returned, or the walk's failure; the text is set.
 */
int cli_path_act(struct capstan_session *session, const char *verb,
                 const char *text, cli_name_fn *act, void *ctx);

#endif
