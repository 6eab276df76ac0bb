/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random views and datatypes against a file in memory.
 *
 * All ranks draw from one seed, so each knows what every other one writes. A
 * round: a filetype F; rank r sees tile r, r + n, r + 2n, ... of F, so the
 * ranks cover the file without overlapping; each writes a random number of a
 * random memory type, collectively or alone; the same is done to the image with
 * MPI_Pack and MPI_Unpack. Then the whole file is compared with the image, and
 * read back through random views of its own on each rank.
 */
#include "mpi_test.h"
#include "random_type.h"

#include <string.h>

#define ROUNDS 25
#define IMAGE_MAX (4 << 20)

struct mpi_test test;

/* One rank's access of a round. */
struct access {
    MPI_Offset disp;
    MPI_Offset at; /* etypes into the view */
    MPI_Datatype filetype;
    MPI_Datatype memtype;
    int count;
    uint64_t seed; /* of the bytes */
};

struct round {
    MPI_Datatype base;
    int base_size;
    bool is_collective;
    bool has_pointer;
    bool is_nonblocking;
};

static int size_of(MPI_Datatype type)
{
    int size;

    MPI_Type_size(type, &size);
    return size;
}

static MPI_Aint extent_of(MPI_Datatype type)
{
    MPI_Aint lb, extent;

    MPI_Type_get_extent(type, &lb, &extent);
    return extent;
}

/* Memory for count instances of a type, filled with `fill`. */
static char *memory_for(MPI_Datatype type, int count, int fill)
{
    size_t size = (size_t)(extent_of(type) * count) + 1;
    char *memory = malloc(size);

    CHECK(memory != NULL);
    memset(memory, fill, size);
    return memory;
}

static void fill_stream(char *stream, size_t size, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < size; i++)
        stream[i] = (char)rng_next(&rng);
}

/* The data of a typed buffer, in typemap order. The caller frees it. */
static char *pack(const void *memory, int count, MPI_Datatype type)
{
    int size = size_of(type) * count, at = 0;
    char *stream = malloc((size_t)size + 1);

    CHECK(stream != NULL);
    if (size > 0)
        OK(MPI_Pack(memory, count, type, stream, size, &at, MPI_COMM_SELF));
    CHECK(at == size);
    return stream;
}

static void unpack(char *stream, void *memory, int count, MPI_Datatype type)
{
    int size = size_of(type) * count, at = 0;

    if (size > 0)
        OK(MPI_Unpack(stream, size, &at, memory, count, type, MPI_COMM_SELF));
}

/* How many tiles of its view an access needs. */
static int tiles_of(const struct access *access, int base_size)
{
    MPI_Offset end = access->at * base_size +
                     (MPI_Offset)size_of(access->memtype) * access->count;

    return (int)((end + size_of(access->filetype) - 1) /
                 size_of(access->filetype));
}

/* Everything a view shows of the image, up to what an access needs. */
static char *image_stream(const char *image, const struct access *access,
                          int base_size)
{
    int ntiles = tiles_of(access, base_size);

    CHECK(access->disp + ntiles * extent_of(access->filetype) < IMAGE_MAX);
    return pack(image + access->disp, ntiles, access->filetype);
}

/* Do to the image what an access does to the file. @return the data's end. */
static void write_image(char *image, const struct access *access, int base_size)
{
    size_t size = (size_t)size_of(access->memtype) * (size_t)access->count;
    char *stream = image_stream(image, access, base_size);

    fill_stream(stream + access->at * base_size, size, access->seed);
    unpack(stream, image + access->disp, tiles_of(access, base_size),
           access->filetype);
    free(stream);
}

static void check_count(MPI_Status *status, const struct access *access)
{
    int count, elements;

    MPI_Get_count(status, access->memtype, &count);
    CHECK(count == access->count);
    MPI_Get_elements(status, MPI_BYTE, &elements);
    CHECK(elements == access->count * size_of(access->memtype));
}

/* One of the eight calls, nonblocking. */
static void transfer_nonblocking(MPI_File file, const struct round *round,
                                 bool is_write, void *memory,
                                 const struct access *access)
{
    typedef int at_fn(MPI_File, MPI_Offset, void *, int, MPI_Datatype,
                      MPI_Request *);
    typedef int pointer_fn(MPI_File, void *, int, MPI_Datatype, MPI_Request *);
    at_fn *const at_calls[2][2] = {
        {MPI_File_iread_at, MPI_File_iread_at_all},
        {(at_fn *)MPI_File_iwrite_at, (at_fn *)MPI_File_iwrite_at_all}};
    pointer_fn *const pointer_calls[2][2] = {
        {MPI_File_iread, MPI_File_iread_all},
        {(pointer_fn *)MPI_File_iwrite, (pointer_fn *)MPI_File_iwrite_all}};
    MPI_Request request;
    MPI_Status status;

    if (round->has_pointer) {
        OK(MPI_File_seek(file, access->at, MPI_SEEK_SET));
        OK(pointer_calls[is_write][round->is_collective](
            file, memory, access->count, access->memtype, &request));
    } else {
        OK(at_calls[is_write][round->is_collective](file, access->at, memory,
                                                    access->count,
                                                    access->memtype, &request));
    }
    OK(MPI_Wait(&request, &status));
    check_count(&status, access);
}

/* One of the eight calls. */
static void transfer(MPI_File file, const struct round *round, bool is_write,
                     void *memory, const struct access *access)
{
    MPI_Datatype type = access->memtype;
    MPI_Offset at = access->at, place;
    int count = access->count;
    MPI_Status status;

    if (round->has_pointer) {
        OK(MPI_File_seek(file, at, MPI_SEEK_SET));
        if (is_write && round->is_collective)
            OK(MPI_File_write_all(file, memory, count, type, &status));
        else if (is_write)
            OK(MPI_File_write(file, memory, count, type, &status));
        else if (round->is_collective)
            OK(MPI_File_read_all(file, memory, count, type, &status));
        else
            OK(MPI_File_read(file, memory, count, type, &status));
        OK(MPI_File_get_position(file, &place));
        CHECK(place ==
              at + (MPI_Offset)count * size_of(type) / round->base_size);
    } else if (is_write && round->is_collective) {
        OK(MPI_File_write_at_all(file, at, memory, count, type, &status));
    } else if (is_write) {
        OK(MPI_File_write_at(file, at, memory, count, type, &status));
    } else if (round->is_collective) {
        OK(MPI_File_read_at_all(file, at, memory, count, type, &status));
    } else {
        OK(MPI_File_read_at(file, at, memory, count, type, &status));
    }
    check_count(&status, access);
}

static void write_mine(MPI_File file, const struct round *round,
                       const struct access *access)
{
    size_t size = (size_t)size_of(access->memtype) * (size_t)access->count;
    char *memory = memory_for(access->memtype, access->count, 0);
    char *stream = malloc(size + 1);

    CHECK(stream != NULL);
    fill_stream(stream, size, access->seed);
    unpack(stream, memory, access->count, access->memtype);
    OK(MPI_File_set_view(file, access->disp, round->base, access->filetype,
                         "native", MPI_INFO_NULL));
    if (round->is_nonblocking)
        transfer_nonblocking(file, round, true, memory, access);
    else
        transfer(file, round, true, memory, access);
    free(stream);
    free(memory);
}

/* Read, and compare memory with memory: bytes between the blocks included. */
static void read_mine(MPI_File file, const struct round *round,
                      const char *image, const struct access *access)
{
    size_t size = (size_t)(extent_of(access->memtype) * access->count);
    char *got = memory_for(access->memtype, access->count, 0x55);
    char *want = memory_for(access->memtype, access->count, 0x55);
    char *stream = image_stream(image, access, round->base_size);

    unpack(stream + access->at * round->base_size, want, access->count,
           access->memtype);
    OK(MPI_File_set_view(file, access->disp, round->base, access->filetype,
                         "native", MPI_INFO_NULL));
    if (round->is_nonblocking)
        transfer_nonblocking(file, round, false, got, access);
    else
        transfer(file, round, false, got, access);
    CHECK(memcmp(got, want, size) == 0);
    free(stream);
    free(want);
    free(got);
}

static void access_free(struct access *access)
{
    MPI_Type_free(&access->filetype);
    MPI_Type_free(&access->memtype);
}

/* Every rank's writes, disjoint: n tiles of one filetype, dealt out in turn. */
static void write_round(struct rng *rng, MPI_File file,
                        const struct round *round, char *image)
{
    MPI_Datatype tile = random_type(rng, round->base, true);
    MPI_Offset disp = (MPI_Offset)rng_below(rng, 100);

    for (int r = 0; r < test.size; r++) {
        struct access access = {
            .disp = disp + r * extent_of(tile),
            .at = (MPI_Offset)rng_below(rng, 20),
            .memtype = random_type(rng, round->base, false),
            .count = (int)rng_below(rng, 8),
            .seed = rng_next(rng),
        };

        OK(MPI_Type_create_resized(tile, 0, test.size * extent_of(tile),
                                   &access.filetype));
        OK(MPI_Type_commit(&access.filetype));
        write_image(image, &access, round->base_size);
        if (r == test.rank)
            write_mine(file, round, &access);
        access_free(&access);
    }
    MPI_Type_free(&tile);
}

/* Each rank reads what it likes; the ends are below the end of the file. */
static void read_round(struct rng *rng, MPI_File file,
                       const struct round *round, const char *image)
{
    for (int r = 0; r < test.size; r++) {
        struct access access = {
            .disp = (MPI_Offset)rng_below(rng, 200),
            .at = (MPI_Offset)rng_below(rng, 20),
            .filetype = random_type(rng, round->base, true),
            .memtype = random_type(rng, round->base, false),
            .count = (int)rng_below(rng, 8),
        };

        if (r == test.rank)
            read_mine(file, round, image, &access);
        access_free(&access);
    }
}

static void check_whole(MPI_File file, const char *image)
{
    static char got[1 << 16];

    OK(MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL));
    for (MPI_Offset at = 0; at < IMAGE_MAX; at += (MPI_Offset)sizeof(got)) {
        OK(MPI_File_read_at(file, at, got, sizeof(got), MPI_BYTE,
                            MPI_STATUS_IGNORE));
        CHECK(memcmp(got, image + at, sizeof(got)) == 0);
    }
}

int main(int argc, char **argv)
{
    static const MPI_Offset size = IMAGE_MAX;
    uint64_t seed = 4711;
    struct rng rng;
    char *image;
    MPI_File file;

    test_start(&argc, &argv);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    if (test.rank == 0)
        printf("seed %llu\n", (unsigned long long)seed);
    rng_init(&rng, seed + (uint64_t)test.size);
    image = calloc(1, IMAGE_MAX);
    CHECK(image != NULL);
    OK(MPI_File_open(MPI_COMM_WORLD, test_path("views"),
                     MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE,
                     MPI_INFO_NULL, &file));
    test_is_ours(file);
    OK(MPI_File_set_size(file, 0)); /* a run that failed may have left one */
    OK(MPI_File_set_size(file, size));
    for (int i = 0; i < ROUNDS; i++) {
        struct round round = {
            .base = rng_chance(&rng, 50) ? MPI_INT : MPI_BYTE,
            .is_collective = rng_chance(&rng, 60),
            .has_pointer = rng_chance(&rng, 50),
            .is_nonblocking = rng_chance(&rng, 40),
        };

        round.base_size = size_of(round.base);
        write_round(&rng, file, &round, image);
        OK(MPI_File_sync(file));
        MPI_Barrier(MPI_COMM_WORLD);
        if (i % 5 == 4)
            check_whole(file, image);
        round.is_collective = rng_chance(&rng, 60);
        read_round(&rng, file, &round, image);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    OK(MPI_File_close(&file));
    free(image);
    MPI_Finalize();
    return 0;
}
