/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file system that a cluster should be: a tree in memory, by the simplest
 * code that is right.
 *
 * Threads  one.
 * Failure  abort() when memory runs out.
 */
#ifndef CAPSTAN_TESTS_SIM_MODEL_H
#define CAPSTAN_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NODES_MAX 256
#define MODEL_SIZE_MAX (1u << 18)

struct model_node {
    char path[64]; /* "" if unused */
    bool is_dir;
    uint8_t *data;
    uint64_t size;
};

struct model {
    struct model_node nodes[MODEL_NODES_MAX];
};

void model_init(struct model *model);
void model_fini(struct model *model);
struct model_node *model_find(struct model *model, const char *path);
/** 0 or a negative errno, as the cluster should answer. */
int model_make(struct model *model, const char *path, bool is_dir);
int model_unlink(struct model *model, const char *path);
int model_rmdir(struct model *model, const char *path);
unsigned model_children(struct model *model, const char *path);
void model_resize(struct model_node *node, uint64_t size);
void model_write(struct model_node *node, uint64_t offset, const void *data,
                 uint64_t len);

#endif
