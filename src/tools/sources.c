/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files that are to be packed. They are sorted, so that the same tree packs
 * alike on any file system, and so that files of one key come together.
 */
#include "tools/sources.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/tar.h"
#include "tools/tool.h"

static int add(struct sources *sources, const char *path, size_t root,
               const struct stat *info)
{
    struct source *source;

    if (sources->count == sources->room) {
        size_t room = sources->room == 0 ? 1024 : sources->room * 2;
        void *grown = reallocarray(sources->list, room, sizeof(*source));

        if (grown == NULL)
            return -1;
        sources->list = grown;
        sources->room = room;
    }
    source = &sources->list[sources->count];
    source->path = strdup(path);
    if (source->path == NULL)
        return -1;
    source->name = source->path + root;
    while (*source->name == '/' || strncmp(source->name, "./", 2) == 0)
        source->name++;
    source->key = tar_key_length(source->name, strlen(source->name));
    source->length = (uint64_t)info->st_size;
    source->mtime_ns = (uint64_t)info->st_mtim.tv_sec * 1000000000u +
                       (uint64_t)info->st_mtim.tv_nsec;
    sources->count++;
    return 0;
}

/* Take a file if it can be a sample. @return 0 or -1: no memory. */
static int consider(struct sources *sources, const char *path, size_t root,
                    const struct stat *info,
                    const struct sources_limits *limits)
{
    uint64_t length = (uint64_t)info->st_size;

    if (!S_ISREG(info->st_mode))
        return 0;
    if (length < limits->length_min) {
        sources->too_short++;
        return 0;
    }
    if (length > limits->length_max) {
        sources->too_long++;
        return 0;
    }
    if (add(sources, path, root, info) == 0)
        return 0;
    tool_error(path, "%s", strerror(ENOMEM));
    return -1;
}

static int walk(struct sources *sources, const char *from,
                const struct sources_limits *limits)
{
    char *tops[] = {(char *)(uintptr_t)from, NULL};
    FTS *fts = fts_open(tops, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int rc = 0;

    if (fts == NULL) {
        tool_error(from, "%m");
        return -1;
    }
    while (rc == 0 && (errno = 0, entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            tool_error(entry->fts_path, "left out: %s",
                       strerror(entry->fts_errno));
        if (entry->fts_info == FTS_SL)
            sources->links++;
        if (entry->fts_info == FTS_F)
            rc = consider(sources, entry->fts_path, strlen(from),
                          entry->fts_statp, limits);
    }
    if (rc == 0 && errno != 0) {
        tool_error(from, "%m");
        rc = -1;
    }
    fts_close(fts);
    return rc;
}

static int read_list(struct sources *sources, const char *from,
                     const struct sources_limits *limits)
{
    FILE *list = fopen(from, "r");
    struct stat info;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int rc = 0;

    if (list == NULL) {
        tool_error(from, "%m");
        return -1;
    }
    while (rc == 0 && (length = getline(&line, &room, list)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[--length] = '\0';
        if (length == 0)
            continue;
        if (stat(line, &info) != 0)
            tool_error(line, "left out: %m");
        else
            rc = consider(sources, line, 0, &info, limits);
    }
    free(line);
    fclose(list);
    return rc;
}

/* By key, then by name: so "a.x", "a.y", whatever sorts between. */
static int by_key(const void *left, const void *right)
{
    const struct source *a = left, *b = right;
    size_t common = a->key < b->key ? a->key : b->key;
    int order = memcmp(a->name, b->name, common);

    if (order == 0)
        order = (a->key > b->key) - (a->key < b->key);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static void keep(struct sources *sources, uint64_t limit)
{
    size_t kept = 0;

    while (kept < sources->count &&
           (kept == 0 || limit == 0 ||
            sources->bytes + sources->list[kept].length <= limit))
        sources->bytes += sources->list[kept++].length;
    for (size_t i = kept; i < sources->count; i++)
        free(sources->list[i].path);
    sources->count = kept;
}

int sources_find(struct sources *sources, const char *from,
                 const struct sources_limits *limits)
{
    struct stat info;
    int rc;

    *sources = (struct sources){.list = NULL};
    if (stat(from, &info) != 0) {
        tool_error(from, "%m");
        return -1;
    }
    rc = S_ISDIR(info.st_mode) ? walk(sources, from, limits)
                               : read_list(sources, from, limits);
    if (rc == 0 && sources->count == 0) {
        tool_error(from, "no file of %llu to %llu bytes%s",
                   (unsigned long long)limits->length_min,
                   (unsigned long long)limits->length_max,
                   sources->links > 0 ? "; symbolic links are not followed"
                                      : "");
        rc = -1;
    }
    if (rc != 0) {
        sources_fini(sources);
        return -1;
    }
    qsort(sources->list, sources->count, sizeof(*sources->list), by_key);
    keep(sources, limits->total);
    return 0;
}

void sources_fini(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        free(sources->list[i].path);
    free(sources->list);
    *sources = (struct sources){.list = NULL};
}
