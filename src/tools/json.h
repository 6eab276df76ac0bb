/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small JSON writer (RFC 8259): commas and indentation are its business.
 *
 * Units    numbers are unsigned 64-bit integers.
 * Threads  one.
 * Failure  none here; ferror() on the stream tells at the end. Bytes that are
 *          not UTF-8 are written as U+FFFD, so the output always parses.
 */
#ifndef CAPSTAN_TOOLS_JSON_H
#define CAPSTAN_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    unsigned depth;
    bool is_first; /* in the innermost array or object */
};

void json_init(struct json *json, FILE *out);

/* In an object every value has a key; in an array, and at the top, NULL. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_integer(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/** End the text with a newline. */
void json_end(struct json *json);

#endif
