/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ranks ask for: files where the product would put them, pieces on the
 * columns of their layouts, messages as long as they would be.
 *
 * As the client library does, an operation sends each column one request, or
 * more when its runs, or the bytes of small pieces, fill one (io_part.c).
 */
#include "base/placement.h"
#include "benchmarks/scale_model.h"
#include "proto/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKED_BYTES                                                           \
    (512u << 10)              /* IO_BOUNCE_BYTES of src/client/io_pack.h       \
                               */
#define PART_BYTES (8u << 20) /* IO_PART_BYTES of src/client/io.h */

/* The request that is being made for a column. */
struct part {
    struct request request;
    struct proto_runs encoder;
    size_t len;
    uint8_t runs[PROTO_RUNS_MAX];
};

static struct part parts[LAYOUT_WIDTH_MAX];

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "scale_sim: %s\n", what);
    exit(1);
}

/* --- Files --- */

static uint64_t make_directory(const struct world *world, unsigned i)
{
    char name[32];
    int len = snprintf(name, sizeof(name), "directory-%u", i);

    return ino_make(placement_owner(INO_ROOT, name, (size_t)len,
                                    world->target_ids, world->ntargets),
                    i + 2);
}

static void make_file(struct world *world, unsigned i)
{
    struct layout *layout = &world->files[i];
    unsigned most =
        world->ntargets < LAYOUT_WIDTH_MAX ? world->ntargets : LAYOUT_WIDTH_MAX;
    unsigned width = (unsigned)world->set.width;
    uint64_t parent =
        make_directory(world, i % (unsigned)world->set.directories);
    char name[32];
    int len = snprintf(name, sizeof(name), "shard-%06u", i);
    uint16_t owner = placement_owner(parent, name, (size_t)len,
                                     world->target_ids, world->ntargets);

    layout->stripe_size = (uint32_t)world->set.stripe_kib << 10;
    layout->width = (uint16_t)(width == 0 || width > most ? most : width);
    layout->replicas = 1;
    layout->is_striped = true;
    placement_columns(owner, world->target_ids, world->ntargets, layout->width,
                      layout->targets);
    must(layout_check(layout) == 0, "a layout that cannot be");
}

void work_init(struct world *world)
{
    unsigned nfiles = (unsigned)world->set.files;

    world->files = calloc(nfiles, sizeof(*world->files));
    must(world->files != NULL, "no memory");
    for (unsigned i = 0; i < nfiles; i++)
        make_file(world, i);
}

void work_fini(struct world *world)
{
    free(world->files);
}

/* --- Messages --- */

/* The data that rides in an answer is the request's bytes already. */
static void measure_messages(struct request *request, const struct part *part,
                             const struct layout *layout, bool is_inline)
{
    static uint8_t message[PROTO_MESSAGE_MAX], sums[4 * PROTO_SUMS_MAX];
    uint32_t nsums = request->bytes / PROTO_FRAGMENT;
    union proto_req req = {.read = {.stripe_size = layout->stripe_size,
                                    .columns = layout->width,
                                    .is_inline = is_inline,
                                    .runs = {part->runs, (uint32_t)part->len}}};
    union proto_rep rep = {.read = {.bytes = request->bytes}};
    size_t len;

    if (!is_inline)
        rep.read.sums = (struct proto_bytes){
            sums, 4 * (nsums < PROTO_SUMS_MAX ? nsums : 2)};
    must(proto_req_encode(PROTO_OP_read, &req, message, sizeof(message),
                          &len) == 0,
         "a request that is too long");
    request->message = (uint32_t)len + PROTO_HEADER_SIZE;
    must(proto_rep_encode(PROTO_OP_read, &rep, message, sizeof(message),
                          &len) == 0,
         "an answer that is too long");
    request->reply = (uint32_t)len + PROTO_HEADER_SIZE;
}

static void part_send(struct world *world, struct part *part,
                      const struct layout *layout, bool is_inline)
{
    if (part->request.pieces == 0)
        return;
    measure_messages(&part->request, part, layout, is_inline);
    world_send(world, &part->request);
    part->request.pieces = part->request.bytes = 0;
    part->len = 0;
    part->encoder = (struct proto_runs){0};
}

/* Add a run, of which `bytes` lie on the column. @return false: it is full. */
static bool part_add(struct part *part, const struct run *run, uint64_t bytes,
                     uint64_t most)
{
    uint8_t *end = part->runs + part->len;

    if (part->request.pieces > 0 && part->request.bytes + bytes > most)
        return false;
    if (proto_run_encode(&part->encoder, run, &end,
                         part->runs + sizeof(part->runs)) != 0)
        return false;
    part->len = (size_t)(end - part->runs);
    part->request.pieces++;
    part->request.bytes += (uint32_t)bytes;
    return true;
}

static void add(struct world *world, const struct layout *layout,
                unsigned column, const struct run *run, uint64_t bytes,
                uint64_t most)
{
    struct part *part = &parts[column];

    if (part_add(part, run, bytes, most))
        return;
    part_send(world, part, layout, false);
    must(part_add(part, run, bytes, most), "a run that is too long");
}

/* --- Operations --- */

/* One extent: whole to each column that it touches, as the library sends it. */
void work_extent(struct world *world, const struct layout *layout,
                 uint64_t offset, uint64_t length)
{
    struct run run = {.offset = offset, .length = length, .count = 1};
    uint32_t stripe = layout->stripe_size;

    for (unsigned c = 0; c < layout->width; c++) {
        uint64_t bytes =
            layout_object_size(stripe, layout->width, c, offset + length) -
            layout_object_size(stripe, layout->width, c, offset);

        if (bytes > 0)
            add(world, layout, c, &run, bytes, PART_BYTES);
    }
}

static void add_pieces(struct world *world, const struct layout *layout,
                       struct rng *rng)
{
    uint64_t length = (uint64_t)world->set.transfer_kib << 10;
    uint64_t places = ((uint64_t)world->set.file_mib << 20) / length;
    unsigned n = (unsigned)world->set.pieces;
    struct run run = {.length = length, .count = 1};

    for (unsigned i = 0; i < n; i++) {
        run.offset = rng_below(rng, places) * length;
        run.mem = i * length;
        add(world, layout,
            (unsigned)(run.offset / layout->stripe_size % layout->width), &run,
            length, PACKED_BYTES);
    }
}

/* Ranks of a file have a part of it each, and go round in it from a random
 * place on: else all would walk over the columns in step. */
static void add_next(struct world *world, const struct layout *layout,
                     struct rank *rank, uint32_t number)
{
    uint64_t length = (uint64_t)world->set.transfer_kib << 10;
    uint64_t size = (uint64_t)world->set.file_mib << 20;
    uint64_t nranks = (world->nranks - 1) / (uint64_t)world->set.files + 1;
    uint64_t part = size / nranks / length * length;
    uint64_t start = number / (uint64_t)world->set.files * part;

    if (rank->position == 0 && part > 0)
        rank->position = rng_below(&rank->rng, part / length) * length;
    work_extent(world, layout, start + rank->position, length);
    rank->position = (rank->position + length) % (part > 0 ? part : length);
}

void work_begin(struct world *world, uint32_t rank, const struct layout *layout)
{
    (void)world;
    for (unsigned c = 0; c < layout->width; c++)
        parts[c].request = (struct request){
            .rank = rank, .target = (uint16_t)(layout->targets[c] - 1)};
}

void work_end(struct world *world, const struct layout *layout)
{
    uint64_t total = 0;

    for (unsigned c = 0; c < layout->width; c++)
        total += parts[c].request.bytes;
    for (unsigned c = 0; c < layout->width; c++)
        part_send(world, &parts[c], layout, total <= PROTO_INLINE_MAX);
}

void work_next(struct world *world, uint32_t number)
{
    struct rank *rank = &world->ranks[number];
    unsigned nfiles = (unsigned)world->set.files;
    bool is_stream = world->set.is_stream != 0;
    const struct layout *layout =
        &world->files[is_stream ? number % nfiles
                                : rng_below(&rank->rng, nfiles)];

    work_begin(world, number, layout);
    if (is_stream)
        add_next(world, layout, rank, number);
    else
        add_pieces(world, layout, &rank->rng);
    work_end(world, layout);
}
