/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of tensors under mpirun; test_tensors.sh says in which order.
 *
 *     check_tensors save PATH TIMES     checkpoints, each of generation + 1
 *     check_tensors load PATH LEAST     the last one, at least this generation
 *     check_tensors plain PATH          a safetensors file that the script made
 *     check_tensors fails PATH CODE     it cannot be opened
 *     check_tensors refuse PATH         what cannot be saved
 *
 * A checkpoint of generation g has w, u32 of ROWS(g) x 3, row by row g *
 * 1000000 + 0, 1, 2, ...; bias, 5 of g, which all ranks give; own0, own1, ...:
 * the rank.
 *
 * Threads  one.
 * Failure  MPI_Abort.
 */
#include "mpi_test.h"

#include <capstan/tensors.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct mpi_test test;

#define ROWS(g) (1000u + (g) % 7 * 300u)

static uint32_t *rows_of(uint64_t generation, uint64_t first, uint64_t rows)
{
    uint32_t *data = malloc((rows * 3 + 1) * sizeof(*data));

    for (uint64_t i = 0; i < rows * 3; i++)
        data[i] = (uint32_t)(generation * 1000000 + first * 3 + i);
    return data;
}

static uint64_t begin_of(uint64_t rows, int rank)
{
    return rows * (uint64_t)rank / (uint64_t)test.size;
}

static void save(const char *path, uint64_t generation)
{
    uint64_t rows = ROWS(generation), dims[] = {rows, 3}, five[] = {5};
    uint64_t first = begin_of(rows, test.rank);
    uint64_t past = begin_of(rows, test.rank + 1), half = (past - first) / 2;
    uint32_t *data = rows_of(generation, first, past - first);
    uint32_t bias[5], own = (uint32_t)test.rank;
    char name[32], text[CAPSTAN_TENSORS_TEXT_MAX];
    struct capstan_part parts[] = {
        {"w", "<u4", 2, dims, first, half, data},
        {"w", "<u4", 2, dims, first + half, past - first - half,
         data + half * 3},
        {"bias", "<u4", 1, five, 0, 5, bias},
        {name, "<u4", 0, NULL, 0, 1, &own},
    };

    for (int i = 0; i < 5; i++)
        bias[i] = (uint32_t)generation;
    snprintf(name, sizeof(name), "own%d", test.rank);
    if (capstan_checkpoint_save(MPI_COMM_WORLD, path, MPI_INFO_NULL, parts, 4,
                                "{\"by\": \"C\"}", text) != 0)
        test_fail(__FILE__, __LINE__, text);
    free(data);
}

static struct capstan_tensors *open_good(const char *path)
{
    struct capstan_tensors *file;

    if (capstan_tensors_open(MPI_COMM_WORLD, path, MPI_INFO_NULL, &file) != 0)
        test_fail(__FILE__, __LINE__, capstan_tensors_error(file));
    return file;
}

static uint64_t generation_of(const char *path)
{
    struct capstan_tensors *file;
    uint64_t generation = 0;

    if (capstan_tensors_open(MPI_COMM_WORLD, path, MPI_INFO_NULL, &file) == 0)
        generation = capstan_tensors_generation(file);
    capstan_tensors_close(&file);
    return generation;
}

static void save_often(const char *path, long times)
{
    uint64_t generation = generation_of(path);

    for (long i = 0; i < times; i++) {
        save(path, ++generation);
        if (test.rank == 0) {
            printf("saved %llu\n", (unsigned long long)generation);
            fflush(stdout);
        }
    }
}

static void check_rows(struct capstan_tensors *file, uint64_t generation,
                       uint64_t first, uint64_t rows)
{
    const struct capstan_tensor *w = capstan_tensors_find(file, "w");
    uint32_t *wanted = rows_of(generation, first, rows);
    uint32_t *found = calloc(rows * 3 + 1, sizeof(*found));

    CHECK(w != NULL && w->rows == ROWS(generation) && w->row_length == 12);
    CHECK(capstan_tensors_read(file, w, first, rows, found) == 0);
    CHECK(memcmp(wanted, found, rows * 12) == 0);
    free(wanted);
    free(found);
}

static void load(const char *path, uint64_t least)
{
    struct capstan_tensors *file = open_good(path);
    uint64_t generation = capstan_tensors_generation(file);
    uint64_t rows = ROWS(generation), first = begin_of(rows, test.rank);
    const struct capstan_tensor *one;
    uint32_t bias[5], own;
    size_t count;

    CHECK(generation >= least);
    check_rows(file, generation, 0, rows); /* the same on all */
    check_rows(file, generation, first, begin_of(rows, test.rank + 1) - first);
    check_rows(file, generation, rows, 0);
    one = capstan_tensors_find(file, "bias");
    CHECK(one != NULL && one->rows == 5);
    CHECK(capstan_tensors_read(file, one, 0, 5, bias) == 0);
    CHECK(bias[0] == generation && bias[4] == generation);
    one = capstan_tensors_find(file, "own0");
    CHECK(one != NULL && one->ndims == 0);
    CHECK(capstan_tensors_read(file, one, 0, 1, &own) == 0 && own == 0);
    CHECK(capstan_tensors_read(file, one, 1, 1, &own) == -EINVAL);
    CHECK(capstan_tensors_list(file, &count)[0].offset >= 8192 && count >= 3);
    CHECK(capstan_tensors_find(file, "none") == NULL);
    capstan_tensors_close(&file);
    CHECK(file == NULL);
    if (test.rank == 0)
        printf("loaded %llu\n", (unsigned long long)generation);
}

/* a: U32, 70 x 100, counting; odd: U8, 5, counting; none: F64, 0 x 3. */
static void plain(const char *path)
{
    struct capstan_tensors *file = open_good(path);
    const struct capstan_tensor *a = capstan_tensors_find(file, "a");
    const struct capstan_tensor *odd = capstan_tensors_find(file, "odd \"1\"");
    const struct capstan_tensor *none = capstan_tensors_find(file, "none");
    const struct capstan_tensor *eight = capstan_tensors_find(file, "eight");
    uint32_t values[7000];
    unsigned char bytes[5];

    CHECK(capstan_tensors_generation(file) == 0);
    CHECK(a != NULL && odd != NULL && none != NULL && none->rows == 0);
    CHECK(strcmp(a->type, "U32") == 0 && a->dims[1] == 100);
    CHECK(capstan_tensors_read(file, a, 0, 70, values) == 0);
    for (uint32_t i = 0; i < 7000; i++)
        CHECK(values[i] == i);
    CHECK(capstan_tensors_read(file, a, (uint64_t)test.rank, 2, values) == 0);
    CHECK(values[0] == 100u * (unsigned)test.rank);
    CHECK(capstan_tensors_read(file, odd, 0, 5, bytes) == 0 && bytes[4] == 4);
    /* The last of a's bytes once more: 6999, little-endian. */
    CHECK(eight != NULL && eight->row_length == 1);
    CHECK(capstan_tensors_read(file, eight, 0, 2, bytes) == 0 &&
          bytes[0] == 0x57 && bytes[1] == 0x1b);
    CHECK(capstan_tensors_read(file, none, 0, 0, NULL) == 0);
    capstan_tensors_close(&file);
}

static void fails(const char *path, long code)
{
    struct capstan_tensors *file;
    char first[CAPSTAN_TENSORS_TEXT_MAX];
    int rc = capstan_tensors_open(MPI_COMM_WORLD, path, MPI_INFO_NULL, &file);

    if (rc != code)
        test_fail(__FILE__, __LINE__, capstan_tensors_error(file));
    snprintf(first, sizeof(first), "%s", capstan_tensors_error(file));
    MPI_Bcast(first, sizeof(first), MPI_CHAR, 0, MPI_COMM_WORLD);
    CHECK(strcmp(first, capstan_tensors_error(file)) == 0 && *first != '\0');
    capstan_tensors_close(&file);
}

static void refuse_one(const char *path, const char *type, uint64_t rows,
                       uint64_t first, uint64_t count)
{
    char text[CAPSTAN_TENSORS_TEXT_MAX];
    double data[8] = {0};
    struct capstan_part part = {"x", type, 1, &rows, first, count, data};

    CHECK(capstan_checkpoint_save(MPI_COMM_WORLD, path, MPI_INFO_NULL, &part, 1,
                                  NULL, text) == -EINVAL);
    CHECK(*text != '\0');
}

static void refuse(const char *path)
{
    refuse_one(path, "<f8", 8, 0, 7); /* a row that nobody gives */
    refuse_one(path, "<f8", 8, 1, 7);
    refuse_one(path, "<f8", 8, 8, 1); /* beyond the end */
    refuse_one(path, "|O", 8, 0, 8);
    if (test.size > 1) { /* ranks differ */
        refuse_one(path, "<f8", 4 + (uint64_t)test.rank, 0, 4);
        refuse_one(path, test.rank == 0 ? "<f8" : "<f4", 4, 0, 4);
    }
    CHECK(generation_of(path) == 0);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
    long number = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    if (strcmp(verb, "save") == 0)
        save_often(path, number);
    else if (strcmp(verb, "load") == 0)
        load(path, (uint64_t)number);
    else if (strcmp(verb, "plain") == 0)
        plain(path);
    else if (strcmp(verb, "fails") == 0)
        fails(path, number);
    else if (strcmp(verb, "refuse") == 0)
        refuse(path);
    else
        test_fail(__FILE__, __LINE__, "usage");
    MPI_Finalize();
    return 0;
}
