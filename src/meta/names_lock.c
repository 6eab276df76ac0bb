/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that are locked for a change of several targets.
 *
 * The happy path: a lock is a record of its own beside the entry, there or not.
 * Whoever would change the name looks for it first. Almost never is there any:
 * may_lock remembers that, so that the look costs nothing.
 *
 * Two changes that want each other's names must not both wait: the older one
 * (the lower id) waits, the younger one gives up.
 *
 * Possible failure modes are: a lock whose change is forgotten, which only a
 * lost device can leave behind (capstan fsck finds it).
 */
#include "meta/names_private.h"

#include "base/err.h"

#define LOOK_EVERY 256

static bool note_any(void *ctx, const void *key, size_t key_len,
                     const void *value, size_t value_len)
{
    *(bool *)ctx = true;
    return false;
}

/* Are there any still? */
static int look_again(struct names *names)
{
    struct names_key prefix = names_key_kind(NAMES_LOCK);
    bool has_any = false;
    int rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                     prefix.len, note_any, &has_any);

    names->nchecks = 0;
    if (rc == 0)
        names->may_lock = has_any;
    return rc;
}

int names_lock_get(struct names *names, const struct name *name,
                   uint64_t *id_out)
{
    struct names_key key = names_key_name(NAMES_LOCK, name);
    unsigned char value[8];
    size_t len;
    int rc;

    *id_out = 0;
    if (!names->may_lock)
        return 0;
    if (++names->nchecks >= LOOK_EVERY) {
        rc = look_again(names);
        if (rc != 0)
            return rc;
    }
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == -ENOENT)
        return 0;
    if (rc == 0 && names_u64_decode(value, len, id_out) != 0)
        rc = names_damaged(names, key.bytes, key.len);
    return rc;
}

int names_lock_check(struct names *names, const struct name *name)
{
    uint64_t id;
    int rc = names_lock_get(names, name, &id);

    return rc == 0 && id != 0 ? -ERR_BUSY : rc;
}

int names_lock(struct names *names, const struct name *name, uint64_t id)
{
    struct names_key key = names_key_name(NAMES_LOCK, name);
    unsigned char value[8];
    uint64_t other;
    int rc = names_lock_get(names, name, &other);

    if (rc != 0 || other == id)
        return rc;
    if (other != 0)
        return other < id ? -ERR_FROZEN : -ERR_BUSY;
    names->may_lock = true;
    return names_put(names, &key, value, names_u64_encode(id, value));
}

int names_unlock(struct names *names, const struct name *name, uint64_t id)
{
    struct names_key key = names_key_name(NAMES_LOCK, name);
    uint64_t other;
    int rc = names_lock_get(names, name, &other);

    return rc != 0 || other != id ? rc : names_del(names, &key);
}

struct locks {
    struct names *names;
    names_lock_fn *each;
    void *ctx;
    int rc;
};

static bool visit_lock(void *ctx, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    struct locks *locks = ctx;
    struct name name;
    uint64_t id;

    if (names_key_name_parse(key, key_len, &name) != 0 ||
        names_u64_decode(value, value_len, &id) != 0) {
        locks->rc = names_damaged(locks->names, key, key_len);
        return true;
    }
    return locks->each(locks->ctx, &name, id);
}

int names_locks(struct names *names, names_lock_fn *each, void *ctx)
{
    struct names_key prefix = names_key_kind(NAMES_LOCK);
    struct locks locks = {.names = names, .each = each, .ctx = ctx};
    int rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                     prefix.len, visit_lock, &locks);

    return rc == 0 ? locks.rc : rc;
}
