/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the strings of a cluster file to a cluster map: numbers are read, limits
 * held, defaults filled in, and what must be unique is shown to be.
 *
 * Two targets of one node must share neither service (the second could not
 * listen) nor directory (they would eat each other's data). Each such rule is
 * one sort of all targets and a look at neighbours; the sort by id comes last
 * and its order stays.
 */
#include "rpc/cluster_raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/inode.h"
#include "base/mem.h"
#include "rpc/cluster.h"

#define STRIPE_SIZE_DEFAULT (1u << 20)
#define PLAN_MEMORY_DEFAULT (64u << 20)
#define PLAN_MEMORY_MAX ((uint64_t)1 << 40)
#define PROVIDER_DEFAULT "tcp;ofi_rxm"

/* Read an unsigned number whole, or not at all. */
static int number(const struct cluster_source *source, const char *path,
                  const char *text, uint64_t min, uint64_t max,
                  uint64_t *value_out)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0')
        return cluster_refuse(source, path, "'%.64s' is not a number", text);
    if (errno != 0 || value < min || value > max)
        return cluster_refuse(source, path,
                              "%.64s is out of range (%llu to %llu)", text,
                              (unsigned long long)min, (unsigned long long)max);
    *value_out = value;
    return 0;
}

static int truth(const struct cluster_source *source, const char *path,
                 const char *text, bool *value_out)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return cluster_refuse(source, path, "'%.64s' is neither true nor false",
                              text);
    *value_out = *text == 't';
    return 0;
}

/* Move a string that must not be empty. */
static int take(const struct cluster_source *source, const char *path,
                char **text, char **text_out)
{
    if (**text == '\0')
        return cluster_refuse(source, path, "is empty");
    *text_out = *text;
    *text = NULL;
    return 0;
}

static int check_id(const struct cluster_source *source, const char *text,
                    uint64_t *id_out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t len = strlen(text);

    if (len == 0 || len > 16 || strspn(text, digits) != len)
        return cluster_refuse(source, "cluster",
                              "'%.64s' is not 1 to 16 hexadecimal digits",
                              text);
    *id_out = strtoull(text, NULL, 16);
    if (*id_out == 0)
        return cluster_refuse(source, "cluster", "must not be 0");
    return 0;
}

static int check_provider(const struct cluster_source *source,
                          struct raw_cluster *raw, struct cluster *cluster)
{
    if (raw->provider != NULL)
        return take(source, "provider", &raw->provider, &cluster->provider);
    cluster->provider = mem_strdup(PROVIDER_DEFAULT);
    return cluster->provider != NULL ? 0 : -ENOMEM;
}

static void target_path(char *path, size_t server, size_t target,
                        const char *field)
{
    snprintf(path, CLUSTER_PATH_MAX, "servers[%zu].targets[%zu]%s%s", server,
             target, *field != '\0' ? "." : "", field);
}

static int check_device(const struct cluster_source *source, unsigned server,
                        unsigned index, struct raw_target *raw,
                        struct cluster_target *target)
{
    char path[CLUSTER_PATH_MAX];

    if (raw->device == NULL)
        return 0;
    target_path(path, server, index, "device");
    if (*raw->device != '/')
        return cluster_refuse(source, path, "'%.64s' does not begin with /",
                              raw->device);
    return take(source, path, &raw->device, &target->device);
}

static int check_target(const struct cluster_source *source, unsigned server,
                        unsigned index, struct raw_target *raw,
                        struct cluster_target *target)
{
    char path[CLUSTER_PATH_MAX];
    uint64_t id;
    int rc;

    target_path(path, server, index, "id");
    rc = number(source, path, raw->id, 1, TARGETS_MAX, &id);
    if (rc != 0)
        return rc;
    target->id = (uint16_t)id;
    target_path(path, server, index, "service");
    rc = take(source, path, &raw->service, &target->service);
    if (rc != 0)
        return rc;
    target_path(path, server, index, "directory");
    rc = take(source, path, &raw->directory, &target->directory);
    if (rc == 0)
        rc = check_device(source, server, index, raw, target);
    target->is_buffered = true;
    if (rc == 0 && raw->buffered != NULL) {
        target_path(path, server, index, "buffered");
        rc = truth(source, path, raw->buffered, &target->is_buffered);
    }
    target->plan_memory = PLAN_MEMORY_DEFAULT;
    if (rc != 0 || raw->plan_memory == NULL)
        return rc;
    target_path(path, server, index, "plan_memory");
    return number(source, path, raw->plan_memory, 0, PLAN_MEMORY_MAX,
                  &target->plan_memory);
}

static int check_server(const struct cluster_source *source, unsigned index,
                        struct raw_server *raw, struct cluster_server *server)
{
    char path[CLUSTER_PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "servers[%u].name", index);
    rc = take(source, path, &raw->name, &server->name);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "servers[%u].node", index);
    rc = take(source, path, &raw->node, &server->node);
    if (rc != 0)
        return rc;
    if (raw->targets_count == 0) {
        snprintf(path, sizeof(path), "servers[%u].targets", index);
        return cluster_refuse(source, path, "has no target");
    }
    server->targets = mem_calloc(raw->targets_count, sizeof(*server->targets));
    if (server->targets == NULL)
        return -ENOMEM;
    server->targets_count = raw->targets_count;
    for (unsigned i = 0; rc == 0 && i < raw->targets_count; i++) {
        server->targets[i].server = server;
        rc = check_target(source, index, i, &raw->targets[i],
                          &server->targets[i]);
    }
    return rc;
}

static int check_servers(const struct cluster_source *source,
                         struct raw_cluster *raw, struct cluster *cluster)
{
    int rc = 0;

    if (raw->servers_count == 0)
        return cluster_refuse(source, "servers", "has no server");
    cluster->servers =
        mem_calloc(raw->servers_count, sizeof(*cluster->servers));
    if (cluster->servers == NULL)
        return -ENOMEM;
    cluster->servers_count = raw->servers_count;
    for (unsigned i = 0; rc == 0 && i < raw->servers_count; i++) {
        rc = check_server(source, i, &raw->servers[i], &cluster->servers[i]);
        cluster->ntargets += cluster->servers[i].targets_count;
    }
    if (rc == 0 && cluster->ntargets > TARGETS_MAX)
        return cluster_refuse(source, "servers", "more than %d targets",
                              TARGETS_MAX);
    return rc;
}

typedef int compare_fn(const void *, const void *);

#define TARGET(p) (*(const struct cluster_target *const *)(p))

static int by_id(const void *a, const void *b)
{
    return (int)TARGET(a)->id - (int)TARGET(b)->id;
}

static int by_service(const void *a, const void *b)
{
    int order = strcmp(TARGET(a)->server->node, TARGET(b)->server->node);

    return order != 0 ? order : strcmp(TARGET(a)->service, TARGET(b)->service);
}

static int by_directory(const void *a, const void *b)
{
    int order = strcmp(TARGET(a)->server->node, TARGET(b)->server->node);

    return order != 0 ? order
                      : strcmp(TARGET(a)->directory, TARGET(b)->directory);
}

/* Those without a device are alike, and not compared. */
static int by_device(const void *a, const void *b)
{
    const char *x = TARGET(a)->device, *y = TARGET(b)->device;
    int order = strcmp(TARGET(a)->server->node, TARGET(b)->server->node);

    if (order != 0)
        return order;
    if (x != NULL && y != NULL)
        return strcmp(x, y);
    if (x != y)
        return x != NULL ? 1 : -1;
    return (TARGET(a) > TARGET(b)) - (TARGET(a) < TARGET(b));
}

static int refuse_twin(const struct cluster_source *source,
                       const struct cluster *cluster, const char *field,
                       const struct cluster_target *a,
                       const struct cluster_target *b)
{
    const struct cluster_target *first = a, *second = b;
    char path[CLUSTER_PATH_MAX], other[CLUSTER_PATH_MAX];

    if (a->server > b->server || (a->server == b->server && a > b)) {
        first = b;
        second = a;
    }
    target_path(path, (size_t)(second->server - cluster->servers),
                (size_t)(second - second->server->targets), field);
    target_path(other, (size_t)(first->server - cluster->servers),
                (size_t)(first - first->server->targets), "");
    return cluster_refuse(source, path, "is that of %s too", other);
}

static int check_unique(const struct cluster_source *source,
                        struct cluster *cluster, const char *field,
                        compare_fn *compare)
{
    const struct cluster_target **targets = cluster->targets;

    qsort(targets, cluster->ntargets, sizeof(*targets), compare);
    for (unsigned i = 1; i < cluster->ntargets; i++)
        if (compare(&targets[i - 1], &targets[i]) == 0)
            return refuse_twin(source, cluster, field, targets[i - 1],
                               targets[i]);
    return 0;
}

static int name_order(const void *a, const void *b)
{
    const struct cluster_server *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int check_names(const struct cluster_source *source,
                       const struct cluster *cluster)
{
    const struct cluster_server **servers;
    char path[CLUSTER_PATH_MAX];
    int rc = 0;

    servers = mem_calloc(cluster->servers_count, sizeof(*servers));
    if (servers == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < cluster->servers_count; i++)
        servers[i] = &cluster->servers[i];
    qsort(servers, cluster->servers_count, sizeof(*servers), name_order);
    for (unsigned i = 1; rc == 0 && i < cluster->servers_count; i++) {
        const struct cluster_server *a = servers[i - 1], *b = servers[i];

        if (strcmp(a->name, b->name) != 0)
            continue;
        snprintf(path, sizeof(path), "servers[%zu].name",
                 (size_t)((a > b ? a : b) - cluster->servers));
        rc = cluster_refuse(source, path, "is that of servers[%zu] too",
                            (size_t)((a > b ? b : a) - cluster->servers));
    }
    free(servers);
    return rc;
}

/* List all targets, show that they are distinct, leave them ordered by id. */
static int check_targets(const struct cluster_source *source,
                         struct cluster *cluster)
{
    unsigned n = 0;
    int rc;

    cluster->targets = mem_calloc(cluster->ntargets, sizeof(*cluster->targets));
    cluster->target_ids =
        mem_calloc(cluster->ntargets, sizeof(*cluster->target_ids));
    if (cluster->targets == NULL || cluster->target_ids == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < cluster->servers_count; i++)
        for (unsigned j = 0; j < cluster->servers[i].targets_count; j++)
            cluster->targets[n++] = &cluster->servers[i].targets[j];
    rc = check_unique(source, cluster, "service", by_service);
    if (rc == 0)
        rc = check_unique(source, cluster, "directory", by_directory);
    if (rc == 0)
        rc = check_unique(source, cluster, "device", by_device);
    if (rc == 0)
        rc = check_unique(source, cluster, "id", by_id);
    for (unsigned i = 0; i < n; i++)
        cluster->target_ids[i] = cluster->targets[i]->id;
    return rc;
}

/* A default that is 0 or not given is ours to choose. */
static int setting(const struct cluster_source *source, const char *path,
                   const char *text, uint64_t max, uint64_t otherwise,
                   uint64_t *value_out)
{
    int rc;

    *value_out = 0;
    rc = text != NULL ? number(source, path, text, 0, max, value_out) : 0;
    if (*value_out == 0)
        *value_out = otherwise;
    return rc;
}

static int check_defaults(const struct cluster_source *source,
                          const struct raw_defaults *raw,
                          struct cluster *cluster)
{
    uint64_t stripe_size, width, replicas;
    int rc;

    rc = setting(source, "defaults.stripe_size", raw->stripe_size,
                 STRIPE_SIZE_MAX, STRIPE_SIZE_DEFAULT, &stripe_size);
    if (rc == 0 && stripe_size % STRIPE_SIZE_MIN != 0)
        rc = cluster_refuse(source, "defaults.stripe_size",
                            "%llu is not a multiple of %u",
                            (unsigned long long)stripe_size, STRIPE_SIZE_MIN);
    if (rc == 0)
        rc = setting(source, "defaults.width", raw->width, LAYOUT_WIDTH_MAX,
                     LAYOUT_WIDTH_MAX, &width);
    if (rc == 0)
        rc = setting(source, "defaults.replicas", raw->replicas, UINT16_MAX, 1,
                     &replicas);
    if (rc != 0)
        return rc;
    if (replicas != 1)
        return cluster_refuse(source, "defaults.replicas",
                              "%u copies are unsupported; only 1 is",
                              (unsigned)replicas);
    cluster->stripe_size = (uint32_t)stripe_size;
    /* More than there are means all of them, as in capstan_layout. */
    cluster->width =
        (uint16_t)(width < cluster->ntargets ? width : cluster->ntargets);
    cluster->replicas = (uint16_t)replicas;
    return 0;
}

int cluster_check(const struct cluster_source *source, struct raw_cluster *raw,
                  struct cluster *cluster)
{
    int rc;

    rc = check_id(source, raw->cluster, &cluster->id);
    if (rc == 0)
        rc = check_provider(source, raw, cluster);
    if (rc == 0)
        rc = check_servers(source, raw, cluster);
    if (rc == 0)
        rc = check_names(source, cluster);
    if (rc == 0)
        rc = check_targets(source, cluster);
    if (rc == 0)
        rc = check_defaults(source, &raw->defaults, cluster);
    return rc;
}
