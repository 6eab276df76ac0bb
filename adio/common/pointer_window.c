/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared file pointer of drivers that have none of their own: memory of
 * rank 0 in a window of MPI, stepped by MPI_Fetch_and_op (MPI-3.1, 11.3.4).
 *
 * The happy path: the window is made at open and locked for all until close.
 * There are two places in it, used in turn by generations: when a view is set,
 * rank 0 clears the place of the generation that has ended, for the one after
 * the next. Between lie two collectives, so nobody looks at it meanwhile.
 *
 * Progress: within a node Open MPI's windows are shared memory, and a step
 * needs nobody's help. Between nodes, on a fabric without remote atomics, it
 * waits until rank 0 is inside MPI.
 *
 * Possible failure modes are: MPI can make no window (on tcp between nodes Open
 * MPI 4 has none for MPI_THREAD_MULTIPLE): the file opens all the same, and a
 * step is -ENOTSUP.
 */
#include "adio/common/pointer.h"

#include <errno.h>

static void make(struct adio_file *file, struct adio_error *error)
{
    struct adio_pointer *pointer = &file->pointer;
    MPI_Aint bytes = file->rank == 0 ? (MPI_Aint)sizeof(pointer->alone) : 0;

    if (PMPI_Win_allocate(bytes, (int)sizeof(int64_t), MPI_INFO_NULL,
                          file->comm, &pointer->places,
                          &pointer->window) != MPI_SUCCESS) {
        adio_error_set(error, -ENOTSUP, "%s: window", file->display);
        return;
    }
    pointer->has_window = true;
    PMPI_Win_set_errhandler(pointer->window, MPI_ERRORS_RETURN);
    if (file->rank == 0) {
        pointer->places[0] = pointer->start;
        pointer->places[1] = 0;
    }
}

int pointer_window_open(struct adio_file *file, struct adio_error *error)
{
    struct adio_pointer *pointer = &file->pointer;
    struct adio_error local = {0};

    if (file->size == 1) {
        pointer->places = pointer->alone;
        pointer->places[0] = pointer->start;
        return 0;
    }
    make(file, &local);
    if (adio_agree(file->comm, &local) != 0) {
        pointer->has_window = false; /* of no use, and cannot be freed */
        return 0;
    }
    PMPI_Win_lock_all(MPI_MODE_NOCHECK, pointer->window);
    PMPI_Win_sync(pointer->window);
    PMPI_Barrier(file->comm);
    return 0;
}

void pointer_window_close(struct adio_file *file)
{
    struct adio_pointer *pointer = &file->pointer;

    if (!pointer->has_window)
        return;
    PMPI_Win_unlock_all(pointer->window);
    PMPI_Win_free(&pointer->window);
    pointer->has_window = false;
}

static int fetch(struct adio_file *file, unsigned place, MPI_Op op,
                 int64_t value, int64_t *before_out)
{
    MPI_Win window = file->pointer.window;
    int rc = PMPI_Fetch_and_op(&value, before_out, MPI_INT64_T, 0,
                               (MPI_Aint)place, op, window);

    if (rc == MPI_SUCCESS)
        rc = PMPI_Win_flush(0, window);
    return rc == MPI_SUCCESS ? 0 : -EIO;
}

static int step_alone(struct adio_file *file, bool is_set, int64_t value,
                      int64_t *before_out)
{
    int64_t *place = &file->pointer.alone[file->pointer.generation % 2];
    int64_t after = value;

    if (!is_set && __builtin_add_overflow(*place, value, &after))
        return -EFBIG;
    *before_out = *place;
    *place = after;
    return 0;
}

void pointer_window_renew(struct adio_file *file)
{
    unsigned ended = (file->pointer.generation - 1) % 2;
    int64_t before;

    if (file->size == 1)
        file->pointer.alone[ended] = 0;
    else if (file->rank == 0 && file->pointer.has_window)
        fetch(file, ended, MPI_REPLACE, 0, &before);
}

int pointer_window_step(struct adio_file *file, bool is_set, int64_t value,
                        int64_t *before_out, struct adio_error *error)
{
    int rc = -ENOTSUP;

    if (value < 0)
        rc = -EINVAL;
    else if (file->size == 1)
        rc = step_alone(file, is_set, value, before_out);
    else if (file->pointer.has_window)
        rc = fetch(file, file->pointer.generation % 2,
                   is_set ? MPI_REPLACE : MPI_SUM, value, before_out);
    if (rc != 0)
        adio_error_set(error, rc, "%s: shared file pointer", file->display);
    return rc;
}
