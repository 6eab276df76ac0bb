/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan format: prepare a block device for a target
 * (doc/adr/0022-a-device-is-a-file-system.md).
 *
 * The happy path: the device is nobody else's and blank; mkfs makes a file
 * system with our label; what was made is looked at again, and the lines for
 * the cluster file are printed.
 *
 * Possible failure modes are: the device is in use; it holds something, and
 * --force was not given twice; no mkfs; mkfs failed (it has said why). A device
 * that is refused was not written to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/device.h"
#include "base/err.h"
#include "tools/options.h"

#define SIZE_MIN ((uint64_t)64 << 20)
#define FORCES 2 /* --force so often */
#define MKFS_PATH "/usr/local/sbin:/usr/sbin:/sbin"

static const char *const mkfs_ext4[] = {"mkfs.ext4",  "-q", "-F",         "-m",
                                        "0",          "-e", "remount-ro", "-L",
                                        DEVICE_LABEL, NULL};
static const char *const mkfs_xfs[] = {"mkfs.xfs", "-q",         "-f",
                                       "-L",       DEVICE_LABEL, NULL};

struct file_system {
    const char *name;
    const char *const *mkfs; /* the device follows */
};

static const struct file_system file_systems[] = {{"ext4", mkfs_ext4},
                                                  {"xfs", mkfs_xfs}};

#define FILE_SYSTEMS (sizeof(file_systems) / sizeof(file_systems[0]))
#define ARGS_MAX 16

static const struct file_system *find(const char *name)
{
    for (size_t i = 0; i < FILE_SYSTEMS; i++)
        if (strcmp(file_systems[i].name, name) == 0)
            return &file_systems[i];
    tool_error("--type", "'%s' is neither ext4 nor xfs", name);
    return NULL;
}

static int refuse(const char *path, int rc)
{
    if (rc == -EBUSY)
        tool_error(path, "in use: mounted, swapped to, or part of a volume");
    else
        tool_error(path, "%s", err_text(rc));
    return TOOL_FAILED;
}

/* May what the device holds be overwritten? */
static int check_content(const char *path, int fd, unsigned forces)
{
    struct device_content content;
    char what[160];
    int rc = device_look(fd, &content);

    if (rc != 0)
        return refuse(path, rc);
    if (content.is_blank || forces >= FORCES)
        return TOOL_OK;
    device_describe(&content, what, sizeof(what));
    tool_error(path,
               "holds %s; nothing was changed (--force, given twice, "
               "overwrites it)",
               what);
    return TOOL_FAILED;
}

/* Only a device that is ours and may be overwritten is wiped. */
static int prepare(const char *path, unsigned forces)
{
    uint64_t size = 0;
    int fd, rc, status;

    rc = device_claim(path, &fd);
    if (rc != 0)
        return refuse(path, rc);
    rc = device_size(fd, &size);
    status = rc == 0 ? check_content(path, fd, forces) : refuse(path, rc);
    if (status == TOOL_OK && size < SIZE_MIN) {
        tool_error(path, "too small: %llu bytes, %llu are needed",
                   (unsigned long long)size, (unsigned long long)SIZE_MIN);
        status = TOOL_FAILED;
    }
    if (status == TOOL_OK && (rc = device_wipe(fd)) != 0)
        status = refuse(path, rc);
    close(fd);
    return status;
}

/* Where mkfs is found, also by who has no sbin in his PATH. */
static void extend_path(void)
{
    const char *old = getenv("PATH");
    char path[4096];

    snprintf(path, sizeof(path), "%s%s" MKFS_PATH, old != NULL ? old : "",
             old != NULL ? ":" : "");
    setenv("PATH", path, 1);
}

static void exec_mkfs(const struct file_system *type, const char *device)
{
    const char *args[ARGS_MAX + 2];
    unsigned n = 0;

    for (; n < ARGS_MAX && type->mkfs[n] != NULL; n++)
        args[n] = type->mkfs[n];
    args[n++] = device;
    args[n] = NULL;
    extend_path();
    execvp(args[0], (char *const *)args);
    tool_error(args[0], "%m");
    _exit(127);
}

/* It opens the device exclusively itself. */
static int run_mkfs(const struct file_system *type, const char *device)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        exec_mkfs(type, device);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        tool_error(type->mkfs[0], "%m");
        return TOOL_FAILED;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TOOL_OK;
    tool_error(device, "%s failed", type->mkfs[0]);
    return TOOL_FAILED;
}

/* Is there what should be, and what must the cluster file say? */
static int report(const struct file_system *type, const char *path)
{
    struct device_content content;
    int fd, rc = device_claim(path, &fd);

    if (rc != 0)
        return refuse(path, rc);
    rc = device_look(fd, &content);
    close(fd);
    if (rc != 0)
        return refuse(path, rc);
    if (strcmp(content.type, type->name) != 0 ||
        strcmp(content.label, DEVICE_LABEL) != 0) {
        tool_error(path, "does not hold what %s has made", type->mkfs[0]);
        return TOOL_FAILED;
    }
    printf("%s: %s, ready for a target; in the cluster file:\n"
           "        device: /dev/disk/by-uuid/%s\n"
           "        directory: WHERE THE SERVER MOUNTS IT\n",
           path, content.type, content.uuid);
    return TOOL_OK;
}

int cmd_format(const struct tool_command *command, int argc, char **argv)
{
    const char *name = "ext4";
    unsigned forces = 0;
    const struct option_row rows[] = {
        {0, "force", NULL, "given twice: overwrite what the device holds",
         OPTION_COUNT, &forces, 0, 0},
        {0, "type", "TYPE", "ext4 or xfs (ext4)", OPTION_TEXT, &name, 0, 0},
        OPTIONS_END};
    const struct file_system *type;
    int first, rc = options_parse(command, rows, argc, argv, &first);

    if (rc != OPTIONS_RUN)
        return rc;
    type = find(name);
    if (type == NULL)
        return TOOL_USAGE;
    rc = prepare(argv[first], forces);
    if (rc == TOOL_OK)
        rc = run_mkfs(type, argv[first]);
    return rc == TOOL_OK ? report(type, argv[first]) : rc;
}
