/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Set and get the view.
 *
 * The new view is made on each rank, the ranks agree that all could, and only
 * then it replaces the old one: a view that fails on one rank leaves every rank
 * with the view it had.
 *
 * The types are retained, as the program may free its own handles at once.
 *
 * Possible failure modes are: a displacement or filetype that the standard does
 * not allow (MPI_ERR_ARG, MPI_ERR_TYPE); a representation other than "native"
 * (MPI_ERR_UNSUPPORTED_DATAREP); no memory.
 */
#include "face.h"

#include <string.h>
#include <strings.h>

static void type_drop(MPI_Datatype *type)
{
    if (!ompi_datatype_is_predefined(*type))
        OBJ_RELEASE(*type);
    *type = MPI_BYTE;
}

static void type_keep(MPI_Datatype *kept, MPI_Datatype type)
{
    if (!ompi_datatype_is_predefined(type))
        OBJ_RETAIN(type);
    *kept = type;
}

void face_view_fini(struct face_file *face)
{
    type_drop(&face->etype);
    type_drop(&face->filetype);
}

static int make_view(struct face_file *face, MPI_Offset disp,
                     ompi_datatype_t *etype, ompi_datatype_t *filetype,
                     const char *datarep, struct adio_view **view_out,
                     struct adio_error *error)
{
    const char *path = face->adio->display;
    struct flat *flat;
    int rc;

    if (strcasecmp(datarep, "native") != 0) {
        face_refuse(error, -FACE_DATAREP, "%s: set view: \"%s\"", path,
                    datarep);
        return error->code;
    }
    if (disp < 0) {
        face_refuse(error, -FACE_ARG, "%s: set view: displacement %lld", path,
                    (long long)disp);
        return error->code;
    }
    rc = face_flatten(filetype, &flat);
    if (rc == 0) {
        rc = view_create((uint64_t)disp, etype->super.size, flat, view_out);
        flat_put(&flat);
    }
    if (rc == -EINVAL)
        face_refuse(error, -FACE_TYPE,
                    "%s: set view: filetype is not made of whole etypes at "
                    "displacements that never go back",
                    path);
    else if (rc != 0)
        adio_error_set(error, rc, "%s: set view", path);
    return rc;
}

static int set_view(struct face_file *face, MPI_Offset disp,
                    ompi_datatype_t *etype, ompi_datatype_t *filetype,
                    const char *datarep, struct adio_error *error)
{
    struct adio_view *view = NULL;

    make_view(face, disp, etype, filetype, datarep, &view, error);
    if (adio_agree(face->adio->comm, error) != 0) {
        view_destroy(&view);
        return error->code;
    }
    view_destroy(&face->adio->view);
    face->adio->view = view;
    face->adio->position = 0;
    face->disp = disp;
    type_drop(&face->etype);
    type_keep(&face->etype, etype);
    type_drop(&face->filetype);
    type_keep(&face->filetype, filetype);
    return 0;
}

int face_set_view(ompi_file_t *fh, MPI_Offset disp, ompi_datatype_t *etype,
                  ompi_datatype_t *filetype, const char *datarep,
                  opal_info_t *info)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if (set_view(face, disp, etype, filetype, datarep, &error) == 0) {
        face_take_info(&face->adio->hints, info);
        adio_share_hints(face->adio);
        face_info_refresh(fh);
    }
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

/* A handle for the program, which frees it unless it is predefined. */
static ompi_datatype_t *type_handle(ompi_datatype_t *type)
{
    if (!ompi_datatype_is_predefined(type))
        OBJ_RETAIN(type);
    return type;
}

int face_get_view(ompi_file_t *fh, MPI_Offset *disp_out,
                  ompi_datatype_t **etype_out, ompi_datatype_t **filetype_out,
                  char *datarep_out)
{
    struct face_file *face = face_of(fh);

    OPAL_THREAD_LOCK(&face->lock);
    *disp_out = face->disp;
    *etype_out = type_handle(face->etype);
    *filetype_out = type_handle(face->filetype);
    memcpy(datarep_out, "native", sizeof("native"));
    OPAL_THREAD_UNLOCK(&face->lock);
    return MPI_SUCCESS;
}

int face_get_type_extent(ompi_file_t *fh, ompi_datatype_t *type,
                         MPI_Aint *extent_out)
{
    MPI_Aint lb;

    return PMPI_Type_get_extent(type, &lb, extent_out);
}
