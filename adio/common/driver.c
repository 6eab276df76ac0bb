/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a driver has when it brings nothing: no slot of the table is NULL.
 *
 * A driver brings its transfers in one of three forms, and gets the rest:
 * - ireadlist, iwritelist and test: readlist and writelist are made of them;
 * - readlist and writelist only: the nonblocking calls do the work at once and
 *   test() tells how it ended;
 * - neither: every transfer is -ENOTSUP.
 *
 * Possible failure modes are: -ENOTSUP from whatever a driver did not bring.
 */
#include "adio/common/adio.h"

#include "adio/common/pointer.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>

/* A transfer that was over when it started. */
struct done_io {
    int code;
    uint64_t bytes;
    struct adio_error error;
};

static int unsupported(const struct adio_driver *driver, const char *path,
                       const char *what, struct adio_error *error)
{
    adio_error_set(error, -ENOTSUP, "%s: %s (%s)", path, what, driver->name);
    return -ENOTSUP;
}

static int no_open(struct adio_file *file, const char *path, unsigned flags,
                   const struct adio_create *create, struct adio_error *error)
{
    return unsupported(file->driver, path, "open", error);
}

static int no_close(struct adio_file *file, struct adio_error *error)
{
    return 0;
}

static int no_delete(const char *path, struct adio_error *error)
{
    adio_error_set(error, -ENOTSUP, "%s: delete", path);
    return -ENOTSUP;
}

static int no_get_size(struct adio_file *file, uint64_t *size_out,
                       struct adio_error *error)
{
    return unsupported(file->driver, file->path, "get size", error);
}

static int no_resize(struct adio_file *file, uint64_t size,
                     struct adio_error *error)
{
    return unsupported(file->driver, file->path, "set size", error);
}

static int no_allocate(struct adio_file *file, uint64_t size,
                       struct adio_error *error)
{
    return unsupported(file->driver, file->path, "preallocate", error);
}

/* A driver that keeps nothing back has nothing to flush. */
static int no_flush(struct adio_file *file, struct adio_error *error)
{
    return 0;
}

static void no_layout(struct adio_file *file, struct adio_layout *layout_out)
{
    *layout_out = (struct adio_layout){.stripe_size = 0, .width = 1};
}

static int no_list(struct adio_file *file, const struct run *runs, size_t nruns,
                   uint64_t *bytes_out, struct adio_error *error)
{
    return unsupported(file->driver, file->path, "transfer", error);
}

static bool never_map(struct adio_file *file, const struct run *runs,
                      size_t nruns)
{
    (void)file;
    (void)runs;
    (void)nruns;
    return false;
}

static int no_imapread(struct adio_file *file, const struct run *runs,
                       size_t nruns, struct adio_io **io_out,
                       struct adio_error *error)
{
    return unsupported(file->driver, file->path, "read by a mapping", error);
}

static int no_lock(struct adio_file *file, struct adio_lock *lock,
                   struct adio_error *error)
{
    return unsupported(file->driver, file->path, "lock", error);
}

static int no_unlock(struct adio_file *file, struct adio_lock *lock,
                     struct adio_error *error)
{
    return unsupported(file->driver, file->path, "unlock", error);
}

static void no_pointer_drop(struct adio_file *file)
{
}

static int no_prepare(const char *path, struct adio_error *error)
{
    return 0;
}

static void no_plan(struct adio_file *file, const struct run *runs,
                    size_t nruns)
{
    (void)file;
    (void)runs;
    (void)nruns;
}

static void no_finalize(void)
{
}

static void yield_core(struct adio_file *file)
{
    sched_yield();
}

static int wait_for(struct adio_file *file, struct adio_io *io,
                    uint64_t *bytes_out, struct adio_error *error)
{
    bool is_done = false;
    int rc;

    for (;;) {
        rc = file->driver->test(file, &io, &is_done, bytes_out, error);
        if (is_done)
            return rc;
        file->driver->idle(file);
    }
}

static int readlist_by_test(struct adio_file *file, const struct run *runs,
                            size_t nruns, uint64_t *bytes_out,
                            struct adio_error *error)
{
    struct adio_io *io;
    int rc = file->driver->ireadlist(file, runs, nruns, &io, error);

    return rc != 0 ? rc : wait_for(file, io, bytes_out, error);
}

static int writelist_by_test(struct adio_file *file, const struct run *runs,
                             size_t nruns, uint64_t *bytes_out,
                             struct adio_error *error)
{
    struct adio_io *io;
    int rc = file->driver->iwritelist(file, runs, nruns, &io, error);

    return rc != 0 ? rc : wait_for(file, io, bytes_out, error);
}

static int ireadlist_at_once(struct adio_file *file, const struct run *runs,
                             size_t nruns, struct adio_io **io_out,
                             struct adio_error *error)
{
    struct done_io *io = mem_calloc(1, sizeof(*io));

    if (io == NULL) {
        adio_error_set(error, -ENOMEM, "%s: read", file->path);
        return -ENOMEM;
    }
    io->code =
        file->driver->readlist(file, runs, nruns, &io->bytes, &io->error);
    *io_out = (struct adio_io *)io;
    return 0;
}

static int iwritelist_at_once(struct adio_file *file, const struct run *runs,
                              size_t nruns, struct adio_io **io_out,
                              struct adio_error *error)
{
    struct done_io *io = mem_calloc(1, sizeof(*io));

    if (io == NULL) {
        adio_error_set(error, -ENOMEM, "%s: write", file->path);
        return -ENOMEM;
    }
    io->code =
        file->driver->writelist(file, runs, nruns, &io->bytes, &io->error);
    *io_out = (struct adio_io *)io;
    return 0;
}

static int test_at_once(struct adio_file *file, struct adio_io **io_p,
                        bool *done_out, uint64_t *bytes_out,
                        struct adio_error *error)
{
    struct done_io *io = (struct done_io *)*io_p;
    int code = io->code;

    *io_p = NULL;
    *done_out = true;
    *bytes_out = io->bytes;
    if (code != 0)
        *error = io->error;
    free(io);
    return code;
}

static void complete_transfers(struct adio_driver *driver)
{
    bool is_nonblocking = driver->ireadlist != NULL;

    assert((driver->iwritelist != NULL) == is_nonblocking);
    assert((driver->test != NULL) == is_nonblocking);
    if (driver->readlist == NULL)
        driver->readlist = is_nonblocking ? readlist_by_test : no_list;
    if (driver->writelist == NULL)
        driver->writelist = is_nonblocking ? writelist_by_test : no_list;
    if (is_nonblocking)
        return;
    driver->ireadlist = ireadlist_at_once;
    driver->iwritelist = iwritelist_at_once;
    driver->test = test_at_once;
}

/* Put a default where the driver left a slot of its table empty. */
#define FILL(slot, generic)                                                    \
    do {                                                                       \
        if (driver->slot == NULL)                                              \
            driver->slot = generic;                                            \
    } while (0)

void adio_driver_complete(struct adio_driver *driver)
{
    assert(driver->name != NULL);
    FILL(prepare, no_prepare);
    FILL(open, no_open);
    FILL(close, no_close);
    FILL(delete, no_delete);
    FILL(get_size, no_get_size);
    FILL(resize, no_resize);
    FILL(allocate, no_allocate);
    FILL(flush, no_flush);
    FILL(layout, no_layout);
    FILL(may_map, never_map);
    FILL(imapread, no_imapread);
    FILL(idle, yield_core);
    FILL(finalize, no_finalize);
    FILL(plan, no_plan);
    FILL(lock, no_lock);
    FILL(unlock, no_unlock);
    FILL(pointer_step, pointer_window_step);
    FILL(pointer_drop, no_pointer_drop);
    complete_transfers(driver);
}
