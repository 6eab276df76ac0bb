/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reads of a batch. For each file that anybody touches, in order, all ranks
 * set a view of their samples in it and start one collective read; who wants
 * nothing of it reads nothing. Where no rank gets more than one sample, no view
 * is needed.
 *
 * Where a source reads (source.h), it does so at once.
 *
 * With is_independent each rank reads sample by sample, alone.
 *
 * Possible failures are: no memory for a type, a view that is refused, a read
 * that fails or is short. They are noted, and the rank goes on with the rest,
 * for the others wait for it there.
 */
#include "loader/priv.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A read that was started, and what has to come of it. */
struct read {
    uint32_t file;
    uint64_t bytes;
    MPI_Datatype type; /* of its memory; MPI_BYTE: not to be freed */
};

void reads_fini(struct reads *reads)
{
    free(reads->requests);
    free(reads->statuses);
    free(reads->list);
    *reads = (struct reads){.requests = NULL};
}

int reads_init(struct reads *reads, uint64_t room)
{
    *reads = (struct reads){.room = room};
    reads->requests = mem_calloc(room, sizeof(*reads->requests));
    reads->statuses = mem_calloc(room, sizeof(*reads->statuses));
    reads->list = mem_calloc(room, sizeof(*reads->list));
    if (reads->requests != NULL && reads->statuses != NULL &&
        reads->list != NULL)
        return 0;
    reads_fini(reads);
    return -ENOMEM;
}

/* Samples first .. first + count - 1 of a slot, in file and in memory. */
struct part {
    MPI_Datatype file_type;
    MPI_Datatype memory_type;
    uint64_t first;
    int count;
    uint64_t bytes;
};

static void part_types(const struct index *index, const struct slot *slot,
                       struct part *part, MPI_Aint *offsets, int *lengths)
{
    for (int i = 0; i < part->count; i++) {
        const struct index_row *row =
            &index->rows[slot->order[part->first + (uint64_t)i]];

        lengths[i] = (int)row->length;
        offsets[i] = (MPI_Aint)row->offset;
        part->bytes += row->length;
    }
    MPI_Type_create_hindexed(part->count, lengths, offsets, MPI_BYTE,
                             &part->file_type);
    MPI_Type_commit(&part->file_type);
    for (int i = 0; i < part->count; i++)
        offsets[i] = (MPI_Aint)slot->at[part->first + (uint64_t)i];
    MPI_Type_create_hindexed(part->count, lengths, offsets, MPI_BYTE,
                             &part->memory_type);
    MPI_Type_commit(&part->memory_type);
}

/* Our samples in a file, from number `*next` of the slot on. */
static struct part part_make(struct capstan_loader *loader, struct slot *slot,
                             uint32_t file, uint64_t *next)
{
    const struct index *index = &loader->index;
    uint64_t end = index->files[file].first + index_file_count(index, file);
    struct part part = {
        .file_type = MPI_BYTE, .memory_type = MPI_BYTE, .first = *next};
    MPI_Aint *offsets;
    int *lengths;

    while (*next < slot->nunique && slot->order[*next] < end)
        ++*next;
    part.count = (int)(*next - part.first);
    if (part.count == 0)
        return part;
    offsets = mem_calloc((size_t)part.count, sizeof(*offsets));
    lengths = mem_calloc((size_t)part.count, sizeof(*lengths));
    if (offsets != NULL && lengths != NULL) {
        part_types(index, slot, &part, offsets, lengths);
    } else {
        note_set(&slot->note, -ENOMEM, "no memory for a view of %s",
                 index->files[file].name);
        part.count = 0;
    }
    free(offsets);
    free(lengths);
    return part;
}

/* One sample of one rank is one extent, which MPI can name without a view: that
 * saves the two collectives that setting one costs. */
static int read_single(struct capstan_loader *loader, struct slot *slot,
                       MPI_File handle, const struct part *part,
                       MPI_Request *request)
{
    const struct index_row *row = NULL;
    unsigned char *to = slot->memory;

    if (part->count > 0) {
        row = &loader->index.rows[slot->order[part->first]];
        to += slot->at[part->first];
    }
    return MPI_File_iread_at_all(
        handle, row != NULL ? (MPI_Offset)row->offset : 0, to,
        row != NULL ? (int)row->length : 0, MPI_BYTE, request);
}

static void start_single(struct capstan_loader *loader, struct slot *slot,
                         uint32_t file, uint64_t *next)
{
    uint64_t end = loader->index.files[file].first +
                   index_file_count(&loader->index, file);
    struct part part = {.first = *next};
    struct reads *reads = &slot->reads;
    int i = reads->count++, rc;

    part.count = *next < slot->nunique && slot->order[*next] < end;
    *next += (uint64_t)part.count;
    if (part.count > 0)
        part.bytes = loader->index.rows[slot->order[part.first]].length;
    reads->list[i] =
        (struct read){.file = file, .bytes = part.bytes, .type = MPI_BYTE};
    reads->requests[i] = MPI_REQUEST_NULL;
    rc = read_single(loader, slot, files_handle(&slot->files, file), &part,
                     &reads->requests[i]);
    note_mpi(&slot->note, rc, "read", loader->index.files[file].name);
    __atomic_add_fetch(&loader->reads, 1, __ATOMIC_RELAXED);
}

static void start_together(struct capstan_loader *loader, struct slot *slot,
                           uint32_t file, uint64_t *next)
{
    const char *name = loader->index.files[file].name;
    MPI_File handle = files_handle(&slot->files, file);
    struct part part = part_make(loader, slot, file, next);
    struct reads *reads = &slot->reads;
    int i = reads->count++, rc;

    rc = MPI_File_set_view(handle, 0, MPI_BYTE, part.file_type, "native",
                           MPI_INFO_NULL);
    note_mpi(&slot->note, rc, "set a view of", name);
    if (rc != MPI_SUCCESS)
        part.bytes = 0;
    reads->list[i] = (struct read){
        .file = file, .bytes = part.bytes, .type = part.memory_type};
    reads->requests[i] = MPI_REQUEST_NULL;
    rc = MPI_File_iread_all(handle, slot->memory, part.bytes > 0,
                            part.memory_type, &reads->requests[i]);
    note_mpi(&slot->note, rc, "read", name);
    if (part.file_type != MPI_BYTE)
        MPI_Type_free(&part.file_type);
    __atomic_add_fetch(&loader->reads, 1, __ATOMIC_RELAXED);
}

static void start_alone(struct capstan_loader *loader, struct slot *slot,
                        uint64_t n)
{
    const struct index_row *row = &loader->index.rows[slot->order[n]];
    uint32_t file = index_file_of(&loader->index, slot->order[n]);
    struct reads *reads = &slot->reads;
    int i = reads->count++, rc;

    reads->list[i] =
        (struct read){.file = file, .bytes = row->length, .type = MPI_BYTE};
    reads->requests[i] = MPI_REQUEST_NULL;
    rc = MPI_File_iread_at(files_handle(&slot->files, file),
                           (MPI_Offset)row->offset, slot->memory + slot->at[n],
                           (int)row->length, MPI_BYTE, &reads->requests[i]);
    note_mpi(&slot->note, rc, "read", loader->index.files[file].name);
    __atomic_add_fetch(&loader->reads, 1, __ATOMIC_RELAXED);
}

/* Samples of a file that came one behind the other go to their places; the last
 * first, for no place is before where its bytes are now. */
static void spread(struct slot *slot, uint64_t first, uint64_t count,
                   size_t length)
{
    const unsigned char *dense = slot->memory + slot->at[first];

    for (uint64_t i = count; i-- > 1;)
        memmove(slot->memory + slot->at[first + i], dense + i * length, length);
}

/* By a source, here and now. */
static void read_through(struct capstan_loader *loader, struct slot *slot,
                         uint32_t file, uint64_t *next)
{
    const struct index_file *entry = &loader->index.files[file];
    uint64_t end = entry->first + index_file_count(&loader->index, file);
    uint64_t first = *next, count, *rows;
    size_t length = loader->index.rows[entry->first].length;
    char text[SOURCE_TEXT_MAX] = "";
    unsigned char none = 0;
    int rc;

    while (*next < slot->nunique && slot->order[*next] < end)
        ++*next;
    count = *next - first;
    rows = mem_calloc(count + 1, sizeof(*rows));
    if (rows == NULL) {
        note_set(&slot->note, -ENOMEM, "no memory for rows of %s", entry->name);
        count = 0;
    }
    for (uint64_t i = 0; i < count; i++)
        rows[i] = slot->order[first + i] - entry->first;
    rc = loader->source->read(
        files_source(&slot->files, file), rows, count, length,
        count > 0 ? slot->memory + slot->at[first] : &none, text);
    if (rc != 0)
        note_set(&slot->note, rc, "%s: %s", entry->name, text);
    else if (count > 0)
        spread(slot, first, count, length);
    free(rows);
    __atomic_add_fetch(&loader->reads, 1, __ATOMIC_RELAXED);
}

void reads_start(struct capstan_loader *loader, struct slot *slot,
                 const uint32_t *files, uint32_t nfiles)
{
    bool is_alone = loader->options.is_independent;
    uint64_t next = 0;

    slot->reads.count = 0;
    if (loader->source != NULL)
        for (uint32_t i = 0; i < nfiles; i++)
            read_through(loader, slot, files[i], &next);
    else if (!is_alone && loader->has_single)
        for (uint32_t i = 0; i < nfiles; i++)
            start_single(loader, slot, files[i], &next);
    else if (!is_alone)
        for (uint32_t i = 0; i < nfiles; i++)
            start_together(loader, slot, files[i], &next);
    else if (slot->nunique <= slot->reads.room)
        for (uint64_t i = 0; i < slot->nunique && slot->note.code == 0; i++)
            start_alone(loader, slot, i);
    else
        note_set(&slot->note, -ENOMEM, "no memory for %llu reads",
                 (unsigned long long)slot->nunique);
}

/* Did all of a read come? */
static void judge(struct capstan_loader *loader, struct slot *slot,
                  const struct read *read, MPI_Status *status, int rc)
{
    const char *name = loader->index.files[read->file].name;
    MPI_Count got = 0;

    note_mpi(&slot->note, rc, "read", name);
    if (slot->note.code == 0)
        MPI_Get_elements_x(status, read->type, &got);
    if (slot->note.code == 0 && (uint64_t)got != read->bytes)
        note_set(&slot->note, -EIO,
                 "%s/%s: %lld bytes came of %llu: is it shorter than when it "
                 "was indexed?",
                 loader->dataset, name, (long long)got,
                 (unsigned long long)read->bytes);
}

bool reads_test(struct capstan_loader *loader, struct slot *slot)
{
    struct reads *reads = &slot->reads;
    int is_over = 1, rc;

    rc = MPI_Testall(reads->count, reads->requests, &is_over, reads->statuses);
    if (!is_over && rc == MPI_SUCCESS)
        return false;
    for (int i = 0; i < reads->count; i++) {
        struct read *read = &reads->list[i];

        judge(loader, slot, read, &reads->statuses[i],
              rc == MPI_SUCCESS ? MPI_SUCCESS : reads->statuses[i].MPI_ERROR);
        if (read->type != MPI_BYTE)
            MPI_Type_free(&read->type);
    }
    reads->count = 0;
    return true;
}
