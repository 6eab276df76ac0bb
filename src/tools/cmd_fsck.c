/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan fsck: is the namespace whole? Looks at what every target keeps while
 * the cluster is in use; changes nothing without --repair. Exit status as that
 * of fsck(8): 0 whole, 1 all problems repaired, 4 problems are left, 8 could not
 * be checked, 16 wrong usage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <capstan/check.h>

#include "tools/json.h"
#include "tools/options.h"

enum { FSCK_REPAIRED = 1, FSCK_LEFT = 4, FSCK_FAILED = 8, FSCK_USAGE = 16 };

#define DRAW_NS 200000000u

struct wish {
    struct tool_place place;
    bool is_repair;
    bool is_json;
    bool is_terminal;
    uint64_t drawn_ns;
    struct json json;
};

static void clear_progress(const struct wish *wish)
{
    if (wish->is_terminal && wish->drawn_ns != 0)
        fputs("\r\033[K", stderr);
}

static void show_progress(void *ctx, uint64_t records)
{
    struct wish *wish = ctx;
    uint64_t now = tool_now_ns();

    if (!wish->is_terminal || now - wish->drawn_ns < DRAW_NS)
        return;
    wish->drawn_ns = now;
    fprintf(stderr, "\r%" PRIu64 " records", records);
    fflush(stderr);
}

static void print_text(const struct capstan_problem *problem)
{
    printf("target %u: %s", problem->target, problem->name);
    if (problem->ino != 0)
        printf(": inode %016" PRIx64, problem->ino);
    if (problem->dir != 0)
        printf(": name \"%s\" in %016" PRIx64, problem->text, problem->dir);
    printf(": %s%s\n", problem->prose,
           problem->is_repaired ? " (repaired)" : "");
}

static void print_json(struct json *json, const struct capstan_problem *problem)
{
    json_open(json, NULL, '{');
    json_string(json, "problem", problem->name);
    json_number(json, "target", problem->target);
    json_number(json, "inode", problem->ino);
    json_number(json, "directory", problem->dir);
    json_string(json, "name", problem->text);
    json_string(json, "meaning", problem->prose);
    json_bool(json, "repaired", problem->is_repaired);
    json_close(json, '}');
}

static void show_problem(void *ctx, const struct capstan_problem *problem)
{
    struct wish *wish = ctx;

    clear_progress(wish);
    if (wish->is_json)
        print_json(&wish->json, problem);
    else
        print_text(problem);
}

static int verdict(const struct capstan_check_counts *counts)
{
    if (counts->problems == 0)
        return TOOL_OK;
    return counts->repaired == counts->problems ? FSCK_REPAIRED : FSCK_LEFT;
}

static void print_counts(struct wish *wish,
                         const struct capstan_check_counts *counts)
{
    clear_progress(wish);
    if (!wish->is_json) {
        printf("%" PRIu64 " names, %" PRIu64 " inodes, %" PRIu64
               " problems, %" PRIu64 " repaired\n",
               counts->entries, counts->inodes, counts->problems,
               counts->repaired);
        return;
    }
    json_close(&wish->json, ']');
    json_number(&wish->json, "names", counts->entries);
    json_number(&wish->json, "inodes", counts->inodes);
    json_number(&wish->json, "problem_count", counts->problems);
    json_number(&wish->json, "repaired_count", counts->repaired);
    json_close(&wish->json, '}');
    json_end(&wish->json);
}

static int check(struct capstan_session *session, struct wish *wish)
{
    struct capstan_check_counts counts = {0};
    struct capstan_check_options options = {
        .is_repair = wish->is_repair,
        .problem = show_problem,
        .progress = show_progress,
        .ctx = wish,
    };

    if (wish->is_json) {
        json_init(&wish->json, stdout);
        json_open(&wish->json, NULL, '{');
        json_open(&wish->json, "problems", '[');
    }
    if (capstan_check(session, &options, &counts) != 0) {
        clear_progress(wish);
        tool_session_error(session, "fsck");
        return FSCK_FAILED;
    }
    print_counts(wish, &counts);
    return verdict(&counts);
}

int cmd_fsck(const struct tool_command *command, int argc, char **argv)
{
    struct wish wish = {.is_terminal = isatty(STDERR_FILENO) == 1};
    const struct option_row rows[] = {
        {0, "repair", NULL, "put right what needs no guess", OPTION_FLAG,
         &wish.is_repair, 0, 0},
        {0, "json", NULL, "print JSON", OPTION_FLAG, &wish.is_json, 0, 0},
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END,
    };
    struct capstan_session *session;
    int first, rc = options_parse(command, rows, argc, argv, &first);

    if (rc != OPTIONS_RUN)
        return rc == TOOL_USAGE ? FSCK_USAGE : rc;
    if (tool_session_open(&wish.place, &session) != TOOL_OK)
        return FSCK_FAILED;
    rc = check(session, &wish);
    capstan_session_close(&session);
    return rc;
}
