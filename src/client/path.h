/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths to names: "/a/b/c" becomes (inode of /a/b, "c").
 *
 * Directories and symbolic links on the way are remembered for a second, files
 * never, so a hot path costs the one call that asks for its last name.
 *
 * Units    bytes.
 * Threads  the session's owner.
 * Failure  a failed call leaves its output as it was; texts are the caller's.
 */
#ifndef CAPSTAN_CLIENT_PATH_H
#define CAPSTAN_CLIENT_PATH_H

#include "client/call.h"
#include "client/dirs.h"

#include "base/inode.h"

/* A name in a directory. len 0: the directory itself. */
struct cli_name {
    uint64_t parent;
    const char *text; /* not terminated; lives as long as the act */
    size_t len;
    bool is_cached;  /* the way to the parent came from the cache: may be old */
    bool is_slashed; /* must stand for a directory */
    char dots;       /* len 0: the path ended in '.', in '..' (2), or (0) is
                        the root */
};

/** The target that owns a name. */
uint16_t cli_name_owner(const struct capstan_session *session,
                        const struct cli_name *name);

/** An act found a symbolic link, whose text is in session->link: follow it. */
#define CLI_LINK 1

/** What to do with a path's last name. @return 0, a code, or CLI_LINK. */
typedef int cli_name_fn(struct capstan_session *session,
                        const struct cli_name *name, uint64_t deadline_ns,
                        void *ctx);

/**
 * Resolve a path, then act on its name. Acts again after another walk if the
 * first went through the cache and ended in -ENOENT, -ENOTDIR or -ESTALE, and
 * again and again until the session's timeout while a name is being changed.
 *
 * @param verb  for the text of a failure, "stat".
 * @return what act returned, or the walk's failure; the text is set.
 */
int cli_path_act(struct capstan_session *session, const char *verb,
                 const char *text, cli_name_fn *act, void *ctx);

/** Resolve a path to the directory and the last name only, within an act. */
int cli_path_parent(struct capstan_session *session, const char *text,
                    uint64_t deadline_ns, char room[NAME_LEN_MAX + 1],
                    struct cli_name *name_out);

/** Act on a name in a directory that is given by number; as cli_path_act()
 *  while the name is being changed. @return CLI_LINK never. */
int cli_name_act(struct capstan_session *session, const char *verb,
                 uint64_t dir, const char *text, cli_name_fn *act, void *ctx);

/** Put a verb before the text of a failure. */
void cli_say_verb(struct capstan_session *session, const char *verb);

/** Wait for CLI_PAUSE_NS. */
void cli_pause(struct capstan_session *session);

#endif
