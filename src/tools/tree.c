/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk of a copy. A directory is made with all its owner's rights, so that
 * it can be filled, and gets the mode and times it shall have when all files
 * are there: such directories are remembered, and settled last to first.
 *
 * Possible failures: a directory that is copied into itself would never end, so
 * the walk does not enter what it made; a directory that symbolic links lead
 * back to is found by the depth of the path, which both sides bound.
 */
#include "tools/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/crew.h"

struct unsettled {
    char *path;
    struct capstan_stat stat;
};

struct tree {
    const struct tree_wish *wish;
    struct capstan_session *session;
    struct side from;
    struct side to;
    struct progress progress;
    struct crew *crew;
    struct unsettled *unsettled;
    size_t count, room;
    uint64_t made; /* the topmost directory of this copy; 0: none yet */
    bool is_failed;
};

static bool is_within(const struct tree *tree)
{
    return tree->wish->is_from_remote && tree->wish->is_to_remote;
}

int tree_open(const struct tree_wish *wish, struct tree **tree_out)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    int rc = TOOL_FAILED;

    if (tree == NULL) {
        tool_error("copy", "%s", strerror(ENOMEM));
        return TOOL_FAILED;
    }
    tree->wish = wish;
    if (wish->is_from_remote || wish->is_to_remote)
        rc = tool_session_open(&wish->place, &tree->session);
    if (rc != TOOL_OK)
        goto err_tree;
    tree->from.session = wish->is_from_remote ? tree->session : NULL;
    tree->to.session = wish->is_to_remote ? tree->session : NULL;
    progress_start(&tree->progress, 0);
    if (crew_start(wish, tree->session, &tree->progress, &tree->crew) != 0)
        goto err_session;
    *tree_out = tree;
    return TOOL_OK;

err_session:
    rc = TOOL_FAILED;
    capstan_session_close(&tree->session);
err_tree:
    free(tree);
    return rc;
}

bool tree_is_directory(struct tree *tree, const char *to)
{
    struct capstan_stat stat_buf;

    return side_stat(&tree->to, to, true, &stat_buf) == 0 &&
           stat_buf.type == CAPSTAN_DIRECTORY;
}

static void remember(struct tree *tree, const char *path,
                     const struct capstan_stat *stat_buf)
{
    if (tree->count == tree->room) {
        size_t room = tree->room > 0 ? 2 * tree->room : 64;
        void *grown =
            reallocarray(tree->unsettled, room, sizeof(*tree->unsettled));

        if (grown == NULL) {
            tree->is_failed = true;
            return;
        }
        tree->unsettled = grown;
        tree->room = room;
    }
    tree->unsettled[tree->count].path = strdup(path);
    tree->unsettled[tree->count].stat = *stat_buf;
    if (tree->unsettled[tree->count].path != NULL)
        tree->count++;
    else
        tree->is_failed = true;
}

static void settle(struct tree *tree)
{
    while (tree->count > 0) {
        struct unsettled *last = &tree->unsettled[--tree->count];
        int rc =
            tree->wish->is_kept
                ? side_set(&tree->to, last->path, &last->stat)
                : side_chmod(&tree->to, last->path, last->stat.mode & 0777);

        if (rc != 0) {
            side_error(&tree->to, last->path);
            tree->is_failed = true;
        }
        free(last->path);
    }
    free(tree->unsettled);
}

/* What is no file and no directory is made anew. What is in its way goes, as
 * with cp; mostly there is nothing. */
static int make_anew(struct tree *tree, const char *from, const char *to,
                     const struct capstan_stat *stat_buf)
{
    char text[PATH_MAX];
    int rc;

    if (stat_buf->type == CAPSTAN_SYMLINK &&
        side_readlink(&tree->from, from, text, sizeof(text)) != 0)
        return side_error(&tree->from, from);
    side_unlink(&tree->to, to);
    if (stat_buf->type == CAPSTAN_SYMLINK)
        rc = side_symlink(&tree->to, text, to);
    else
        rc = side_mknod(&tree->to, to, stat_buf);
    if (rc == 0 && tree->wish->is_kept)
        rc = side_set(&tree->to, to, stat_buf);
    return rc == 0 ? 0 : side_error(&tree->to, to);
}

static int make(struct tree *tree, const char *to,
                const struct capstan_stat *stat_buf)
{
    struct capstan_stat made;
    uint32_t mode = stat_buf->mode & 0777;
    int rc = side_mkdir(&tree->to, to, mode | 0700);

    if (rc != 0 && !(rc == -EEXIST && tree_is_directory(tree, to)))
        return side_error(&tree->to, to);
    if (rc == 0 && ((mode | 0700) != mode || tree->wish->is_kept))
        remember(tree, to, stat_buf);
    if (is_within(tree) && tree->made == 0 &&
        side_stat(&tree->to, to, true, &made) == 0)
        tree->made = made.ino;
    return 0;
}

static int copy_any(struct tree *tree, const char *from, const char *to,
                    const struct capstan_stat *stat_buf);

/* A listing may have old sizes and times of striped files; and what symbolic
 * links lead to is not in it. */
static int copy_entry(struct tree *tree, const char *from, const char *to,
                      const struct listing_entry *entry)
{
    struct capstan_stat stat_buf = entry->stat;
    bool is_followed = tree->wish->is_followed;

    if (stat_buf.ino == tree->made && is_within(tree)) {
        tool_error(from, "is what this copy makes");
        return -1;
    }
    if ((stat_buf.is_partial && stat_buf.type == CAPSTAN_FILE) ||
        (is_followed && stat_buf.type == CAPSTAN_SYMLINK))
        if (side_stat(&tree->from, from, is_followed, &stat_buf) != 0)
            return side_error(&tree->from, from);
    return copy_any(tree, from, to, &stat_buf);
}

/* The depth is bounded by the longest path. */
static int copy_directory(struct tree *tree, const char *from, const char *to,
                          const struct capstan_stat *stat_buf)
{
    struct listing listing;
    int rc;

    if (!tree->wish->is_recursive) {
        tool_error(from, "is a directory; -r copies it");
        return -1;
    }
    if (make(tree, to, stat_buf) != 0 ||
        side_list(&tree->from, from, &listing) != 0)
        return -1;
    rc = 0;
    for (size_t i = 0; i < listing.count && !tool_interrupted(); i++) {
        char *below = listing_join(from, listing.entries[i].name);
        char *there = listing_join(to, listing.entries[i].name);

        if (below == NULL || there == NULL ||
            copy_entry(tree, below, there, &listing.entries[i]) != 0)
            rc = -1;
        free(below);
        free(there);
    }
    listing_fini(&listing);
    return rc;
}

static int copy_any(struct tree *tree, const char *from, const char *to,
                    const struct capstan_stat *stat_buf)
{
    struct capstan_stat there;

    if (stat_buf->type == CAPSTAN_DIRECTORY)
        return copy_directory(tree, from, to, stat_buf);
    if (tree->wish->is_careful && side_stat(&tree->to, to, false, &there) == 0)
        return 0;
    /* An operand that is a pipe or a device is read, as cp does without -r. */
    if (stat_buf->type == CAPSTAN_SYMLINK ||
        (stat_buf->type != CAPSTAN_FILE && tree->wish->is_recursive))
        return make_anew(tree, from, to, stat_buf);
    progress_more(&tree->progress,
                  stat_buf->type == CAPSTAN_FILE ? stat_buf->size : 0);
    crew_add(tree->crew, from, to, stat_buf);
    return 0;
}

static bool is_stream(const struct side *side, const char *path)
{
    return side->session == NULL && strcmp(path, "-") == 0;
}

void tree_copy(struct tree *tree, const char *from, const char *to)
{
    const struct tree_wish *wish = tree->wish;
    struct capstan_stat stat_buf = {.type = CAPSTAN_FILE, .mode = 0644};
    int rc = 0;

    tree->made = 0;
    if (!is_stream(&tree->from, from))
        rc = side_stat(&tree->from, from,
                       wish->is_followed || !wish->is_recursive, &stat_buf);
    if (rc != 0)
        rc = side_error(&tree->from, from);
    else if (is_stream(&tree->to, to))
        crew_add(tree->crew, from, to, &stat_buf);
    else
        rc = copy_any(tree, from, to, &stat_buf);
    if (rc != 0)
        tree->is_failed = true;
}

int tree_close(struct tree **tree_p)
{
    struct tree *tree = *tree_p;
    int rc;

    if (crew_end(&tree->crew) != 0 || tool_interrupted())
        tree->is_failed = true;
    settle(tree);
    progress_stop(&tree->progress);
    rc = tree->is_failed ? -1 : 0;
    capstan_session_close(&tree->session);
    free(tree);
    *tree_p = NULL;
    return rc;
}
