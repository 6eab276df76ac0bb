/* SPDX-License-Identifier: BSD-3-Clause */
/* Commit records of a checkpoint file, and moving bytes of such a file. */
#include "loader/tensors_priv.h"

#include "loader/json.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (1u << 30) /* bytes a collective: MPI counts in int */

uint32_t crc32_ieee(uint32_t crc, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

uint64_t type_size(const char *type)
{
    const char *digits = type + strcspn(type, "0123456789");
    unsigned long size = strtoul(digits, NULL, 10);

    return size <= 16 ? size : 0;
}

static int move_piece(MPI_File file, bool is_write, MPI_Offset at, void *bytes,
                      int length, const char *path, struct note *note)
{
    MPI_Status status;
    int got = length, rc;

    rc = is_write
             ? MPI_File_write_at_all(file, at, bytes, length, MPI_BYTE, &status)
             : MPI_File_read_at_all(file, at, bytes, length, MPI_BYTE, &status);
    note_mpi(note, rc, is_write ? "write" : "read", path);
    if (rc == MPI_SUCCESS)
        MPI_Get_count(&status, MPI_BYTE, &got);
    if (got != length)
        note_set(note, -EIO, "%s: %d bytes of %d at %lld", path, got, length,
                 (long long)at);
    return note->code;
}

int tensors_move(MPI_Comm comm, MPI_File file, bool is_write, uint64_t offset,
                 void *bytes, uint64_t length, const char *path,
                 struct note *note)
{
    uint64_t most;

    MPI_Allreduce(&length, &most, 1, MPI_UINT64_T, MPI_MAX, comm);
    for (uint64_t at = 0; at < most; at += PIECE) {
        uint64_t left = at < length ? length - at : 0;

        move_piece(file, is_write, (MPI_Offset)(offset + at),
                   (char *)bytes + (left > 0 ? at : 0),
                   (int)(left < PIECE ? left : PIECE), path, note);
    }
    return note_agree(note, comm);
}

static bool record_decode(struct record *record, uint64_t size)
{
    uint32_t crc = crc32_ieee(0, record, offsetof(struct record, crc));

    record->generation = le64toh(record->generation);
    record->at = le64toh(record->at);
    record->length = le64toh(record->length);
    record->index_crc = le32toh(record->index_crc);
    return memcmp(record->magic, "CAPCKPT1", 8) == 0 &&
           le32toh(record->crc) == crc && record->at <= size &&
           record->length <= size - record->at &&
           record->length <= TENSORS_INDEX_MAX;
}

/* "begin" of the index: where its data do. */
static uint64_t begin_of(const char *index, size_t length)
{
    uint64_t begin = CHECKPOINT_BEGIN;
    struct json json;
    char key[64];

    json_init(&json, index, length);
    for (json_open(&json, '{'); json_more(&json, '}');)
        if (!json_key(&json, key, sizeof(key)) || strcmp(key, "begin") != 0)
            json_skip(&json);
        else
            json_u64(&json, &begin);
    return begin;
}

/* Take a commit if its index is whole. */
static int try_commit(MPI_Comm comm, MPI_File file, const char *path,
                      struct commit *commit, struct note *note)
{
    struct record *record = &commit->record;
    char *index = mem_calloc(1, record->length + 1);

    if (index == NULL)
        note_set(note, -ENOMEM, "%s: no memory for its index", path);
    if (note_agree(note, comm) == 0)
        tensors_move(comm, file, false, record->at, index, record->length, path,
                     note);
    if (note->code == 0 &&
        crc32_ieee(0, index, record->length) == record->index_crc) {
        commit->begin = begin_of(index, record->length);
        commit->index = index;
        return 0;
    }
    free(index);
    return note->code;
}

int commit_find(MPI_Comm comm, MPI_File file, const char *path,
                struct commit *commit_out, struct note *note)
{
    struct record records[2];
    unsigned char bytes[CHECKPOINT_BEGIN];
    bool is_good[2];
    MPI_Offset size = 0;
    unsigned newer;

    *commit_out = (struct commit){.slot = 1}; /* so that A is the next */
    note_mpi(note, MPI_File_get_size(file, &size), "ask the size of", path);
    if (note_agree(note, comm) != 0 || size < (MPI_Offset)CHECKPOINT_BEGIN)
        return note->code;
    if (tensors_move(comm, file, false, 0, bytes, sizeof(bytes), path, note))
        return note->code;
    for (unsigned i = 0; i < 2; i++) {
        memcpy(&records[i], bytes + i * CHECKPOINT_RECORD, sizeof(records[i]));
        is_good[i] = record_decode(&records[i], (uint64_t)size);
    }
    newer = is_good[1] &&
            (!is_good[0] || records[1].generation > records[0].generation);
    for (unsigned i = 0; i < 2 && note->code == 0; i++, newer = 1 - newer) {
        if (!is_good[newer] || commit_out->index != NULL)
            continue;
        commit_out->record = records[newer];
        commit_out->slot = newer;
        try_commit(comm, file, path, commit_out, note);
    }
    return note->code;
}
