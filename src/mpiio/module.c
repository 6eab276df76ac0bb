/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of slots that Open MPI calls: one for each MPI_File function.
 *
 * The reads and writes differ by four things: verb, place, who takes part, and
 * how the call returns. So their slots are made by macros from the list below
 * the signatures. No slot is NULL.
 */
#include "face.h"

#define RW(verb_, where_, offset_)                                             \
    (&(struct face_rw){.verb = (verb_),                                        \
                       .where = (where_),                                      \
                       .offset = (offset_),                                    \
                       .buf = (void *)buf,                                     \
                       .count = count,                                         \
                       .type = type})

#define RW_END(verb_, where_)                                                  \
    (&(struct face_rw){                                                        \
        .verb = (verb_), .where = (where_), .buf = (void *)buf})

/* The signatures: with or without an offset, blocking, split, nonblocking. */
#define AT_SLOT(name, CONST, body)                                             \
    static int name(ompi_file_t *fh, MPI_Offset offset, CONST void *buf,       \
                    compat_count count, ompi_datatype_t *type,                 \
                    ompi_status_public_t *status)                              \
    {                                                                          \
        return body;                                                           \
    }
#define SLOT(name, CONST, body)                                                \
    static int name(ompi_file_t *fh, CONST void *buf, compat_count count,      \
                    ompi_datatype_t *type, ompi_status_public_t *status)       \
    {                                                                          \
        return body;                                                           \
    }
#define AT_BEGIN_SLOT(name, CONST, body)                                       \
    static int name(ompi_file_t *fh, MPI_Offset offset, CONST void *buf,       \
                    compat_count count, ompi_datatype_t *type)                 \
    {                                                                          \
        return body;                                                           \
    }
#define BEGIN_SLOT(name, CONST, body)                                          \
    static int name(ompi_file_t *fh, CONST void *buf, compat_count count,      \
                    ompi_datatype_t *type)                                     \
    {                                                                          \
        return body;                                                           \
    }
#define END_SLOT(name, CONST, body)                                            \
    static int name(ompi_file_t *fh, CONST void *buf,                          \
                    ompi_status_public_t *status)                              \
    {                                                                          \
        return body;                                                           \
    }
#define AT_REQUEST_SLOT(name, CONST, body)                                     \
    static int name(ompi_file_t *fh, MPI_Offset offset, CONST void *buf,       \
                    compat_count count, ompi_datatype_t *type,                 \
                    ompi_request_t **request)                                  \
    {                                                                          \
        return body;                                                           \
    }
#define REQUEST_SLOT(name, CONST, body)                                        \
    static int name(ompi_file_t *fh, CONST void *buf, compat_count count,      \
                    ompi_datatype_t *type, ompi_request_t **request)           \
    {                                                                          \
        return body;                                                           \
    }

/* All the slots of one verb. CONST is const for writes, empty for reads. */
#define VERB_SLOTS(v, CONST, verb)                                             \
    AT_SLOT(v##_at, CONST,                                                     \
            face_rw_alone(fh, RW(verb, FACE_AT, offset), status))              \
    AT_SLOT(v##_at_all, CONST,                                                 \
            face_rw_all(fh, RW(verb, FACE_AT, offset), status))                \
    SLOT(v, CONST, face_rw_alone(fh, RW(verb, FACE_POINTER, 0), status))       \
    SLOT(v##_all, CONST, face_rw_all(fh, RW(verb, FACE_POINTER, 0), status))   \
    AT_BEGIN_SLOT(v##_at_all_begin, CONST,                                     \
                  face_rw_begin(fh, RW(verb, FACE_AT, offset)))                \
    END_SLOT(v##_at_all_end, CONST,                                            \
             face_rw_end(fh, RW_END(verb, FACE_AT), status))                   \
    BEGIN_SLOT(v##_all_begin, CONST,                                           \
               face_rw_begin(fh, RW(verb, FACE_POINTER, 0)))                   \
    END_SLOT(v##_all_end, CONST,                                               \
             face_rw_end(fh, RW_END(verb, FACE_POINTER), status))              \
    AT_REQUEST_SLOT(i##v##_at, CONST,                                          \
                    face_rw_request(fh, RW(verb, FACE_AT, offset), request))   \
    REQUEST_SLOT(i##v, CONST,                                                  \
                 face_rw_request(fh, RW(verb, FACE_POINTER, 0), request))      \
    AT_REQUEST_SLOT(                                                           \
        i##v##_at_all, CONST,                                                  \
        face_rw_all_request(fh, RW(verb, FACE_AT, offset), request))           \
    REQUEST_SLOT(i##v##_all, CONST,                                            \
                 face_rw_all_request(fh, RW(verb, FACE_POINTER, 0), request))  \
    SLOT(v##_shared, CONST,                                                    \
         face_rw_alone(fh, RW(verb, FACE_SHARED, 0), status))                  \
    REQUEST_SLOT(i##v##_shared, CONST,                                         \
                 face_rw_request(fh, RW(verb, FACE_SHARED, 0), request))       \
    SLOT(v##_ordered, CONST,                                                   \
         face_rw_all(fh, RW(verb, FACE_ORDERED, 0), status))                   \
    BEGIN_SLOT(v##_ordered_begin, CONST,                                       \
               face_rw_begin(fh, RW(verb, FACE_ORDERED, 0)))                   \
    END_SLOT(v##_ordered_end, CONST,                                           \
             face_rw_end(fh, RW_END(verb, FACE_ORDERED), status))

VERB_SLOTS(file_read, , COLL_READ)
VERB_SLOTS(file_write, const, COLL_WRITE)

#define VERB_TABLE(v)                                                          \
    .io_module_file_##v##_at = file_##v##_at,                                  \
    .io_module_file_##v##_at_all = file_##v##_at_all,                          \
    .io_module_file_##v = file_##v,                                            \
    .io_module_file_##v##_all = file_##v##_all,                                \
    .io_module_file_##v##_at_all_begin = file_##v##_at_all_begin,              \
    .io_module_file_##v##_at_all_end = file_##v##_at_all_end,                  \
    .io_module_file_##v##_all_begin = file_##v##_all_begin,                    \
    .io_module_file_##v##_all_end = file_##v##_all_end,                        \
    .io_module_file_i##v##_at = ifile_##v##_at,                                \
    .io_module_file_i##v = ifile_##v,                                          \
    .io_module_file_i##v##_at_all = ifile_##v##_at_all,                        \
    .io_module_file_i##v##_all = ifile_##v##_all,                              \
    .io_module_file_##v##_shared = file_##v##_shared,                          \
    .io_module_file_i##v##_shared = ifile_##v##_shared,                        \
    .io_module_file_##v##_ordered = file_##v##_ordered,                        \
    .io_module_file_##v##_ordered_begin = file_##v##_ordered_begin,            \
    .io_module_file_##v##_ordered_end = file_##v##_ordered_end

const compat_module face_module = {
    .io_module_file_open = face_open,
    .io_module_file_close = face_close,
    .io_module_file_set_size = face_set_size,
    .io_module_file_preallocate = face_preallocate,
    .io_module_file_get_size = face_get_size,
    .io_module_file_get_amode = face_get_amode,
    .io_module_file_set_view = face_set_view,
    .io_module_file_get_view = face_get_view,
    .io_module_file_seek = face_seek,
    .io_module_file_get_position = face_get_position,
    .io_module_file_get_byte_offset = face_get_byte_offset,
    .io_module_file_seek_shared = face_seek_shared,
    .io_module_file_get_position_shared = face_get_position_shared,
    .io_module_file_get_type_extent = face_get_type_extent,
    .io_module_file_set_atomicity = face_set_atomicity,
    .io_module_file_get_atomicity = face_get_atomicity,
    .io_module_file_sync = face_sync,
    VERB_TABLE(read),
    VERB_TABLE(write),
};
