/* SPDX-License-Identifier: BSD-3-Clause */
#include "loader/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the fields of a ustar header are (POSIX.1-2008, pax). */
#define NAME 0
#define NAME_SIZE 100
#define MODE 100
#define SIZE 124
#define SIZE_SIZE 12
#define SUM 148
#define SUM_SIZE 8
#define TYPE 156
#define MAGIC 257
#define PREFIX 345
#define PREFIX_SIZE 155

/* Octal digits, blanks around them. @return -1 if it is something else. */
static int64_t octal(const unsigned char *at, size_t length)
{
    int64_t value = 0;
    size_t i = 0;

    while (i < length && at[i] == ' ')
        i++;
    for (; i < length && at[i] >= '0' && at[i] <= '7'; i++)
        value = value * 8 + (at[i] - '0');
    return i < length && at[i] != '\0' && at[i] != ' ' ? -1 : value;
}

/* GNU tar's way to say a size beyond octal: the first bit, then big-endian. */
static int64_t number(const unsigned char *at, size_t length)
{
    uint64_t value = 0;

    if ((at[0] & 0x80) == 0)
        return octal(at, length);
    for (size_t i = 1; i < length; i++) {
        if (value >> 55 != 0)
            return -1;
        value = value << 8 | at[i];
    }
    return (int64_t)value;
}

static unsigned sum_of(const unsigned char *block)
{
    unsigned sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_SIZE ? ' ' : block[i];
    return sum;
}

static bool is_zero(const unsigned char *block)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (block[i] != 0)
            return false;
    return true;
}

int tar_header_decode(const void *data, struct tar_header *header_out)
{
    const unsigned char *block = data;
    const char *text = data;
    struct tar_header header = {.is_end = is_zero(block)};
    int64_t size;

    if (!header.is_end) {
        size = number(block + SIZE, SIZE_SIZE);
        if (size < 0 || octal(block + SUM, SUM_SIZE) != (int64_t)sum_of(block))
            return -EPROTO;
        header.size = (uint64_t)size;
        header.type = text[TYPE] == '\0' ? '0' : text[TYPE];
        if (memcmp(text + MAGIC, "ustar", 5) == 0 && text[PREFIX] != '\0' &&
            text[MAGIC + 5] == '\0')
            snprintf(header.name, sizeof(header.name), "%.*s/%.*s", PREFIX_SIZE,
                     text + PREFIX, NAME_SIZE, text + NAME);
        else
            snprintf(header.name, sizeof(header.name), "%.*s", NAME_SIZE,
                     text + NAME);
    }
    *header_out = header;
    return 0;
}

/* Where to cut a name that is too long for its field; NULL: nowhere. */
static const char *cut(const char *name, size_t length)
{
    const char *at = name + (length > NAME_SIZE ? length - NAME_SIZE - 1 : 0);

    at = strchr(at, '/');
    while (at != NULL && (at == name || at[1] == '\0'))
        at = strchr(at + 1, '/');
    return at != NULL && at - name <= PREFIX_SIZE ? at : NULL;
}

int tar_header_encode(void *data, const char *name, uint64_t size, char type)
{
    size_t length = strlen(name);
    const char *at = NULL;
    char *block = data;

    if (size >= (uint64_t)1 << 33)
        return -EFBIG;
    if (length > NAME_SIZE && (at = cut(name, length)) == NULL)
        return -ENAMETOOLONG;
    memset(block, 0, TAR_BLOCK);
    if (at != NULL) {
        memcpy(block + PREFIX, name, (size_t)(at - name));
        name = at + 1;
    }
    memcpy(block + NAME, name, strlen(name));
    snprintf(block + MODE, 8, "%07o", 0644u);
    snprintf(block + MODE + 8, 8, "%07o", 0u);
    snprintf(block + MODE + 16, 8, "%07o", 0u);
    snprintf(block + SIZE, SIZE_SIZE, "%011llo", (unsigned long long)size);
    snprintf(block + SIZE + SIZE_SIZE, SIZE_SIZE, "%011o", 0u);
    block[TYPE] = type;
    memcpy(block + MAGIC, "ustar\00000", 8);
    snprintf(block + SUM, SUM_SIZE, "%06o", sum_of((unsigned char *)block));
    block[SUM + SUM_SIZE - 1] = ' ';
    return 0;
}

/* A pax record is "LENGTH KEY=VALUE\n", the length of all of it in decimal. */
const char *tar_pax_path(const char *data, size_t size, size_t *length_out)
{
    size_t at = 0;

    while (at < size) {
        size_t length = 0, i = at;

        while (i < size && data[i] >= '0' && data[i] <= '9' && length < size)
            length = length * 10 + (size_t)(data[i++] - '0');
        if (i >= size || data[i] != ' ' || length > size - at ||
            length < i - at + 2)
            return NULL;
        i++;
        if (length > i - at + 6 && memcmp(data + i, "path=", 5) == 0) {
            *length_out = at + length - 1 - (i + 5);
            return data + i + 5;
        }
        at += length;
    }
    return NULL;
}

size_t tar_key_length(const char *name, size_t length)
{
    size_t base = length, i;

    while (base > 0 && name[base - 1] != '/')
        base--;
    for (i = base; i < length; i++)
        if (name[i] == '.')
            return i;
    return length;
}
