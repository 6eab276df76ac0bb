/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes: one record each, beside the inode.
 *
 * The happy path: the inode is read, the attribute is written, and a file or
 * directory remembers that it has some (`special`, which they need for nothing
 * else), so that the many that have none are removed without a look. The others
 * have no room for that: when they go, it is looked for.
 *
 * Possible failure modes are: too many (-ENOSPC).
 */
#include "meta/names_private.h"

#include <errno.h>
#include <string.h>

#define DROP_AT_ONCE 16

static struct names_key key_of(uint64_t ino, const char *text, size_t len)
{
    struct name name = {ino, text, len};

    return names_key_name(NAMES_XATTR, &name);
}

int names_xattr_get(struct names *names, uint64_t ino, const char *text,
                    size_t text_len, void *value, size_t room, size_t *len_out)
{
    struct names_key key = key_of(ino, text, text_len);
    int rc = names_get(names, &key, value, room, len_out);

    return rc == -ENOENT ? -ENODATA : rc;
}

struct list {
    char *at;
    char *end;
    size_t bytes; /* names and values, for the limit */
    bool is_full;
};

static bool note(void *ctx, const void *key, size_t key_len, const void *value,
                 size_t value_len)
{
    struct list *list = ctx;
    size_t len = key_len - 9;

    list->bytes += len + 1 + value_len;
    if (list->at == NULL)
        return true;
    if ((size_t)(list->end - list->at) < len + 1) {
        list->is_full = true;
        return false;
    }
    memcpy(list->at, (const char *)key + 9, len);
    list->at[len] = '\0';
    list->at += len + 1;
    return true;
}

static int each(struct names *names, uint64_t ino, struct list *list)
{
    struct names_key prefix = names_key_number(NAMES_XATTR, ino);

    return kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                   prefix.len, note, list);
}

int names_xattr_list(struct names *names, uint64_t ino, char *texts,
                     size_t room, size_t *len_out)
{
    struct list list = {.at = texts, .end = texts + room};
    struct inode inode;
    int rc = names_inode_get(names, ino, &inode);

    if (rc == 0)
        rc = each(names, ino, &list);
    if (rc == 0 && list.is_full)
        rc = -ERANGE;
    if (rc == 0)
        *len_out = (size_t)(list.at - texts);
    return rc;
}

/* @param len_out  of its value; 0 if it is not there. */
static int has(struct names *names, const struct names_key *key, bool *has_out,
               size_t *len_out)
{
    unsigned char value[NAMES_XATTR_MAX];
    int rc = names_get(names, key, value, sizeof(value), len_out);

    *has_out = rc == 0;
    if (rc != 0)
        *len_out = 0;
    return rc == -ENOENT ? 0 : rc;
}

static int check_flags(bool is_there, unsigned flags)
{
    if ((flags & NAMES_XATTR_CREATE) && is_there)
        return -EEXIST;
    return (flags & NAMES_XATTR_REPLACE) && !is_there ? -ENODATA : 0;
}

/* Would all of them be too many? */
static int check_room(struct names *names, uint64_t ino, size_t more,
                      size_t less)
{
    struct list list = {.at = NULL};
    int rc = each(names, ino, &list);

    if (rc != 0)
        return rc;
    return list.bytes + more - less > NAMES_XATTRS_MAX ? -ENOSPC : 0;
}

bool names_xattr_is_marked(const struct inode *inode)
{
    return inode->type == INODE_FILE || inode->type == INODE_DIR;
}

static int touch(struct names *names, struct inode *inode, uint64_t now_ns)
{
    if (names_xattr_is_marked(inode))
        inode->special = 1;
    inode->ctime_ns = now_ns;
    return names_inode_write(names, inode);
}

int names_xattr_set(struct names *names, uint64_t ino,
                    const struct names_xattr *xattr, uint64_t now_ns)
{
    struct names_key key = key_of(ino, xattr->text, xattr->text_len);
    size_t text_len = xattr->text_len + 1, old_len;
    struct inode inode;
    bool is_there;
    int rc = names_inode_get(names, ino, &inode);

    if (rc == 0)
        rc = has(names, &key, &is_there, &old_len);
    if (rc == 0)
        rc = check_flags(is_there, xattr->flags);
    if (rc == 0)
        rc = check_room(names, ino, text_len + xattr->len,
                        is_there ? text_len + old_len : 0);
    if (rc == 0)
        rc = names_put(names, &key, xattr->value, xattr->len);
    return rc == 0 ? touch(names, &inode, now_ns) : rc;
}

int names_xattr_remove(struct names *names, uint64_t ino, const char *text,
                       size_t text_len, uint64_t now_ns)
{
    struct names_key key = key_of(ino, text, text_len);
    struct inode inode;
    size_t old_len;
    bool is_there;
    int rc = names_inode_get(names, ino, &inode);

    if (rc == 0)
        rc = has(names, &key, &is_there, &old_len);
    if (rc == 0 && !is_there)
        rc = -ENODATA;
    if (rc == 0)
        rc = names_del(names, &key);
    return rc == 0 ? touch(names, &inode, now_ns) : rc;
}

struct drop {
    struct names_key keys[DROP_AT_ONCE];
    unsigned n;
};

static bool collect(void *ctx, const void *key, size_t key_len,
                    const void *value, size_t value_len)
{
    struct drop *drop = ctx;

    memcpy(drop->keys[drop->n].bytes, key, key_len);
    drop->keys[drop->n++].len = key_len;
    return drop->n < DROP_AT_ONCE;
}

int names_xattr_forget(struct names *names, uint64_t ino)
{
    struct names_key prefix = names_key_number(NAMES_XATTR, ino);
    struct drop drop;
    int rc;

    do {
        drop.n = 0;
        rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                     prefix.len, collect, &drop);
        for (unsigned i = 0; rc == 0 && i < drop.n; i++)
            rc = names_del(names, &drop.keys[i]);
    } while (rc == 0 && drop.n == DROP_AT_ONCE);
    return rc;
}
