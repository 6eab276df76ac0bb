/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory is read to its end before those in it are entered: so at most one
 * is open, and only the names of directories are kept meanwhile.
 */
#include "tools/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/listing.h"
#include "tools/tool.h"

/* The directories in one directory. */
struct below {
    struct listing list;
    size_t room;
};

static int visit(const struct walk *walk, const char *path, unsigned depth,
                 const struct capstan_dirent *found, struct below *below)
{
    struct walk_entry entry = {path, found->name, depth, &found->stat};

    if (walk->found(walk->ctx, &entry) != 0 ||
        found->stat.type != CAPSTAN_DIRECTORY)
        return 0;
    if (listing_add(&below->list, &below->room, found) == 0)
        return 0;
    tool_error(path, "%s", strerror(ENOMEM));
    return -1;
}

/* What a listing did not ask for. @return 0, -ENOENT (removed since), -1. */
static int complete(const struct walk *walk, const char *path,
                    struct capstan_dirent *found)
{
    int rc;

    if (!walk->is_whole_needed || !found->stat.is_partial ||
        found->stat.type == CAPSTAN_DIRECTORY)
        return 0;
    rc = capstan_lstat(walk->session, path, &found->stat);
    if (rc == 0 || rc == -ENOENT)
        return rc;
    tool_session_error(walk->session, path);
    return -1;
}

static int visit_found(const struct walk *walk, const char *directory,
                       unsigned depth, struct capstan_dirent *found,
                       struct below *below)
{
    char *path = listing_join(directory, found->name);
    int rc = path != NULL ? complete(walk, path, found) : -1;

    if (rc == 0)
        rc = visit(walk, path, depth, found, below);
    free(path);
    return rc == -ENOENT ? 0 : rc;
}

static int read_directory(const struct walk *walk, const char *path,
                          unsigned depth, struct below *below)
{
    struct capstan_dirent found;
    struct capstan_dir *dir;
    int rc = capstan_dir_open(walk->session, path, &dir);
    int failed = 0;

    if (rc != 0) {
        tool_session_error(walk->session, path);
        return -1;
    }
    while (!tool_interrupted() && (rc = capstan_dir_read(dir, &found)) == 0)
        if (visit_found(walk, path, depth + 1, &found, below) != 0)
            failed = -1;
    if (rc != 0 && rc != -ENOENT) {
        tool_session_error(walk->session, path);
        failed = -1;
    }
    capstan_dir_close(&dir);
    return tool_interrupted() ? -1 : failed;
}

/* The depth is bounded by the longest path that the cluster takes. */
static int enter(const struct walk *walk, const char *path, unsigned depth,
                 const char *name, const struct capstan_stat *stat_buf)
{
    struct walk_entry entry = {path, name, depth, stat_buf};
    struct below below = {.room = 0};
    int rc = 0;

    if (walk->enter != NULL && walk->enter(walk->ctx, &entry) != 0)
        return -1;
    if (depth < walk->depth_max)
        rc = read_directory(walk, path, depth, &below);
    for (size_t i = 0; i < below.list.count && !tool_interrupted(); i++) {
        struct listing_entry *next = &below.list.entries[i];
        char *joined = listing_join(path, next->name);

        if (joined == NULL ||
            enter(walk, joined, depth + 1, next->name, &next->stat) != 0)
            rc = -1;
        free(joined);
    }
    listing_fini(&below.list);
    if (walk->leave != NULL && walk->leave(walk->ctx, &entry) != 0)
        rc = -1;
    return rc;
}

int walk_tree(const struct walk *walk, const char *top)
{
    struct capstan_stat stat_buf;
    struct walk_entry entry = {top, NULL, 0, &stat_buf};
    char *name = NULL;
    int rc = 0;

    if (capstan_lstat(walk->session, top, &stat_buf) != 0) {
        tool_session_error(walk->session, top);
        return -1;
    }
    name = listing_basename(top);
    if (name == NULL)
        return -1;
    entry.name = *name != '\0' ? name : "/";
    if (walk->found(walk->ctx, &entry) == 0 &&
        stat_buf.type == CAPSTAN_DIRECTORY)
        rc = enter(walk, top, 0, entry.name, &stat_buf);
    free(name);
    return rc;
}
