/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a dataset, in memory and to and from bytes.
 *
 * Decoding goes: the header, its counts against the size, the sum over all
 * behind it, then each file and sample against its limits. So what is cut
 * short, damaged or something else altogether is refused before a sample is
 * believed.
 */
#include "loader/index.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

struct header {
    char magic[8];
    uint32_t version;
    uint32_t format;
    uint64_t files;
    uint64_t samples;
    uint64_t names;
    uint32_t sum;
    uint32_t zero;
    uint64_t record;
    uint64_t origin;
};

struct file_row {
    uint64_t size;
    uint64_t first;
    uint32_t name;
    uint32_t name_length;
};

_Static_assert(sizeof(struct header) == INDEX_HEADER_SIZE, "on disk");
_Static_assert(sizeof(struct file_row) == INDEX_FILE_SIZE, "on disk");
_Static_assert(sizeof(struct index_row) == INDEX_ROW_SIZE, "on disk");

static const char magic[8] = {'C', 'A', 'P', 'I', 'N', 'D', 'E', 'X'};

static const char *const format_names[] = {[INDEX_RAW] = "raw",
                                           [INDEX_RECORDS] = "records",
                                           [INDEX_TAR] = "tar",
                                           [INDEX_TFRECORD] = "tfrecord",
                                           [INDEX_HDF5] = "hdf5"};

#define FORMATS (sizeof(format_names) / sizeof(format_names[0]))

const char *index_format_name(enum index_format format)
{
    return format >= INDEX_RAW && format < FORMATS ? format_names[format]
                                                   : NULL;
}

enum index_format index_format_parse(const char *name)
{
    for (unsigned i = INDEX_RAW; i < FORMATS; i++)
        if (strcmp(name, format_names[i]) == 0)
            return (enum index_format)i;
    return (enum index_format)0;
}

void index_init(struct index *index, enum index_format format)
{
    *index = (struct index){.format = format};
}

void index_fini(struct index *index)
{
    for (uint32_t i = 0; i < index->nfiles; i++)
        free(index->files[i].name);
    free(index->files);
    free(index->rows);
    *index = (struct index){.format = index->format};
}

int index_add_file(struct index *index, const char *name, uint64_t size)
{
    char *kept;

    if (*name == '\0' || strlen(name) > INDEX_NAME_MAX || size > INT64_MAX)
        return -EINVAL;
    if (index->nfiles == INDEX_FILES_MAX)
        return -E2BIG;
    if (index->nfiles == index->files_room) {
        uint32_t room = index->files_room == 0 ? 16 : index->files_room * 2;
        void *grown = mem_grow(index->files, room, sizeof(*index->files));

        if (grown == NULL)
            return -ENOMEM;
        index->files = grown;
        index->files_room = room;
    }
    kept = mem_strdup(name);
    if (kept == NULL)
        return -ENOMEM;
    index->files[index->nfiles++] =
        (struct index_file){.name = kept, .size = size, .first = index->nrows};
    return 0;
}

int index_add_row(struct index *index, const struct index_row *row)
{
    if (index->nrows == index->rows_room) {
        uint64_t room = index->rows_room == 0 ? 256 : index->rows_room * 2;
        void *grown = mem_grow(index->rows, room, sizeof(*index->rows));

        if (grown == NULL)
            return -ENOMEM;
        index->rows = grown;
        index->rows_room = room;
    }
    index->rows[index->nrows++] = *row;
    return 0;
}

int index_append(struct index *index, const struct index *from)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < from->nfiles; i++) {
        uint64_t end = from->files[i].first + index_file_count(from, i);

        rc = index_add_file(index, from->files[i].name, from->files[i].size);
        for (uint64_t k = from->files[i].first; rc == 0 && k < end; k++)
            rc = index_add_row(index, &from->rows[k]);
    }
    return rc;
}

/* The last file that begins at or before the sample; one without samples begins
 * where the next does, and is not the last. */
uint32_t index_file_of(const struct index *index, uint64_t number)
{
    uint32_t low = 0, high = index->nfiles;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (index->files[middle].first <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint64_t index_file_count(const struct index *index, uint32_t file)
{
    uint64_t end =
        file + 1 < index->nfiles ? index->files[file + 1].first : index->nrows;

    return end - index->files[file].first;
}

static size_t names_size(const struct index *index)
{
    size_t size = 0;

    for (uint32_t i = 0; i < index->nfiles; i++)
        size += strlen(index->files[i].name);
    return size;
}

static void encode_body(const struct index *index, unsigned char *at)
{
    unsigned char *names = at + index->nfiles * sizeof(struct file_row) +
                           index->nrows * sizeof(struct index_row);
    uint32_t name = 0;

    for (uint32_t i = 0; i < index->nfiles; i++) {
        const struct index_file *file = &index->files[i];
        uint32_t length = (uint32_t)strlen(file->name);
        struct file_row row = {.size = htole64(file->size),
                               .first = htole64(file->first),
                               .name = htole32(name),
                               .name_length = htole32(length)};

        memcpy(at, &row, sizeof(row));
        memcpy(names + name, file->name, length);
        at += sizeof(row);
        name += length;
    }
    for (uint64_t i = 0; i < index->nrows; i++) {
        struct index_row row = {.offset = htole64(index->rows[i].offset),
                                .length = htole32(index->rows[i].length),
                                .crc32c = htole32(index->rows[i].crc32c)};

        memcpy(at + i * sizeof(row), &row, sizeof(row));
    }
}

int index_encode(const struct index *index, void **data_out, size_t *size_out)
{
    size_t names = names_size(index);
    size_t body = index->nfiles * sizeof(struct file_row) +
                  index->nrows * sizeof(struct index_row) + names;
    struct header header = {.version = htole32(VERSION),
                            .format = htole32(index->format),
                            .files = htole64(index->nfiles),
                            .samples = htole64(index->nrows),
                            .names = htole64(names),
                            .record = htole64(index->record),
                            .origin = htole64(index->origin)};
    unsigned char *data = mem_calloc(1, sizeof(header) + body);

    if (data == NULL)
        return -ENOMEM;
    encode_body(index, data + sizeof(header));
    memcpy(header.magic, magic, sizeof(magic));
    header.sum = htole32(crc32c(0, data + sizeof(header), body));
    memcpy(data, &header, sizeof(header));
    *data_out = data;
    *size_out = sizeof(header) + body;
    return 0;
}

static int decode_header(const void *data, struct header *header_out)
{
    struct header header;

    memcpy(&header, data, sizeof(header));
    header.version = le32toh(header.version);
    header.format = le32toh(header.format);
    header.files = le64toh(header.files);
    header.samples = le64toh(header.samples);
    header.names = le64toh(header.names);
    header.record = le64toh(header.record);
    if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
        header.version != VERSION || header.zero != 0 ||
        index_format_name((enum index_format)header.format) == NULL ||
        header.files > INDEX_FILES_MAX ||
        header.samples > (uint64_t)INT64_MAX / sizeof(struct index_row) / 2 ||
        header.names > header.files * INDEX_NAME_MAX ||
        header.record > INDEX_SAMPLE_MAX ||
        (header.samples > 0 && header.files == 0))
        return -EPROTO;
    *header_out = header;
    return 0;
}

static uint64_t body_size(const struct header *header)
{
    return header->files * sizeof(struct file_row) +
           header->samples * sizeof(struct index_row) + header->names;
}

int index_size(const void *data, uint64_t *size_out)
{
    struct header header;
    int rc = decode_header(data, &header);

    if (rc == 0)
        *size_out = sizeof(header) + body_size(&header);
    return rc;
}

/* One file, whose first sample is not before the last file's. */
static int decode_file(struct index *index, const unsigned char *at,
                       const unsigned char *names, const struct header *header)
{
    struct file_row row;
    struct index_file *file = &index->files[index->nfiles];
    uint64_t name, length;

    memcpy(&row, at, sizeof(row));
    name = le32toh(row.name);
    length = le32toh(row.name_length);
    file->size = le64toh(row.size);
    file->first = le64toh(row.first);
    if (length == 0 || length > INDEX_NAME_MAX ||
        name + length > header->names || file->size > INT64_MAX ||
        file->first > header->samples ||
        memchr(names + name, '\0', length) != NULL ||
        (index->nfiles == 0 ? file->first != 0 : file->first < file[-1].first))
        return -EPROTO;
    file->name = mem_calloc(1, length + 1);
    if (file->name == NULL)
        return -ENOMEM;
    memcpy(file->name, names + name, length);
    index->nfiles++;
    return 0;
}

/* A sample lies within its file, behind the one before it there (`before` is
 * where that ends), so that a file type can name them in order. */
static bool row_fits(const struct index_row *row, const struct index_file *file,
                     uint64_t before)
{
    return row->length >= 1 && row->offset >= before &&
           row->length <= INDEX_SAMPLE_MAX && row->offset <= file->size &&
           row->length <= file->size - row->offset;
}

static int decode_rows(struct index *index, const unsigned char *at,
                       uint64_t count)
{
    uint64_t before = 0;
    uint32_t file, last = 0;

    index->nrows = count;
    for (uint64_t i = 0; i < count; i++) {
        struct index_row *row = &index->rows[i];

        memcpy(row, at + i * sizeof(*row), sizeof(*row));
        row->offset = le64toh(row->offset);
        row->length = le32toh(row->length);
        row->crc32c = le32toh(row->crc32c);
        file = index_file_of(index, i);
        if (file != last)
            before = 0;
        if (!row_fits(row, &index->files[file], before))
            return -EPROTO;
        before = row->offset + row->length;
        last = file;
    }
    return 0;
}

static int decode_body(struct index *index, const unsigned char *at,
                       const struct header *header)
{
    const unsigned char *rows = at + header->files * sizeof(struct file_row);
    const unsigned char *names =
        rows + header->samples * sizeof(struct index_row);
    int rc = 0;

    index->files = mem_calloc(header->files + 1, sizeof(*index->files));
    index->rows = mem_calloc(header->samples + 1, sizeof(*index->rows));
    if (index->files == NULL || index->rows == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; rc == 0 && i < header->files; i++)
        rc =
            decode_file(index, at + i * sizeof(struct file_row), names, header);
    return rc != 0 ? rc : decode_rows(index, rows, header->samples);
}

int index_decode(const void *data, size_t size, struct index *index_out)
{
    const unsigned char *at = data;
    struct index index;
    struct header header;
    int rc;

    if (size < sizeof(header) || decode_header(data, &header) != 0 ||
        size - sizeof(header) != body_size(&header))
        return -EPROTO;
    at += sizeof(header);
    if (le32toh(header.sum) != crc32c(0, at, size - sizeof(header)))
        return -EPROTO;
    index_init(&index, (enum index_format)header.format);
    index.record = header.record;
    index.origin = le64toh(header.origin);
    rc = decode_body(&index, at, &header);
    if (rc != 0) {
        index_fini(&index);
        return rc;
    }
    index.files_room = index.nfiles + 1;
    index.rows_room = index.nrows + 1;
    *index_out = index;
    return 0;
}
