/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan ls and stat: what is there. A directory's entries come with all but
 * the size of striped files, which is asked for where it is shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <capstan/namespace.h>

#include "base/clock.h"
#include "tools/listing.h"
#include "tools/options.h"
#include "tools/show.h"

struct list {
    struct capstan_session *session;
    struct tool_place place;
    bool is_long;
    bool is_recursive;
    bool is_json;
    bool has_titles; /* several directories: name each */
    bool is_tty;
    size_t printed;
    struct json json;
};

static void time_text(char *text, size_t size, const char *format,
                      int64_t time_ns)
{
    time_t sec = clock_timespec(time_ns).tv_sec;
    struct tm tm;

    if (localtime_r(&sec, &tm) == NULL ||
        strftime(text, size, format, &tm) == 0)
        snprintf(text, size, "?");
}

static void print_long(const struct capstan_stat *stat_buf)
{
    char mode[11], mtime[32];

    show_mode(mode, stat_buf);
    time_text(mtime, sizeof(mtime), "%Y-%m-%d %H:%M", stat_buf->mtime_ns);
    printf("%s %5" PRIu32 " %5" PRIu32 " %12" PRIu64 " %s ", mode,
           stat_buf->uid, stat_buf->gid, stat_buf->size, mtime);
}

static void print_entry(struct list *list, const char *path, const char *name,
                        const struct capstan_stat *stat_buf)
{
    list->printed++;
    if (list->is_json) {
        show_json(&list->json, path, stat_buf);
        return;
    }
    if (list->is_long)
        print_long(stat_buf);
    show_name(name, list->is_tty);
    putchar('\n');
}

/* Print one entry of a directory, its size included if it is to be seen. */
static int list_entry(struct list *list, const char *path,
                      struct listing_entry *entry)
{
    if (!entry->has_size && (list->is_long || list->is_json)) {
        int rc = capstan_stat(list->session, path, &entry->stat);

        if (rc == -ENOENT)
            return 0; /* removed since */
        if (rc != 0) {
            tool_session_error(list->session, path);
            return -1;
        }
    }
    print_entry(list, path, entry->name, &entry->stat);
    return 0;
}

static void print_title(struct list *list, const char *path)
{
    if (!list->has_titles || list->is_json)
        return;
    if (list->printed > 0)
        putchar('\n');
    show_name(path, list->is_tty);
    puts(":");
    list->printed++;
}

/* The depth is bounded by the longest path that the cluster takes. */
static int list_directory(struct list *list, const char *path)
{
    struct listing listing;
    int rc = 0;

    print_title(list, path);
    if (listing_read(list->session, path, &listing) != 0)
        return -1;
    for (unsigned pass = 0; pass < 1u + list->is_recursive; pass++)
        for (size_t i = 0; i < listing.count; i++) {
            struct listing_entry *entry = &listing.entries[i];
            char *below = listing_join(path, entry->name);

            if (below == NULL ||
                (pass == 0 && list_entry(list, below, entry) != 0) ||
                (pass == 1 && entry->stat.type == CAPSTAN_DIRECTORY &&
                 list_directory(list, below) != 0))
                rc = -1;
            free(below);
        }
    listing_fini(&listing);
    return rc;
}

static int list_operand(struct list *list, const char *path)
{
    struct capstan_stat stat_buf;

    if (capstan_stat(list->session, path, &stat_buf) != 0) {
        tool_session_error(list->session, path);
        return -1;
    }
    if (stat_buf.type == CAPSTAN_DIRECTORY)
        return list_directory(list, path);
    print_entry(list, path, path, &stat_buf);
    return 0;
}

static void print_stat(const char *path, const struct capstan_stat *stat_buf)
{
    char mode[11], time[64];

    show_mode(mode, stat_buf);
    printf("%s: %s\n", path, show_type(stat_buf->type));
    printf("  %-12s %" PRIu64 "\n", "size", stat_buf->size);
    printf("  %-12s %s\n", "mode", mode);
    printf("  %-12s %" PRIu32 "\n", "uid", stat_buf->uid);
    printf("  %-12s %" PRIu32 "\n", "gid", stat_buf->gid);
    printf("  %-12s %" PRIu64 " (target %u)\n", "ino", stat_buf->ino,
           (unsigned)(stat_buf->ino >> 48));
    time_text(time, sizeof(time), "%Y-%m-%d %H:%M:%S %z", stat_buf->atime_ns);
    printf("  %-12s %s\n", "read", time);
    time_text(time, sizeof(time), "%Y-%m-%d %H:%M:%S %z", stat_buf->mtime_ns);
    printf("  %-12s %s\n", "written", time);
    time_text(time, sizeof(time), "%Y-%m-%d %H:%M:%S %z", stat_buf->ctime_ns);
    printf("  %-12s %s\n", "changed", time);
    if (stat_buf->type != CAPSTAN_FILE)
        return;
    printf("  %-12s %" PRIu32 "\n", "stripe size", stat_buf->stripe_size);
    printf("  %-12s %u\n", "width", stat_buf->width);
    printf("  %-12s %s\n", "striped", stat_buf->is_striped ? "yes" : "not yet");
}

static int stat_one(struct list *list, const char *path)
{
    struct capstan_stat stat_buf;

    if (capstan_stat(list->session, path, &stat_buf) != 0) {
        tool_session_error(list->session, path);
        return TOOL_FAILED;
    }
    if (list->is_json) {
        show_json(&list->json, path, &stat_buf);
        json_end(&list->json);
    } else {
        print_stat(path, &stat_buf);
    }
    return TOOL_OK;
}

/* List all operands; none: the root. JSON is one array of all. */
static int list_all(struct list *list, char **operands, int count)
{
    int rc = TOOL_OK;

    list->is_tty = isatty(STDOUT_FILENO);
    list->has_titles = list->is_recursive || count > 1;
    if (list->is_json)
        json_open(&list->json, NULL, '[');
    if (count == 0 && list_operand(list, "/") != 0)
        rc = TOOL_FAILED;
    for (int i = 0; i < count; i++)
        if (list_operand(list, tool_remote(operands[i])) != 0)
            rc = TOOL_FAILED;
    if (list->is_json) {
        json_close(&list->json, ']');
        json_end(&list->json);
    }
    return rc;
}

int cmd_ls(const struct tool_command *command, int argc, char **argv)
{
    struct list list = {.printed = 0};
    const struct option_row rows[] = {
        {'l', "long", NULL, "mode, owner, group, size and time too",
         OPTION_FLAG, &list.is_long, 0, 0},
        {'R', "recursive", NULL, "directories below too", OPTION_FLAG,
         &list.is_recursive, 0, 0},
        {0, "json", NULL, "print a JSON array", OPTION_FLAG, &list.is_json, 0,
         0},
        TOOL_PLACE_OPTIONS(&list.place),
        OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&list.place, &list.session);
    if (rc != TOOL_OK)
        return rc;
    json_init(&list.json, stdout);
    rc = list_all(&list, argv + first, argc - first);
    capstan_session_close(&list.session);
    return rc;
}

int cmd_stat(const struct tool_command *command, int argc, char **argv)
{
    struct list list = {.printed = 0};
    const struct option_row rows[] = {{0, "json", NULL, "print a JSON object",
                                       OPTION_FLAG, &list.is_json, 0, 0},
                                      TOOL_PLACE_OPTIONS(&list.place),
                                      OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&list.place, &list.session);
    if (rc != TOOL_OK)
        return rc;
    json_init(&list.json, stdout);
    rc = stat_one(&list, tool_remote(argv[first]));
    capstan_session_close(&list.session);
    return rc;
}
