/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removing a directory: intents at its owner, marks at its fan-out targets.
 *
 * The happy path: begin() finds a directory and records the intent; freeze(),
 * on each fan-out target, finds no entry and leaves a mark that insert()
 * respects; commit() deletes record and intent, and makes the mark on the
 * owner's own target, if it has one, a tombstone.
 *
 * Possible failure modes are:
 *
 * - An entry is there: freeze() says -ENOTEMPTY and leaves no mark; the
 *   conversation is undone by abort() and thaw().
 *
 * - The owner dies in between: the intent is found by names_intents() and
 *   aborted. A mark without an intent is a tombstone: nothing can be inserted
 *   below a directory whose record is gone.
 */
#include "meta/names_private.h"

#include "base/err.h"

int names_frozen_get(struct names *names, uint64_t dir_ino,
                     enum names_frozen *state_out)
{
    struct names_key key = names_key_number(NAMES_FROZEN, dir_ino);
    unsigned char value[8];
    size_t len;
    int rc;

    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == -ENOENT) {
        *state_out = NAMES_ALIVE;
        return 0;
    }
    if (rc != 0)
        return rc;
    if (len != 1 || value[0] < NAMES_BEING_REMOVED || value[0] > NAMES_GONE)
        return names_damaged(names, key.bytes, key.len);
    *state_out = (enum names_frozen)value[0];
    return 0;
}

static int put_frozen(struct names *names, uint64_t dir_ino,
                      enum names_frozen state)
{
    struct names_key key = names_key_number(NAMES_FROZEN, dir_ino);
    unsigned char value = (unsigned char)state;

    return names_put(names, &key, &value, 1);
}

static int get_intent(struct names *names, const struct name *name,
                      uint64_t *ino_out)
{
    struct names_key key;
    unsigned char value[8];
    size_t len;
    int rc;

    rc = names_check(name);
    if (rc != 0)
        return rc;
    key = names_key_name(NAMES_INTENT, name);
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == 0 && names_u64_decode(value, len, ino_out) != 0)
        rc = names_damaged(names, key.bytes, key.len);
    return rc;
}

int names_rmdir_begin(struct names *names, const struct name *name,
                      struct inode *inode_out)
{
    struct names_key key;
    unsigned char value[8];
    struct inode inode;
    uint64_t other;
    int rc;

    rc = names_lookup(names, name, &inode);
    if (rc != 0)
        return rc;
    if (inode.type != INODE_DIR)
        return -ENOTDIR;
    rc = get_intent(names, name, &other);
    if (rc != -ENOENT)
        return rc == 0 ? -ERR_BUSY : rc;
    key = names_key_name(NAMES_INTENT, name);
    rc = names_put(names, &key, value, names_u64_encode(inode.ino, value));
    if (rc == 0)
        *inode_out = inode;
    return rc;
}

int names_rmdir_commit(struct names *names, const struct name *name)
{
    struct names_key intent, entry;
    enum names_frozen state;
    uint64_t ino;
    int rc;

    rc = get_intent(names, name, &ino);
    if (rc == 0)
        rc = names_frozen_get(names, ino, &state);
    if (rc != 0)
        return rc;
    intent = names_key_name(NAMES_INTENT, name);
    entry = names_key_name(NAMES_ENTRY, name);
    rc = names_del(names, &entry);
    if (rc == 0)
        rc = names_del(names, &intent);
    if (rc == 0 && state == NAMES_BEING_REMOVED)
        rc = put_frozen(names, ino, NAMES_GONE);
    return rc;
}

int names_rmdir_abort(struct names *names, const struct name *name)
{
    struct names_key key;
    int rc = names_check(name);

    if (rc != 0)
        return rc;
    key = names_key_name(NAMES_INTENT, name);
    return names_del(names, &key);
}

struct intents {
    struct names *names;
    names_intent_fn *each;
    void *ctx;
    int rc;
};

static bool visit_intent(void *ctx, const void *key, size_t key_len,
                         const void *value, size_t value_len)
{
    struct intents *intents = ctx;
    struct name name;
    uint64_t ino;

    if (names_key_name_parse(key, key_len, &name) != 0 ||
        names_u64_decode(value, value_len, &ino) != 0) {
        intents->rc = names_damaged(intents->names, key, key_len);
        return true; /* it must not hold up the others */
    }
    return intents->each(intents->ctx, &name, ino);
}

int names_intents(struct names *names, names_intent_fn *each, void *ctx)
{
    struct names_key prefix = names_key_kind(NAMES_INTENT);
    struct intents intents = {.names = names, .each = each, .ctx = ctx};
    int rc;

    rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes, prefix.len,
                 visit_intent, &intents);
    return rc == 0 ? intents.rc : rc;
}

static bool note_entry(void *ctx, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    *(bool *)ctx = true;
    return false;
}

int names_freeze(struct names *names, uint64_t dir_ino)
{
    struct names_key prefix = names_key_number(NAMES_ENTRY, dir_ino);
    enum names_frozen state;
    bool has_entry = false;
    int rc;

    rc = names_frozen_get(names, dir_ino, &state);
    if (rc != 0 || state != NAMES_ALIVE)
        return rc;
    rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes, prefix.len,
                 note_entry, &has_entry);
    if (rc != 0)
        return rc;
    return has_entry ? -ENOTEMPTY
                     : put_frozen(names, dir_ino, NAMES_BEING_REMOVED);
}

int names_thaw(struct names *names, uint64_t dir_ino)
{
    struct names_key key = names_key_number(NAMES_FROZEN, dir_ino);
    enum names_frozen state;
    int rc;

    rc = names_frozen_get(names, dir_ino, &state);
    if (rc != 0 || state != NAMES_BEING_REMOVED)
        return rc; /* a tombstone stays */
    return names_del(names, &key);
}
