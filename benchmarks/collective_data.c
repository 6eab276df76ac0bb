/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The patterns: see collective_io.h. The word at offset x of version v is
 * rng_mix(x / 8 + v * 2^40), so that a byte from a wrong place, or of an
 * earlier write, is seen.
 */
#include "base/rng.h"
#include "benchmarks/collective_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD 47008 /* IOR's "hard" transfer */
#define COLUMN_BLOCK 2048
#define CHUNK (4u << 20)

static const char *const words[] = {
#define X(name, word) word,
    PATTERNS(X)
#undef X
};

bool row_of(int number, struct row *row_out)
{
    *row_out = (struct row){
        .pattern = (enum pattern)(number / 4),
        .is_write = number / 2 % 2 != 0,
        .is_nonblocking = number % 2 != 0,
    };
    return number >= 0 && number < 4 * PATTERN_COUNT;
}

void rows_list(void)
{
    struct row row;

    for (int i = 0; row_of(i, &row); i++)
        printf("%d %s %s %s\n", i, words[row.pattern],
               row.is_write ? "write" : "read",
               row.is_nonblocking ? "nonblocking" : "blocking");
}

static uint64_t word_at(uint64_t version, uint64_t offset)
{
    return rng_mix(offset / 8 + (version << 40));
}

static void add(struct access *access, uint64_t offset, uint64_t length)
{
    if (access->n == access->room) {
        access->room = access->room * 2 + 64;
        access->extents =
            realloc(access->extents, access->room * sizeof(*access->extents));
        if (access->extents == NULL)
            MPI_Abort(MPI_COMM_WORLD, 2);
    }
    access->extents[access->n++] = (struct extent){offset, length};
    access->bytes += length;
}

static uint64_t ranks(void)
{
    return (unsigned)bench.size;
}

static uint64_t me(void)
{
    return (unsigned)bench.rank;
}

static void commit(struct access *access)
{
    MPI_Type_commit(&access->filetype);
}

/* Blocks of `block` bytes dealt out to the ranks in turn. */
static void make_strided(struct access *access, uint64_t block)
{
    uint64_t n = (bench.mib << 20) / block / ranks();

    for (uint64_t i = 0; i < n; i++)
        add(access, (i * ranks() + me()) * block, block);
    access->file_bytes = n * ranks() * block;
    MPI_Type_create_hvector((int)n, (int)block, (MPI_Aint)(block * ranks()),
                            MPI_BYTE, &access->filetype);
    if (me() > 0) { /* a view that begins at the rank's first block */
        MPI_Aint at = (MPI_Aint)(me() * block);
        MPI_Datatype inner = access->filetype;
        int one = 1;

        MPI_Type_create_hindexed(1, &one, &at, inner, &access->filetype);
        MPI_Type_free(&inner);
    }
    commit(access);
}

static void make_block3d(struct access *access)
{
    int dims[3] = {0}, sizes[3], subsizes[3], starts[3];
    int edge = 32;
    int at[3];

    while ((uint64_t)(edge + 32) * (edge + 32) * (edge + 32) * 8 <= bench.mib
                                                                        << 20)
        edge += 32;
    MPI_Dims_create(bench.size, 3, dims);
    at[2] = bench.rank % dims[2];
    at[1] = bench.rank / dims[2] % dims[1];
    at[0] = bench.rank / dims[2] / dims[1];
    for (int i = 0; i < 3; i++) {
        sizes[i] = edge;
        starts[i] = edge * at[i] / dims[i];
        subsizes[i] = edge * (at[i] + 1) / dims[i] - starts[i];
    }
    for (int x = 0; x < subsizes[0]; x++)
        for (int y = 0; y < subsizes[1]; y++)
            add(access,
                8 * (uint64_t)((starts[0] + x) * edge * edge +
                               (starts[1] + y) * edge + starts[2]),
                8 * (uint64_t)subsizes[2]);
    access->file_bytes = 8 * (uint64_t)edge * (uint64_t)edge * (uint64_t)edge;
    MPI_Type_create_subarray(3, sizes, subsizes, starts, MPI_ORDER_C,
                             MPI_DOUBLE, &access->filetype);
    commit(access);
}

/* Which rank takes which sample: a permutation, the same on all ranks. */
static uint32_t *shuffled(uint64_t n)
{
    uint32_t *order = malloc(n * sizeof(*order));
    struct rng rng;

    if (order == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    rng_init(&rng, 7);
    for (uint64_t i = 0; i < n; i++)
        order[i] = (uint32_t)(i % ranks());
    for (uint64_t i = n - 1; i > 0; i--) {
        uint64_t k = rng_below(&rng, i + 1);
        uint32_t other = order[k];

        order[k] = order[i];
        order[i] = other;
    }
    return order;
}

static void make_samples(struct access *access, uint64_t sample)
{
    uint64_t n = (bench.mib << 20) / sample / ranks() * ranks();
    uint32_t *owner = shuffled(n);
    MPI_Aint *places = malloc(n * sizeof(*places));
    int mine = 0;

    if (places == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    for (uint64_t i = 0; i < n; i++)
        if (owner[i] == me()) {
            places[mine++] = (MPI_Aint)(i * sample);
            add(access, i * sample, sample);
        }
    access->file_bytes = n * sample;
    MPI_Type_create_hindexed_block(mine, (int)sample, places, MPI_BYTE,
                                   &access->filetype);
    commit(access);
    free(places);
    free(owner);
}

static void make_same(struct access *access, uint64_t tail)
{
    uint64_t common = bench.mib << 20;

    add(access, 0, common + tail * me());
    access->file_bytes = common + tail * (ranks() - 1);
    MPI_Type_contiguous((int)access->bytes, MPI_BYTE, &access->filetype);
    commit(access);
}

void access_make(struct access *access, enum pattern pattern)
{
    *access = (struct access){0};
    switch (pattern) {
    case PATTERN_STRIDED:
        make_strided(access, RECORD);
        break;
    case PATTERN_BLOCK3D:
        make_block3d(access);
        break;
    case PATTERN_COLUMNS:
        make_strided(access, COLUMN_BLOCK);
        break;
    case PATTERN_SAMPLES_4K:
        make_samples(access, 4 << 10);
        break;
    case PATTERN_SAMPLES_110K:
        make_samples(access, 110 << 10);
        break;
    case PATTERN_SAME:
        make_same(access, 0);
        break;
    default:
        make_same(access, 64 << 10);
        break;
    }
}

void access_fini(struct access *access)
{
    MPI_Type_free(&access->filetype);
    free(access->extents);
}

void access_load(const struct access *access, char *buffer, uint64_t version)
{
    for (size_t i = 0; i < access->n; i++)
        for (uint64_t at = 0; at < access->extents[i].length; at += 8) {
            uint64_t word = word_at(version, access->extents[i].offset + at);

            memcpy(buffer, &word, 8);
            buffer += 8;
        }
}

bool access_holds(const struct access *access, const char *buffer,
                  uint64_t version)
{
    for (size_t i = 0; i < access->n; i++)
        for (uint64_t at = 0; at < access->extents[i].length; at += 8) {
            uint64_t word = word_at(version, access->extents[i].offset + at);

            if (memcmp(buffer, &word, 8) != 0)
                return false;
            buffer += 8;
        }
    return true;
}

static void write_all(MPI_File fh, uint64_t bytes)
{
    char *chunk = malloc(CHUNK);

    if (chunk == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    for (uint64_t at = 0; at < bytes; at += CHUNK) {
        struct extent extent = {at, bytes - at < CHUNK ? bytes - at : CHUNK};
        struct access part = {.extents = &extent, .n = 1};

        access_load(&part, chunk, 0);
        MPI_File_write_at(fh, (MPI_Offset)at, chunk, (int)extent.length,
                          MPI_BYTE, MPI_STATUS_IGNORE);
    }
    free(chunk);
}

void file_fill(uint64_t bytes, bool is_empty)
{
    MPI_File fh;

    if (bench.rank == 0) {
        MPI_File_delete(bench.path, MPI_INFO_NULL);
        if (MPI_File_open(MPI_COMM_SELF, bench.path,
                          MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
                          &fh) != MPI_SUCCESS)
            MPI_Abort(MPI_COMM_WORLD, 3);
        if (!is_empty)
            write_all(fh, bytes);
        MPI_File_close(&fh);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

bool file_holds(const struct access *access, char *buffer, uint64_t version)
{
    char *at = buffer;
    MPI_File fh;

    memset(buffer, 0, access->bytes);
    if (MPI_File_open(MPI_COMM_SELF, bench.path, MPI_MODE_RDONLY, MPI_INFO_NULL,
                      &fh) != MPI_SUCCESS)
        return false;
    for (size_t i = 0; i < access->n; i++) {
        MPI_File_read_at(fh, (MPI_Offset)access->extents[i].offset, at,
                         (int)access->extents[i].length, MPI_BYTE,
                         MPI_STATUS_IGNORE);
        at += access->extents[i].length;
    }
    MPI_File_close(&fh);
    return access_holds(access, buffer, version);
}
