/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Table-driven options. The table becomes getopt_long's arrays, and a row's
 * index comes back as the value of its long option.
 */
#include "tools/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BASE 1000 /* beyond any letter */
#define HELP 999
#define HELP_COLUMN 26

static void print_row(const struct option_row *row)
{
    char left[80];
    int len;

    len =
        snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ',
                 row->letter ? row->letter : ' ', row->letter ? ',' : ' ',
                 row->name, row->argument != NULL ? " " : "",
                 row->argument != NULL ? row->argument : "");
    printf("  %-*s", HELP_COLUMN, left);
    if (len >= HELP_COLUMN)
        printf("\n  %*s", HELP_COLUMN, "");
    printf(" %s\n", row->help);
}

/* -h is --help, unless the table needs it. */
static bool is_h_taken(const struct option_row *rows)
{
    while (rows->name != NULL && rows->letter != 'h')
        rows++;
    return rows->name != NULL;
}

static void print_help(const struct tool_command *command,
                       const struct option_row *rows)
{
    const struct option_row help = {is_h_taken(rows) ? 0 : 'h',
                                    "help",
                                    NULL,
                                    "print this and exit",
                                    OPTION_FLAG,
                                    NULL,
                                    0,
                                    0};

    printf("Usage: capstan %s [OPTION]... %s\n\n%c%s.\n\nOptions:\n",
           command->name, command->operands, command->summary[0] - 'a' + 'A',
           command->summary + 1);
    for (; rows->name != NULL; rows++)
        print_row(rows);
    print_row(&help);
}

static int usage(const struct tool_command *command)
{
    fprintf(stderr, "Try 'capstan %s --help'.\n", command->name);
    return TOOL_USAGE;
}

static int read_size(const struct option_row *row, const char *text)
{
    static const char units[] = "kMG";
    char *end;
    const char *unit;
    uint64_t value;
    unsigned shift = 0;

    errno = 0;
    value = strtoull(text, &end, 10);
    unit = *end != '\0' ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
    if (unit != NULL) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (*text < '0' || *text > '9' || *end != '\0') {
        fprintf(stderr, "capstan: --%s: '%s' is not a number\n", row->name,
                text);
        return TOOL_USAGE;
    }
    if (errno != 0 || value > UINT64_MAX >> shift ||
        value << shift < row->min || value << shift > row->max) {
        fprintf(stderr, "capstan: --%s: %s is out of range (%llu to %llu)\n",
                row->name, text, (unsigned long long)row->min,
                (unsigned long long)row->max);
        return TOOL_USAGE;
    }
    *(uint64_t *)row->value = value << shift;
    return OPTIONS_RUN;
}

static int apply(const struct option_row *row, const char *text)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->value = true;
        return OPTIONS_RUN;
    case OPTION_COUNT:
        ++*(unsigned *)row->value;
        return OPTIONS_RUN;
    case OPTION_TEXT:
        *(const char **)row->value = text;
        return OPTIONS_RUN;
    case OPTION_SIZE:
        return read_size(row, text);
    }
    return TOOL_USAGE;
}

/* Fill getopt_long's arrays. @return the number of rows. */
static size_t build(const struct option_row *rows, struct option *longs,
                    char *letters)
{
    size_t n;

    for (n = 0; rows[n].name != NULL; n++) {
        assert(n < OPTIONS_MAX);
        longs[n] = (struct option){
            rows[n].name, rows[n].argument != NULL ? required_argument : 0,
            NULL, ROW_BASE + (int)n};
        if (rows[n].letter == 0)
            continue;
        *letters++ = rows[n].letter;
        if (rows[n].argument != NULL)
            *letters++ = ':';
    }
    longs[n] = (struct option){"help", 0, NULL, HELP};
    if (!is_h_taken(rows))
        *letters++ = 'h';
    *letters = '\0';
    return n;
}

static bool is_help(const struct option_row *rows, int c)
{
    return c == HELP || (c == 'h' && !is_h_taken(rows));
}

static const struct option_row *row_of(const struct option_row *rows, size_t n,
                                       int c)
{
    if (c >= ROW_BASE)
        return &rows[c - ROW_BASE];
    for (size_t i = 0; i < n; i++)
        if (rows[i].letter == c)
            return &rows[i];
    return NULL; /* '?': getopt_long has said why */
}

static int check_operands(const struct tool_command *command, int count)
{
    if (count < command->operands_min) {
        fprintf(stderr, "capstan: %s: operand missing: %s\n", command->name,
                command->operands);
        return usage(command);
    }
    if (command->operands_max >= 0 && count > command->operands_max) {
        fprintf(stderr, "capstan: %s: too many operands\n", command->name);
        return usage(command);
    }
    return OPTIONS_RUN;
}

int options_parse(const struct tool_command *command,
                  const struct option_row *rows, int argc, char **argv,
                  int *first_out)
{
    struct option longs[OPTIONS_MAX + 2] = {0};
    char letters[2 * OPTIONS_MAX + 2];
    size_t n = build(rows, longs, letters);
    int c, rc;

    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row;

        if (is_help(rows, c)) {
            print_help(command, rows);
            return TOOL_OK;
        }
        row = row_of(rows, n, c);
        rc = row != NULL ? apply(row, optarg) : TOOL_USAGE;
        if (rc != OPTIONS_RUN)
            return usage(command);
    }
    rc = check_operands(command, argc - optind);
    *first_out = optind;
    return rc;
}
