/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->nodes[0].path[0] = '/';
    model->nodes[0].is_dir = true;
}

static void drop(struct model_node *node)
{
    free(node->data);
    memset(node, 0, sizeof(*node));
}

void model_fini(struct model *model)
{
    for (size_t i = 0; i < MODEL_NODES_MAX; i++)
        drop(&model->nodes[i]);
}

struct model_node *model_find(struct model *model, const char *path)
{
    for (size_t i = 0; i < MODEL_NODES_MAX; i++)
        if (strcmp(model->nodes[i].path, path) == 0)
            return &model->nodes[i];
    return NULL;
}

/* Is `path` directly in the directory `dir`? */
static bool is_in(const char *path, const char *dir)
{
    size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/' &&
           path[len + 1] != '\0' && strchr(path + len + 1, '/') == NULL;
}

static int check_parent(struct model *model, const char *path)
{
    char parent[64];
    struct model_node *node;
    char *slash;

    snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    node = model_find(model, parent);
    if (node != NULL)
        return node->is_dir ? 0 : -ENOTDIR;
    return strcmp(parent, "/") == 0 ? 0 : check_parent(model, parent) == 0
               ? -ENOENT
               : check_parent(model, parent);
}

int model_make(struct model *model, const char *path, bool is_dir)
{
    int rc = check_parent(model, path);
    struct model_node *node;

    if (rc != 0)
        return rc;
    if (model_find(model, path) != NULL)
        return -EEXIST;
    node = model_find(model, "");
    if (node == NULL)
        abort();
    snprintf(node->path, sizeof(node->path), "%s", path);
    node->is_dir = is_dir;
    return 0;
}

int model_unlink(struct model *model, const char *path)
{
    struct model_node *node = model_find(model, path);
    int rc = check_parent(model, path);

    if (rc != 0)
        return rc;
    if (node == NULL)
        return -ENOENT;
    if (node->is_dir)
        return -EISDIR;
    drop(node);
    return 0;
}

unsigned model_children(struct model *model, const char *path)
{
    unsigned n = 0;

    for (size_t i = 0; i < MODEL_NODES_MAX; i++)
        n += is_in(model->nodes[i].path, path);
    return n;
}

int model_rmdir(struct model *model, const char *path)
{
    struct model_node *node = model_find(model, path);
    int rc = check_parent(model, path);

    if (rc != 0)
        return rc;
    if (node == NULL)
        return -ENOENT;
    if (!node->is_dir)
        return -ENOTDIR;
    if (model_children(model, path) > 0)
        return -ENOTEMPTY;
    drop(node);
    return 0;
}

void model_resize(struct model_node *node, uint64_t size)
{
    if (node->data == NULL) {
        node->data = calloc(1, MODEL_SIZE_MAX);
        if (node->data == NULL)
            abort();
    }
    if (size < node->size)
        memset(node->data + size, 0, node->size - size);
    node->size = size;
}

void model_write(struct model_node *node, uint64_t offset, const void *data,
                 uint64_t len)
{
    if (len == 0)
        return;
    if (offset + len > node->size)
        model_resize(node, offset + len);
    memcpy(node->data + offset, data, len);
}
