/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saving a checkpoint: all ranks write one file.
 *
 *   1. Every rank learns what all ranks give, and makes the same table of it:
 * the tensors by name, each with its ranges, and who writes which.
 *   2. Tensors and index are laid out where the last checkpoint's are not.
 *   3. They are written, collectively, and made durable.
 *   4. Only then the older commit record is written, and made durable.
 *
 * Possible failure modes are: ranks that differ on a tensor, rows that nobody
 * gives (nothing is written); a write that fails, or an end of the program
 * before 4: the file holds the checkpoint that it held.
 */
#include "loader/tensors_priv.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a rank gives of a tensor, as it travels. */
struct range {
    char name[CAPSTAN_TENSOR_NAME_MAX];
    char type[CAPSTAN_TENSOR_TYPE_MAX];
    uint32_t ndims;
    uint32_t rank;
    uint64_t dims[CAPSTAN_TENSOR_DIMS_MAX];
    uint64_t first, rows;
    uint64_t part;   /* number of it on its rank */
    uint64_t offset; /* of the whole tensor in the file */
    uint64_t row_length;
    uint32_t is_owner; /* it writes them */
    uint32_t round;    /* how many of its tensor its rank writes before */
};

struct save {
    MPI_Comm comm;
    MPI_File file;
    const char *path;
    const struct capstan_part *parts;
    int rank, ranks;
    struct range *table; /* of all ranks, by name, first row and rank */
    size_t count;
    struct commit last;
    uint64_t begin, end; /* of the data; the index follows */
    char *meta;
    char *index;
    size_t index_length;
    struct note note;
};

static uint64_t total_rows(const struct range *range)
{
    return range->ndims > 0 ? range->dims[0] : 1;
}

static int describe(struct save *save, const struct capstan_part *part,
                    struct range *range)
{
    uint64_t bytes;
    size_t size = type_size(part->type);

    if (strlen(part->name) >= sizeof(range->name) || size == 0 ||
        strlen(part->type) >= sizeof(range->type) ||
        part->ndims > CAPSTAN_TENSOR_DIMS_MAX)
        return note_set(&save->note, -EINVAL, "%.64s: name, type or dimensions",
                        part->name);
    memcpy(range->name, part->name, strlen(part->name));
    memcpy(range->type, part->type, strlen(part->type));
    range->ndims = part->ndims;
    range->row_length = size;
    range->first = part->first_row;
    range->rows = part->rows;
    for (unsigned i = 0; i < part->ndims; i++) {
        range->dims[i] = part->dims[i];
        if (i > 0 && __builtin_mul_overflow(range->row_length, part->dims[i],
                                            &range->row_length))
            range->row_length = UINT64_MAX;
    }
    if (__builtin_mul_overflow(range->row_length, total_rows(range), &bytes) ||
        bytes > INT64_MAX / 4 || range->rows > total_rows(range) ||
        range->first > total_rows(range) - range->rows)
        return note_set(&save->note, -EINVAL, "%s: rows %llu of %llu",
                        range->name, (unsigned long long)range->first,
                        (unsigned long long)total_rows(range));
    return 0;
}

static int by_name_and_row(const void *left, const void *right)
{
    const struct range *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    if (a->first != b->first)
        return a->first > b->first ? 1 : -1;
    return a->rank > b->rank ? 1 : -1;
}

/* Step 1: everybody's ranges, here. */
static int gather(struct save *save, size_t nparts)
{
    int size = (int)sizeof(struct range), own = (int)nparts * size, total = 0;
    int *sizes = mem_calloc((size_t)save->ranks * 2, sizeof(*sizes));
    int *places = sizes != NULL ? sizes + save->ranks : NULL;
    struct range *ranges = mem_calloc(nparts + 1, sizeof(*ranges));

    if (nparts > INT_MAX / sizeof(struct range) / (size_t)save->ranks)
        note_set(&save->note, -EINVAL, "%zu parts are too many", nparts);
    if (sizes == NULL || ranges == NULL)
        note_set(&save->note, -ENOMEM, "no memory for %zu parts", nparts);
    for (size_t i = 0; save->note.code == 0 && i < nparts; i++) {
        ranges[i].rank = (uint32_t)save->rank;
        ranges[i].part = i;
        describe(save, &save->parts[i], &ranges[i]);
    }
    if (note_agree(&save->note, save->comm) != 0)
        goto end;
    MPI_Allgather(&own, 1, MPI_INT, sizes, 1, MPI_INT, save->comm);
    for (int i = 0; i < save->ranks; total += sizes[i++])
        places[i] = total;
    save->table = mem_calloc((size_t)total / sizeof(struct range) + 1,
                             sizeof(struct range));
    if (save->table == NULL)
        note_set(&save->note, -ENOMEM, "no memory for all parts");
    if (note_agree(&save->note, save->comm) != 0)
        goto end;
    MPI_Allgatherv(ranges, own, MPI_BYTE, save->table, sizes, places, MPI_BYTE,
                   save->comm);
    save->count = (size_t)total / sizeof(struct range);
    qsort(save->table, save->count, sizeof(struct range), by_name_and_row);
end:
    free(sizes);
    free(ranges);
    return save->note.code;
}

/* One tensor's ranges, table[first] on. @return how many. */
static size_t tensor_length(const struct save *save, size_t first)
{
    size_t past = first;

    while (past < save->count &&
           strcmp(save->table[past].name, save->table[first].name) == 0)
        past++;
    return past - first;
}

/* How many ranges before this one its rank writes. */
static uint32_t round_of(const struct range *ranges, size_t n)
{
    uint32_t round = 0;

    for (size_t i = 0; i < n; i++)
        round += ranges[i].is_owner && ranges[i].rank == ranges[n].rank;
    return round;
}

/* All of it is given, once or alike; who writes? */
static int check_tensor(struct save *save, struct range *ranges, size_t n)
{
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        struct range *range = &ranges[i];

        if (strcmp(range->type, ranges->type) != 0 ||
            range->ndims != ranges->ndims ||
            memcmp(range->dims, ranges->dims, sizeof(range->dims)) != 0)
            return note_set(&save->note, -EINVAL, "%s: ranks differ on it",
                            range->name);
        if (range->first + range->rows <= at && at > 0)
            continue;
        if (range->first != at)
            return note_set(&save->note, -EINVAL,
                            "%s: rows %llu to %llu are nobody's, or two ranks'",
                            range->name, (unsigned long long)at,
                            (unsigned long long)range->first);
        range->is_owner = 1;
        range->round = round_of(ranges, i);
        at += range->rows;
    }
    if (at != total_rows(ranges))
        return note_set(&save->note, -EINVAL, "%s: %llu rows of %llu",
                        ranges->name, (unsigned long long)at,
                        (unsigned long long)total_rows(ranges));
    return 0;
}

static uint64_t aligned(uint64_t at)
{
    return (at + CHECKPOINT_ALIGN - 1) / CHECKPOINT_ALIGN * CHECKPOINT_ALIGN;
}

/* Step 2. */
static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned char)*text);
        else
            putc(*text, out);
    putc('"', out);
}

static void put_tensor(FILE *out, const struct range *range)
{
    put_string(out, range->name);
    fprintf(out, ": {\"dtype\": ");
    put_string(out, range->type);
    fprintf(out, ", \"shape\": [");
    for (unsigned i = 0; i < range->ndims; i++)
        fprintf(out, "%s%llu", i > 0 ? ", " : "",
                (unsigned long long)range->dims[i]);
    fprintf(out, "], \"offset\": %llu}", (unsigned long long)range->offset);
}

static int lay_out(struct save *save, uint64_t begin)
{
    FILE *out;
    size_t n;

    free(save->index);
    save->index = NULL;
    save->begin = save->end = begin;
    out = open_memstream(&save->index, &save->index_length);
    if (out == NULL)
        return note_set(&save->note, -ENOMEM, "no memory for an index");
    fprintf(out, "{\"begin\": %llu, \"meta\": %s, \"tensors\": {",
            (unsigned long long)begin, save->meta);
    for (size_t i = 0; i < save->count; i += n) {
        struct range *ranges = &save->table[i];

        n = tensor_length(save, i);
        for (size_t k = 0; k < n; k++)
            ranges[k].offset = save->end;
        fprintf(out, "%s", i > 0 ? ", " : "");
        put_tensor(out, ranges);
        save->end += aligned(ranges->row_length * total_rows(ranges));
    }
    fprintf(out, "}}");
    if (fclose(out) != 0 || save->index == NULL)
        return note_set(&save->note, -ENOMEM, "no memory for an index");
    return 0;
}

static int place(struct save *save)
{
    const struct commit *last = &save->last;

    for (size_t i = 0; save->note.code == 0 && i < save->count;
         i += tensor_length(save, i))
        check_tensor(save, &save->table[i], tensor_length(save, i));
    if (save->note.code == 0)
        lay_out(save, CHECKPOINT_BEGIN);
    if (save->note.code == 0 && last->index != NULL &&
        save->end + save->index_length > last->begin)
        lay_out(save, aligned(last->record.at + last->record.length));
    return note_agree(&save->note, save->comm);
}

/* Step 3. */
static void write_tensor(struct save *save, struct range *ranges, size_t n)
{
    uint32_t rounds = 0;

    for (size_t i = 0; i < n; i++)
        if (ranges[i].is_owner && ranges[i].round + 1 > rounds)
            rounds = ranges[i].round + 1;
    for (uint32_t round = 0; round < rounds && save->note.code == 0; round++) {
        uint64_t offset = ranges->offset, length = 0;
        void *bytes = save; /* not looked at */

        for (size_t i = 0; i < n; i++) {
            const struct range *range = &ranges[i];

            if (!range->is_owner || range->round != round ||
                range->rank != (uint32_t)save->rank)
                continue;
            offset += range->first * range->row_length;
            length = range->rows * range->row_length;
            bytes = (void *)(uintptr_t)save->parts[range->part].data;
        }
        tensors_move(save->comm, save->file, true, offset, bytes, length,
                     save->path, &save->note);
    }
}

/* Rank 0's bytes, and all that was written before them, durable. */
static void write_first(struct save *save, uint64_t offset, void *bytes,
                        uint64_t length)
{
    if (save->note.code == 0)
        tensors_move(save->comm, save->file, true, offset, bytes,
                     save->rank == 0 ? length : 0, save->path, &save->note);
    if (save->note.code != 0)
        return;
    note_mpi(&save->note, MPI_File_sync(save->file), "make durable",
             save->path);
    note_agree(&save->note, save->comm);
}

/* Step 4. */
static void commit(struct save *save)
{
    unsigned char bytes[CHECKPOINT_RECORD] = {0};
    struct record record = {
        .generation = htole64(save->last.record.generation + 1),
        .at = htole64(save->end),
        .length = htole64(save->index_length),
        .index_crc = htole32(crc32_ieee(0, save->index, save->index_length)),
    };

    memcpy(record.magic, "CAPCKPT1", sizeof(record.magic));
    record.crc = htole32(crc32_ieee(0, &record, offsetof(struct record, crc)));
    memcpy(bytes, &record, sizeof(record));
    write_first(save, (1 - save->last.slot) * (uint64_t)CHECKPOINT_RECORD,
                bytes, sizeof(bytes));
}

static int share_meta(struct save *save, const char *meta)
{
    uint64_t length = meta != NULL ? strlen(meta) : 4;

    MPI_Bcast(&length, 1, MPI_UINT64_T, 0, save->comm);
    if (length > TENSORS_INDEX_MAX / 2)
        return note_set(&save->note, -EINVAL, "%llu bytes of meta",
                        (unsigned long long)length);
    save->meta = mem_calloc(1, length + 1);
    if (save->meta == NULL)
        note_set(&save->note, -ENOMEM, "no memory for meta");
    else if (save->rank == 0)
        memcpy(save->meta, meta != NULL ? meta : "null", length);
    if (note_agree(&save->note, save->comm) == 0)
        MPI_Bcast(save->meta, (int)length, MPI_CHAR, 0, save->comm);
    return save->note.code;
}

static void run(struct save *save, size_t nparts, const char *meta)
{
    size_t n;

    if (gather(save, nparts) != 0 || share_meta(save, meta) != 0 ||
        commit_find(save->comm, save->file, save->path, &save->last,
                    &save->note) != 0 ||
        place(save) != 0)
        return;
    for (size_t i = 0; i < save->count && save->note.code == 0; i += n) {
        n = tensor_length(save, i);
        write_tensor(save, &save->table[i], n);
    }
    write_first(save, save->end, save->index, save->index_length);
    if (save->note.code == 0)
        commit(save);
}

int capstan_checkpoint_save(MPI_Comm comm, const char *path, MPI_Info info,
                            const struct capstan_part *parts, size_t nparts,
                            const char *meta, char *text)
{
    struct save save = {.path = path, .parts = parts, .file = MPI_FILE_NULL};
    int rc;

    MPI_Comm_dup(comm, &save.comm);
    MPI_Comm_rank(comm, &save.rank);
    MPI_Comm_size(comm, &save.ranks);
    rc = MPI_File_open(save.comm, path, MPI_MODE_RDWR | MPI_MODE_CREATE, info,
                       &save.file);
    note_mpi(&save.note, rc, "open", path);
    if (note_agree(&save.note, save.comm) == 0)
        run(&save, nparts, meta);
    if (rc == MPI_SUCCESS) {
        note_mpi(&save.note, MPI_File_close(&save.file), "close", path);
        note_agree(&save.note, save.comm);
    }
    MPI_Comm_free(&save.comm);
    free(save.table);
    free(save.meta);
    free(save.index);
    free(save.last.index);
    snprintf(text, CAPSTAN_TENSORS_TEXT_MAX, "%s", save.note.text);
    return save.note.code;
}
