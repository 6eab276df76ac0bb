/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan find: paths, then an expression (find_expr.h), as find(1) has it.
 * Words that begin with two dashes are the options of all subcommands, and may
 * stand anywhere.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/find_expr.h"
#include "tools/listing.h"
#include "tools/options.h"
#include "tools/show.h"

struct search {
    struct tool_place place;
    bool is_json;
    bool is_tty;
    struct find_expr expr;
    struct json json;
};

static int found(void *ctx, const struct walk_entry *entry)
{
    struct search *search = ctx;

    if (!find_expr_matches(&search->expr, entry))
        return 0;
    if (search->is_json) {
        show_json(&search->json, entry->path, entry->stat);
    } else {
        show_name(entry->path, search->is_tty && !search->expr.is_print0);
        putchar(search->expr.is_print0 ? '\0' : '\n');
    }
    return 0;
}

/* Does this word begin the expression? */
static bool is_expression(const char *word)
{
    return (word[0] == '-' && word[1] != '\0') || strcmp(word, "!") == 0 ||
           strcmp(word, "(") == 0;
}

static int search_all(struct search *search, struct capstan_session *session,
                      char **paths, int count)
{
    static char root[] = "/";
    char *whole[] = {root};
    const struct walk walk = {.session = session,
                              .depth_max = search->expr.depth_max,
                              .is_whole_needed = search->is_json ||
                                                 search->expr.is_whole_needed,
                              .found = found,
                              .ctx = search};
    int rc = TOOL_OK;

    if (count == 0) {
        paths = whole;
        count = 1;
    }
    if (search->is_json)
        json_open(&search->json, NULL, '[');
    for (int i = 0; i < count; i++)
        if (walk_tree(&walk, tool_remote(paths[i])) != 0)
            rc = TOOL_FAILED;
    if (search->is_json) {
        json_close(&search->json, ']');
        json_end(&search->json);
    }
    return rc;
}

static int run(struct search *search, char **words, int count)
{
    struct capstan_session *session;
    int npaths = 0, rc;

    while (npaths < count && !is_expression(words[npaths]))
        npaths++;
    rc = find_expr_parse(words + npaths, count - npaths, &search->expr);
    if (rc != TOOL_OK)
        return rc;
    rc = tool_session_open(&search->place, &session);
    if (rc == TOOL_OK) {
        tool_catch_interrupts();
        json_init(&search->json, stdout);
        search->is_tty = isatty(STDOUT_FILENO);
        rc = search_all(search, session, words, npaths);
        capstan_session_close(&session);
    }
    find_expr_fini(&search->expr);
    return rc;
}

static bool takes_argument(const struct option_row *rows, const char *word)
{
    for (; rows->name != NULL; rows++)
        if (strcmp(rows->name, word + 2) == 0)
            return rows->argument != NULL;
    return false;
}

/* Options first, then "--", then all other words in their order. */
static void sort_words(const struct option_row *rows, int argc, char **argv,
                       char **sorted)
{
    static char dashes[] = "--";
    int noptions = 1, nothers = 0;
    char **others = sorted + argc + 1;

    sorted[0] = argv[0];
    for (int i = 1; i < argc; i++) {
        bool is_option = strncmp(argv[i], "--", 2) == 0;

        if (!is_option) {
            others[nothers++] = argv[i];
            continue;
        }
        sorted[noptions++] = argv[i];
        if (takes_argument(rows, argv[i]) && i + 1 < argc)
            sorted[noptions++] = argv[++i];
    }
    sorted[noptions++] = dashes;
    memmove(sorted + noptions, others, (size_t)nothers * sizeof(*others));
}

int cmd_find(const struct tool_command *command, int argc, char **argv)
{
    struct search search = {.is_json = false};
    const struct option_row rows[] = {
        {0, "json", NULL, "print a JSON array, with all attributes",
         OPTION_FLAG, &search.is_json, 0, 0},
        TOOL_PLACE_OPTIONS(&search.place),
        OPTIONS_END};
    char **sorted = calloc(2 * (size_t)argc + 2, sizeof(*sorted));
    int first, rc;

    if (sorted == NULL) {
        tool_error("find", "%m");
        return TOOL_FAILED;
    }
    sort_words(rows, argc, argv, sorted);
    rc = options_parse(command, rows, argc + 1, sorted, &first);
    if (rc == OPTIONS_RUN)
        rc = run(&search, sorted + first, argc + 1 - first);
    else if (rc == TOOL_OK)
        find_expr_help();
    free(sorted);
    return rc;
}
