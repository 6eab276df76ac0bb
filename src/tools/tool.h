/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the subcommands of `capstan` share: the command table's row, where the
 * cluster is, and how an error is said.
 *
 * Units    bytes, seconds on the command line, nanoseconds inside.
 * Threads  one.
 * Failure  a function that fails has already said so on stderr, in the form
 *          "capstan: object: cause", unless its comment says otherwise.
 */
#ifndef CAPSTAN_TOOLS_TOOL_H
#define CAPSTAN_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include <capstan/session.h>

enum tool_exit { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

struct tool_command {
    const char *name;
    const char *operands; /* e.g. "PATH...", "" for none */
    const char *summary;  /* a clause, lower case, no full stop */
    int operands_min;
    int operands_max; /* -1: any number */
    int (*run)(const struct tool_command *command, int argc, char **argv);
};

int cmd_up(const struct tool_command *command, int argc, char **argv);
int cmd_format(const struct tool_command *command, int argc, char **argv);
int cmd_down(const struct tool_command *command, int argc, char **argv);
int cmd_scrub(const struct tool_command *command, int argc, char **argv);
int cmd_status(const struct tool_command *command, int argc, char **argv);
int cmd_top(const struct tool_command *command, int argc, char **argv);
int cmd_env(const struct tool_command *command, int argc, char **argv);
int cmd_put(const struct tool_command *command, int argc, char **argv);
int cmd_get(const struct tool_command *command, int argc, char **argv);
int cmd_cp(const struct tool_command *command, int argc, char **argv);
int cmd_ls(const struct tool_command *command, int argc, char **argv);
int cmd_stat(const struct tool_command *command, int argc, char **argv);
int cmd_mkdir(const struct tool_command *command, int argc, char **argv);
int cmd_index(const struct tool_command *command, int argc, char **argv);
int cmd_pack(const struct tool_command *command, int argc, char **argv);
int cmd_mv(const struct tool_command *command, int argc, char **argv);
int cmd_df(const struct tool_command *command, int argc, char **argv);
int cmd_mount(const struct tool_command *command, int argc, char **argv);
int cmd_umount(const struct tool_command *command, int argc, char **argv);
int cmd_find(const struct tool_command *command, int argc, char **argv);
int cmd_du(const struct tool_command *command, int argc, char **argv);
int cmd_rm(const struct tool_command *command, int argc, char **argv);
int cmd_fsck(const struct tool_command *command, int argc, char **argv);

/* How a client subcommand was told to find the cluster. */
struct tool_place {
    const char *cluster;  /* --cluster */
    const char *root;     /* --root */
    uint64_t timeout_sec; /* --timeout; 0: the library's */
};

/** Rows for an options table (options.h). */
#define TOOL_PLACE_OPTIONS(place)                                              \
    {0,                                                                        \
     "cluster",                                                                \
     "FILE",                                                                   \
     "cluster file (default: $CAPSTAN_CLUSTER, ~/.capstan/cluster.yaml, "      \
     "/etc/capstan/cluster.yaml)",                                             \
     OPTION_TEXT,                                                              \
     &(place)->cluster,                                                        \
     0,                                                                        \
     0},                                                                       \
        {0,           "root",                                                  \
         "DIR",       "the cluster that `capstan up --root DIR` made",         \
         OPTION_TEXT, &(place)->root,                                          \
         0,           0},                                                      \
    {                                                                          \
        0, "timeout", "SECONDS", "longest time for one request", OPTION_SIZE,  \
            &(place)->timeout_sec, 1, 86400                                    \
    }

/** Print "capstan: object: cause". */
void tool_error(const char *object, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Print why the last call on `object` (a path) failed. */
void tool_session_error(const struct capstan_session *session,
                        const char *object);

/**
 * Open a session.
 *
 * @return TOOL_OK, TOOL_FAILED or TOOL_USAGE (--cluster and --root together).
 */
int tool_session_open(const struct tool_place *place,
                      struct capstan_session **session_out);

/** Name the cluster file that a place stands for, for display.
 *  @param path  PATH_MAX bytes. */
void tool_cluster_file(const struct tool_place *place, char *path);

/** Strip "capstan:" from a remote path. Borrows it. */
const char *tool_remote(const char *path);

/** Has SIGINT, SIGTERM or SIGHUP come? The second one kills. */
bool tool_interrupted(void);

/** Start to listen for those signals. */
void tool_catch_interrupts(void);

/** CLOCK_MONOTONIC. */
uint64_t tool_now_ns(void);

/** Print to PATH_MAX bytes; what is too long is cut, and then does not exist.
 */
void tool_path(char *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
