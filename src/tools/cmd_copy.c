/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan cp, put and get: which file goes where. As with cp(1), a destination
 * that is a directory takes the sources under their own names; several sources
 * need one. put and get know which side is the cluster's, and follow symbolic
 * links; cp is told by "capstan:", and copies them as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options.h"
#include "tools/tree.h"

#define REMOTE "capstan:"

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);

    return len > 0 && path[len - 1] == '/';
}

static bool is_remote(const char *path)
{
    return strncmp(path, REMOTE, strlen(REMOTE)) == 0;
}

/* Where a source goes: into the destination, or to its very name. */
static char *destination(const char *source, const char *given, bool is_into)
{
    char *name, *path;

    if (!is_into)
        return strdup(given);
    name = listing_basename(source);
    if (name == NULL)
        return NULL;
    path = listing_join(given, name);
    free(name);
    return path;
}

static int copy_all(struct tree *tree, const struct tree_wish *wish,
                    char **sources, int nsources, const char *given)
{
    bool is_into = tree_is_directory(tree, given);

    if (!is_into && (nsources > 1 || ends_in_slash(given)) &&
        !(nsources == 1 && wish->is_recursive)) {
        tool_error(given, "is not a directory");
        return -1;
    }
    for (int i = 0; i < nsources && !tool_interrupted(); i++) {
        const char *from =
            wish->is_from_remote ? tool_remote(sources[i]) : sources[i];
        char *to = destination(from, given, is_into);

        if (to == NULL)
            return -1;
        tree_copy(tree, from, to);
        free(to);
    }
    return 0;
}

/* What the three have in common, from the options on. */
static int run(const struct tree_wish *wish, char **operands, int count)
{
    const char *last = operands[count - 1];
    struct tree *tree;
    int rc;

    tool_catch_interrupts();
    rc = tree_open(wish, &tree);
    if (rc != TOOL_OK)
        return rc;
    if (copy_all(tree, wish, operands, count - 1,
                 wish->is_to_remote ? tool_remote(last) : last) != 0)
        rc = TOOL_FAILED;
    return tree_close(&tree) != 0 ? TOOL_FAILED : rc;
}

#define RECURSIVE_OPTION(wish)                                                 \
    {                                                                          \
        'r', "recursive", NULL, "copy directories with all below them",        \
            OPTION_FLAG, &(wish)->is_recursive, 0, 0                           \
    }
#define JOBS_OPTION(wish)                                                      \
    {                                                                          \
        'j', "jobs", "N", "files to copy at once (4 with -r, else 1)",         \
            OPTION_SIZE, &(wish)->jobs, 1, TREE_JOBS_MAX                       \
    }
#define LAYOUT_OPTIONS(wish)                                                   \
    {0,           "stripe-size",                                               \
     "SIZE",      "of new files, a multiple of 4k (the cluster's default)",    \
     OPTION_SIZE, &(wish)->stripe_size,                                        \
     4096,        1u << 30},                                                   \
    {                                                                          \
        0, "width", "N", "targets of a new file (the cluster's default)",      \
            OPTION_SIZE, &(wish)->width, 1, UINT16_MAX                         \
    }

int cmd_put(const struct tool_command *command, int argc, char **argv)
{
    struct tree_wish wish = {.is_to_remote = true, .is_followed = true};
    const struct option_row rows[] = {
        RECURSIVE_OPTION(&wish), JOBS_OPTION(&wish), LAYOUT_OPTIONS(&wish),
        TOOL_PLACE_OPTIONS(&wish.place), OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return run(&wish, argv + first, argc - first);
}

int cmd_get(const struct tool_command *command, int argc, char **argv)
{
    struct tree_wish wish = {.is_from_remote = true, .is_followed = true};
    const struct option_row rows[] = {
        RECURSIVE_OPTION(&wish), JOBS_OPTION(&wish),
        TOOL_PLACE_OPTIONS(&wish.place), OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    return run(&wish, argv + first, argc - first);
}

/* Which sides are the cluster's. @return OPTIONS_RUN or TOOL_USAGE. */
static int find_sides(struct tree_wish *wish, char **operands, int count)
{
    wish->is_from_remote = is_remote(operands[0]);
    wish->is_to_remote = is_remote(operands[count - 1]);
    for (int i = 1; i < count - 1; i++)
        if (is_remote(operands[i]) != wish->is_from_remote) {
            tool_error(operands[i], "the sources are to be of one side");
            return TOOL_USAGE;
        }
    if (wish->is_from_remote || wish->is_to_remote)
        return OPTIONS_RUN;
    tool_error("cp", "neither side begins with '" REMOTE "', the cluster's");
    return TOOL_USAGE;
}

int cmd_cp(const struct tool_command *command, int argc, char **argv)
{
    struct tree_wish wish = {.is_followed = false};
    const struct option_row rows[] = {
        RECURSIVE_OPTION(&wish),
        {'p', "preserve", NULL, "keep mode, times and, if allowed, the owner",
         OPTION_FLAG, &wish.is_kept, 0, 0},
        {'L', "dereference", NULL, "copy what symbolic links lead to",
         OPTION_FLAG, &wish.is_followed, 0, 0},
        {'n', "no-clobber", NULL, "leave alone what is there already",
         OPTION_FLAG, &wish.is_careful, 0, 0},
        JOBS_OPTION(&wish),
        LAYOUT_OPTIONS(&wish),
        TOOL_PLACE_OPTIONS(&wish.place),
        OPTIONS_END};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc == OPTIONS_RUN)
        rc = find_sides(&wish, argv + first, argc - first);
    return rc == OPTIONS_RUN ? run(&wish, argv + first, argc - first) : rc;
}
