/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of capstan: paths, over include/capstan only.
 *
 * The happy path: the first file opened in a process opens a session, all files
 * of a cluster share it, and it stays until finalize(), since finding a fabric
 * takes longer than reading many a file. Lists of runs go to the library as they
 * are. A path of the machine that lies on a mount is one in the cluster that is
 * mounted there.
 *
 * Possible failure modes are the library's: its code and its text, which names
 * path, server and cause, become the adio error.
 */
#include "adio/common/adio.h"

#include "base/clock.h"
#include "base/mem.h"

#include <capstan/file.h>
#include <capstan/namespace.h>
#include <capstan/place.h>
#include <capstan/session.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define IDLE_US 100 /* longest wait between two tests of a request */
#define LISTED_PIECE 4096 /* a server reads its devices in units of this */
#define LOCK_NAP_NS 300000 /* between two looks at a lock that others hold */

/* One session a process and cluster: the endpoint and its connections are what
 * costs. A session belongs to one thread at a time, and files of several threads
 * share it, so the lock is held through every call of the library. */
struct link {
    struct link *next;
    struct capstan_session *session;
    char cluster_file[]; /* "": the default */
};

static struct {
    pthread_mutex_t lock;
    struct link *links;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void enter(void)
{
    pthread_mutex_lock(&shared.lock);
}

static void leave(void)
{
    pthread_mutex_unlock(&shared.lock);
}

struct adio_io {
    struct capstan_request *request;
};

/* A file of ours: what driver_data points to. */
struct opened {
    struct capstan_file *file;
    struct capstan_session *session;
};

static struct capstan_file *of(struct adio_file *file)
{
    return ((struct opened *)file->driver_data)->file;
}

static struct capstan_session *session_of(struct adio_file *file)
{
    return ((struct opened *)file->driver_data)->session;
}

/* Turn a failure of the library into an adio error; locked. session NULL: it
 * could not be opened. @return code */
static int fail_in(const struct capstan_session *session, const char *path,
                   int code, struct adio_error *error)
{
    const char *text = session != NULL ? capstan_session_error(session)
                                       : capstan_open_error();

    /* The library's text names its cause; adio_error_set() would again. */
    error->code = code;
    snprintf(error->text, sizeof(error->text), "capstan:%s: %s", path, text);
    return code;
}

static int fail(struct adio_file *file, int code, struct adio_error *error)
{
    return fail_in(session_of(file), file->path, code, error);
}

static struct link *new_link(const char *cluster_file)
{
    struct link *link = mem_calloc(1, sizeof(*link) + strlen(cluster_file) + 1);

    if (link != NULL)
        memcpy(link->cluster_file, cluster_file, strlen(cluster_file) + 1);
    return link;
}

/* The session of a cluster; locked. */
static int session_need(const char *path, const char *cluster_file,
                        struct capstan_session **session_out,
                        struct adio_error *error)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    struct link *link = shared.links;
    int rc = -ENOMEM;

    while (link != NULL && strcmp(link->cluster_file, cluster_file) != 0)
        link = link->next;
    if (link == NULL) {
        link = new_link(cluster_file);
        if (link == NULL) {
            adio_error_set(error, rc, "%s: session", path);
            return rc;
        }
        if (*cluster_file != '\0')
            options.cluster_file = link->cluster_file;
        rc = capstan_session_open(&options, &link->session);
        if (rc != 0) {
            free(link);
            return fail_in(NULL, path, rc, error);
        }
        link->next = shared.links;
        shared.links = link;
    }
    *session_out = link->session;
    return 0;
}

/* Where a path lies. Paths of the machine (is_mounted) are looked for on mounts.
 */
static int place_of(bool is_mounted, const char *path,
                    struct capstan_place *place_out, struct adio_error *error)
{
    int rc = -ENAMETOOLONG;

    place_out->cluster_file[0] = '\0';
    if (is_mounted)
        rc = capstan_place_find(path, place_out);
    else if (strlen(path) < sizeof(place_out->path))
        rc = 0;
    if (rc == 0 && !is_mounted)
        memcpy(place_out->path, path, strlen(path) + 1);
    if (rc != 0)
        adio_error_set(error, rc, "%s", path);
    return rc;
}

static int prepare_at(bool is_mounted, const char *path,
                      struct adio_error *error)
{
    struct capstan_session *session;
    struct capstan_place place;
    int rc = place_of(is_mounted, path, &place, error);

    if (rc != 0)
        return rc;
    enter();
    rc = session_need(path, place.cluster_file, &session, error);
    leave();
    return rc;
}

static int ad_prepare(const char *path, struct adio_error *error)
{
    return prepare_at(false, path, error);
}

static int ad_prepare_mounted(const char *path, struct adio_error *error)
{
    return prepare_at(true, path, error);
}

static void ad_finalize(void)
{
    enter();
    while (shared.links != NULL) {
        struct link *link = shared.links;

        shared.links = link->next;
        capstan_session_close(&link->session);
        free(link);
    }
    leave();
}

static unsigned open_flags(unsigned flags)
{
    static const struct {
        unsigned adio;
        unsigned capstan;
    } map[] = {
        {ADIO_READ, CAPSTAN_OPEN_READ},
        {ADIO_WRITE, CAPSTAN_OPEN_WRITE},
        {ADIO_CREATE, CAPSTAN_OPEN_CREATE},
        {ADIO_EXCL, CAPSTAN_OPEN_EXCL},
    };
    unsigned out = CAPSTAN_OPEN_NOSYNC; /* ad_flush() comes before ad_close() */
    size_t i;

    for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (flags & map[i].adio)
            out |= map[i].capstan;
    return out;
}

/* A hint is advice: what the library would refuse is brought into range. */
static struct capstan_layout layout_of(const struct adio_create *create)
{
    const uint32_t unit = 4096, unit_max = 1u << 30;
    struct capstan_layout layout = {0, 0, 0};
    uint32_t size;

    if (create == NULL)
        return layout;
    size = create->striping_unit;
    if (size > unit_max)
        size = unit_max;
    layout.stripe_size = (size + unit - 1) / unit * unit;
    layout.width = create->striping_factor > UINT16_MAX
                       ? UINT16_MAX
                       : (uint16_t)create->striping_factor;
    layout.mode = create->mode;
    return layout;
}

static int open_at(struct opened *opened, const struct capstan_place *place,
                   const char *path, unsigned flags,
                   const struct capstan_layout *layout,
                   struct adio_error *error)
{
    int rc;

    enter();
    rc = session_need(path, place->cluster_file, &opened->session, error);
    if (rc == 0) {
        rc = capstan_file_open(opened->session, place->path, flags, layout,
                               &opened->file);
        if (rc != 0)
            fail_in(opened->session, path, rc, error);
    }
    leave();
    return rc;
}

static int open_any(bool is_mounted, struct adio_file *file, const char *path,
                    unsigned flags, const struct adio_create *create,
                    struct adio_error *error)
{
    struct capstan_layout layout = layout_of(create);
    struct opened *opened = mem_calloc(1, sizeof(*opened));
    struct capstan_place place;
    int rc = -ENOMEM;

    if (opened == NULL) {
        adio_error_set(error, rc, "%s: open", path);
        return rc;
    }
    rc = place_of(is_mounted, path, &place, error);
    if (rc == 0)
        rc = open_at(opened, &place, path, open_flags(flags), &layout, error);
    if (rc == 0)
        file->driver_data = opened;
    else
        free(opened);
    return rc;
}

static int ad_open(struct adio_file *file, const char *path, unsigned flags,
                   const struct adio_create *create, struct adio_error *error)
{
    return open_any(false, file, path, flags, create, error);
}

static int ad_open_mounted(struct adio_file *file, const char *path,
                           unsigned flags, const struct adio_create *create,
                           struct adio_error *error)
{
    return open_any(true, file, path, flags, create, error);
}

static int ad_close(struct adio_file *file, struct adio_error *error)
{
    struct opened *opened = file->driver_data;
    int rc;

    enter();
    rc = capstan_file_close(&opened->file);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    file->driver_data = NULL;
    free(opened);
    return rc;
}

static int delete_at(bool is_mounted, const char *path,
                     struct adio_error *error)
{
    struct capstan_session *session;
    struct capstan_place place;
    int rc = place_of(is_mounted, path, &place, error);

    if (rc != 0)
        return rc;
    enter();
    rc = session_need(path, place.cluster_file, &session, error);
    if (rc == 0) {
        rc = capstan_unlink(session, place.path);
        if (rc != 0)
            fail_in(session, path, rc, error);
    }
    leave();
    return rc;
}

static int ad_delete(const char *path, struct adio_error *error)
{
    return delete_at(false, path, error);
}

static int ad_delete_mounted(const char *path, struct adio_error *error)
{
    return delete_at(true, path, error);
}

static int ad_get_size(struct adio_file *file, uint64_t *size_out,
                       struct adio_error *error)
{
    int rc;

    enter();
    rc = capstan_file_size(of(file), size_out);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

static int ad_resize(struct adio_file *file, uint64_t size,
                     struct adio_error *error)
{
    int rc;

    enter();
    rc = capstan_file_truncate(of(file), size);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

static int ad_allocate(struct adio_file *file, uint64_t size,
                       struct adio_error *error)
{
    int rc;

    enter();
    rc = capstan_file_allocate(of(file), 0, size, 0);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

static int ad_flush(struct adio_file *file, struct adio_error *error)
{
    int rc;

    enter();
    rc = capstan_file_sync(of(file));
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

static void ad_layout(struct adio_file *file, struct adio_layout *layout_out)
{
    struct capstan_file_layout layout;

    capstan_file_layout(of(file), &layout);
    layout_out->stripe_size = layout.stripe_size;
    layout_out->width = layout.width;
    layout_out->listed_piece = LISTED_PIECE;
}

/* @return our runs in the library's form, or NULL; ended with free(). */
static struct capstan_run *convert(const struct run *runs, size_t nruns)
{
    struct capstan_run *out = mem_calloc(nruns > 0 ? nruns : 1, sizeof(*out));
    size_t i;

    for (i = 0; out != NULL && i < nruns; i++) {
        out[i].offset = runs[i].offset;
        out[i].length = runs[i].length;
        out[i].stride = runs[i].stride;
        out[i].count = runs[i].count;
        out[i].memory = (void *)(uintptr_t)runs[i].mem;
        out[i].mem_stride = runs[i].mem_stride;
    }
    return out;
}

typedef int start_fn(struct capstan_file *file, const struct capstan_run *runs,
                     size_t nruns, struct capstan_request **request_out);

static int start(struct adio_file *file, const struct run *runs, size_t nruns,
                 start_fn *start_list, struct adio_io **io_out,
                 struct adio_error *error)
{
    struct adio_io *io = mem_calloc(1, sizeof(*io));
    struct capstan_run *list = convert(runs, nruns);
    int rc = -ENOMEM;

    if (io == NULL || list == NULL) {
        adio_error_set(error, rc, "%s: list of %zu runs", file->path, nruns);
        goto err_memory;
    }
    enter();
    rc = start_list(of(file), list, nruns, &io->request);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    if (rc != 0)
        goto err_memory;
    free(list);
    *io_out = io;
    return 0;

err_memory:
    free(list);
    free(io);
    return rc;
}

static int ad_ireadlist(struct adio_file *file, const struct run *runs,
                        size_t nruns, struct adio_io **io_out,
                        struct adio_error *error)
{
    return start(file, runs, nruns, capstan_file_readv_start, io_out, error);
}

static int ad_iwritelist(struct adio_file *file, const struct run *runs,
                         size_t nruns, struct adio_io **io_out,
                         struct adio_error *error)
{
    return start(file, runs, nruns, capstan_file_writev_start, io_out, error);
}

static int ad_test(struct adio_file *file, struct adio_io **io_p,
                   bool *done_out, uint64_t *bytes_out,
                   struct adio_error *error)
{
    struct adio_io *io = *io_p;
    uint64_t bytes = 0;
    int rc;

    enter();
    rc = capstan_request_test(&io->request, done_out, &bytes);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    if (!*done_out && rc == 0)
        return 0;
    *done_out = true;
    *bytes_out = bytes;
    *io_p = NULL;
    free(io);
    return rc;
}

/* Whatever becomes of it, nobody waits for more than what is read anyway. */
static void ad_plan(struct adio_file *file, const struct run *runs,
                    size_t nruns)
{
    struct capstan_run *list = convert(runs, nruns);
    uint64_t bytes;

    if (list == NULL)
        return;
    enter();
    capstan_file_plan(of(file), list, nruns, &bytes);
    leave();
    free(list);
}

static void ad_idle(struct adio_file *file)
{
    enter();
    capstan_session_wait(session_of(file), IDLE_US);
    leave();
}

/* One step of waiting. The session is free between steps, since the holder may
 * be another file of this process; and so is the core, which he may need. */
static int lock_step(struct adio_file *file, struct capstan_lock *lock,
                     bool *is_held_out, struct adio_error *error)
{
    const struct timespec nap = {0, LOCK_NAP_NS};
    int rc;

    enter();
    rc = capstan_lock_test(lock, is_held_out);
    if (rc != 0)
        fail(file, rc, error);
    else if (!*is_held_out)
        capstan_session_wait(session_of(file), IDLE_US);
    leave();
    if (rc == 0 && !*is_held_out)
        nanosleep(&nap, NULL);
    return rc;
}

static int ad_unlock(struct adio_file *file, struct adio_lock *lock,
                     struct adio_error *error)
{
    struct capstan_lock *held = lock->handle;
    int rc;

    lock->handle = NULL;
    enter();
    rc = capstan_lock_end(&held);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

static int ad_lock(struct adio_file *file, struct adio_lock *lock,
                   struct adio_error *error)
{
    struct adio_error ignored;
    struct capstan_lock *wanted;
    bool is_held = false;
    int rc;

    enter();
    rc = capstan_file_lock_start(of(file), lock->offset, lock->length,
                                 lock->is_shared, &wanted);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    if (rc != 0)
        return rc;
    lock->handle = wanted;
    while (rc == 0 && !is_held)
        rc = lock_step(file, wanted, &is_held, error);
    if (rc != 0)
        ad_unlock(file, lock, &ignored);
    return rc;
}

static struct capstan_pointer pointer_of(const struct adio_file *file)
{
    const struct adio_pointer *pointer = &file->pointer;

    return (struct capstan_pointer){
        .handle = pointer->handle,
        .generation = pointer->generation,
        .start = pointer->start,
        .age_ns = clock_now(clock_real()) - pointer->opened_ns,
    };
}

static int ad_pointer_step(struct adio_file *file, bool is_set, int64_t value,
                           int64_t *before_out, struct adio_error *error)
{
    struct capstan_pointer pointer = pointer_of(file);
    int rc;

    enter();
    if (is_set)
        rc = capstan_file_pointer_set(of(file), &pointer, value, before_out);
    else
        rc = capstan_file_pointer_add(of(file), &pointer, value, before_out);
    if (rc != 0)
        fail(file, rc, error);
    leave();
    return rc;
}

/* A counter that cannot be dropped now goes when it has been idle for long. */
static void ad_pointer_drop(struct adio_file *file)
{
    struct capstan_pointer pointer = pointer_of(file);

    enter();
    capstan_file_pointer_drop(of(file), &pointer);
    leave();
}

#define DRIVER(name_, open_, delete_, prepare_)                                 \
    {                                                                          \
        .name = name_,                                                         \
        .features = ADIO_FEATURE_LIST_IO | ADIO_FEATURE_LOCKS |                \
                    ADIO_FEATURE_SHARED_POINTER | ADIO_FEATURE_FLUSH_ALL,      \
        .prepare = prepare_, .open = open_, .close = ad_close,                 \
        .delete = delete_, .get_size = ad_get_size, .resize = ad_resize,       \
        .allocate = ad_allocate,                                               \
        .flush = ad_flush, .layout = ad_layout, .ireadlist = ad_ireadlist,     \
        .iwritelist = ad_iwritelist, .plan = ad_plan,                                                       \
        .test = ad_test, .idle = ad_idle,         \
        .lock = ad_lock, .unlock = ad_unlock, .pointer_step = ad_pointer_step, \
        .pointer_drop = ad_pointer_drop, .finalize = ad_finalize,              \
    }

const struct adio_driver *ad_capstan(void)
{
    static struct adio_driver driver =
        DRIVER("capstan", ad_open, ad_delete, ad_prepare);

    if (driver.readlist == NULL)
        adio_driver_complete(&driver);
    return &driver;
}

/* Paths of the machine. Open MPI asks for any file at all, so this is quick where
 * there is neither mount nor preload library. */
const struct adio_driver *ad_capstan_mounted(const char *path)
{
    static struct adio_driver driver = DRIVER(
        "capstan", ad_open_mounted, ad_delete_mounted, ad_prepare_mounted);
    struct capstan_place place;

    if (capstan_place_find(path, &place) != 0)
        return NULL;
    if (driver.readlist == NULL)
        adio_driver_complete(&driver);
    return &driver;
}
