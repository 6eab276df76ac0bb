/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan mv and df: rename within the cluster, and its space.
 */
#include <stdlib.h>
#include <string.h>

#include <capstan/inode.h>
#include <capstan/namespace.h>

#include "tools/json.h"
#include "tools/listing.h"
#include "tools/options.h"
#include "tools/progress.h"

static bool is_directory(struct capstan_session *session, const char *path)
{
    struct capstan_stat stat_buf;

    return capstan_stat(session, path, &stat_buf) == 0 &&
           stat_buf.type == CAPSTAN_DIRECTORY;
}

/* Into the destination if it is a directory, else to its very name. */
static int move_one(struct capstan_session *session, const char *from,
                    const char *to, bool is_into, unsigned flags)
{
    char *name = is_into ? listing_basename(from) : NULL;
    char *path = name != NULL ? listing_join(to, name) : NULL;
    int rc = is_into && path == NULL ? -1 : 0;

    if (rc == 0) {
        rc = capstan_rename(session, from, path != NULL ? path : to, flags);
        if (rc != 0)
            tool_session_error(session, from);
    }
    free(name);
    free(path);
    return rc;
}

static int move_all(struct capstan_session *session, char **operands, int count,
                    unsigned flags)
{
    const char *to = tool_remote(operands[count - 1]);
    bool is_into = is_directory(session, to);
    int rc = TOOL_OK;

    if (!is_into && count > 2) {
        tool_error(to, "is not a directory");
        return TOOL_FAILED;
    }
    for (int i = 0; i < count - 1; i++)
        if (move_one(session, tool_remote(operands[i]), to, is_into, flags) !=
            0)
            rc = TOOL_FAILED;
    return rc;
}

int cmd_mv(const struct tool_command *command, int argc, char **argv)
{
    struct tool_place place = {.cluster = NULL};
    bool is_careful = false;
    const struct option_row rows[] = {{'n', "no-replace", NULL,
                                       "fail rather than replace what is there",
                                       OPTION_FLAG, &is_careful, 0, 0},
                                      TOOL_PLACE_OPTIONS(&place),
                                      OPTIONS_END};
    struct capstan_session *session;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&place, &session);
    if (rc != TOOL_OK)
        return rc;
    rc = move_all(session, argv + first, argc - first,
                  is_careful ? CAPSTAN_RENAME_NOREPLACE : 0);
    capstan_session_close(&session);
    return rc;
}

static void print_space(const struct capstan_statfs *space, bool is_json)
{
    uint64_t used = space->total_bytes - space->free_bytes;
    char total[16], left[16];
    struct json json;

    if (!is_json) {
        progress_size(total, (double)space->total_bytes);
        progress_size(left, (double)space->free_bytes);
        printf("%s, %s free, %u targets, %u of them silent\n", total, left,
               space->targets, space->silent);
        return;
    }
    json_init(&json, stdout);
    json_open(&json, NULL, '{');
    json_number(&json, "total_bytes", space->total_bytes);
    json_number(&json, "used_bytes", used);
    json_number(&json, "free_bytes", space->free_bytes);
    json_number(&json, "targets", space->targets);
    json_number(&json, "silent", space->silent);
    json_close(&json, '}');
    json_end(&json);
}

int cmd_df(const struct tool_command *command, int argc, char **argv)
{
    struct tool_place place = {.cluster = NULL};
    bool is_json = false;
    const struct option_row rows[] = {
        {0, "json", NULL, "print JSON", OPTION_FLAG, &is_json, 0, 0},
        TOOL_PLACE_OPTIONS(&place),
        OPTIONS_END};
    struct capstan_session *session;
    struct capstan_statfs space;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&place, &session);
    if (rc != TOOL_OK)
        return rc;
    if (capstan_statfs(session, &space) == 0) {
        print_space(&space, is_json);
    } else {
        tool_session_error(session, "df");
        rc = TOOL_FAILED;
    }
    capstan_session_close(&session);
    return rc;
}
