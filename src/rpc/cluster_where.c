/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * On which line does a field of a cluster file stand?
 *
 * Asked only when a file is refused, so the text is simply read once more,
 * with libyaml, whose nodes know their lines, and the path is walked from the
 * top. A text that is not YAML at all gets libyaml's own complaint instead:
 * it knows the line best.
 *
 * What can go wrong here must not hide the refusal itself: out of memory, or a
 * path that does not exist, costs the line number and nothing else.
 */
#include "rpc/cluster_raw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "rpc/cluster.h"

struct where {
    unsigned long line;  /* 1 is the first; 0: not known */
    const char *problem; /* libyaml's words (static), or NULL: it is YAML */
};

/* The node under a mapping's key, the last one if the key is given twice. */
static yaml_node_t *child(yaml_document_t *document, const yaml_node_t *node,
                          const char *key, size_t len, unsigned long *line)
{
    yaml_node_t *found = NULL;
    yaml_node_pair_t *pair;

    if (node->type != YAML_MAPPING_NODE)
        return NULL;
    for (pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);

        if (name->type != YAML_SCALAR_NODE || name->data.scalar.length != len ||
            memcmp(name->data.scalar.value, key, len) != 0)
            continue;
        *line = name->start_mark.line + 1;
        found = yaml_document_get_node(document, pair->value);
    }
    return found;
}

/* Entry number n (from 0) of a sequence. */
static yaml_node_t *entry(yaml_document_t *document, const yaml_node_t *node,
                          unsigned long n, unsigned long *line)
{
    yaml_node_t *found;

    if (node->type != YAML_SEQUENCE_NODE ||
        n >= (size_t)(node->data.sequence.items.top -
                      node->data.sequence.items.start))
        return NULL;
    found =
        yaml_document_get_node(document, node->data.sequence.items.start[n]);
    *line = found->start_mark.line + 1;
    return found;
}

/* Walk as far as the path exists. @return the line of the last step. */
static unsigned long walk(yaml_document_t *document, const char *path)
{
    yaml_node_t *node = yaml_document_get_root_node(document);
    unsigned long line = 0;

    while (node != NULL && *path != '\0') {
        if (*path == '[') {
            char *end;

            node = entry(document, node, strtoul(path + 1, &end, 10), &line);
            path = *end == ']' ? end + 1 : end;
        } else {
            size_t len = strcspn(path, ".[");

            node = child(document, node, path, len, &line);
            path += len;
        }
        path += *path == '.';
    }
    return line;
}

static struct where find(const struct cluster_source *source, const char *path)
{
    struct where where = {0, NULL};
    yaml_parser_t parser;
    yaml_document_t document;

    if (!yaml_parser_initialize(&parser))
        return where;
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->yaml,
                                 source->len);
    if (yaml_parser_load(&parser, &document)) {
        where.line = walk(&document, path);
        yaml_document_delete(&document);
    } else if (parser.error != YAML_MEMORY_ERROR) {
        where.problem = parser.problem;
        where.line = parser.problem_mark.line + 1;
    }
    yaml_parser_delete(&parser);
    return where;
}

static void append_args(char *text, const char *format, va_list args)
{
    size_t len = strlen(text);

    vsnprintf(text + len, CLUSTER_TEXT_MAX - len, format, args);
}

static void __attribute__((format(printf, 2, 3)))
append(char *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    append_args(text, format, args);
    va_end(args);
}

int cluster_refuse(const struct cluster_source *source, const char *path,
                   const char *format, ...)
{
    struct where where = find(source, path);
    char *text = source->text;
    va_list args;

    text[0] = '\0';
    /* A long name is cut, so that there is room for the cause. */
    append(text, "%.200s: ", source->name);
    if (where.line != 0)
        append(text, "line %lu: ", where.line);
    if (*path != '\0')
        append(text, "%s: ", path);
    va_start(args, format);
    /* Where it stops being YAML says more than the schema's view of it. */
    if (where.problem != NULL)
        append(text, "%s", where.problem);
    else
        append_args(text, format, args);
    va_end(args);
    return -EINVAL;
}
