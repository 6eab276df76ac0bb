/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan down: stop the servers of a local cluster; with --purge delete what
 * `up` and its servers made. The root itself goes too if nothing else is in it.
 *
 * Which servers there are is read from the cluster file. If it is gone or
 * damaged, every number that `up` may give is looked at, so that nothing is
 * left running for want of a file.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/local.h"
#include "tools/options.h"

#define TREE_FDS 16

static int remove_entry(const char *path, const struct stat *stat_buf, int type,
                        struct FTW *ftw)
{
    (void)stat_buf;
    (void)type;
    (void)ftw;
    if (remove(path) == 0 || errno == ENOENT)
        return 0;
    tool_error(path, "cannot remove: %m");
    return -1;
}

static int remove_tree(const char *path)
{
    if (access(path, F_OK) != 0)
        return 0;
    return nftw(path, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int remove_server(const char *root, unsigned server, unsigned targets)
{
    static const char *const files[] = {"pid", "log", "log.old"};
    char path[PATH_MAX];

    for (unsigned target = 1; target <= targets; target++) {
        tool_path(path, "%s/s%u/t%u", root, server, target);
        if (remove_tree(path) != 0)
            return -1;
    }
    tool_path(path, "%s/s%u", root, server);
    rmdir(path); /* stays if it holds what is not ours */
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        tool_path(path, "%s/s%u.%s", root, server, files[i]);
        unlink(path);
    }
    return 0;
}

/* Remove ~/.capstan/cluster.yaml if it led here. */
static void unlink_default(const char *root)
{
    const char *home = getenv("HOME");
    char link[PATH_MAX], leads[PATH_MAX], standard[PATH_MAX];
    ssize_t len;

    tool_path(link, "%s/.capstan/cluster.yaml", home != NULL ? home : "");
    tool_path(standard, "%s/.capstan/local", home != NULL ? home : "");
    len = readlink(link, leads, sizeof(leads) - 1);
    leads[len > 0 ? len : 0] = '\0';
    if (strcmp(leads, "local/cluster.yaml") == 0 &&
        realpath(standard, leads) != NULL && strcmp(leads, root) == 0)
        unlink(link);
}

static int purge(const char *root, const struct local_shape *shape)
{
    char path[PATH_MAX];

    unlink_default(root);
    for (unsigned server = 1; server <= shape->servers; server++)
        if (remove_server(root, server, shape->targets) != 0)
            return TOOL_FAILED;
    tool_path(path, "%s/cluster.yaml.new", root);
    unlink(path);
    /* Last of the data: while it stands, a purge can be repeated. */
    tool_path(path, "%s/cluster.yaml", root);
    unlink(path);
    tool_path(path, "%s/lock", root);
    unlink(path);
    rmdir(root); /* stays if it holds what is not ours */
    return TOOL_OK;
}

static int run(const char *root, bool is_purge, uint64_t wait_sec)
{
    struct local_shape shape = {.servers = LOCAL_SERVERS_MAX,
                                .targets = LOCAL_TARGETS_MAX};
    bool all[LOCAL_SERVERS_MAX];
    unsigned running = 0;
    int rc = local_shape_read(root, &shape);

    memset(all, true, sizeof(all));
    for (unsigned i = 1; i <= shape.servers; i++)
        running += local_pid(root, i) != 0;
    if (local_stop(root, all, shape.servers, wait_sec) != 0)
        return TOOL_FAILED;
    printf("%u server%s stopped\n", running, running == 1 ? "" : "s");
    if (rc < 0)
        return TOOL_FAILED;
    if (!is_purge)
        return TOOL_OK;
    if (rc > 0) {
        tool_error(root, "nothing here that `capstan up` made");
        return TOOL_FAILED;
    }
    return purge(root, &shape);
}

int cmd_down(const struct tool_command *command, int argc, char **argv)
{
    const char *option = NULL;
    bool is_purge = false;
    uint64_t wait_sec = 10;
    const struct option_row rows[] = {
        {0, "root", "DIR",
         "where it lives ($CAPSTAN_ROOT, else ~/.capstan/local)", OPTION_TEXT,
         &option, 0, 0},
        {0, "purge", NULL, "delete its data too", OPTION_FLAG, &is_purge, 0, 0},
        {0, "wait", "SECONDS", "how long before a server is killed (10)",
         OPTION_SIZE, &wait_sec, 1, 3600},
        OPTIONS_END};
    char root[PATH_MAX];
    int first, rc, lock_fd;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    if (local_root(option, root) != 0)
        return TOOL_FAILED;
    if (access(root, F_OK) != 0) {
        printf("nothing runs under %s\n", root);
        return TOOL_OK;
    }
    lock_fd = local_lock(root, wait_sec);
    if (lock_fd < 0)
        return TOOL_FAILED;
    rc = run(root, is_purge, wait_sec);
    close(lock_fd);
    return rc;
}
