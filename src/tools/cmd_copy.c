/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan put and get: which file goes where. As with cp(1), a destination that
 * is a directory takes the sources under their own names; several sources need
 * one. With -r a directory goes with all that is below it, symlinks followed.
 *
 * The first failure ends the command: files that were copied before stay, the
 * one under way is removed.
 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <capstan/namespace.h>

#include "tools/copy.h"
#include "tools/listing.h"
#include "tools/options.h"

struct wish {
    struct tool_place place;
    bool is_recursive;
    uint64_t stripe_size;
    uint64_t width;
};

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);

    return len > 0 && path[len - 1] == '/';
}

static bool is_remote_directory(struct capstan_session *session,
                                const char *path)
{
    struct capstan_stat stat_buf;

    return capstan_stat(session, path, &stat_buf) == 0 &&
           stat_buf.type == CAPSTAN_DIRECTORY;
}

static bool is_local_directory(const char *path)
{
    struct stat stat_buf;

    return stat(path, &stat_buf) == 0 && S_ISDIR(stat_buf.st_mode);
}

/* Where a source goes: into the destination, or to its very name. */
static char *destination(const char *source, const char *given,
                         bool is_directory)
{
    char *name, *path;

    if (!is_directory)
        return strdup(given);
    name = listing_basename(source);
    if (name == NULL)
        return NULL;
    path = listing_join(given, name);
    free(name);
    return path;
}

static int need_directory(const char *path, int nsources, bool is_directory)
{
    if (is_directory || (nsources == 1 && !ends_in_slash(path)))
        return 0;
    tool_error(path, "is not a directory");
    return -1;
}

static int make_remote(struct capstan_session *session, const char *path,
                       mode_t mode)
{
    int rc = capstan_mkdir(session, path, mode & 0777);

    if (rc == 0 || (rc == -EEXIST && is_remote_directory(session, path)))
        return 0;
    tool_session_error(session, path);
    return -1;
}

/* One step of a walk below `top`: what is at entry goes below remote. */
static int put_entry(struct copy *copy, const FTSENT *entry, size_t top_len,
                     const char *remote)
{
    char *path = NULL;
    int rc = -1;

    if (asprintf(&path, "%s%s", remote, entry->fts_path + top_len) < 0) {
        tool_error(entry->fts_path, "%s", strerror(ENOMEM));
        return -1;
    }
    switch (entry->fts_info) {
    case FTS_D:
        rc = make_remote(copy->session, path, entry->fts_statp->st_mode);
        break;
    case FTS_DP:
        rc = 0;
        break;
    case FTS_F:
        rc = copy_put(copy, entry->fts_path, path);
        break;
    case FTS_DC:
        tool_error(entry->fts_path, "leads back to a directory above");
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        tool_error(entry->fts_path, "%s", strerror(entry->fts_errno));
        break;
    default:
        tool_error(entry->fts_path, "neither a file nor a directory");
        break;
    }
    free(path);
    return rc;
}

static FTS *walk(const char *local)
{
    char *tops[] = {(char *)(uintptr_t)local, NULL};
    FTS *fts = fts_open(tops, FTS_LOGICAL | FTS_NOCHDIR, NULL);

    if (fts == NULL)
        tool_error(local, "%m");
    return fts;
}

/* How much of every path in a walk is the top's: "tree" of "tree/" too. */
static size_t top_length(const char *top)
{
    size_t len = strlen(top);

    while (len > 0 && top[len - 1] == '/')
        len--;
    return len;
}

static int put_tree(struct copy *copy, const char *local, const char *remote)
{
    size_t top_len = top_length(local);
    FTS *fts = walk(local);
    FTSENT *entry;
    int rc = fts != NULL ? 0 : -1;

    while (rc == 0 && (errno = 0, entry = fts_read(fts)) != NULL)
        rc = put_entry(copy, entry, top_len, remote);
    if (rc == 0 && errno != 0) {
        tool_error(local, "%m");
        rc = -1;
    }
    if (fts != NULL)
        fts_close(fts);
    return rc;
}

/* For the progress bar: bytes in all sources. What cannot be read is left for
 * the copy to complain about. */
static uint64_t local_total(char **sources, int nsources)
{
    uint64_t total = 0;
    FTSENT *entry;

    for (int i = 0; i < nsources; i++) {
        char *tops[] = {sources[i], NULL};
        FTS *fts = fts_open(tops, FTS_LOGICAL | FTS_NOCHDIR, NULL);

        while (fts != NULL && (entry = fts_read(fts)) != NULL)
            if (entry->fts_info == FTS_F)
                total += (uint64_t)entry->fts_statp->st_size;
        if (fts != NULL)
            fts_close(fts);
    }
    return total;
}

static int put_all(struct copy *copy, const struct wish *wish, char **sources,
                   int nsources, const char *given)
{
    bool is_directory = is_remote_directory(copy->session, given);
    int rc = need_directory(given, nsources, is_directory);

    for (int i = 0; rc == 0 && i < nsources; i++) {
        char *remote = destination(sources[i], given, is_directory);

        if (remote == NULL)
            return -1;
        if (wish->is_recursive && is_local_directory(sources[i]))
            rc = put_tree(copy, sources[i], remote);
        else
            rc = copy_put(copy, sources[i], remote);
        free(remote);
    }
    return rc;
}

static int get_tree(struct copy *copy, const char *remote, const char *local);

static int get_entry(struct copy *copy, const struct listing_entry *entry,
                     const char *remote, const char *local)
{
    char *from = listing_join(remote, entry->name);
    char *to = listing_join(local, entry->name);
    int rc = -1;

    if (from != NULL && to != NULL)
        rc = entry->stat.type == CAPSTAN_DIRECTORY ? get_tree(copy, from, to)
                                                   : copy_get(copy, from, to);
    free(from);
    free(to);
    return rc;
}

/* The depth is bounded by the longest path that the cluster takes. */
static int get_tree(struct copy *copy, const char *remote, const char *local)
{
    struct listing listing;
    int rc = 0;

    if (mkdir(local, 0777) != 0 && !is_local_directory(local)) {
        tool_error(local, "%m");
        return -1;
    }
    if (listing_read(copy->session, remote, &listing) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < listing.count; i++)
        rc = get_entry(copy, &listing.entries[i], remote, local);
    listing_fini(&listing);
    return rc;
}

static uint64_t remote_total(struct capstan_session *session, char **sources,
                             int nsources)
{
    struct capstan_stat stat_buf;
    uint64_t total = 0;

    for (int i = 0; i < nsources; i++) {
        if (capstan_stat(session, tool_remote(sources[i]), &stat_buf) != 0 ||
            stat_buf.type == CAPSTAN_DIRECTORY)
            return 0;
        total += stat_buf.size;
    }
    return total;
}

static int get_all(struct copy *copy, const struct wish *wish, char **sources,
                   int nsources, const char *given)
{
    bool is_directory = is_local_directory(given);
    int rc = need_directory(given, nsources, is_directory);

    for (int i = 0; rc == 0 && i < nsources; i++) {
        const char *remote = tool_remote(sources[i]);
        char *local = destination(remote, given, is_directory);

        if (local == NULL)
            return -1;
        if (wish->is_recursive && is_remote_directory(copy->session, remote))
            rc = get_tree(copy, remote, local);
        else
            rc = copy_get(copy, remote, local);
        free(local);
    }
    return rc;
}

/* What put and get have in common, from the options on. */
static int run(const struct wish *wish, char **operands, int count, bool is_put)
{
    struct capstan_session *session;
    struct copy copy;
    char *last = operands[count - 1];
    int rc;

    rc = tool_session_open(&wish->place, &session);
    if (rc != TOOL_OK)
        return rc;
    tool_catch_interrupts();
    rc = copy_init(&copy, session);
    if (rc == 0) {
        copy.stripe_size = (uint32_t)wish->stripe_size;
        copy.width = (uint16_t)wish->width;
        progress_start(&copy.progress,
                       is_put ? local_total(operands, count - 1)
                              : remote_total(session, operands, count - 1));
        rc = is_put
                 ? put_all(&copy, wish, operands, count - 1, tool_remote(last))
                 : get_all(&copy, wish, operands, count - 1, last);
        progress_stop(&copy.progress);
        copy_fini(&copy);
    }
    capstan_session_close(&session);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}

int cmd_put(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.stripe_size = 0};
    const struct option_row rows[] = {
        {'r', "recursive", NULL, "copy directories with all below them",
         OPTION_FLAG, &wish.is_recursive, 0, 0},
        {0, "stripe-size", "SIZE",
         "of new files, a multiple of 4k (the cluster's default)", OPTION_SIZE,
         &wish.stripe_size, 4096, 1u << 30},
        {0, "width", "N", "targets of a new file (the cluster's default)",
         OPTION_SIZE, &wish.width, 1, UINT16_MAX},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return run(&wish, argv + first, argc - first, true);
}

int cmd_get(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.stripe_size = 0};
    const struct option_row rows[] = {{'r', "recursive", NULL,
                                       "copy directories with all below them",
                                       OPTION_FLAG, &wish.is_recursive, 0, 0},
                                      TOOL_PLACE_OPTIONS(&wish.place),
                                      OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return run(&wish, argv + first, argc - first, false);
}
