/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The processes of a local cluster: start, recognise, stop.
 *
 * A server is known by its command line, "--cluster ROOT/cluster.yaml --name
 * sN" in /proc/PID/cmdline. That holds through libtool's wrapper script, which
 * execs the program with the same arguments; a zombie's command line is empty.
 */
#include "tools/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/tool.h"

#define LOG_TAIL_BYTES 4000
#define KILL_WAIT_SEC 10 /* a process in the kernel's hands takes its time */

static const struct timespec pause_20ms = {0, 20000000};

/* Do the arguments hold our four in a row? */
static bool is_ours(const char *args, size_t len, const char *root,
                    unsigned server)
{
    char want[2 * PATH_MAX];
    int want_len;

    want_len =
        snprintf(want, sizeof(want), "--cluster%c%s/cluster.yaml%c--name%cs%u",
                 0, root, 0, 0, server);
    /* With its closing NUL, so that s1 is not found in s12. */
    return memmem(args, len, want, (size_t)want_len + 1) != NULL;
}

static bool is_server(pid_t pid, const char *root, unsigned server)
{
    char path[PATH_MAX], args[3 * PATH_MAX];
    ssize_t len;
    int fd;

    tool_path(path, "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, args, sizeof(args));
    close(fd);
    return len > 0 && is_ours(args, (size_t)len, root, server);
}

static void pid_path(char *path, const char *root, unsigned server)
{
    tool_path(path, "%s/s%u.pid", root, server);
}

pid_t local_pid(const char *root, unsigned server)
{
    char path[PATH_MAX];
    FILE *file;
    int pid = 0;

    pid_path(path, root, server);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid > 1 && is_server(pid, root, server) ? pid : 0;
}

static int write_pid(const char *root, unsigned server, pid_t pid)
{
    char path[PATH_MAX];
    FILE *file;
    int n;

    pid_path(path, root, server);
    file = fopen(path, "we");
    n = file != NULL ? fprintf(file, "%d\n", (int)pid) : -1;
    if (file == NULL || (fclose(file) != 0) | (n < 0)) {
        tool_error(path, "cannot write: %m");
        return -1;
    }
    return 0;
}

static int open_log(const char *root, unsigned server)
{
    char path[PATH_MAX], old[PATH_MAX];
    int fd;

    tool_path(path, "%s/s%u.log", root, server);
    tool_path(old, "%s/s%u.log.old", root, server);
    rename(path, old); /* the first start has none */
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        tool_error(path, "%m");
    return fd;
}

/* In the child: become the server, or say in its log why not. */
static void __attribute__((noreturn))
become(const char *program, const char *cluster, const char *name, int log_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    signal(SIGPIPE, SIG_DFL);
    if (null_fd >= 0)
        dup2(null_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    close_range(3, ~0u, 0);
    execl(program, program, "--cluster", cluster, "--name", name, NULL);
    dprintf(STDERR_FILENO, "capstan: %s: cannot start: %m\n", program);
    _exit(127);
}

pid_t local_start(const char *root, unsigned server, const char *program)
{
    char cluster[PATH_MAX], name[16];
    int log_fd;
    pid_t pid;

    log_fd = open_log(root, server);
    if (log_fd < 0)
        return -1;
    tool_path(cluster, "%s/cluster.yaml", root);
    snprintf(name, sizeof(name), "s%u", server);
    pid = fork();
    if (pid == 0)
        become(program, cluster, name, log_fd);
    close(log_fd);
    if (pid < 0) {
        tool_error(program, "cannot start: %m");
        return -1;
    }
    if (write_pid(root, server, pid) != 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

/* Signal those of pids that still live. @return how many that is. */
static unsigned signal_all(const char *root, pid_t *pids, unsigned count,
                           int signal)
{
    unsigned alive = 0;

    for (unsigned i = 0; i < count; i++) {
        /* Reap it if it is a child of ours. Its number is free only then. */
        if (pids[i] != 0)
            waitpid(pids[i], NULL, WNOHANG);
        if (pids[i] == 0 || !is_server(pids[i], root, i + 1)) {
            pids[i] = 0;
            continue;
        }
        if (signal != 0)
            kill(pids[i], signal);
        alive++;
    }
    return alive;
}

static unsigned end_all(const char *root, pid_t *pids, unsigned count,
                        int signal, uint64_t wait_sec)
{
    uint64_t deadline_ns = tool_now_ns() + wait_sec * 1000000000u;
    unsigned alive = signal_all(root, pids, count, signal);

    while (alive > 0 && tool_now_ns() < deadline_ns) {
        nanosleep(&pause_20ms, NULL);
        alive = signal_all(root, pids, count, 0);
    }
    return alive;
}

int local_stop(const char *root, const bool *servers, unsigned count,
               uint64_t wait_sec)
{
    pid_t pids[LOCAL_SERVERS_MAX] = {0};
    char path[PATH_MAX];
    unsigned alive;

    for (unsigned i = 0; i < count; i++)
        pids[i] = servers[i] ? local_pid(root, i + 1) : 0;
    alive = end_all(root, pids, count, SIGTERM, wait_sec);
    if (alive > 0)
        alive = end_all(root, pids, count, SIGKILL, KILL_WAIT_SEC);
    for (unsigned i = 0; i < count; i++) {
        pid_path(path, root, i + 1);
        if (pids[i] != 0)
            tool_error(path, "process %d does not end", (int)pids[i]);
        else if (servers[i])
            unlink(path);
    }
    return alive == 0 ? 0 : -1;
}

void local_show_log(const char *root, unsigned server)
{
    char path[PATH_MAX], tail[LOG_TAIL_BYTES + 1];
    const char *start = tail;
    ssize_t len;
    off_t end;
    int fd;

    tool_path(path, "%s/s%u.log", root, server);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    end = lseek(fd, 0, SEEK_END);
    end = end > LOG_TAIL_BYTES ? end - LOG_TAIL_BYTES : 0;
    len = pread(fd, tail, LOG_TAIL_BYTES, end);
    close(fd);
    tail[len > 0 ? len : 0] = '\0';
    if (end > 0 && strchr(tail, '\n') != NULL)
        start = strchr(tail, '\n') + 1; /* not half a line */
    fprintf(stderr, "--- the end of %s:\n%s%s---\n", path, start,
            len > 0 && tail[len - 1] != '\n' ? "\n" : "");
}

void local_program_directory(char *directory)
{
    ssize_t len = readlink("/proc/self/exe", directory, PATH_MAX - 1);
    char *slash;

    directory[len > 0 ? len : 0] = '\0';
    slash = strrchr(directory, '/');
    if (slash != NULL)
        *slash = '\0';
}

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool search_path(const char *name, char *path)
{
    const char *list = getenv("PATH");

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ":");

        tool_path(path, "%.*s/%s", (int)len, list, name);
        if (len > 0 && is_program(path))
            return true;
        list += len + (list[len] == ':');
    }
    return false;
}

/* Beside this program: `directory` is the program's own, below src. */
static bool find_beside(const char *name, const char *directory, char *path)
{
    static const struct {
        const char *up;
        bool is_tree; /* a build tree, by directories */
    } places[] = {{"../..", true}, /* of src/tools/.libs */
                  {"..", true},    /* of src/tools, when nothing is wrapped */
                  {".", false},
                  {"../sbin", false}};
    char own[PATH_MAX], joined[PATH_MAX];

    local_program_directory(own);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        tool_path(joined, "%s/%s/%s/%s", own, places[i].up,
                  places[i].is_tree ? directory : ".", name);
        if (realpath(joined, path) != NULL && is_program(path))
            return true;
    }
    return false;
}

int local_find_program(const char *name, const char *variable,
                       const char *directory, char *path)
{
    const char *set = getenv(variable);
    char own[PATH_MAX];

    if (set != NULL && *set != '\0') {
        tool_path(path, "%s", set);
        if (is_program(path))
            return 0;
        tool_error(path, "%s names no program: %m", variable);
        return -1;
    }
    if (find_beside(name, directory, path))
        return 0;
    tool_path(path, "%s/%s", TOOLS_SBINDIR, name);
    if (is_program(path) || search_path(name, path))
        return 0;
    local_program_directory(own);
    tool_error(name,
               "not found beside %s/capstan, in %s or in PATH; %s may name it",
               own, TOOLS_SBINDIR, variable);
    return -1;
}
