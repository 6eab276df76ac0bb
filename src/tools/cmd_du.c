/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan du: the sizes of files, summed up by directory. A size is what ls
 * shows, not the space on devices (du -b of GNU); a file with several names
 * counts where it is met first.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "tools/json.h"
#include "tools/listing.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/walk.h"

/* A file of several names that was met. */
struct seen {
    uint64_t ino;
    UT_hash_handle hh;
};

struct sum {
    uint64_t bytes;
    uint64_t files;
};

struct usage {
    struct tool_place place;
    bool is_summary;
    bool is_human;
    bool is_all;
    bool is_total;
    bool is_json;
    uint64_t depth_shown;
    struct sum *sums; /* by depth: of the directories that are open */
    unsigned nsums;
    struct sum total;
    struct seen *seen;
    struct json json;
};

static void print(struct usage *usage, const char *path, const struct sum *sum)
{
    char size[24];

    if (usage->is_json) {
        json_open(&usage->json, NULL, '{');
        json_string(&usage->json, "path", path);
        json_number(&usage->json, "bytes", sum->bytes);
        json_number(&usage->json, "files", sum->files);
        json_close(&usage->json, '}');
        return;
    }
    if (usage->is_human)
        progress_size(size, (double)sum->bytes);
    else
        snprintf(size, sizeof(size), "%" PRIu64, sum->bytes);
    printf("%s\t%s\n", size, path);
}

static bool is_shown(const struct usage *usage, unsigned depth, bool is_file)
{
    if (depth == 0)
        return true;
    return !usage->is_summary && depth <= usage->depth_shown &&
           (usage->is_all || !is_file);
}

/* Was this file met under another name? Without memory for it: no. */
static bool is_seen(struct usage *usage, const struct capstan_stat *stat_buf)
{
    struct seen *seen;

    if (stat_buf->nlink < 2)
        return false;
    HASH_FIND(hh, usage->seen, &stat_buf->ino, sizeof(seen->ino), seen);
    if (seen != NULL)
        return true;
    seen = malloc(sizeof(*seen));
    if (seen != NULL) {
        seen->ino = stat_buf->ino;
        HASH_ADD(hh, usage->seen, ino, sizeof(seen->ino), seen);
    }
    return false;
}

static void forget(struct usage *usage)
{
    struct seen *seen, *next;

    HASH_ITER(hh, usage->seen, seen, next)
    {
        HASH_DEL(usage->seen, seen);
        free(seen);
    }
}

static void add(struct sum *to, const struct sum *sum)
{
    to->bytes += sum->bytes;
    to->files += sum->files;
}

/* A directory begins a sum of its own, at its depth. */
static int begin(struct usage *usage, unsigned depth)
{
    if (depth >= usage->nsums) {
        unsigned room = 2 * depth + 16;
        struct sum *grown =
            reallocarray(usage->sums, room, sizeof(*usage->sums));

        if (grown == NULL)
            return -1;
        usage->sums = grown;
        usage->nsums = room;
    }
    usage->sums[depth] = (struct sum){0, 0};
    return 0;
}

static void end(struct usage *usage, const struct walk_entry *entry,
                const struct sum *sum, bool is_file)
{
    if (is_shown(usage, entry->depth, is_file))
        print(usage, entry->path, sum);
    add(entry->depth > 0 ? &usage->sums[entry->depth - 1] : &usage->total, sum);
}

static int found(void *ctx, const struct walk_entry *entry)
{
    struct sum sum = {entry->stat->size, 1};
    struct usage *usage = ctx;

    if (entry->stat->type == CAPSTAN_DIRECTORY)
        return 0;
    if (!is_seen(usage, entry->stat))
        end(usage, entry, &sum, true);
    return 0;
}

static int enter(void *ctx, const struct walk_entry *entry)
{
    if (begin(ctx, entry->depth) == 0)
        return 0;
    tool_error(entry->path, "%s", strerror(ENOMEM));
    return -1;
}

static int leave(void *ctx, const struct walk_entry *entry)
{
    struct usage *usage = ctx;
    struct sum sum = usage->sums[entry->depth];

    end(usage, entry, &sum, false);
    return 0;
}

static int sum_all(struct usage *usage, struct capstan_session *session,
                   char **operands, int count)
{
    static char root[] = "/";
    char *whole[] = {root};
    const struct walk walk = {.session = session,
                              .depth_max = UINT_MAX,
                              .is_whole_needed = true,
                              .found = found,
                              .enter = enter,
                              .leave = leave,
                              .ctx = usage};
    int rc = TOOL_OK;

    if (count == 0) {
        operands = whole;
        count = 1;
    }
    if (usage->is_json)
        json_open(&usage->json, NULL, '[');
    for (int i = 0; i < count; i++)
        if (walk_tree(&walk, tool_remote(operands[i])) != 0)
            rc = TOOL_FAILED;
    if (usage->is_total)
        print(usage, "total", &usage->total);
    if (usage->is_json) {
        json_close(&usage->json, ']');
        json_end(&usage->json);
    }
    return rc;
}

int cmd_du(const struct tool_command *command, int argc, char **argv)
{
    struct usage usage = {.depth_shown = UINT_MAX};
    const struct option_row rows[] = {
        {'a', "all", NULL, "show files too, not only directories", OPTION_FLAG,
         &usage.is_all, 0, 0},
        {'s', "summarize", NULL, "show only the operands", OPTION_FLAG,
         &usage.is_summary, 0, 0},
        {'d', "max-depth", "N", "show directories down to this depth",
         OPTION_SIZE, &usage.depth_shown, 0, UINT_MAX},
        {'h', "human-readable", NULL, "1.5 GiB rather than bytes", OPTION_FLAG,
         &usage.is_human, 0, 0},
        {'c', "total", NULL, "the sum of all operands last", OPTION_FLAG,
         &usage.is_total, 0, 0},
        {0, "json", NULL, "print a JSON array", OPTION_FLAG, &usage.is_json, 0,
         0},
        TOOL_PLACE_OPTIONS(&usage.place),
        OPTIONS_END};
    struct capstan_session *session;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&usage.place, &session);
    if (rc != TOOL_OK)
        return rc;
    tool_catch_interrupts();
    json_init(&usage.json, stdout);
    rc = sum_all(&usage, session, argv + first, argc - first);
    forget(&usage);
    free(usage.sums);
    capstan_session_close(&session);
    return rc;
}
