/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table of tests; the parser makes nodes of them, in an array as long as the
 * command line, and links them by index. What is no test but an option of the
 * whole search (-maxdepth, -print0) is a test that is always true.
 */
#include "tools/find_expr.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/tool.h"

#define NEST_MAX 64
#define NS_PER_SEC 1000000000ull

enum node_kind { NODE_TEST, NODE_NOT, NODE_AND, NODE_OR };

/* A number as find takes it: more than, less than or exactly. */
struct bound {
    char sign; /* '+', '-' or 0 */
    uint64_t value;
    uint64_t unit;
};

struct test;

struct find_node {
    enum node_kind kind;
    int left, right; /* of NOT: left */
    const struct test *test;
    const char *text;
    struct bound bound;
};

struct test {
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;
    /* Read the argument. @return 0 or -1. */
    int (*read)(struct find_expr *expr, struct find_node *node);
    bool (*matches)(const struct find_expr *expr, const struct find_node *node,
                    const struct walk_entry *entry);
    bool is_whole_needed; /* of attributes that a listing may not have */
};

/* --- arguments ------------------------------------------------------------ */

static int read_any(struct find_expr *expr, struct find_node *node)
{
    (void)expr;
    (void)node;
    return 0;
}

static int read_number(const char *text, uint64_t *value_out, char **end_out)
{
    errno = 0;
    *value_out = strtoull(text, end_out, 10);
    return *text >= '0' && *text <= '9' && errno == 0 ? 0 : -1;
}

static int read_bound(struct find_expr *expr, struct find_node *node)
{
    const char *text = node->text;
    char *end;

    (void)expr;
    node->bound.unit = 1;
    if (*text == '+' || *text == '-')
        node->bound.sign = *text++;
    return read_number(text, &node->bound.value, &end) == 0 && *end == '\0'
               ? 0
               : -1;
}

static int read_size(struct find_expr *expr, struct find_node *node)
{
    static const char letters[] = "bckMG";
    static const uint64_t units[] = {512, 1, 1u << 10, 1u << 20, 1u << 30};
    const char *text = node->text, *unit = letters;
    char *end;

    (void)expr;
    if (*text == '+' || *text == '-')
        node->bound.sign = *text++;
    if (read_number(text, &node->bound.value, &end) != 0)
        return -1;
    if (*end != '\0')
        unit = strchr(letters, *end++);
    if (unit == NULL || *end != '\0')
        return -1;
    node->bound.unit = units[unit - letters];
    return 0;
}

static int read_type(struct find_expr *expr, struct find_node *node)
{
    (void)expr;
    return strlen(node->text) == 1 && strchr("fdlpscb", node->text[0]) != NULL
               ? 0
               : -1;
}

static int read_depth(const char *text, unsigned *depth_out)
{
    uint64_t value;
    char *end;

    if (read_number(text, &value, &end) != 0 || *end != '\0' ||
        value > UINT_MAX)
        return -1;
    *depth_out = (unsigned)value;
    return 0;
}

static int read_depth_max(struct find_expr *expr, struct find_node *node)
{
    return read_depth(node->text, &expr->depth_max);
}

static int read_depth_min(struct find_expr *expr, struct find_node *node)
{
    return read_depth(node->text, &expr->depth_min);
}

static int read_print0(struct find_expr *expr, struct find_node *node)
{
    (void)node;
    expr->is_print0 = true;
    return 0;
}

/* --- tests ---------------------------------------------------------------- */

static bool is_within(const struct bound *bound, uint64_t value)
{
    if (bound->sign == '+')
        return value > bound->value;
    return bound->sign == '-' ? value < bound->value : value == bound->value;
}

static bool match_all(const struct find_expr *expr,
                      const struct find_node *node,
                      const struct walk_entry *entry)
{
    (void)expr;
    (void)node;
    (void)entry;
    return true;
}

static bool match_name(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    (void)expr;
    return fnmatch(node->text, entry->name, 0) == 0;
}

static bool match_iname(const struct find_expr *expr,
                        const struct find_node *node,
                        const struct walk_entry *entry)
{
    (void)expr;
    return fnmatch(node->text, entry->name, FNM_CASEFOLD) == 0;
}

static bool match_path(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    (void)expr;
    return fnmatch(node->text, entry->path, 0) == 0;
}

static bool match_type(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    static const char letters[] = {
        [CAPSTAN_FILE] = 'f',    [CAPSTAN_DIRECTORY] = 'd',
        [CAPSTAN_SYMLINK] = 'l', [CAPSTAN_FIFO] = 'p',
        [CAPSTAN_SOCKET] = 's',  [CAPSTAN_CHAR] = 'c',
        [CAPSTAN_BLOCK] = 'b'};

    (void)expr;
    return letters[entry->stat->type] == node->text[0];
}

/* A size is counted in begun units. */
static bool match_size(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    uint64_t size = entry->stat->size, unit = node->bound.unit;

    (void)expr;
    return is_within(&node->bound, size / unit + (size % unit != 0));
}

static bool match_empty(const struct find_expr *expr,
                        const struct find_node *node,
                        const struct walk_entry *entry)
{
    (void)expr;
    (void)node;
    return entry->stat->type == CAPSTAN_FILE && entry->stat->size == 0;
}

static bool is_of_age(const struct find_expr *expr, const struct bound *bound,
                      const struct walk_entry *entry, uint64_t unit_sec)
{
    int64_t now = (int64_t)expr->now_ns, then = entry->stat->mtime_ns;
    uint64_t age = now > then ? (uint64_t)now - (uint64_t)then : 0;

    return is_within(bound, age / NS_PER_SEC / unit_sec);
}

static bool match_mtime(const struct find_expr *expr,
                        const struct find_node *node,
                        const struct walk_entry *entry)
{
    return is_of_age(expr, &node->bound, entry, 86400);
}

static bool match_mmin(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    return is_of_age(expr, &node->bound, entry, 60);
}

static bool match_uid(const struct find_expr *expr,
                      const struct find_node *node,
                      const struct walk_entry *entry)
{
    (void)expr;
    return is_within(&node->bound, entry->stat->uid);
}

static bool match_gid(const struct find_expr *expr,
                      const struct find_node *node,
                      const struct walk_entry *entry)
{
    (void)expr;
    return is_within(&node->bound, entry->stat->gid);
}

static bool match_links(const struct find_expr *expr,
                        const struct find_node *node,
                        const struct walk_entry *entry)
{
    (void)expr;
    return is_within(&node->bound, entry->stat->nlink);
}

static bool match_inum(const struct find_expr *expr,
                       const struct find_node *node,
                       const struct walk_entry *entry)
{
    (void)expr;
    return is_within(&node->bound, entry->stat->ino);
}

static const struct test known[] = {
    {"-name", "PATTERN", "the last name, as the shell matches", read_any,
     match_name, false},
    {"-iname", "PATTERN", "the same, large and small letters alike", read_any,
     match_iname, false},
    {"-path", "PATTERN", "the whole path", read_any, match_path, false},
    {"-type", "LETTER", "f, d, l, p, s, c or b", read_type, match_type, false},
    {"-size", "[+-]N[ckMG]", "in begun units; without one: of 512 bytes",
     read_size, match_size, true},
    {"-empty", NULL, "a file of no bytes", read_any, match_empty, true},
    {"-mtime", "[+-]N", "days since it was written", read_bound, match_mtime,
     true},
    {"-mmin", "[+-]N", "minutes since it was written", read_bound, match_mmin,
     true},
    {"-uid", "[+-]N", "owner", read_bound, match_uid, false},
    {"-gid", "[+-]N", "group", read_bound, match_gid, false},
    {"-links", "[+-]N", "how many names it has", read_bound, match_links, true},
    {"-inum", "[+-]N", "inode number", read_bound, match_inum, false},
    {"-maxdepth", "N", "look no deeper", read_depth_max, match_all, false},
    {"-mindepth", "N", "pass over what is less deep", read_depth_min, match_all,
     false},
    {"-print", NULL, "as it is done anyway", read_any, match_all, false},
    {"-print0", NULL, "end each path with a NUL", read_print0, match_all,
     false},
};
#define TESTS (sizeof(known) / sizeof(known[0]))

void find_expr_help(void)
{
    puts("\nTests, all of which must hold; -o, ! and ( ) join them:");
    for (size_t i = 0; i < TESTS; i++)
        printf("  %-10s %-13s %s\n", known[i].name,
               known[i].argument != NULL ? known[i].argument : "",
               known[i].help);
}

/* --- parser --------------------------------------------------------------- */

struct parser {
    struct find_expr *expr;
    char **words;
    int count;
    int at;
    unsigned nested;
};

static int parse_or(struct parser *parser);

static const char *word(const struct parser *parser)
{
    return parser->at < parser->count ? parser->words[parser->at] : "";
}

static bool is_word(const struct parser *parser, const char *text)
{
    return strcmp(word(parser), text) == 0;
}

/* Room there is: each word makes at most two nodes. @return its index. */
static int node(struct parser *parser, enum node_kind kind, int left, int right)
{
    struct find_expr *expr = parser->expr;

    expr->nodes[expr->count] =
        (struct find_node){.kind = kind, .left = left, .right = right};
    return (int)expr->count++;
}

static int wrong(const struct parser *parser, const char *cause)
{
    tool_error(parser->at < parser->count ? word(parser) : "find", "%s", cause);
    return -1;
}

static int parse_test(struct parser *parser)
{
    const struct test *test = known;
    int made;

    while (test < known + TESTS && !is_word(parser, test->name))
        test++;
    if (test == known + TESTS)
        return wrong(parser, "no such test; see 'capstan find --help'");
    made = node(parser, NODE_TEST, -1, -1);
    parser->expr->nodes[made].test = test;
    parser->expr->is_whole_needed |= test->is_whole_needed;
    if (test->argument != NULL) {
        if (parser->at + 1 >= parser->count)
            return wrong(parser, "an argument is missing");
        parser->at++;
        parser->expr->nodes[made].text = word(parser);
    }
    if (test->read(parser->expr, &parser->expr->nodes[made]) != 0)
        return wrong(parser, "is no argument for this test");
    parser->at++;
    return made;
}

static int parse_factor(struct parser *parser)
{
    int inner = -1;

    if (parser->at >= parser->count)
        return wrong(parser, "a test is missing at the end");
    if (++parser->nested > NEST_MAX)
        return wrong(parser, "too deep");
    if (is_word(parser, "!") || is_word(parser, "-not")) {
        parser->at++;
        inner = parse_factor(parser);
        if (inner >= 0)
            inner = node(parser, NODE_NOT, inner, -1);
    } else if (is_word(parser, "(")) {
        parser->at++;
        inner = parse_or(parser);
        if (inner >= 0 && !is_word(parser, ")"))
            return wrong(parser, "')' is missing");
        parser->at++;
    } else {
        inner = parse_test(parser);
    }
    parser->nested--;
    return inner;
}

static int parse_and(struct parser *parser)
{
    int left = parse_factor(parser);

    while (left >= 0 && parser->at < parser->count && !is_word(parser, "-o") &&
           !is_word(parser, ")")) {
        int right;

        if (is_word(parser, "-a"))
            parser->at++;
        right = parse_factor(parser);
        left = right >= 0 ? node(parser, NODE_AND, left, right) : -1;
    }
    return left;
}

static int parse_or(struct parser *parser)
{
    int left = parse_and(parser);

    while (left >= 0 && is_word(parser, "-o")) {
        int right;

        parser->at++;
        right = parse_and(parser);
        left = right >= 0 ? node(parser, NODE_OR, left, right) : -1;
    }
    return left;
}

int find_expr_parse(char **words, int count, struct find_expr *expr_out)
{
    struct find_expr expr = {.root = -1, .depth_max = UINT_MAX};
    struct parser parser = {.expr = &expr, .words = words, .count = count};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    expr.now_ns = (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
    expr.nodes = calloc(2 * (size_t)count + 1, sizeof(*expr.nodes));
    if (expr.nodes == NULL) {
        tool_error("find", "%s", strerror(ENOMEM));
        return TOOL_FAILED;
    }
    if (count > 0) {
        expr.root = parse_or(&parser);
        if (expr.root >= 0 && parser.at < count)
            expr.root = wrong(&parser, "has no '(' before it");
        if (expr.root < 0) {
            find_expr_fini(&expr);
            return TOOL_USAGE;
        }
    }
    *expr_out = expr;
    return TOOL_OK;
}

void find_expr_fini(struct find_expr *expr)
{
    free(expr->nodes);
    expr->nodes = NULL;
}

/* --- what an entry is ----------------------------------------------------- */

static bool holds(const struct find_expr *expr, int index,
                  const struct walk_entry *entry)
{
    const struct find_node *node = &expr->nodes[index];

    switch (node->kind) {
    case NODE_TEST:
        return node->test->matches(expr, node, entry);
    case NODE_NOT:
        return !holds(expr, node->left, entry);
    case NODE_AND:
        return holds(expr, node->left, entry) &&
               holds(expr, node->right, entry);
    case NODE_OR:
        return holds(expr, node->left, entry) ||
               holds(expr, node->right, entry);
    }
    return false;
}

bool find_expr_matches(const struct find_expr *expr,
                       const struct walk_entry *entry)
{
    return entry->depth >= expr->depth_min && entry->depth <= expr->depth_max &&
           (expr->root < 0 || holds(expr, expr->root, entry));
}
