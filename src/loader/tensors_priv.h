/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of tensors, from inside: what reading and saving share.
 *
 *     0      commit record A: "CAPCKPT1", u64 generation, u64 index offset, u64
 *            index length, u32 CRC32 of the index, u32 CRC32 of what is before
 * it 4096   commit record B, the same 8192   data
 *
 * Threads  as capstan/tensors.h.
 * Failure  struct note: the first one stays.
 */
#ifndef CAPSTAN_LOADER_TENSORS_PRIV_H
#define CAPSTAN_LOADER_TENSORS_PRIV_H

#include "loader/priv.h"

#define CHECKPOINT_RECORD 4096u
#define CHECKPOINT_BEGIN (2 * CHECKPOINT_RECORD)
#define CHECKPOINT_ALIGN 4096u
#define TENSORS_INDEX_MAX (100u << 20) /* as safetensors' own library has it   \
                                        */

struct record {
    char magic[8];
    uint64_t generation;
    uint64_t at; /* of the index */
    uint64_t length;
    uint32_t index_crc;
    uint32_t crc;
} __attribute__((packed));

/* The last complete checkpoint of a file. */
struct commit {
    struct record record;
    unsigned slot;  /* A or B */
    uint64_t begin; /* of its data */
    char *index;    /* ended with free(3) */
};

/** The CRC32 of zlib, PNG and Ethernet. */
uint32_t crc32_ieee(uint32_t crc, const void *bytes, size_t length);

/** Move bytes at an offset on all ranks, each its own number; all take part.
 *  Collective. @return note->code. */
int tensors_move(MPI_Comm comm, MPI_File file, bool is_write, uint64_t offset,
                 void *bytes, uint64_t length, const char *path,
                 struct note *note);

/** Find the last commit. Collective; the same on all ranks. @return note->code;
 *  commit_out->index is NULL if there is none. */
int commit_find(MPI_Comm comm, MPI_File file, const char *path,
                struct commit *commit_out, struct note *note);

/** The bytes of one element of numpy's type: its last digits. 0: none. */
uint64_t type_size(const char *type);

#endif
