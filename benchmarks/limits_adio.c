/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ADIO driver as a layer of benchmarks/limits: lists of runs through its
 * table, with no view and no datatype.
 */
#include "benchmarks/limits_io.h"

#include "adio/common/adio.h"
#include "adio/common/hints.h"

#include <string.h>

static struct adio_file *file;
static struct adio_error error;

static void adio_layer_open(struct bench *bench)
{
    const char *name = strchr(bench->path, ':');
    struct adio_hints hints;

    hints_init(&hints);
    must(name != NULL, "path (capstan:/...)");
    must(adio_open(ad_capstan(), MPI_COMM_WORLD, bench->path, name + 1,
                   MPI_MODE_RDWR, &hints, &file, &error) == 0,
         "adio_open");
}

static void adio_layer_close(struct bench *bench)
{
    (void)bench;
    must(adio_close(&file, &error) == 0, "adio_close");
}

static struct run run_at(const struct bench *bench, uint64_t at, size_t size)
{
    return (struct run){.offset = part_start(bench) + at,
                        .length = size,
                        .count = 1,
                        .mem = (uintptr_t)bench->memory + at};
}

static void adio_layer_move(struct bench *bench, bool is_write, uint64_t at,
                            size_t size)
{
    struct run run = run_at(bench, at, size);
    uint64_t bytes = 0;
    int rc;

    if (is_write)
        rc = file->driver->writelist(file, &run, 1, &bytes, &error);
    else
        rc = file->driver->readlist(file, &run, 1, &bytes, &error);
    must(rc == 0 && bytes == size, is_write ? "writelist" : "readlist");
}

static void finish(struct adio_io *io)
{
    bool is_done = false;
    uint64_t bytes;

    for (;;) {
        must(file->driver->test(file, &io, &is_done, &bytes, &error) == 0,
             "ireadlist");
        if (is_done)
            return;
        file->driver->idle(file);
    }
}

static void adio_layer_deep(struct bench *bench, unsigned depth)
{
    struct adio_io *ios[DEPTH_MAX];
    struct run run;

    for (unsigned i = 0; i < depth; i++) {
        run = run_at(bench, random_block(bench), SMALL);
        must(file->driver->ireadlist(file, &run, 1, &ios[i], &error) == 0,
             "ireadlist");
    }
    for (unsigned i = 0; i < depth; i++)
        finish(ios[i]);
}

static void adio_layer_list(struct bench *bench)
{
    static struct run runs[LIST];
    uint64_t bytes = 0;

    for (unsigned i = 0; i < LIST; i++)
        runs[i] = run_at(bench, random_block(bench), SMALL);
    must(file->driver->readlist(file, runs, LIST, &bytes, &error) == 0 &&
             bytes == (uint64_t)LIST * SMALL,
         "readlist");
}

const struct layer layer_adio = {
    "ADIO",          adio_layer_open, adio_layer_close,
    adio_layer_move, adio_layer_deep, adio_layer_list,
};
