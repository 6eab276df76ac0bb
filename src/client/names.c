/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes in their public form, and names that come and go.
 *
 * The happy path: the directory's permissions are judged, then one call goes to
 * the target that owns the name.
 *
 * Possible failure modes are the server's words: each becomes the call's text
 * together with path and target. A name of length 0 is a directory itself,
 * which no such act may concern.
 */
#include "client/names.h"

#include "client/hold.h"

#include <string.h>

void cli_stat_set(struct capstan_stat *stat, const struct inode *inode,
                  uint64_t size)
{
    if (stat == NULL)
        return;
    memset(stat, 0, sizeof(*stat));
    stat->ino = inode->ino;
    stat->type = (enum capstan_type)inode->type;
    stat->mode = inode->mode;
    stat->uid = inode->uid;
    stat->gid = inode->gid;
    stat->nlink = inode->nlink;
    stat->size = inode->type == INODE_SYMLINK ? inode->special : size;
    stat->atime_ns = inode->atime_ns;
    stat->mtime_ns = inode->mtime_ns;
    stat->ctime_ns = inode->ctime_ns;
    if (inode->type == INODE_CHAR || inode->type == INODE_BLOCK)
        stat->rdev = inode->special;
    stat->stripe_size = inode->layout.stripe_size;
    stat->width = inode->layout.width;
    stat->is_striped = inode->layout.is_striped;
}

void cli_stat_quick(struct capstan_stat *stat, const struct cli_found *found)
{
    struct inode inode = found->inode;
    bool is_file = inode.type == INODE_FILE;

    if (stat == NULL)
        return;
    if (is_file)
        cli_size_times(&inode, found->object_mtime_ns);
    cli_stat_set(stat, &inode, found->object_size);
    stat->is_partial = inode.type == INODE_DIR ||
                       (is_file && layout_columns(&inode.layout) != 1);
    if (stat->is_partial)
        stat->size = 0;
}

int cli_stat_full(struct capstan_session *session,
                  const struct cli_found *found, uint64_t deadline_ns,
                  const char *what, struct capstan_stat *stat)
{
    struct cli_size size = {
        .ino = found->inode.ino, .found = *found, .has_found = true};
    int rc;

    if (stat == NULL)
        return 0;
    rc = cli_size_run(session, &size, deadline_ns, what);
    if (rc == 0)
        cli_stat_set(stat, &size.inode, size.size);
    return rc;
}

static void forget(struct capstan_session *session,
                   const struct cli_name *name)
{
    cli_dirs_forget(session->dirs, name->parent, name->text, name->len);
}

/*
 * Names that come.
 */

static void make_init(const struct capstan_session *session,
                      const struct cli_make *make, const struct cli_name *name,
                      const struct inode *inode, struct cli_call *call)
{
    struct proto_req_make *req = &call->req.make;

    memset(call, 0, sizeof(*call));
    call->target = cli_name_owner(session, name);
    if (make->type == INODE_DIR) {
        call->opcode = PROTO_OP_mkdir;
        call->req.mkdir = (struct proto_req_mkdir){
            name->parent, cli_text(name), inode->mode, inode->uid, inode->gid};
        return;
    }
    call->opcode = PROTO_OP_make;
    *req = (struct proto_req_make){
        .parent = name->parent,
        .text = cli_text(name),
        .type = (uint8_t)make->type,
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .special = make->special,
    };
    if (make->link != NULL)
        req->link = (struct proto_bytes){(const uint8_t *)make->link,
                                         (uint32_t)strlen(make->link)};
}

static int make_call(struct capstan_session *session,
                     const struct cli_make *make, const struct cli_name *name,
                     const struct inode *dir, uint64_t deadline_ns)
{
    struct inode inode = {.type = make->type,
                          .mode = make->mode & CLI_MODE_MASK,
                          .uid = session->cred.uid,
                          .gid = session->cred.gid};
    struct cli_call call;

    cred_inherit(dir, &inode);
    make_init(session, make, name, &inode, &call);
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, make->what);
    /* The replies of MKDIR and MAKE are alike. */
    cli_stat_set(make->stat_out, &call.rep.make.inode, 0);
    return 0;
}

int cli_make_name(struct capstan_session *session, const struct cli_name *name,
                  uint64_t deadline_ns, void *ctx)
{
    const struct cli_make *make = ctx;
    struct inode dir;
    int rc;

    if (name->len == 0)
        return cli_fail(session, -EEXIST, "%s", make->what);
    if (name->is_slashed && make->type != INODE_DIR)
        return cli_fail(session, -ENOENT, "%s", make->what);
    rc = cli_may_insert(session, name, deadline_ns, make->what, &dir);
    if (rc == 0)
        rc = make_call(session, make, name, &dir, deadline_ns);
    cli_dirs_forget(session->dirs, name->parent, name->text, name->len);
    return rc;
}

int cli_link_name(struct capstan_session *session, const struct cli_name *name,
                  uint64_t deadline_ns, void *ctx)
{
    const struct cli_link *link = ctx;
    struct cli_found found = {.want = 0};
    struct cli_call call = {.opcode = PROTO_OP_link};
    struct inode dir;
    int rc;

    if (name->len == 0)
        return cli_fail(session, -EEXIST, "%s", link->what);
    rc = cli_may_insert(session, name, deadline_ns, link->what, &dir);
    if (rc == 0)
        rc = cli_getattr(session, link->ino, deadline_ns, link->what, &found);
    if (rc == 0 && found.inode.type == INODE_DIR)
        rc = cli_lookup(session, name, deadline_ns, link->what, &found) == 0
                 ? cli_fail(session, -EEXIST, "%s", link->what)
                 : cli_fail(session, -EPERM, "%s: a directory", link->what);
    if (rc != 0)
        return rc;
    call.target = cli_name_owner(session, name);
    call.req.link =
        (struct proto_req_link){name->parent, cli_text(name), link->ino,
                                (uint8_t)found.inode.type};
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, link->what);
    forget(session, name);
    if (link->stat_out == NULL)
        return 0;
    rc = cli_getattr(session, link->ino, deadline_ns, link->what, &found);
    return rc == 0 ? cli_stat_full(session, &found, deadline_ns, link->what,
                                   link->stat_out)
                   : rc;
}

/*
 * Names that go.
 */

/* What a path that ends in dots, or is the root, gets. */
static int remove_dots(struct capstan_session *session,
                       const struct cli_remove *remove,
                       const struct cli_name *name)
{
    int rc = -EISDIR;

    if (remove->is_dir)
        rc = name->dots == 0 ? -EBUSY : name->dots == 1 ? -EINVAL : -ENOTEMPTY;
    return cli_fail(session, rc, "%s", remove->what);
}

static int unlink_call(struct capstan_session *session,
                       const struct cli_name *name, uint64_t deadline_ns,
                       const char *what)
{
    bool may_hold = cli_may_hold(session, name);
    struct cli_call call = {
        .target = cli_name_owner(session, name),
        .opcode = PROTO_OP_unlink,
        .req.unlink = {name->parent, cli_text(name), may_hold},
    };

    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, what);
    if (may_hold)
        cli_hold_begin(session, call.rep.unlink.ino, deadline_ns);
    return 0;
}

static int rmdir_call(struct capstan_session *session,
                      const struct cli_name *name, uint64_t deadline_ns,
                      const char *what)
{
    struct cli_call call = {
        .target = cli_name_owner(session, name),
        .opcode = PROTO_OP_rmdir,
        .req.rmdir = {name->parent, cli_text(name)},
    };

    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, what);
    cli_attrs_forget(session->dirs, call.rep.rmdir.ino);
    return 0;
}

int cli_remove_name(struct capstan_session *session,
                    const struct cli_name *name, uint64_t deadline_ns,
                    void *ctx)
{
    const struct cli_remove *remove = ctx;
    struct cli_found found = {.want = 0};
    int rc;

    if (name->len == 0)
        return remove_dots(session, remove, name);
    rc = cli_may_remove(session, name, deadline_ns, remove->what);
    if (rc == 0 && name->is_slashed && !remove->is_dir) {
        rc = cli_lookup(session, name, deadline_ns, remove->what, &found);
        if (rc == 0)
            rc = cli_fail(session,
                          found.inode.type == INODE_DIR ? -EISDIR : -ENOTDIR,
                          "%s", remove->what);
    }
    if (rc != 0)
        return rc;
    rc = remove->is_dir
             ? rmdir_call(session, name, deadline_ns, remove->what)
             : unlink_call(session, name, deadline_ns, remove->what);
    forget(session, name);
    return rc;
}

/*
 * Names that move.
 */

/* A directory that gets another parent has its ".." written. */
static int may_move(struct capstan_session *session,
                    const struct cli_rename *args, const struct cli_name *name,
                    const struct inode *inode)
{
    if (inode->type != INODE_DIR || args->from.parent == name->parent)
        return 0;
    return cred_may(&session->cred, inode, CRED_WRITE) == 0
               ? 0
               : cli_fail(session, -EACCES, "%s: moved directory", args->what);
}

/* The new name is made, or what it stands for goes. */
static int may_take(struct capstan_session *session,
                    const struct cli_name *name, uint64_t deadline_ns,
                    const char *what)
{
    struct inode dir;
    int rc;

    if (session->cred.is_checked || session->cred.uid == 0)
        return 0;
    rc = cli_dir_attrs(session, name->parent, deadline_ns, what, &dir);
    if (rc != 0)
        return rc;
    if (cred_may(&session->cred, &dir, CRED_EXEC | CRED_WRITE) != 0)
        return cli_fail(session, -EACCES, "%s: directory", what);
    rc = cli_may_remove(session, name, deadline_ns, what);
    return rc == -ENOENT ? 0 : rc;
}

static int rename_call(struct capstan_session *session,
                       const struct cli_rename *args,
                       const struct cli_name *name, const struct inode *inode,
                       uint64_t deadline_ns)
{
    bool may_hold = cli_may_hold(session, name);
    struct cli_call call = {
        .target = cli_name_owner(session, name),
        .opcode = PROTO_OP_rename,
        .req.rename = {.parent = name->parent,
                       .text = cli_text(name),
                       .from_parent = args->from.parent,
                       .from_text = cli_text(&args->from),
                       .ino = inode->ino,
                       .type = (uint8_t)inode->type,
                       .flags = (uint8_t)args->flags,
                       .is_held = may_hold},
    };

    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, args->what);
    if (may_hold && call.rep.rename.victim != 0)
        cli_hold_begin(session, call.rep.rename.victim, deadline_ns);
    cli_hint_put(session->dirs, name->parent, name->text, name->len,
                 inode->ino);
    return 0;
}

static int judge_rename(struct capstan_session *session,
                        const struct cli_rename *args,
                        const struct cli_name *name, uint64_t deadline_ns,
                        struct inode *inode_out)
{
    struct cli_found found = {.want = 0};
    int rc = cli_may_remove(session, &args->from, deadline_ns, args->what);

    if (rc == 0)
        rc = cli_lookup(session, &args->from, deadline_ns, args->what, &found);
    if (rc == 0)
        rc = may_take(session, name, deadline_ns, args->what);
    if (rc == 0)
        rc = may_move(session, args, name, &found.inode);
    if (rc != 0)
        return rc;
    if (found.inode.type != INODE_DIR &&
        (name->is_slashed || args->from.is_slashed))
        return cli_fail(session, -ENOTDIR, "%s", args->what);
    *inode_out = found.inode;
    return 0;
}

int cli_rename_name(struct capstan_session *session,
                    const struct cli_name *name, uint64_t deadline_ns,
                    void *ctx)
{
    struct cli_rename *args = ctx;
    char room[NAME_LEN_MAX + 1];
    struct inode inode = {.ino = 0};
    int rc = 0;

    if (args->from_path != NULL)
        rc = cli_path_parent(session, args->from_path, deadline_ns, room,
                             &args->from);
    if (rc == 0 && (name->len == 0 || args->from.len == 0))
        rc = cli_fail(session, -EBUSY, "%s", args->what);
    if (rc == 0)
        rc = judge_rename(session, args, name, deadline_ns, &inode);
    if (rc == 0)
        rc = rename_call(session, args, name, &inode, deadline_ns);
    if (rc != 0)
        return rc;
    forget(session, name);
    forget(session, &args->from);
    cli_attrs_forget(session->dirs, inode.ino);
    return 0;
}
