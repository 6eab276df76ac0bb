/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of open files, by inode number and handle.
 *
 * The happy path: a step reads the record, or begins it, and writes it back
 * with the time of its use. The close of the file drops it.
 *
 * A client that vanished leaves its counter. When the first one is begun after
 * a start, and when there are NAMES_COUNTERS_MAX, all are walked and those not
 * used for NAMES_COUNTER_IDLE_NS are dropped. A file that has been open for
 * longer than that and whose counter is not there gets -ESTALE, for the counter
 * must not silently begin anew.
 *
 * ncounters only rises between two walks, as a transaction with a begin or a
 * drop may yet be rolled back: there are never more than it says.
 */
#include "meta/names_private.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SWEEP_AT_ONCE 64
#define KEY_LEN (1 + 8 + 8)

/* The value on the device: little-endian. */
struct record {
    uint64_t generation;
    uint64_t value;
    uint64_t used_ns;
};

struct sweep {
    uint64_t before_ns; /* drop what was last used before */
    struct names_key from;
    struct names_key drop[SWEEP_AT_ONCE];
    unsigned ndrop;
    unsigned nkept;
};

static bool look(void *ctx, const void *key, size_t key_len, const void *value,
                 size_t value_len)
{
    struct sweep *sweep = ctx;
    struct record record;

    memcpy(sweep->from.bytes, key, key_len);
    sweep->from.bytes[key_len] = 0; /* behind this one */
    sweep->from.len = key_len + 1;
    if (key_len == KEY_LEN && value_len == sizeof(record)) {
        memcpy(&record, value, sizeof(record));
        if (le64toh(record.used_ns) >= sweep->before_ns) {
            sweep->nkept++;
            return true;
        }
    }
    memcpy(sweep->drop[sweep->ndrop].bytes, key, key_len);
    sweep->drop[sweep->ndrop++].len = key_len;
    return sweep->ndrop < SWEEP_AT_ONCE;
}

static int sweep(struct names *names, uint64_t now_ns)
{
    struct names_key prefix = names_key_kind(NAMES_SHARED);
    struct sweep state = {.from = prefix};
    int rc;

    if (now_ns > NAMES_COUNTER_IDLE_NS)
        state.before_ns = now_ns - NAMES_COUNTER_IDLE_NS;
    do {
        state.ndrop = 0;
        rc = kv_each(names->kv, state.from.bytes, state.from.len, prefix.bytes,
                     prefix.len, look, &state);
        for (unsigned i = 0; rc == 0 && i < state.ndrop; i++)
            rc = names_del(names, &state.drop[i]);
    } while (rc == 0 && state.ndrop == SWEEP_AT_ONCE);
    if (rc != 0)
        return rc;
    names->ncounters = state.nkept;
    names->is_counted = true;
    return 0;
}

/* There is none yet: may there be one? */
static int begin(struct names *names, const struct names_counter_step *step)
{
    int rc = 0;

    if (step->age_ns >= NAMES_COUNTER_IDLE_NS)
        return -ESTALE;
    if (!names->is_counted || names->ncounters >= NAMES_COUNTERS_MAX)
        rc = sweep(names, step->now_ns);
    if (rc == 0 && names->ncounters >= NAMES_COUNTERS_MAX)
        rc = -ENOSPC;
    return rc;
}

/* The value that the step meets. @return 0 or why it must not happen. */
static int find(struct names *names, const struct names_counter_step *step,
                const struct names_key *key, int64_t *value_out,
                bool *is_new_out)
{
    struct record record;
    size_t len;
    int rc = names_get(names, key, &record, sizeof(record), &len);

    *is_new_out = rc == -ENOENT;
    *value_out = step->start;
    if (rc == -ENOENT)
        return begin(names, step);
    if (rc == 0 && len != sizeof(record))
        rc = names_damaged(names, key->bytes, key->len);
    if (rc != 0)
        return rc;
    if (le64toh(record.generation) > step->generation)
        return -ESTALE;
    if (le64toh(record.generation) == step->generation)
        *value_out = (int64_t)le64toh(record.value);
    return 0;
}

int names_counter_step(struct names *names,
                       const struct names_counter_step *step,
                       int64_t *before_out)
{
    struct names_key key =
        names_key_numbers(NAMES_SHARED, step->ino, step->handle);
    struct record record = {.generation = htole64(step->generation),
                            .used_ns = htole64(step->now_ns)};
    int64_t before, after = step->value;
    bool is_new;
    int rc = find(names, step, &key, &before, &is_new);

    if (rc != 0)
        return rc;
    if (!step->is_set && __builtin_add_overflow(before, step->value, &after))
        return -EFBIG;
    if (after < 0)
        return -EINVAL;
    record.value = htole64((uint64_t)after);
    rc = names_put(names, &key, &record, sizeof(record));
    if (rc != 0)
        return rc;
    names->ncounters += is_new;
    *before_out = before;
    return 0;
}

int names_counter_drop(struct names *names, uint64_t ino, uint64_t handle)
{
    struct names_key key = names_key_numbers(NAMES_SHARED, ino, handle);

    return names_del(names, &key);
}
