/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From format 1 to format 2.
 *
 * Format 1 kept entry and inode in one record, under (directory, name). The
 * happy path: some entries at a time, each in one transaction, an inode and an
 * entry of format 2 take its place; removals that were under way become
 * intents; last the format's version is written.
 *
 * Possible failure modes are: a crash (what was converted is known by its
 * version, the rest is converted at the next start); a damaged record (the
 * conversion ends in -EIO and nothing is served: better than losing a name).
 */
#include "meta/names_private.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define AT_ONCE 256

struct old_entry {
    struct names_key key;
    struct inode inode;
};

struct some {
    struct names *names;
    enum names_kind kind;
    struct names_key from;
    unsigned n;
    int rc;
    struct old_entry entries[AT_ONCE];
};

static bool collect(void *ctx, const void *key, size_t key_len,
                    const void *value, size_t value_len)
{
    struct some *some = ctx;
    struct old_entry *entry = &some->entries[some->n];

    memcpy(some->from.bytes, key, key_len);
    some->from.bytes[key_len] = 0; /* behind this one */
    some->from.len = key_len + 1;
    if (some->kind == NAMES_INTENT)
        some->rc = names_u64_decode(value, value_len, &entry->inode.ino);
    else if (value_len > 0 && *(const unsigned char *)value == 2)
        return true;
    else
        some->rc = names_record_decode(value, value_len, &entry->inode);
    if (some->rc != 0) {
        names_damaged(some->names, key, key_len);
        return false;
    }
    memcpy(entry->key.bytes, key, key_len);
    entry->key.len = key_len;
    return ++some->n < AT_ONCE;
}

static int convert_entry(struct names *names, struct old_entry *entry)
{
    struct name name;
    int rc = names_key_name_parse(entry->key.bytes, entry->key.len, &name);

    if (rc == 0 && entry->inode.type == INODE_DIR)
        entry->inode.parent = name.parent;
    if (rc == 0)
        rc = names_inode_write(names, &entry->inode);
    if (rc == 0)
        rc = names_entry_put(names, &name, entry->inode.ino,
                             entry->inode.type);
    if (rc == 0)
        rc = names_dir_touch(names, name.parent, entry->inode.type, 1,
                             entry->inode.ctime_ns);
    return rc == 0 ? names_del(names, &entry->key) : rc;
}

/* A removal that was under way is undone as any other. */
static int convert_intent(struct names *names, struct old_entry *entry)
{
    struct names_intent intent = {.kind = NAMES_RMDIR,
                                  .victim = entry->inode.ino,
                                  .victim_type = INODE_DIR};
    int rc =
        names_key_name_parse(entry->key.bytes, entry->key.len, &intent.name);

    if (rc == 0)
        rc = names_intent_begin(names, &intent);
    return rc == 0 ? names_del(names, &entry->key) : rc;
}

static int convert_some(struct some *some)
{
    struct names_key prefix = names_key_kind(some->kind);
    int rc = kv_begin(some->names->kv);

    if (rc != 0)
        return rc;
    some->n = 0;
    rc = kv_each(some->names->kv, some->from.bytes, some->from.len,
                 prefix.bytes, prefix.len, collect, some);
    if (rc == 0)
        rc = some->rc;
    for (unsigned i = 0; rc == 0 && i < some->n; i++)
        rc = some->kind == NAMES_INTENT
                 ? convert_intent(some->names, &some->entries[i])
                 : convert_entry(some->names, &some->entries[i]);
    if (rc == 0)
        return kv_commit(some->names->kv, false);
    kv_rollback(some->names->kv);
    return rc;
}

static int convert_kind(struct some *some, enum names_kind kind)
{
    int rc;

    some->kind = kind;
    some->from = names_key_kind(kind);
    do
        rc = convert_some(some);
    while (rc == 0 && some->n == AT_ONCE);
    return rc;
}

int names_convert(struct names *names)
{
    struct some *some = mem_calloc(1, sizeof(*some));
    int rc;

    if (some == NULL)
        return -ENOMEM;
    log_info("names of target %u: converting format 1 to %u", names->target,
             NAMES_FORMAT_VERSION);
    some->names = names;
    rc = convert_kind(some, NAMES_ENTRY);
    if (rc == 0)
        rc = convert_kind(some, NAMES_INTENT);
    free(some);
    return rc;
}
