/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mount table (proc(5)). A line is
 *
 *     36 35 98:0 /root /point options tags... - type source options
 *
 * with blanks and backslashes in names written as octal escapes. A later mount
 * covers an earlier one at the same point, so the last of the longest counts.
 */
#include "base/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#define TABLE "/proc/self/mountinfo"

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Copy one field and undo its escapes. @return what follows it, or NULL. */
static const char *take(const char *text, char *field, size_t room)
{
    size_t len = 0;

    text += strspn(text, " ");
    if (*text == '\0' || *text == '\n')
        return NULL;
    while (*text != ' ' && *text != '\n' && *text != '\0') {
        char c = *text++;

        if (c == '\\' && is_octal(text[0]) && is_octal(text[1]) &&
            is_octal(text[2])) {
            c = (char)((text[0] - '0') * 64 + (text[1] - '0') * 8 +
                       (text[2] - '0'));
            text += 3;
        }
        if (len + 1 >= room)
            return NULL;
        field[len++] = c;
    }
    field[len] = '\0';
    return text;
}

static const char *skip(const char *text, unsigned fields)
{
    while (fields-- > 0) {
        text += strspn(text, " ");
        text += strcspn(text, " ");
    }
    return text;
}

bool mountinfo_parse(const char *line, struct mountinfo *mount_out)
{
    const char *dash = strstr(line, " - ");
    const char *at = skip(line, 3);

    if (dash == NULL)
        return false;
    at = take(at, mount_out->root, sizeof(mount_out->root));
    if (at != NULL)
        at = take(at, mount_out->point, sizeof(mount_out->point));
    if (at == NULL || at > dash)
        return false;
    at = take(dash + 3, mount_out->type, sizeof(mount_out->type));
    return at != NULL &&
           take(at, mount_out->source, sizeof(mount_out->source)) != NULL;
}

bool mountinfo_is_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);

    while (len > 0 && directory[len - 1] == '/')
        len--;
    return strncmp(path, directory, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

bool mountinfo_find(const char *path, struct mountinfo *mount_out)
{
    struct mountinfo *mount = malloc(sizeof(*mount));
    FILE *table = fopen(TABLE, "re");
    size_t longest = 0, room = 0;
    bool is_found = false;
    char *line = NULL;

    while (mount != NULL && table != NULL && getline(&line, &room, table) > 0) {
        if (!mountinfo_parse(line, mount) ||
            !mountinfo_is_below(path, mount->point) ||
            strlen(mount->point) < longest)
            continue;
        longest = strlen(mount->point);
        *mount_out = *mount;
        is_found = true;
    }
    free(line);
    if (table != NULL)
        fclose(table);
    free(mount);
    return is_found;
}

bool mountinfo_has_type(const char *type)
{
    FILE *table = fopen(TABLE, "re");
    size_t room = 0, len = strlen(type);
    bool is_found = false;
    char *line = NULL;

    while (table != NULL && !is_found && getline(&line, &room, table) > 0) {
        const char *dash = strstr(line, " - ");

        is_found = dash != NULL && strncmp(dash + 3, type, len) == 0 &&
                   dash[3 + len] == ' ';
    }
    free(line);
    if (table != NULL)
        fclose(table);
    return is_found;
}
