/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: LOOKUP at the owner of a name answers with the inode, which
 * most often is kept there too; else GETATTR at its home follows.
 *
 * Permissions of directories are judged here, from attributes that are at most
 * CLI_DIRS_TTL_NS old and always those that this session itself has set; user 0
 * and a caller that has judged already cost no question.
 *
 * Possible failure modes are: an inode number whose target is not in the
 * cluster (-ESTALE: no such inode); an entry that stands for an inode which has
 * gone in the same moment (-ENOENT).
 */
#include "client/lookup.h"

#include <string.h>

#define STICKY 01000u

static int take_found(struct capstan_session *session, struct cli_found *found,
                      const struct proto_rep_getattr *rep)
{
    const struct proto_bytes *data = &rep->data;

    found->inode = rep->inode;
    found->object_size = rep->object_size;
    found->object_mtime_ns = rep->object_mtime_ns;
    found->data_len = 0;
    if (rep->inode.type == INODE_SYMLINK) {
        if (data->len > SYMLINK_MAX)
            return -ERR_PROTOCOL;
        memcpy(session->link, data->data, data->len);
        session->link_len = data->len;
    } else if (found->data != NULL && data->len <= found->want) {
        if (data->len > 0)
            memcpy(found->data, data->data, data->len);
        found->data_len = data->len;
    }
    return 0;
}

struct take_args {
    struct capstan_session *session;
    struct cli_found *found;
};

/* The replies of LOOKUP and GETATTR are alike. */
static int take_reply(void *ctx, const union proto_rep *rep)
{
    struct take_args *args = ctx;

    return take_found(args->session, args->found, &rep->getattr);
}

int cli_getattr(struct capstan_session *session, uint64_t ino,
                uint64_t deadline_ns, const char *what,
                struct cli_found *found)
{
    struct take_args args = {session, found};
    struct cli_call call = {
        .target = cli_home(session, ino),
        .opcode = PROTO_OP_getattr,
        .req.getattr = {ino, found->want, (uint8_t)found->may,
                        cli_cred(session)},
        .take = take_reply,
        .take_ctx = &args,
    };

    if (cluster_target(session->cluster, call.target) == NULL)
        return cli_fail(session, -ESTALE, "%s: inode %016llx", what,
                        (unsigned long long)ino);
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, what);
    if (found->inode.type == INODE_DIR)
        cli_attrs_put(session->dirs, &found->inode, clock_now(session->clock));
    return 0;
}

static void remember(struct capstan_session *session,
                     const struct cli_name *name, const struct inode *inode)
{
    struct cli_dir dir = {.ino = inode->ino, .type = inode->type};
    uint64_t now = clock_now(session->clock);

    if (inode->type == INODE_SYMLINK) {
        dir.link = session->link;
        dir.link_len = session->link_len;
    }
    if (inode->type == INODE_DIR || inode->type == INODE_SYMLINK)
        cli_dirs_put(session->dirs, name->parent, name->text, name->len, &dir,
                     now);
    else
        cli_hint_put(session->dirs, name->parent, name->text, name->len,
                     inode->ino);
    if (inode->type == INODE_DIR)
        cli_attrs_put(session->dirs, inode, now);
}

int cli_lookup(struct capstan_session *session, const struct cli_name *name,
               uint64_t deadline_ns, const char *what, struct cli_found *found)
{
    struct take_args args = {session, found};
    struct cli_call call = {
        .target = cli_name_owner(session, name),
        .opcode = PROTO_OP_lookup,
        .req.lookup = {name->parent, cli_text(name), found->want,
                       (uint8_t)found->may, cli_cred(session)},
        .take = take_reply,
        .take_ctx = &args,
    };
    int rc;

    if (name->len == 0)
        return cli_getattr(session, name->parent, deadline_ns, what, found);
    if (cli_call(session, &call, deadline_ns) != 0) {
        found->is_dir_gone = call.rc == -ERR_GONE;
        rc = cli_call_fail(session, &call, what);
        return found->is_dir_gone ? -ENOENT : rc;
    }
    if (call.rep.lookup.is_away) {
        rc = cli_getattr(session, found->inode.ino, deadline_ns, what, found);
        if (rc != 0)
            return rc == -ESTALE ? -ENOENT : rc;
    }
    remember(session, name, &found->inode);
    return 0;
}

/*
 * Directories.
 */

int cli_dir_attrs(struct capstan_session *session, uint64_t dir,
                  uint64_t deadline_ns, const char *what,
                  struct inode *inode_out)
{
    struct cli_found found = {.want = 0};
    int rc;

    if (cli_attrs_find(session->dirs, dir, clock_now(session->clock),
                       inode_out))
        return 0;
    rc = cli_getattr(session, dir, deadline_ns, what, &found);
    if (rc != 0)
        return rc;
    if (found.inode.type != INODE_DIR)
        return cli_fail(session, -ENOTDIR, "%s", what);
    *inode_out = found.inode;
    return 0;
}

static bool is_free(const struct capstan_session *session)
{
    return session->cred.is_checked || session->cred.uid == 0;
}

static int refuse(struct capstan_session *session, int rc, const char *what)
{
    return rc == 0 ? 0 : cli_fail(session, rc, "%s: directory", what);
}

int cli_may_search(struct capstan_session *session, uint64_t dir,
                   uint64_t deadline_ns, const char *what)
{
    struct inode inode;
    int rc;

    if (is_free(session))
        return 0;
    rc = cli_dir_attrs(session, dir, deadline_ns, what, &inode);
    if (rc != 0)
        return rc;
    return refuse(session, cred_may(&session->cred, &inode, CRED_EXEC), what);
}

/* A refusal gives way to what a look would have told first. */
static int look_first(struct capstan_session *session,
                      const struct cli_name *name, uint64_t deadline_ns,
                      const char *what, const struct inode *dir, int if_there)
{
    struct cli_found found = {.want = 0};
    int rc = cred_may(&session->cred, dir, CRED_EXEC);

    if (rc == 0)
        rc = cli_lookup(session, name, deadline_ns, what, &found);
    if (rc == 0)
        return cli_fail(session, if_there, "%s", what);
    return rc == -ENOENT && if_there != -EACCES
               ? refuse(session, -EACCES, what)
               : refuse(session, rc, what);
}

int cli_may_insert(struct capstan_session *session, const struct cli_name *name,
                   uint64_t deadline_ns, const char *what,
                   struct inode *dir_out)
{
    int rc = cli_dir_attrs(session, name->parent, deadline_ns, what, dir_out);

    if (rc != 0)
        return rc;
    if (cred_may(&session->cred, dir_out, CRED_EXEC | CRED_WRITE) == 0)
        return 0;
    return look_first(session, name, deadline_ns, what, dir_out, -EEXIST);
}

/* In a sticky directory only the owners of file and directory remove. */
static int check_sticky(struct capstan_session *session,
                        const struct cli_name *name, uint64_t deadline_ns,
                        const char *what, const struct inode *dir)
{
    struct cli_found found = {.want = 0};
    int rc;

    if (!(dir->mode & STICKY) || cred_owns(&session->cred, dir))
        return 0;
    rc = cli_lookup(session, name, deadline_ns, what, &found);
    if (rc != 0 || cred_owns(&session->cred, &found.inode))
        return rc;
    return cli_fail(session, -EPERM, "%s: sticky directory", what);
}

int cli_may_remove(struct capstan_session *session, const struct cli_name *name,
                   uint64_t deadline_ns, const char *what)
{
    struct inode dir;
    int rc;

    if (is_free(session))
        return 0;
    rc = cli_dir_attrs(session, name->parent, deadline_ns, what, &dir);
    if (rc != 0)
        return rc;
    if (cred_may(&session->cred, &dir, CRED_EXEC | CRED_WRITE) != 0)
        return look_first(session, name, deadline_ns, what, &dir, -EACCES);
    return check_sticky(session, name, deadline_ns, what, &dir);
}
