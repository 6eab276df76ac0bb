/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read and write.
 *
 * A call is checked, its memory is flattened, view and memory become runs, and
 * the runs go to the driver (alone) or to the collective engine (together). In
 * a collective a rank that fails its checks still takes part, with nothing to
 * move, so that no other rank waits for it.
 *
 * The individual pointer moves by what was asked for, as the standard has it
 * (MPI-3.1, 13.4.1), and stays where it was when the call fails; so does the
 * shared one, but for a transfer that fails (file_shared.c). The status counts
 * the bytes that were really moved.
 *
 * Possible failure modes are: a read of a file opened WRONLY (MPI_ERR_ACCESS),
 * a write to one opened RDONLY (MPI_ERR_READ_ONLY), an offset below zero
 * (MPI_ERR_ARG), memory that is not whole etypes (MPI_ERR_TYPE), and whatever
 * the driver or the engine say.
 */
#include "face.h"

#include "adio/common/atomic.h"

#include <stdlib.h>

#define LIST_ROOM_KEPT 4096 /* runs a file keeps memory for between calls */

static const char *verb_name(enum coll_verb verb)
{
    return verb == COLL_READ ? "read" : "write";
}

static int check(const struct face_file *face, const struct face_rw *rw,
                 uint64_t *bytes_out, struct adio_error *error)
{
    const struct adio_file *adio = face->adio;

    if (rw->verb == COLL_READ && (adio->amode & MPI_MODE_WRONLY) != 0)
        adio_error_set(error, -EACCES, "%s: read: opened WRONLY",
                       adio->display);
    else if (rw->verb == COLL_WRITE && (adio->amode & MPI_MODE_RDONLY) != 0)
        face_refuse(error, -FACE_READ_ONLY, "%s: write: opened RDONLY",
                    adio->display);
    else if (rw->where <= FACE_POINTER &&
             face_check_sequential(adio, verb_name(rw->verb), error) != 0)
        return error->code;
    else if (rw->where == FACE_AT && rw->offset < 0)
        face_refuse(error, -FACE_ARG, "%s: %s at offset %lld", adio->display,
                    verb_name(rw->verb), (long long)rw->offset);
    else if (face_rw_bytes(face, rw, bytes_out, error) != 0)
        return error->code;
    else if (*bytes_out % adio->view->etype_size != 0)
        face_refuse(error, -FACE_TYPE, "%s: %s of a part of an etype",
                    adio->display, verb_name(rw->verb));
    return error->code;
}

/* Where the access begins, in etypes. */
static int64_t find_start(struct face_file *face, const struct face_rw *rw,
                          uint64_t bytes, struct adio_error *error)
{
    int64_t at = rw->offset;

    if (rw->where == FACE_POINTER)
        at = (int64_t)face->adio->position;
    else if (rw->where == FACE_ORDERED ||
             (rw->where == FACE_SHARED && error->code == 0))
        face_pointer_take(face, rw->where, bytes, &at, error);
    return at;
}

/* Memory without holes is a number of bytes, whatever type it is of. */
static int make_runs(struct face_file *face, const struct face_rw *rw,
                     uint64_t at, struct run_list *list)
{
    const opal_datatype_t *type = &rw->type->super;
    struct flat *flat;
    int rc;

    if (opal_datatype_is_contiguous_memory_layout(type, (int)rw->count))
        return view_runs(face->adio->view, at,
                         (const char *)rw->buf + type->true_lb, face->byte,
                         type->size * (uint64_t)rw->count, list);
    rc = face_flatten(rw->type, &flat);
    if (rc != 0)
        return rc;
    rc = view_runs(face->adio->view, at, rw->buf, flat, (uint64_t)rw->count,
                   list);
    flat_put(&flat);
    return rc;
}

int face_rw_prepare(struct face_file *face, const struct face_rw *rw,
                    struct run_list *list, struct face_stage *stage,
                    struct adio_error *error)
{
    struct adio_file *adio = face->adio;
    uint64_t at, bytes = 0;
    int64_t start;
    int rc;

    list->nruns = 0;
    list->bytes = 0;
    if (check(face, rw, &bytes, error) == 0 && face->rep != NULL)
        face_stage_fill(face, rw, bytes, stage, error);
    start = find_start(face, rw, bytes, error);
    if (error->code != 0)
        return error->code;
    if (__builtin_mul_overflow((uint64_t)start, adio->view->etype_size, &at))
        rc = -EOVERFLOW;
    else if (stage->memory != NULL)
        rc = view_runs(adio->view, at, stage->memory, face->byte, bytes, list);
    else
        rc = make_runs(face, rw, at, list);
    if (rc == 0)
        return 0;
    list->nruns = 0;
    adio_error_set(error, rc, "%s: %s at offset %lld", adio->display,
                   verb_name(rw->verb), (long long)start);
    return rc;
}

void face_rw_moved(struct face_file *face, const struct face_rw *rw,
                   const struct run_list *list, int code)
{
    struct adio_file *adio = face->adio;

    if (rw->verb == COLL_WRITE)
        adio->is_dirty = true;
    if (code == 0 && rw->where == FACE_POINTER)
        adio->position += list->bytes / adio->view->etype_size;
}

/* After the transfer: pointer, dirt, status, and the memory of a long list. */
static void settle(struct face_file *face, const struct face_rw *rw,
                   uint64_t bytes, int code, MPI_Status *status)
{
    face_rw_moved(face, rw, &face->list, code);
    if (status != MPI_STATUS_IGNORE) {
        PMPI_Status_set_elements_x(status, MPI_BYTE, (MPI_Count)bytes);
        PMPI_Status_set_cancelled(status, 0);
    }
    if (face->list.room > LIST_ROOM_KEPT)
        run_list_fini(&face->list);
}

void face_rw_move(struct adio_file *adio, enum coll_verb verb,
                  const struct run_list *list, uint64_t *bytes_out,
                  struct adio_error *error)
{
    const struct adio_driver *driver = adio->driver;
    int rc;

    if (list->nruns == 0)
        return;
    if (adio->is_atomic)
        rc = atomic_move(adio, verb == COLL_WRITE, list->runs, list->nruns,
                         bytes_out, error);
    else if (verb == COLL_READ)
        rc = driver->readlist(adio, list->runs, list->nruns, bytes_out, error);
    else
        rc = driver->writelist(adio, list->runs, list->nruns, bytes_out,
                               error);
    if (rc != 0 && error->code == 0)
        adio_error_set(error, rc, "%s: %s", adio->display, verb_name(verb));
}

/* In atomic mode each rank moves its own, and all agree how it went. */
static int move_together(struct adio_file *adio, enum coll_verb verb,
                         const struct run_list *list,
                         const struct adio_error *local, uint64_t *bytes_out,
                         struct adio_error *error)
{
    int rc;

    if (!adio->is_atomic) {
        rc = coll_run(adio, verb, list->runs, list->nruns,
                      local->code != 0 ? local : NULL, bytes_out, error);
        if (rc != 0 && error->code == 0)
            adio_error_set(error, rc, "%s: collective %s", adio->display,
                           verb_name(verb));
        return rc;
    }
    *error = *local;
    if (local->code == 0)
        face_rw_move(adio, verb, list, bytes_out, error);
    return adio_agree(adio->comm, error);
}

int face_rw_alone(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    uint64_t bytes = 0;

    OPAL_THREAD_LOCK(&face->lock);
    if (face_rw_prepare(face, rw, &face->list, &face->stage, &error) == 0)
        face_rw_move(face->adio, rw->verb, &face->list, &bytes, &error);
    face_stage_end(face, &face->stage, &bytes, &error);
    settle(face, rw, bytes, error.code, status);
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

/* Under the lock. */
static int rw_all(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status)
{
    struct face_file *face = face_of(fh);
    struct adio_error local = {0}, error = {0};
    uint64_t bytes = 0;
    int rc;

    face_rw_prepare(face, rw, &face->list, &face->stage, &local);
    rc = move_together(face->adio, rw->verb, &face->list, &local, &bytes,
                       &error);
    face_stage_end(face, &face->stage, &bytes, &error);
    settle(face, rw, bytes, rc, status);
    face_pvars_count(face->adio);
    face_info_refresh(fh);
    return face_code(&error);
}

int face_rw_all(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status)
{
    struct face_file *face = face_of(fh);
    int code;

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    code = rw_all(fh, rw, status);
    OPAL_THREAD_UNLOCK(&face->lock);
    return code;
}

int face_rw_all_fail(ompi_file_t *fh, const struct face_rw *rw)
{
    struct face_file *face = face_of(fh);
    struct adio_error local = {0}, error = {0};
    const struct run_list nothing = {0};
    uint64_t bytes;

    adio_error_set(&local, -ENOMEM, "%s: %s", face->adio->display,
                   verb_name(rw->verb));
    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    move_together(face->adio, rw->verb, &nothing, &local, &bytes, &error);
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

int face_rw_begin(ompi_file_t *fh, const struct face_rw *rw)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};

    face_drain(face);
    OPAL_THREAD_LOCK(&face->lock);
    if (face->split.is_active) {
        face_refuse(&error, -FACE_ARG,
                    "%s: a split collective is active already",
                    face->adio->display);
    } else {
        face->split.code = rw_all(fh, rw, &face->split.status);
        face->split.verb = rw->verb;
        face->split.where = rw->where;
        face->split.buf = rw->buf;
        face->split.is_active = true;
    }
    OPAL_THREAD_UNLOCK(&face->lock);
    return face_code(&error);
}

/* Is it the end of what was begun? */
static bool is_split_of(const struct face_split *split,
                        const struct face_rw *rw)
{
    return split->is_active && split->verb == rw->verb &&
           split->where == rw->where && split->buf == rw->buf;
}

int face_rw_end(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status)
{
    struct face_file *face = face_of(fh);
    struct adio_error error = {0};
    int code = MPI_SUCCESS;

    OPAL_THREAD_LOCK(&face->lock);
    if (!is_split_of(&face->split, rw)) {
        face_refuse(&error, -FACE_ARG,
                    "%s: no such split collective with this buffer is active",
                    face->adio->display);
    } else {
        face->split.is_active = false;
        code = face->split.code;
        if (status != MPI_STATUS_IGNORE)
            *status = face->split.status;
    }
    OPAL_THREAD_UNLOCK(&face->lock);
    return error.code != 0 ? face_code(&error) : code;
}
