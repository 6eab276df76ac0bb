/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Make this rank's calls of a plan, and look at what they left: the data, the
 * bytes between the data and around the buffer, the status.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 64 /* bytes before and behind the buffer that must stay */

/* Memory as an access needs it. memory[0] is at `low` from the user's buffer.
 */
struct buffer {
    unsigned char *memory;
    int64_t length;
    int64_t low;
    bool *is_data;
};

/* What is in memory that no data was put into. */
static unsigned char pattern(int64_t at)
{
    return (unsigned char)(0x5a ^ at * 7);
}

/* Where data byte i lies in memory, and how many of the rest lie beside it. */
static int64_t place_in(const struct buffer *buffer,
                        const struct access *access, int64_t i,
                        int64_t *length_out)
{
    return type_piece(access->type, i, access->bytes - i, length_out) -
           buffer->low;
}

/* data: what a write writes; NULL: nothing is put there. */
static void mark_data(struct buffer *buffer, const struct access *access,
                      const unsigned char *data)
{
    int64_t length;

    for (int64_t i = 0; i < access->bytes; i += length) {
        int64_t at = place_in(buffer, access, i, &length);

        memset(buffer->is_data + at, 1, (size_t)length);
        if (data != NULL)
            memcpy(buffer->memory + at, data + i, (size_t)length);
    }
}

static void buffer_init(struct buffer *buffer, const struct access *access,
                        bool is_write)
{
    unsigned char *data = is_write ? access_data(access) : NULL;
    int64_t first, last;

    type_bounds(access->type, access->count, &first, &last);
    buffer->low = first - GUARD;
    buffer->length = last - first + 1 + 2 * GUARD;
    buffer->memory = must_alloc((size_t)buffer->length);
    buffer->is_data = must_alloc((size_t)buffer->length);
    for (int64_t i = 0; i < buffer->length; i++)
        buffer->memory[i] = pattern(i);
    mark_data(buffer, access, data);
    free(data);
}

static void buffer_fini(struct buffer *buffer)
{
    free(buffer->memory);
    free(buffer->is_data);
}

/* The address that the call gets; nowhere, sometimes, when nothing moves. */
static void *buffer_address(const struct buffer *buffer,
                            const struct access *access)
{
    if (access->count == 0 && access->seed % 2 == 0)
        return NULL;
    return (void *)((intptr_t)buffer->memory - (intptr_t)buffer->low);
}

/* Bytes that the call must report: those below the end of the file. */
static int64_t bytes_expected(const struct run *run, const struct plan *plan,
                              const struct access *access)
{
    const struct view *view = &plan->handle->views[run->rank];
    int64_t from = access->at * (int64_t)view->etype->size, below = 0, length;

    if (plan->is_write)
        return access->bytes;
    for (int64_t i = 0; i < access->bytes; i += length) {
        int64_t room = run->image.size -
                       view_piece(view, from + i, access->bytes - i, &length);

        if (room > 0)
            below += room < length ? room : length;
    }
    return below;
}

static void check_status(struct run *run, const struct access *access,
                         int64_t bytes, MPI_Status *status)
{
    const struct ctype *type = access->type;
    int64_t elements = type_elements(type, bytes);
    int count, got_bytes, got_elements;

    MPI_Get_elements(status, MPI_BYTE, &got_bytes);
    if (got_bytes != bytes) {
        conf_fault(run, FAULT_COUNT, "%d bytes in the status, not %lld",
                   got_bytes, (long long)bytes);
        return;
    }
    if (type->size == 0)
        return;
    MPI_Get_count(status, type->mpi, &count);
    if (count != (bytes % (int64_t)type->size == 0
                      ? (int)(bytes / (int64_t)type->size)
                      : MPI_UNDEFINED))
        conf_fault(run, FAULT_COUNT, "MPI_Get_count: %d for %lld bytes", count,
                   (long long)bytes);
    MPI_Get_elements(status, type->mpi, &got_elements);
    if (elements >= 0 && got_elements != elements)
        conf_fault(run, FAULT_COUNT, "MPI_Get_elements: %d, not %lld",
                   got_elements, (long long)elements);
}

/* What each data byte should be after the call. */
struct expected {
    unsigned char *bytes;
    bool *is_defined; /* it was written, or is what memory held */
    bool *is_beyond;  /* the end of the file */
};

static void expect_old(const struct buffer *buffer, const struct access *access,
                       struct expected *expected)
{
    int64_t length;

    for (int64_t i = 0; i < access->bytes; i += length) {
        int64_t at = place_in(buffer, access, i, &length);

        for (int64_t k = 0; k < length; k++)
            expected->bytes[i + k] = pattern(at + k);
    }
    memset(expected->is_defined, 1, (size_t)access->bytes);
}

static void expect_file(struct run *run, const struct view *view,
                        const struct access *access, struct expected *expected)
{
    int64_t from = access->at * (int64_t)view->etype->size, length;

    for (int64_t i = 0; i < access->bytes; i += length) {
        int64_t place = view_piece(view, from + i, access->bytes - i, &length);
        int64_t inside = run->image.size - place;

        inside = inside < 0 ? 0 : inside < length ? inside : length;
        image_get(&run->image, place, inside, expected->bytes + i,
                  expected->is_defined + i);
        memset(expected->is_beyond + i + inside, 1, (size_t)(length - inside));
    }
}

static void expect(struct run *run, const struct plan *plan,
                   const struct access *access, const struct buffer *buffer,
                   struct expected *expected)
{
    expected->is_defined = must_alloc((size_t)access->bytes);
    expected->is_beyond = must_alloc((size_t)access->bytes);
    if (plan->is_write) {
        expected->bytes = access_data(access);
        memset(expected->is_defined, 1, (size_t)access->bytes);
        return;
    }
    expected->bytes = must_alloc((size_t)access->bytes);
    expect_old(buffer, access, expected);
    expect_file(run, &plan->handle->views[run->rank], access, expected);
}

static void expected_fini(struct expected *expected)
{
    free(expected->bytes);
    free(expected->is_defined);
    free(expected->is_beyond);
}

static void tell_wrong(struct run *run, const struct plan *plan,
                       const struct access *access,
                       const struct expected *expected, int64_t i,
                       unsigned char got)
{
    const struct view *view = &plan->handle->views[run->rank];
    int64_t from = access->at * (int64_t)view->etype->size;

    conf_fault(run, expected->is_beyond[i] ? FAULT_BEYOND : FAULT_DATA,
               "data byte %lld of %lld (byte %lld of the file): %02x, not "
               "%02x%s",
               (long long)i, (long long)access->bytes,
               (long long)view_place(view, from + i), got, expected->bytes[i],
               expected->is_defined[i] ? "" : " (never written)");
}

/* @return the first data byte that is wrong; -1: none. */
static int64_t find_wrong(const struct run *run, const struct access *access,
                          const struct buffer *buffer,
                          const struct expected *expected)
{
    bool is_strict = run->settings->is_strict;
    int64_t length;

    for (int64_t i = 0; i < access->bytes; i += length) {
        int64_t at = place_in(buffer, access, i, &length);

        for (int64_t k = i; k < i + length; k++)
            if (buffer->memory[at + k - i] != expected->bytes[k] &&
                (is_strict ||
                 (expected->is_defined[k] && !expected->is_beyond[k])))
                return k;
    }
    return -1;
}

/* Data: what the file holds, or what memory was, beyond the end. */
static void check_data(struct run *run, const struct plan *plan,
                       const struct access *access, const struct buffer *buffer)
{
    struct expected expected;
    int64_t wrong, length;

    expect(run, plan, access, buffer, &expected);
    wrong = find_wrong(run, access, buffer, &expected);
    if (wrong >= 0)
        tell_wrong(run, plan, access, &expected, wrong,
                   buffer->memory[place_in(buffer, access, wrong, &length)]);
    expected_fini(&expected);
}

static void check_holes(struct run *run, const struct buffer *buffer)
{
    for (int64_t i = 0; i < buffer->length; i++)
        if (!buffer->is_data[i] && buffer->memory[i] != pattern(i)) {
            conf_fault(run, FAULT_HOLE, "memory at %lld: %02x, was %02x",
                       (long long)(i + buffer->low), buffer->memory[i],
                       pattern(i));
            return;
        }
}

static void check(struct run *run, const struct plan *plan,
                  const struct access *access, const struct buffer *buffer,
                  MPI_Status *status)
{
    int64_t bytes = bytes_expected(run, plan, access);

    check_status(run, access, bytes, status);
    check_data(run, plan, access, buffer);
    check_holes(run, buffer);
}

static bool seek_first(struct run *run, const struct plan *plan,
                       const struct access *access)
{
    return !access->seeks ||
           conf_begun(
               run, MPI_File_seek(plan->handle->file, access->at, MPI_SEEK_SET),
               "seek");
}

static void transfer_blocking(struct run *run, const struct plan *plan,
                              const struct access *access,
                              struct buffer *buffer)
{
    MPI_Status status;

    memset(&status, 0, sizeof(status));
    seek_first(run, plan, access);
    if (conf_ok(run,
                call_blocking(plan, access, buffer_address(buffer, access),
                              &status),
                run->op))
        check(run, plan, access, buffer, &status);
}

/* Wait, or ask until it is over. */
static int finish(MPI_Request *request, MPI_Status *status, bool asks)
{
    int is_over = 0, rc = MPI_SUCCESS;

    if (!asks)
        return MPI_Wait(request, status);
    while (!is_over && rc == MPI_SUCCESS)
        rc = MPI_Test(request, &is_over, status);
    return rc;
}

/* Start all, then finish them in another order. */
static void transfer_nonblocking(struct run *run, const struct plan *plan,
                                 struct buffer *buffers)
{
    MPI_Request requests[REQUESTS_MAX];
    bool is_started[REQUESTS_MAX] = {false};
    int n = plan->nrequests;
    struct rng rng;
    int first;

    conf_rng(run, run->rank, 'q', &rng);
    first = (int)rng_below(&rng, (uint64_t)n);
    for (int q = 0; q < n; q++) {
        const struct access *access = &plan->accesses[q][run->rank];

        if (access->is_idle)
            continue;
        seek_first(run, plan, access);
        is_started[q] = conf_begun(
            run,
            call_start(plan, access, buffer_address(&buffers[q], access),
                       &requests[q]),
            run->op);
    }
    for (int i = 0; i < n; i++) {
        int q = (first + i) % n;
        MPI_Status status;

        memset(&status, 0, sizeof(status));
        if (is_started[q] &&
            conf_ok(run, finish(&requests[q], &status, rng_chance(&rng, 30)),
                    "wait"))
            check(run, plan, &plan->accesses[q][run->rank], &buffers[q],
                  &status);
    }
}

static void transfer_mine(struct run *run, const struct plan *plan,
                          struct buffer *buffers)
{
    if (plan->form == FORM_NONBLOCKING)
        transfer_nonblocking(run, plan, buffers);
    else if (!plan->accesses[0][run->rank].is_idle)
        transfer_blocking(run, plan, &plan->accesses[0][run->rank],
                          &buffers[0]);
}

void transfer(struct run *run, const struct plan *plan)
{
    struct buffer buffers[REQUESTS_MAX];
    bool takes_turns = plan->place == PLACE_SHARED && !plan->is_collective;

    for (int q = 0; q < plan->nrequests; q++) {
        const struct access *access = &plan->accesses[q][run->rank];

        buffer_init(&buffers[q], access, plan->is_write);
        if (!type_agrees_with_pack(access->type))
            conf_fault(run, FAULT_ORACLE, "MPI_Pack sees another %s",
                       access->type->text);
    }
    if (!takes_turns)
        transfer_mine(run, plan, buffers);
    for (int r = 0; r < run->size && takes_turns; r++) {
        if (r == run->rank)
            transfer_mine(run, plan, buffers);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    for (int q = 0; q < plan->nrequests; q++)
        buffer_fini(&buffers[q]);
}
