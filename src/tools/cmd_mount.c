/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan mount and umount: run capstan-fuse, the daemon of a mount, which does
 * the work and says what goes wrong.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/local.h"
#include "tools/options.h"

#define ARGS_MAX 16

struct wish {
    struct tool_place place;
    bool is_foreground;
    bool has_pages;
    bool is_lazy;
    bool has_no_locks;
    uint64_t cache_sec;
    const char *log;
};

struct args {
    const char *list[ARGS_MAX];
    size_t count;
};

static void add(struct args *args, const char *name, const char *value)
{
    args->list[args->count++] = name;
    if (value != NULL)
        args->list[args->count++] = value;
}

/* Become the daemon. Returns only when that fails. */
static int become(struct args *args)
{
    char program[PATH_MAX];

    if (local_find_program("capstan-fuse", "CAPSTAN_FUSE", "posix", program) !=
        0)
        return TOOL_FAILED;
    args->list[0] = program;
    args->list[args->count] = NULL;
    execv(program, (char **)(uintptr_t)args->list);
    tool_error(program, "%m");
    return TOOL_FAILED;
}

/* The daemon must be named a file that others find too. */
static int true_cluster_file(const struct tool_place *place, char *path)
{
    char named[PATH_MAX];

    if (place->cluster != NULL && place->root != NULL) {
        tool_error("--cluster", "not together with --root");
        return TOOL_USAGE;
    }
    tool_cluster_file(place, named);
    if (realpath(named, path) != NULL)
        return TOOL_OK;
    tool_error(named, "%m");
    return TOOL_FAILED;
}

int cmd_mount(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.cache_sec = 0};
    const struct option_row rows[] = {
        {'f', "foreground", NULL, "stay until it is unmounted", OPTION_FLAG,
         &wish.is_foreground, 0, 0},
        {0, "cache", "SECONDS",
         "let the kernel keep names and attributes so long; what others change "
         "is then seen later (0)",
         OPTION_SIZE, &wish.cache_sec, 0, 86400},
        {0, "pages", NULL,
         "read and write through the page cache, which is emptied when a file "
         "is opened or seen to be changed",
         OPTION_FLAG, &wish.has_pages, 0, 0},
        {0, "lazy", NULL,
         "closing a written file does not wait for the device; fsync does",
         OPTION_FLAG, &wish.is_lazy, 0, 0},
        {0, "no-locks", NULL,
         "refuse the locks of flock and fcntl, which else hold between the "
         "programs of this mount only",
         OPTION_FLAG, &wish.has_no_locks, 0, 0},
        {0, "log", "FILE", "where the daemon's messages go (nowhere)",
         OPTION_TEXT, &wish.log, 0, 0},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    char cluster[PATH_MAX], timeout[24], cache[24];
    struct args args = {.count = 1};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = true_cluster_file(&wish.place, cluster);
    if (rc != TOOL_OK)
        return rc;
    snprintf(timeout, sizeof(timeout), "%llu",
             (unsigned long long)wish.place.timeout_sec);
    snprintf(cache, sizeof(cache), "%llu", (unsigned long long)wish.cache_sec);
    add(&args, "--cluster", cluster);
    add(&args, "--timeout", timeout);
    add(&args, "--cache", cache);
    if (wish.log != NULL)
        add(&args, "--log", wish.log);
    if (wish.has_pages)
        add(&args, "--pages", NULL);
    if (wish.is_lazy)
        add(&args, "--lazy", NULL);
    if (wish.has_no_locks)
        add(&args, "--no-locks", NULL);
    if (wish.is_foreground)
        add(&args, "--foreground", NULL);
    add(&args, "--", argv[first]);
    return become(&args);
}

int cmd_umount(const struct tool_command *command, int argc, char **argv)
{
    const struct option_row rows[] = {OPTIONS_END};
    struct args args = {.count = 1};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    add(&args, "--umount", NULL);
    add(&args, "--", argv[first]);
    return become(&args);
}
