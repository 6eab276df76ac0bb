/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: a writer appends fields in the order of the document, a
 * reader takes them in the same order, and in the end the value must be used
 * up.
 *
 * A reader meets damage: one that would pass the end stands still, gives
 * zeros and remembers that it failed, so that one test at the end is enough.
 */
#include "meta/names_record.h"

#include "meta/names_bytes.h"

#define RECORD_VERSION 2
#define RECORD_VERSION_OLD 1
#define ENTRY_VERSION 2
#define MODE_MAX 07777u

/*
 * Layout.
 */

static void put_layout(struct writer *writer, const struct layout *layout)
{
    put(writer, layout->stripe_size, 4);
    put(writer, layout->width, 2);
    put(writer, layout->replicas, 2);
    put(writer, layout->is_striped, 1);
    put(writer, 0, 1);
    for (unsigned i = 0; i < layout->width; i++)
        put(writer, layout->targets[i], 2);
}

static void take_layout(struct reader *reader, struct layout *layout)
{
    uint64_t is_striped, reserved;

    memset(layout, 0, sizeof(*layout));
    layout->stripe_size = (uint32_t)take(reader, 4);
    layout->width = (uint16_t)take(reader, 2);
    layout->replicas = (uint16_t)take(reader, 2);
    is_striped = take(reader, 1);
    reserved = take(reader, 1);
    layout->is_striped = is_striped == 1;
    if (layout->width > LAYOUT_WIDTH_MAX || is_striped > 1 || reserved != 0) {
        reader->has_failed = true;
        return;
    }
    for (unsigned i = 0; i < layout->width; i++)
        layout->targets[i] = (uint16_t)take(reader, 2);
}

size_t names_layout_encode(const struct layout *layout,
                           unsigned char value[NAMES_LAYOUT_MAX])
{
    struct writer writer = {.at = value};

    put_layout(&writer, layout);
    return (size_t)(writer.at - value);
}

int names_layout_decode(const void *value, size_t len,
                        struct layout *layout_out)
{
    struct reader reader = reader_of(value, len);

    take_layout(&reader, layout_out);
    if (finish(&reader) != 0 || layout_check(layout_out) != 0)
        return -EIO;
    return 0;
}

/*
 * Record.
 */

int names_record_check(const struct inode *inode)
{
    if (inode->type < INODE_FILE || inode->type > INODE_TYPE_MAX)
        return -EINVAL;
    if (inode->mode > MODE_MAX)
        return -EINVAL;
    if (inode->type != INODE_FILE)
        return inode->layout.width == 0 ? 0 : -EINVAL;
    return layout_check(&inode->layout);
}

size_t names_record_encode(const struct inode *inode,
                           unsigned char value[NAMES_RECORD_MAX])
{
    struct writer writer = {.at = value};

    put(&writer, RECORD_VERSION, 1);
    put(&writer, inode->type, 1);
    put(&writer, 0, 2);
    put(&writer, inode->mode, 4);
    put(&writer, inode->uid, 4);
    put(&writer, inode->gid, 4);
    put(&writer, inode->nlink, 4);
    put(&writer, inode->ino, 8);
    put(&writer, inode->parent, 8);
    put(&writer, inode->special, 8);
    put(&writer, (uint64_t)inode->atime_ns, 8);
    put(&writer, (uint64_t)inode->mtime_ns, 8);
    put(&writer, (uint64_t)inode->ctime_ns, 8);
    put(&writer, inode->object_ns, 8);
    put_layout(&writer, &inode->layout);
    return (size_t)(writer.at - value);
}

int names_record_decode(const void *value, size_t len, struct inode *inode_out)
{
    struct reader reader = reader_of(value, len);
    uint64_t version = take(&reader, 1);
    uint64_t type = take(&reader, 1);
    uint64_t reserved = take(&reader, 2);
    bool is_old = version == RECORD_VERSION_OLD;

    if ((version != RECORD_VERSION && !is_old) || reserved != 0 ||
        type < INODE_FILE || type > INODE_TYPE_MAX)
        return -EIO;
    *inode_out = (struct inode){.type = (enum inode_type)type};
    inode_out->mode = (uint32_t)take(&reader, 4);
    inode_out->uid = (uint32_t)take(&reader, 4);
    inode_out->gid = (uint32_t)take(&reader, 4);
    inode_out->nlink = is_old ? (type == INODE_DIR) + 1u
                              : (uint32_t)take(&reader, 4);
    inode_out->ino = take(&reader, 8);
    inode_out->parent = is_old ? 0 : take(&reader, 8);
    inode_out->special = is_old ? 0 : take(&reader, 8);
    inode_out->atime_ns = (int64_t)take(&reader, 8);
    inode_out->mtime_ns = (int64_t)take(&reader, 8);
    inode_out->ctime_ns = (int64_t)take(&reader, 8);
    inode_out->object_ns = is_old ? 0 : take(&reader, 8);
    take_layout(&reader, &inode_out->layout);
    if (finish(&reader) != 0 || inode_out->ino == 0 ||
        names_record_check(inode_out) != 0)
        return -EIO;
    return 0;
}

/*
 * Entry.
 */

size_t names_entry_encode(uint64_t ino, enum inode_type type,
                          unsigned char value[NAMES_ENTRY_LEN])
{
    struct writer writer = {.at = value};

    put(&writer, ENTRY_VERSION, 1);
    put(&writer, type, 1);
    put(&writer, 0, 2);
    put(&writer, ino, 8);
    return (size_t)(writer.at - value);
}

int names_entry_decode(const void *value, size_t len, uint64_t *ino_out,
                       enum inode_type *type_out)
{
    struct reader reader = reader_of(value, len);
    uint64_t version = take(&reader, 1);
    uint64_t type = take(&reader, 1);
    uint64_t reserved = take(&reader, 2);

    *ino_out = take(&reader, 8);
    if (finish(&reader) != 0 || version != ENTRY_VERSION || reserved != 0 ||
        type < INODE_FILE || type > INODE_TYPE_MAX || *ino_out == 0)
        return -EIO;
    *type_out = (enum inode_type)type;
    return 0;
}

size_t names_dir_encode(const struct names_dir_state *state,
                        unsigned char value[NAMES_DIR_LEN])
{
    struct writer writer = {.at = value};

    put(&writer, state->frozen, 1);
    put(&writer, state->changed_ns, 8);
    put(&writer, state->entries, 8);
    put(&writer, state->subdirs, 8);
    return (size_t)(writer.at - value);
}

int names_dir_decode(const void *value, size_t len,
                     struct names_dir_state *state_out)
{
    struct reader reader = reader_of(value, len);

    *state_out = (struct names_dir_state){.frozen = take(&reader, 1)};
    if (len > 1) { /* format 1 had no more */
        state_out->changed_ns = take(&reader, 8);
        state_out->entries = take(&reader, 8);
        state_out->subdirs = take(&reader, 8);
    }
    if (finish(&reader) != 0 || state_out->frozen > NAMES_GONE)
        return -EIO;
    return 0;
}

/*
 * Small values.
 */

size_t names_format_encode(uint16_t target, unsigned char value[6])
{
    struct writer writer = {.at = value};

    put(&writer, NAMES_FORMAT_VERSION, 4);
    put(&writer, target, 2);
    return (size_t)(writer.at - value);
}

int names_format_decode(const void *value, size_t len, uint32_t *version_out,
                        uint16_t *target_out)
{
    struct reader reader = reader_of(value, len);

    *version_out = (uint32_t)take(&reader, 4);
    *target_out = 0;
    if (!reader.has_failed && *version_out != NAMES_FORMAT_VERSION &&
        *version_out != NAMES_FORMAT_OLD)
        return 0;
    *target_out = (uint16_t)take(&reader, 2);
    return finish(&reader);
}

size_t names_u64_encode(uint64_t number, unsigned char value[8])
{
    struct writer writer = {.at = value};

    put(&writer, number, 8);
    return 8;
}

int names_u64_decode(const void *value, size_t len, uint64_t *number_out)
{
    struct reader reader = reader_of(value, len);

    *number_out = take(&reader, 8);
    return finish(&reader);
}
