/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intents: what a coordinator keeps of a change from its beginning until every
 * part is settled.
 *
 * The happy path: begin() issues an id, locks the name and keeps the intent;
 * put() keeps it anew as committed; end() forgets it and unlocks the name.
 * After a restart all that are left are listed.
 *
 * Possible failure modes are: an intent that does not decode (the others are
 * listed all the same).
 */
#include "meta/names_private.h"

#include "meta/names_bytes.h"

#define INTENT_VERSION 1
#define INTENT_MAX (3 + 2 * (8 + 2 + NAME_LEN_MAX) + 4 * 8 + 2)

static void put_name(struct writer *writer, const struct name *name)
{
    put(writer, name->parent, 8);
    put_text(writer, name->len > 0 ? name->text : "", name->len);
}

static size_t encode(const struct names_intent *intent,
                     unsigned char value[INTENT_MAX])
{
    struct writer writer = {.at = value};

    put(&writer, INTENT_VERSION, 1);
    put(&writer, intent->kind, 1);
    put(&writer, intent->flags, 1);
    put_name(&writer, &intent->name);
    put_name(&writer, &intent->from);
    put(&writer, intent->ino, 8);
    put(&writer, intent->type, 1);
    put(&writer, intent->victim, 8);
    put(&writer, intent->victim_type, 1);
    put(&writer, intent->now_ns, 8);
    put(&writer, intent->holder, 8);
    return (size_t)(writer.at - value);
}

static void take_name(struct reader *reader, struct name *name, char *text)
{
    name->parent = take(reader, 8);
    name->len = take_text(reader, text, NAME_LEN_MAX);
    name->text = text;
}

static int decode(const void *value, size_t len, char texts[2][NAME_LEN_MAX],
                  struct names_intent *intent_out)
{
    struct reader reader = reader_of(value, len);
    uint64_t version = take(&reader, 1);

    intent_out->kind = (enum names_change)take(&reader, 1);
    intent_out->flags = (unsigned)take(&reader, 1);
    take_name(&reader, &intent_out->name, texts[0]);
    take_name(&reader, &intent_out->from, texts[1]);
    intent_out->ino = take(&reader, 8);
    intent_out->type = (enum inode_type)take(&reader, 1);
    intent_out->victim = take(&reader, 8);
    intent_out->victim_type = (enum inode_type)take(&reader, 1);
    intent_out->now_ns = take(&reader, 8);
    intent_out->holder = take(&reader, 8);
    if (finish(&reader) != 0 || version != INTENT_VERSION ||
        intent_out->kind < NAMES_RMDIR || intent_out->kind > NAMES_UNLINK)
        return -EIO;
    return 0;
}

int names_intent_put(struct names *names, const struct names_intent *intent)
{
    struct names_key key = names_key_number(NAMES_CHANGE, intent->id);
    unsigned char value[INTENT_MAX];

    return names_put(names, &key, value, encode(intent, value));
}

int names_intent_begin(struct names *names, struct names_intent *intent)
{
    int rc = names_lock_check(names, &intent->name);

    if (rc == 0)
        rc = names_issue(names, &intent->id);
    if (rc == 0 && intent->kind != NAMES_UNLINK) /* that name is free */
        rc = names_lock(names, &intent->name, intent->id);
    return rc == 0 ? names_intent_put(names, intent) : rc;
}

int names_intent_end(struct names *names, const struct names_intent *intent)
{
    struct names_key key = names_key_number(NAMES_CHANGE, intent->id);
    int rc = names_unlock(names, &intent->name, intent->id);

    return rc == 0 ? names_del(names, &key) : rc;
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
    char texts[2][NAME_LEN_MAX];
    struct names_intent intent;

    if (key_len != 9 || decode(value, value_len, texts, &intent) != 0) {
        intents->rc = names_damaged(intents->names, key, key_len);
        return true; /* it must not hold up the others */
    }
    intent.id = names_key_number_at(key, 1);
    return intents->each(intents->ctx, &intent);
}

int names_intents(struct names *names, names_intent_fn *each, void *ctx)
{
    struct names_key prefix = names_key_kind(NAMES_CHANGE);
    struct intents intents = {.names = names, .each = each, .ctx = ctx};
    int rc = kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                     prefix.len, visit_intent, &intents);

    return rc == 0 ? intents.rc : rc;
}

static bool note_first(void *ctx, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    if (key_len == 9)
        *(uint64_t *)ctx = names_key_number_at(key, 1);
    return false;
}

int names_intent_floor(struct names *names, uint64_t *id_out)
{
    struct names_key prefix = names_key_kind(NAMES_CHANGE);

    *id_out = ino_make(names->target, names->next);
    return kv_each(names->kv, prefix.bytes, prefix.len, prefix.bytes,
                   prefix.len, note_first, id_out);
}
