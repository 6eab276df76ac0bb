/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan mkdir and rm: names that come and go. Each operand is tried, whatever
 * became of the one before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <capstan/namespace.h>

#include "tools/listing.h"
#include "tools/options.h"

struct wish {
    struct tool_place place;
    bool is_recursive; /* mkdir: parents too */
    bool is_forced;
};

typedef int operand_fn(struct capstan_session *session, const struct wish *wish,
                       const char *path);

/* @return the exit status for all operands. */
static int for_each(const struct wish *wish, char **operands, int count,
                    operand_fn *act)
{
    struct capstan_session *session;
    int rc = tool_session_open(&wish->place, &session);

    if (rc != TOOL_OK)
        return rc;
    for (int i = 0; i < count; i++)
        if (act(session, wish, tool_remote(operands[i])) != 0)
            rc = TOOL_FAILED;
    capstan_session_close(&session);
    return rc;
}

static bool is_directory(struct capstan_session *session, const char *path)
{
    struct capstan_stat stat_buf;

    return capstan_stat(session, path, &stat_buf) == 0 &&
           stat_buf.type == CAPSTAN_DIRECTORY;
}

static int make_one(struct capstan_session *session, const char *path,
                    bool may_exist)
{
    int rc = capstan_mkdir(session, path, 0);

    if (rc == 0 || (rc == -EEXIST && may_exist && is_directory(session, path)))
        return 0;
    tool_session_error(session, path);
    return -1;
}

static int make(struct capstan_session *session, const struct wish *wish,
                const char *path)
{
    char *prefix;
    int rc = 0;

    if (!wish->is_recursive)
        return make_one(session, path, false);
    prefix = strdup(path);
    if (prefix == NULL) {
        tool_error(path, "%m");
        return -1;
    }
    for (char *c = prefix + 1; rc == 0 && *c != '\0'; c++) {
        if (*c != '/' || c[1] == '/' || c[1] == '\0')
            continue;
        *c = '\0';
        rc = make_one(session, prefix, true);
        *c = '/';
    }
    if (rc == 0)
        rc = make_one(session, prefix, true);
    free(prefix);
    return rc;
}

static int remove_file(struct capstan_session *session, const char *path,
                       bool may_miss)
{
    int rc = capstan_unlink(session, path);

    if (rc == 0 || (rc == -ENOENT && may_miss))
        return 0;
    if (rc == -EISDIR)
        tool_error(path, "is a directory; -r removes it");
    else
        tool_session_error(session, path);
    return -1;
}

/* The depth is bounded by the longest path that the cluster takes. */
static int remove_tree(struct capstan_session *session, const char *path)
{
    struct listing listing;
    int rc;

    if (listing_read(session, path, &listing) != 0)
        return -1;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < listing.count; i++) {
        char *below = listing_join(path, listing.entries[i].name);

        if (below == NULL)
            rc = -1;
        else if (listing.entries[i].stat.type == CAPSTAN_DIRECTORY)
            rc = remove_tree(session, below);
        else
            rc = remove_file(session, below, true);
        free(below);
    }
    listing_fini(&listing);
    if (rc != 0 || capstan_rmdir(session, path) == 0)
        return rc;
    tool_session_error(session, path);
    return -1;
}

static int remove_any(struct capstan_session *session, const struct wish *wish,
                      const char *path)
{
    if (path[strspn(path, "/.")] == '\0') {
        tool_error(path, "the root is not removed");
        return -1;
    }
    if (wish->is_recursive && is_directory(session, path))
        return remove_tree(session, path);
    return remove_file(session, path, wish->is_forced);
}

int cmd_mkdir(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.is_forced = false};
    const struct option_row rows[] = {
        {'p', "parents", NULL,
         "make parents too; a directory that exists is fine", OPTION_FLAG,
         &wish.is_recursive, 0, 0},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return for_each(&wish, argv + first, argc - first, make);
}

int cmd_rm(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.is_forced = false};
    const struct option_row rows[] = {
        {'r', "recursive", NULL, "remove directories with all below them",
         OPTION_FLAG, &wish.is_recursive, 0, 0},
        {'f', "force", NULL, "a path that does not exist is fine", OPTION_FLAG,
         &wish.is_forced, 0, 0},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return for_each(&wish, argv + first, argc - first, remove_any);
}
