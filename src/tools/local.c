/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A local cluster on disk: its root, its lock, and the cluster file, which is
 * also the record of the shape. The first line of the file is
 *
 *     # capstan up: cluster ID servers N targets N stripe_size N provider P
 *
 * so shape and ports are replaced together, by one rename.
 *
 * A free port is found by binding port 0. All are held until all are known, so
 * that they differ; then they are let go, and another process may take one
 * before our server does. The server then says so (its exit status) and `up`
 * writes the file anew.
 */
#include "tools/local.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/tool.h"

#define ROOT_LEN_MAX (PATH_MAX - 64) /* what is below it still fits */
#define SHAPE_FORMAT                                                           \
    "# capstan up: cluster %" SCNx64                                           \
    " servers %u targets %u stripe_size %" SCNu32 " provider %63s"

int local_root(const char *option, char *root)
{
    const char *home = getenv("HOME"), *set = getenv("CAPSTAN_ROOT");
    char given[PATH_MAX], cwd[PATH_MAX] = "";

    if (option == NULL && set != NULL && *set != '\0')
        option = set;
    if (option == NULL && (home == NULL || *home == '\0')) {
        tool_error("--root", "not given, and HOME is not set");
        return -1;
    }
    if (option == NULL)
        tool_path(given, "%s/.capstan/local", home);
    else
        tool_path(given, "%s", option);
    if (realpath(given, root) == NULL) {
        if (given[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
            cwd[0] = '\0';
        tool_path(root, "%s%s%s", cwd, given[0] != '/' ? "/" : "", given);
    }
    for (const char *c = root; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || strlen(root) > ROOT_LEN_MAX) {
            tool_error("--root", "too long, or holds control characters");
            return -1;
        }
    return 0;
}

static int make_directory(const char *path)
{
    struct stat stat_buf;

    if (mkdir(path, 0777) == 0 ||
        (errno == EEXIST && stat(path, &stat_buf) == 0 &&
         S_ISDIR(stat_buf.st_mode)))
        return 0;
    tool_error(path, "cannot make directory: %m");
    return -1;
}

int local_root_make(char *root)
{
    char path[PATH_MAX];

    tool_path(path, "%s", root);
    for (char *slash = path + 1; *slash != '\0'; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        if (make_directory(path) != 0)
            return -1;
        *slash = '/';
    }
    if (make_directory(path) != 0)
        return -1;
    return local_root(path, root);
}

int local_lock(const char *root, uint64_t wait_sec)
{
    uint64_t deadline_ns = tool_now_ns() + wait_sec * 1000000000u;
    struct timespec pause = {0, 20000000};
    struct stat held, named;
    char path[PATH_MAX];
    int fd;

    tool_path(path, "%s/lock", root);
    do {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            tool_error(path, "%m");
            return -1;
        }
        /* A purge may have removed the file that we now hold. */
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 &&
            stat(path, &named) == 0 && held.st_ino == named.st_ino)
            return fd;
        close(fd);
        nanosleep(&pause, NULL);
    } while (tool_now_ns() < deadline_ns && !tool_interrupted());
    tool_error(root, "another `capstan up` or `down` is at work here");
    return -1;
}

int local_shape_read(const char *root, struct local_shape *shape_out)
{
    char path[PATH_MAX], line[256] = "";
    struct local_shape shape;
    FILE *file;
    int n = 0;

    tool_path(path, "%s/cluster.yaml", root);
    file = fopen(path, "re");
    if (file == NULL && errno == ENOENT)
        return 1;
    if (file == NULL) {
        tool_error(path, "%m");
        return -1;
    }
    if (fgets(line, sizeof(line), file) != NULL)
        n = sscanf(line, SHAPE_FORMAT, &shape.cluster_id, &shape.servers,
                   &shape.targets, &shape.stripe_size, shape.provider);
    fclose(file);
    if (n != 5 || shape.cluster_id == 0 || shape.servers < 1 ||
        shape.servers > LOCAL_SERVERS_MAX || shape.targets < 1 ||
        shape.targets > LOCAL_TARGETS_MAX) {
        tool_error(path, "line 1: not a file that `capstan up` wrote");
        return -1;
    }
    *shape_out = shape;
    return 0;
}

/* Bind a free loopback port. @return a socket that holds it, or -1. */
static int hold_port(unsigned *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *port_out = ntohs(address.sin_port);
    return fd;
}

static int find_ports(unsigned *ports, unsigned count)
{
    int fds[LOCAL_SERVERS_MAX * LOCAL_TARGETS_MAX];
    unsigned n;

    for (n = 0; n < count; n++) {
        fds[n] = hold_port(&ports[n]);
        if (fds[n] < 0) {
            tool_error("127.0.0.1", "no free port: %m");
            break;
        }
    }
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    return n == count ? 0 : -1;
}

/* A YAML string in single quotes: a quote within is doubled. */
static void print_quoted(FILE *file, const char *text)
{
    fputc('\'', file);
    for (; *text != '\0'; text++)
        fprintf(file, *text == '\'' ? "''" : "%c", *text);
    fputc('\'', file);
}

static void print_target(FILE *file, const char *root,
                         const struct local_shape *shape, unsigned id,
                         unsigned port)
{
    unsigned server = (id - 1) / shape->targets + 1;
    unsigned target = (id - 1) % shape->targets + 1;
    char directory[PATH_MAX];

    fprintf(file, "      - id: %u\n        service: ", id);
    if (strcmp(shape->provider, "shm") == 0)
        fprintf(file, "capstan-%" PRIx64 "-%u\n", shape->cluster_id, id);
    else
        fprintf(file, "\"%u\"\n", port);
    fputs("        directory: ", file);
    tool_path(directory, "%s/s%u/t%u", root, server, target);
    print_quoted(file, directory);
    fputc('\n', file);
}

static void print_cluster(FILE *file, const char *root,
                          const struct local_shape *shape,
                          const unsigned *ports)
{
    unsigned id = 1;

    fprintf(file,
            "# capstan up: cluster %" PRIx64
            " servers %u targets %u stripe_size %" PRIu32 " provider %s\n"
            "# `capstan up` may write this file anew; do not edit it.\n",
            shape->cluster_id, shape->servers, shape->targets,
            shape->stripe_size, shape->provider);
    fprintf(file, "cluster: \"%" PRIx64 "\"\nprovider: ", shape->cluster_id);
    print_quoted(file, shape->provider);
    fprintf(file, "\ndefaults:\n  stripe_size: %" PRIu32 "\nservers:\n",
            shape->stripe_size);
    for (unsigned server = 1; server <= shape->servers; server++) {
        fprintf(file, "  - name: s%u\n    node: 127.0.0.1\n    targets:\n",
                server);
        for (unsigned i = 0; i < shape->targets; i++, id++)
            print_target(file, root, shape, id, ports[id - 1]);
    }
}

int local_shape_write(const char *root, const struct local_shape *shape)
{
    unsigned ports[LOCAL_SERVERS_MAX * LOCAL_TARGETS_MAX];
    char path[PATH_MAX], fresh[PATH_MAX];
    FILE *file;
    int bad;

    if (find_ports(ports, shape->servers * shape->targets) != 0)
        return -1;
    tool_path(path, "%s/cluster.yaml", root);
    tool_path(fresh, "%s/cluster.yaml.new", root);
    file = fopen(fresh, "we");
    if (file == NULL) {
        tool_error(fresh, "%m");
        return -1;
    }
    print_cluster(file, root, shape, ports);
    bad = fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0;
    if (fclose(file) != 0 || bad || rename(fresh, path) != 0) {
        tool_error(path, "cannot write: %m");
        unlink(fresh);
        return -1;
    }
    return 0;
}

int local_directories_make(const char *root, const struct local_shape *shape)
{
    char path[PATH_MAX];

    for (unsigned server = 1; server <= shape->servers; server++) {
        tool_path(path, "%s/s%u", root, server);
        if (make_directory(path) != 0)
            return -1;
        for (unsigned target = 1; target <= shape->targets; target++) {
            tool_path(path, "%s/s%u/t%u", root, server, target);
            if (make_directory(path) != 0)
                return -1;
        }
    }
    return 0;
}
