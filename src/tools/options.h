/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of a subcommand as a table, from which come both the parser
 * (getopt_long) and the text of --help.
 *
 * Units    OPTION_SIZE takes a number with an optional k, M or G (powers of
 *          1024).
 * Threads  one (getopt_long is).
 * Failure  a wrong command line is explained on stderr.
 */
#ifndef CAPSTAN_TOOLS_OPTIONS_H
#define CAPSTAN_TOOLS_OPTIONS_H

#include <stdint.h>

#include "tools/tool.h"

enum option_kind {
    OPTION_FLAG, /* value: bool * */
    OPTION_COUNT, /* value: unsigned *, how often it was given */
    OPTION_TEXT, /* value: const char ** */
    OPTION_SIZE  /* value: uint64_t *, within min .. max */
};

struct option_row {
    char letter;          /* 0: only the long form */
    const char *name;     /* ends the table when NULL */
    const char *argument; /* its name in --help; NULL for a flag */
    const char *help;
    enum option_kind kind;
    void *value; /* left alone when the option is not given */
    uint64_t min;
    uint64_t max;
};

#define OPTIONS_MAX 16
#define OPTIONS_END                                                            \
    {                                                                          \
        0, NULL, NULL, NULL, OPTION_FLAG, NULL, 0, 0                           \
    }
#define OPTIONS_RUN (-1)

/**
 * Read a command line, --help included.
 *
 * @param first_out  index in argv of the first operand.
 * @return OPTIONS_RUN to go on, else the exit status: TOOL_OK after --help,
 *         TOOL_USAGE.
 */
int options_parse(const struct tool_command *command,
                  const struct option_row *rows, int argc, char **argv,
                  int *first_out);

#endif
