/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listing on a mount.
 *
 * The kernel asks for a few entries at a time, each question goes to whichever
 * thread is free, and a listing of the library belongs to one session. So an
 * open directory keeps a batch of entries of its own; when that is used up, the
 * thread at hand lists on from the last entry's cookie.
 *
 * With "plus" an entry carries its attributes, which the kernel may use for as
 * long as cache_sec says; without a cache there is no use in them and the
 * kernel is not offered the operation.
 *
 * Possible failure modes are: entries that come and go (seen or not); a target
 * that does not answer (an error, never a silent part).
 */
#include "posix/fuse_fs.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 512u
#define NAMES_ROOM (64u << 10) /* of the names of a batch */
#define NAME_ROOM 256u

/* The two that the library does not list. */
enum { AT_START, AT_DOT, AT_DOTDOT };
static_assert(AT_DOTDOT < CAPSTAN_COOKIE_MIN, "cookies of our own");

struct item {
    uint64_t cookie;
    uint32_t name; /* offset in names */
    struct capstan_stat stat;
};

struct open_dir {
    uint64_t ino;
    uint64_t parent;
    pthread_mutex_t lock; /* guards what follows */
    bool is_end;          /* nothing follows the batch */
    size_t count;
    size_t next; /* the item behind the one that was last told */
    size_t names_len;
    struct item items[BATCH];
    char names[NAMES_ROOM];
};

static struct open_dir *opened(const struct fuse_file_info *info)
{
    return (struct open_dir *)(uintptr_t)info->fh;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *info)
{
    struct open_dir *dir = mem_calloc(1, sizeof(*dir));
    struct capstan_session *session = fs_enter(req);
    struct capstan_dir *listing;
    struct capstan_stat stat;
    int rc = -ENOMEM;

    if (dir != NULL)
        rc = capstan_inode_dir_open(session, ino, &listing);
    if (rc != 0) {
        free(dir);
        fs_reply(req, rc);
        return;
    }
    capstan_dir_close(&listing);
    dir->ino = dir->parent = ino;
    if (capstan_lookup_at(session, ino, "..", CAPSTAN_LOOKUP_QUICK, &stat) == 0)
        dir->parent = stat.ino;
    pthread_mutex_init(&dir->lock, NULL);
    info->fh = (uintptr_t)dir;
    fuse_reply_open(req, info);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
                          struct fuse_file_info *info)
{
    struct open_dir *dir = opened(info);

    pthread_mutex_destroy(&dir->lock);
    free(dir);
    fs_reply(req, 0);
}

static void add_item(struct open_dir *dir, const struct capstan_dirent *entry)
{
    struct item *item = &dir->items[dir->count++];
    size_t len = strlen(entry->name) + 1;

    item->cookie = entry->cookie;
    item->name = (uint32_t)dir->names_len;
    item->stat = entry->stat;
    memcpy(dir->names + dir->names_len, entry->name, len);
    dir->names_len += len;
}

/* Read the batch that follows a cookie. The right to list was checked when the
 * directory was opened. */
static int fetch(fuse_req_t req, struct open_dir *dir, uint64_t cookie)
{
    struct capstan_dirent entry;
    struct capstan_dir *listing;
    int rc = capstan_inode_dir_open(fs_enter_checked(req), dir->ino, &listing);

    if (rc != 0)
        return rc;
    dir->count = dir->names_len = dir->next = 0;
    if (cookie > AT_DOTDOT)
        capstan_dir_seek(listing, cookie);
    while (rc == 0 && dir->count < BATCH &&
           dir->names_len + NAME_ROOM <= NAMES_ROOM) {
        rc = capstan_dir_read(listing, &entry);
        if (rc == 0)
            add_item(dir, &entry);
    }
    capstan_dir_close(&listing);
    dir->is_end = rc == -ENOENT;
    /* an error behind some entries is met again when these are used up */
    return dir->is_end || dir->count > 0 ? 0 : rc;
}

/* The index in the batch of what follows a cookie. From the start the directory
 * is always read anew: rewinddir(3) shows what has come since. */
static int find(fuse_req_t req, struct open_dir *dir, uint64_t cookie,
                size_t *index_out)
{
    size_t i = dir->next;

    *index_out = i;
    if (cookie > AT_DOTDOT && i > 0 && dir->items[i - 1].cookie == cookie)
        return 0;
    for (i = 0; cookie > AT_DOTDOT && i < dir->count; i++) {
        *index_out = i + 1;
        if (dir->items[i].cookie == cookie)
            return 0;
    }
    *index_out = 0;
    return fetch(req, dir, cookie);
}

struct out {
    fuse_req_t req;
    char *buffer;
    size_t room;
    size_t len;
    bool is_plus;
};

/* @return false: it has no room. */
static bool put(struct out *out, const char *name,
                const struct capstan_stat *stat, uint64_t cookie, bool is_node)
{
    struct fuse_entry_param entry;
    size_t len;

    fs_entry_set(fs_of(out->req), &entry, stat);
    if (!is_node)
        entry.ino = 0; /* "." and "..": the kernel is given no node for them */
    len = out->is_plus
              ? fuse_add_direntry_plus(out->req, out->buffer + out->len,
                                       out->room - out->len, name, &entry,
                                       (off_t)cookie)
              : fuse_add_direntry(out->req, out->buffer + out->len,
                                  out->room - out->len, name, &entry.attr,
                                  (off_t)cookie);
    if (len > out->room - out->len)
        return false;
    out->len += len;
    return true;
}

/* "." and ".." first. @return the cookie to go on from. */
static uint64_t put_dots(struct out *out, const struct open_dir *dir,
                         uint64_t cookie)
{
    struct capstan_stat stat = {.type = CAPSTAN_DIRECTORY, .ino = dir->ino};

    if (cookie == AT_START && put(out, ".", &stat, AT_DOT, false))
        cookie = AT_DOT;
    stat.ino = dir->parent;
    if (cookie == AT_DOT && put(out, "..", &stat, AT_DOTDOT, false))
        cookie = AT_DOTDOT;
    return cookie;
}

static int fill(struct out *out, struct open_dir *dir, uint64_t cookie)
{
    size_t i = 0;
    int rc;

    cookie = put_dots(out, dir, cookie);
    if (cookie < AT_DOTDOT)
        return 0; /* not even room for those */
    rc = find(out->req, dir, cookie, &i);
    while (rc == 0) {
        const struct item *item;

        if (i == dir->count && !dir->is_end) {
            rc = fetch(out->req, dir, cookie);
            i = 0;
        }
        if (rc != 0 || i == dir->count)
            break;
        item = &dir->items[i];
        if (!put(out, dir->names + item->name, &item->stat, item->cookie, true))
            break;
        cookie = item->cookie;
        dir->next = ++i;
    }
    return out->len > 0 ? 0 : rc; /* what was found first, then the error */
}

static void list(fuse_req_t req, size_t room, off_t offset,
                 struct fuse_file_info *info, bool is_plus)
{
    struct open_dir *dir = opened(info);
    struct out out = {.req = req, .is_plus = is_plus};
    int rc;

    out.room = room > CREW_IO_MAX ? CREW_IO_MAX : room;
    out.buffer = crew_self()->buffer;
    pthread_mutex_lock(&dir->lock);
    rc = fill(&out, dir, (uint64_t)offset);
    pthread_mutex_unlock(&dir->lock);
    if (rc != 0)
        fs_reply(req, rc);
    else
        fuse_reply_buf(req, out.buffer, out.len);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t room,
                       off_t offset, struct fuse_file_info *info)
{
    list(req, room, offset, info, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t room,
                           off_t offset, struct fuse_file_info *info)
{
    list(req, room, offset, info, true);
}

/* The servers bring every change of names to the device by themselves. */
static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int is_data_only,
                        struct fuse_file_info *info)
{
    fs_reply(req, 0);
}

void fs_dir_ops(struct fuse_lowlevel_ops *ops)
{
    ops->opendir = op_opendir;
    ops->readdir = op_readdir;
    ops->readdirplus = op_readdirplus;
    ops->releasedir = op_releasedir;
    ops->fsyncdir = op_fsyncdir;
}
