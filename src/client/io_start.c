/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that read and write: they start operations and end them.
 *
 * The happy path: the runs are checked and copied, everything the operation
 * will need is allocated, and the first messages go out; test or wait turns the
 * session until io.c says it is over.
 *
 * Possible failure modes are: a file not opened for it, runs beyond what a file
 * can hold, no memory: nothing was started then.
 */
#include "client/io.h"

#include "base/mem.h"
#include "client/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PARTS_PER_COLUMN 4u /* in flight to one target at most */
#define MASK_RUNS_MAX 16u   /* runs looked at to tell the columns */

/* @return 0, or -EFBIG: beyond offset 2^63, or more bytes than that. */
static int check_run(const struct capstan_run *run)
{
    uint64_t reach, bytes, end;

    if (__builtin_mul_overflow(run->length, run->count, &bytes) ||
        __builtin_mul_overflow(run->count - 1, run->stride, &reach) ||
        __builtin_add_overflow(run->offset, reach, &end) ||
        __builtin_add_overflow(end, run->length, &end))
        return -EFBIG;
    return end > INT64_MAX || bytes > INT64_MAX ? -EFBIG : 0;
}

static void copy_run(struct run *to, const struct capstan_run *from)
{
    to->offset = from->offset;
    to->length = from->length;
    to->count = from->count;
    to->stride = from->count > 1 ? from->stride : 0;
    to->mem = (uintptr_t)from->memory;
    to->mem_stride = from->count > 1 ? from->mem_stride : 0;
}

static int copy_runs(struct capstan_request *request,
                     const struct capstan_run *runs, size_t nruns)
{
    size_t i;
    int rc;

    request->runs = mem_calloc(nruns > 0 ? nruns : 1, sizeof(*request->runs));
    if (request->runs == NULL)
        return -ENOMEM;
    for (i = 0; i < nruns; i++) {
        if (runs[i].length == 0 || runs[i].count == 0)
            continue;
        rc = check_run(&runs[i]);
        if (rc != 0)
            return rc;
        copy_run(&request->runs[request->nruns++], &runs[i]);
        request->total += runs[i].length * runs[i].count;
        if (request->total > INT64_MAX)
            return -EFBIG;
    }
    return 0;
}

static unsigned count_columns(const struct capstan_request *request)
{
    uint64_t mask = 0;
    size_t i;

    if (request->nruns > MASK_RUNS_MAX)
        return request->map.columns;
    for (i = 0; i < request->nruns; i++)
        mask |= split_columns(&request->map, &request->runs[i]);
    return (unsigned)__builtin_popcountll(mask);
}

/* How many parts can be in use at once at most: no more are allocated. */
static unsigned count_parts(const struct capstan_request *request)
{
    unsigned columns = count_columns(request);
    uint64_t full = request->is_packed ? IO_BOUNCE_BYTES : IO_PART_BYTES;
    uint64_t wanted = columns + 2 * request->total / full +
                      request->nruns * IO_RUN_BYTES / PROTO_RUNS_MAX +
                      request->memory.nspans - (request->memory.nspans > 0);

    if (wanted > columns * PARTS_PER_COLUMN)
        wanted = columns * PARTS_PER_COLUMN;
    return wanted < IO_PARTS_MAX ? (unsigned)wanted : IO_PARTS_MAX;
}

/* Sums of one part at most; 0 if none are wanted. */
static size_t count_sums(const struct capstan_request *request)
{
    uint64_t most = 0;
    size_t i;

    if (request->session->no_sums || request->total <= PROTO_INLINE_MAX)
        return 0;
    for (i = 0; i < request->nruns && most < PROTO_SUMS_MAX; i++)
        most += split_fragments(&request->runs[i]);
    return most < PROTO_SUMS_MAX ? most + 1 : PROTO_SUMS_MAX; /* or a fold */
}

static int allocate_parts(struct capstan_request *request)
{
    size_t data_room = 0, sums_room = 0, packed_room, room;
    struct io_part *part;
    uint8_t *at;
    unsigned i;

    request->is_packed = request->total > PROTO_INLINE_MAX &&
                         io_pack_pays(request->runs, request->nruns);
    request->nparts = count_parts(request);
    request->runs_room = PROTO_RUNS_MAX;
    if (request->nruns + 2 < PROTO_RUNS_MAX / IO_RUN_BYTES)
        request->runs_room = (request->nruns + 2) * IO_RUN_BYTES;
    if (request->is_write)
        data_room = request->total < PROTO_INLINE_MAX ? request->total
                                                      : PROTO_INLINE_MAX;
    request->nsums_room = count_sums(request);
    if (request->is_write) /* a read finds them in the answer */
        sums_room = 4 * request->nsums_room;
    if (request->nparts == 0)
        return 0;
    packed_room = request->is_packed ? request->runs_room : 0;
    room = request->runs_room + packed_room + data_room + sums_room;
    request->parts = mem_calloc(request->nparts, sizeof(*request->parts));
    request->slab = mem_calloc(request->nparts, room);
    if (request->parts == NULL || request->slab == NULL)
        return -ENOMEM;
    at = request->slab;
    for (i = 0; i < request->nparts; i++) {
        part = &request->parts[i];
        part->request = request;
        part->runs = at;
        part->packed_runs = at + request->runs_room;
        part->data = part->packed_runs + packed_room;
        part->sums = part->data + data_room;
        at += room;
    }
    return 0;
}

static void set_map(struct capstan_request *request)
{
    const struct layout *layout = &request->file->inode.layout;

    request->map.stripe_size = layout->stripe_size;
    request->map.columns = layout->width;
    request->is_spread = layout->is_striped || layout->width == 1;
    request->cursor.runs = request->runs;
    request->cursor.nruns = request->nruns;
}

/* A write that leaves stripe 0 of a stuffed file makes it striped first. */
static enum io_state first_state(const struct capstan_request *request)
{
    size_t i;

    if (request->is_spread || !request->is_write)
        return IO_RUN;
    for (i = 0; i < request->nruns; i++)
        if (run_end(&request->runs[i]) > request->map.stripe_size)
            return IO_STRIPE;
    return IO_RUN;
}

static int prepare(struct capstan_request *request,
                   const struct capstan_run *runs, size_t nruns)
{
    int rc = copy_runs(request, runs, nruns);

    if (rc != 0)
        return rc;
    set_map(request);
    rc = io_memory_init(&request->memory, request->runs, request->nruns);
    return rc != 0 ? rc : allocate_parts(request);
}

static void destroy(struct capstan_request *request)
{
    io_memory_fini(request->session->net, &request->memory);
    free(request->parts);
    free(request->slab);
    free(request->runs);
    free(request);
}

static int start(struct capstan_file *file, const struct capstan_run *runs,
                 size_t nruns, bool is_write,
                 struct capstan_request **request_out)
{
    struct capstan_session *session = file->session;
    const char *verb = is_write ? "write" : "read";
    struct capstan_request *request;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (!(file->flags & (is_write ? CAPSTAN_OPEN_WRITE : CAPSTAN_OPEN_READ)))
        return cli_fail(session, -EBADF, "%s %s: not opened for it", verb,
                        file->path);
    if (is_write)
        cli_ahead_drop(session, file->inode.ino);
    if (is_write && file->is_set_id)
        cli_set_id_drop(file);
    request = mem_calloc(1, sizeof(*request));
    if (request == NULL)
        return cli_fail(session, -ENOMEM, "%s %s", verb, file->path);
    request->session = session;
    request->file = file;
    request->is_write = is_write;
    rc = prepare(request, runs, nruns);
    if (rc != 0) {
        destroy(request);
        return cli_fail(session, rc, "%s %s", verb, file->path);
    }
    request->state = first_state(request);
    request->guard_ns = cli_deadline(session);
    request->is_ready = true;
    file->active++;
    DL_APPEND(session->requests, request);
    *request_out = request;
    cli_requests_pump(session);
    return 0;
}

int capstan_file_readv_start(struct capstan_file *file,
                             const struct capstan_run *runs, size_t nruns,
                             struct capstan_request **request_out)
{
    return start(file, runs, nruns, false, request_out);
}

int capstan_file_writev_start(struct capstan_file *file,
                              const struct capstan_run *runs, size_t nruns,
                              struct capstan_request **request_out)
{
    return start(file, runs, nruns, true, request_out);
}

/* Hand the end over and free the request. */
static int end(struct capstan_request **request_p, uint64_t *bytes_out)
{
    struct capstan_request *request = *request_p;
    int rc = request->rc;
    uint64_t bytes = request->total;

    if (request->has_eof)
        bytes = split_bytes_below(request->runs, request->nruns, request->eof);
    if (rc == 0)
        *bytes_out = bytes;
    else
        snprintf(request->session->error, sizeof(request->session->error), "%s",
                 request->text);
    free(request->runs);
    free(request);
    *request_p = NULL;
    return rc;
}

int capstan_request_test(struct capstan_request **request_p, bool *done_out,
                         uint64_t *bytes_out)
{
    struct capstan_request *request = *request_p;
    int rc = cli_enter(request->session);

    *done_out = false;
    if (rc != 0)
        return rc;
    if (request->state != IO_DONE)
        cli_progress(request->session);
    *done_out = request->state == IO_DONE;
    return *done_out ? end(request_p, bytes_out) : 0;
}

int capstan_request_wait(struct capstan_request **request_p,
                         uint64_t *bytes_out)
{
    struct capstan_request *request = *request_p;
    int rc = cli_enter(request->session);

    if (rc != 0)
        return rc;
    while (request->state != IO_DONE)
        cli_turn(request->session, cli_deadline(request->session));
    return end(request_p, bytes_out);
}

int capstan_file_readv(struct capstan_file *file,
                       const struct capstan_run *runs, size_t nruns,
                       uint64_t *done_out)
{
    struct capstan_request *request;
    int rc = start(file, runs, nruns, false, &request);

    return rc != 0 ? rc : capstan_request_wait(&request, done_out);
}

int capstan_file_writev(struct capstan_file *file,
                        const struct capstan_run *runs, size_t nruns,
                        uint64_t *done_out)
{
    struct capstan_request *request;
    int rc = start(file, runs, nruns, true, &request);

    return rc != 0 ? rc : capstan_request_wait(&request, done_out);
}

static int one_extent(struct capstan_file *file, uint64_t offset, void *memory,
                      size_t length, bool is_write, size_t *done_out)
{
    struct capstan_run run = {
        .offset = offset, .length = length, .count = 1, .memory = memory};
    struct capstan_request *request;
    uint64_t done;
    int rc = start(file, &run, 1, is_write, &request);

    if (rc == 0)
        rc = capstan_request_wait(&request, &done);
    if (rc == 0)
        *done_out = done;
    return rc;
}

int capstan_file_read(struct capstan_file *file, uint64_t offset, void *memory,
                      size_t length, size_t *done_out)
{
    if (cli_ahead_read(file, offset, memory, length, done_out))
        return 0;
    return one_extent(file, offset, memory, length, false, done_out);
}

int capstan_file_write(struct capstan_file *file, uint64_t offset,
                       const void *memory, size_t length, size_t *done_out)
{
    return one_extent(file, offset, (void *)(uintptr_t)memory, length, true,
                      done_out);
}
