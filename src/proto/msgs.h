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
    X(44, renew, 0)

/* Requests. */
#define PROTO_REQ_hello(U8, U16, U32, U64, INODE, BYTES)                       \
    BYTES(name, PROTO_NAME_MAX) /* endpoint to answer to */                    \
    U64(client)                 /* chosen at random by the client */           \
    U64(cluster)                                                               \
    U64(floor) /* no request below this is under way any more */              \
    U16(target)
#define PROTO_REQ_ping(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REQ_stats(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REQ_lookup(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent) BYTES(text, 255)
#define PROTO_REQ_create(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent)                                                                \
    BYTES(text, 255)                                                           \
    U32(mode)                                                                  \
    U32(uid)                                                                   \
    U32(gid)                                                                   \
    U8(is_exclusive)                                                           \
    U32(stripe_size) /* 0: the cluster's */                                    \
    U16(width)       /* 0: the cluster's */
#define PROTO_REQ_mkdir(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(parent) BYTES(text, 255) U32(mode) U32(uid) U32(gid)
#define PROTO_REQ_unlink(U8, U16, U32, U64, INODE, BYTES)                      \
    U64(parent) BYTES(text, 255)
#define PROTO_REQ_rmdir(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(parent) BYTES(text, 255)
#define PROTO_REQ_readdir(U8, U16, U32, U64, INODE, BYTES)                     \
    U64(dir) BYTES(after, 255)
#define PROTO_REQ_set_striped(U8, U16, U32, U64, INODE, BYTES)                 \
    U64(parent) BYTES(text, 255) U64(ino)
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
    BYTES(data, PROTO_INLINE_MAX) /* empty: read it by RMA */                  \
    U8(sums_kind)                                                              \
    BYTES(sums, 4 * PROTO_SUMS_MAX) /* of what goes by RMA */                  \
    BYTES(runs, PROTO_RUNS_MAX)
#define PROTO_REQ_obj_stat(U8, U16, U32, U64, INODE, BYTES) U64(ino)
#define PROTO_REQ_obj_truncate(U8, U16, U32, U64, INODE, BYTES)                \
    U64(ino) U64(size) U8(grow_only)
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

/* Replies; the status is in the header, a text may follow on failure. */
#define PROTO_REP_hello(U8, U16, U32, U64, INODE, BYTES)                       \
    U64(session) U32(window) U16(target)
#define PROTO_REP_ping(U8, U16, U32, U64, INODE, BYTES) U8(unused)
#define PROTO_REP_stats(U8, U16, U32, U64, INODE, BYTES)                       \
    BYTES(counters, PROTO_COUNTERS_MAX * 8)
#define PROTO_REP_lookup(U8, U16, U32, U64, INODE, BYTES)                      \
    INODE(inode)                                                               \
    U64(object_size) /* of the owner's column */                               \
    U64(object_mtime_ns)
#define PROTO_REP_create(U8, U16, U32, U64, INODE, BYTES)                      \
    INODE(inode) U8(is_new)
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

#endif
