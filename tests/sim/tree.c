/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOREPLACE = 1, EXCHANGE = 2 };

void tree_init(struct tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    tree->nodes[0] = (struct tree_node){.refs = 1, .type = TREE_DIR};
}

static struct tree_name *name_in(struct tree *tree, int parent,
                                 const char *text)
{
    for (unsigned i = 0; i < TREE_NAMES_MAX; i++)
        if (tree->names[i].is_used &&
            tree->names[i].parent == (unsigned)parent &&
            strcmp(tree->names[i].text, text) == 0)
            return &tree->names[i];
    return NULL;
}

/* The node of the parent, or a code; the last name in text. */
static int walk(struct tree *tree, const char *path, char text[16])
{
    struct tree_name *name;
    char copy[128];
    int node = 0;
    char *part, *next, *save;

    snprintf(copy, sizeof(copy), "%s", path);
    part = strtok_r(copy, "/", &save);
    while ((next = strtok_r(NULL, "/", &save)) != NULL) {
        name = name_in(tree, node, part);
        if (name == NULL)
            return -ENOENT;
        node = (int)name->node;
        if (tree->nodes[node].type != TREE_DIR)
            return -ENOTDIR;
        part = next;
    }
    snprintf(text, 16, "%s", part);
    return node;
}

int tree_find(struct tree *tree, const char *path)
{
    struct tree_name *name;
    char text[16];
    int parent = walk(tree, path, text);

    if (parent < 0)
        return parent;
    name = name_in(tree, parent, text);
    return name == NULL ? -ENOENT : (int)name->node;
}

static void add(struct tree *tree, int parent, const char *text, unsigned node)
{
    for (unsigned i = 0; i < TREE_NAMES_MAX; i++) {
        struct tree_name *name = &tree->names[i];

        if (name->is_used)
            continue;
        name->is_used = true;
        name->parent = (unsigned)parent;
        name->node = node;
        snprintf(name->text, sizeof(name->text), "%s", text);
        return;
    }
    abort();
}

int tree_make(struct tree *tree, const char *path, enum tree_type type,
              unsigned mode, const char *text)
{
    char last[16];
    int parent = walk(tree, path, last);
    unsigned node = 1;

    if (parent < 0)
        return parent;
    if (name_in(tree, parent, last) != NULL)
        return -EEXIST;
    while (tree->nodes[node].refs > 0)
        node++;
    tree->nodes[node] =
        (struct tree_node){.refs = 1, .type = type, .mode = mode};
    snprintf(tree->nodes[node].text, sizeof(tree->nodes[node].text), "%s",
             text);
    add(tree, parent, last, node);
    return 0;
}

int tree_link(struct tree *tree, const char *from, const char *to)
{
    int node = tree_find(tree, from);
    char last[16];
    int parent;

    if (node < 0)
        return node;
    parent = walk(tree, to, last);
    if (parent < 0)
        return parent;
    if (name_in(tree, parent, last) != NULL)
        return -EEXIST;
    if (tree->nodes[node].type == TREE_DIR)
        return -EPERM;
    tree->nodes[node].refs++;
    add(tree, parent, last, (unsigned)node);
    return 0;
}

static void drop(struct tree *tree, struct tree_name *name)
{
    tree->nodes[name->node].refs--;
    name->is_used = false;
}

unsigned tree_children(const struct tree *tree, int node, bool only_dirs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TREE_NAMES_MAX; i++)
        n += tree->names[i].is_used &&
             tree->names[i].parent == (unsigned)node &&
             (!only_dirs ||
              tree->nodes[tree->names[i].node].type == TREE_DIR);
    return n;
}

int tree_unlink(struct tree *tree, const char *path)
{
    struct tree_name *name;
    char last[16];
    int parent = walk(tree, path, last);

    if (parent < 0)
        return parent;
    name = name_in(tree, parent, last);
    if (name == NULL)
        return -ENOENT;
    if (tree->nodes[name->node].type == TREE_DIR)
        return -EISDIR;
    drop(tree, name);
    return 0;
}

int tree_rmdir(struct tree *tree, const char *path)
{
    struct tree_name *name;
    char last[16];
    int parent = walk(tree, path, last);

    if (parent < 0)
        return parent;
    name = name_in(tree, parent, last);
    if (name == NULL)
        return -ENOENT;
    if (tree->nodes[name->node].type != TREE_DIR)
        return -ENOTDIR;
    if (tree_children(tree, (int)name->node, false) > 0)
        return -ENOTEMPTY;
    drop(tree, name);
    return 0;
}

/* Does `inner` lie in `outer`, or is it that? */
static bool is_within(const struct tree *tree, unsigned inner, unsigned outer)
{
    while (inner != outer && inner != 0)
        for (unsigned i = 0; i < TREE_NAMES_MAX; i++)
            if (tree->names[i].is_used && tree->names[i].node == inner) {
                inner = tree->names[i].parent;
                break;
            }
    return inner == outer;
}

static int exchange(struct tree *tree, struct tree_name *a, struct tree_name *b)
{
    unsigned node = a->node;

    if ((tree->nodes[a->node].type == TREE_DIR &&
         is_within(tree, b->parent, a->node)) ||
        (tree->nodes[b->node].type == TREE_DIR &&
         is_within(tree, a->parent, b->node)))
        return -EINVAL;
    a->node = b->node;
    b->node = node;
    return 0;
}

static int judge_victim(const struct tree *tree, const struct tree_name *from,
                        const struct tree_name *to, unsigned flags)
{
    bool is_dir = tree->nodes[from->node].type == TREE_DIR;
    bool to_dir = tree->nodes[to->node].type == TREE_DIR;

    if (flags & NOREPLACE)
        return -EEXIST;
    if (is_dir && !to_dir)
        return -ENOTDIR;
    if (!is_dir && to_dir)
        return -EISDIR;
    return 0;
}

int tree_rename(struct tree *tree, const char *from, const char *to,
                unsigned flags)
{
    struct tree_name *old, *new;
    char from_text[16], to_text[16];
    int rc, from_dir, to_dir = walk(tree, to, to_text);

    if (to_dir < 0)
        return to_dir;
    from_dir = walk(tree, from, from_text);
    if (from_dir < 0)
        return from_dir;
    old = name_in(tree, from_dir, from_text);
    new = name_in(tree, to_dir, to_text);
    if (old == NULL)
        return -ENOENT;
    if (flags & EXCHANGE)
        return new == NULL ? -ENOENT
               : new->node == old->node ? 0 : exchange(tree, old, new);
    if (new != NULL) {
        rc = judge_victim(tree, old, new, flags);
        if (rc != 0 || new->node == old->node)
            return rc;
    }
    if (tree->nodes[old->node].type == TREE_DIR &&
        is_within(tree, (unsigned)to_dir, old->node))
        return -EINVAL;
    if (new != NULL && tree->nodes[new->node].type == TREE_DIR &&
        tree_children(tree, (int)new->node, false) > 0)
        return -ENOTEMPTY;
    if (new != NULL)
        drop(tree, new);
    add(tree, to_dir, to_text, old->node);
    old->is_used = false;
    return 0;
}
