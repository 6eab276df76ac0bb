/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files, opened and closed by all ranks together.
 *
 * Open: the communicator is duplicated; the ranks compare access modes and
 * take rank 0's hints; if the file may have to be created rank 0 does that
 * alone, so that a directory sees one create and MPI_MODE_EXCL one winner; then
 * the others open what is there; at the end all agree on how it went.
 *
 * Close: one Allreduce tells whether anybody wrote, and is the barrier after
 * which no rank still moves data; what was written is flushed, by rank 0 alone
 * where that is enough; the driver's file is closed; rank 0 deletes it if the
 * access mode says so.
 *
 * Possible failure modes are: any rank cannot open: those that could close
 * again, and a file that rank 0 created stays; access modes differ: -ENOTUNIQ;
 * a flush fails: the file is closed all the same and all ranks say so.
 */
#include "adio/common/adio.h"

#include "adio/common/coll.h"
#include "adio/common/pointer.h"
#include "adio/common/view.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DIRTY = 1, POINTER_USED = 2 }; /* what ranks tell each other */

static unsigned open_flags(int amode)
{
    unsigned flags = 0;

    if ((amode & (MPI_MODE_RDONLY | MPI_MODE_RDWR)) != 0)
        flags |= ADIO_READ;
    if ((amode & (MPI_MODE_WRONLY | MPI_MODE_RDWR)) != 0)
        flags |= ADIO_WRITE;
    if ((amode & MPI_MODE_CREATE) == 0)
        return flags; /* MPI_MODE_EXCL speaks of files that are created */
    flags |= ADIO_CREATE;
    if ((amode & MPI_MODE_EXCL) != 0)
        flags |= ADIO_EXCL;
    return flags;
}

/* All but the communicator, which only a successful duplicate has. */
static void file_free(struct adio_file *file)
{
    if (file == NULL)
        return;
    view_destroy(&file->view);
    free(file->path);
    free(file->display);
    free(file);
}

static struct adio_file *file_new(const struct adio_driver *driver,
                                  const char *display, const char *path,
                                  struct adio_error *error)
{
    struct adio_file *file = mem_calloc(1, sizeof(*file));

    if (file == NULL)
        goto err;
    file->driver = driver;
    file->path = mem_strdup(path);
    file->display = mem_strdup(display);
    if (file->path == NULL || file->display == NULL ||
        view_create_bytes(&file->view) != 0)
        goto err;
    return file;

err:
    file_free(file);
    adio_error_set(error, -ENOMEM, "%s: open", display);
    return NULL;
}

/* -ENOTUNIQ on every rank when they do not all say the same. */
static void compare_amodes(struct adio_file *file, struct adio_error *error)
{
    int mine[2] = {file->amode, -file->amode};
    int most[2];

    PMPI_Allreduce(mine, most, 2, MPI_INT, MPI_MAX, file->comm);
    if (most[0] != -most[1])
        adio_error_set(error, -ENOTUNIQ, "%s: access mode differs by rank",
                       file->display);
}

static void open_here(struct adio_file *file, unsigned flags,
                      struct adio_error *error)
{
    struct adio_create create = {
        .striping_unit = file->hints.striping_unit,
        .striping_factor = file->hints.striping_factor,
    };
    int rc = file->driver->open(file, file->path, flags, &create, error);

    file->is_open = rc == 0;
    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: open", file->display);
}

static int open_everywhere(struct adio_file *file, struct adio_error *error)
{
    unsigned flags = open_flags(file->amode);

    if ((flags & ADIO_CREATE) != 0) {
        if (file->rank == 0)
            open_here(file, flags, error);
        if (adio_agree(file->comm, error) != 0)
            return error->code;
        flags &= ~(unsigned)(ADIO_CREATE | ADIO_EXCL);
    }
    if (!file->is_open)
        open_here(file, flags, error);
    return adio_agree(file->comm, error);
}

int adio_open(const struct adio_driver *driver, MPI_Comm comm,
              const char *display, const char *path, int amode,
              const struct adio_hints *hints, struct adio_file **file_out,
              struct adio_error *error)
{
    struct adio_error ignored = {0};
    struct adio_file *file;

    error->code = 0;
    file = file_new(driver, display, path, error);
    if (file != NULL)
        driver->prepare(path, error);
    if (adio_agree(comm, error) != 0)
        goto err_file;
    if (PMPI_Comm_dup(comm, &file->comm) != MPI_SUCCESS) {
        adio_error_set(error, -ENOMEM, "%s: open: no communicator", display);
        goto err_file;
    }
    PMPI_Comm_set_errhandler(file->comm, MPI_ERRORS_RETURN);
    PMPI_Comm_rank(file->comm, &file->rank);
    PMPI_Comm_size(file->comm, &file->size);
    file->amode = amode;
    file->hints = *hints;
    compare_amodes(file, error);
    if (error->code != 0)
        goto err_comm;
    adio_share_hints(file);
    if (open_everywhere(file, error) != 0)
        goto err_comm;
    if (coll_prepare(file) != 0) {
        adio_error_set(error, -ENOMEM, "%s: open", display);
        goto err_comm;
    }
    if (pointer_open(file, error) != 0)
        goto err_coll;
    *file_out = file;
    return 0;

err_coll:
    coll_forget(file);
err_comm:
    if (file->is_open)
        driver->close(file, &ignored);
    PMPI_Comm_free(&file->comm);
err_file:
    file_free(file);
    return error->code;
}

void adio_share_hints(struct adio_file *file)
{
    PMPI_Bcast(&file->hints, (int)sizeof(file->hints), MPI_BYTE, 0, file->comm);
}

static void flush_here(struct adio_file *file, struct adio_error *error)
{
    bool is_mine = file->rank == 0 ||
                   (file->driver->features & ADIO_FEATURE_FLUSH_ALL) == 0;
    int rc = is_mine ? file->driver->flush(file, error) : 0;

    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: flush", file->display);
}

int adio_sync(struct adio_file *file, struct adio_error *error)
{
    int mine = (file->is_dirty ? DIRTY : 0) |
               (file->pointer.is_used ? POINTER_USED : 0);
    int any = 0;

    error->code = 0;
    PMPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_BOR, file->comm);
    file->pointer.is_used = (any & POINTER_USED) != 0;
    if ((any & DIRTY) == 0)
        return 0;
    flush_here(file, error);
    file->is_dirty = false;
    return adio_agree(file->comm, error);
}

int adio_close(struct adio_file **file_p, struct adio_error *error)
{
    struct adio_file *file = *file_p;
    struct adio_error later = {0};

    *file_p = NULL;
    adio_sync(file, error);
    coll_forget(file);
    pointer_close(file);
    if (file->driver->close(file, &later) != 0 && error->code == 0)
        *error = later;
    if ((file->amode & MPI_MODE_DELETE_ON_CLOSE) != 0) {
        PMPI_Barrier(file->comm);
        if (file->rank == 0 && file->driver->delete(file->path, &later) != 0 &&
            error->code == 0)
            *error = later;
    }
    adio_agree(file->comm, error);
    PMPI_Comm_free(&file->comm);
    file_free(file);
    return error->code;
}

void adio_abandon(struct adio_file **file_p)
{
    struct adio_file *file = *file_p;
    struct adio_error ignored = {0};

    *file_p = NULL;
    if (file->is_dirty)
        file->driver->flush(file, &ignored);
    file->driver->close(file, &ignored);
    file_free(file);
}
