/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MPI_File_delete: by path, without a file, by whichever ranks call it.
 *
 * Possible failure modes are those of the driver; a path that is not there is
 * MPI_ERR_NO_SUCH_FILE.
 */
#include "face.h"

int face_delete_query(const char *path, opal_info_t *info,
                      struct mca_io_base_delete_t **data_out, bool *usable_out,
                      int *priority_out)
{
    const char *rest;

    *data_out = NULL;
    *usable_out = face_driver(path, &rest) != NULL;
    *priority_out = *usable_out ? mca_io_capstan_component.priority : -1;
    return OMPI_SUCCESS;
}

int face_delete_select(const char *path, opal_info_t *info,
                       struct mca_io_base_delete_t *data)
{
    struct adio_error error = {0};
    const char *rest;
    const struct adio_driver *driver = face_driver(path, &rest);
    int rc = driver->delete(rest, &error);

    if (rc != 0 && error.code == 0)
        adio_error_set(&error, rc, "%s: delete", path);
    return face_code(&error);
}

int face_delete_unselect(const char *path, opal_info_t *info,
                         struct mca_io_base_delete_t *data)
{
    return OMPI_SUCCESS;
}
