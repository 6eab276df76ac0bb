/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open, close, sizes, sync, hints; and what the file holds in the end.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hint and the values that it is tried with. */
static const struct {
    const char *key;
    const char *values[7];
} hints[] = {
    {"cb_nodes", {"1", "2", "3", "64"}},
    {"cb_buffer_size", {"4096", "10000", "65536", "4194304"}},
    {"romio_cb_read", {"enable", "disable", "automatic"}},
    {"romio_cb_write", {"enable", "disable", "automatic"}},
    {"romio_ds_read", {"enable", "disable", "automatic"}},
    {"romio_ds_write", {"enable", "disable", "automatic"}},
    {"ind_rd_buffer_size", {"4096", "65536"}},
    {"ind_wr_buffer_size", {"4096", "65536"}},
    {"striping_unit", {"65536", "131072"}},
    {"striping_factor", {"1", "2"}},
    {"capstan_strategy",
     {"automatic", "share", "direct", "two_phase", "independent"}},
    {"capstan_map_reads", {"enable", "disable", "automatic"}},
};

#define NHINTS (sizeof(hints) / sizeof(hints[0]))

MPI_Info random_hints(struct run *run, struct rng *rng)
{
    MPI_Info info;

    if (!run->mask->has_hints || rng_chance(rng, 20))
        return MPI_INFO_NULL;
    MPI_Info_create(&info);
    for (size_t i = 0; i < NHINTS; i++) {
        const char *const *values = hints[i].values;
        size_t n = 0;

        while (n < 7 && values[n] != NULL)
            n++;
        values += rng_below(rng, n);
        if (!rng_chance(rng, 35))
            continue;
        MPI_Info_set(info, hints[i].key, *values);
        conf_tell(run, "  hint %s=%s\n", hints[i].key, *values);
    }
    return info;
}

static const char *mode_name(int amode)
{
    return (amode & MPI_MODE_RDONLY) != 0   ? "RDONLY"
           : (amode & MPI_MODE_WRONLY) != 0 ? "WRONLY"
                                            : "RDWR";
}

bool handle_open(struct run *run, int number, int amode)
{
    struct handle *handle = &run->handles[number];
    MPI_Info info;
    struct rng rng;

    if (handle->is_open)
        return true;
    snprintf(run->op, sizeof(run->op), "open");
    conf_where(run);
    conf_rng(run, -1, 'f', &rng);
    info = random_hints(run, &rng);
    conf_tell(run, "  handle %d: open(%s, %s)\n", number,
              number == HANDLE_SELF ? "SELF" : "WORLD", mode_name(amode));
    handle->is_self = number == HANDLE_SELF;
    handle->comm = handle->is_self ? MPI_COMM_SELF : MPI_COMM_WORLD;
    handle->amode = amode;
    handle->is_atomic = false;
    handle->is_open = conf_ok(
        run, MPI_File_open(handle->comm, run->path, amode, info, &handle->file),
        "open");
    if (info != MPI_INFO_NULL)
        MPI_Info_free(&info);
    for (int r = 0; r < run->size && handle->is_open; r++) {
        view_default(&handle->views[r]);
        handle->pointer[r] = handle->shared[r] = 0;
    }
    return conf_agree(run);
}

void handle_close(struct run *run, int number)
{
    struct handle *handle = &run->handles[number];

    if (!handle->is_open)
        return;
    conf_ok(run, MPI_File_close(&handle->file), "close");
    handle->is_open = false;
    for (int r = 0; r < run->size; r++)
        view_fini(&handle->views[r]);
}

static void sync_all(struct run *run)
{
    /* Both of Open MPI's own engines refuse to sync a file opened RDONLY; that
     * is tried by step_sync() alone. */
    for (int i = 0; i < NHANDLES; i++)
        if (run->handles[i].is_open &&
            (run->handles[i].amode & MPI_MODE_RDONLY) == 0)
            conf_ok(run, MPI_File_sync(run->handles[i].file), "sync");
}

/* MPI-3.1, 13.6.1: sync, barrier, sync, on every handle. */
void settle_file(struct run *run)
{
    if (!run->is_dirty)
        return;
    run->is_dirty = false;
    if (!run->settings->needs_sync)
        return; /* conf_agree() was the barrier */
    sync_all(run);
    MPI_Barrier(MPI_COMM_WORLD);
    sync_all(run);
    snprintf(run->op, sizeof(run->op), "sync");
    conf_agree(run);
}

void step_sync(struct run *run, struct handle *handle)
{
    snprintf(run->op, sizeof(run->op), "sync");
    conf_where(run);
    conf_ok(run, MPI_File_sync(handle->file), "sync");
    conf_agree(run);
}

/* Shrink or grow; by a handle of all ranks, for the others would race. */
void step_resize(struct run *run, struct handle *handle)
{
    struct rng rng;
    int64_t size, want;
    bool allocates;

    if (handle->is_self || (handle->amode & MPI_MODE_RDONLY) != 0)
        return;
    conf_rng(run, -1, 'z', &rng);
    allocates = rng_chance(&rng, 40);
    size = rng_chance(&rng, 50)
               ? (int64_t)rng_below(&rng, (uint64_t)run->image.size + 3000)
               : (int64_t)rng_below(&rng, 20000);
    if (allocates && size > 20 << 20)
        size = 20 << 20;
    if (allocates && size == 0)
        size = 1;
    want = allocates && size < run->image.size ? run->image.size : size;
    snprintf(run->op, sizeof(run->op), allocates ? "preallocate" : "set_size");
    conf_where(run);
    conf_tell(run, "  %s(%lld), was %lld\n", run->op, (long long)size,
              (long long)run->image.size);
    conf_ok(run,
            allocates ? MPI_File_preallocate(handle->file, size)
                      : MPI_File_set_size(handle->file, size),
            run->op);
    if (!conf_agree(run))
        return;
    image_resize(&run->image, want);
    run->is_dirty = true;
}

void step_get_size(struct run *run, struct handle *handle)
{
    MPI_Offset size = -1;

    snprintf(run->op, sizeof(run->op), "get_size");
    conf_where(run);
    if (conf_ok(run, MPI_File_get_size(handle->file, &size), "get_size") &&
        size != run->image.size)
        conf_fault(run, FAULT_SIZE, "size %lld, not %lld", (long long)size,
                   (long long)run->image.size);
    conf_agree(run);
}

void step_info(struct run *run, struct handle *handle)
{
    MPI_Info info = MPI_INFO_NULL;
    struct rng rng;

    snprintf(run->op, sizeof(run->op), "set_info");
    conf_where(run);
    conf_rng(run, -1, 'i', &rng);
    info = random_hints(run, &rng);
    if (info == MPI_INFO_NULL)
        MPI_Info_create(&info);
    conf_ok(run, MPI_File_set_info(handle->file, info), "set_info");
    MPI_Info_free(&info);
    conf_agree(run);
    snprintf(run->op, sizeof(run->op), "get_info");
    if (conf_ok(run, MPI_File_get_info(handle->file, &info), "get_info"))
        MPI_Info_free(&info);
    conf_agree(run);
}

void step_atomicity(struct run *run, struct handle *handle)
{
    int is_atomic = -1;
    struct rng rng;
    bool wants;

    conf_rng(run, -1, 'a', &rng);
    wants = rng_chance(&rng, 60);
    snprintf(run->op, sizeof(run->op), "set_atomicity");
    conf_where(run);
    conf_tell(run, "  set_atomicity(%d)\n", wants);
    conf_ok(run, MPI_File_set_atomicity(handle->file, wants), "set_atomicity");
    if (conf_agree(run))
        handle->is_atomic = wants;
    if (run->verdict.fault != FAULT_NONE)
        return;
    snprintf(run->op, sizeof(run->op), "get_atomicity");
    if (conf_ok(run, MPI_File_get_atomicity(handle->file, &is_atomic),
                "get_atomicity") &&
        (is_atomic != 0) != handle->is_atomic)
        conf_fault(run, FAULT_VIEW, "atomicity %d, not %d", is_atomic,
                   handle->is_atomic);
    conf_agree(run);
}

/* Close and open, in another mode; or open a further handle, or close it. */
void step_reopen(struct run *run, int number)
{
    struct handle *handle = &run->handles[number];
    bool was_open = handle->is_open;
    struct rng rng;
    int amode = MPI_MODE_RDWR;

    conf_rng(run, -1, 'r', &rng);
    snprintf(run->op, sizeof(run->op), "close");
    conf_where(run);
    conf_tell(run, "  handle %d: close\n", number);
    handle_close(run, number);
    if (!conf_agree(run) || (was_open && number != HANDLE_MAIN))
        return;
    if (rng_chance(&rng, 25))
        amode = MPI_MODE_RDONLY;
    else if (rng_chance(&rng, 12))
        amode = MPI_MODE_WRONLY;
    else if (rng_chance(&rng, 30) && number != HANDLE_SELF)
        amode |= MPI_MODE_CREATE;
    handle_open(run, number, amode);
}

/* --- what the file holds
 * ----------------------------------------------------*/

static void compare_piece(struct run *run, int64_t at, const char *got, int n)
{
    unsigned char want[IMAGE_PAGE];
    bool is_defined[IMAGE_PAGE];

    image_get(&run->image, at, n, want, is_defined);
    for (int i = 0; i < n; i++) {
        if (!is_defined[i] && !run->settings->is_strict)
            continue;
        if ((unsigned char)got[i] == want[i])
            continue;
        conf_fault(run, FAULT_FILE, "byte %lld of the file: %02x, not %02x%s",
                   (long long)(at + i), (unsigned char)got[i], want[i],
                   is_defined[i] ? "" : " (never written)");
        return;
    }
}

static void check_piece(struct run *run, MPI_File file, int64_t at)
{
    char got[IMAGE_PAGE];
    int64_t n = run->image.size - at;
    MPI_Status status;
    int count = -1;

    if (at >= run->image.size)
        return;
    if (n > IMAGE_PAGE)
        n = IMAGE_PAGE;
    if (!conf_ok(run,
                 MPI_File_read_at(file, at, got, (int)n, MPI_BYTE, &status),
                 "read_at"))
        return;
    MPI_Get_count(&status, MPI_BYTE, &count);
    if (count != n)
        conf_fault(run, FAULT_FILE, "%d of %lld bytes at %lld", count,
                   (long long)n, (long long)at);
    else
        compare_piece(run, at, got, (int)n);
}

static void check_pages(struct run *run, MPI_File file)
{
    MPI_Offset size = -1;

    if (conf_ok(run, MPI_File_get_size(file, &size), "get_size") &&
        size != run->image.size)
        conf_fault(run, FAULT_SIZE, "at the end: size %lld, not %lld",
                   (long long)size, (long long)run->image.size);
    for (int64_t at = 0; at < run->image.size && at < 1 << 16; at += IMAGE_PAGE)
        check_piece(run, file, at);
    for (int i = 0; i < IMAGE_BUCKETS; i++)
        for (struct image_page *page = run->image.buckets[i]; page != NULL;
             page = page->next)
            if (run->verdict.fault == FAULT_NONE)
                check_piece(run, file, page->number * IMAGE_PAGE);
}

void check_file(struct run *run)
{
    MPI_File file;

    snprintf(run->op, sizeof(run->op), "contents");
    conf_where(run);
    if (run->rank == 0 &&
        conf_ok(run,
                MPI_File_open(MPI_COMM_SELF, run->path, MPI_MODE_RDONLY,
                              MPI_INFO_NULL, &file),
                "open")) {
        check_pages(run, file);
        conf_ok(run, MPI_File_close(&file), "close");
    }
    conf_agree(run);
}
