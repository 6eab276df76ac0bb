/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open, sync and close a file.
 *
 * Open: each rank checks the access mode, rank 0 gathers the hints (defaults,
 * info, hints file), adio_open() does the work with all ranks, and the file
 * starts with the default view.
 *
 * Possible failure modes are:
 * - a bad access mode: agreed on before anything is opened, so every rank
 *   returns it;
 * - open fails on some rank: adio_open() makes it everybody's;
 * - close fails: Open MPI cannot return that (MPI_File_close always succeeds),
 *   so it is logged by rank 0;
 * - the program forgot to close: Open MPI closes in MPI_Finalize, when nobody
 *   may communicate any more; the file is then closed by each rank alone.
 */
#include "face.h"

#include "adio/common/explain.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define MODES (MPI_MODE_RDONLY | MPI_MODE_WRONLY | MPI_MODE_RDWR)

/* MPI-3.1, 13.2.1. */
static void check_amode(const char *path, int amode, struct adio_error *error)
{
    int mode = amode & MODES;

    if (mode != MPI_MODE_RDONLY && mode != MPI_MODE_WRONLY &&
        mode != MPI_MODE_RDWR)
        face_refuse(error, -FACE_AMODE,
                    "%s: open: one of RDONLY, WRONLY and RDWR is needed", path);
    else if (mode == MPI_MODE_RDONLY &&
             (amode & (MPI_MODE_CREATE | MPI_MODE_EXCL)) != 0)
        face_refuse(error, -FACE_AMODE,
                    "%s: open: RDONLY does not go with CREATE or EXCL", path);
    else if (mode == MPI_MODE_RDWR && (amode & MPI_MODE_SEQUENTIAL) != 0)
        face_refuse(error, -FACE_AMODE,
                    "%s: open: RDWR does not go with SEQUENTIAL", path);
}

/* Only rank 0's count, so the others do not even look. */
static void gather_hints(ompi_communicator_t *comm, opal_info_t *info,
                         struct adio_hints *hints)
{
    struct face_component *component = &mca_io_capstan_component;
    int rank;

    hints_init(hints);
    PMPI_Comm_rank(comm, &rank);
    if (rank != 0)
        return;
    face_take_info(hints, info);
    OPAL_THREAD_LOCK(&component->lock);
    hints_take_file(hints, &component->warned);
    OPAL_THREAD_UNLOCK(&component->lock);
}

static struct face_file *face_new(struct adio_error *error, const char *path)
{
    struct face_file *face = mem_calloc(1, sizeof(*face));
    int rc = -ENOMEM;

    if (face != NULL)
        rc = face_flatten(MPI_BYTE, &face->byte);
    if (rc == 0) {
        OBJ_CONSTRUCT(&face->lock, opal_mutex_t);
        face->etype = MPI_BYTE;
        face->filetype = MPI_BYTE;
        snprintf(face->datarep, sizeof(face->datarep), "native");
        return face;
    }
    free(face);
    adio_error_set(error, rc, "%s: open", path);
    return NULL;
}

static void face_free(struct face_file *face)
{
    if (face == NULL)
        return;
    face_view_fini(face);
    run_list_fini(&face->list);
    flat_put(&face->byte);
    OBJ_DESTRUCT(&face->lock);
    free(face);
}

int face_open(ompi_communicator_t *comm, const char *path, int amode,
              opal_info_t *info, ompi_file_t *fh)
{
    struct adio_error error = {0};
    struct adio_hints hints;
    struct face_file *face;
    const struct adio_driver *driver;
    const char *rest;

    driver = face_driver(path, &rest);
    face = face_new(&error, path);
    if (error.code == 0)
        check_amode(path, amode, &error);
    gather_hints(comm, info, &hints);
    if (adio_agree(comm, &error) != 0 ||
        adio_open(driver, comm, path, rest, amode, &hints, &face->adio,
                  &error) != 0) {
        face_free(face);
        return face_code(&error);
    }
    fh->f_io_selected_data = (struct mca_io_base_file_t *)face;
    face_info_subscribe(fh);
    face_info_refresh(fh);
    return OMPI_SUCCESS;
}

int face_sync(ompi_file_t *fh)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if ((face->adio->amode & MPI_MODE_RDONLY) == 0)
        adio_sync(face->adio, &error);
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

static void close_together(struct face_file *face)
{
    struct adio_error error = {0};
    int rank = face->adio->rank;

    if (face->adio->hints.is_reporting)
        explain_report(face->adio);
    if (adio_close(&face->adio, &error) != 0 && rank == 0)
        log_error("%s", error.text);
}

int face_close(ompi_file_t *fh)
{
    struct face_file *face = face_of(fh);
    int is_finalized;

    if (face == NULL)
        return OMPI_SUCCESS; /* it was never opened */
    PMPI_Finalized(&is_finalized);
    if (is_finalized) {
        face_forget_pending(fh);
        adio_abandon(&face->adio);
    } else {
        face_drain(face);
        close_together(face);
    }
    fh->f_io_selected_data = NULL;
    face_free(face);
    return OMPI_SUCCESS;
}
