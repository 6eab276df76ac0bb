/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listing a directory.
 *
 * The happy path: the targets of the directory's fan-out are asked one after
 * the other; each answers page by page, every page beginning behind the place
 * of the last entry of the one before. Entries are decoded from the page as they
 * are read. Target and place together are an entry's cookie, which so holds for
 * ever.
 *
 * Possible failure modes are: entries that come and go meanwhile (seen or not
 * seen, each at most once); a target that does not answer (the listing ends in
 * its error: never a silent part); a page that is not the last and yet empty
 * (refused, or the listing would never end).
 */
#include "client/names.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/placement.h"

#include <stdlib.h>
#include <string.h>

#define COOKIE_PLACE_BITS 60 /* below them the place, above the target */

struct capstan_dir {
    struct capstan_session *session;
    uint64_t ino;
    uint16_t fanout[FANOUT_MAX];
    unsigned count;
    unsigned at;                 /* the target being read */
    bool is_end;                 /* its last page is here */
    uint64_t place;              /* of the last entry; 0: before the first */
    char name[NAME_LEN_MAX + 1]; /* of the last entry */
    const uint8_t *next;         /* in page */
    size_t page_len;
    uint8_t page[PROTO_ENTRIES_MAX];
    char path[];
};

struct open_args {
    const char *path;
    struct cli_found found;
};

static int open_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    struct open_args *args = ctx;
    int rc;

    args->found.may = CRED_READ;
    rc = cli_lookup(session, name, deadline_ns, args->path, &args->found);
    if (rc == 0 && args->found.inode.type == INODE_SYMLINK)
        return CLI_LINK;
    return rc;
}

static int dir_new(struct capstan_session *session, const char *path,
                   const struct inode *inode, struct capstan_dir **dir_out)
{
    struct capstan_dir *dir;

    if (inode->type != INODE_DIR)
        return cli_fail(session, -ENOTDIR, "list %s", path);
    dir = mem_calloc(1, sizeof(*dir) + strlen(path) + 1);
    if (dir == NULL)
        return cli_fail(session, -ENOMEM, "list %s", path);
    memcpy(dir->path, path, strlen(path) + 1);
    dir->session = session;
    dir->ino = inode->ino;
    dir->count = placement_fanout(dir->ino, session->cluster->target_ids,
                                  session->cluster->ntargets, dir->fanout);
    dir->next = dir->page;
    *dir_out = dir;
    return 0;
}

int capstan_dir_open(struct capstan_session *session, const char *path,
                     struct capstan_dir **dir_out)
{
    struct open_args args = {.path = path};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_path_act(session, "list", path, open_name, &args);
    return rc == 0 ? dir_new(session, path, &args.found.inode, dir_out) : rc;
}

int capstan_inode_dir_open(struct capstan_session *session, uint64_t ino,
                           struct capstan_dir **dir_out)
{
    struct cli_found found = {.may = CRED_READ};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_getattr(session, ino, cli_deadline(session), "list", &found);
    return rc == 0 ? dir_new(session, "inode", &found.inode, dir_out) : rc;
}

void capstan_dir_close(struct capstan_dir **dir_p)
{
    free(*dir_p);
    *dir_p = NULL;
}

static int take_page(void *ctx, const union proto_rep *rep)
{
    const struct proto_rep_readdir *page = &rep->readdir;
    struct capstan_dir *dir = ctx;

    if (page->entries.len == 0 && !page->is_end)
        return -ERR_PROTOCOL;
    if (page->entries.len > 0)
        memcpy(dir->page, page->entries.data, page->entries.len);
    dir->page_len = page->entries.len;
    dir->next = dir->page;
    dir->is_end = page->is_end != 0;
    return 0;
}

static int next_page(struct capstan_dir *dir)
{
    struct cli_call call = {
        .target = dir->fanout[dir->at],
        .opcode = PROTO_OP_readdir,
        .take = take_page,
        .take_ctx = dir,
        .req.readdir = {.dir = dir->ino, .after = dir->place},
    };

    if (cli_call(dir->session, &call, cli_deadline(dir->session)) == 0)
        return 0;
    return cli_call_fail(dir->session, &call, dir->path);
}

static void next_target(struct capstan_dir *dir)
{
    dir->at++;
    dir->is_end = false;
    dir->place = 0;
}

/* Of an inode that is kept elsewhere only number and type are here. */
static void set_entry(const struct capstan_dir *dir,
                      const struct proto_entry *entry,
                      struct capstan_dirent *entry_out)
{
    struct cli_found found = {.inode = entry->inode,
                              .object_size = entry->object_size,
                              .object_mtime_ns = entry->object_mtime_ns};
    struct capstan_stat *stat = &entry_out->stat;

    entry_out->name = dir->name;
    entry_out->cookie =
        (uint64_t)dir->at << COOKIE_PLACE_BITS | dir->place;
    cli_stat_quick(stat, &found);
    stat->is_partial = stat->is_partial || entry->is_away;
    entry_out->has_size =
        entry->inode.type == INODE_DIR || !stat->is_partial;
}

/* @return 0, -ENOENT (the page is used up), or -ERR_PROTOCOL. */
static int take_entry(struct capstan_dir *dir, struct proto_entry *entry)
{
    int rc = proto_entry_decode(&dir->next, dir->page + dir->page_len, entry);

    if (rc == 0 && (entry->text.len == 0 || entry->text.len > NAME_LEN_MAX))
        rc = -ERR_PROTOCOL;
    if (rc == -ERR_PROTOCOL)
        cli_fail(dir->session, rc, "list %s: entry", dir->path);
    if (rc != 0)
        return rc;
    memcpy(dir->name, entry->text.data, entry->text.len);
    dir->name[entry->text.len] = '\0';
    dir->place =
        hash_place(hash_name(dir->ino, dir->name, entry->text.len));
    return 0;
}

int capstan_dir_read(struct capstan_dir *dir, struct capstan_dirent *entry_out)
{
    struct proto_entry entry;
    int rc = cli_enter(dir->session);

    while (rc == 0 && dir->at < dir->count) {
        rc = take_entry(dir, &entry);
        if (rc == 0) {
            set_entry(dir, &entry, entry_out);
            return 0;
        }
        if (rc != -ENOENT)
            return rc;
        rc = 0;
        if (dir->is_end)
            next_target(dir);
        else
            rc = next_page(dir);
    }
    return rc != 0 ? rc : -ENOENT;
}

uint64_t capstan_dir_ino(const struct capstan_dir *dir)
{
    return dir->ino;
}

void capstan_dir_seek(struct capstan_dir *dir, uint64_t cookie)
{
    uint64_t mask = ((uint64_t)1 << COOKIE_PLACE_BITS) - 1;

    dir->at = (unsigned)(cookie >> COOKIE_PLACE_BITS);
    dir->place = cookie & mask;
    dir->is_end = false;
    dir->page_len = 0;
    dir->next = dir->page;
}
