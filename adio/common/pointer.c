/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared file pointer, from open to close.
 *
 * The happy path: at open rank 0 draws the handle, asks the size if the file is
 * opened to append, and tells the others. A step goes to the driver. At close
 * rank 0 drops the counter if any rank has used it.
 *
 * Possible failure modes are: rank 0 cannot tell the size, or the window cannot
 * be made: the open fails on all ranks; the driver's.
 */
#include "adio/common/pointer.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>

static uint64_t random_handle(void)
{
    uint64_t handle = 0;

    while (handle == 0)
        if (getrandom(&handle, sizeof(handle), 0) != (ssize_t)sizeof(handle))
            handle = 0;
    return handle;
}

/* With MPI_MODE_APPEND all pointers start at the end (MPI-3.1, 13.2.1); the
 * view is one of bytes yet. */
static void choose_start(struct adio_file *file, struct adio_error *error)
{
    uint64_t size = 0;
    int rc = 0;

    if ((file->amode & MPI_MODE_APPEND) != 0)
        rc = file->driver->get_size(file, &size, error);
    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: open: size", file->display);
    file->pointer.start = (int64_t)size;
}

int pointer_open(struct adio_file *file, struct adio_error *error)
{
    struct adio_pointer *pointer = &file->pointer;
    uint64_t told[2] = {0};

    if (file->rank == 0) {
        pointer->handle = random_handle();
        choose_start(file, error);
        told[0] = pointer->handle;
        told[1] = (uint64_t)pointer->start;
    }
    if (adio_agree(file->comm, error) != 0)
        return error->code;
    PMPI_Bcast(told, 2, MPI_UINT64_T, 0, file->comm);
    pointer->handle = told[0];
    pointer->start = (int64_t)told[1];
    pointer->opened_ns = clock_now(clock_real());
    file->position = told[1];
    if (file->driver->features & ADIO_FEATURE_SHARED_POINTER)
        return 0;
    return pointer_window_open(file, error);
}

void pointer_close(struct adio_file *file)
{
    if ((file->driver->features & ADIO_FEATURE_SHARED_POINTER) == 0)
        pointer_window_close(file);
    else if (file->rank == 0 && file->pointer.is_used)
        file->driver->pointer_drop(file);
}

void pointer_renew(struct adio_file *file)
{
    file->pointer.generation++;
    file->pointer.start = 0;
    file->position = 0;
    if ((file->driver->features & ADIO_FEATURE_SHARED_POINTER) == 0)
        pointer_window_renew(file);
}

int pointer_step(struct adio_file *file, bool is_set, int64_t value,
                 int64_t *before_out, struct adio_error *error)
{
    int rc = file->driver->pointer_step(file, is_set, value, before_out, error);

    file->pointer.is_used = true;
    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: shared file pointer", file->display);
    return rc;
}
