/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking all records of a kind, and putting single ones right, for fsck.
 *
 * The happy path: what is to be repaired is read again first and must still be
 * as it was seen.
 *
 * Possible failure modes are: it is not (-ESTALE, nothing is written).
 */
#include "meta/names_private.h"

#include <errno.h>
#include <string.h>

struct walk {
    kv_each_fn *each;
    void *ctx;
    bool is_end;
};

static bool visit(void *ctx, const void *key, size_t key_len, const void *value,
                  size_t value_len)
{
    struct walk *walk = ctx;

    walk->is_end = walk->each(walk->ctx, key, key_len, value, value_len);
    return walk->is_end;
}

int names_walk(struct names *names, enum names_kind kind, const void *after,
               size_t after_len, kv_each_fn *each, void *ctx, bool *is_end_out)
{
    struct names_key prefix = names_key_kind(kind);
    struct names_key from = prefix;
    struct walk walk = {each, ctx, true};
    int rc;

    if (after_len >= NAMES_KEY_MAX)
        return -EINVAL;
    if (after_len > 0) {
        memcpy(from.bytes, after, after_len);
        from.bytes[after_len] = 0; /* behind it */
        from.len = after_len + 1;
    }
    rc = kv_each(names->kv, from.bytes, from.len, prefix.bytes, prefix.len,
                 visit, &walk);
    if (rc == 0)
        *is_end_out = walk.is_end;
    return rc;
}

int names_repair_entry(struct names *names, const struct name *name,
                       uint64_t ino, uint64_t now_ns)
{
    struct names_key key;
    unsigned char value[NAMES_ENTRY_LEN];
    enum inode_type type = INODE_FILE;
    struct inode inode;
    uint64_t now = 0;
    size_t len;
    int rc = names_check(name);

    if (rc != 0)
        return rc;
    key = names_key_entry(name);
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc != 0)
        return rc == -ENOENT ? -ESTALE : rc;
    if (names_entry_decode(value, len, &now, &type) != 0 || now != ino ||
        (names_is_home(names, ino) &&
         names_inode_get(names, ino, &inode) != -ESTALE))
        return -ESTALE;
    rc = names_entry_del(names, name);
    return rc == 0 ? names_dir_touch(names, name->parent, type, -1, now_ns)
                   : rc;
}

int names_repair_nlink(struct names *names, uint64_t ino, uint32_t nlink,
                       uint64_t now_ns)
{
    struct names_gone gone = {.now_ns = now_ns};
    struct inode inode;
    int rc = names_inode_get(names, ino, &inode);

    if (rc != 0 || inode.nlink == nlink || inode.type == INODE_DIR)
        return rc;
    inode.nlink = nlink == 0 ? 1 : nlink;
    rc = names_inode_write(names, &inode);
    return rc == 0 && nlink == 0 ? names_inode_unlink(names, ino, &gone, NULL)
                                 : rc;
}

int names_repair_parent(struct names *names, uint64_t ino, uint64_t parent)
{
    struct inode inode;
    int rc = names_inode_get(names, ino, &inode);

    if (rc == 0 && inode.type != INODE_DIR)
        rc = -ESTALE;
    if (rc != 0)
        return rc;
    inode.parent = parent;
    return names_inode_write(names, &inode);
}

struct counts {
    uint64_t entries;
    uint64_t subdirs;
};

static bool count(void *ctx, const void *key, size_t key_len, const void *value,
                  size_t value_len)
{
    struct counts *counts = ctx;
    enum inode_type type;
    uint64_t ino;

    counts->entries++;
    if (names_entry_decode(value, value_len, &ino, &type) == 0)
        counts->subdirs += type == INODE_DIR;
    return true;
}

int names_repair_counts(struct names *names, uint64_t dir)
{
    struct names_key prefix = names_key_number(NAMES_ENTRY, dir);
    struct counts counts = {0};
    struct names_dir_state state;
    int rc = names_dir_get(names, dir, &state);

    if (rc == 0)
        rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                     prefix.len, count, &counts);
    if (rc != 0)
        return rc;
    state.entries = counts.entries;
    state.subdirs = counts.subdirs;
    return names_dir_put(names, dir, &state);
}
