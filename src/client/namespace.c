/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls by path.
 *
 * The happy path: the path is resolved (path.c) and an act (names.c) is done on
 * its last name.
 */
#include "client/names.h"

#include <stdio.h>
#include <string.h>

/* A lookup of the last name, which may be followed. */
struct look {
    const char *path;
    bool is_followed;
    unsigned may;
    struct cli_found found;
};

static int look_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    struct look *look = ctx;
    bool is_link;
    int rc;

    look->found.may = look->may;
    rc = cli_lookup(session, name, deadline_ns, look->path, &look->found);
    if (rc != 0)
        return rc;
    is_link = look->found.inode.type == INODE_SYMLINK;
    if (is_link && (look->is_followed || name->is_slashed))
        return CLI_LINK;
    if (name->is_slashed && look->found.inode.type != INODE_DIR)
        return cli_fail(session, -ENOTDIR, "%s", look->path);
    return 0;
}

static int look_up(struct capstan_session *session, const char *verb,
                   struct look *look)
{
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_path_act(session, verb, look->path, look_name, look);
}

/*
 * Attributes.
 */

static int stat_path(struct capstan_session *session, const char *path,
                     bool is_followed, struct capstan_stat *stat_out)
{
    struct look look = {.path = path, .is_followed = is_followed};
    int rc = look_up(session, "stat", &look);

    return rc != 0 ? rc
                   : cli_stat_full(session, &look.found, cli_deadline(session),
                                   path, stat_out);
}

int capstan_stat(struct capstan_session *session, const char *path,
                 struct capstan_stat *stat_out)
{
    return stat_path(session, path, true, stat_out);
}

int capstan_lstat(struct capstan_session *session, const char *path,
                  struct capstan_stat *stat_out)
{
    return stat_path(session, path, false, stat_out);
}

int capstan_resolve(struct capstan_session *session, const char *path,
                    unsigned flags, uint64_t *ino_out)
{
    struct look look = {.path = path,
                        .is_followed = !(flags & CAPSTAN_NOFOLLOW)};
    int rc = look_up(session, "resolve", &look);

    if (rc == 0)
        *ino_out = look.found.inode.ino;
    return rc;
}

struct resolve {
    uint64_t dir;
    char *name;
};

static int resolve_name(struct capstan_session *session,
                        const struct cli_name *name, uint64_t deadline_ns,
                        void *ctx)
{
    struct resolve *resolve = ctx;

    (void)session;
    (void)deadline_ns;
    resolve->dir = name->parent;
    memcpy(resolve->name, name->text, name->len);
    resolve->name[name->len] = '\0';
    return 0;
}

int capstan_resolve_parent(struct capstan_session *session, const char *path,
                           uint64_t *dir_out, char *name_out)
{
    char room[NAME_LEN_MAX + 1];
    struct resolve resolve = {.name = room};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_path_act(session, "resolve", path, resolve_name, &resolve);
    if (rc != 0)
        return rc;
    *dir_out = resolve.dir;
    memcpy(name_out, room, strlen(room) + 1);
    return 0;
}

int capstan_access(struct capstan_session *session, const char *path,
                   unsigned mask)
{
    struct look look = {
        .path = path, .is_followed = true, .may = mask & 7};

    return look_up(session, "access", &look);
}

int capstan_setattr(struct capstan_session *session, const char *path,
                    unsigned flags, const struct capstan_change *change)
{
    struct look look = {.path = path,
                        .is_followed = !(flags & CAPSTAN_NOFOLLOW)};
    int rc = look_up(session, "change", &look);

    return rc != 0 ? rc
                   : cli_setattr(session, look.found.inode.ino, change,
                                 cli_deadline(session), path, &look.found);
}

int capstan_readlink(struct capstan_session *session, const char *path,
                     char *text, size_t room, size_t *len_out)
{
    struct look look = {.path = path};
    int rc = look_up(session, "readlink", &look);

    if (rc == 0 && look.found.inode.type != INODE_SYMLINK)
        rc = cli_fail(session, -EINVAL, "readlink %s: no symbolic link", path);
    if (rc != 0)
        return rc;
    *len_out = session->link_len < room ? session->link_len : room;
    memcpy(text, session->link, *len_out);
    return 0;
}

/*
 * Names that come and go.
 */

static int make_path(struct capstan_session *session, const char *verb,
                     struct cli_make *make)
{
    int rc = cli_enter(session);

    return rc != 0
               ? rc
               : cli_path_act(session, verb, make->what, cli_make_name, make);
}

int capstan_mkdir(struct capstan_session *session, const char *path,
                  uint32_t mode)
{
    struct cli_make make = {.what = path,
                            .type = INODE_DIR,
                            .mode = mode != 0 ? mode : CLI_MODE_DIR};

    return make_path(session, "mkdir", &make);
}

int capstan_symlink(struct capstan_session *session, const char *text,
                    const char *path)
{
    struct cli_make make = {
        .what = path, .type = INODE_SYMLINK, .mode = 0777, .link = text};
    int rc = cli_check_link(session, text);

    return rc != 0 ? rc : make_path(session, "symlink", &make);
}

int capstan_mknod(struct capstan_session *session, const char *path,
                  enum capstan_type type, uint32_t mode, uint64_t rdev)
{
    struct cli_make make = {.what = path,
                            .type = (enum inode_type)type,
                            .mode = mode,
                            .special = rdev};
    int rc = cli_check_node(session, type);

    return rc != 0 ? rc : make_path(session, "mknod", &make);
}

static int remove_path(struct capstan_session *session, const char *verb,
                       struct cli_remove *remove)
{
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_path_act(session, verb, remove->what, cli_remove_name,
                                  remove);
}

int capstan_rmdir(struct capstan_session *session, const char *path)
{
    struct cli_remove remove = {path, true};

    return remove_path(session, "rmdir", &remove);
}

int capstan_unlink(struct capstan_session *session, const char *path)
{
    struct cli_remove remove = {path, false};

    return remove_path(session, "unlink", &remove);
}

int capstan_link(struct capstan_session *session, const char *from,
                 const char *to)
{
    struct look look = {.path = from};
    struct cli_link link = {.what = to};
    int rc = look_up(session, "link", &look);

    link.ino = look.found.inode.ino;
    return rc != 0 ? rc
                   : cli_path_act(session, "link", to, cli_link_name, &link);
}

int capstan_rename(struct capstan_session *session, const char *from,
                   const char *to, unsigned flags)
{
    struct cli_rename rename = {
        .what = from, .from_path = from, .flags = flags};
    int rc = cli_check_rename(session, flags);

    if (rc == 0)
        rc = cli_enter(session);
    if (rc != 0)
        return rc;
    rc = cli_path_act(session, "rename", to, cli_rename_name, &rename);
    if ((rc != -ENOENT && rc != -ENOTDIR && rc != -ESTALE) ||
        !rename.from.is_cached)
        return rc;
    cli_dirs_drop(session->dirs); /* it may be that which is old */
    return cli_path_act(session, "rename", to, cli_rename_name, &rename);
}
