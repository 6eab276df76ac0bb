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
 * not allow (MPI_ERR_ARG, MPI_ERR_TYPE); a representation that nobody knows
 * (MPI_ERR_UNSUPPORTED_DATAREP), or that has no form for a type
 * (MPI_ERR_CONVERSION); no memory.
 */
#include "datarep.h"

#include "adio/common/pointer.h"

#include <stdio.h>
#include <string.h>

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

/* The view's types as they lie in the file; the native ones are themselves. */
struct forms {
    MPI_Datatype etype, filetype;
    bool is_made; /* and to be freed */
};

static void forms_drop(struct forms *forms)
{
    if (!forms->is_made)
        return;
    PMPI_Type_free(&forms->etype);
    PMPI_Type_free(&forms->filetype);
}

static int forms_make(const struct face_rep *rep, MPI_Datatype etype,
                      MPI_Datatype filetype, struct forms *forms)
{
    int rc;

    *forms = (struct forms){etype, filetype, false};
    if (rep == NULL)
        return 0;
    rc = datarep_file_type(rep, etype, &forms->etype);
    if (rc != 0)
        return rc;
    rc = datarep_file_type(rep, filetype, &forms->filetype);
    if (rc != 0)
        PMPI_Type_free(&forms->etype);
    forms->is_made = rc == 0;
    return rc;
}

static int make_view(const char *path, MPI_Offset disp,
                     const struct forms *forms, struct adio_view **view_out,
                     struct adio_error *error)
{
    struct flat *flat;
    int rc;

    if (disp < 0) {
        face_refuse(error, -FACE_ARG, "%s: set view: displacement %lld", path,
                    (long long)disp);
        return error->code;
    }
    rc = face_flatten(forms->filetype, &flat);
    if (rc == 0) {
        rc = view_create((uint64_t)disp, forms->etype->super.size, flat,
                         view_out);
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

static void make_in_rep(struct face_file *face, MPI_Offset disp,
                        MPI_Datatype etype, MPI_Datatype filetype,
                        const char *datarep, const struct face_rep **rep_out,
                        struct adio_view **view_out, struct adio_error *error)
{
    const char *path = face->adio->display;
    struct forms forms;
    int rc = datarep_find(datarep, rep_out);

    if (rc == 0)
        rc = forms_make(*rep_out, etype, filetype, &forms);
    if (rc != 0) {
        face_refuse(error, rc, "%s: set view: \"%s\"", path, datarep);
        return;
    }
    make_view(path, disp, &forms, view_out, error);
    forms_drop(&forms);
}

/* MPI_DISPLACEMENT_CURRENT is where the shared pointer is, and the only one
 * that MPI_MODE_SEQUENTIAL allows (MPI-3.1, 13.3). All ranks look before any
 * can go on. */
static void find_displacement(struct adio_file *adio, MPI_Offset *disp_inout,
                              struct adio_error *error)
{
    bool is_sequential = (adio->amode & MPI_MODE_SEQUENTIAL) != 0;
    bool is_current = *disp_inout == MPI_DISPLACEMENT_CURRENT;
    int64_t at;

    if (is_current != is_sequential)
        face_refuse(error, -FACE_ARG,
                    "%s: set view: MPI_DISPLACEMENT_CURRENT and "
                    "MPI_MODE_SEQUENTIAL go together",
                    adio->display);
    else if (is_current && pointer_step(adio, false, 0, &at, error) == 0)
        *disp_inout = (MPI_Offset)view_file_offset(
            adio->view, (uint64_t)at * adio->view->etype_size);
}

/* @param has_hints_inout  in: here, out: on any rank. */
static int set_view(struct face_file *face, MPI_Offset disp,
                    ompi_datatype_t *etype, ompi_datatype_t *filetype,
                    const char *datarep, uint32_t *has_hints_inout,
                    struct adio_error *error)
{
    const struct face_rep *rep = NULL;
    struct adio_view *view = NULL;

    find_displacement(face->adio, &disp, error);
    if (error->code == 0)
        make_in_rep(face, disp, etype, filetype, datarep, &rep, &view, error);
    if (coll_agree(face->adio, has_hints_inout, error) != 0) {
        view_destroy(&view);
        return error->code;
    }
    view_destroy(&face->adio->view);
    face->adio->view = view;
    face->rep = rep;
    snprintf(face->datarep, sizeof(face->datarep), "%s", datarep);
    pointer_renew(face->adio);
    face->disp = disp;
    type_drop(&face->etype);
    type_keep(&face->etype, etype);
    type_drop(&face->filetype);
    type_keep(&face->filetype, filetype);
    return 0;
}

/* With capstan_access_plan, what a view shows is what this rank reads next: the
 * driver is told the bytes of one filetype. A plan that cannot be made is none. */
static void tell_plan(struct adio_file *adio)
{
    struct run_list list = {0};
    struct flat *bytes;

    if (!adio->hints.is_planning || adio->view->filetype->size == 0 ||
        face_flatten(MPI_BYTE, &bytes) != 0)
        return;
    if (view_runs(adio->view, 0, NULL, bytes, adio->view->filetype->size,
                  &list) == 0)
        adio->driver->plan(adio, list.runs, list.nruns);
    run_list_fini(&list);
    flat_put(&bytes);
}

/* Rank 0's hints are everybody's. */
static void take_hints(ompi_file_t *fh, opal_info_t *info)
{
    struct face_file *face = face_of(fh);

    face_take_info(&face->adio->hints, info);
    adio_share_hints(face->adio);
    face->is_shown = false; /* Open MPI changes its info too */
    face_info_refresh(fh);
}

int face_set_view(ompi_file_t *fh, MPI_Offset disp, ompi_datatype_t *etype,
                  ompi_datatype_t *filetype, const char *datarep,
                  opal_info_t *info)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    uint32_t has_hints = info != NULL && !opal_list_is_empty(&info->super);

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if (set_view(face, disp, etype, filetype, datarep, &has_hints, &error) ==
        0) {
        if (has_hints)
            take_hints(fh, info);
        tell_plan(face->adio);
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
    memcpy(datarep_out, face->datarep, strlen(face->datarep) + 1);
    OPAL_THREAD_UNLOCK(&face->lock);
    return MPI_SUCCESS;
}

int face_get_type_extent(ompi_file_t *fh, ompi_datatype_t *type,
                         MPI_Aint *extent_out)
{
    const struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    MPI_Datatype form;
    MPI_Aint lb;
    int rc;

    if (face->rep == NULL)
        return PMPI_Type_get_extent(type, &lb, extent_out);
    rc = datarep_file_type(face->rep, type, &form);
    if (rc != 0) {
        face_refuse(&error, rc, "%s: extent in \"%s\"",
                    face->adio->display, face->rep->name);
        return face_code(&error);
    }
    PMPI_Type_get_extent(form, &lb, extent_out);
    PMPI_Type_free(&form);
    return MPI_SUCCESS;
}
