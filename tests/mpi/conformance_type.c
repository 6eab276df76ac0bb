/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A type and its map: what every constructor needs, and what is asked of a
 * finished type.
 */
#include "conformance_type.h"

#include "conformance_type_make.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    MPI_Datatype type;
    const char *name;
} basics[] = {
    {MPI_BYTE, "BYTE"},     {MPI_CHAR, "CHAR"},   {MPI_SHORT, "SHORT"},
    {MPI_INT, "INT"},       {MPI_FLOAT, "FLOAT"}, {MPI_DOUBLE, "DOUBLE"},
    {MPI_INT64_T, "INT64"},
};

int type_nbasics(void)
{
    return (int)(sizeof(basics) / sizeof(basics[0]));
}

void *must_alloc(size_t size)
{
    void *memory = calloc(1, size + 1);

    if (memory == NULL) {
        fprintf(stderr, "conformance: no memory\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    return memory;
}

char *text_make(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = must_alloc((size_t)length);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

/* A constructor with arguments that the standard allows must succeed. */
void type_must(int rc, const char *what)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (rc == MPI_SUCCESS)
        return;
    MPI_Error_string(rc, text, &length);
    fprintf(stderr, "conformance: %s: %s\n", what, text);
    MPI_Abort(MPI_COMM_WORLD, 2);
}

void type_add(struct ctype *type, const struct ctype *old, int64_t at)
{
    if (type->size + old->size > type->room) {
        type->room = 2 * (type->size + old->size);
        type->bytes = realloc(type->bytes, type->room * sizeof(*type->bytes));
        type->elements = realloc(type->elements, type->room);
        if (type->bytes == NULL || type->elements == NULL)
            MPI_Abort(MPI_COMM_WORLD, 2);
    }
    for (size_t i = 0; i < old->size; i++)
        type->bytes[type->size++] = old->bytes[i] + at;
    for (size_t i = 0; i < old->nelements; i++)
        type->elements[type->nelements++] = old->elements[i];
}

void type_add_block(struct ctype *type, const struct ctype *old, int64_t at,
                    int count)
{
    for (int i = 0; i < count; i++)
        type_add(type, old, at + i * old->extent);
}

static void find_runs(struct ctype *type)
{
    type->runs = must_alloc(type->size * sizeof(*type->runs));
    for (size_t i = type->size; i-- > 0;) {
        bool goes_on =
            i + 1 < type->size && type->bytes[i + 1] == type->bytes[i] + 1;

        type->runs[i] = 1 + (goes_on ? type->runs[i + 1] : 0);
    }
}

int64_t type_piece(const struct ctype *type, int64_t n, int64_t most,
                   int64_t *length_out)
{
    int64_t size = (int64_t)type->size, tile = n / size, in_tile = n % size;
    bool is_solid = type->runs[0] == size && type->extent == size;
    int64_t length = is_solid ? most : type->runs[in_tile];

    *length_out = length < most ? length : most;
    return tile * type->extent + type->bytes[in_tile];
}

struct ctype *type_finish(struct ctype *type, char *text)
{
    MPI_Aint lb, extent;

    find_runs(type);
    type_must(MPI_Type_get_extent(type->mpi, &lb, &extent), "extent");
    if (!type->is_basic)
        type_must(MPI_Type_commit(&type->mpi), "commit");
    type->lb = lb;
    type->extent = extent;
    type->text = text;
    return type;
}

struct ctype *type_basic(int number)
{
    struct ctype *type = must_alloc(sizeof(*type));
    int size;

    type->mpi = basics[number].type;
    type->is_basic = true;
    MPI_Type_size(type->mpi, &size);
    type->bytes = must_alloc((size_t)size * sizeof(*type->bytes));
    type->elements = must_alloc(1);
    for (int i = 0; i < size; i++)
        type->bytes[i] = i;
    type->elements[0] = (unsigned char)size;
    type->size = type->room = (size_t)size;
    type->nelements = 1;
    return type_finish(type, text_make("%s", basics[number].name));
}

void type_free(struct ctype **type_p)
{
    struct ctype *type = *type_p;

    *type_p = NULL;
    if (type == NULL)
        return;
    if (!type->is_basic)
        MPI_Type_free(&type->mpi);
    free(type->bytes);
    free(type->runs);
    free(type->elements);
    free(type->text);
    free(type);
}

bool type_is_filetype(const struct ctype *type)
{
    for (size_t i = 0; i < type->size; i++)
        if (type->bytes[i] < 0 ||
            (i > 0 && type->bytes[i] <= type->bytes[i - 1]))
            return false;
    return type->extent >= 0 && !type_interlaces(type);
}

bool type_interlaces(const struct ctype *type)
{
    return type->size > 0 &&
           type->bytes[type->size - 1] + 1 - type->bytes[0] > type->extent;
}

void type_bounds(const struct ctype *type, int count, int64_t *first_out,
                 int64_t *last_out)
{
    int64_t shift = (count - 1) * type->extent;

    *first_out = 0;
    *last_out = -1;
    if (type->size == 0 || count == 0)
        return;
    *first_out = *last_out = type->bytes[0];
    for (size_t i = 0; i < type->size; i++) {
        int64_t low = type->bytes[i] + (shift < 0 ? shift : 0);
        int64_t high = type->bytes[i] + (shift > 0 ? shift : 0);

        if (low < *first_out)
            *first_out = low;
        if (high > *last_out)
            *last_out = high;
    }
}

bool type_is_disjoint(const struct ctype *type, int count)
{
    int64_t first, last;
    bool is_disjoint = true;
    char *seen;

    type_bounds(type, count, &first, &last);
    seen = must_alloc((size_t)(last - first + 1));
    for (int k = 0; k < count; k++)
        for (size_t i = 0; i < type->size; i++) {
            int64_t at = type->bytes[i] + k * type->extent - first;

            is_disjoint = is_disjoint && seen[at] == 0;
            seen[at] = 1;
        }
    free(seen);
    return is_disjoint;
}

static bool is_packed_from(const unsigned char *packed,
                           const unsigned char *memory, int64_t first,
                           const struct ctype *type, int64_t size)
{
    int64_t length;

    for (int64_t i = 0; i < size; i += length) {
        int64_t at = type_piece(type, i, size - i, &length) - first;

        if (memcmp(packed + i, memory + at, (size_t)length) != 0)
            return false;
    }
    return true;
}

/* Memory tells where it is: the place in base 256, one digit a turn. */
static bool agrees(const struct ctype *type, int count)
{
    size_t size = type->size * (size_t)count;
    int64_t first, last;
    bool agrees = true;
    unsigned char *memory, *packed = must_alloc(size);

    type_bounds(type, count, &first, &last);
    memory = must_alloc((size_t)(last - first + 1));
    for (int digit = 0; digit == 0 || (last - first) >> (8 * digit) > 0;
         digit++) {
        int at = 0;

        for (int64_t i = 0; i <= last - first; i++)
            memory[i] = (unsigned char)(i >> (8 * digit));
        type_must(MPI_Pack((void *)((intptr_t)memory - first), count, type->mpi,
                           packed, (int)size, &at, MPI_COMM_SELF),
                  "MPI_Pack");
        agrees = agrees && at == (int)size;
        agrees = agrees &&
                 is_packed_from(packed, memory, first, type, (int64_t)size);
    }
    free(packed);
    free(memory);
    return agrees;
}

bool type_agrees_with_pack(const struct ctype *type)
{
    return type->size == 0 || (agrees(type, 1) && agrees(type, 3));
}

int64_t type_elements(const struct ctype *type, int64_t bytes)
{
    int64_t whole, rest;

    if (type->size == 0)
        return 0;
    whole = bytes / (int64_t)type->size * (int64_t)type->nelements;
    rest = bytes % (int64_t)type->size;
    for (size_t i = 0; i < type->nelements && rest > 0; i++) {
        rest -= type->elements[i];
        whole++;
    }
    return rest == 0 ? whole : -1;
}
