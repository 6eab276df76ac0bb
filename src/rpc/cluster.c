/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cluster map: find the file, read it, hand out what it says.
 *
 * The file goes through two readers: cluster_yaml.c takes its shape (libcyaml),
 * cluster_check.c its meaning. Either refuses the whole file with one line of
 * text that names the file, the line (cluster_where.c) and the field.
 *
 * Possible failures: no file in any of the places, a file that may not be read,
 * one beyond CLUSTER_FILE_MAX, one that is malformed, no memory. None leaves
 * anything behind.
 */
#include "rpc/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "rpc/cluster_raw.h"

#define CLUSTER_FILE_MAX (32u << 20) /* 65535 targets fit several times */
#define CLUSTER_FILE_CHUNK (64u << 10)
#define CLUSTER_FILE_SYSTEM "/etc/capstan/cluster.yaml"

/* Say what failed with the file as a whole. @return a code of cluster_load. */
static int refuse_file(const char *path, int code, char *text)
{
    snprintf(text, CLUSTER_TEXT_MAX, "cluster file %.200s: %s", path,
             err_text(code));
    switch (code) {
    case -ENOENT:
    case -ENOTDIR:
        return -ENOENT;
    case -EACCES:
    case -EPERM:
        return -EACCES;
    case -ENOMEM:
        return -ENOMEM;
    default:
        return -EINVAL;
    }
}

static int read_all(int fd, char **data_out, size_t *len_out)
{
    char *data = NULL, *grown;
    size_t len = 0;
    ssize_t n;

    do {
        grown = mem_grow(data, 1, len + CLUSTER_FILE_CHUNK);
        if (grown == NULL) {
            free(data);
            return -ENOMEM;
        }
        data = grown;
        n = read(fd, data + len, CLUSTER_FILE_CHUNK);
        len += n > 0 ? (size_t)n : 0;
    } while (n > 0 && len <= CLUSTER_FILE_MAX);
    if (n != 0) {
        int rc = n < 0 ? -errno : -EFBIG;

        free(data);
        return rc;
    }
    *data_out = data;
    *len_out = len;
    return 0;
}

/* Choose the file. @return false if only the system's one is left. */
static bool user_file(char *path)
{
    const char *home = getenv("HOME");

    if (home == NULL || *home == '\0')
        return false;
    return snprintf(path, PATH_MAX, "%s/.capstan/cluster.yaml", home) <
               PATH_MAX &&
           access(path, F_OK) == 0;
}

static void find_file(char *path)
{
    const char *named = getenv("CAPSTAN_CLUSTER");

    if (named != NULL && *named != '\0')
        snprintf(path, PATH_MAX, "%s", named);
    else if (!user_file(path))
        snprintf(path, PATH_MAX, "%s", CLUSTER_FILE_SYSTEM);
}

static int load(const char *path, struct cluster **cluster_out, char *text)
{
    char *yaml = NULL;
    size_t len = 0;
    int fd, rc;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return refuse_file(path, -errno, text);
    rc = read_all(fd, &yaml, &len);
    close(fd);
    if (rc != 0)
        return refuse_file(path, rc, text);
    rc = cluster_parse(yaml, len, path, cluster_out, text);
    free(yaml);
    return rc;
}

int cluster_load(const char *path, struct cluster **cluster_out, char *text)
{
    char found[PATH_MAX];
    int rc;

    if (path != NULL)
        return load(path, cluster_out, text);
    find_file(found);
    rc = load(found, cluster_out, text);
    if (rc == -ENOENT && strcmp(found, CLUSTER_FILE_SYSTEM) == 0)
        snprintf(text, CLUSTER_TEXT_MAX,
                 "no cluster file: CAPSTAN_CLUSTER is not set, and neither "
                 "~/.capstan/cluster.yaml nor %s exists",
                 CLUSTER_FILE_SYSTEM);
    return rc;
}

int cluster_parse(const char *yaml, size_t len, const char *name,
                  struct cluster **cluster_out, char *text)
{
    struct cluster_source source = {name, yaml, len, text};
    struct raw_cluster *raw = NULL;
    struct cluster *cluster;
    int rc;

    cluster = mem_calloc(1, sizeof(*cluster));
    rc = cluster != NULL ? cluster_raw_load(&source, &raw) : -ENOMEM;
    if (rc == 0)
        rc = cluster_check(&source, raw, cluster);
    cluster_raw_destroy(&raw);
    if (rc != 0) {
        cluster_destroy(&cluster);
        return rc == -ENOMEM ? refuse_file(name, rc, text) : rc;
    }
    *cluster_out = cluster;
    return 0;
}

static void server_fini(struct cluster_server *server)
{
    for (unsigned i = 0; i < server->targets_count; i++) {
        free(server->targets[i].service);
        free(server->targets[i].directory);
        free(server->targets[i].device);
    }
    free(server->targets);
    free(server->name);
    free(server->node);
}

void cluster_destroy(struct cluster **cluster_p)
{
    struct cluster *cluster = *cluster_p;

    if (cluster == NULL)
        return;
    for (unsigned i = 0; i < cluster->servers_count; i++)
        server_fini(&cluster->servers[i]);
    free(cluster->servers);
    free(cluster->targets);
    free(cluster->target_ids);
    free(cluster->provider);
    free(cluster);
    *cluster_p = NULL;
}

const struct cluster_target *cluster_target(const struct cluster *cluster,
                                            uint16_t id)
{
    unsigned low = 0, high = cluster->ntargets;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (cluster->target_ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == cluster->ntargets || cluster->target_ids[low] != id)
        return NULL;
    return cluster->targets[low];
}

const struct cluster_server *cluster_server(const struct cluster *cluster,
                                            const char *name)
{
    for (unsigned i = 0; i < cluster->servers_count; i++)
        if (strcmp(cluster->servers[i].name, name) == 0)
            return &cluster->servers[i];
    return NULL;
}
