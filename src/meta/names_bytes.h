/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the name store as bytes: little-endian numbers and byte strings,
 * one behind the other.
 *
 * Threads  pure; any.
 * Failure  a reader that would pass the end stands still, gives zeros and
 *          remembers that it failed, so that finish() is test enough.
 */
#ifndef CAPSTAN_META_NAMES_BYTES_H
#define CAPSTAN_META_NAMES_BYTES_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct writer {
    unsigned char *at;
};

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    bool has_failed;
};

static inline void put(struct writer *writer, uint64_t number, size_t size)
{
    uint64_t little = htole64(number);

    memcpy(writer->at, &little, size);
    writer->at += size;
}

static inline uint64_t take(struct reader *reader, size_t size)
{
    uint64_t little = 0;

    if ((size_t)(reader->end - reader->at) < size) {
        reader->has_failed = true;
        return 0;
    }
    memcpy(&little, reader->at, size);
    reader->at += size;
    return le64toh(little);
}

static inline struct reader reader_of(const void *value, size_t len)
{
    const unsigned char *at = value;

    return (struct reader){.at = at, .end = at + len};
}

/* Was all of the value good and used up? */
static inline int finish(const struct reader *reader)
{
    return reader->has_failed || reader->at != reader->end ? -EIO : 0;
}

/* A length in two bytes, then as many bytes. */
static inline void put_text(struct writer *writer, const char *text, size_t len)
{
    put(writer, len, 2);
    memcpy(writer->at, text, len);
    writer->at += len;
}

static inline size_t take_text(struct reader *reader, char *text, size_t room)
{
    size_t len = take(reader, 2);

    if (len > room || len > (size_t)(reader->end - reader->at)) {
        reader->has_failed = true;
        return 0;
    }
    memcpy(text, reader->at, len);
    reader->at += len;
    return len;
}

#endif
