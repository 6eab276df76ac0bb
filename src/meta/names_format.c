/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening the name store: its format, its owner and the inode counter.
 *
 * The happy path: a store of format 1 is converted (names_convert.c); a new store is given a format record and a counter of 1. An
 * old one is of our version and target; its counter is moved on by
 * COUNTER_JUMP, past every number that may have been issued and then lost with
 * the power. Either is synced before the first number is issued.
 *
 * Possible failure modes are:
 *
 * - The version or the target is another, or there are keys but no format:
 *   -EINVAL, and nothing was written.
 *
 * - The counter is damaged: -EIO. Guessing one could issue a number twice.
 */
#include "meta/names_private.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define COUNTER_JUMP ((uint64_t)1 << 24)
#define COUNTER_MAX (((uint64_t)1 << 48) - 1)

static bool note_any(void *ctx, const void *key, size_t key_len,
                     const void *value, size_t value_len)
{
    *(bool *)ctx = true;
    return false;
}

static int put_counter(struct names *names, uint64_t next)
{
    struct names_key key = names_key_kind(NAMES_COUNTER);
    unsigned char value[8];

    names->next = next;
    return names_put(names, &key, value, names_u64_encode(next, value));
}

static int put_format(struct names *names)
{
    struct names_key key = names_key_kind(NAMES_FORMAT);
    unsigned char value[6];

    return names_put(names, &key, value,
                     names_format_encode(names->target, value));
}

static int make_new(struct names *names)
{
    bool has_any = false;
    int rc;

    rc = kv_each(names->kv, "", 0, "", 0, note_any, &has_any);
    if (rc != 0)
        return rc;
    if (has_any) {
        log_error("names of target %u: the store has keys but no format "
                  "version; it is not ours",
                  names->target);
        return -EINVAL;
    }
    rc = put_format(names);
    return rc == 0 ? put_counter(names, 1) : rc;
}

static int check_format(struct names *names, const void *value, size_t len,
                        bool *is_old_out)
{
    struct names_key key = names_key_kind(NAMES_FORMAT);
    uint32_t version;
    uint16_t target;

    if (names_format_decode(value, len, &version, &target) != 0)
        return names_damaged(names, key.bytes, key.len);
    *is_old_out = version == NAMES_FORMAT_OLD;
    if (version != NAMES_FORMAT_VERSION && !*is_old_out) {
        log_error("names of target %u: the store has format version %u, this "
                  "program knows version %u",
                  names->target, version, NAMES_FORMAT_VERSION);
        return -EINVAL;
    }
    if (target != names->target) {
        log_error("names of target %u: the store belongs to target %u",
                  names->target, target);
        return -EINVAL;
    }
    return 0;
}

static int move_counter(struct names *names)
{
    struct names_key key = names_key_kind(NAMES_COUNTER);
    unsigned char value[8];
    uint64_t next;
    size_t len;
    int rc;

    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == -ENOENT || (rc == 0 && names_u64_decode(value, len, &next) != 0))
        return names_damaged(names, key.bytes, key.len);
    if (rc != 0)
        return rc;
    if (next == 0 || next > COUNTER_MAX + 1)
        return names_damaged(names, key.bytes, key.len);
    next = next > COUNTER_MAX - COUNTER_JUMP ? COUNTER_MAX + 1
                                             : next + COUNTER_JUMP;
    return put_counter(names, next);
}

static int prepare(struct names *names, bool *is_old_out)
{
    struct names_key key = names_key_kind(NAMES_FORMAT);
    unsigned char value[64];
    size_t len;
    int rc;

    *is_old_out = false;
    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == -ENOENT)
        return make_new(names);
    if (rc == 0)
        rc = check_format(names, value, len, is_old_out);
    return rc == 0 ? move_counter(names) : rc;
}

/* One transaction, durable. */
static int commit(struct names *names, int rc)
{
    if (rc == 0)
        return kv_commit(names->kv, true);
    kv_rollback(names->kv);
    return rc;
}

static int open_store(struct names *names)
{
    bool is_old;
    int rc = kv_begin(names->kv);

    if (rc == 0)
        rc = commit(names, prepare(names, &is_old));
    if (rc != 0 || !is_old)
        return rc;
    rc = names_convert(names);
    if (rc == 0)
        rc = kv_begin(names->kv);
    return rc == 0 ? commit(names, put_format(names)) : rc;
}

int names_create(struct kv *kv, uint16_t target, struct names **names_out)
{
    struct names *names = mem_calloc(1, sizeof(*names));
    int rc;

    if (names == NULL)
        return -ENOMEM;
    names->kv = kv;
    names->target = target;
    names_undone(names);
    rc = open_store(names);
    if (rc != 0) {
        free(names);
        return rc;
    }
    *names_out = names;
    return 0;
}

void names_destroy(struct names **names_p)
{
    free(*names_p);
    *names_p = NULL;
}

/* What is remembered must not claim less than the store holds. */
void names_undone(struct names *names)
{
    names->may_lock = true;
    names->nchecks = 0;
    memset(names->trimmed, 0, sizeof(names->trimmed));
}

int names_root(struct names *names, const struct inode *attributes)
{
    struct inode root = *attributes;
    int rc = kv_begin(names->kv);

    if (rc != 0)
        return rc;
    names->has_root = true;
    rc = names_inode_get(names, INO_ROOT, &root);
    if (rc == -ESTALE) {
        root.ino = root.parent = INO_ROOT;
        root.type = INODE_DIR;
        root.nlink = 2;
        rc = names_inode_write(names, &root);
    }
    return commit(names, rc);
}

int names_issue(struct names *names, uint64_t *ino_out)
{
    uint64_t n = names->next;
    int rc;

    if (n > COUNTER_MAX) {
        log_error("names of target %u: every inode number was issued",
                  names->target);
        return -ENOSPC;
    }
    rc = put_counter(names, n + 1);
    if (rc == 0)
        *ino_out = ino_make(names->target, n);
    return rc;
}
