/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/audit.h"

#include "meta/names_key.h"
#include "meta/names_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THINGS_MAX 4096

struct an_entry {
    uint64_t parent, ino;
    uint16_t target;
    enum inode_type type;
    char text[NAME_LEN_MAX + 1];
};

struct a_state {
    uint64_t dir;
    uint16_t target;
    struct names_dir_state state;
};

struct audit {
    struct sim_cluster *sim;
    char *text;
    bool is_whole;
    uint16_t target; /* looked at now */
    unsigned nentries, ninodes, nstates;
    struct an_entry entries[THINGS_MAX];
    struct inode inodes[THINGS_MAX];
    struct a_state states[THINGS_MAX];
};

static void wrong(struct audit *audit, const char *what, uint64_t a, uint64_t b)
{
    if (audit->is_whole)
        snprintf(audit->text, AUDIT_TEXT_MAX, "target %u: %s (%llx, %llx)",
                 audit->target, what, (unsigned long long)a,
                 (unsigned long long)b);
    audit->is_whole = false;
}

static void take_entry(struct audit *audit, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    struct an_entry *entry = &audit->entries[audit->nentries++];
    struct name name;

    if (names_key_entry_parse(key, key_len, &name, NULL) != 0 ||
        names_entry_decode(value, value_len, &entry->ino, &entry->type) != 0) {
        wrong(audit, "an entry does not decode", 0, 0);
        return;
    }
    entry->parent = name.parent;
    entry->target = audit->target;
    memcpy(entry->text, name.text, name.len);
}

static void take_inode(struct audit *audit, const void *value, size_t value_len)
{
    struct inode *inode = &audit->inodes[audit->ninodes++];

    if (names_record_decode(value, value_len, inode) != 0)
        wrong(audit, "an inode does not decode", 0, 0);
    else if (ino_home(inode->ino, audit->sim->cluster->target_ids) !=
             audit->target)
        wrong(audit, "an inode is not at its home", inode->ino, 0);
}

static void take_state(struct audit *audit, uint64_t dir, const void *value,
                       size_t value_len)
{
    struct a_state *state = &audit->states[audit->nstates++];

    state->dir = dir;
    state->target = audit->target;
    if (names_dir_decode(value, value_len, &state->state) != 0)
        wrong(audit, "a directory's state does not decode", dir, 0);
}

static bool take(void *ctx, const void *key, size_t key_len, const void *value,
                 size_t value_len)
{
    struct audit *audit = ctx;
    uint64_t number = key_len >= 9 ? names_key_number_at(key, 1) : 0;

    switch (*(const unsigned char *)key) {
    case NAMES_ENTRY:
        take_entry(audit, key, key_len, value, value_len);
        break;
    case NAMES_INODE:
        take_inode(audit, value, value_len);
        break;
    case NAMES_FROZEN:
        take_state(audit, number, value, value_len);
        break;
    case NAMES_ORPHAN:
        wrong(audit, "an orphan is left", number, 0);
        break;
    case NAMES_CHANGE:
        wrong(audit, "a change is not settled", number, 0);
        break;
    case NAMES_LOCK:
        wrong(audit, "a name is locked", number, 0);
        break;
    default:
        break;
    }
    return audit->nentries < THINGS_MAX && audit->ninodes < THINGS_MAX &&
           audit->nstates < THINGS_MAX;
}

static void look_into(struct audit *audit, struct sim_server *server)
{
    struct kv_config config = {.disk = server->names};
    struct kv *kv;

    srv_target_destroy(&server->target);
    server->restart_ns = UINT64_MAX;
    audit->target = server->id;
    if (kv_open(&kv_mem, &config, &kv) != 0)
        abort();
    if (kv_begin(kv) != 0)
        abort();
    kv_each(kv, "", 0, "", 0, take, audit);
    kv_rollback(kv);
    kv_close(kv);
}

static const struct inode *inode_of(const struct audit *audit, uint64_t ino)
{
    for (unsigned i = 0; i < audit->ninodes; i++)
        if (audit->inodes[i].ino == ino)
            return &audit->inodes[i];
    return NULL;
}

static void judge_entries(struct audit *audit)
{
    for (unsigned i = 0; i < audit->nentries; i++) {
        const struct an_entry *entry = &audit->entries[i];
        const struct inode *inode = inode_of(audit, entry->ino);
        const struct inode *dir = inode_of(audit, entry->parent);

        audit->target = entry->target;
        if (inode == NULL)
            wrong(audit, "an entry stands for nothing", entry->parent,
                  entry->ino);
        else if (inode->type != entry->type)
            wrong(audit, "an entry has another type", entry->ino, 0);
        else if (inode->type == INODE_DIR && inode->parent != entry->parent)
            wrong(audit, "a directory has another parent", entry->ino,
                  inode->parent);
        if (dir == NULL || dir->type != INODE_DIR)
            wrong(audit, "an entry is in no directory", entry->parent,
                  entry->ino);
    }
}

static unsigned names_of(const struct audit *audit, uint64_t ino)
{
    unsigned n = 0;

    for (unsigned i = 0; i < audit->nentries; i++)
        n += audit->entries[i].ino == ino;
    return n;
}

static void judge_inodes(struct audit *audit)
{
    for (unsigned i = 0; i < audit->ninodes; i++) {
        const struct inode *inode = &audit->inodes[i];
        const struct inode *up = inode;
        unsigned names = names_of(audit, inode->ino), steps = 0;

        audit->target = 0;
        if (inode->ino == INO_ROOT)
            continue;
        if (inode->type != INODE_DIR) {
            if (names != inode->nlink)
                wrong(audit, "an inode says another number of names",
                      inode->ino, names);
            continue;
        }
        if (names != 1)
            wrong(audit, "a directory has not one name", inode->ino, names);
        while (up != NULL && up->ino != INO_ROOT && steps++ < 1000)
            up = inode_of(audit, up->parent);
        if (up == NULL || up->ino != INO_ROOT)
            wrong(audit, "a directory does not lead to the root", inode->ino,
                  0);
    }
}

static void judge_states(struct audit *audit)
{
    for (unsigned i = 0; i < audit->nstates; i++) {
        const struct a_state *state = &audit->states[i];
        uint64_t entries = 0, subdirs = 0;

        audit->target = state->target;
        for (unsigned e = 0; e < audit->nentries; e++) {
            const struct an_entry *entry = &audit->entries[e];

            if (entry->parent != state->dir || entry->target != state->target)
                continue;
            entries++;
            subdirs += entry->type == INODE_DIR;
        }
        if (state->state.entries != entries || state->state.subdirs != subdirs)
            wrong(audit, "a directory's counts are wrong", state->dir, entries);
        if (state->state.frozen != NAMES_ALIVE &&
            inode_of(audit, state->dir) != NULL)
            wrong(audit, "a living directory is frozen", state->dir, 0);
    }
}

bool audit_names(struct sim_cluster *sim, char *text)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    bool is_whole;

    if (audit == NULL)
        abort();
    audit->sim = sim;
    audit->text = text;
    audit->is_whole = true;
    for (unsigned i = 0; i < sim->config.ntargets; i++)
        look_into(audit, &sim->servers[i]);
    judge_entries(audit);
    judge_inodes(audit);
    judge_states(audit);
    is_whole = audit->is_whole;
    free(audit);
    return is_whole;
}
