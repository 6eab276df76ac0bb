/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: two hash tables, each in order of insertion, so that the
 * oldest goes when there are CLI_DIRS_MAX; hints in a direct-mapped table.
 */
#include "client/dirs.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "client/cli.h"

#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define HINTS 1024u

/* Key: parent, then the name. */
struct entry {
    UT_hash_handle hh;
    struct cli_dir dir;
    uint64_t until_ns;
    size_t key_len;
    char bytes[]; /* the key, then the link's text */
};

struct attrs {
    UT_hash_handle hh;
    uint64_t ino; /* the key */
    uint64_t until_ns;
    struct inode inode;
};

struct hint {
    uint64_t hash;
    uint64_t ino;
};

struct cli_dirs {
    struct entry *entries;
    struct attrs *attrs;
    struct hint hints[HINTS];
};

struct key {
    size_t len;
    char bytes[8 + NAME_LEN_MAX];
};

int cli_dirs_create(struct cli_dirs **dirs_out)
{
    struct cli_dirs *dirs = mem_calloc(1, sizeof(*dirs));

    if (dirs == NULL)
        return -ENOMEM;
    *dirs_out = dirs;
    return 0;
}

static void entry_forget(struct cli_dirs *dirs, struct entry *entry)
{
    HASH_DEL(dirs->entries, entry);
    free(entry);
}

static void attrs_forget(struct cli_dirs *dirs, struct attrs *attrs)
{
    HASH_DEL(dirs->attrs, attrs);
    free(attrs);
}

void cli_dirs_drop(struct cli_dirs *dirs)
{
    while (dirs->entries != NULL)
        entry_forget(dirs, dirs->entries);
    while (dirs->attrs != NULL)
        attrs_forget(dirs, dirs->attrs);
}

void cli_dirs_destroy(struct cli_dirs **dirs_p)
{
    if (*dirs_p == NULL)
        return;
    cli_dirs_drop(*dirs_p);
    free(*dirs_p);
    *dirs_p = NULL;
}

unsigned cli_dirs_count(const struct cli_dirs *dirs)
{
    return HASH_COUNT(dirs->entries);
}

static struct key key_of(uint64_t parent, const char *text, size_t len)
{
    struct key key = {.len = 8 + len};

    memcpy(key.bytes, &parent, 8);
    memcpy(key.bytes + 8, text, len);
    return key;
}

static struct entry *entry_find(struct cli_dirs *dirs, const struct key *key)
{
    struct entry *entry;

    HASH_FIND(hh, dirs->entries, key->bytes, key->len, entry);
    return entry;
}

void cli_dirs_forget(struct cli_dirs *dirs, uint64_t parent, const char *text,
                     size_t len)
{
    struct key key = key_of(parent, text, len);
    struct entry *entry = entry_find(dirs, &key);

    if (entry != NULL)
        entry_forget(dirs, entry);
}

void cli_dirs_put(struct cli_dirs *dirs, uint64_t parent, const char *text,
                  size_t len, const struct cli_dir *dir, uint64_t now)
{
    struct key key = key_of(parent, text, len);
    struct entry *entry;

    cli_dirs_forget(dirs, parent, text, len);
    if (HASH_COUNT(dirs->entries) >= CLI_DIRS_MAX)
        entry_forget(dirs, dirs->entries);
    entry = mem_calloc(1, sizeof(*entry) + key.len + dir->link_len);
    if (entry == NULL)
        return;
    memcpy(entry->bytes, key.bytes, key.len);
    entry->dir = *dir;
    entry->dir.link = entry->bytes + key.len;
    if (dir->link_len > 0)
        memcpy(entry->bytes + key.len, dir->link, dir->link_len);
    entry->until_ns = now + CLI_DIRS_TTL_NS;
    HASH_ADD_KEYPTR(hh, dirs->entries, entry->bytes, key.len, entry);
    if (entry->hh.tbl == NULL)
        free(entry);
}

bool cli_dirs_find(struct cli_dirs *dirs, uint64_t parent, const char *text,
                   size_t len, uint64_t now, struct cli_dir *dir_out)
{
    struct key key = key_of(parent, text, len);
    struct entry *entry = entry_find(dirs, &key);

    if (entry == NULL)
        return false;
    if (now >= entry->until_ns) {
        entry_forget(dirs, entry);
        return false;
    }
    *dir_out = entry->dir;
    return true;
}

static struct attrs *attrs_find(struct cli_dirs *dirs, uint64_t ino)
{
    struct attrs *attrs;

    HASH_FIND(hh, dirs->attrs, &ino, sizeof(ino), attrs);
    return attrs;
}

void cli_attrs_forget(struct cli_dirs *dirs, uint64_t ino)
{
    struct attrs *attrs = attrs_find(dirs, ino);

    if (attrs != NULL)
        attrs_forget(dirs, attrs);
}

void cli_attrs_put(struct cli_dirs *dirs, const struct inode *inode,
                   uint64_t now)
{
    struct attrs *attrs;

    cli_attrs_forget(dirs, inode->ino);
    if (HASH_COUNT(dirs->attrs) >= CLI_DIRS_MAX)
        attrs_forget(dirs, dirs->attrs);
    attrs = mem_calloc(1, sizeof(*attrs));
    if (attrs == NULL)
        return;
    attrs->ino = inode->ino;
    attrs->inode = *inode;
    attrs->until_ns = now + CLI_DIRS_TTL_NS;
    HASH_ADD(hh, dirs->attrs, ino, sizeof(attrs->ino), attrs);
    if (attrs->hh.tbl == NULL)
        free(attrs);
}

bool cli_attrs_find(struct cli_dirs *dirs, uint64_t ino, uint64_t now,
                    struct inode *inode_out)
{
    struct attrs *attrs = attrs_find(dirs, ino);

    if (attrs == NULL)
        return false;
    if (now >= attrs->until_ns) {
        attrs_forget(dirs, attrs);
        return false;
    }
    *inode_out = attrs->inode;
    return true;
}

void cli_hint_put(struct cli_dirs *dirs, uint64_t parent, const char *text,
                  size_t len, uint64_t ino)
{
    uint64_t hash = hash_name(parent, text, len);

    dirs->hints[hash % HINTS] = (struct hint){hash, ino};
}

uint64_t cli_hint_find(const struct cli_dirs *dirs, uint64_t parent,
                       const char *text, size_t len)
{
    uint64_t hash = hash_name(parent, text, len);
    const struct hint *hint = &dirs->hints[hash % HINTS];

    return hint->hash == hash ? hint->ino : 0;
}
