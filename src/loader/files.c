/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are open, and no more of them than need be.
 *
 * A view cannot be changed while reads are under way, so each slot has handles
 * of its own. When a slot has files_max of them, those that were not used for
 * longest are closed; all ranks close the same ones, for all have opened the
 * same ones.
 */
#include "loader/priv.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_PIECE (1 << 30) /* bytes a collective; MPI counts in int */

/* "capstan:/x" or "ufs:x", but not "dir/a:b". */
static bool has_prefix(const char *name)
{
    size_t i = 0;

    while (isalnum((unsigned char)name[i]))
        i++;
    return i > 1 && name[i] == ':';
}

char *files_path(const char *dataset, const char *name)
{
    char *path;

    if (*name == '/' || has_prefix(name))
        return mem_strdup(name);
    return asprintf(&path, "%s/%s", dataset, name) < 0 ? NULL : path;
}

static struct open_file *find(const struct open_files *files, uint32_t file)
{
    for (uint32_t i = 0; i < files->count; i++)
        if (files->list[i].file == file)
            return &files->list[i];
    return NULL;
}

MPI_File files_handle(const struct open_files *files, uint32_t file)
{
    return find(files, file)->handle;
}

struct source_file *files_source(const struct open_files *files, uint32_t file)
{
    return find(files, file)->source;
}

static void close_one(const struct open_files *files, struct open_file *file)
{
    if (file->source != NULL)
        files->through->close(&file->source);
    else
        MPI_File_close(&file->handle);
}

void files_close(struct open_files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        close_one(files, &files->list[i]);
    free(files->list);
    files->list = NULL;
    files->count = files->room = 0;
}

/* Close what this start does not use, the least used first, to have room. */
static void make_room(struct open_files *files, uint32_t limit, uint64_t start)
{
    while (files->count >= limit) {
        struct open_file *oldest = &files->list[0];

        for (uint32_t i = 1; i < files->count; i++)
            if (files->list[i].used < oldest->used)
                oldest = &files->list[i];
        if (oldest->used == start)
            return;
        close_one(files, oldest);
        *oldest = files->list[--files->count];
    }
}

static int grow(struct open_files *files, uint32_t count)
{
    void *grown;

    if (count <= files->room)
        return 0;
    grown = mem_grow(files->list, count, sizeof(*files->list));
    if (grown == NULL)
        return -ENOMEM;
    files->list = grown;
    files->room = count;
    return 0;
}

static int open_handle(struct open_files *files, const char *path,
                       struct open_file *file, struct note *note)
{
    char text[SOURCE_TEXT_MAX] = "";
    int rc;

    if (files->through == NULL) {
        rc = MPI_File_open(files->comm, path, MPI_MODE_RDONLY, files->info,
                           &file->handle);
        note_mpi(note, rc, "open", path);
        return rc == MPI_SUCCESS ? 0 : -EIO;
    }
    rc = files->through->open(files->comm, files->info, path, &file->source,
                              text);
    if (rc != 0)
        note_set(note, rc, "cannot open %s: %s", path, text);
    return rc;
}

/* Open one more. Room for it is there. */
static void open_one(struct capstan_loader *loader, struct open_files *files,
                     uint32_t file, uint64_t start, struct note *note)
{
    const char *name = loader->index.files[file].name;
    char *path = files_path(loader->dataset, name);
    struct open_file opened = {.file = file, .used = start};

    if (path == NULL)
        note_set(note, -ENOMEM, "no memory to open %s", name);
    if (open_handle(files, path != NULL ? path : "", &opened, note) == 0)
        files->list[files->count++] = opened;
    __atomic_add_fetch(&loader->opens, 1, __ATOMIC_RELAXED);
    free(path);
}

/* Where MPI_File_open failed on some ranks only, those on which it did not have
 * a handle that cannot be closed together: it is left, and the loader ends. */
static int agree_opened(struct capstan_loader *loader, struct open_files *files,
                        uint32_t before, struct note *note)
{
    uint32_t opened = files->count - before, least = opened;

    MPI_Allreduce(&opened, &least, 1, MPI_UINT32_T, MPI_MIN, loader->comm);
    if (opened != least)
        files->count = before;
    return note_agree(note, loader->comm);
}

int files_open(struct capstan_loader *loader, struct open_files *files,
               const uint32_t *wanted, uint32_t count, uint64_t start,
               struct note *note)
{
    uint32_t missing = 0, before;

    for (uint32_t i = 0; i < count; i++) {
        struct open_file *file = find(files, wanted[i]);

        if (file != NULL)
            file->used = start;
        else
            missing++;
    }
    if (missing == 0)
        return 0;
    if (grow(files, files->count + missing) != 0)
        note_set(note, -ENOMEM, "no memory for %u open files", missing);
    if (note_agree(note, loader->comm) != 0)
        return note->code;
    if (files->count + missing > loader->options.files_max)
        make_room(files,
                  missing < loader->options.files_max
                      ? loader->options.files_max - missing + 1
                      : 1,
                  start);
    before = files->count;
    for (uint32_t i = 0; i < count; i++)
        if (find(files, wanted[i]) == NULL)
            open_one(loader, files, wanted[i], start, note);
    return agree_opened(loader, files, before, note);
}

MPI_File files_open_own(struct capstan_loader *loader, struct open_files *files,
                        uint32_t file, uint64_t start)
{
    struct open_file *found = find(files, file);
    struct note ignored = {0};

    if (found == NULL) {
        make_room(files, loader->options.files_max, start);
        if (grow(files, files->count + 1) == 0)
            open_one(loader, files, file, start, &ignored);
        found = find(files, file);
    }
    if (found == NULL)
        return MPI_FILE_NULL;
    found->used = start;
    return found->handle;
}

static void slurp_into(MPI_File file, const char *path, unsigned char *data,
                       size_t size, struct note *note)
{
    for (size_t at = 0; at < size; at += READ_PIECE) {
        size_t left = size - at;
        int piece = left < READ_PIECE ? (int)left : READ_PIECE, got = 0;
        MPI_Status status;
        int rc = MPI_File_read_at_all(file, (MPI_Offset)at, data + at, piece,
                                      MPI_BYTE, &status);

        note_mpi(note, rc, "read", path);
        if (rc == MPI_SUCCESS)
            MPI_Get_count(&status, MPI_BYTE, &got);
        if (note->code == 0 && got != piece)
            note_set(note, -EIO, "%s: %d bytes came of %d", path, got, piece);
    }
}

/* Open MPI's own implementation walks its list of requests while another thread
 * changes it, and the heap is broken then (doc/loader.md). Capstan's says its
 * hints; of others there we do not know. */
static bool bears_thread(MPI_Comm comm, MPI_File file)
{
    int bears = 1;
#ifdef OPEN_MPI
    char value[8];
    MPI_Info info;

    bears = 0;
    if (MPI_File_get_info(file, &info) == MPI_SUCCESS) {
        MPI_Info_get(info, "capstan_access_plan", sizeof(value) - 1, value,
                     &bears);
        MPI_Info_free(&info);
    }
#else
    (void)file;
#endif
    MPI_Allreduce(MPI_IN_PLACE, &bears, 1, MPI_INT, MPI_MIN, comm);
    return bears != 0;
}

int files_slurp(MPI_Comm comm, const char *path, MPI_Info info,
                struct slurped *out, struct note *note)
{
    MPI_File file = MPI_FILE_NULL;
    bool bears;
    MPI_Offset size = 0;
    void *data = NULL;

    note_mpi(note, MPI_File_open(comm, path, MPI_MODE_RDONLY, info, &file),
             "open", path);
    if (note_agree(note, comm) != 0)
        return note->code;
    bears = bears_thread(comm, file);
    note_mpi(note, MPI_File_get_size(file, &size), "ask the size of", path);
    if (note->code == 0)
        data = mem_pages(size > 0 ? (size_t)size : 1);
    if (note->code == 0 && data == NULL)
        note_set(note, -ENOMEM, "no memory for %lld bytes of %s",
                 (long long)size, path);
    if (note_agree(note, comm) == 0)
        slurp_into(file, path, data, (size_t)size, note);
    MPI_File_close(&file);
    if (note_agree(note, comm) != 0) {
        free(data);
        return note->code;
    }
    *out = (struct slurped){
        .data = data, .size = (size_t)size, .bears_thread = bears};
    return 0;
}
