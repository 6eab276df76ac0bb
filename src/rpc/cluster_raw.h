/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cluster file between its two readings: the text as the schema found it,
 * every scalar still a string. Private to cluster*.c.
 *
 * Units    none yet; cluster_check.c gives the strings their meaning.
 * Threads  pure; any.
 * Failure  every refusal goes through cluster_refuse(), so that all texts look
 *          alike: "file: line N: field: cause".
 */
#ifndef CAPSTAN_RPC_CLUSTER_RAW_H
#define CAPSTAN_RPC_CLUSTER_RAW_H

#include <stddef.h>

#define CLUSTER_PATH_MAX 160 /* "servers[65534].targets[65534].directory" */

struct cluster;

struct raw_target {
    char *id;
    char *service;
    char *directory;
    char *device;   /* NULL: not given */
    char *buffered; /* the same */
    char *plan_memory; /* the same */
};

struct raw_server {
    char *name;
    char *node;
    struct raw_target *targets;
    unsigned targets_count;
};

struct raw_defaults {
    char *stripe_size; /* each NULL: not given */
    char *width;
    char *replicas;
};

struct raw_cluster {
    char *cluster;
    char *provider; /* NULL: not given */
    struct raw_defaults defaults;
    struct raw_server *servers;
    unsigned servers_count;
};

/* The text being read and where to say why it is refused. */
struct cluster_source {
    const char *name; /* stands for the file */
    const char *yaml;
    size_t len;
    char *text; /* CLUSTER_TEXT_MAX bytes */
};

/**
 * Read the structure: mappings, sequences, known and missing fields.
 *
 * @param raw_out  set on success only; ended with cluster_raw_destroy().
 * @return 0, -EINVAL (the text says why) or -ENOMEM.
 */
int cluster_raw_load(const struct cluster_source *source,
                     struct raw_cluster **raw_out);

/** Free *raw_p and set it to NULL. A NULL *raw_p is allowed. */
void cluster_raw_destroy(struct raw_cluster **raw_p);

/**
 * Give the strings their meaning. Strings that end up in the map are moved out
 * of the raw form.
 *
 * @param cluster  zeroed; after a failure partly filled, still good for
 *                 cluster_destroy().
 * @return 0, -EINVAL (the text says why) or -ENOMEM.
 */
int cluster_check(const struct cluster_source *source, struct raw_cluster *raw,
                  struct cluster *cluster);

/**
 * Write why a file is refused, with the line on which the field stands, or if
 * it is missing, the line of what should hold it.
 *
 * @param path  e.g. "servers[1].targets[0].id"; "" for the file as a whole.
 * @return -EINVAL, always.
 */
int cluster_refuse(const struct cluster_source *source, const char *path,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
