/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hints, by one table: key, kind, field, and the range of a number.
 *
 * A value is parsed by its kind, checked, and only then stored. The order of
 * precedence when a file is opened is that of today's ROMIO: the hints file, so
 * that a program need not be changed; then the MPI_Info; then the defaults.
 *
 * Possible failure modes are: a key of ours that does not exist (a typing error
 * more often than not) or a value out of range. Neither is an error, for a hint
 * is only that; both are warned of, once for each key.
 */
#include "adio/common/hints.h"

#include "base/log.h"

#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum hint_kind { KIND_U32, KIND_TOGGLE, KIND_BOOL, KIND_TEXT, KIND_STRATEGY };

struct hint {
    const char *key;
    enum hint_kind kind;
    size_t at; /* in struct adio_hints */
    uint32_t least;
    uint32_t most;
};

/* X(key, field, kind, least, most) */
#define HINT_TABLE(X)                                                          \
    X(cb_nodes, cb_nodes, U32, 1, 1u << 24)                                    \
    X(cb_buffer_size, cb_buffer_size, U32, 4096, 1u << 30)                     \
    X(cb_config_list, cb_config_list, TEXT, 0, 0)                              \
    X(romio_cb_read, cb_read, TOGGLE, 0, 0)                                    \
    X(romio_cb_write, cb_write, TOGGLE, 0, 0)                                  \
    X(romio_ds_read, ds_read, TOGGLE, 0, 0)                                    \
    X(romio_ds_write, ds_write, TOGGLE, 0, 0)                                  \
    X(romio_no_indep_rw, no_indep_rw, BOOL, 0, 0)                              \
    X(ind_rd_buffer_size, ind_rd_buffer_size, U32, 1, 1u << 30)                \
    X(ind_wr_buffer_size, ind_wr_buffer_size, U32, 1, 1u << 30)                \
    X(striping_unit, striping_unit, U32, 4096, 1u << 30)                       \
    X(striping_factor, striping_factor, U32, 1, 1u << 16)                      \
    X(capstan_strategy, strategy, STRATEGY, 0, 0)                              \
    X(capstan_report, is_reporting, BOOL, 0, 0)                                \
    X(capstan_access_plan, is_planning, BOOL, 0, 0)                            \
    X(capstan_map_reads, map_reads, TOGGLE, 0, 0)

static const struct hint table[] = {
#define X(key, field, kind, least, most)                                       \
    {#key, KIND_##kind, offsetof(struct adio_hints, field), least, most},
    HINT_TABLE(X)
#undef X
};

#define NHINTS (sizeof(table) / sizeof(table[0]))

static const char *const toggle_names[] = {
    [ADIO_AUTOMATIC] = "automatic",
    [ADIO_ENABLE] = "enable",
    [ADIO_DISABLE] = "disable",
};

static const char *const bool_names[] = {"false", "true"};

static const char *const strategy_names[] = {
    [ADIO_STRATEGY_AUTOMATIC] = "automatic",
    [ADIO_STRATEGY_SHARE] = "share",
    [ADIO_STRATEGY_DIRECT] = "direct",
    [ADIO_STRATEGY_TWO_PHASE] = "two_phase",
    [ADIO_STRATEGY_INDEPENDENT] = "independent",
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

void hints_init(struct adio_hints *hints)
{
    const char *report = getenv("CAPSTAN_REPORT");

    *hints = (struct adio_hints){
        .cb_buffer_size = 16u << 20,
        .ind_rd_buffer_size = 4u << 20,
        .ind_wr_buffer_size = 512u << 10,
        .is_reporting = report != NULL && strcmp(report, "1") == 0,
    };
}

/* Which of the names is it? -1: none. */
static int find_name(const char *const *names, int nnames, const char *value)
{
    for (int i = 0; i < nnames; i++)
        if (strcasecmp(names[i], value) == 0)
            return i;
    return -1;
}

static bool parse_u32(const struct hint *hint, const char *value,
                      uint32_t *number_out)
{
    char *end;
    unsigned long long number;

    while (*value == ' ')
        value++;
    if (*value < '0' || *value > '9')
        return false;
    errno = 0;
    number = strtoull(value, &end, 10);
    while (*end == ' ')
        end++;
    if (errno != 0 || *end != '\0' || number < hint->least ||
        number > hint->most)
        return false;
    *number_out = (uint32_t)number;
    return true;
}

static bool store(const struct hint *hint, void *field, const char *value)
{
    int found;

    switch (hint->kind) {
    case KIND_U32:
        return parse_u32(hint, value, field);
    case KIND_TOGGLE:
        found = find_name(toggle_names, COUNT(toggle_names), value);
        if (found >= 0)
            *(enum adio_toggle *)field = (enum adio_toggle)found;
        return found >= 0;
    case KIND_BOOL:
        found = find_name(bool_names, COUNT(bool_names), value);
        if (found >= 0)
            *(bool *)field = found == 1;
        return found >= 0;
    case KIND_STRATEGY:
        found = find_name(strategy_names, COUNT(strategy_names), value);
        if (found >= 0)
            *(enum adio_strategy *)field = (enum adio_strategy)found;
        return found >= 0;
    case KIND_TEXT:
        if (strlen(value) >= HINT_VALUE_MAX)
            return false;
        memcpy(field, value, strlen(value) + 1);
        return true;
    }
    return false;
}

static bool has_prefix(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* @return NHINTS: none of ours. */
static size_t find(const char *key)
{
    size_t i = 0;

    while (i < NHINTS && strcmp(table[i].key, key) != 0)
        i++;
    return i;
}

enum hint_verdict hints_set(struct adio_hints *hints, const char *key,
                            const char *value)
{
    size_t i = find(key);

    if (i < NHINTS)
        return store(&table[i], (char *)hints + table[i].at, value)
                   ? HINT_TAKEN
                   : HINT_BAD_VALUE;
    /* What get_info reports of the last collective may come back with it. */
    if (has_prefix(key, "capstan_last_") || has_prefix(key, "capstan_total_") ||
        strcmp(key, "capstan_driver") == 0)
        return HINT_FOREIGN;
    return has_prefix(key, "romio_") || has_prefix(key, "capstan_")
               ? HINT_UNKNOWN
               : HINT_FOREIGN;
}

/* Note a key. @return false: noted before, or no room to note any more. */
static bool is_first_time(struct hint_warned *warned, const char *key)
{
    for (unsigned i = 0; i < warned->nkeys; i++)
        if (strncmp(warned->keys[i], key, HINT_KEY_MAX - 1) == 0)
            return false;
    if (warned->nkeys == HINT_WARNED_MAX)
        return false;
    snprintf(warned->keys[warned->nkeys++], HINT_KEY_MAX, "%s", key);
    return true;
}

void hints_take(struct adio_hints *hints, const char *key, const char *value,
                struct hint_warned *warned)
{
    enum hint_verdict verdict = hints_set(hints, key, value);

    if (verdict == HINT_TAKEN || verdict == HINT_FOREIGN ||
        !is_first_time(warned, key))
        return;
    if (verdict == HINT_UNKNOWN)
        log_warn("hint %s: no such hint, ignored", key);
    else
        log_warn("hint %s: value \"%s\" is not allowed, ignored", key, value);
}

void hints_take_text(struct adio_hints *hints, char *text,
                     struct hint_warned *warned)
{
    bool is_told[NHINTS + 1] = {false};
    char *lines, *line;

    for (line = strtok_r(text, "\n", &lines); line != NULL;
         line = strtok_r(NULL, "\n", &lines)) {
        char *words, *key, *value;

        line[strcspn(line, "#\r")] = '\0';
        key = strtok_r(line, " \t", &words);
        value = key == NULL ? NULL : strtok_r(NULL, " \t", &words);
        if (value == NULL || is_told[find(key)])
            continue;
        hints_take(hints, key, value, warned);
        is_told[find(key)] = find(key) < NHINTS;
    }
}

void hints_take_file(struct adio_hints *hints, struct hint_warned *warned)
{
    const char *path = getenv("ROMIO_HINTS");
    size_t used;
    char *text;
    FILE *file;

    if (path == NULL)
        return;
    file = fopen(path, "r");
    if (file == NULL) {
        if (is_first_time(warned, "ROMIO_HINTS"))
            log_warn("hints file %s: %m", path);
        return;
    }
    text = malloc(HINT_FILE_MAX + 1);
    if (text != NULL) {
        used = fread(text, 1, HINT_FILE_MAX, file);
        text[used] = '\0';
        hints_take_text(hints, text, warned);
    }
    free(text);
    fclose(file);
}

size_t hints_count(void)
{
    return NHINTS;
}

const char *hints_key(size_t i)
{
    return table[i].key;
}

bool hints_print(const struct adio_hints *hints, size_t i, char *value)
{
    const void *field = (const char *)hints + table[i].at;
    const char *text = "";
    uint32_t number;

    switch (table[i].kind) {
    case KIND_U32:
        number = *(const uint32_t *)field;
        snprintf(value, HINT_VALUE_MAX, "%u", number);
        return number != 0;
    case KIND_TOGGLE:
        text = toggle_names[*(const enum adio_toggle *)field];
        break;
    case KIND_BOOL:
        text = bool_names[*(const bool *)field];
        break;
    case KIND_STRATEGY:
        text = strategy_names[*(const enum adio_strategy *)field];
        break;
    case KIND_TEXT:
        text = field;
        break;
    }
    snprintf(value, HINT_VALUE_MAX, "%s", text);
    return *value != '\0';
}

const char *hints_strategy_name(enum adio_strategy strategy)
{
    return strategy_names[strategy];
}
