/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one table of messages: from it come the structs, sizes, encoders,
 * decoders and names of proto.h. doc/wire-protocol.md says the rules in prose.
 *
 * Field kinds: U8 U16 U32 U64 (little-endian); INODE (record of an inode, see
 * * inode_wire.h); BYTES(field, limit): u32 length, then as many bytes, at most
 * `limit`. Fields are encoded in order without padding.
 *
 * A message is added at the end of the table; a field is never removed or
 * moved without a new protocol version. HELLO keeps its form for ever, so that
 * versions that do not understand each other can say so.
 */
#ifndef CAPSTAN_PROTO_MSGS_H
#define CAPSTAN_PROTO_MSGS_H

/* Opcode, name, flags. ONCE: a retry is answered, not repeated. */
#define PROTO_MSGS(X)                                                          \
    X(1, hello, 0)                                                             \
    X(2, ping, 0)                                                              \
    X(3, stats, 0)                                                             \
    X(10, lookup, 0)                                                           \
    X(11, create, PROTO_ONCE)                                                  \
    X(12, mkdir, PROTO_ONCE)                                                   \
    X(13, unlink, PROTO_ONCE)                                                  \
    X(14, rmdir, PROTO_ONCE)                                                   \
    X(15, readdir, 0)                                                          \
    X(16, set_striped, 0)                                                      \
    X(17, freeze, PROTO_ONCE)                                                  \
    X(18, thaw, PROTO_ONCE)                                                    \
    X(30, read, 0)                                                             \
    X(31, write, PROTO_ONCE)                                                   \
    X(32, obj_stat, 0)                                                         \
    X(33, obj_truncate, PROTO_ONCE)                                            \
    X(34, obj_sync, 0)                                                         \
    X(35, obj_destroy, 0)                                                      \
    X(40, counter_step, PROTO_ONCE)                                            \
    X(41, counter_drop, 0)                                                     \
    X(42, lock, 0)                                                             \
    X(43, unlock, PROTO_ONCE)                                                  \
    X(44, renew, 0)                                                            \
    X(50, getattr, 0)                                                          \
    X(51, setattr, PROTO_ONCE)                                                 \
    X(52, make, PROTO_ONCE)                                                    \
    X(53, rename, PROTO_ONCE)                                                  \
    X(54, link, PROTO_ONCE)                                                    \
    X(55, dir_state, 0)                                                        \
    X(56, xattr_get, 0)                                                        \
    X(57, xattr_set, PROTO_ONCE)                                               \
    X(58, hold, 0)                                                             \
    X(59, entry_lock, PROTO_ONCE)                                              \
    X(60, entry_settle, PROTO_ONCE)                                            \
    X(61, inode_settle, PROTO_ONCE)                                            \
    X(62, check, 0)                                                        \
    X(63, repair, PROTO_ONCE)                                                  \
    X(70, scrub, 0)                                                            \
    X(71, plan, 0)                                                             \
    X(72, obj_allocate, PROTO_ONCE)

/* Requests. */
#define PROTO_REQ_hello(U8, U16, U32, U64, INODE, BYTES)                       \
    BYTES(name, PROTO_NAME_MAX) /* endpoint to answer to */                    \
    U64(client)                 /* chosen at random by the client */           \
    U64(cluster)                                                               \
    U64(floor) /* no request below this is under way any more */              \
    U16(target)
#define PROTO_REQ_ping(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REQ_stats(U8, U16, U32, U64, INODE, BYTES) U8(unused)
/* `may`: bits of CRED_*, what the inode must allow to cred; checked where the
 * inode is kept. `want`: bytes of a small file that shall come along. */
#define PROTO_REQ_lookup(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U32(want)                                                                  \
    U8(may)                                                                    \
    BYTES(cred, PROTO_CRED_MAX) /* proto_cred_*(); may be empty if !may */
#define PROTO_REQ_create(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U32(mode)                                                                  \
    U32(uid)                                                                   \
    U32(gid)                                                                   \
    U8(is_exclusive)                                                           \
    U32(stripe_size) /* 0: the cluster's */                                    \
    U16(width)       /* 0: the cluster's */                                    \
    U8(may)          /* of a file that is there already */                     \
    BYTES(cred, PROTO_CRED_MAX)
#define PROTO_REQ_mkdir(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(parent) BYTES(text, 255) U32(mode) U32(uid) U32(gid)
#define PROTO_REQ_unlink(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U8(is_held) /* we may have it open: keep the file for us, see hold */
#define PROTO_REQ_rmdir(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(parent) BYTES(text, 255)
#define PROTO_REQ_readdir(U8, U16, U32, U64, INODE, BYTES)                     \
    U64(dir) U64(after) /* place, as an entry's; 0: from the start */
#define PROTO_REQ_set_striped(U8, U16, U32, U64, INODE, BYTES)                 \
    U64(ino)
#define PROTO_REQ_freeze(U8, U16, U32, U64, INODE, BYTES) U64(dir)
#define PROTO_REQ_thaw(U8, U16, U32, U64, INODE, BYTES) U64(dir)
/* The runs speak of file offsets; the server takes what lies on `column`. */
#define PROTO_REQ_read(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(ino)                                                                   \
    U32(stripe_size)                                                           \
    U16(columns)                                                               \
    U16(column)                                                                \
    U8(is_inline) /* data comes in the reply, in run order */                  \
    U64(key)      /* else by RMA to here */                                    \
    U64(addr)                                                                  \
    U64(span) /* bytes registered there */                                     \
    U8(sums_kind) /* enum proto_sums; of what goes by RMA, in the reply */    \
    BYTES(runs, PROTO_RUNS_MAX)
#define PROTO_REQ_write(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(ino)                                                                   \
    U32(stripe_size)                                                           \
    U16(columns)                                                               \
    U16(column)                                                                \
    U64(key)                                                                   \
    U64(addr)                                                                  \
    U64(span)                                                                  \
    BYTES(data, PROTO_WRITE_INLINE_MAX) /* empty: read it by RMA */            \
    U8(sums_kind)                                                              \
    BYTES(sums, 4 * PROTO_SUMS_MAX) /* of what goes by RMA */                  \
    BYTES(runs, PROTO_RUNS_MAX)
#define PROTO_REQ_obj_stat(U8, U16, U32, U64, INODE, BYTES) U64(ino)
#define PROTO_REQ_obj_truncate(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino) U64(size) U8(how) /* enum proto_resize */
#define PROTO_REQ_obj_sync(U8, U16, U32, U64, INODE, BYTES) U64(ino)
#define PROTO_REQ_obj_destroy(U8, U16, U32, U64, INODE, BYTES) U64(ino)
/* Counters of open files (shared file pointers), at column 0's target. */
#define PROTO_REQ_counter_step(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino)                                                                   \
    U64(handle)     /* of the collective open, random */                       \
    U64(generation) /* a higher one than before begins anew at `start` */      \
    U64(start)      /* two's complement, as `value` and `before` */            \
    U64(value)                                                                 \
    U8(is_set)  /* else add */                                                 \
    U64(age_ns) /* of the open: how long ago the counter may have begun */
#define PROTO_REQ_counter_drop(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino) U64(handle)
/* Byte-range locks, at column 0's target; `id` is the client's number. */
#define PROTO_REQ_lock(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(ino) U64(id) U64(offset) U64(length) U8(is_shared)
#define PROTO_REQ_unlock(U8, U16, U32, U64, INODE, BYTES) U64(ino) U64(id)
#define PROTO_REQ_renew(U8, U16, U32, U64, INODE, BYTES) U64(ino) U64(id)
/* Inodes, at their home. */
#define PROTO_REQ_getattr(U8, U16, U32, U64, INODE, BYTES)                     \
    U64(ino) U32(want) U8(may) BYTES(cred, PROTO_CRED_MAX)
#define PROTO_REQ_setattr(U8, U16, U32, U64, INODE, BYTES)                     \
    U64(ino)                                                                   \
    U32(valid) /* CHANGE_* */                                                  \
    U32(mode)                                                                  \
    U32(uid)                                                                   \
    U32(gid)                                                                   \
    U64(atime_ns)                                                              \
    U64(mtime_ns)                                                              \
    U64(object_ns) /* of the other columns' objects, the last change */        \
    BYTES(cred, PROTO_CRED_MAX)
/* A symbolic link, FIFO, socket or device, or an empty file. */
#define PROTO_REQ_make(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U8(type)                                                                   \
    U32(mode)                                                                  \
    U32(uid)                                                                   \
    U32(gid)                                                                   \
    U64(special)                                                               \
    BYTES(link, 4095)
/* At the owner of the new name, of which ino and type are the inode's. */
#define PROTO_REQ_rename(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U64(from_parent)                                                           \
    BYTES(from_text, 255)                                                      \
    U64(ino)                                                                   \
    U8(type)                                                                   \
    U8(flags)   /* CAPSTAN_RENAME_* */                                         \
    U8(is_held) /* what is replaced, as unlink */
#define PROTO_REQ_link(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(parent) BYTES(text, 255) U64(ino) U8(type)
/* What a fan-out target knows of a directory. */
#define PROTO_REQ_dir_state(U8, U16, U32, U64, INODE, BYTES)                   \
    U64(dir) U8(is_reset) /* forget the time: it was set */
/* An empty name: list the names, each with a NUL. */
#define PROTO_REQ_xattr_get(U8, U16, U32, U64, INODE, BYTES)                   \
    U64(ino) BYTES(name, 255) BYTES(cred, PROTO_CRED_MAX)
#define PROTO_REQ_xattr_set(U8, U16, U32, U64, INODE, BYTES)                   \
    U64(ino)                                                                   \
    BYTES(name, 255)                                                           \
    BYTES(value, PROTO_XATTR_MAX)                                              \
    U8(flags) /* CAPSTAN_XATTR_* */                                            \
    U8(is_removal)                                                             \
    BYTES(cred, PROTO_CRED_MAX)
/* Files whose names are gone and which we have open, u64 each. */
#define PROTO_REQ_hold(U8, U16, U32, U64, INODE, BYTES)                        \
    BYTES(inos, PROTO_HOLDS_MAX * 8) U8(is_drop)
/* Between targets, for changes of several: op_change.c. */
#define PROTO_REQ_entry_lock(U8, U16, U32, U64, INODE, BYTES)                  \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U64(ino) /* that it must stand for; 0: only lock */                        \
    U64(id)
#define PROTO_REQ_entry_settle(U8, U16, U32, U64, INODE, BYTES)                \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U64(id)                                                                    \
    U8(is_committed)                                                           \
    U64(ino) /* that it stands for from now on; 0: it goes */                  \
    U8(type)                                                                   \
    U64(now_ns)
#define PROTO_REQ_inode_settle(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino)                                                                   \
    U8(what) /* enum names_settle */                                           \
    U64(id)                                                                    \
    U64(floor)                                                                 \
    U64(parent)                                                                \
    U64(now_ns)                                                                \
    U64(holder) /* 0: nobody has it open */
/* What a target keeps, for fsck: records of a kind behind a key. */
#define PROTO_REQ_check(U8, U16, U32, U64, INODE, BYTES)                       \
    U8(kind) BYTES(after, 512) /* a key; empty: from the start */
/* Put one thing right: PROTO_REPAIR_*. */
#define PROTO_REQ_repair(U8, U16, U32, U64, INODE, BYTES)                      \
    U8(what) U64(a) U64(b) U32(n) BYTES(text, 255)

/* Read objects from a place on and compare; the answer says where it stopped. */
#define PROTO_REQ_scrub(U8, U16, U32, U64, INODE, BYTES)                       \
    U32(shard)                                                                 \
    U64(ino)    /* the last that was read */                                   \
    U64(offset) /* in it, or 0: it is done */                                  \
    U64(budget) /* bytes to read, about */
/* What will be read soon; a hint. As read. */
#define PROTO_REQ_plan(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(ino)                                                                   \
    U32(stripe_size)                                                           \
    U16(columns)                                                               \
    U16(column)                                                                \
    BYTES(runs, PROTO_RUNS_MAX)
/* Storage for a part of an object. */
#define PROTO_REQ_obj_allocate(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino) U64(offset) U64(length) U8(keeps_size) /* else it may grow */

/* Replies; the status is in the header, a text may follow on failure. */
#define PROTO_REP_hello(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(session) U32(window) U16(target)
#define PROTO_REP_ping(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_stats(U8, U16, U32, U64, INODE, BYTES)                       \
    BYTES(counters, PROTO_COUNTERS_MAX * 8)
#define PROTO_REP_lookup(U8, U16, U32, U64, INODE, BYTES)                      \
    INODE(inode)     /* is_away: only ino and type count */                    \
    U8(is_away)      /* kept elsewhere: ask its home by getattr */             \
    U64(object_size) /* of the home's column */                                \
    U64(object_mtime_ns)                                                       \
    BYTES(data, PROTO_INLINE_MAX) /* a link's text; a small file's bytes */
#define PROTO_REP_create(U8, U16, U32, U64, INODE, BYTES)                      \
    INODE(inode) U8(is_new) U8(is_away) /* as lookup */
#define PROTO_REP_mkdir(U8, U16, U32, U64, INODE, BYTES) INODE(inode)
#define PROTO_REP_unlink(U8, U16, U32, U64, INODE, BYTES) U64(ino)
#define PROTO_REP_rmdir(U8, U16, U32, U64, INODE, BYTES) U64(ino)
#define PROTO_REP_readdir(U8, U16, U32, U64, INODE, BYTES)                     \
    U8(is_end)                                                                 \
    U32(count)                                                                 \
    BYTES(entries, PROTO_ENTRIES_MAX) /* proto_entry_*() */
#define PROTO_REP_set_striped(U8, U16, U32, U64, INODE, BYTES) INODE(inode)
#define PROTO_REP_freeze(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_thaw(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_read(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(object_size) /* at the time of reading */                              \
    U64(bytes)       /* moved */                                               \
    BYTES(sums, 4 * PROTO_SUMS_MAX)                                            \
    BYTES(data, PROTO_INLINE_MAX)
#define PROTO_REP_write(U8, U16, U32, U64, INODE, BYTES) U64(bytes)
#define PROTO_REP_obj_stat(U8, U16, U32, U64, INODE, BYTES)                    \
    U64(size) U64(mtime_ns)
#define PROTO_REP_obj_truncate(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_obj_sync(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_obj_destroy(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_counter_step(U8, U16, U32, U64, INODE, BYTES) U64(before)
#define PROTO_REP_counter_drop(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_lock(U8, U16, U32, U64, INODE, BYTES)                        \
    U8(is_granted) /* 0: not yet, ask again */                                 \
    U64(lease_ns)
#define PROTO_REP_unlock(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_renew(U8, U16, U32, U64, INODE, BYTES) U64(lease_ns)
#define PROTO_REP_getattr(U8, U16, U32, U64, INODE, BYTES)                     \
    INODE(inode)                                                               \
    U8(is_away) /* 0 */                                                        \
    U64(object_size)                                                           \
    U64(object_mtime_ns)                                                       \
    BYTES(data, PROTO_INLINE_MAX)
#define PROTO_REP_setattr(U8, U16, U32, U64, INODE, BYTES)                     \
    INODE(inode) U64(object_size) U64(object_mtime_ns)
#define PROTO_REP_make(U8, U16, U32, U64, INODE, BYTES) INODE(inode)
#define PROTO_REP_rename(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(victim) /* what was replaced; 0: nothing */
#define PROTO_REP_link(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_dir_state(U8, U16, U32, U64, INODE, BYTES)                   \
    U64(changed_ns) U64(entries) U64(subdirs)
#define PROTO_REP_xattr_get(U8, U16, U32, U64, INODE, BYTES)                   \
    BYTES(value, PROTO_XATTRS_MAX)
#define PROTO_REP_xattr_set(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_hold(U8, U16, U32, U64, INODE, BYTES) U64(lease_ns)
#define PROTO_REP_entry_lock(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_entry_settle(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_inode_settle(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_check(U8, U16, U32, U64, INODE, BYTES)                       \
    U8(is_end) U32(count) BYTES(records, PROTO_ENTRIES_MAX)
#define PROTO_REP_repair(U8, U16, U32, U64, INODE, BYTES) U8(unused)

#define PROTO_REP_scrub(U8, U16, U32, U64, INODE, BYTES)                       \
    U8(is_end)                                                                 \
    U32(shard)                                                                 \
    U64(ino)                                                                   \
    U64(offset)                                                                \
    U64(objects) /* that were finished */                                      \
    U64(bytes)                                                                 \
    BYTES(bad, PROTO_SCRUB_BAD_MAX) /* u64 ino, u64 offset of each block */
#define PROTO_REP_plan(U8, U16, U32, U64, INODE, BYTES)                        \
    U64(bytes) /* that will be read ahead */
#define PROTO_REP_obj_allocate(U8, U16, U32, U64, INODE, BYTES) U8(unused)

#endif
