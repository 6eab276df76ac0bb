/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries: look up, insert, update, unlink, list; and orphans.
 *
 * The happy path of each call: check the name, read the record, judge, and only
 * then write. Whatever is judged against is read through the transaction, so
 * a call sees what the calls before it in the same transaction did.
 *
 * Possible failure modes are those of each call, and a record that does not
 * decode: it is logged with its key, and that call ends with -EIO.
 */
#include "meta/names_private.h"

#include "base/err.h"
#include "base/log.h"

#include <string.h>

int names_check(const struct name *name)
{
    if (name->len == 0)
        return -EINVAL;
    if (name->len > NAME_LEN_MAX)
        return -ENAMETOOLONG;
    if (memchr(name->text, '/', name->len) != NULL ||
        memchr(name->text, '\0', name->len) != NULL)
        return -EINVAL;
    if (name->text[0] == '.' &&
        (name->len == 1 || (name->len == 2 && name->text[1] == '.')))
        return -EINVAL;
    return 0;
}

/*
 * Keys and values.
 */

int names_damaged(const struct names *names, const void *key, size_t len)
{
    char text[NAMES_KEY_TEXT_MAX];

    names_key_text(key, len, text);
    log_error("names of target %u: the value of key %s is damaged",
              names->target, text);
    return -EIO;
}

int names_get(struct names *names, const struct names_key *key, void *value,
              size_t room, size_t *len_out)
{
    int rc = kv_get(names->kv, key->bytes, key->len, value, room, len_out);

    if (rc == -EOVERFLOW)
        return names_damaged(names, key->bytes, key->len);
    return rc;
}

int names_put(struct names *names, const struct names_key *key,
              const void *value, size_t len)
{
    return kv_put(names->kv, key->bytes, key->len, value, len);
}

int names_del(struct names *names, const struct names_key *key)
{
    return kv_del(names->kv, key->bytes, key->len);
}

static int put_inode(struct names *names, const struct name *name,
                     const struct inode *inode)
{
    struct names_key key = names_key_name(NAMES_ENTRY, name);
    unsigned char value[NAMES_RECORD_MAX];

    return names_put(names, &key, value, names_record_encode(inode, value));
}

/*
 * Entries.
 */

int names_lookup(struct names *names, const struct name *name,
                 struct inode *inode_out)
{
    unsigned char value[NAMES_RECORD_MAX];
    struct names_key key;
    struct inode inode;
    size_t len;
    int rc;

    rc = names_check(name);
    if (rc != 0)
        return rc;
    key = names_key_name(NAMES_ENTRY, name);
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc != 0)
        return rc;
    if (names_record_decode(value, len, &inode) != 0)
        return names_damaged(names, key.bytes, key.len);
    *inode_out = inode;
    return 0;
}

/* May the directory take an entry? */
static int check_parent(struct names *names, uint64_t parent)
{
    enum names_frozen state;
    int rc = names_frozen_get(names, parent, &state);

    if (rc != 0)
        return rc;
    if (state == NAMES_GONE)
        return -ENOENT;
    return state == NAMES_BEING_REMOVED ? -ERR_FROZEN : 0;
}

int names_insert(struct names *names, const struct name *name,
                 struct inode *inode_inout)
{
    struct inode inode;
    int rc;

    rc = names_lookup(names, name, &inode);
    if (rc == 0) {
        *inode_inout = inode;
        return -EEXIST;
    }
    if (rc != -ENOENT)
        return rc;
    rc = check_parent(names, name->parent);
    if (rc == 0)
        rc = names_record_check(inode_inout);
    if (rc != 0)
        return rc;
    inode = *inode_inout;
    rc = names_issue(names, &inode.ino);
    if (rc == 0)
        rc = put_inode(names, name, &inode);
    if (rc == 0)
        inode_inout->ino = inode.ino;
    return rc;
}

int names_update(struct names *names, const struct name *name,
                 const struct inode *inode)
{
    struct inode old;
    int rc;

    rc = names_lookup(names, name, &old);
    if (rc != 0)
        return rc;
    if (old.ino != inode->ino)
        return -ESTALE;
    if (old.type != inode->type || names_record_check(inode) != 0)
        return -EINVAL;
    return put_inode(names, name, inode);
}

int names_unlink(struct names *names, const struct name *name,
                 struct inode *inode_out)
{
    unsigned char value[NAMES_LAYOUT_MAX];
    struct names_key entry, orphan;
    struct inode inode;
    int rc;

    rc = names_lookup(names, name, &inode);
    if (rc != 0)
        return rc;
    if (inode.type == INODE_DIR)
        return -EISDIR;
    entry = names_key_name(NAMES_ENTRY, name);
    orphan = names_key_number(NAMES_ORPHAN, inode.ino);
    rc = names_put(names, &orphan, value,
                   names_layout_encode(&inode.layout, value));
    if (rc == 0)
        rc = names_del(names, &entry);
    if (rc == 0)
        *inode_out = inode;
    return rc;
}

/*
 * Lists.
 */

struct page {
    struct names *names;
    names_entry_fn *each;
    void *ctx;
    bool is_end;
    int rc;
};

static bool visit_entry(void *ctx, const void *key, size_t key_len,
                        const void *value, size_t value_len)
{
    struct page *page = ctx;
    struct inode inode;
    struct name name;

    if (names_key_name_parse(key, key_len, &name) != 0 ||
        names_record_decode(value, value_len, &inode) != 0) {
        page->rc = names_damaged(page->names, key, key_len);
        return false;
    }
    page->is_end = page->each(page->ctx, name.text, name.len, &inode);
    return page->is_end;
}

int names_readdir(struct names *names, uint64_t dir_ino, const char *after,
                  size_t after_len, names_entry_fn *each, void *ctx,
                  bool *is_end_out)
{
    struct name last = {.parent = dir_ino, .text = after, .len = after_len};
    struct names_key prefix = names_key_number(NAMES_ENTRY, dir_ino);
    struct page page = {
        .names = names, .each = each, .ctx = ctx, .is_end = true};
    struct names_key from;
    int rc;

    if (after_len > NAME_LEN_MAX)
        return -ENAMETOOLONG;
    from = names_key_name(NAMES_ENTRY, &last);
    if (after_len > 0)
        from.bytes[from.len++] = '\0'; /* the least name behind it */
    rc = kv_each(names->kv, from.bytes, from.len, prefix.bytes, prefix.len,
                 visit_entry, &page);
    if (rc == 0)
        rc = page.rc;
    if (rc == 0)
        *is_end_out = page.is_end;
    return rc;
}

struct orphans {
    struct names *names;
    names_orphan_fn *each;
    void *ctx;
    int rc;
};

static bool visit_orphan(void *ctx, const void *key, size_t key_len,
                         const void *value, size_t value_len)
{
    struct orphans *orphans = ctx;
    struct layout layout;

    if (key_len != 9 || names_layout_decode(value, value_len, &layout) != 0) {
        orphans->rc = names_damaged(orphans->names, key, key_len);
        return true; /* it must not hold up the others */
    }
    return orphans->each(orphans->ctx, names_key_number_at(key, 1), &layout);
}

int names_orphans(struct names *names, names_orphan_fn *each, void *ctx)
{
    struct names_key prefix = names_key_kind(NAMES_ORPHAN);
    struct orphans orphans = {.names = names, .each = each, .ctx = ctx};
    int rc;

    rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes, prefix.len,
                 visit_orphan, &orphans);
    return rc == 0 ? orphans.rc : rc;
}

int names_orphan_done(struct names *names, uint64_t ino)
{
    struct names_key key = names_key_number(NAMES_ORPHAN, ino);

    return names_del(names, &key);
}
