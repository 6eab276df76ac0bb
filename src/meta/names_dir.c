/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fan-out target knows of a directory: counts and time of the last
 * change of the entries that it holds, and whether the directory is being
 * removed.
 *
 * The happy path: every entry that comes or goes changes the state in the same
 * transaction. freeze() finds no entry and leaves a mark that insert()
 * respects; the removal commits elsewhere, and the mark stays as the tombstone:
 * nothing can be inserted below a directory that is gone. Or thaw() lifts it.
 *
 * Possible failure modes are: an entry is there (freeze() says -ENOTEMPTY and
 * leaves no mark); a state that does not decode.
 */
#include "meta/names_private.h"

#include "base/err.h"

int names_dir_get(struct names *names, uint64_t dir_ino,
                  struct names_dir_state *state_out)
{
    struct names_key key = names_key_number(NAMES_FROZEN, dir_ino);
    unsigned char value[NAMES_DIR_LEN];
    struct names_dir_state state;
    size_t len;
    int rc;

    rc = names_get(names, &key, value, sizeof(value), &len);
    if (rc == -ENOENT) {
        *state_out = (struct names_dir_state){.frozen = NAMES_ALIVE};
        return 0;
    }
    if (rc != 0)
        return rc;
    if (names_dir_decode(value, len, &state) != 0)
        return names_damaged(names, key.bytes, key.len);
    *state_out = state;
    return 0;
}

int names_dir_put(struct names *names, uint64_t dir_ino,
                  const struct names_dir_state *state)
{
    struct names_key key = names_key_number(NAMES_FROZEN, dir_ino);
    unsigned char value[NAMES_DIR_LEN];

    return names_put(names, &key, value, names_dir_encode(state, value));
}

int names_dir_check(struct names *names, uint64_t dir_ino)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0)
        return rc;
    if (state.frozen == NAMES_GONE)
        return -ENOENT;
    return state.frozen == NAMES_BEING_REMOVED ? -ERR_FROZEN : 0;
}

/* Never below 0: what a damaged count would have come to. */
static uint64_t add(uint64_t count, int more)
{
    return more < 0 && count == 0 ? 0 : count + (uint64_t)(int64_t)more;
}

int names_dir_touch(struct names *names, uint64_t dir_ino,
                    enum inode_type type, int more, uint64_t now_ns)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0)
        return rc;
    state.entries = add(state.entries, more);
    if (type == INODE_DIR)
        state.subdirs = add(state.subdirs, more);
    if (now_ns > state.changed_ns)
        state.changed_ns = now_ns;
    return names_dir_put(names, dir_ino, &state);
}

int names_dir_reset(struct names *names, uint64_t dir_ino)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0 || state.changed_ns == 0)
        return rc;
    state.changed_ns = 0;
    return names_dir_put(names, dir_ino, &state);
}

static int put_frozen(struct names *names, uint64_t dir_ino,
                      enum names_frozen frozen)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0)
        return rc;
    state.frozen = frozen;
    return names_dir_put(names, dir_ino, &state);
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
    struct names_dir_state state;
    bool has_entry = false;
    int rc;

    rc = names_dir_get(names, dir_ino, &state);
    if (rc != 0 || state.frozen != NAMES_ALIVE)
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
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0 || state.frozen != NAMES_BEING_REMOVED)
        return rc; /* a tombstone stays */
    return put_frozen(names, dir_ino, NAMES_ALIVE);
}

int names_bury(struct names *names, uint64_t dir_ino)
{
    struct names_dir_state state;
    int rc = names_dir_get(names, dir_ino, &state);

    if (rc != 0 || state.frozen == NAMES_GONE)
        return rc;
    return put_frozen(names, dir_ino, NAMES_GONE);
}
