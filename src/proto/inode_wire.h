/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An inode on the wire: u64 ino, u8 type, u8 is_striped, u16 width, u32 mode,
 * u32 uid, u32 gid, u32 nlink, u64 parent, u64 special, u64 atime, u64 mtime,
 * u64 ctime, u64 object_ns, u32 stripe_size, u16 replicas, then width u16 target
 * ids. What is no file has width 0.
 *
 * Threads  pure; any.
 * Failure  false: too short, or a layout that layout_check() refuses.
 */
#ifndef CAPSTAN_PROTO_INODE_WIRE_H
#define CAPSTAN_PROTO_INODE_WIRE_H

#include "base/inode.h"
#include "proto/wire.h"

bool inode_put(struct wire_out *out, const struct inode *inode);
bool inode_get(struct wire_in *in, struct inode *inode);

#endif
