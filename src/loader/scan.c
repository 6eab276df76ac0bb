/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Find the samples of a data file and sum them. One buffer slides over the
 * file; what is looked at twice (a header, then the sample that it is part of)
 * is mostly still in it.
 */
#include "loader/scan.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "loader/tar.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_SIZE (4u << 20)
#define NAME_ROOM 4096u /* of a long name or a pax header that is looked at */

struct scan {
    const struct scan_source *source;
    scan_row_fn found;
    void *context;
    unsigned char *window;
    uint64_t begin; /* of the window in the file */
    size_t length;
    uint64_t at;
};

/* Have file bytes at..at + length - 1 in the window; length <= WINDOW_SIZE. */
static int look(struct scan *scan, uint64_t at, size_t length,
                const unsigned char **out)
{
    uint64_t left;
    int rc;

    scan->at = at;
    if (at > scan->source->size || length > scan->source->size - at)
        return -EPROTO;
    if (at < scan->begin || at + length > scan->begin + scan->length) {
        left = scan->source->size - at;
        scan->length = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
        scan->begin = at;
        rc = scan->source->read(scan->source->context, at, scan->window,
                                scan->length);
        if (rc != 0) {
            scan->length = 0;
            return rc;
        }
    }
    *out = scan->window + (at - scan->begin);
    return 0;
}

static int sum(struct scan *scan, uint64_t at, uint64_t length, uint32_t *out)
{
    const unsigned char *bytes;
    uint32_t crc = 0;
    int rc = 0;

    while (rc == 0 && length > 0) {
        uint64_t ready = at >= scan->begin && at < scan->begin + scan->length
                             ? scan->begin + scan->length - at
                             : WINDOW_SIZE;
        size_t piece = (size_t)(length < ready ? length : ready);

        rc = look(scan, at, piece, &bytes);
        if (rc == 0)
            crc = crc32c(crc, bytes, piece);
        at += piece;
        length -= piece;
    }
    if (rc == 0)
        *out = crc;
    return rc;
}

static int give(struct scan *scan, uint64_t at, uint64_t length)
{
    struct index_row row = {.offset = at, .length = (uint32_t)length};
    int rc;

    if (length > INDEX_SAMPLE_MAX) {
        scan->at = at;
        return -EFBIG;
    }
    rc = sum(scan, at, length, &row.crc32c);
    return rc != 0 ? rc : scan->found(scan->context, &row);
}

static int scan_records(struct scan *scan, uint64_t record)
{
    int rc = 0;

    scan->at = scan->source->size;
    if (record == 0 || scan->source->size % record != 0)
        return -EPROTO;
    for (uint64_t at = 0; rc == 0 && at < scan->source->size; at += record)
        rc = give(scan, at, record);
    return rc;
}

/* u64 length, u32 its masked sum, the data, u32 its masked sum. */
static int scan_tfrecord(struct scan *scan, uint64_t *at_inout)
{
    const unsigned char *bytes;
    struct index_row row = {.offset = *at_inout + 12};
    uint64_t length;
    uint32_t stored;
    int rc = look(scan, *at_inout, 12, &bytes);

    if (rc != 0)
        return rc;
    memcpy(&length, bytes, 8);
    memcpy(&stored, bytes + 8, 4);
    length = le64toh(length);
    if (le32toh(stored) != scan_mask(crc32c(0, bytes, 8)))
        return -EPROTO;
    if (length > INDEX_SAMPLE_MAX)
        return -EFBIG;
    row.length = (uint32_t)length;
    rc = sum(scan, row.offset, length, &row.crc32c);
    if (rc == 0)
        rc = look(scan, row.offset + length, 4, &bytes);
    if (rc != 0)
        return rc;
    memcpy(&stored, bytes, 4);
    if (le32toh(stored) != scan_mask(row.crc32c))
        return -EPROTO;
    *at_inout = row.offset + length + 4;
    /* An empty record is no sample: there is nothing to load. */
    return length == 0 ? 0 : scan->found(scan->context, &row);
}

struct members {
    char key[NAME_ROOM]; /* of the sample that is open */
    size_t key_length;
    char name[NAME_ROOM]; /* that a long-name member gave to the next one */
    size_t name_length;
    bool is_open;
    uint64_t begin;
    uint64_t end;
    uint64_t member; /* where the next member begins, its long name included */
};

static int close_sample(struct scan *scan, struct members *m)
{
    bool was_open = m->is_open;

    m->is_open = false;
    return was_open ? give(scan, m->begin, m->end - m->begin) : 0;
}

/* The name in a member that names the next: GNU's 'L', or pax 'x'. */
static int take_name(struct scan *scan, struct members *m, char type,
                     uint64_t at, uint64_t size)
{
    const unsigned char *bytes;
    const char *name;
    size_t length;
    int rc;

    if (size > WINDOW_SIZE)
        return -EPROTO;
    rc = look(scan, at, (size_t)size, &bytes);
    if (rc != 0)
        return rc;
    name = (const char *)bytes;
    length = strnlen(name, (size_t)size);
    if (type == 'x') {
        name = tar_pax_path(name, (size_t)size, &length);
        if (name == NULL)
            return 0;
    }
    if (length >= NAME_ROOM)
        return -EPROTO;
    memcpy(m->name, name, length);
    m->name_length = length;
    return 0;
}

static int take_member(struct scan *scan, struct members *m,
                       const struct tar_header *header, uint64_t at)
{
    size_t length;
    int rc = 0;

    if (m->name_length == 0) {
        m->name_length = strlen(header->name);
        memcpy(m->name, header->name, m->name_length);
    }
    length = tar_key_length(m->name, m->name_length);
    if (!m->is_open || length != m->key_length ||
        memcmp(m->name, m->key, length) != 0) {
        rc = close_sample(scan, m);
        memcpy(m->key, m->name, length);
        m->key_length = length;
        m->begin = m->member;
        m->is_open = true;
    }
    m->end = at + header->size;
    return rc;
}

static int scan_members(struct scan *scan, struct members *m)
{
    const unsigned char *bytes;
    struct tar_header header;
    uint64_t at = 0;
    int rc = 0;

    while (rc == 0 && at < scan->source->size) {
        rc = look(scan, at, TAR_BLOCK, &bytes);
        if (rc == 0)
            rc = tar_header_decode(bytes, &header);
        if (rc != 0 || header.is_end)
            break;
        at += TAR_BLOCK;
        if (header.size > scan->source->size - at)
            return -EPROTO;
        if (header.type == 'L' || header.type == 'x')
            rc = take_name(scan, m, header.type, at, header.size);
        else if (header.type == '0' || header.type == '7')
            rc = take_member(scan, m, &header, at);
        at += tar_padded(header.size);
        if (header.type != 'L' && header.type != 'x') {
            m->name_length = 0;
            m->member = at;
        }
    }
    return rc != 0 ? rc : close_sample(scan, m);
}

static int scan_tar(struct scan *scan)
{
    struct members *members = mem_calloc(1, sizeof(*members));
    int rc = -ENOMEM;

    if (members != NULL)
        rc = scan_members(scan, members);
    free(members);
    return rc;
}

static int scan_as(struct scan *scan, enum index_format format, uint64_t record)
{
    uint64_t size = scan->source->size, at = 0;
    int rc = 0;

    switch (format) {
    case INDEX_RAW:
        return size == 0 ? 0 : give(scan, 0, size);
    case INDEX_RECORDS:
        return scan_records(scan, record);
    case INDEX_TAR:
        return scan_tar(scan);
    case INDEX_TFRECORD:
        while (rc == 0 && at < size)
            rc = scan_tfrecord(scan, &at);
        return rc;
    case INDEX_HDF5: /* capstan-index-hdf5 */
        break;
    }
    return -EPROTO;
}

int scan_file(const struct scan_source *source, enum index_format format,
              uint64_t record, scan_row_fn found, void *context,
              uint64_t *at_out)
{
    struct scan scan = {.source = source, .found = found, .context = context};
    int rc = -ENOMEM;

    scan.window = mem_pages(WINDOW_SIZE);
    if (scan.window != NULL)
        rc = scan_as(&scan, format, record);
    free(scan.window);
    if (rc != 0)
        *at_out = scan.at;
    return rc;
}
