/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A key is its kind, numbers in big-endian, then the bytes of a name, so that
 * memcmp() orders entries by directory and then by name.
 *
 * A key that came from the store is checked before it is taken apart.
 */
#include "meta/names_key.h"

#include "base/hash.h"

#include <assert.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct names_key names_key_kind(enum names_kind kind)
{
    struct names_key key = {.len = 1};

    key.bytes[0] = (unsigned char)kind;
    return key;
}

static void append_number(struct names_key *key, uint64_t number)
{
    uint64_t big = htobe64(number);

    memcpy(key->bytes + key->len, &big, sizeof(big));
    key->len += sizeof(big);
}

struct names_key names_key_number(enum names_kind kind, uint64_t number)
{
    struct names_key key = names_key_kind(kind);

    append_number(&key, number);
    return key;
}

struct names_key names_key_numbers(enum names_kind kind, uint64_t first,
                                   uint64_t second)
{
    struct names_key key = names_key_number(kind, first);

    append_number(&key, second);
    return key;
}

struct names_key names_key_name(enum names_kind kind, const struct name *name)
{
    struct names_key key = names_key_number(kind, name->parent);

    assert(name->len <= NAME_LEN_MAX);
    if (name->len > 0)
        memcpy(key.bytes + key.len, name->text, name->len);
    key.len += name->len;
    return key;
}

struct names_key names_key_entry(const struct name *name)
{
    uint64_t hash = hash_name(name->parent, name->text, name->len);
    struct names_key key =
        names_key_numbers(NAMES_ENTRY, name->parent, hash_place(hash));

    assert(name->len <= NAME_LEN_MAX);
    memcpy(key.bytes + key.len, name->text, name->len);
    key.len += name->len;
    return key;
}

int names_key_entry_parse(const void *key, size_t len, struct name *name_out,
                          uint64_t *place_out)
{
    if (len < 1 + 8 + 8 + 1 || len > 1 + 8 + 8 + NAME_LEN_MAX)
        return -EIO;
    name_out->parent = names_key_number_at(key, 1);
    name_out->text = (const char *)key + 17;
    name_out->len = len - 17;
    if (place_out != NULL)
        *place_out = names_key_number_at(key, 9);
    return 0;
}

uint64_t names_key_number_at(const void *key, size_t at)
{
    uint64_t big;

    memcpy(&big, (const char *)key + at, sizeof(big));
    return be64toh(big);
}

int names_key_name_parse(const void *key, size_t len, struct name *name_out)
{
    if (len < 1 + 8 + 1 || len > 1 + 8 + NAME_LEN_MAX)
        return -EIO;
    name_out->parent = names_key_number_at(key, 1);
    name_out->text = (const char *)key + 9;
    name_out->len = len - 9;
    return 0;
}

void names_key_text(const void *key, size_t len,
                    char text_out[NAMES_KEY_TEXT_MAX])
{
    const unsigned char *bytes = key;
    char *at = text_out;

    for (size_t i = 0; i < len && at + 5 < text_out + NAMES_KEY_TEXT_MAX; i++) {
        if (bytes[i] < 0x80 && isprint(bytes[i]) && bytes[i] != '\\')
            *at++ = (char)bytes[i];
        else
            at += snprintf(at, 5, "\\x%02x", bytes[i]);
    }
    *at = '\0';
}
