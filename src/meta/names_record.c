/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: a cursor moves over the value; encoding appends fields in
 * the order of the document, decoding takes them in the same order, and in the
 * end the value must be used up.
 *
 * A decoder meets damage: a cursor that would pass the end stands still, gives
 * zeros and remembers that it failed, so that one test at the end is enough.
 */
#include "meta/names_record.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define RECORD_VERSION 1
#define MODE_MAX 07777u

struct cursor {
    unsigned char *at;
    const unsigned char *end;
    bool has_failed;
};

static void put(struct cursor *cursor, uint64_t number, size_t size)
{
    uint64_t little = htole64(number);

    memcpy(cursor->at, &little, size);
    cursor->at += size;
}

static uint64_t take(struct cursor *cursor, size_t size)
{
    uint64_t little = 0;

    if ((size_t)(cursor->end - cursor->at) < size) {
        cursor->has_failed = true;
        return 0;
    }
    memcpy(&little, cursor->at, size);
    cursor->at += size;
    return le64toh(little);
}

static struct cursor reader(const void *value, size_t len)
{
    unsigned char *at = (unsigned char *)value; /* take() does not write */

    return (struct cursor){.at = at, .end = at + len};
}

/* Was all of the value good and used up? */
static int finish(const struct cursor *cursor)
{
    return cursor->has_failed || cursor->at != cursor->end ? -EIO : 0;
}

/*
 * Layout.
 */

static void put_layout(struct cursor *cursor, const struct layout *layout)
{
    put(cursor, layout->stripe_size, 4);
    put(cursor, layout->width, 2);
    put(cursor, layout->replicas, 2);
    put(cursor, layout->is_striped, 1);
    put(cursor, 0, 1);
    for (unsigned i = 0; i < layout->width; i++)
        put(cursor, layout->targets[i], 2);
}

static void take_layout(struct cursor *cursor, struct layout *layout)
{
    uint64_t is_striped, reserved;

    memset(layout, 0, sizeof(*layout));
    layout->stripe_size = (uint32_t)take(cursor, 4);
    layout->width = (uint16_t)take(cursor, 2);
    layout->replicas = (uint16_t)take(cursor, 2);
    is_striped = take(cursor, 1);
    reserved = take(cursor, 1);
    layout->is_striped = is_striped == 1;
    if (layout->width > LAYOUT_WIDTH_MAX || is_striped > 1 || reserved != 0) {
        cursor->has_failed = true;
        return;
    }
    for (unsigned i = 0; i < layout->width; i++)
        layout->targets[i] = (uint16_t)take(cursor, 2);
}

size_t names_layout_encode(const struct layout *layout,
                           unsigned char value[NAMES_LAYOUT_MAX])
{
    struct cursor cursor = {.at = value};

    put_layout(&cursor, layout);
    return (size_t)(cursor.at - value);
}

int names_layout_decode(const void *value, size_t len,
                        struct layout *layout_out)
{
    struct cursor cursor = reader(value, len);

    take_layout(&cursor, layout_out);
    if (finish(&cursor) != 0 || layout_check(layout_out) != 0)
        return -EIO;
    return 0;
}

/*
 * Record.
 */

int names_record_check(const struct inode *inode)
{
    if (inode->type != INODE_FILE && inode->type != INODE_DIR)
        return -EINVAL;
    if (inode->mode > MODE_MAX)
        return -EINVAL;
    if (inode->type == INODE_DIR && inode->layout.width == 0)
        return 0;
    return layout_check(&inode->layout);
}

size_t names_record_encode(const struct inode *inode,
                           unsigned char value[NAMES_RECORD_MAX])
{
    struct cursor cursor = {.at = value};

    put(&cursor, RECORD_VERSION, 1);
    put(&cursor, inode->type, 1);
    put(&cursor, 0, 2);
    put(&cursor, inode->mode, 4);
    put(&cursor, inode->uid, 4);
    put(&cursor, inode->gid, 4);
    put(&cursor, inode->ino, 8);
    put(&cursor, inode->atime_ns, 8);
    put(&cursor, inode->mtime_ns, 8);
    put(&cursor, inode->ctime_ns, 8);
    put_layout(&cursor, &inode->layout);
    return (size_t)(cursor.at - value);
}

int names_record_decode(const void *value, size_t len, struct inode *inode_out)
{
    struct cursor cursor = reader(value, len);
    uint64_t version = take(&cursor, 1);
    uint64_t type = take(&cursor, 1);
    uint64_t reserved = take(&cursor, 2);

    if (version != RECORD_VERSION || reserved != 0 ||
        (type != INODE_FILE && type != INODE_DIR))
        return -EIO;
    inode_out->type = (enum inode_type)type;
    inode_out->mode = (uint32_t)take(&cursor, 4);
    inode_out->uid = (uint32_t)take(&cursor, 4);
    inode_out->gid = (uint32_t)take(&cursor, 4);
    inode_out->ino = take(&cursor, 8);
    inode_out->atime_ns = take(&cursor, 8);
    inode_out->mtime_ns = take(&cursor, 8);
    inode_out->ctime_ns = take(&cursor, 8);
    take_layout(&cursor, &inode_out->layout);
    if (finish(&cursor) != 0 || inode_out->ino == 0 ||
        names_record_check(inode_out) != 0)
        return -EIO;
    return 0;
}

/*
 * Small values.
 */

size_t names_format_encode(uint16_t target, unsigned char value[6])
{
    struct cursor cursor = {.at = value};

    put(&cursor, NAMES_FORMAT_VERSION, 4);
    put(&cursor, target, 2);
    return (size_t)(cursor.at - value);
}

int names_format_decode(const void *value, size_t len, uint32_t *version_out,
                        uint16_t *target_out)
{
    struct cursor cursor = reader(value, len);

    *version_out = (uint32_t)take(&cursor, 4);
    *target_out = 0;
    if (!cursor.has_failed && *version_out != NAMES_FORMAT_VERSION)
        return 0;
    *target_out = (uint16_t)take(&cursor, 2);
    return finish(&cursor);
}

size_t names_u64_encode(uint64_t number, unsigned char value[8])
{
    struct cursor cursor = {.at = value};

    put(&cursor, number, 8);
    return 8;
}

int names_u64_decode(const void *value, size_t len, uint64_t *number_out)
{
    struct cursor cursor = reader(value, len);

    *number_out = take(&cursor, 8);
    return finish(&cursor);
}
