/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The component: how Open MPI finds us and when we say yes.
 *
 * Open MPI opens every io component, asks each for each file, and takes the
 * one of the highest priority. We answer for paths that drivers.c knows and
 * return NULL for the rest, so that other files stay with ROMIO or OMPIO. The
 * answer depends on the path and on MCA parameters only, so all ranks give the
 * same one.
 *
 * Possible failure modes are: none here; a file that cannot be opened fails in
 * file_open.c, after the selection.
 */
#include "datarep.h"

#include "base/log.h"

#include <stdio.h>

static void register_number(const char *name, const char *prose, int *value)
{
    mca_base_component_var_register(&mca_io_capstan_component.super.io_version,
                                    name, prose, MCA_BASE_VAR_TYPE_INT, NULL, 0,
                                    0, OPAL_INFO_LVL_9,
                                    MCA_BASE_VAR_SCOPE_READONLY, value);
}

static int register_parameters(void)
{
    struct face_component *component = &mca_io_capstan_component;

    component->priority = 100;
    component->verbose = 0;
    component->posix_prefix = "";
    register_number("priority", "Priority for the paths that we serve",
                    &component->priority);
    register_number("verbose", "1: say which files we take",
                    &component->verbose);
    mca_base_component_var_register(
        &component->super.io_version, "posix_prefix",
        "Serve paths of the local file system that start so; \"*\": all of "
        "them; empty: none",
        MCA_BASE_VAR_TYPE_STRING, NULL, 0, 0, OPAL_INFO_LVL_9,
        MCA_BASE_VAR_SCOPE_READONLY, &component->posix_prefix);
    face_pvars_register();
    return OMPI_SUCCESS;
}

static int open_component(void)
{
    OBJ_CONSTRUCT(&mca_io_capstan_component.lock, opal_mutex_t);
    OBJ_CONSTRUCT(&mca_io_capstan_component.pending_lock, opal_mutex_t);
    mca_io_capstan_component.flat_keyval = MPI_KEYVAL_INVALID;
    return OMPI_SUCCESS;
}

static int close_component(void)
{
    face_pending_fini();
    ad_capstan()->finalize();
    ad_posix()->finalize();
    OBJ_DESTRUCT(&mca_io_capstan_component.pending_lock);
    OBJ_DESTRUCT(&mca_io_capstan_component.lock);
    return OMPI_SUCCESS;
}

static int init_query(bool has_progress_threads, bool has_threads)
{
    return OMPI_SUCCESS;
}

static const compat_module *file_query(ompi_file_t *fh,
                                       struct mca_io_base_file_t **data_out,
                                       int *priority_out)
{
    const char *rest;
    const struct adio_driver *driver = face_driver(fh->f_filename, &rest);

    *data_out = NULL;
    *priority_out = -1;
    if (driver == NULL)
        return NULL;
    if (mca_io_capstan_component.verbose > 0)
        fprintf(stderr, "capstan: %s: served by %s\n", fh->f_filename,
                driver->name);
    *priority_out = mca_io_capstan_component.priority;
    return &face_module;
}

static int file_unquery(ompi_file_t *fh, struct mca_io_base_file_t *data)
{
    return OMPI_SUCCESS;
}

static int register_datarep(const char *name,
                            MPI_Datarep_conversion_function *read_fn,
                            MPI_Datarep_conversion_function *write_fn,
                            MPI_Datarep_extent_function *extent_fn, void *state)
{
    return datarep_register(name, read_fn, write_fn, extent_fn, state);
}

__attribute__((
    visibility("default"))) struct face_component mca_io_capstan_component = {
    .super =
        {
            .io_version =
                {
                    COMPAT_IO_VERSION,
                    .mca_component_name = "capstan",
                    .mca_component_major_version = 0,
                    .mca_component_minor_version = 1,
                    .mca_component_release_version = 0,
                    .mca_register_component_params = register_parameters,
                    .mca_open_component = open_component,
                    .mca_close_component = close_component,
                },
            .io_data = {.param_field = MCA_BASE_METADATA_PARAM_CHECKPOINT},
            .io_init_query = init_query,
            .io_file_query = file_query,
            .io_file_unquery = file_unquery,
            .io_delete_query = face_delete_query,
            .io_delete_select = face_delete_select,
            .io_delete_unquery = face_delete_unselect,
            .io_register_datarep = register_datarep,
        },
};
