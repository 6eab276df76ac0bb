/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inodes, the text of symbolic links, and orphans.
 *
 * The happy path: an inode is written when it is made, replaced when it
 * changes, and goes with its last name: that of a file leaves an orphan, so
 * that its objects are destroyed on every target, however often we restart.
 *
 * A file that is held (open somewhere) when its last name goes keeps its inode,
 * with no names, and a mark beside the orphan; both go when the orphan does.
 *
 * Possible failure modes are those of names.c.
 */
#include "meta/names_private.h"

#include "base/err.h"

#include <string.h>

bool names_is_home(const struct names *names, uint64_t ino)
{
    return ino == INO_ROOT ? names->has_root : ino_target(ino) == names->target;
}

int names_inode_get(struct names *names, uint64_t ino, struct inode *inode_out)
{
    struct names_key key = names_key_number(NAMES_INODE, ino);
    unsigned char value[NAMES_RECORD_MAX];
    struct inode inode;
    size_t len;
    int rc;

    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc != 0)
        return rc == -ENOENT ? -ESTALE : rc;
    if (names_record_decode(value, len, &inode) != 0 || inode.ino != ino)
        return names_damaged(names, key.bytes, key.len);
    *inode_out = inode;
    return 0;
}

int names_inode_write(struct names *names, const struct inode *inode)
{
    struct names_key key = names_key_number(NAMES_INODE, inode->ino);
    unsigned char value[NAMES_RECORD_MAX];

    return names_put(names, &key, value, names_record_encode(inode, value));
}

int names_inode_put(struct names *names, const struct inode *inode)
{
    struct inode old;
    int rc = names_inode_get(names, inode->ino, &old);

    if (rc != 0)
        return rc;
    if (old.type != inode->type || names_record_check(inode) != 0)
        return -EINVAL;
    return names_inode_write(names, inode);
}

int names_inode_forget(struct names *names, uint64_t ino)
{
    struct names_key inode = names_key_number(NAMES_INODE, ino);
    struct names_key text = names_key_number(NAMES_SYMLINK, ino);
    struct inode old;
    int rc = names_inode_get(names, ino, &old);

    if (rc == -ESTALE)
        return 0;
    if (rc == 0 && old.type == INODE_SYMLINK)
        rc = names_del(names, &text);
    if (rc == 0 && (old.special != 0 || !names_xattr_is_marked(&old)))
        rc = names_xattr_forget(names, ino);
    return rc == 0 ? names_del(names, &inode) : rc;
}

int names_symlink_put(struct names *names, uint64_t ino, const void *text,
                      size_t len)
{
    struct names_key key = names_key_number(NAMES_SYMLINK, ino);

    return names_put(names, &key, text, len);
}

int names_symlink_get(struct names *names, uint64_t ino, char *text,
                      size_t room, size_t *len_out)
{
    struct names_key key = names_key_number(NAMES_SYMLINK, ino);
    int rc = names_get(names, &key, text, room, len_out);

    return rc == -ENOENT ? -ESTALE : rc;
}

/*
 * Names come, and the last name goes.
 */

int names_inode_link(struct names *names, uint64_t ino, uint64_t now_ns)
{
    struct inode inode;
    int rc = names_inode_get(names, ino, &inode);

    if (rc != 0)
        return rc;
    if (inode.type == INODE_DIR)
        return -EPERM;
    if (inode.nlink == 0)
        return -ESTALE;
    if (inode.nlink >= LINKS_MAX)
        return -EMLINK;
    inode.nlink++;
    inode.ctime_ns = now_ns;
    return names_inode_write(names, &inode);
}

static int put_orphan(struct names *names, const struct inode *inode,
                      bool is_held)
{
    struct names_key orphan = names_key_number(NAMES_ORPHAN, inode->ino);
    struct names_key held = names_key_number(NAMES_HELD, inode->ino);
    unsigned char value[NAMES_LAYOUT_MAX];
    int rc = names_put(names, &orphan, value,
                       names_layout_encode(&inode->layout, value));

    if (rc == 0 && is_held)
        rc = names_put(names, &held, "", 0);
    return rc;
}

int names_inode_unlink(struct names *names, uint64_t ino,
                       const struct names_gone *gone, struct inode *inode_out)
{
    bool is_held = gone->is_held;
    struct inode inode;
    int rc = names_inode_get(names, ino, &inode);

    if (rc != 0)
        return rc;
    if (inode.nlink > 0)
        inode.nlink--;
    inode.ctime_ns = gone->now_ns;
    if (inode.type != INODE_FILE)
        is_held = false;
    else if (inode.nlink == 0)
        rc = put_orphan(names, &inode, is_held);
    if (rc == 0)
        rc = inode.nlink > 0 || is_held ? names_inode_write(names, &inode)
                                        : names_inode_forget(names, ino);
    if (rc == 0 && inode_out != NULL)
        *inode_out = inode;
    return rc;
}

/*
 * Orphans.
 */

struct orphans {
    struct names *names;
    names_orphan_fn *each;
    void *ctx;
    int rc;
};

static bool is_held(struct names *names, uint64_t ino)
{
    struct names_key key = names_key_number(NAMES_HELD, ino);
    unsigned char value[1];
    size_t len;

    return names_get(names, &key, value, sizeof(value), &len) == 0;
}

static bool visit_orphan(void *ctx, const void *key, size_t key_len,
                         const void *value, size_t value_len)
{
    struct orphans *orphans = ctx;
    struct layout layout;
    uint64_t ino;

    if (key_len != 9 || names_layout_decode(value, value_len, &layout) != 0) {
        orphans->rc = names_damaged(orphans->names, key, key_len);
        return true; /* it must not hold up the others */
    }
    ino = names_key_number_at(key, 1);
    return orphans->each(orphans->ctx, ino, &layout,
                         is_held(orphans->names, ino));
}

int names_orphans(struct names *names, uint64_t after, names_orphan_fn *each,
                  void *ctx)
{
    struct names_key prefix = names_key_kind(NAMES_ORPHAN);
    struct names_key from = names_key_number(NAMES_ORPHAN, after + 1);
    struct orphans orphans = {.names = names, .each = each, .ctx = ctx};
    int rc;

    rc = kv_each(names->kv, from.bytes, from.len, prefix.bytes, prefix.len,
                 visit_orphan, &orphans);
    return rc == 0 ? orphans.rc : rc;
}

int names_orphan_done(struct names *names, uint64_t ino)
{
    struct names_key orphan = names_key_number(NAMES_ORPHAN, ino);
    struct names_key held = names_key_number(NAMES_HELD, ino);
    int rc = names_del(names, &orphan);

    if (rc == 0)
        rc = names_del(names, &held);
    return rc == 0 ? names_inode_forget(names, ino) : rc;
}
