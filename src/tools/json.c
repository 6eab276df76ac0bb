/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small JSON writer. A name in the file system is any bytes but '/' and NUL,
 * JSON is Unicode: bytes outside well-formed UTF-8 (Unicode 15, table 3-7)
 * become U+FFFD.
 */
#include "tools/json.h"

void json_init(struct json *json, FILE *out)
{
    *json = (struct json){out, 0, true};
}

/* How many bytes the well-formed sequence at s has; 0: it is not one. */
static unsigned sequence(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    unsigned len;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    /* No overlong forms, no surrogates, nothing beyond U+10FFFF. */
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (unsigned i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return len;
}

static void text(FILE *out, const char *value)
{
    const unsigned char *s = (const unsigned char *)value;

    fputc('"', out);
    while (*s != '\0') {
        unsigned len = sequence(s);

        if (len == 0)
            fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else
            fwrite(s, 1, len, out);
        s += len > 0 ? len : 1;
    }
    fputc('"', out);
}

static void line(struct json *json)
{
    fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
}

static void lead(struct json *json, const char *key)
{
    if (!json->is_first)
        fputc(',', json->out);
    if (json->depth > 0)
        line(json);
    json->is_first = false;
    if (key == NULL)
        return;
    text(json->out, key);
    fputs(": ", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
    lead(json, key);
    fputc(bracket, json->out);
    json->depth++;
    json->is_first = true;
}

void json_close(struct json *json, char bracket)
{
    json->depth--;
    if (!json->is_first)
        line(json);
    fputc(bracket, json->out);
    json->is_first = false;
}

void json_string(struct json *json, const char *key, const char *value)
{
    lead(json, key);
    text(json->out, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    lead(json, key);
    fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
    lead(json, key);
    fprintf(json->out, "%lld", (long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    lead(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    lead(json, key);
    fputs("null", json->out);
}

void json_end(struct json *json)
{
    fputc('\n', json->out);
}
