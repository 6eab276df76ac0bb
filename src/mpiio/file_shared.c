/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared file pointer as MPI has it (MPI-3.1, 13.4.4).
 *
 * Alone: one fetch-and-add by the size of the access, in etypes, tells where it
 * begins. Ordered: one exclusive scan tells each rank how much those before it
 * want, the last rank fetches and adds the sum of all, and tells the base.
 *
 * The pointer moves by what was asked for. So it has moved when the transfer
 * then fails, which the standard allows; it has not when any rank's arguments
 * were refused.
 *
 * Possible failure modes are: the counter cannot be reached (an ordered access
 * fails on all ranks); it would pass 2^63 (MPI_ERR_NO_SPACE) or fall below 0
 * (MPI_ERR_ARG); a driver without counter (MPI_ERR_UNSUPPORTED_OPERATION).
 */
#include "face.h"

#include "adio/common/pointer.h"

/* What the last rank tells: where the access of rank 0 begins, or why not. */
struct base {
    int64_t at;
    struct adio_error error;
};

static void take_in_order(struct adio_file *adio, int64_t size,
                          int64_t *at_out, struct adio_error *error)
{
    int64_t mine[2] = {size, error->code != 0}, before[2] = {0, 0};
    struct base base = {0};
    int last = adio->size - 1;
    int64_t sum;

    PMPI_Exscan(mine, before, 2, MPI_INT64_T, MPI_SUM, adio->comm);
    if (adio->rank == 0)
        before[0] = before[1] = 0;
    if (adio->rank == last && before[1] + mine[1] == 0) {
        if (__builtin_add_overflow(before[0], mine[0], &sum))
            adio_error_set(&base.error, -EFBIG, "%s: ordered access",
                           adio->display);
        else
            pointer_step(adio, false, sum, &base.at, &base.error);
    }
    PMPI_Bcast(&base, (int)sizeof(base), MPI_BYTE, last, adio->comm);
    if (base.error.code != 0 && error->code == 0)
        *error = base.error;
    *at_out = base.at + before[0];
}

void face_pointer_take(struct face_file *face, enum face_where where,
                       uint64_t bytes, int64_t *at_out,
                       struct adio_error *error)
{
    struct adio_file *adio = face->adio;
    int64_t size = (int64_t)(bytes / adio->view->etype_size);

    if (error->code != 0)
        size = 0;
    if (where == FACE_ORDERED)
        take_in_order(adio, size, at_out, error);
    else
        pointer_step(adio, false, size, at_out, error);
}

/* Where rank 0 is told to go; the others must have been told the same. */
static void seek(struct adio_file *adio, MPI_Offset offset, int whence,
                 struct adio_error *error)
{
    MPI_Offset from = 0, to;
    int64_t before;

    if (whence == MPI_SEEK_END)
        face_find_end(adio, &from, error);
    else if (whence == MPI_SEEK_CUR &&
             pointer_step(adio, false, 0, &before, error) == 0)
        from = (MPI_Offset)before;
    if (error->code != 0)
        return;
    if (__builtin_add_overflow(from, offset, &to) || to < 0)
        face_refuse(error, -FACE_ARG, "%s: seek shared to before the start",
                    adio->display);
    else
        pointer_step(adio, true, to, &before, error);
}

static void agree_on_seek(struct adio_file *adio, MPI_Offset offset,
                          int whence, struct adio_error *error)
{
    long long mine[4] = {offset, -offset, whence, -whence};
    long long most[4];

    PMPI_Allreduce(mine, most, 4, MPI_LONG_LONG, MPI_MAX, adio->comm);
    if (most[0] != -most[1] || most[2] != -most[3])
        adio_error_set(error, -ENOTUNIQ, "%s: seek shared: differs by rank",
                       adio->display);
}

int face_seek_shared(ompi_file_t *fh, MPI_Offset offset, int whence)
{
    struct face_file *face = face_of(fh);
    struct adio_file *adio = face->adio;
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if (face_check_sequential(adio, "seek shared", &error) == 0)
        agree_on_seek(adio, offset, whence, &error);
    if (error.code == 0) {
        if (adio->rank == 0)
            seek(adio, offset, whence, &error);
        adio_agree(adio->comm, &error);
    }
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_get_position_shared(ompi_file_t *fh, MPI_Offset *offset_out)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    int64_t before;

    OPAL_THREAD_LOCK(&face->lock);
    if (face_check_sequential(face->adio, "get position shared", &error) == 0 &&
        pointer_step(face->adio, false, 0, &before, &error) == 0)
        *offset_out = (MPI_Offset)before;
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}
