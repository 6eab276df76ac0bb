/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a namespace should be: a tree in memory with the rules of POSIX, by the
 * simplest code that is right. Paths are "/a/b", without dots or links on the
 * way.
 *
 * Threads  one.
 * Failure  codes as the cluster should answer; abort() when it is full.
 */
#ifndef CAPSTAN_TESTS_SIM_TREE_H
#define CAPSTAN_TESTS_SIM_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_NAMES_MAX 512

enum tree_type { TREE_FILE = 1, TREE_DIR = 2, TREE_LINK = 3 };

struct tree_node {
    unsigned refs; /* names; 0: free */
    enum tree_type type;
    unsigned mode;
    char text[32]; /* of a link */
};

struct tree_name {
    bool is_used;
    unsigned parent; /* node */
    unsigned node;
    char text[16];
};

struct tree {
    struct tree_node nodes[TREE_NAMES_MAX]; /* 0: the root */
    struct tree_name names[TREE_NAMES_MAX];
};

void tree_init(struct tree *tree);

/** @return the node of a path, or -ENOENT, -ENOTDIR. */
int tree_find(struct tree *tree, const char *path);

int tree_make(struct tree *tree, const char *path, enum tree_type type,
              unsigned mode, const char *text);
int tree_link(struct tree *tree, const char *from, const char *to);
int tree_unlink(struct tree *tree, const char *path);
int tree_rmdir(struct tree *tree, const char *path);
int tree_rename(struct tree *tree, const char *from, const char *to,
                unsigned flags);
unsigned tree_children(const struct tree *tree, int node, bool only_dirs);

#endif
