/* SPDX-License-Identifier: BSD-3-Clause */
/* Files, accesses and what they must give: see test_coll.h. */
#include "test_coll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void file_open(struct adio_file *file)
{
    struct adio_error error;

    memset(file, 0, sizeof(*file));
    file->driver = fault_driver();
    file->path = file->display = test.path;
    MPI_Comm_dup(MPI_COMM_WORLD, &file->comm);
    file->rank = test.rank;
    file->size = test.size;
    file->hints.map_reads = ADIO_DISABLE;
    if (file->driver->open(file, test.path, ADIO_READ | ADIO_WRITE, NULL,
                           &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

void file_close(struct adio_file *file)
{
    struct adio_error error;

    coll_forget(file);
    file->driver->close(file, &error);
    MPI_Comm_free(&file->comm);
}

unsigned char pattern(uint64_t version, uint64_t offset)
{
    return (unsigned char)(rng_mix(version * 0x10001 + offset / 8) >>
                           (offset % 8 * 8));
}

/* The file by the plain driver, by this rank alone. */
static void plain_open(struct adio_file *file)
{
    struct adio_error error;

    *file = (struct adio_file){.driver = test.driver, .size = 1};
    file->path = file->display = test.path;
    if (test.driver->open(file, test.path, ADIO_READ | ADIO_WRITE | ADIO_CREATE,
                          NULL, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

static void plain_write(const void *all, uint64_t size)
{
    struct run run = {
        .length = size, .count = 1, .mem = (uint64_t)(uintptr_t)all};
    struct adio_error error;
    struct adio_file file;
    uint64_t bytes = 0;

    plain_open(&file);
    if (test.driver->resize(&file, 0, &error) != 0 ||
        test.driver->writelist(&file, &run, 1, &bytes, &error) != 0 ||
        bytes != size)
        MPI_Abort(MPI_COMM_WORLD, 1);
    test.driver->close(&file, &error);
}

void file_fill(uint64_t version, uint64_t size)
{
    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0) {
        unsigned char *all = malloc(size + 1);

        for (uint64_t i = 0; i < size; i++)
            all[i] = pattern(version, i);
        plain_write(all, size);
        free(all);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

void file_zero(uint64_t size)
{
    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0) {
        unsigned char *all = calloc(size, 1);

        plain_write(all, size);
        free(all);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

uint64_t file_read(void *all, uint64_t size)
{
    struct run run = {
        .length = size, .count = 1, .mem = (uint64_t)(uintptr_t)all};
    struct adio_error error;
    struct adio_file file;
    uint64_t bytes = 0;

    plain_open(&file);
    CHECK(test.driver->readlist(&file, &run, 1, &bytes, &error) == 0);
    test.driver->close(&file, &error);
    return bytes;
}

void file_delete(void)
{
    struct adio_error error;

    test.driver->delete (test.path, &error);
}

void access_init(struct access *access, uint64_t memory_size)
{
    *access = (struct access){.memory_size = memory_size};
    access->memory = malloc(memory_size + 1);
    memset(access->memory, UNTOUCHED, memory_size);
}

void access_fini(struct access *access)
{
    free(access->memory);
    free(access->runs);
}

void access_add(struct access *access, uint64_t offset, uint64_t length,
                uint64_t stride, uint64_t count, uint64_t mem,
                int64_t mem_stride)
{
    if (access->n == access->room) {
        access->room = access->room * 2 + 8;
        access->runs =
            realloc(access->runs, access->room * sizeof(*access->runs));
    }
    assert(mem + (count - 1) * (uint64_t)mem_stride + length <=
           access->memory_size);
    access->runs[access->n++] = (struct run){
        .offset = offset,
        .length = length,
        .stride = stride,
        .count = count,
        .mem = (uint64_t)(uintptr_t)access->memory + mem,
        .mem_stride = mem_stride,
    };
}

/* Runs of all shapes: single blocks and vectors, dense and sparse in file and
 * memory, some touching, up to span or when memory is full. */
void access_random(struct access *access, struct rng *rng, uint64_t span)
{
    uint64_t at = rng_below(rng, span / 2 + 1);
    uint64_t mem = 0;
    uint64_t scale = 1ull << rng_below(rng, 13);

    while (at < span) {
        uint64_t length = 1 + rng_below(rng, scale);
        uint64_t count = rng_chance(rng, 50) ? 1 : 1 + rng_below(rng, 40);
        uint64_t gap = rng_chance(rng, 20) ? 0 : rng_below(rng, 2 * scale);
        uint64_t mem_gap = rng_chance(rng, 50) ? 0 : rng_below(rng, 64);
        uint64_t stride = length + gap;

        if (mem + count * (length + mem_gap) > access->memory_size)
            break;
        access_add(access, at, length, count > 1 ? stride : 0, count, mem,
                   count > 1 ? (int64_t)(length + mem_gap) : 0);
        at += (count - 1) * stride + length;
        if (rng_chance(rng, 70))
            at += rng_below(rng, 4 * scale);
        mem += count * (length + mem_gap);
        if (rng_chance(rng, 5))
            break;
    }
}

typedef void byte_fn(unsigned char *byte, uint64_t offset, void *arg);

static void each_byte(const struct access *access, byte_fn *fn, void *arg)
{
    for (size_t r = 0; r < access->n; r++) {
        const struct run *run = &access->runs[r];

        for (uint64_t b = 0; b < run->count; b++) {
            int64_t disp = (int64_t)b * run->mem_stride;
            unsigned char *block =
                (unsigned char *)(uintptr_t)(run->mem + (uint64_t)disp);

            for (uint64_t i = 0; i < run->length; i++)
                fn(&block[i], run->offset + b * run->stride + i, arg);
        }
    }
}

static void load_byte(unsigned char *byte, uint64_t offset, void *arg)
{
    *byte = pattern(*(uint64_t *)arg, offset);
}

void access_load(struct access *access, uint64_t version)
{
    each_byte(access, load_byte, &version);
}

struct expect {
    uint64_t version;
    uint64_t size;
    uint64_t count;
    const unsigned char *memory;
    unsigned char *want;
    unsigned char *map;
};

static void expect_byte(unsigned char *byte, uint64_t offset, void *arg)
{
    struct expect *expect = arg;

    if (offset < expect->size)
        expect->want[byte - expect->memory] = pattern(expect->version, offset);
}

bool access_holds(const struct access *access, uint64_t version, uint64_t size)
{
    struct expect expect = {
        .version = version,
        .size = size,
        .memory = access->memory,
        .want = malloc(access->memory_size + 1),
    };
    bool is_equal;

    memset(expect.want, UNTOUCHED, access->memory_size);
    each_byte(access, expect_byte, &expect);
    is_equal = memcmp(expect.want, access->memory, access->memory_size) == 0;
    free(expect.want);
    return is_equal;
}

static void count_byte(unsigned char *byte, uint64_t offset, void *arg)
{
    struct expect *expect = arg;

    expect->count += offset < expect->size;
}

uint64_t access_bytes_below(const struct access *access, uint64_t size)
{
    struct expect expect = {.size = size};

    each_byte(access, count_byte, &expect);
    return expect.count;
}

static void mark_byte(unsigned char *byte, uint64_t offset, void *arg)
{
    struct expect *expect = arg;

    if (offset < expect->size)
        expect->map[offset] = 1;
}

void access_mark(const struct access *access, unsigned char *map, uint64_t size)
{
    struct expect expect = {.size = size, .map = map};

    each_byte(access, mark_byte, &expect);
}

uint64_t sum_of(uint64_t mine)
{
    uint64_t sum;

    MPI_Allreduce(&mine, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return sum;
}

uint64_t united(unsigned char *map, uint64_t size)
{
    uint64_t count = 0;

    MPI_Allreduce(MPI_IN_PLACE, map, (int)size, MPI_UNSIGNED_CHAR, MPI_MAX,
                  MPI_COMM_WORLD);
    for (uint64_t i = 0; i < size; i++)
        count += map[i];
    return count;
}
