/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cluster file's schema, read with libcyaml (this file alone includes it).
 *
 * The schema holds the shape only: which fields there are and which must be.
 * Every scalar is taken as a string, because libcyaml accepts "1x" as the
 * number 1; cluster_check.c reads the numbers.
 *
 * When libcyaml refuses a file it says so in log lines: the cause first, then
 * a backtrace from the innermost field outwards. They are caught and turned
 * into a field path. The line numbers in the backtrace are those of the event
 * before, so the line is looked up again (cluster_where.c).
 */
#include "rpc/cluster_raw.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/mem.h"
#include "rpc/cluster.h"

#define TEXT_FIELD(key, flags, type, member)                                   \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 0, \
                           CYAML_UNLIMITED)

static const cyaml_schema_field_t target_fields[] = {
    TEXT_FIELD("id", 0, struct raw_target, id),
    TEXT_FIELD("service", 0, struct raw_target, service),
    TEXT_FIELD("directory", 0, struct raw_target, directory),
    TEXT_FIELD("device", CYAML_FLAG_OPTIONAL, struct raw_target, device),
    TEXT_FIELD("buffered", CYAML_FLAG_OPTIONAL, struct raw_target, buffered),
    TEXT_FIELD("plan_memory", CYAML_FLAG_OPTIONAL, struct raw_target,
               plan_memory),
    CYAML_FIELD_END};

static const cyaml_schema_value_t target_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_target, target_fields)};

static const cyaml_schema_field_t server_fields[] = {
    TEXT_FIELD("name", 0, struct raw_server, name),
    TEXT_FIELD("node", 0, struct raw_server, node),
    CYAML_FIELD_SEQUENCE("targets", CYAML_FLAG_POINTER, struct raw_server,
                         targets, &target_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};

static const cyaml_schema_value_t server_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_server, server_fields)};

static const cyaml_schema_field_t defaults_fields[] = {
    TEXT_FIELD("stripe_size", CYAML_FLAG_OPTIONAL, struct raw_defaults,
               stripe_size),
    TEXT_FIELD("width", CYAML_FLAG_OPTIONAL, struct raw_defaults, width),
    TEXT_FIELD("replicas", CYAML_FLAG_OPTIONAL, struct raw_defaults, replicas),
    CYAML_FIELD_END};

static const cyaml_schema_field_t cluster_fields[] = {
    TEXT_FIELD("cluster", 0, struct raw_cluster, cluster),
    TEXT_FIELD("provider", CYAML_FLAG_OPTIONAL, struct raw_cluster, provider),
    CYAML_FIELD_MAPPING("defaults", CYAML_FLAG_OPTIONAL, struct raw_cluster,
                        defaults, defaults_fields),
    CYAML_FIELD_SEQUENCE("servers", CYAML_FLAG_POINTER, struct raw_cluster,
                         servers, &server_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};

static const cyaml_schema_value_t cluster_schema = {CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, struct raw_cluster, cluster_fields)};

/* What libcyaml said about one load. */
struct verdict {
    char cause[128];
    char path[CLUSTER_PATH_MAX];
};

static void prepend(char *path, const char *step)
{
    size_t len = strlen(path), step_len = strlen(step);
    size_t dot = len > 0 && path[0] != '[';

    if (step_len + dot + len >= CLUSTER_PATH_MAX)
        return; /* deeper than the schema: the line is named anyway */
    memmove(path + step_len + dot, path, len + 1);
    memcpy(path, step, step_len);
    if (dot)
        path[step_len] = '.';
}

/* One line of the backtrace: a field, an entry (from 1), or neither. */
static void note_step(struct verdict *verdict, const char *line)
{
    char field[40], step[48];
    unsigned entry;

    if (sscanf(line, " in mapping field '%39[^']'", field) == 1) {
        prepend(verdict->path, field);
    } else if (sscanf(line, " in sequence entry '%u'", &entry) == 1 &&
               entry > 0) {
        snprintf(step, sizeof(step), "[%u]", entry - 1);
        prepend(verdict->path, step);
    }
}

static void note_line(cyaml_log_t level, void *arg, const char *format,
                      va_list args)
{
    struct verdict *verdict = arg;
    char line[256];
    const char *cause = line;

    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "Load: ", 6) == 0)
        cause += 6;
    if (strncmp(cause, "Backtrace", 9) == 0)
        return;
    if (line[0] == ' ')
        note_step(verdict, line);
    else if (verdict->cause[0] == '\0')
        snprintf(verdict->cause, sizeof(verdict->cause), "%.127s", cause);
}

static void *mem(void *ctx, void *old, size_t size)
{
    if (size > 0)
        return mem_grow(old, 1, size);
    free(old);
    return NULL;
}

static cyaml_config_t config(struct verdict *verdict)
{
    return (cyaml_config_t){
        .log_fn = note_line,
        .log_ctx = verdict,
        .mem_fn = mem,
        .log_level = CYAML_LOG_WARNING,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

/* If the cause starts so, what follows it (a field's name), else NULL. */
static const char *after(const struct verdict *verdict, const char *start)
{
    size_t len = strlen(start);

    return strncmp(verdict->cause, start, len) == 0 ? verdict->cause + len
                                                    : NULL;
}

/* The innermost field of a path gives way to another in the same mapping. */
static void sibling(char *path, const char *name, bool inside)
{
    size_t len = strlen(path);

    if (!inside) {
        while (len > 0 && path[len - 1] != '.' && path[len - 1] != ']')
            len--;
        len -= len > 0 && path[len - 1] == '.';
    }
    snprintf(path + len, CLUSTER_PATH_MAX - len, "%s%.48s", len > 0 ? "." : "",
             name);
}

/* Say in our words what libcyaml said in its own. */
static int refuse(const struct cluster_source *source, struct verdict *verdict,
                  cyaml_err_t error)
{
    const char *name;

    if (error == CYAML_ERR_OOM) {
        snprintf(source->text, CLUSTER_TEXT_MAX, "%s: out of memory",
                 source->name);
        return -ENOMEM;
    }
    name = after(verdict, "Unexpected key: ");
    if (name != NULL) {
        sibling(verdict->path, name, true);
        return cluster_refuse(source, verdict->path, "unknown field");
    }
    name = after(verdict, "Missing required mapping field: ");
    if (name != NULL) {
        sibling(verdict->path, name, false);
        return cluster_refuse(source, verdict->path, "missing");
    }
    if (after(verdict, "Mapping field already seen: ") != NULL)
        return cluster_refuse(source, verdict->path, "given twice");
    if (verdict->cause[0] == '\0')
        snprintf(verdict->cause, sizeof(verdict->cause), "%s",
                 cyaml_strerror(error));
    for (char *c = verdict->cause; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return cluster_refuse(source, verdict->path, "%s", verdict->cause);
}

int cluster_raw_load(const struct cluster_source *source,
                     struct raw_cluster **raw_out)
{
    struct verdict verdict = {"", ""};
    cyaml_config_t cyaml = config(&verdict);
    struct raw_cluster *raw = NULL;
    cyaml_err_t error;
    int rc;

    error = cyaml_load_data((const uint8_t *)source->yaml, source->len, &cyaml,
                            &cluster_schema, (cyaml_data_t **)&raw, NULL);
    if (error != CYAML_OK)
        return refuse(source, &verdict, error);
    if (raw == NULL)
        return cluster_refuse(source, "", "the file is empty");
    /* A warning: there is a second document, which would go unread. */
    if (verdict.cause[0] != '\0') {
        rc = refuse(source, &verdict, CYAML_OK);
        cluster_raw_destroy(&raw);
        return rc;
    }
    *raw_out = raw;
    return 0;
}

void cluster_raw_destroy(struct raw_cluster **raw_p)
{
    struct verdict verdict = {"", ""};
    cyaml_config_t cyaml = config(&verdict);

    if (*raw_p == NULL)
        return;
    cyaml_free(&cyaml, &cluster_schema, *raw_p, 0);
    *raw_p = NULL;
}
