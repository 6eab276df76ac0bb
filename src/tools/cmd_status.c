/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan status: every target, whether it answers, and all its counters. The
 * counters' names and units are the library's; none is known here but the unit
 * "node", a number from 0 of which 1 more is kept, since there may be none.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <capstan/cluster.h>

#include "tools/json.h"
#include "tools/options.h"

#define TIMEOUT_SEC_DEFAULT 5

/* One target's answer. */
struct answer {
    struct capstan_target target;
    struct capstan_counter counters[CAPSTAN_COUNTERS_MAX];
    size_t count;
    const char *error; /* NULL: it is up */
};

static void ask(struct capstan_session *session, size_t index,
                struct answer *answer)
{
    int rc;

    answer->count = 0;
    answer->error = NULL;
    capstan_target_info(session, index, &answer->target);
    rc = capstan_target_counters(session, answer->target.id, answer->counters,
                                 CAPSTAN_COUNTERS_MAX, &answer->count);
    if (rc == 0)
        return;
    answer->count = 0;
    answer->error = capstan_session_error(session);
}

static bool is_node(const struct capstan_counter *counter)
{
    return strcmp(counter->unit, "node") == 0;
}

static void print_counter(const struct capstan_counter *counter)
{
    if (is_node(counter) && counter->value == 0)
        printf("  %-22s not known\n", counter->name);
    else
        printf("  %-22s %" PRIu64 " %s\n", counter->name,
               counter->value - is_node(counter), counter->unit);
}

static void print_text(const struct answer *answer)
{
    const struct capstan_target *target = &answer->target;

    printf("target %u: %s\n", target->id,
           answer->error == NULL ? "up" : "down");
    printf("  %-22s %s\n", "server", target->server);
    printf("  %-22s %s\n", "node", target->node);
    printf("  %-22s %s\n", "service", target->service);
    printf("  %-22s %s\n", "directory", target->directory);
    if (answer->error != NULL)
        printf("  %-22s %s\n", "error", answer->error);
    for (size_t i = 0; i < answer->count; i++)
        print_counter(&answer->counters[i]);
}

static void add_counter(struct json *json, const struct capstan_counter *counter)
{
    if (is_node(counter) && counter->value == 0)
        json_null(json, counter->name);
    else
        json_number(json, counter->name, counter->value - is_node(counter));
}

static void print_json(struct json *json, const struct answer *answer)
{
    const struct capstan_target *target = &answer->target;

    json_open(json, NULL, '{');
    json_number(json, "id", target->id);
    json_string(json, "server", target->server);
    json_string(json, "node", target->node);
    json_string(json, "service", target->service);
    json_string(json, "directory", target->directory);
    json_string(json, "state", answer->error == NULL ? "up" : "down");
    if (answer->error != NULL)
        json_string(json, "error", answer->error);
    for (size_t i = 0; i < answer->count; i++)
        add_counter(json, &answer->counters[i]);
    json_close(json, '}');
}

/* @return how many targets are down. */
static size_t print_all(struct capstan_session *session, const char *cluster,
                        bool is_json)
{
    size_t down = 0, count = capstan_target_count(session);
    struct answer answer;
    struct json json;

    json_init(&json, stdout);
    if (is_json) {
        json_open(&json, NULL, '{');
        json_string(&json, "cluster", cluster);
        json_open(&json, "targets", '[');
    } else {
        printf("cluster %s: %zu target%s\n", cluster, count,
               count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < count; i++) {
        ask(session, i, &answer);
        down += answer.error != NULL;
        if (is_json)
            print_json(&json, &answer);
        else
            print_text(&answer);
    }
    if (is_json) {
        json_close(&json, ']');
        json_close(&json, '}');
        json_end(&json);
    }
    return down;
}

int cmd_status(const struct tool_command *command, int argc, char **argv)
{
    struct tool_place place = {.timeout_sec = TIMEOUT_SEC_DEFAULT};
    bool is_json = false;
    const struct option_row rows[] = {
        {0, "json", NULL, "print JSON", OPTION_FLAG, &is_json, 0, 0},
        TOOL_PLACE_OPTIONS(&place),
        OPTIONS_END};
    struct capstan_session *session;
    char cluster[PATH_MAX];
    size_t down;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&place, &session);
    if (rc != TOOL_OK)
        return rc;
    tool_cluster_file(&place, cluster);
    down = print_all(session, cluster, is_json);
    capstan_session_close(&session);
    if (down == 0)
        return TOOL_OK;
    tool_error(cluster, "%zu target%s down", down, down == 1 ? " is" : "s are");
    return TOOL_FAILED;
}
