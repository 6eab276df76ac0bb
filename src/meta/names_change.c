/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes that more than one target takes part in: what each part does, in a
 * transaction of its own. The conversation is the server's (op_change.c), the
 * intents are kept in names_intent.c.
 *
 * The happy path: an intent is begun; the parts are prepared; the new name comes
 * (or goes) and the intent is put anew as committed, in one transaction; the
 * parts are settled; the intent is forgotten.
 *
 * Every part may be done again: an old name that is not locked for the change
 * has been dealt with, and steps at an inode's home leave a record of the
 * change's id, which is dropped when the coordinator's floor has passed it.
 *
 * Possible failure modes are those of the store; the checks come first.
 */
#include "meta/names_private.h"

#include "base/err.h"

#define TRIM_AT_ONCE 64

/*
 * Entries.
 */

static int move_entry(struct names *names, const struct name *name,
                      uint64_t ino, enum inode_type type,
                      enum inode_type before, uint64_t now_ns)
{
    int rc = names_entry_put(names, name, ino, type);

    if (rc == 0 && before != 0)
        rc = names_dir_touch(names, name->parent, before, -1, now_ns);
    return rc == 0 ? names_dir_touch(names, name->parent, type, 1, now_ns) : rc;
}

int names_rename_lock(struct names *names, const struct name *from,
                      uint64_t ino, uint64_t id)
{
    struct inode inode;
    int rc = names_lookup(names, from, &inode);

    if (rc == 0 && inode.ino != ino)
        rc = -ENOENT;
    return rc == 0 ? names_lock(names, from, id) : rc;
}

int names_rename_from(struct names *names, const struct name *from,
                      uint64_t id, uint64_t ino, enum inode_type type,
                      uint64_t now_ns)
{
    struct inode old;
    uint64_t other;
    int rc = names_lock_get(names, from, &other);

    if (rc != 0 || other != id)
        return rc;
    rc = names_lookup(names, from, &old);
    if (rc == 0 && ino != 0) {
        rc = move_entry(names, from, ino, type, old.type, now_ns);
    } else if (rc == 0) {
        rc = names_entry_del(names, from);
        if (rc == 0)
            rc = names_dir_touch(names, from->parent, old.type, -1, now_ns);
    }
    return rc == 0 ? names_unlock(names, from, id) : rc;
}

int names_rename_to(struct names *names, const struct names_intent *intent)
{
    int rc = names_dir_check(names, intent->name.parent);

    if (rc != 0)
        return rc;
    return move_entry(names, &intent->name, intent->ino, intent->type,
                      intent->victim != 0 ? intent->victim_type : 0,
                      intent->now_ns);
}

int names_link(struct names *names, const struct name *name, uint64_t ino,
               enum inode_type type, uint64_t now_ns)
{
    int rc = names_dir_check(names, name->parent);

    return rc != 0 ? rc : move_entry(names, name, ino, type, 0, now_ns);
}

int names_rmdir(struct names *names, const struct name *name, uint64_t now_ns)
{
    int rc = names_entry_del(names, name);

    return rc != 0 ? rc
                   : names_dir_touch(names, name->parent, INODE_DIR, -1,
                                     now_ns);
}

/*
 * Inodes.
 */

static int put_settled(struct names *names, uint64_t id, enum names_settle what)
{
    struct names_key key = names_key_number(NAMES_SETTLED, id);
    unsigned char value = (unsigned char)what;

    return names_put(names, &key, &value, 1);
}

/* What was done for a change before; 0: nothing. */
static int get_settled(struct names *names, uint64_t id,
                       enum names_settle *what_out)
{
    struct names_key key = names_key_number(NAMES_SETTLED, id);
    unsigned char value[8];
    size_t len;
    int rc = names_get(names, &key, value, sizeof(value), &len);

    *what_out = rc == 0 && len == 1 ? (enum names_settle)value[0] : 0;
    return rc == -ENOENT ? 0 : rc;
}

struct trim {
    uint64_t floor;
    uint64_t ids[TRIM_AT_ONCE];
    unsigned n;
};

static bool collect(void *ctx, const void *key, size_t key_len,
                    const void *value, size_t value_len)
{
    struct trim *trim = ctx;
    uint64_t id = key_len == 9 ? names_key_number_at(key, 1) : UINT64_MAX;

    if (id >= trim->floor)
        return false;
    trim->ids[trim->n++] = id;
    return trim->n < TRIM_AT_ONCE;
}

/* Forget what is below the floor of a coordinator, some at a time. */
static int trim_settled(struct names *names, uint64_t floor)
{
    struct names_key from =
        names_key_number(NAMES_SETTLED, ino_make(ino_target(floor), 0));
    struct names_key prefix = names_key_kind(NAMES_SETTLED);
    struct trim trim = {.floor = floor};
    int rc = kv_each(names->kv, from.bytes, from.len, prefix.bytes, prefix.len,
                     collect, &trim);

    for (unsigned i = 0; rc == 0 && i < trim.n; i++) {
        struct names_key key = names_key_number(NAMES_SETTLED, trim.ids[i]);

        rc = names_del(names, &key);
    }
    return rc;
}

static int settle_drop(struct names *names,
                       const struct names_settle_step *step)
{
    struct names_gone gone = {step->now_ns, step->is_held};
    struct inode inode;
    int rc = names_inode_get(names, step->ino, &inode);

    if (rc == 0 && inode.type == INODE_DIR)
        return names_inode_forget(names, step->ino);
    if (rc == 0)
        rc = names_inode_unlink(names, step->ino, &gone, NULL);
    return rc == -ESTALE ? 0 : rc;
}

static int settle_move(struct names *names,
                       const struct names_settle_step *step)
{
    struct inode inode;
    int rc = names_inode_get(names, step->ino, &inode);

    if (rc != 0)
        return rc == -ESTALE ? 0 : rc;
    if (inode.type == INODE_DIR)
        inode.parent = step->parent;
    if ((int64_t)step->now_ns > inode.ctime_ns)
        inode.ctime_ns = (int64_t)step->now_ns;
    return names_inode_write(names, &inode);
}

/* What takes effect once, and has not yet. */
static int settle_once(struct names *names,
                       const struct names_settle_step *step,
                       enum names_settle done)
{
    if (step->what == NAMES_ADD)
        return done == 0
                   ? names_inode_link(names, step->ino, step->now_ns)
                   : -ESTALE;
    if (step->what == NAMES_CANCEL)
        return done == NAMES_ADD ? settle_drop(names, step) : 0;
    return settle_drop(names, step);
}

int names_settle(struct names *names, const struct names_settle_step *step)
{
    enum names_settle done;
    int rc;

    if (step->what == NAMES_MOVE)
        return settle_move(names, step);
    rc = get_settled(names, step->id, &done);
    if (rc != 0 || done == step->what)
        return rc;
    rc = settle_once(names, step, done);
    if (rc == 0)
        rc = put_settled(names, step->id, step->what);
    return rc == 0 ? trim_settled(names, step->floor) : rc;
}
