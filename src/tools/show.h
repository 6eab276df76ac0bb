/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and attributes, for people and for scripts.
 *
 * Units    -
 * Threads  one.
 * Failure  none here; ferror(stdout) tells at the end.
 */
#ifndef CAPSTAN_TOOLS_SHOW_H
#define CAPSTAN_TOOLS_SHOW_H

#include <stdbool.h>

#include <capstan/namespace.h>

#include "tools/json.h"

/** "file", "directory", ... */
const char *show_type(enum capstan_type type);

/** As ls -l has it: "drwxr-xr-x". @param text  11 bytes. */
void show_mode(char *text, const struct capstan_stat *stat_buf);

/** Print a name; on a terminal without what could steer it. */
void show_name(const char *name, bool is_tty);

/** All attributes, as an object. */
void show_json(struct json *json, const char *path,
               const struct capstan_stat *stat_buf);

#endif
