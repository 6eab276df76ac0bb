/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory, read whole before anything is done with it: so removing entries
 * does not disturb the reading, and no directory stays open while its
 * subdirectories are walked.
 */
#include "tools/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

int listing_add(struct listing *listing, size_t *room,
                const struct capstan_dirent *dirent)
{
    struct listing_entry *grown, *entry;

    if (listing->count == *room) {
        *room = *room > 0 ? 2 * *room : 64;
        grown = reallocarray(listing->entries, *room, sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        listing->entries = grown;
    }
    entry = &listing->entries[listing->count];
    entry->name = strdup(dirent->name);
    if (entry->name == NULL)
        return -ENOMEM;
    entry->stat = dirent->stat;
    entry->has_size = dirent->has_size;
    listing->count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct listing_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void listing_sort(struct listing *listing)
{
    if (listing->count > 0)
        qsort(listing->entries, listing->count, sizeof(*listing->entries),
              by_name);
}

int listing_read(struct capstan_session *session, const char *path,
                 struct listing *listing_out)
{
    struct listing listing = {NULL, 0};
    struct capstan_dirent dirent;
    struct capstan_dir *dir;
    size_t room = 0;
    bool is_ours = false;
    int rc;

    rc = capstan_dir_open(session, path, &dir);
    if (rc != 0) {
        tool_session_error(session, path);
        return -1;
    }
    while (!is_ours && (rc = capstan_dir_read(dir, &dirent)) == 0) {
        rc = listing_add(&listing, &room, &dirent);
        is_ours = rc != 0;
    }
    if (is_ours)
        tool_error(path, "%s", strerror(ENOMEM));
    else if (rc != -ENOENT)
        tool_session_error(session, path);
    capstan_dir_close(&dir);
    if (rc != -ENOENT) {
        listing_fini(&listing);
        return -1;
    }
    listing_sort(&listing);
    *listing_out = listing;
    return 0;
}

void listing_fini(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    *listing = (struct listing){NULL, 0};
}

char *listing_join(const char *directory, const char *name)
{
    size_t len = strlen(directory);
    char *path;

    if (asprintf(&path, "%s%s%s", directory,
                 len > 0 && directory[len - 1] == '/' ? "" : "/", name) < 0) {
        tool_error(directory, "%s", strerror(ENOMEM));
        return NULL;
    }
    return path;
}

char *listing_basename(const char *path)
{
    size_t end = strlen(path), start;
    char *name;

    while (end > 0 && path[end - 1] == '/')
        end--;
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    name = strndup(path + start, end - start);
    if (name == NULL)
        tool_error(path, "%s", strerror(ENOMEM));
    return name;
}
