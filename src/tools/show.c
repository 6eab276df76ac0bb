/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table tells what a type is called and which letter it has.
 */
#include "tools/show.h"

#include <stdio.h>

static const struct {
    const char *name;
    char letter;
} types[] = {
    [CAPSTAN_FILE] = {"file", '-'},
    [CAPSTAN_DIRECTORY] = {"directory", 'd'},
    [CAPSTAN_SYMLINK] = {"symlink", 'l'},
    [CAPSTAN_FIFO] = {"fifo", 'p'},
    [CAPSTAN_SOCKET] = {"socket", 's'},
    [CAPSTAN_CHAR] = {"char", 'c'},
    [CAPSTAN_BLOCK] = {"block", 'b'},
};

const char *show_type(enum capstan_type type)
{
    return types[type].name;
}

/* An execute bit, or what set-user-id, set-group-id or sticky make of it. */
static void mark(char *letter, bool is_set, char mark_letter)
{
    if (is_set)
        *letter =
            *letter == 'x' ? mark_letter : (char)(mark_letter - 'a' + 'A');
}

void show_mode(char *text, const struct capstan_stat *stat_buf)
{
    static const char letters[] = "rwxrwxrwx";

    text[0] = types[stat_buf->type].letter;
    for (int i = 0; i < 9; i++)
        text[i + 1] = stat_buf->mode & (0400u >> i) ? letters[i] : '-';
    mark(&text[3], stat_buf->mode & 04000, 's');
    mark(&text[6], stat_buf->mode & 02000, 's');
    mark(&text[9], stat_buf->mode & 01000, 't');
    text[10] = '\0';
}

void show_name(const char *name, bool is_tty)
{
    for (; *name != '\0'; name++)
        putchar(is_tty && ((unsigned char)*name < ' ' || *name == 127) ? '?'
                                                                       : *name);
}

void show_json(struct json *json, const char *path,
               const struct capstan_stat *stat_buf)
{
    char mode[8];

    snprintf(mode, sizeof(mode), "%04o", stat_buf->mode & 07777);
    json_open(json, NULL, '{');
    json_string(json, "path", path);
    json_string(json, "type", show_type(stat_buf->type));
    json_number(json, "size", stat_buf->size);
    json_string(json, "mode", mode);
    json_number(json, "uid", stat_buf->uid);
    json_number(json, "gid", stat_buf->gid);
    json_number(json, "ino", stat_buf->ino);
    json_number(json, "nlink", stat_buf->nlink);
    json_integer(json, "atime_ns", stat_buf->atime_ns);
    json_integer(json, "mtime_ns", stat_buf->mtime_ns);
    json_integer(json, "ctime_ns", stat_buf->ctime_ns);
    if (stat_buf->type == CAPSTAN_FILE) {
        json_number(json, "stripe_size", stat_buf->stripe_size);
        json_number(json, "width", stat_buf->width);
        json_bool(json, "is_striped", stat_buf->is_striped);
    }
    json_close(json, '}');
}
