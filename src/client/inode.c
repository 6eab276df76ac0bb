/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls by inode number.
 *
 * The happy path: as those by path, but the directory is given.
 */
#include "client/file.h"
#include "client/names.h"

#include <string.h>

/*
 * What arguments must be, by path and by number.
 */

int cli_check_link(struct capstan_session *session, const char *text)
{
    size_t len = strlen(text);

    if (len == 0)
        return cli_fail(session, -ENOENT, "symlink: empty text");
    return len > SYMLINK_MAX
               ? cli_fail(session, -ENAMETOOLONG, "symlink: text")
               : 0;
}

int cli_check_node(struct capstan_session *session, enum capstan_type type)
{
    bool is_device = type == CAPSTAN_CHAR || type == CAPSTAN_BLOCK;

    if (type != CAPSTAN_FILE && type != CAPSTAN_FIFO &&
        type != CAPSTAN_SOCKET && !is_device)
        return cli_fail(session, -EINVAL, "mknod: type");
    if (is_device && !session->cred.is_checked && session->cred.uid != 0)
        return cli_fail(session, -EPERM, "mknod: device");
    return 0;
}

int cli_check_rename(struct capstan_session *session, unsigned flags)
{
    if (flags <= CAPSTAN_RENAME_EXCHANGE)
        return 0;
    return cli_fail(session,
                    flags == (CAPSTAN_RENAME_NOREPLACE |
                              CAPSTAN_RENAME_EXCHANGE)
                        ? -EINVAL
                        : -ENOTSUP,
                    "rename: flags");
}

/*
 * Looking.
 */

struct look {
    struct cli_found found;
};

static int look_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    char what[NAME_LEN_MAX + 1];

    memcpy(what, name->text, name->len);
    what[name->len] = '\0';
    return cli_lookup(session, name, deadline_ns, what,
                      &((struct look *)ctx)->found);
}

static int look_up(struct capstan_session *session, uint64_t dir,
                   const char *name, struct look *look)
{
    struct inode inode;
    int rc;

    if (strcmp(name, "..") != 0 && strcmp(name, ".") != 0)
        return cli_name_act(session, "lookup", dir, name, look_name, look);
    rc = cli_dir_attrs(session, dir, cli_deadline(session), name, &inode);
    if (rc != 0)
        return rc;
    return cli_getattr(session, name[1] == '.' ? inode.parent : dir,
                       cli_deadline(session), name, &look->found);
}

static int look_at(struct capstan_session *session, uint64_t dir,
                   const char *name, unsigned flags,
                   struct capstan_stat *stat_out, struct look *look)
{
    int rc = cli_enter(session);

    if (rc == 0)
        rc = look_up(session, dir, name, look);
    if (rc != 0)
        return look->found.is_dir_gone ? -ESTALE : rc;
    if (!(flags & CAPSTAN_LOOKUP_QUICK))
        return cli_stat_full(session, &look->found, cli_deadline(session), name,
                             stat_out);
    cli_stat_quick(stat_out, &look->found);
    return 0;
}

int capstan_lookup_at(struct capstan_session *session, uint64_t dir,
                      const char *name, unsigned flags,
                      struct capstan_stat *stat_out)
{
    struct look look = {.found = {.want = 0}};

    return look_at(session, dir, name, flags, stat_out, &look);
}

int capstan_lookup_opened(struct capstan_session *session, uint64_t dir,
                          const char *name, unsigned flags,
                          struct capstan_stat *stat_out,
                          struct capstan_opened **opened_out)
{
    struct look look = {.found = {.want = 0}};
    int rc = look_at(session, dir, name, flags, stat_out, &look);

    *opened_out = NULL;
    if (rc == 0 && look.found.inode.type == INODE_FILE)
        rc = cli_opened(&look.found.inode, opened_out);
    return rc;
}

int capstan_inode_stat(struct capstan_session *session, uint64_t ino,
                       struct capstan_stat *stat_out)
{
    struct cli_size size = {.ino = ino};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_size_run(session, &size, cli_deadline(session), "stat");
    if (rc == 0)
        cli_stat_set(stat_out, &size.inode, size.size);
    return rc;
}

int capstan_inode_setattr(struct capstan_session *session, uint64_t ino,
                          const struct capstan_change *change,
                          struct capstan_stat *stat_out)
{
    struct cli_found found = {.want = 0};
    uint64_t deadline = cli_deadline(session);
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_setattr(session, ino, change, deadline, "change", &found);
    if (rc != 0 || stat_out == NULL)
        return rc;
    if (change->valid & CAPSTAN_SET_SIZE)
        return capstan_inode_stat(session, ino, stat_out);
    return cli_stat_full(session, &found, deadline, "change", stat_out);
}

int capstan_inode_access(struct capstan_session *session, uint64_t ino,
                         unsigned mask)
{
    struct cli_found found = {.may = mask & 7};
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_getattr(session, ino, cli_deadline(session), "access",
                                 &found);
}

int capstan_inode_readlink(struct capstan_session *session, uint64_t ino,
                           char *text, size_t room, size_t *len_out)
{
    struct cli_found found = {.want = 0};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_getattr(session, ino, cli_deadline(session), "readlink",
                         &found);
    if (rc == 0 && found.inode.type != INODE_SYMLINK)
        rc = cli_fail(session, -EINVAL, "readlink: no symbolic link");
    if (rc != 0)
        return rc;
    *len_out = session->link_len < room ? session->link_len : room;
    memcpy(text, session->link, *len_out);
    return 0;
}

/*
 * Names that come and go.
 */

static int make_at(struct capstan_session *session, const char *verb,
                   uint64_t dir, struct cli_make *make)
{
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_name_act(session, verb, dir, make->what,
                                  cli_make_name, make);
}

int capstan_mkdir_at(struct capstan_session *session, uint64_t dir,
                     const char *name, uint32_t mode,
                     struct capstan_stat *stat_out)
{
    struct cli_make make = {.what = name,
                            .type = INODE_DIR,
                            .mode = mode,
                            .stat_out = stat_out};

    return make_at(session, "mkdir", dir, &make);
}

int capstan_mknod_at(struct capstan_session *session, uint64_t dir,
                     const char *name, enum capstan_type type, uint32_t mode,
                     uint64_t rdev, struct capstan_stat *stat_out)
{
    struct cli_make make = {.what = name,
                            .type = (enum inode_type)type,
                            .mode = mode,
                            .special = rdev,
                            .stat_out = stat_out};
    int rc = cli_check_node(session, type);

    return rc != 0 ? rc : make_at(session, "mknod", dir, &make);
}

int capstan_symlink_at(struct capstan_session *session, const char *text,
                       uint64_t dir, const char *name,
                       struct capstan_stat *stat_out)
{
    struct cli_make make = {.what = name,
                            .type = INODE_SYMLINK,
                            .mode = 0777,
                            .link = text,
                            .stat_out = stat_out};
    int rc = cli_check_link(session, text);

    return rc != 0 ? rc : make_at(session, "symlink", dir, &make);
}

int capstan_link_at(struct capstan_session *session, uint64_t ino, uint64_t dir,
                    const char *name, struct capstan_stat *stat_out)
{
    struct cli_link link = {name, ino, stat_out};
    int rc = cli_enter(session);

    return rc != 0
               ? rc
               : cli_name_act(session, "link", dir, name, cli_link_name, &link);
}

int capstan_unlink_at(struct capstan_session *session, uint64_t dir,
                      const char *name)
{
    struct cli_remove remove = {name, false};
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_name_act(session, "unlink", dir, name,
                                  cli_remove_name, &remove);
}

int capstan_rmdir_at(struct capstan_session *session, uint64_t dir,
                     const char *name)
{
    struct cli_remove remove = {name, true};
    int rc = cli_enter(session);

    return rc != 0 ? rc
                   : cli_name_act(session, "rmdir", dir, name, cli_remove_name,
                                  &remove);
}

int capstan_rename_at(struct capstan_session *session, uint64_t from_dir,
                      const char *from, uint64_t to_dir, const char *to,
                      unsigned flags)
{
    struct cli_rename rename = {
        .what = from,
        .from = {.parent = from_dir, .text = from, .len = strlen(from)},
        .flags = flags,
    };
    int rc = cli_check_rename(session, flags);

    if (rc == 0)
        rc = cli_enter(session);
    if (rc == 0 && rename.from.len > NAME_LEN_MAX)
        rc = cli_fail(session, -ENAMETOOLONG, "rename %.64s", from);
    return rc != 0 ? rc
                   : cli_name_act(session, "rename", to_dir, to,
                                  cli_rename_name, &rename);
}
