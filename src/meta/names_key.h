/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of the name store: see doc/on-disk-format.md.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  names_key_name_parse() refuses what is no key of a name.
 */
#ifndef CAPSTAN_META_NAMES_KEY_H
#define CAPSTAN_META_NAMES_KEY_H

#include "meta/names.h"

#define NAMES_KEY_MAX (1 + 8 + 8 + NAME_LEN_MAX + 1) /* 1: to start behind one */
#define NAMES_KEY_TEXT_MAX (4 * NAMES_KEY_MAX)

enum names_kind {
    NAMES_FORMAT = 'v',
    NAMES_COUNTER = 'n',
    NAMES_ENTRY = 'e',
    NAMES_INODE = 'a',
    NAMES_SYMLINK = 's',
    NAMES_XATTR = 'x',
    NAMES_INTENT = 'i', /* of format 1 */
    NAMES_FROZEN = 'f',
    NAMES_ORPHAN = 'o',
    NAMES_HELD = 'h',
    NAMES_CHANGE = 'm',
    NAMES_LOCK = 'p',
    NAMES_SETTLED = 'k',
    NAMES_REPLY = 'r',
    NAMES_SHARED = 'c',
};

struct names_key {
    size_t len;
    unsigned char bytes[NAMES_KEY_MAX];
};

/** The kind alone: a record of its own, or the prefix of all of that kind. */
struct names_key names_key_kind(enum names_kind kind);

/** The kind and one number, or two. */
struct names_key names_key_number(enum names_kind kind, uint64_t number);
struct names_key names_key_numbers(enum names_kind kind, uint64_t first,
                                   uint64_t second);

/** The kind and a name that names_check() let pass, or its first bytes. */
struct names_key names_key_name(enum names_kind kind, const struct name *name);

/** The key of an entry: directory, place (hash_place()), name. */
struct names_key names_key_entry(const struct name *name);

/**
 * Take the key of an entry apart.
 *
 * @param name_out   its text points into the key.
 * @param place_out  may be NULL.
 * @return 0 or -EIO: it is not one.
 */
int names_key_entry_parse(const void *key, size_t len, struct name *name_out,
                          uint64_t *place_out);

/** The number at byte `at` of a key that is long enough. */
uint64_t names_key_number_at(const void *key, size_t at);

/**
 * Take the key of an intent apart; those of format 1's entries are alike.
 *
 * @param name_out  its text points into the key.
 * @return 0 or -EIO: it is not one.
 */
int names_key_name_parse(const void *key, size_t len, struct name *name_out);

/**
 * Visit all records of a kind, for fsck; the visitor returns false when it has
 * no more room.
 *
 * @param after  the key to begin behind; length 0: at the start.
 */
int names_walk(struct names *names, enum names_kind kind, const void *after,
               size_t after_len, kv_each_fn *each, void *ctx,
               bool *is_end_out);

/** Print a key in ASCII, for log lines. */
void names_key_text(const void *key, size_t len,
                    char text_out[NAMES_KEY_TEXT_MAX]);

#endif
