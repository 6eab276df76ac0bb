/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random types: one constructor around another, arguments drawn from the rules.
 * In memory, places may go back and lie below zero; in files they go up.
 */
#include "conformance_type_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 4

/* Blocks with gaps between them. */
struct blocks {
    int n;
    int lengths[BLOCKS_MAX];
    int starts[BLOCKS_MAX]; /* in extents, or in units */
    MPI_Aint places[BLOCKS_MAX];
    char text[160];
};

static int below(const struct type_rules *rules, int bound)
{
    return (int)rng_below(rules->rng, (uint64_t)bound);
}

static bool chance(const struct type_rules *rules, unsigned percent)
{
    return rng_chance(rules->rng, percent);
}

struct ctype *type_contiguous(const struct ctype *old, int count)
{
    struct ctype *type = must_alloc(sizeof(*type));

    type_must(MPI_Type_contiguous(count, old->mpi, &type->mpi), "contiguous");
    type_add_block(type, old, 0, count);
    return type_finish(type, text_make("contiguous(%d, %s)", count, old->text));
}

struct ctype *type_resized(const struct ctype *old, int64_t lb, int64_t extent)
{
    struct ctype *type = must_alloc(sizeof(*type));

    type_must(MPI_Type_create_resized(old->mpi, lb, extent, &type->mpi),
              "resized");
    type_add(type, old, 0);
    return type_finish(type, text_make("resized(%lld, %lld, %s)", (long long)lb,
                                       (long long)extent, old->text));
}

struct ctype *type_pair(const struct ctype *old, int64_t second)
{
    struct ctype *type = must_alloc(sizeof(*type));
    int lengths[2] = {1, 1};
    MPI_Aint places[2] = {0, second};

    type_must(
        MPI_Type_create_hindexed(2, lengths, places, old->mpi, &type->mpi),
        "hindexed");
    type_add(type, old, 0);
    type_add(type, old, second);
    return type_finish(type, text_make("hindexed(1 at 0, 1 at %lld, %s)",
                                       (long long)second, old->text));
}

/* "2 at 5, 1 at 9", as the constructor has it. */
static const char *blocks_text(struct blocks *blocks, bool are_places)
{
    int at = 0;

    for (int i = 0; i < blocks->n; i++)
        at += snprintf(blocks->text + at, sizeof(blocks->text) - (size_t)at,
                       "%d at %lld, ", blocks->lengths[i],
                       are_places ? (long long)blocks->places[i]
                                  : (long long)blocks->starts[i]);
    return blocks->text;
}

struct ctype *type_repeats(struct rng *rng, const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    struct blocks blocks = {.n = 2 + (int)rng_below(rng, BLOCKS_MAX - 1)};

    for (int i = 0; i < blocks.n; i++) {
        blocks.lengths[i] = 1;
        if (i > 0)
            blocks.starts[i] = blocks.starts[i - 1] + (int)rng_below(rng, 3);
    }
    type_must(MPI_Type_create_indexed_block(blocks.n, 1, blocks.starts,
                                            old->mpi, &type->mpi),
              "indexed_block");
    for (int i = 0; i < blocks.n; i++)
        type_add(type, old, blocks.starts[i] * old->extent);
    return type_finish(type, text_make("indexed_block(%s%s)",
                                       blocks_text(&blocks, false), old->text));
}

struct ctype *type_column(const struct ctype *old, int rows, int width)
{
    struct ctype *type = must_alloc(sizeof(*type));

    type_must(MPI_Type_vector(rows, 1, width, old->mpi, &type->mpi), "vector");
    for (int i = 0; i < rows; i++)
        type_add(type, old, i * width * old->extent);
    return type_finish(
        type, text_make("vector(%d, 1, %d, %s)", rows, width, old->text));
}

static struct ctype *make_vector(const struct type_rules *rules,
                                 const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    int count = below(rules, 6),
        length = chance(rules, 5) ? 0 : 1 + below(rules, 3);
    int stride = length + below(rules, 4);

    if (!rules->is_file && chance(rules, 25))
        stride = -stride;
    type_must(MPI_Type_vector(count, length, stride, old->mpi, &type->mpi),
              "vector");
    for (int i = 0; i < count; i++)
        type_add_block(type, old, i * stride * old->extent, length);
    return type_finish(type, text_make("vector(%d, %d, %d, %s)", count, length,
                                       stride, old->text));
}

static struct ctype *make_hvector(const struct type_rules *rules,
                                  const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    int count = 1 + below(rules, 5), length = 1 + below(rules, 3);
    MPI_Aint stride = length * old->extent + below(rules, 6) * rules->unit;

    if (!rules->is_file && chance(rules, 25))
        stride = -stride;
    type_must(
        MPI_Type_create_hvector(count, length, stride, old->mpi, &type->mpi),
        "hvector");
    for (int i = 0; i < count; i++)
        type_add_block(type, old, i * stride, length);
    return type_finish(type, text_make("hvector(%d, %d, %lld, %s)", count,
                                       length, (long long)stride, old->text));
}

static void swap_blocks(struct blocks *blocks, int i, int k)
{
    int start = blocks->starts[i], length = blocks->lengths[i];
    MPI_Aint place = blocks->places[i];

    blocks->starts[i] = blocks->starts[k];
    blocks->starts[k] = start;
    blocks->lengths[i] = blocks->lengths[k];
    blocks->lengths[k] = length;
    blocks->places[i] = blocks->places[k];
    blocks->places[k] = place;
}

/* starts: whole extents apart. places: whole units apart. */
static void choose_blocks(const struct type_rules *rules,
                          const struct ctype *old, bool is_same_length,
                          struct blocks *blocks)
{
    int start = 0, length = 1 + below(rules, 3);
    int64_t place = 0;

    memset(blocks, 0, sizeof(*blocks));
    blocks->n = 1 + below(rules, BLOCKS_MAX);
    if (!rules->is_file && chance(rules, 30)) {
        start = -below(rules, 8);
        place = -below(rules, 8) * rules->unit;
    }
    for (int i = 0; i < blocks->n; i++) {
        start += below(rules, 3);
        place += below(rules, 4) * rules->unit;
        blocks->starts[i] = start;
        blocks->places[i] = place;
        blocks->lengths[i] = is_same_length ? length : below(rules, 4);
        start += blocks->lengths[i];
        place += blocks->lengths[i] * old->extent;
    }
    for (int i = 0; i < blocks->n && !rules->is_file && !is_same_length; i++)
        swap_blocks(blocks, i, below(rules, blocks->n));
}

static struct ctype *make_indexed(const struct type_rules *rules,
                                  const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    bool is_block = chance(rules, 40);
    struct blocks blocks;

    choose_blocks(rules, old, is_block, &blocks);
    if (is_block)
        type_must(MPI_Type_create_indexed_block(blocks.n, blocks.lengths[0],
                                                blocks.starts, old->mpi,
                                                &type->mpi),
                  "indexed_block");
    else
        type_must(MPI_Type_indexed(blocks.n, blocks.lengths, blocks.starts,
                                   old->mpi, &type->mpi),
                  "indexed");
    for (int i = 0; i < blocks.n; i++)
        type_add_block(type, old, blocks.starts[i] * old->extent,
                       blocks.lengths[i]);
    return type_finish(type, text_make("%s(%s%s)",
                                       is_block ? "indexed_block" : "indexed",
                                       blocks_text(&blocks, false), old->text));
}

static struct ctype *make_hindexed(const struct type_rules *rules,
                                   const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type));
    bool is_block = chance(rules, 40);
    struct blocks blocks;

    choose_blocks(rules, old, is_block, &blocks);
    if (is_block)
        type_must(MPI_Type_create_hindexed_block(blocks.n, blocks.lengths[0],
                                                 blocks.places, old->mpi,
                                                 &type->mpi),
                  "hindexed_block");
    else
        type_must(MPI_Type_create_hindexed(blocks.n, blocks.lengths,
                                           blocks.places, old->mpi, &type->mpi),
                  "hindexed");
    for (int i = 0; i < blocks.n; i++)
        type_add_block(type, old, blocks.places[i], blocks.lengths[i]);
    return type_finish(type, text_make("%s(%s%s)",
                                       is_block ? "hindexed_block" : "hindexed",
                                       blocks_text(&blocks, true), old->text));
}

static struct ctype *make(const struct type_rules *rules, int depth);

static struct ctype *make_struct(const struct type_rules *rules,
                                 const struct ctype *old)
{
    struct ctype *type = must_alloc(sizeof(*type)), *other = make(rules, 1);
    int lengths[2] = {1 + below(rules, 2), below(rules, 3)};
    int64_t end = lengths[0] * old->extent + old->lb;
    MPI_Datatype types[2] = {old->mpi, other->mpi};
    MPI_Aint places[2] = {0, end + below(rules, 4) * rules->unit};

    if (other->lb < 0)
        places[1] -= other->lb;
    type_must(MPI_Type_create_struct(2, lengths, places, types, &type->mpi),
              "struct");
    type_add_block(type, old, places[0], lengths[0]);
    type_add_block(type, other, places[1], lengths[1]);
    type_finish(type, text_make("struct(%d at %lld of %s, %d at %lld of %s)",
                                lengths[0], (long long)places[0], old->text,
                                lengths[1], (long long)places[1], other->text));
    type_free(&other);
    return type;
}

static struct ctype *make_resized(const struct type_rules *rules,
                                  const struct ctype *old)
{
    int64_t lb = old->lb, extent = old->extent + below(rules, 5) * rules->unit;

    if (!rules->is_file && chance(rules, 50))
        lb -= below(rules, 6) * rules->unit;
    return type_resized(old, lb, extent);
}

static struct ctype *wrap(const struct type_rules *rules,
                          const struct ctype *old)
{
    switch (below(rules, 9)) {
    case 0:
        return type_contiguous(old, below(rules, 6));
    case 1:
        return make_vector(rules, old);
    case 2:
        return make_hvector(rules, old);
    case 3:
        return make_indexed(rules, old);
    case 4:
        return make_hindexed(rules, old);
    case 5:
        return make_struct(rules, old);
    case 6:
        return type_subarray(rules, old);
    case 7:
        /* Open MPI 4.1 refuses a darray of an empty type. */
        return old->size > 0 ? type_darray(rules, old)
                             : type_subarray(rules, old);
    default:
        return make_resized(rules, old);
    }
}

static struct ctype *make(const struct type_rules *rules, int depth)
{
    struct ctype *old, *type;

    if (depth <= 0)
        return type_contiguous(rules->leaf, 1);
    old = make(rules, below(rules, depth));
    if (old->size > TYPE_BYTES_MAX / 16)
        return old;
    type = wrap(rules, old);
    type_free(&old);
    return type;
}

/*
 * Types that are allowed where they are used. One that MPI_Pack sees otherwise
 * than the standard is not the file's fault and is not used (Open MPI 4.1 has
 * vectors of bytes that go down by one, for instance).
 */
struct ctype *type_random(const struct type_rules *rules)
{
    for (int attempt = 0; attempt < 8; attempt++) {
        struct ctype *type = make(rules, below(rules, rules->depth + 1));

        if (type->size <= TYPE_BYTES_MAX &&
            (rules->is_file ? type_is_filetype(type)
                            : type_is_disjoint(type, 1)) &&
            type_agrees_with_pack(type))
            return type;
        type_free(&type);
    }
    return type_contiguous(rules->leaf, 1);
}

struct ctype *type_record(struct rng *rng, const struct signature *signature,
                          bool is_file)
{
    struct ctype *type = must_alloc(sizeof(*type)), *parts[SIGNATURE_MAX];
    int n = signature->nbasics, order[SIGNATURE_MAX], lengths[SIGNATURE_MAX];
    MPI_Datatype types[SIGNATURE_MAX];
    MPI_Aint places[SIGNATURE_MAX], place = 0;
    char *text = text_make("record(");

    for (int i = 0; i < n; i++) {
        parts[i] = type_basic(signature->basics[i]);
        types[i] = parts[i]->mpi;
        lengths[i] = 1;
        order[i] = (int)((!is_file && rng_chance(rng, 50)) ? n - 1 - i : i);
    }
    if (n > 1 && order[0] == order[n - 1])
        order[0] = n - 1 - order[n - 1];
    if (n == 3)
        order[1] = 1;
    for (int k = 0; k < n; k++) {
        int i = order[k];

        place = (place + 7) / 8 * 8;
        places[i] = place;
        place += (MPI_Aint)parts[i]->size + 8 * (MPI_Aint)rng_below(rng, 2);
    }
    type_must(MPI_Type_create_struct(n, lengths, places, types, &type->mpi),
              "struct");
    for (int i = 0; i < n; i++) {
        char *longer = text_make("%s%s%s at %lld", text, i > 0 ? ", " : "",
                                 parts[i]->text, (long long)places[i]);

        free(text);
        text = longer;
        type_add(type, parts[i], places[i]);
        type_free(&parts[i]);
    }
    type_finish(type, text_make("%s)", text));
    free(text);
    return type;
}
