/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a packed dataset: which bytes of which shard are a sample, and
 * what they must sum to.
 *
 * A dataset is a directory (or a prefix of any MPI-IO name) that holds `index`
 * and `shard-0000`, `shard-0001`, ... A shard is its samples one behind the
 * other, nothing between. The index is, little-endian:
 *
 *     header   u8  magic[8]      "CAPSHARD"
 *              u32 version       1
 *              u32 shards
 *              u64 samples
 *              u32 sum           CRC32C of all records
 *              u32 zero
 *     record   u32 shard         0 .. shards - 1
 *              u32 crc32c        of the sample, taken from its source file
 *              u64 offset        in the shard
 *              u64 length        1 .. SAMPLE_LENGTH_MAX
 *
 * Units    bytes.
 * Threads  no state; an index belongs to one thread.
 * Failure  outputs are left as they were.
 */
#ifndef CAPSTAN_BENCHMARKS_SHARD_INDEX_H
#define CAPSTAN_BENCHMARKS_SHARD_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define SHARD_INDEX_HEADER_SIZE 32
#define SHARD_INDEX_RECORD_SIZE 24
#define SHARDS_MAX 10000u
#define SAMPLE_LENGTH_MAX (64u << 20)

struct sample {
    uint32_t shard;
    uint32_t crc32c;
    uint64_t offset;
    uint64_t length;
};

struct shard_index {
    uint32_t shards;
    uint64_t count;
    struct sample *samples;
};

/**
 * Write an index into fresh memory.
 *
 * @param data_out  owned by the caller, ended with free(3).
 * @return 0 or -ENOMEM.
 */
int shard_index_encode(const struct shard_index *index, void **data_out,
                       size_t *size_out);

/**
 * Read an index; every field is checked.
 *
 * @param index_out  ended with shard_index_fini().
 * @return 0, -EPROTO (not an index, or a damaged one) or -ENOMEM.
 */
int shard_index_decode(const void *data, size_t size,
                       struct shard_index *index_out);

/** Free the samples; the struct itself is the caller's. */
void shard_index_fini(struct shard_index *index);

#endif
