/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nonblocking reads and writes, alone and collective.
 *
 * A call prepares its runs, starts the driver's transfer or the engine's
 * operation, and hands back a request of Open MPI's kind for I/O, whose errors
 * go to the error handler of the file. What has been started is in one list
 * that Open MPI's progress engine walks whenever any thread is inside MPI: each
 * transfer is moved on by one step, and one that is over completes its request.
 *
 * Collectives of other calls on the same file wait until the file has nothing
 * pending (face_drain), because another rank may sit in MPI_Wait for what only
 * this rank's steps can bring.
 *
 * In atomic mode the whole access is made at once, alone, by the call that
 * starts it: a lock must not be held while the program is elsewhere, and locks
 * are given back without the other ranks' help, so nobody waits in a circle.
 * A rank of a collective then returns its own error, not everybody's.
 *
 * Locks: the walk holds pending_lock and each file's lock, and takes neither by
 * force: it may itself be called from inside of a step. A file's lock is never
 * held by who waits for pending_lock.
 *
 * Possible failure modes are: the transfer fails, or never starts: the request
 * is made all the same, and MPI_Wait or MPI_Test return the error. Only without
 * memory or without a request the call itself fails; a collective then still
 * takes part, with nothing to move, and blocks.
 */
#include "face.h"

#include "base/mem.h"
#include "ompi/request/request.h"
#include "opal/runtime/opal_progress.h"

#include <stdlib.h>

struct face_pending {
    struct face_pending *next;
    ompi_file_t *fh;
    enum coll_verb verb;
    struct run_list list;
    struct face_stage stage;
    struct coll_op *op; /* one of these two while it runs */
    struct adio_io *io;
    struct adio_error error;
    uint64_t bytes;
    ompi_request_t *request; /* shared with the program */
    struct coll_wait wait;
};

/* The program's hold on the request ends; ours may last longer. */
static int release(ompi_request_t **request)
{
    OMPI_REQUEST_FINI(*request);
    OBJ_RELEASE(*request);
    *request = MPI_REQUEST_NULL;
    return OMPI_SUCCESS;
}

/* What is under way is not called back: the request completes as usual. */
static int cancel(ompi_request_t *request, int is_complete)
{
    return OMPI_SUCCESS;
}

/* One step. Under the file's lock. @return true when it is over. */
static bool step(struct face_pending *pending)
{
    struct adio_file *adio = face_of(pending->fh)->adio;
    bool is_over = true;
    int rc;

    if (pending->op != NULL) {
        if (!coll_step(pending->op))
            return false;
        coll_finish(&pending->op, &pending->bytes, &pending->error);
        face_pvars_count(adio);
        face_info_refresh(pending->fh);
    } else if (pending->io != NULL) {
        rc = adio->driver->test(adio, &pending->io, &is_over, &pending->bytes,
                                &pending->error);
        if (is_over && rc != 0 && pending->error.code == 0)
            adio_error_set(&pending->error, rc, "%s: transfer", adio->display);
    }
    return is_over;
}

static void complete(struct face_pending *pending)
{
    struct face_file *face = face_of(pending->fh);
    ompi_request_t *request = pending->request;

    face_stage_end(face, &pending->stage, &pending->bytes, &pending->error);
    PMPI_Status_set_elements_x(&request->req_status, MPI_BYTE,
                               (MPI_Count)pending->bytes);
    request->req_status.MPI_ERROR = face_code(&pending->error);
    run_list_fini(&pending->list);
    free(pending);
    __atomic_sub_fetch(&face->npending, 1, __ATOMIC_ACQ_REL);
    ompi_request_complete(request, true);
    OBJ_RELEASE(request);
}

/* Is a collective all that is under way? */
static bool is_alone(const struct face_pending *pending)
{
    return pending->op != NULL && mca_io_capstan_component.pending == pending &&
           pending->next == NULL;
}

/* Called by Open MPI from wherever it waits. @return how many are over. */
static int walk(void)
{
    struct face_component *component = &mca_io_capstan_component;
    struct face_pending **link, *pending;
    int nover = 0;

    if (__atomic_load_n(&component->pending, __ATOMIC_RELAXED) == NULL ||
        opal_mutex_trylock(&component->pending_lock) != 0)
        return 0;
    link = &component->pending;
    while ((pending = *link) != NULL) {
        struct face_file *face = face_of(pending->fh);
        bool is_over = false;

        if (opal_mutex_trylock(&face->lock) == 0) {
            is_over = step(pending);
            if (!is_over && is_alone(pending))
                coll_wait_in_mpi(pending->op, &pending->wait);
            opal_mutex_unlock(&face->lock);
        }
        if (!is_over) {
            link = &pending->next;
            continue;
        }
        *link = pending->next;
        complete(pending);
        nover++;
    }
    opal_mutex_unlock(&component->pending_lock);
    return nover;
}

static void append(struct face_pending *pending)
{
    struct face_component *component = &mca_io_capstan_component;
    struct face_pending **link;

    opal_mutex_lock(&component->pending_lock);
    if (!component->is_walking) {
        component->is_walking = true;
        opal_progress_register(walk);
    }
    link = &component->pending;
    while (*link != NULL)
        link = &(*link)->next;
    *link = pending;
    opal_mutex_unlock(&component->pending_lock);
}

void face_pending_fini(void)
{
    if (mca_io_capstan_component.is_walking)
        opal_progress_unregister(walk);
}

void face_drain(struct face_file *face)
{
    while (__atomic_load_n(&face->npending, __ATOMIC_ACQUIRE) > 0)
        opal_progress();
}

void face_forget_pending(ompi_file_t *fh)
{
    struct face_component *component = &mca_io_capstan_component;
    struct face_pending **link = &component->pending;

    opal_mutex_lock(&component->pending_lock);
    while (*link != NULL)
        if ((*link)->fh == fh)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    opal_mutex_unlock(&component->pending_lock);
}

/* A request of two references: the program's and ours. */
static ompi_request_t *request_new(ompi_file_t *fh)
{
    ompi_request_t *request = OBJ_NEW(ompi_request_t);

    if (request == NULL)
        return NULL;
    OMPI_REQUEST_INIT(request, false);
    request->req_type = OMPI_REQUEST_IO;
    request->req_state = OMPI_REQUEST_ACTIVE;
    request->req_free = release;
    request->req_cancel = cancel;
    request->req_mpi_object.file = fh;
    request->req_status.MPI_SOURCE = MPI_UNDEFINED;
    request->req_status.MPI_TAG = MPI_UNDEFINED;
    request->req_status._cancelled = 0;
    OBJ_RETAIN(request);
    return request;
}

static struct face_pending *pending_new(ompi_file_t *fh,
                                        const struct face_rw *rw)
{
    struct face_pending *pending = mem_calloc(1, sizeof(*pending));

    if (pending == NULL)
        return NULL;
    pending->fh = fh;
    pending->verb = rw->verb;
    pending->request = request_new(fh);
    if (pending->request != NULL)
        return pending;
    free(pending);
    return NULL;
}

/* Under the file's lock. */
static void start_alone(struct face_pending *pending, struct adio_file *adio)
{
    struct run_list *list = &pending->list;
    int rc;

    if (pending->error.code != 0 || list->nruns == 0)
        return;
    if (adio->is_atomic) {
        face_rw_move(adio, pending->verb, list, &pending->bytes,
                     &pending->error);
        return;
    }
    if (pending->verb == COLL_READ)
        rc = adio->driver->ireadlist(adio, list->runs, list->nruns,
                                     &pending->io, &pending->error);
    else
        rc = adio->driver->iwritelist(adio, list->runs, list->nruns,
                                      &pending->io, &pending->error);
    if (rc != 0 && pending->error.code == 0)
        adio_error_set(&pending->error, rc, "%s: transfer", adio->display);
}

/* Under the file's lock. */
static void start_all(struct face_pending *pending, struct adio_file *adio)
{
    struct adio_error local = pending->error;

    if (adio->is_atomic) {
        start_alone(pending, adio);
        return;
    }
    pending->error.code = 0;
    coll_start(adio, pending->verb, pending->list.runs, pending->list.nruns,
               local.code != 0 ? &local : NULL, &pending->op);
}

typedef void start_fn(struct face_pending *pending, struct adio_file *adio);

static int start(ompi_file_t *fh, const struct face_rw *rw, start_fn *how,
                 struct face_pending *pending, MPI_Request *request_out)
{
    struct face_file *face = face_of(fh);

    *request_out = pending->request;
    OPAL_THREAD_LOCK(&face->lock);
    face_rw_prepare(face, rw, &pending->list, &pending->stage, &pending->error);
    how(pending, face->adio);
    face_rw_moved(face, rw, &pending->list, pending->error.code);
    __atomic_add_fetch(&face->npending, 1, __ATOMIC_ACQ_REL);
    OPAL_THREAD_UNLOCK(&face->lock);
    append(pending);
    return MPI_SUCCESS;
}

int face_rw_request(ompi_file_t *fh, const struct face_rw *rw,
                    MPI_Request *request_out)
{
    struct face_pending *pending = pending_new(fh, rw);

    if (pending == NULL)
        return MPI_ERR_NO_MEM;
    return start(fh, rw, start_alone, pending, request_out);
}

int face_rw_all_request(ompi_file_t *fh, const struct face_rw *rw,
                        MPI_Request *request_out)
{
    struct face_pending *pending = pending_new(fh, rw);

    if (pending == NULL)
        return face_rw_all_fail(fh, rw);
    return start(fh, rw, start_all, pending, request_out);
}
