/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The expression of `capstan find`: tests, joined as in find(1).
 *
 *     expression  = terms { "-o" terms }
 *     terms       = factor { ["-a"] factor }
 *     factor      = "!" factor | "(" expression ")" | test
 *
 * Units    of -size as in find(1): c, k, M, G, else blocks of 512 bytes.
 * Threads  one.
 * Failure  said on stderr.
 */
#ifndef CAPSTAN_TOOLS_FIND_EXPR_H
#define CAPSTAN_TOOLS_FIND_EXPR_H

#include <stdint.h>

#include "tools/walk.h"

struct find_node;

struct find_expr {
    struct find_node *nodes;
    unsigned count;
    int root; /* index; -1: everything is wanted */
    unsigned depth_min, depth_max;
    bool is_print0;
    bool is_whole_needed; /* sizes, links or times of striped files */
    uint64_t now_ns;      /* when the tests of age count from */
};

/** Read the words of an expression; none is fine. @param expr_out  ended with
 *  find_expr_fini(). @return TOOL_OK, TOOL_USAGE, TOOL_FAILED. */
int find_expr_parse(char **words, int count, struct find_expr *expr_out);
void find_expr_fini(struct find_expr *expr);

bool find_expr_matches(const struct find_expr *expr,
                       const struct walk_entry *entry);

/** Print the tests that there are, for --help. */
void find_expr_help(void);

#endif
