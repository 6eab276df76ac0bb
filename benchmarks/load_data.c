/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packed dataset through MPI_File and nothing else, so that it can lie on
 * anything that MPI-IO can open.
 *
 * The index is read by all ranks with one collective read of the same bytes.
 * A collective step goes shard by shard, in the same order on all ranks: each
 * rank describes its samples of that shard as an hindexed file type, sets it as
 * its view and takes part in MPI_File_read_all, with nothing to read if none of
 * its samples lies there.
 */
#include "benchmarks/load.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 4096

void load_die(const char *format, ...)
{
    char text[2048];
    va_list args;
    int rank = 0;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "load: rank %d: %s\n", rank, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

void load_check(int rc, const char *what, const char *object)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (rc == MPI_SUCCESS)
        return;
    MPI_Error_string(rc, text, &length);
    load_die("cannot %s %s: %s", what, object, text);
}

static MPI_File open_file(const char *dataset, const char *name)
{
    char path[NAME_MAX_BYTES];
    MPI_File file;
    int n = snprintf(path, sizeof(path), "%s/%s", dataset, name);

    if (n < 0 || (size_t)n >= sizeof(path))
        load_die("the name %s/%s is too long", dataset, name);
    load_check(MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_RDONLY,
                             MPI_INFO_NULL, &file),
               "open", path);
    return file;
}

static void check_count(MPI_Status *status, uint64_t wanted, const char *what)
{
    int got = 0;

    MPI_Get_count(status, MPI_BYTE, &got);
    if (got < 0 || (uint64_t)got != wanted)
        load_die("%s: %d bytes came of %llu", what, got,
                 (unsigned long long)wanted);
}

static void read_index(struct load_data *data, const char *dataset)
{
    MPI_File file = open_file(dataset, "index");
    MPI_Status status;
    MPI_Offset size = 0;
    void *bytes;

    load_check(MPI_File_get_size(file, &size), "size", "index");
    if (size <= 0 || size > INT_MAX)
        load_die("%s/index has %lld bytes", dataset, (long long)size);
    bytes = mem_calloc(1, (size_t)size);
    if (bytes == NULL)
        load_die("out of memory for the index");
    load_check(
        MPI_File_read_at_all(file, 0, bytes, (int)size, MPI_BYTE, &status),
        "read", "index");
    check_count(&status, (uint64_t)size, "index");
    if (index_decode(bytes, (size_t)size, &data->index) != 0)
        load_die("%s/index is not an index, or damaged", dataset);
    free(bytes);
    MPI_File_close(&file);
}

static void find_samples(struct load_data *data)
{
    uint64_t i;

    data->samples = mem_calloc(data->index.nrows, sizeof(*data->samples));
    if (data->samples == NULL)
        load_die("out of memory for the samples");
    for (i = 0; i < data->index.nrows; i++) {
        const struct index_row *row = &data->index.rows[i];

        data->samples[i] = (struct sample){
            .shard = index_file_of(&data->index, i),
            .crc32c = row->crc32c,
            .offset = row->offset,
            .length = row->length,
        };
    }
}

void load_data_open(struct load_data *data, const char *dataset)
{
    uint32_t i;

    read_index(data, dataset);
    if (data->index.nrows == 0)
        load_die("%s holds no samples", dataset);
    find_samples(data);
    data->shards = mem_calloc(data->index.nfiles, sizeof(*data->shards));
    if (data->shards == NULL)
        load_die("out of memory for %u shards", data->index.nfiles);
    for (i = 0; i < data->index.nfiles; i++) {
        data->shards[i] = open_file(dataset, data->index.files[i].name);
    }
    data->reads = 0;
    data->bytes = 0;
}

void load_data_close(struct load_data *data)
{
    uint32_t i;

    for (i = 0; i < data->index.nfiles; i++)
        MPI_File_close(&data->shards[i]);
    free(data->shards);
    data->shards = NULL;
    free(data->samples);
    data->samples = NULL;
    index_fini(&data->index);
}

void load_read_independent(struct load_data *data, struct load_batch *batch)
{
    unsigned char *at = batch->memory;
    MPI_Status status;
    uint64_t i;

    for (i = 0; i < batch->count; i++) {
        const struct sample *sample = batch->samples[i];

        load_check(MPI_File_read_at(data->shards[sample->shard],
                                    (MPI_Offset)sample->offset, at,
                                    (int)sample->length, MPI_BYTE, &status),
                   "read", "a sample");
        check_count(&status, sample->length, "a sample");
        at += sample->length;
        data->reads++;
        data->bytes += sample->length;
    }
}

/* A file type of samples[0 .. count - 1], which lie in one shard by offset. */
static MPI_Datatype samples_type(const struct sample **samples, int count)
{
    MPI_Aint *offsets = mem_calloc((size_t)count, sizeof(*offsets));
    int *lengths = mem_calloc((size_t)count, sizeof(*lengths));
    MPI_Datatype type;
    int i;

    if (offsets == NULL || lengths == NULL)
        load_die("out of memory for a view of %d samples", count);
    for (i = 0; i < count; i++) {
        offsets[i] = (MPI_Aint)samples[i]->offset;
        lengths[i] = (int)samples[i]->length;
    }
    MPI_Type_create_hindexed(count, lengths, offsets, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    free(lengths);
    free(offsets);
    return type;
}

/* Take part in one shard's collective read. @return the bytes it brought. */
static size_t read_shard(struct load_data *data, uint32_t shard,
                         const struct sample **samples, int count,
                         unsigned char *memory)
{
    MPI_Datatype type = MPI_BYTE;
    MPI_File file = data->shards[shard];
    MPI_Status status;
    size_t total = 0;
    int i;

    for (i = 0; i < count; i++)
        total += samples[i]->length;
    if (total > INT_MAX)
        load_die("%zu bytes are too many for one read; use a smaller --batch",
                 total);
    if (count > 0)
        type = samples_type(samples, count);
    load_check(
        MPI_File_set_view(file, 0, MPI_BYTE, type, "native", MPI_INFO_NULL),
        "set a view of", "a shard");
    load_check(MPI_File_read_all(file, memory, (int)total, MPI_BYTE, &status),
               "read collectively from", "a shard");
    check_count(&status, total, "a collective read");
    if (count > 0)
        MPI_Type_free(&type);
    data->reads++;
    data->bytes += total;
    return total;
}

void load_read_collective(struct load_data *data, struct load_batch *batch,
                          const unsigned char *touched)
{
    unsigned char *at = batch->memory;
    uint64_t next = 0;
    uint32_t shard;

    for (shard = 0; shard < data->index.nfiles; shard++) {
        uint64_t first = next;

        if (!touched[shard])
            continue;
        while (next < batch->count && batch->samples[next]->shard == shard)
            next++;
        at += read_shard(data, shard, batch->samples + first,
                         (int)(next - first), at);
    }
}

void load_verify(const struct load_batch *batch)
{
    const unsigned char *at = batch->memory;
    uint64_t i;

    for (i = 0; i < batch->count; i++) {
        const struct sample *sample = batch->samples[i];
        uint32_t sum = crc32c(0, at, sample->length);

        if (sum != sample->crc32c)
            load_die("shard %u, offset %llu, length %llu: sums to %08x, its "
                     "source file to %08x",
                     sample->shard, (unsigned long long)sample->offset,
                     (unsigned long long)sample->length, sum, sample->crc32c);
        at += sample->length;
    }
}
