/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a packed dataset, to and from bytes.
 *
 * Decoding goes: size and magic, version, counts against the size, the sum over
 * the records, then each record against its limits. So a file that is cut
 * short, damaged or something else altogether is refused before a sample is
 * believed.
 */
#include "benchmarks/shard_index.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

struct header {
    char magic[8];
    uint32_t version;
    uint32_t shards;
    uint64_t samples;
    uint32_t sum;
    uint32_t zero;
};

struct record {
    uint32_t shard;
    uint32_t crc32c;
    uint64_t offset;
    uint64_t length;
};

_Static_assert(sizeof(struct header) == SHARD_INDEX_HEADER_SIZE, "on disk");
_Static_assert(sizeof(struct record) == SHARD_INDEX_RECORD_SIZE, "on disk");

static const char magic[8] = {'C', 'A', 'P', 'S', 'H', 'A', 'R', 'D'};

static void encode_records(const struct shard_index *index, unsigned char *at)
{
    uint64_t i;

    for (i = 0; i < index->count; i++) {
        const struct sample *sample = &index->samples[i];
        struct record record = {
            .shard = htole32(sample->shard),
            .crc32c = htole32(sample->crc32c),
            .offset = htole64(sample->offset),
            .length = htole64(sample->length),
        };

        memcpy(at + i * sizeof(record), &record, sizeof(record));
    }
}

int shard_index_encode(const struct shard_index *index, void **data_out,
                       size_t *size_out)
{
    size_t body = index->count * sizeof(struct record);
    struct header header = {
        .version = htole32(VERSION),
        .shards = htole32(index->shards),
        .samples = htole64(index->count),
    };
    unsigned char *data = mem_calloc(1, sizeof(header) + body);

    if (data == NULL)
        return -ENOMEM;
    encode_records(index, data + sizeof(header));
    memcpy(header.magic, magic, sizeof(magic));
    header.sum = htole32(crc32c(0, data + sizeof(header), body));
    memcpy(data, &header, sizeof(header));
    *data_out = data;
    *size_out = sizeof(header) + body;
    return 0;
}

/* The header, if it is one and the records behind it are whole. */
static int decode_header(const unsigned char *data, size_t size,
                         struct header *header_out)
{
    struct header header;
    size_t body;

    if (size < sizeof(header))
        return -EPROTO;
    memcpy(&header, data, sizeof(header));
    body = size - sizeof(header);
    header.shards = le32toh(header.shards);
    header.samples = le64toh(header.samples);
    if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
        le32toh(header.version) != VERSION || header.zero != 0)
        return -EPROTO;
    if (header.shards > SHARDS_MAX || body % sizeof(struct record) != 0 ||
        header.samples != body / sizeof(struct record))
        return -EPROTO;
    if (le32toh(header.sum) != crc32c(0, data + sizeof(header), body))
        return -EPROTO;
    *header_out = header;
    return 0;
}

static int decode_record(const unsigned char *at, uint32_t shards,
                         struct sample *sample_out)
{
    struct record record;

    memcpy(&record, at, sizeof(record));
    sample_out->shard = le32toh(record.shard);
    sample_out->crc32c = le32toh(record.crc32c);
    sample_out->offset = le64toh(record.offset);
    sample_out->length = le64toh(record.length);
    if (sample_out->shard >= shards || sample_out->length == 0 ||
        sample_out->length > SAMPLE_LENGTH_MAX ||
        sample_out->offset > (uint64_t)INT64_MAX - sample_out->length)
        return -EPROTO;
    return 0;
}

int shard_index_decode(const void *data, size_t size,
                       struct shard_index *index_out)
{
    const unsigned char *at = data;
    struct header header;
    struct sample *samples;
    uint64_t i;
    int rc;

    rc = decode_header(at, size, &header);
    if (rc != 0)
        return rc;
    samples = mem_calloc(header.samples + 1, sizeof(*samples));
    if (samples == NULL)
        return -ENOMEM;
    at += sizeof(header);
    for (i = 0; i < header.samples && rc == 0; i++)
        rc = decode_record(at + i * sizeof(struct record), header.shards,
                           &samples[i]);
    if (rc != 0) {
        free(samples);
        return rc;
    }
    *index_out = (struct shard_index){
        .shards = header.shards, .count = header.samples, .samples = samples};
    return 0;
}

void shard_index_fini(struct shard_index *index)
{
    free(index->samples);
    index->samples = NULL;
    index->count = 0;
}
