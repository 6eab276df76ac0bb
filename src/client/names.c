/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on names.
 *
 * The happy path: the parent is resolved (path.c), then one call goes to the
 * target that owns the name. Sizes of striped files are asked of their columns
 * (size.c).
 *
 * Possible failure modes are the server's words: each becomes the call's text
 * together with path and target. The root has no record: it is answered here.
 */
#include "client/names.h"

#include "client/call.h"
#include "client/path.h"
#include "client/size.h"

#include <string.h>

#define MODE_DIR_DEFAULT 0755u
#define MODE_MASK 07777u

void cli_stat_set(struct capstan_stat *stat, const struct inode *inode,
                  uint64_t size, uint64_t mtime_ns)
{
    memset(stat, 0, sizeof(*stat));
    stat->ino = inode->ino;
    stat->type = inode->type == INODE_DIR ? CAPSTAN_DIRECTORY : CAPSTAN_FILE;
    stat->mode = inode->mode;
    stat->uid = inode->uid;
    stat->gid = inode->gid;
    stat->nlink = inode->type == INODE_DIR ? 2 : 1;
    stat->size = size;
    stat->atime_ns = inode->atime_ns;
    stat->mtime_ns = mtime_ns;
    stat->ctime_ns = inode->ctime_ns;
    stat->stripe_size = inode->layout.stripe_size;
    stat->width = inode->layout.width;
    stat->is_striped = inode->layout.is_striped;
}

static void stat_root(struct capstan_stat *stat)
{
    memset(stat, 0, sizeof(*stat));
    stat->ino = INO_ROOT;
    stat->type = CAPSTAN_DIRECTORY;
    stat->mode = MODE_DIR_DEFAULT;
    stat->nlink = 2;
}

struct stat_args {
    const char *path;
    struct capstan_stat *stat_out;
};

static int stat_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    struct stat_args *args = ctx;
    struct cli_size size = {.name = *name};
    int rc;

    if (name->len == 0) {
        stat_root(args->stat_out);
        return 0;
    }
    rc = cli_size_run(session, &size, deadline_ns, args->path);
    if (rc == 0)
        cli_stat_set(args->stat_out, &size.inode, size.size, size.mtime_ns);
    return rc;
}

int capstan_stat(struct capstan_session *session, const char *path,
                 struct capstan_stat *stat_out)
{
    struct stat_args args = {path, stat_out};
    int rc = cli_enter(session);

    return rc != 0 ? rc : cli_path_act(session, "stat", path, stat_name, &args);
}

/* mkdir, rmdir and unlink: one call about (parent, text). */
struct change {
    uint16_t opcode;
    const char *path;
    uint32_t mode;
    int root_rc; /* the answer when the name is the root */
};

static void change_init(const struct capstan_session *session,
                        const struct change *change,
                        const struct cli_name *name, struct cli_call *call)
{
    struct proto_bytes text = {(const uint8_t *)name->text,
                               (uint32_t)name->len};

    memset(call, 0, sizeof(*call));
    call->target = cli_name_owner(session, name);
    call->opcode = change->opcode;
    if (change->opcode == PROTO_OP_mkdir) {
        call->req.mkdir.parent = name->parent;
        call->req.mkdir.text = text;
        call->req.mkdir.mode = change->mode;
        call->req.mkdir.uid = session->uid;
        call->req.mkdir.gid = session->gid;
    } else if (change->opcode == PROTO_OP_rmdir) {
        call->req.rmdir.parent = name->parent;
        call->req.rmdir.text = text;
    } else {
        call->req.unlink.parent = name->parent;
        call->req.unlink.text = text;
    }
}

static int change_name(struct capstan_session *session,
                       const struct cli_name *name, uint64_t deadline_ns,
                       void *ctx)
{
    const struct change *change = ctx;
    struct cli_call call;

    if (name->len == 0)
        return cli_fail(session, change->root_rc, "%s", change->path);
    change_init(session, change, name, &call);
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, change->path);
    return 0;
}

/* There are no symbolic links yet. */
int capstan_lstat(struct capstan_session *session, const char *path,
                  struct capstan_stat *stat_out)
{
    return capstan_stat(session, path, stat_out);
}

int capstan_mkdir(struct capstan_session *session, const char *path,
                  uint32_t mode)
{
    struct change change = {PROTO_OP_mkdir, path, mode & MODE_MASK, -EEXIST};
    int rc = cli_enter(session);

    if (change.mode == 0)
        change.mode = MODE_DIR_DEFAULT;
    return rc != 0 ? rc
                   : cli_path_act(session, "mkdir", path, change_name, &change);
}

int capstan_rmdir(struct capstan_session *session, const char *path)
{
    struct change change = {PROTO_OP_rmdir, path, 0, -EBUSY};
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    rc = cli_path_act(session, "rmdir", path, change_name, &change);
    cli_dirs_drop(session->dirs);
    return rc;
}

int capstan_unlink(struct capstan_session *session, const char *path)
{
    struct change change = {PROTO_OP_unlink, path, 0, -EISDIR};
    int rc = cli_enter(session);

    return rc != 0
               ? rc
               : cli_path_act(session, "unlink", path, change_name, &change);
}
