/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Size, pointer, byte offset, access mode, atomicity.
 *
 * Sizes are set by rank 0 after the ranks have agreed that all of them ask for
 * the same. Pointers are in etypes of the view.
 *
 * Possible failure modes are: sizes or flags that differ by rank (MPI_ERR_NOT_SAME); a
 * file opened for reading (MPI_ERR_READ_ONLY); no storage to set aside
 * (MPI_ERR_NO_SPACE); an offset below zero
 * (MPI_ERR_ARG); what MPI_MODE_SEQUENTIAL forbids, and atomic mode over a
 * driver without locks (MPI_ERR_UNSUPPORTED_OPERATION).
 */
#include "face.h"

int face_check_sequential(const struct adio_file *adio, const char *what,
                          struct adio_error *error)
{
    if ((adio->amode & MPI_MODE_SEQUENTIAL) != 0)
        adio_error_set(error, -ENOTSUP, "%s: %s: opened SEQUENTIAL",
                       adio->display, what);
    return error->code;
}

/* Do all ranks say the same, allowed thing? The error is agreed on. */
static int agree_on_size(struct adio_file *adio, const char *what,
                         MPI_Offset size, struct adio_error *error)
{
    long long mine[2] = {size, -size};
    long long most[2];

    PMPI_Allreduce(mine, most, 2, MPI_LONG_LONG, MPI_MAX, adio->comm);
    if (most[0] != -most[1])
        adio_error_set(error, -ENOTUNIQ, "%s: %s: size differs by rank",
                       adio->display, what);
    else if (size < 0)
        face_refuse(error, -FACE_ARG, "%s: %s %lld", adio->display, what,
                    (long long)size);
    else if (face_check_sequential(adio, what, error) != 0)
        return error->code;
    else if ((adio->amode & MPI_MODE_RDONLY) != 0)
        face_refuse(error, -FACE_READ_ONLY, "%s: %s: opened RDONLY",
                    adio->display, what);
    return error->code;
}

static void resize_here(struct adio_file *adio, const char *what, uint64_t size,
                        bool is_allocation, struct adio_error *error)
{
    const struct adio_driver *driver = adio->driver;
    int rc = is_allocation ? driver->allocate(adio, size, error)
                           : driver->resize(adio, size, error);

    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: %s %llu", adio->display, what,
                       (unsigned long long)size);
}

static int resize(ompi_file_t *fh, const char *what, MPI_Offset size,
                  bool is_allocation)
{
    struct face_file *face = face_of(fh);
    struct adio_file *adio = face->adio;
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if (agree_on_size(adio, what, size, &error) == 0) {
        if (adio->rank == 0)
            resize_here(adio, what, (uint64_t)size, is_allocation, &error);
        adio->is_dirty = true;
        adio_agree(adio->comm, &error);
    }
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_set_size(ompi_file_t *fh, MPI_Offset size)
{
    return resize(fh, "set size", size, false);
}

int face_preallocate(ompi_file_t *fh, MPI_Offset size)
{
    return resize(fh, "preallocate", size, true);
}

static int get_size(struct adio_file *adio, uint64_t *size_out,
                    struct adio_error *error)
{
    int rc = adio->driver->get_size(adio, size_out, error);

    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: get size", adio->display);
    return rc;
}

int face_get_size(ompi_file_t *fh, MPI_Offset *size_out)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    uint64_t size;

    OPAL_THREAD_LOCK(&face->lock);
    if (get_size(face->adio, &size, &error) == 0)
        *size_out = (MPI_Offset)size;
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_get_amode(ompi_file_t *fh, int *amode_out)
{
    *amode_out = face_of(fh)->adio->amode;
    return MPI_SUCCESS;
}

/* The end of the file in etypes of the view, the last one counted whole. */
int face_find_end(struct adio_file *adio, MPI_Offset *end_out,
                  struct adio_error *error)
{
    uint64_t etype = adio->view->etype_size;
    uint64_t size;
    int rc = get_size(adio, &size, error);

    if (rc == 0)
        *end_out =
            (MPI_Offset)((view_bytes_below(adio->view, size) + etype - 1) /
                         etype);
    return rc;
}

static void seek(struct adio_file *adio, MPI_Offset offset, int whence,
                 struct adio_error *error)
{
    MPI_Offset from = 0, to;

    if (whence == MPI_SEEK_CUR)
        from = (MPI_Offset)adio->position;
    else if (whence == MPI_SEEK_END && face_find_end(adio, &from, error) != 0)
        return;
    if (__builtin_add_overflow(from, offset, &to) || to < 0)
        face_refuse(error, -FACE_ARG, "%s: seek to before the start",
                    adio->display);
    else
        adio->position = (uint64_t)to;
}

int face_seek(ompi_file_t *fh, MPI_Offset offset, int whence)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};

    OPAL_THREAD_LOCK(&face->lock);
    if (face_check_sequential(face->adio, "seek", &error) == 0)
        seek(face->adio, offset, whence, &error);
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_get_position(ompi_file_t *fh, MPI_Offset *offset_out)
{
    struct adio_file *adio = face_of(fh)->adio;
    struct adio_error error = {0};

    if (face_check_sequential(adio, "get position", &error) == 0)
        *offset_out = (MPI_Offset)adio->position;
    return face_code(&error);
}

int face_get_byte_offset(ompi_file_t *fh, MPI_Offset offset,
                         MPI_Offset *disp_out)
{
    struct adio_file *adio = face_of(fh)->adio;
    struct adio_error error = {0};

    if (face_check_sequential(adio, "get byte offset", &error) != 0)
        return face_code(&error);
    if (offset < 0)
        face_refuse(&error, -FACE_ARG, "%s: byte offset of %lld", adio->display,
                    (long long)offset);
    else
        *disp_out = (MPI_Offset)view_file_offset(
            adio->view, (uint64_t)offset * adio->view->etype_size);
    return face_code(&error);
}

static void set_atomicity(struct adio_file *adio, bool is_atomic,
                          struct adio_error *error)
{
    int mine[2] = {is_atomic, -is_atomic};
    int most[2];

    PMPI_Allreduce(mine, most, 2, MPI_INT, MPI_MAX, adio->comm);
    if (most[0] != -most[1])
        adio_error_set(error, -ENOTUNIQ, "%s: set atomicity: differs by rank",
                       adio->display);
    else if (is_atomic && (adio->driver->features & ADIO_FEATURE_LOCKS) == 0)
        adio_error_set(error, -ENOTSUP, "%s: atomic mode (%s)", adio->display,
                       adio->driver->name);
    else
        adio->is_atomic = is_atomic;
}

int face_set_atomicity(ompi_file_t *fh, int is_atomic)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    set_atomicity(face->adio, is_atomic != 0, &error);
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_get_atomicity(ompi_file_t *fh, int *is_atomic_out)
{
    *is_atomic_out = face_of(fh)->adio->is_atomic;
    return MPI_SUCCESS;
}
