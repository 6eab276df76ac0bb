/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accesses through memory in the file's form, for views whose representation is
 * not native.
 *
 * The happy path: before a write the stage is filled by conversion; the runs
 * name the stage instead of the program's memory; after a read what came is
 * converted. The stage is as long as the access.
 *
 * Possible failure modes are: a type that cannot be converted, or a number that
 * does not fit (MPI_ERR_CONVERSION); no memory. A short read delivers whole
 * instances of the memory type only.
 */
#include "datarep.h"

#include "base/mem.h"

#include <stdlib.h>

int face_rw_bytes(const struct face_file *face, const struct face_rw *rw,
                  uint64_t *bytes_out, struct adio_error *error)
{
    MPI_Datatype form;
    int rc = 0;

    if (face->rep == NULL) {
        *bytes_out = rw->type->super.size * (uint64_t)rw->count;
        return 0;
    }
    rc = datarep_file_type(face->rep, rw->type, &form);
    if (rc != 0) {
        face_refuse(error, rc, "%s: datatype in \"%s\"",
                    face->adio->display, face->rep->name);
        return rc;
    }
    *bytes_out = form->super.size * (uint64_t)rw->count;
    PMPI_Type_free(&form);
    return 0;
}

int face_stage_fill(const struct face_file *face, const struct face_rw *rw,
                    uint64_t bytes, struct face_stage *stage,
                    struct adio_error *error)
{
    int rc = 0;

    stage->rw = *rw;
    stage->rep = face->rep;
    stage->bytes = bytes;
    stage->memory = mem_calloc(1, bytes > 0 ? bytes : 1);
    if (stage->memory == NULL)
        rc = -ENOMEM;
    else if (rw->verb == COLL_WRITE)
        rc = datarep_to_file(face->rep, rw->buf, rw->type,
                             (uint64_t)rw->count, stage->memory);
    if (rc != 0) {
        free(stage->memory);
        stage->memory = NULL;
        face_refuse(error, rc, "%s: conversion to \"%s\"",
                    face->adio->display, face->rep->name);
        return rc;
    }
    if (!ompi_datatype_is_predefined(rw->type))
        OBJ_RETAIN(rw->type);
    return 0;
}

void face_stage_end(const struct face_file *face, struct face_stage *stage,
                    uint64_t *bytes_inout, struct adio_error *error)
{
    const struct face_rw *rw = &stage->rw;
    uint64_t form, whole;
    int rc = 0;

    if (stage->memory == NULL)
        return;
    form = rw->count > 0 ? stage->bytes / (uint64_t)rw->count : 0;
    whole = form > 0 ? *bytes_inout / form : 0;
    if (rw->verb == COLL_READ && error->code == 0)
        rc = datarep_from_file(stage->rep, rw->buf, rw->type, whole,
                               stage->memory);
    if (rc != 0)
        face_refuse(error, rc, "%s: conversion from \"%s\"",
                    face->adio->display, stage->rep->name);
    *bytes_inout = rc == 0 ? whole * rw->type->super.size : 0;
    free(stage->memory);
    stage->memory = NULL;
    if (!ompi_datatype_is_predefined(rw->type))
        OBJ_RELEASE(stage->rw.type);
}
