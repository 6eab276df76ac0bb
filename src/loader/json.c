/* SPDX-License-Identifier: BSD-3-Clause */
/* A reader of JSON: one function a kind of value, each takes what it must find
 * and nothing else. */
#include "loader/json.h"

#include <string.h>

void json_init(struct json *json, const char *text, size_t length)
{
    *json = (struct json){.at = text, .end = text + length};
}

static bool bad(struct json *json)
{
    json->is_bad = true;
    json->at = json->end;
    return false;
}

/* The next character that counts, 0 at the end. */
static char peek(struct json *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) != NULL &&
           *json->at != '\0')
        json->at++;
    return json->at < json->end ? *json->at : '\0';
}

static bool take(struct json *json, char wanted)
{
    if (peek(json) != wanted || wanted == '\0')
        return bad(json);
    json->at++;
    return true;
}

bool json_open(struct json *json, char bracket)
{
    json->is_first = true;
    return take(json, bracket);
}

bool json_more(struct json *json, char bracket)
{
    bool is_first = json->is_first;

    json->is_first = false;
    if (json->is_bad)
        return false;
    if (peek(json) == bracket) {
        json->at++;
        return false;
    }
    return is_first || take(json, ',');
}

static bool put(struct json *json, char **out, const char *end, unsigned byte)
{
    if (*out + 1 >= end)
        return bad(json);
    *(*out)++ = (char)byte;
    return true;
}

static bool put_utf8(struct json *json, char **out, const char *end,
                     uint32_t code)
{
    if (code < 0x80)
        return put(json, out, end, code);
    if (code < 0x800)
        return put(json, out, end, 0xc0 | code >> 6) &&
               put(json, out, end, 0x80 | (code & 0x3f));
    if (code < 0x10000)
        return put(json, out, end, 0xe0 | code >> 12) &&
               put(json, out, end, 0x80 | (code >> 6 & 0x3f)) &&
               put(json, out, end, 0x80 | (code & 0x3f));
    return put(json, out, end, 0xf0 | code >> 18) &&
           put(json, out, end, 0x80 | (code >> 12 & 0x3f)) &&
           put(json, out, end, 0x80 | (code >> 6 & 0x3f)) &&
           put(json, out, end, 0x80 | (code & 0x3f));
}

/* Four hexadecimal digits. */
static bool hex4(struct json *json, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found;

    *out = 0;
    for (int i = 0; i < 4; i++) {
        if (json->at == json->end || *json->at == '\0')
            return bad(json);
        found = strchr(digits, *json->at++);
        if (found == NULL)
            return bad(json);
        *out = *out << 4 | (uint32_t)((found - digits) % 16);
    }
    return true;
}

/* Behind "\u": perhaps one half of a pair. */
static bool escaped_code(struct json *json, uint32_t *out)
{
    uint32_t low;

    if (!hex4(json, out))
        return false;
    if (*out < 0xd800 || *out > 0xdfff)
        return true;
    if (*out > 0xdbff || json->end - json->at < 2 || json->at[0] != '\\' ||
        json->at[1] != 'u')
        return bad(json);
    json->at += 2;
    if (!hex4(json, &low) || low < 0xdc00 || low > 0xdfff)
        return bad(json);
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool escape(struct json *json, char **out, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    uint32_t code;

    if (json->at == json->end || *json->at == '\0')
        return bad(json);
    if (*json->at == 'u') {
        json->at++;
        /* NUL would end the name early. */
        return escaped_code(json, &code) &&
               (code != 0 ? put_utf8(json, out, end, code) : bad(json));
    }
    found = strchr(from, *json->at++);
    return found != NULL ? put(json, out, end, (unsigned char)to[found - from])
                         : bad(json);
}

bool json_string(struct json *json, char *out, size_t room)
{
    const char *end = out + room;

    if (!take(json, '"'))
        return false;
    while (json->at < json->end && *json->at != '"') {
        char c = *json->at++;

        if (c == '\\' ? !escape(json, &out, end)
                      : (unsigned char)c < 0x20 ||
                            !put(json, &out, end, (unsigned char)c))
            return bad(json);
    }
    *out = '\0';
    return take(json, '"');
}

bool json_key(struct json *json, char *out, size_t room)
{
    return json_string(json, out, room) && take(json, ':');
}

bool json_u64(struct json *json, uint64_t *out)
{
    uint64_t value = 0;
    char c = peek(json);

    if (c < '0' || c > '9')
        return bad(json);
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9';
         json->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*json->at - '0'), &value))
            return bad(json);
    if (json->at < json->end && strchr(".eE", *json->at) != NULL &&
        *json->at != '\0')
        return bad(json);
    *out = value;
    return true;
}

/* Names and numbers in full detail are nobody's business here. */
static void skip_word(struct json *json)
{
    const char *begin = json->at;

    while (json->at < json->end && *json->at != '\0' &&
           strchr(",]} \t\r\n", *json->at) == NULL)
        json->at++;
    if (json->at == begin)
        bad(json);
}

static void skip_string(struct json *json)
{
    for (json->at++; json->at < json->end && *json->at != '"'; json->at++)
        if (*json->at == '\\' && ++json->at == json->end)
            break;
    take(json, '"');
}

static void skip_at(struct json *json, int depth)
{
    char open = peek(json);
    char close = open == '{' ? '}' : ']';

    if (open == '"') {
        skip_string(json);
        return;
    }
    if (open != '{' && open != '[') {
        skip_word(json);
        return;
    }
    if (depth == JSON_DEPTH_MAX) {
        bad(json);
        return;
    }
    for (json_open(json, open); json_more(json, close);) {
        if (open == '{') {
            skip_at(json, JSON_DEPTH_MAX); /* the name: never a bracket */
            take(json, ':');
        }
        skip_at(json, depth + 1);
        json->is_first = false;
    }
}

void json_skip(struct json *json)
{
    skip_at(json, 0);
    json->is_first = false;
}

bool json_is_over(struct json *json)
{
    return !json->is_bad && peek(json) == '\0' && json->at == json->end;
}
