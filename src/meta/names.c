/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries: look up, insert, unlink, list.
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

/*
 * Entries.
 */

int names_entry_put(struct names *names, const struct name *name, uint64_t ino,
                    enum inode_type type)
{
    struct names_key key = names_key_entry(name);
    unsigned char value[NAMES_ENTRY_LEN];

    return names_put(names, &key, value, names_entry_encode(ino, type, value));
}

int names_entry_del(struct names *names, const struct name *name)
{
    struct names_key key = names_key_entry(name);

    return names_del(names, &key);
}

/* The inode behind an entry, as far as it is kept here. */
static int follow(struct names *names, uint64_t ino, enum inode_type type,
                  struct inode *inode_out)
{
    int rc;

    if (!names_is_home(names, ino)) {
        *inode_out = (struct inode){.ino = ino, .type = type};
        return 0;
    }
    rc = names_inode_get(names, ino, inode_out);
    if (rc != -ESTALE)
        return rc;
    log_error("names of target %u: an entry stands for inode %016llx, which "
              "is not there",
              names->target, (unsigned long long)ino);
    return -EIO;
}

int names_lookup(struct names *names, const struct name *name,
                 struct inode *inode_out)
{
    unsigned char value[NAMES_ENTRY_LEN];
    enum inode_type type;
    struct names_key key;
    uint64_t ino;
    size_t len;
    int rc;

    rc = names_check(name);
    if (rc != 0)
        return rc;
    key = names_key_entry(name);
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc != 0)
        return rc;
    if (names_entry_decode(value, len, &ino, &type) != 0)
        return names_damaged(names, key.bytes, key.len);
    return follow(names, ino, type, inode_out);
}

/* The inode is good and may have a name in its directory. */
static int insert_new(struct names *names, const struct name *name,
                      struct inode *inode)
{
    int rc = names_issue(names, &inode->ino);

    inode->nlink = inode->type == INODE_DIR ? 2 : 1;
    inode->parent = inode->type == INODE_DIR ? name->parent : 0;
    if (rc == 0)
        rc = names_inode_write(names, inode);
    if (rc == 0)
        rc = names_entry_put(names, name, inode->ino, inode->type);
    if (rc == 0)
        rc = names_dir_touch(names, name->parent, inode->type, 1,
                             inode->ctime_ns);
    return rc;
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
    rc = names_lock_check(names, name);
    if (rc == 0)
        rc = names_dir_check(names, name->parent);
    if (rc == 0)
        rc = names_record_check(inode_inout);
    if (rc != 0)
        return rc;
    inode = *inode_inout;
    rc = insert_new(names, name, &inode);
    if (rc == 0)
        *inode_inout = inode;
    return rc;
}

int names_unlink(struct names *names, const struct name *name,
                 const struct names_gone *gone, struct inode *inode_out)
{
    struct inode inode;
    int rc;

    rc = names_lookup(names, name, &inode);
    if (rc != 0)
        return rc;
    if (inode.type == INODE_DIR)
        return -EISDIR;
    rc = names_lock_check(names, name);
    if (rc == 0)
        rc = names_entry_del(names, name);
    if (rc == 0)
        rc = names_dir_touch(names, name->parent, inode.type, -1,
                             gone->now_ns);
    if (rc == 0 && names_is_home(names, inode.ino))
        rc = names_inode_unlink(names, inode.ino, gone, &inode);
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
    enum inode_type type;
    struct inode inode;
    struct name name;
    uint64_t ino;

    if (names_key_entry_parse(key, key_len, &name, NULL) != 0 ||
        names_entry_decode(value, value_len, &ino, &type) != 0) {
        page->rc = names_damaged(page->names, key, key_len);
        return false;
    }
    page->rc = follow(page->names, ino, type, &inode);
    if (page->rc != 0)
        return false;
    page->is_end = page->each(page->ctx, name.text, name.len, &inode);
    return page->is_end;
}

int names_readdir(struct names *names, uint64_t dir_ino, uint64_t after,
                  names_entry_fn *each, void *ctx, bool *is_end_out)
{
    struct names_key prefix = names_key_number(NAMES_ENTRY, dir_ino);
    struct names_key from =
        names_key_numbers(NAMES_ENTRY, dir_ino, after + 1);
    struct page page = {
        .names = names, .each = each, .ctx = ctx, .is_end = true};
    int rc;

    rc = kv_each(names->kv, from.bytes, from.len, prefix.bytes, prefix.len,
                 visit_entry, &page);
    if (rc == 0)
        rc = page.rc;
    if (rc == 0)
        *is_end_out = page.is_end;
    return rc;
}
