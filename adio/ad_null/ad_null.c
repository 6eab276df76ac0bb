/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver that stores nothing: every call succeeds, a file is its size,
 * reads give zeros. It is the template for a new driver and the measure of the
 * engine's own overhead.
 *
 * The size lives with the opened file, so each rank sees the writes and resizes
 * of its own; there is nothing to delete.
 *
 * Possible failure modes: no memory for the file or an io.
 */
#include "adio/common/adio.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

/* Transfers are over when they start; the io only carries the count. */
struct adio_io {
    uint64_t bytes;
};

struct null_file {
    uint64_t size;
};

static struct null_file *of(struct adio_file *file)
{
    return file->driver_data;
}

static int null_open(struct adio_file *file, const char *path, unsigned flags,
                     const struct adio_create *create, struct adio_error *error)
{
    file->driver_data = mem_calloc(1, sizeof(struct null_file));
    if (file->driver_data != NULL)
        return 0;
    adio_error_set(error, -ENOMEM, "%s: open", path);
    return -ENOMEM;
}

static int null_close(struct adio_file *file, struct adio_error *error)
{
    free(file->driver_data);
    file->driver_data = NULL;
    return 0;
}

static int null_delete(const char *path, struct adio_error *error)
{
    return 0;
}

static int null_get_size(struct adio_file *file, uint64_t *size_out,
                         struct adio_error *error)
{
    *size_out = of(file)->size;
    return 0;
}

static int null_resize(struct adio_file *file, uint64_t size,
                       struct adio_error *error)
{
    of(file)->size = size;
    return 0;
}

static int null_allocate(struct adio_file *file, uint64_t size,
                         struct adio_error *error)
{
    if (of(file)->size < size)
        of(file)->size = size;
    return 0;
}

static int null_flush(struct adio_file *file, struct adio_error *error)
{
    return 0;
}

static int new_io(struct adio_file *file, uint64_t bytes,
                  struct adio_io **io_out, struct adio_error *error)
{
    struct adio_io *io = mem_calloc(1, sizeof(*io));

    if (io == NULL) {
        adio_error_set(error, -ENOMEM, "%s: transfer", file->path);
        return -ENOMEM;
    }
    io->bytes = bytes;
    *io_out = io;
    return 0;
}

/* Zero the blocks of a run up to the file's end. @return bytes zeroed. */
static uint64_t zero_run(const struct run *run, uint64_t size)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < run->count; i++) {
        uint64_t offset = run->offset + i * run->stride;
        int64_t disp = (int64_t)i * run->mem_stride;
        uint64_t length = run->length;

        if (offset >= size)
            break;
        if (length > size - offset)
            length = size - offset;
        memset((void *)(uintptr_t)(run->mem + (uint64_t)disp), 0, length);
        bytes += length;
    }
    return bytes;
}

static int null_ireadlist(struct adio_file *file, const struct run *runs,
                          size_t nruns, struct adio_io **io_out,
                          struct adio_error *error)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < nruns; i++)
        bytes += zero_run(&runs[i], of(file)->size);
    return new_io(file, bytes, io_out, error);
}

static int null_iwritelist(struct adio_file *file, const struct run *runs,
                           size_t nruns, struct adio_io **io_out,
                           struct adio_error *error)
{
    for (size_t i = 0; i < nruns; i++)
        if (run_bytes(&runs[i]) > 0 && run_end(&runs[i]) > of(file)->size)
            of(file)->size = run_end(&runs[i]);
    return new_io(file, runs_bytes(runs, nruns), io_out, error);
}

static int null_test(struct adio_file *file, struct adio_io **io_p,
                     bool *done_out, uint64_t *bytes_out,
                     struct adio_error *error)
{
    *done_out = true;
    *bytes_out = (*io_p)->bytes;
    free(*io_p);
    *io_p = NULL;
    return 0;
}

const struct adio_driver *ad_null(void)
{
    static struct adio_driver driver = {
        .name = "null",
        .features = ADIO_FEATURE_LIST_IO,
        .open = null_open,
        .close = null_close,
        .delete = null_delete,
        .get_size = null_get_size,
        .resize = null_resize,
        .allocate = null_allocate,
        .flush = null_flush,
        .ireadlist = null_ireadlist,
        .iwritelist = null_iwritelist,
        .test = null_test,
    };
    static bool is_complete;

    if (!is_complete) {
        adio_driver_complete(&driver);
        is_complete = true;
    }
    return &driver;
}
