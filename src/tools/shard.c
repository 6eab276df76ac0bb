/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write a shard and look at it again.
 *
 *   1. File after file is read, framed as the format wants, appended; its sum
 *      is taken from what was read of the source.
 *   2. The shard is made durable and read again: a tar or TFRecord shard is
 *      scanned as if it were foreign, and has to show the same samples with the
 *      same sums; a raw one is summed sample by sample.
 *
 * Possible failures: a source that cannot be read (no permission, removed or
 * shorter since) is left out and counted; what cannot be written, or comes back
 * otherwise than it went, ends the program.
 */
#include "tools/shard.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "loader/scan.h"
#include "loader/tar.h"

struct shard {
    struct dataset *dataset;
    struct dataset_file *file;
    struct place_file out;
    struct index_row row; /* the sample that is open; length 0: none */
    const struct source *last;
    char *buffer;
    uint64_t room;
};

static int append(struct shard *shard, const void *data, size_t length)
{
    if (shard->row.length > INDEX_SAMPLE_MAX - length) {
        tool_error(shard->last != NULL ? shard->last->path : shard->file->name,
                   "a sample beyond 2 GiB");
        return -1;
    }
    shard->row.crc32c = crc32c(shard->row.crc32c, data, length);
    shard->row.length += (uint32_t)length;
    return place_write(&shard->out, data, length);
}

static void open_row(struct shard *shard)
{
    shard->row = (struct index_row){.offset = shard->out.size};
}

static int close_row(struct shard *shard)
{
    int rc = 0;

    if (shard->row.length > 0)
        rc = index_add_row(&shard->file->part, &shard->row);
    if (rc != 0)
        tool_error(shard->file->name, "%s", strerror(-rc));
    open_row(shard);
    return rc;
}

static int pad(struct shard *shard, uint64_t size)
{
    static const char zeros[2 * TAR_BLOCK];

    return append(shard, zeros, (size_t)(tar_padded(size) - size));
}

/* Names that ustar cannot hold go into a member of their own, as GNU tar does
 * it; the next header then has as much as it can. */
static int append_long_name(struct shard *shard, const char *name)
{
    char block[TAR_BLOCK];
    size_t size = strlen(name) + 1;

    if (tar_header_encode(block, "././@LongLink", size, 'L') != 0 ||
        append(shard, block, sizeof(block)) != 0 ||
        append(shard, name, size) != 0)
        return -1;
    return pad(shard, size);
}

static int append_header(struct shard *shard, const struct source *source,
                         uint64_t length)
{
    char block[TAR_BLOCK], cut[101];
    int rc = tar_header_encode(block, source->name, length, '0');

    if (rc == -ENAMETOOLONG) {
        if (append_long_name(shard, source->name) != 0)
            return -1;
        memcpy(cut, source->name, sizeof(cut) - 1);
        cut[sizeof(cut) - 1] = '\0';
        rc = tar_header_encode(block, cut, length, '0');
    }
    if (rc != 0) {
        tool_error(source->path, "%s", strerror(-rc));
        return -1;
    }
    return append(shard, block, sizeof(block));
}

static bool is_same_key(const struct source *a, const struct source *b)
{
    return a != NULL && a->key == b->key &&
           memcmp(a->name, b->name, a->key) == 0;
}

/* A member; the last one's padding belongs to no sample if a new one begins. */
static int add_tar(struct shard *shard, const struct source *source,
                   const char *data, size_t length)
{
    uint64_t end = shard->out.size;
    bool is_more = is_same_key(shard->last, source);
    int rc = 0;

    if (!is_more)
        rc = close_row(shard);
    if (rc == 0)
        rc = pad(shard, end);
    if (!is_more)
        open_row(shard);
    shard->last = source;
    if (rc == 0)
        rc = append_header(shard, source, length);
    return rc == 0 ? append(shard, data, length) : -1;
}

static int add_tfrecord(struct shard *shard, const char *data, size_t length)
{
    unsigned char head[12], tail[4];
    uint64_t size = htole64(length);
    uint32_t sum;

    memcpy(head, &size, 8);
    sum = htole32(scan_mask(crc32c(0, head, 8)));
    memcpy(head + 8, &sum, 4);
    if (place_write(&shard->out, head, sizeof(head)) != 0)
        return -1;
    open_row(shard);
    if (append(shard, data, length) != 0)
        return -1;
    sum = htole32(scan_mask(shard->row.crc32c));
    memcpy(tail, &sum, 4);
    if (close_row(shard) != 0)
        return -1;
    return place_write(&shard->out, tail, sizeof(tail));
}

static int add_raw(struct shard *shard, const char *data, size_t length)
{
    if (append(shard, data, length) != 0)
        return -1;
    return close_row(shard);
}

static int add(struct shard *shard, const struct source *source, size_t length)
{
    switch (shard->dataset->format) {
    case INDEX_TAR:
        return add_tar(shard, source, shard->buffer, length);
    case INDEX_TFRECORD:
        return add_tfrecord(shard, shard->buffer, length);
    case INDEX_RECORDS:
    case INDEX_RAW:
        return add_raw(shard, shard->buffer, length);
    case INDEX_HDF5:
        break;
    }
    return -1;
}

/* All of a source that was there when it was found. @return false: not so. */
static bool read_source(const char *path, char *buffer, size_t length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t n = 1;

    if (fd < 0)
        return false;
    while (have < length && n > 0) {
        do
            n = read(fd, buffer + have, length - have);
        while (n < 0 && errno == EINTR);
        if (n > 0)
            have += (size_t)n;
    }
    close(fd);
    return have == length;
}

static int have_buffer(struct shard *shard, uint64_t length)
{
    if (length <= shard->room)
        return 0;
    free(shard->buffer);
    shard->buffer = malloc(length);
    shard->room = shard->buffer != NULL ? length : 0;
    if (shard->buffer != NULL)
        return 0;
    tool_error(shard->file->name, "%s", strerror(ENOMEM));
    return -1;
}

static int fill(struct shard *shard, struct shard_range *range)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < range->count; i++) {
        const struct source *source = &range->first[i];

        if (tool_interrupted() || have_buffer(shard, source->length) != 0)
            return -1;
        if (read_source(source->path, shard->buffer, source->length))
            rc = add(shard, source, source->length);
        else
            range->unreadable++;
        dataset_progress(shard->dataset, source->length);
    }
    if (rc == 0)
        rc = close_row(shard);
    return rc;
}

/* Two blocks of zeros end a tar file. */
static int end_tar(struct shard *shard)
{
    static const char zeros[2 * TAR_BLOCK];
    int rc = pad(shard, shard->out.size);

    open_row(shard);
    return rc == 0 ? place_write(&shard->out, zeros, sizeof(zeros)) : rc;
}

/* Walks our rows while those that are read again come. */
struct check {
    struct place_file *in;
    const struct index *part;
    uint64_t next;
};

static int check_row(void *context, const struct index_row *row)
{
    struct check *check = context;
    const struct index_row *ours = &check->part->rows[check->next];

    if (check->next++ >= check->part->nrows || ours->offset != row->offset ||
        ours->length != row->length || ours->crc32c != row->crc32c)
        return -EILSEQ;
    return 0;
}

static int source_read(void *context, uint64_t offset, void *buffer,
                       size_t length)
{
    struct check *check = context;

    return place_read(check->in, offset, buffer, length) != 0 ? -EIO : 0;
}

static int check_scan(struct check *check, enum index_format format)
{
    struct scan_source source = {
        .read = source_read, .context = check, .size = check->in->size};
    uint64_t at = 0;
    int rc = scan_file(&source, format, 0, check_row, check, &at);

    return rc == 0 && check->next != check->part->nrows ? -EILSEQ : rc;
}

static int check_sums(struct check *check, char *buffer)
{
    for (uint64_t i = 0; i < check->part->nrows; i++) {
        const struct index_row *row = &check->part->rows[i];

        if (place_read(check->in, row->offset, buffer, row->length) != 0)
            return -EIO;
        if (crc32c(0, buffer, row->length) != row->crc32c)
            return -EILSEQ;
    }
    return 0;
}

/* Step 2. */
static int verify(struct shard *shard, const struct place *place)
{
    enum index_format format = shard->dataset->format;
    struct place_file in;
    struct check check = {.in = &in, .part = &shard->file->part};
    int rc = place_read_open(place, shard->file->name, &in);

    if (rc == 0) {
        rc = format == INDEX_TAR || format == INDEX_TFRECORD
                 ? check_scan(&check, format)
                 : check_sums(&check, shard->buffer);
        place_file_close(&in);
    }
    if (rc == 0)
        return 0;
    tool_error(shard->file->name, "what was written reads otherwise (%s)",
               strerror(rc == -1 ? EIO : -rc));
    return -1;
}

static int write_shard(struct shard *shard, const struct place *place)
{
    struct dataset_file *file = shard->file;
    int rc = place_write_open(place, file->name, &shard->out);

    if (rc != 0)
        return -1;
    rc = index_add_file(&file->part, file->name, 0);
    open_row(shard);
    if (rc == 0)
        rc = fill(shard, file->sources);
    if (rc == 0 && shard->dataset->format == INDEX_TAR)
        rc = end_tar(shard);
    if (rc == 0)
        file->part.files[0].size = shard->out.size;
    return place_file_close(&shard->out) != 0 ? -1 : rc;
}

int shard_make(struct dataset *dataset, const struct place *place,
               struct dataset_file *file)
{
    struct shard shard = {.dataset = dataset, .file = file};
    int rc = write_shard(&shard, place);

    if (rc == 0)
        rc = verify(&shard, place);
    free(shard.buffer);
    return rc != 0 ? -1 : 0;
}
