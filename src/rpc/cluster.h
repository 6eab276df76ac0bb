/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cluster map: who serves what. The one module that knows where the answer
 * comes from; today a YAML file:
 *
 *     cluster: 7d3c1a55            # id, hexadecimal, not 0
 *     provider: tcp;ofi_rxm        # libfabric provider; this is the default
 *     defaults:                    # all optional
 *       stripe_size: 1048576
 *       width: 0                   # 0: all targets, at most 64
 *       replicas: 1
 *     servers:
 *       - name: s1
 *         node: 127.0.0.1
 *         targets:
 *           - id: 1
 *             service: "40001"     # port or name, one an endpoint
 *             directory: /nvme0/capstan
 *             device: /dev/nvme0n1 # optional: mounted there by the server
 *             buffered: false      # optional: past the page cache
 *             plan_memory: 0       # optional: no reading ahead of plans
 *
 * Threads  a map is read-only once loaded.
 * Failure  a file that cannot be used is refused whole; the text names file,
 *          line and field.
 */
#ifndef CAPSTAN_RPC_CLUSTER_H
#define CAPSTAN_RPC_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_TEXT_MAX 512

struct cluster_target {
    uint16_t id;
    char *service;
    char *directory;
    char *device; /* NULL: none to be mounted on the directory */
    bool is_buffered; /* through the page cache, not O_DIRECT: the default */
    uint64_t plan_memory; /* bytes for what clients plan to read; 0: none */
    const struct cluster_server *server; /* set when loaded */
};

struct cluster_server {
    char *name;
    char *node;
    struct cluster_target *targets;
    unsigned targets_count;
};

struct cluster {
    uint64_t id;
    char *provider;
    uint32_t stripe_size;
    uint16_t width; /* resolved: 1 .. min(ntargets, LAYOUT_WIDTH_MAX) */
    uint16_t replicas;
    struct cluster_server *servers;
    unsigned servers_count;
    const struct cluster_target **targets; /* all, ascending by id */
    uint16_t *target_ids;                  /* the same, ids only */
    unsigned ntargets;
};

/**
 * Load a map.
 *
 * @param path  NULL: $CAPSTAN_CLUSTER, else ~/.capstan/cluster.yaml, else
 *              /etc/capstan/cluster.yaml.
 * @param text  CLUSTER_TEXT_MAX bytes: why it failed, with file, line, field.
 * @return 0, -ENOENT (no file), -EINVAL (malformed), -EACCES, -ENOMEM.
 */
int cluster_load(const char *path, struct cluster **cluster_out, char *text);

/** As cluster_load(), from memory; `name` stands for the file in texts. */
int cluster_parse(const char *yaml, size_t len, const char *name,
                  struct cluster **cluster_out, char *text);

void cluster_destroy(struct cluster **cluster_p);

/** The target with this id, or NULL. */
const struct cluster_target *cluster_target(const struct cluster *cluster,
                                            uint16_t id);

/** The server with this name, or NULL. */
const struct cluster_server *cluster_server(const struct cluster *cluster,
                                            const char *name);

#endif
