/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `capstan`: one program for operators and users, a table of subcommands.
 *
 * It is the first outside user of libcapstan and reaches the storage through
 * include/capstan alone. Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tools/tool.h"

static const struct tool_command commands[] = {
    {"up", "", "start a cluster on this machine", 0, 0, cmd_up},
    {"down", "", "stop the cluster that `up` started", 0, 0, cmd_down},
    {"format", "DEVICE", "prepare a block device for a target", 1, 1,
     cmd_format},
    {"scrub", "", "compare every block with its checksum", 0, 0, cmd_scrub},
    {"status", "", "show every target and its counters", 0, 0, cmd_status},
    {"top", "", "watch every target: operations, bytes, times", 0, 0, cmd_top},
    {"env", "", "print shell exports for programs that use the cluster", 0, 0,
     cmd_env},
    {"put", "LOCAL... REMOTE", "copy local files into the cluster", 2, -1,
     cmd_put},
    {"get", "REMOTE... LOCAL", "copy files out of the cluster", 2, -1, cmd_get},
    {"cp", "SOURCE... DEST", "copy into, out of or within the cluster", 2, -1,
     cmd_cp},
    {"ls", "[PATH...]", "list directories and files", 0, -1, cmd_ls},
    {"stat", "PATH", "show all that is known of a file or directory", 1, 1,
     cmd_stat},
    {"mkdir", "PATH...", "make directories", 1, -1, cmd_mkdir},
    {"index", "DIR [FILE...]", "make the index of a dataset's files", 1, -1,
     cmd_index},
    {"pack", "DIR|LIST DATASET", "make a dataset of ordinary files", 2, 2,
     cmd_pack},
    {"mv", "FROM... TO", "rename files and directories", 2, -1, cmd_mv},
    {"find", "[PATH...] [EXPRESSION]", "search directories", 0, -1, cmd_find},
    {"du", "[PATH...]", "sum up the sizes of files", 0, -1, cmd_du},
    {"df", "", "show the space of the cluster", 0, 0, cmd_df},
    {"mount", "DIR", "show the cluster as a directory", 1, 1, cmd_mount},
    {"umount", "DIR", "end a mount", 1, 1, cmd_umount},
    {"rm", "PATH...", "remove files and directories", 1, -1, cmd_rm},
    {"fsck", "", "check the namespace; --repair puts it right", 0, 0,
     cmd_fsck},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
    fputs("Usage: capstan COMMAND [OPTION]... [OPERAND]...\n\nCommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'capstan COMMAND --help' says more; capstan(1) says all.\n", out);
}

/* Output that did not reach its file (a full disk) is a failure too. */
static int flushed(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        tool_error("standard output", "%m");
        return TOOL_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    /* A reader that left (head) is an error of write, not a silent death
     * that leaves half a file behind. */
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_usage(stdout);
        return flushed(TOOL_OK);
    }
    if (strcmp(name, "--version") == 0) {
        puts(PACKAGE_STRING);
        return flushed(TOOL_OK);
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return flushed(commands[i].run(&commands[i], argc - 1, argv + 1));
    if (*name == '\0')
        print_usage(stderr);
    else
        tool_error(name, "no such command; try 'capstan --help'");
    return TOOL_USAGE;
}
