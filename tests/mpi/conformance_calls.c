/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reads and writes of MPI_File by what they do. Writes take const memory;
 * otherwise they look like reads, so both are called through one type.
 */
#include "conformance.h"

#include <stdio.h>

typedef int at_fn(MPI_File, MPI_Offset, void *, int, MPI_Datatype,
                  MPI_Status *);
typedef int pointer_fn(MPI_File, void *, int, MPI_Datatype, MPI_Status *);
typedef int at_begin_fn(MPI_File, MPI_Offset, void *, int, MPI_Datatype);
typedef int begin_fn(MPI_File, void *, int, MPI_Datatype);
typedef int end_fn(MPI_File, void *, MPI_Status *);
typedef int at_request_fn(MPI_File, MPI_Offset, void *, int, MPI_Datatype,
                          MPI_Request *);
typedef int request_fn(MPI_File, void *, int, MPI_Datatype, MPI_Request *);

/* [is_write][is_collective] */
static at_fn *const at_calls[2][2] = {
    {MPI_File_read_at, MPI_File_read_at_all},
    {(at_fn *)MPI_File_write_at, (at_fn *)MPI_File_write_at_all}};

/* [is_shared][is_write][is_collective] */
static pointer_fn *const pointer_calls[2][2][2] = {
    {{MPI_File_read, MPI_File_read_all},
     {(pointer_fn *)MPI_File_write, (pointer_fn *)MPI_File_write_all}},
    {{MPI_File_read_shared, MPI_File_read_ordered},
     {(pointer_fn *)MPI_File_write_shared,
      (pointer_fn *)MPI_File_write_ordered}}};

static at_request_fn *const at_request_calls[2][2] = {
    {MPI_File_iread_at, MPI_File_iread_at_all},
    {(at_request_fn *)MPI_File_iwrite_at,
     (at_request_fn *)MPI_File_iwrite_at_all}};

/* Ordered calls have no nonblocking form. */
static request_fn *const request_calls[2][2][2] = {
    {{MPI_File_iread, MPI_File_iread_all},
     {(request_fn *)MPI_File_iwrite, (request_fn *)MPI_File_iwrite_all}},
    {{MPI_File_iread_shared, NULL},
     {(request_fn *)MPI_File_iwrite_shared, NULL}}};

/* [is_write] */
static at_begin_fn *const at_begin_calls[2] = {
    MPI_File_read_at_all_begin, (at_begin_fn *)MPI_File_write_at_all_begin};
static end_fn *const at_end_calls[2] = {MPI_File_read_at_all_end,
                                        (end_fn *)MPI_File_write_at_all_end};

/* [is_shared][is_write] */
static begin_fn *const begin_calls[2][2] = {
    {MPI_File_read_all_begin, (begin_fn *)MPI_File_write_all_begin},
    {MPI_File_read_ordered_begin, (begin_fn *)MPI_File_write_ordered_begin}};
static end_fn *const end_calls[2][2] = {
    {MPI_File_read_all_end, (end_fn *)MPI_File_write_all_end},
    {MPI_File_read_ordered_end, (end_fn *)MPI_File_write_ordered_end}};

static int call_split(const struct plan *plan, const struct access *access,
                      void *memory, MPI_Status *status)
{
    MPI_File file = plan->handle->file;
    bool is_shared = plan->place == PLACE_SHARED;
    int rc;

    if (plan->place == PLACE_AT) {
        rc = at_begin_calls[plan->is_write](file, access->at, memory,
                                            access->count, access->type->mpi);
        return rc != MPI_SUCCESS
                   ? rc
                   : at_end_calls[plan->is_write](file, memory, status);
    }
    rc = begin_calls[is_shared][plan->is_write](file, memory, access->count,
                                                access->type->mpi);
    return rc != MPI_SUCCESS
               ? rc
               : end_calls[is_shared][plan->is_write](file, memory, status);
}

int call_blocking(const struct plan *plan, const struct access *access,
                  void *memory, MPI_Status *status)
{
    MPI_File file = plan->handle->file;

    if (plan->form == FORM_SPLIT)
        return call_split(plan, access, memory, status);
    if (plan->place == PLACE_AT)
        return at_calls[plan->is_write][plan->is_collective](
            file, access->at, memory, access->count, access->type->mpi, status);
    return pointer_calls[plan->place == PLACE_SHARED][plan->is_write]
                        [plan->is_collective](file, memory, access->count,
                                              access->type->mpi, status);
}

int call_start(const struct plan *plan, const struct access *access,
               void *memory, MPI_Request *request)
{
    MPI_File file = plan->handle->file;

    if (plan->place == PLACE_AT)
        return at_request_calls[plan->is_write][plan->is_collective](
            file, access->at, memory, access->count, access->type->mpi,
            request);
    return request_calls[plan->place == PLACE_SHARED][plan->is_write]
                        [plan->is_collective](file, memory, access->count,
                                              access->type->mpi, request);
}

void call_name(const struct plan *plan, char *name, size_t room)
{
    bool is_shared = plan->place == PLACE_SHARED;

    snprintf(
        name, room, "%s%s%s%s%s", plan->form == FORM_NONBLOCKING ? "i" : "",
        plan->is_write ? "write" : "read", plan->place == PLACE_AT ? "_at" : "",
        is_shared             ? plan->is_collective ? "_ordered" : "_shared"
        : plan->is_collective ? "_all"
                              : "",
        plan->form == FORM_SPLIT ? "_begin/end" : "");
}
