/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading JSON (RFC 8259) member by member, without a tree: for the headers of
 * safetensors files and the index of a checkpoint.
 *
 *     json_init(&json, text, length);
 *     for (json_open(&json, '{'); json_more(&json, '}');)
 *         if (json_key(&json, key, sizeof(key)) && strcmp(key, "shape") == 0)
 *             ...
 *         else
 *             json_skip(&json);
 *
 * Threads  no state but the caller's.
 * Failure  is_bad is set by the first thing that is not JSON or not what was
 * asked for; from then on nothing is found, and every loop ends.
 */
#ifndef CAPSTAN_LOADER_JSON_H
#define CAPSTAN_LOADER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64

struct json {
    const char *at, *end;
    bool is_bad;
    bool is_first; /* in the object or array that was opened last */
};

void json_init(struct json *json, const char *text, size_t length);

/** Enter an object '{' or an array '['. */
bool json_open(struct json *json, char bracket);

/** Is there one more in it? If not, it is left. */
bool json_more(struct json *json, char bracket);

/** The name of a member, ended by NUL; too long a one is bad. */
bool json_key(struct json *json, char *out, size_t room);

bool json_string(struct json *json, char *out, size_t room);

/** A number that is whole and not negative. */
bool json_u64(struct json *json, uint64_t *out);

/** Pass any value. */
void json_skip(struct json *json);

/** Nothing but white space is left, and nothing was bad. */
bool json_is_over(struct json *json);

#endif
