/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: file_table_get() finds the slot by hash; if it was quiet it
 * leaves the order of use. file_table_put() puts it at the young end and
 * closes files at the old end while there are more than quiet_max.
 *
 * There is no failure: slots number busy_max + quiet_max, so a free slot is
 * found whenever fewer than busy_max files are busy.
 */
#include "store/file_table.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

unsigned file_shard(uint64_t ino)
{
    return hash_ino(ino) & 0xff;
}

static struct file **bucket_of(struct file_table *table, uint64_t ino,
                               uint8_t part)
{
    /* The low byte is the shard's; take others. */
    return &table->buckets[((hash_ino(ino) >> 8) + part) & table->bucket_mask];
}

int file_table_init(struct file_table *table, unsigned busy_max,
                    unsigned quiet_max)
{
    size_t nfiles = (size_t)busy_max + quiet_max;
    size_t nbuckets = 1;

    memset(table, 0, sizeof(*table));
    while (nbuckets < nfiles)
        nbuckets *= 2;
    table->files = mem_calloc(nfiles, sizeof(*table->files));
    if (table->files == NULL)
        return -ENOMEM;
    table->buckets = mem_calloc(nbuckets, sizeof(*table->buckets));
    table->absent = mem_calloc((size_t)FILE_PARTS * FILE_ABSENT_MAX,
                               sizeof(*table->absent));
    if (table->buckets == NULL || table->absent == NULL)
        goto err_buckets;
    table->bucket_mask = nbuckets - 1;
    table->quiet_max = quiet_max;
    table->quiet.newer = table->quiet.older = &table->quiet;
    for (size_t i = 0; i < nfiles; i++) {
        table->files[i].chain = table->free;
        table->free = &table->files[i];
    }
    return 0;

err_buckets:
    free(table->absent);
    free(table->buckets);
    free(table->files);
    return -ENOMEM;
}

void file_table_fini(struct file_table *table)
{
    while (file_table_evict(table))
        continue;
    free(table->absent);
    free(table->buckets);
    free(table->files);
}

/* One place for several numbers: what is overwritten is not known any more. */
static uint64_t *absent_of(const struct file_table *table, uint64_t ino,
                           uint8_t part)
{
    assert(part < FILE_PARTS);
    return &table->absent[part * FILE_ABSENT_MAX +
                          (hash_ino(ino) >> 8) % FILE_ABSENT_MAX];
}

void file_table_note_absent(struct file_table *table, uint64_t ino,
                            uint8_t part)
{
    *absent_of(table, ino, part) = ino;
}

void file_table_note_made(struct file_table *table, uint64_t ino, uint8_t part)
{
    uint64_t *absent = absent_of(table, ino, part);

    if (*absent == ino)
        *absent = 0;
}

static void leave_quiet(struct file_table *table, struct file *file)
{
    file->newer->older = file->older;
    file->older->newer = file->newer;
    table->nquiet--;
}

static void join_quiet(struct file_table *table, struct file *file)
{
    file->older = table->quiet.older;
    file->newer = &table->quiet;
    file->older->newer = file;
    file->newer->older = file;
    table->nquiet++;
}

static struct file *take_slot(struct file_table *table, uint64_t ino,
                              uint8_t part)
{
    struct file **bucket = bucket_of(table, ino, part);
    struct file *file = table->free;

    assert(file != NULL);
    table->free = file->chain;
    memset(file, 0, sizeof(*file));
    file->ino = ino;
    file->part = part;
    file->fd = file->direct_fd = -1;
    file->is_absent = ino != 0 && *absent_of(table, ino, part) == ino;
    file->waiting_end = &file->waiting;
    snprintf(file->path, sizeof(file->path), "%02x/%016llx%s", file_shard(ino),
             (unsigned long long)ino, part == 0 ? "" : ".sum");
    file->chain = *bucket;
    *bucket = file;
    return file;
}

void file_close(struct file_table *table, struct file *file)
{
    if (table->closing != NULL)
        table->closing(table->closing_ctx, file);
    if (file->direct_fd >= 0)
        close(file->direct_fd);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = file->direct_fd = -1;
}

static void drop_slot(struct file_table *table, struct file *file)
{
    struct file **link = bucket_of(table, file->ino, file->part);

    file_close(table, file);
    while (*link != file)
        link = &(*link)->chain;
    *link = file->chain;
    file->chain = table->free;
    table->free = file;
}

struct file *file_table_find(struct file_table *table, uint64_t ino,
                             uint8_t part)
{
    struct file *file = *bucket_of(table, ino, part);

    while (file != NULL && (file->ino != ino || file->part != part))
        file = file->chain;
    return file;
}

struct file *file_table_get(struct file_table *table, uint64_t ino,
                            uint8_t part)
{
    struct file *file = file_table_find(table, ino, part);

    if (file == NULL)
        file = take_slot(table, ino, part);
    else if (!file->is_busy)
        leave_quiet(table, file);
    file->is_busy = true;
    return file;
}

void file_table_put(struct file_table *table, struct file *file)
{
    assert(file->is_busy && file->running == 0 && file->waiting == NULL);
    file->is_busy = false;
    if (file->fd < 0) {
        drop_slot(table, file);
        return;
    }
    join_quiet(table, file);
    while (table->nquiet > table->quiet_max)
        file_table_evict(table);
}

bool file_table_evict(struct file_table *table)
{
    struct file *oldest = table->quiet.newer;

    if (oldest == &table->quiet)
        return false;
    leave_quiet(table, oldest);
    drop_slot(table, oldest);
    return true;
}
