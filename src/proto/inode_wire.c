/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/inode_wire.h"

bool inode_put(struct wire_out *out, const struct inode *inode)
{
    const struct layout *layout = &inode->layout;
    unsigned i;

    if (layout->width > LAYOUT_WIDTH_MAX ||
        !(wire_put_u64(out, inode->ino) &&
          wire_put_u8(out, (uint8_t)inode->type) &&
          wire_put_u8(out, layout->is_striped) &&
          wire_put_u16(out, layout->width) && wire_put_u32(out, inode->mode) &&
          wire_put_u32(out, inode->uid) && wire_put_u32(out, inode->gid) &&
          wire_put_u32(out, inode->nlink) &&
          wire_put_u64(out, inode->parent) &&
          wire_put_u64(out, inode->special) &&
          wire_put_u64(out, (uint64_t)inode->atime_ns) &&
          wire_put_u64(out, (uint64_t)inode->mtime_ns) &&
          wire_put_u64(out, (uint64_t)inode->ctime_ns) &&
          wire_put_u64(out, inode->object_ns) &&
          wire_put_u32(out, layout->stripe_size) &&
          wire_put_u16(out, layout->replicas)))
        return false;
    for (i = 0; i < layout->width; i++)
        if (!wire_put_u16(out, layout->targets[i]))
            return false;
    return true;
}

bool inode_get(struct wire_in *in, struct inode *inode)
{
    struct layout *layout = &inode->layout;
    uint8_t type, is_striped;
    unsigned i;

    if (!(wire_get_u64(in, &inode->ino) && wire_get_u8(in, &type) &&
          wire_get_u8(in, &is_striped) && wire_get_u16(in, &layout->width) &&
          wire_get_u32(in, &inode->mode) && wire_get_u32(in, &inode->uid) &&
          wire_get_u32(in, &inode->gid) && wire_get_u32(in, &inode->nlink) &&
          wire_get_u64(in, &inode->parent) &&
          wire_get_u64(in, &inode->special) &&
          wire_get_i64(in, &inode->atime_ns) &&
          wire_get_i64(in, &inode->mtime_ns) &&
          wire_get_i64(in, &inode->ctime_ns) &&
          wire_get_u64(in, &inode->object_ns) &&
          wire_get_u32(in, &layout->stripe_size) &&
          wire_get_u16(in, &layout->replicas)))
        return false;
    if (type < INODE_FILE || type > INODE_TYPE_MAX || is_striped > 1 ||
        layout->width > LAYOUT_WIDTH_MAX)
        return false;
    inode->type = type;
    layout->is_striped = is_striped != 0;
    for (i = 0; i < layout->width; i++)
        if (!wire_get_u16(in, &layout->targets[i]))
            return false;
    return layout->width == 0 || (type == INODE_FILE &&
                                  layout_check(layout) == 0);
}
