/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening files, by path and by number.
 *
 * The happy path: one LOOKUP or CREATE at the owner of the name, or one GETATTR
 * at the inode's home, whose answer holds the layout; the home has judged
 * whether the identity may read or write.
 *
 * Possible failure modes are: a directory that may not be written, though the
 * file is there already (it is looked up instead); a symbolic link (followed,
 * also by a creating open whose link leads nowhere yet).
 */
#include "client/file.h"

#include "base/mem.h"
#include "client/names.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SET_ID 06000u

struct open_args {
    struct capstan_file *file; /* filled on success */
    const struct capstan_layout *layout;
    struct cli_found found;
    bool is_new;
};

static int check_open(unsigned flags, const struct capstan_layout *layout)
{
    if ((flags & (CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE)) == 0)
        return -EINVAL;
    if ((flags & CAPSTAN_OPEN_EXCL) && !(flags & CAPSTAN_OPEN_CREATE))
        return -EINVAL;
    if ((flags & CAPSTAN_OPEN_TRUNCATE) && !(flags & CAPSTAN_OPEN_WRITE))
        return -EINVAL;
    if (layout != NULL && (layout->stripe_size % STRIPE_SIZE_MIN != 0 ||
                           layout->stripe_size > STRIPE_SIZE_MAX))
        return -EINVAL;
    return 0;
}

static unsigned may_of(unsigned flags)
{
    return (flags & CAPSTAN_OPEN_READ ? CRED_READ : 0) |
           (flags & CAPSTAN_OPEN_WRITE ? CRED_WRITE : 0);
}

static void set_layout(const struct capstan_session *session,
                       const struct capstan_layout *layout,
                       struct proto_req_create *req)
{
    if (layout == NULL)
        return;
    req->stripe_size = layout->stripe_size;
    req->width = layout->width;
    if (req->width > session->cluster->ntargets)
        req->width = (uint16_t)session->cluster->ntargets;
    if (req->width > LAYOUT_WIDTH_MAX)
        req->width = LAYOUT_WIDTH_MAX;
}

static void create_init(const struct capstan_session *session,
                        const struct open_args *args,
                        const struct cli_name *name, const struct inode *dir,
                        struct cli_call *call)
{
    const struct capstan_layout *layout = args->layout;
    uint32_t mode = layout != NULL ? layout->mode & CLI_MODE_MASK : 0;
    struct inode inode = {.type = INODE_FILE,
                          .mode = mode != 0 ? mode : CLI_MODE_FILE,
                          .uid = session->cred.uid,
                          .gid = session->cred.gid};

    cred_inherit(dir, &inode);
    *call = (struct cli_call){
        .target = cli_name_owner(session, name),
        .opcode = PROTO_OP_create,
        .req.create =
            {
                .parent = name->parent,
                .text = cli_text(name),
                .mode = inode.mode,
                .uid = inode.uid,
                .gid = inode.gid,
                .is_exclusive = (args->file->flags & CAPSTAN_OPEN_EXCL) != 0,
                .may = (uint8_t)may_of(args->file->flags),
                .cred = cli_cred(session),
            },
    };
    set_layout(session, layout, &call->req.create);
}

/* What was found: a file that may be opened, or what else to do. */
static int judge(struct capstan_session *session, struct open_args *args)
{
    struct capstan_file *file = args->file;
    const struct inode *inode = &args->found.inode;

    if (inode->type == INODE_SYMLINK)
        return file->flags & CAPSTAN_OPEN_NOFOLLOW
                   ? cli_fail(session, -ELOOP, "%s", file->path)
                   : CLI_LINK;
    if (inode->type != INODE_FILE)
        return cli_fail(session, inode->type == INODE_DIR ? -EISDIR : -EINVAL,
                        "%s", file->path);
    if (inode->layout.width == 0)
        return cli_fail(session, -ERR_PROTOCOL, "%s: layout", file->path);
    if (cli_layout_known(session, &inode->layout) != 0)
        return cli_fail(session, -ERR_CLUSTER, "%s: layout", file->path);
    file->inode = *inode;
    return 0;
}

static int open_there(struct capstan_session *session, struct open_args *args,
                      const struct cli_name *name, uint64_t deadline_ns)
{
    int rc;

    args->found.may = may_of(args->file->flags);
    rc = cli_lookup(session, name, deadline_ns, args->file->path,
                    &args->found);
    if (rc != 0)
        return rc;
    if (name->is_slashed && args->found.inode.type == INODE_FILE)
        return cli_fail(session, -ENOTDIR, "%s", args->file->path);
    return judge(session, args);
}

static int create_call(struct capstan_session *session, struct open_args *args,
                       const struct cli_name *name, const struct inode *dir,
                       uint64_t deadline_ns)
{
    const struct proto_rep_create *rep;
    struct cli_call call;

    create_init(session, args, name, dir, &call);
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, args->file->path);
    rep = &call.rep.create;
    args->is_new = rep->is_new;
    args->found.inode = rep->inode;
    if (rep->is_away || rep->inode.type == INODE_SYMLINK)
        return open_there(session, args, name, deadline_ns);
    cli_hint_put(session->dirs, name->parent, name->text, name->len,
                 rep->inode.ino);
    return judge(session, args);
}

static int create_there(struct capstan_session *session,
                        struct open_args *args, const struct cli_name *name,
                        uint64_t deadline_ns)
{
    bool is_exclusive = (args->file->flags & CAPSTAN_OPEN_EXCL) != 0;
    struct inode dir;
    int rc;

    if (name->len == 0 || name->is_slashed)
        return cli_fail(session, -EISDIR, "%s", args->file->path);
    rc = cli_may_insert(session, name, deadline_ns, args->file->path, &dir);
    if (rc == -EEXIST && !is_exclusive)
        return open_there(session, args, name, deadline_ns);
    return rc == 0 ? create_call(session, args, name, &dir, deadline_ns) : rc;
}

static int open_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    struct open_args *args = ctx;

    return args->file->flags & CAPSTAN_OPEN_CREATE
               ? create_there(session, args, name, deadline_ns)
               : open_there(session, args, name, deadline_ns);
}

static struct capstan_file *file_new(struct capstan_session *session,
                                     const char *path, unsigned flags)
{
    struct capstan_file *file = mem_calloc(1, sizeof(*file) + strlen(path) + 1);

    if (file == NULL) {
        cli_fail(session, -ENOMEM, "open %s", path);
        return NULL;
    }
    memcpy(file->path, path, strlen(path) + 1);
    file->session = session;
    file->flags = flags;
    return file;
}

/* Only a whole file, which this opening found as it is, counts. */
static void keep_ahead(const struct capstan_session *session,
                       const struct open_args *args)
{
    const struct cli_found *found = &args->found;
    struct capstan_file *file = args->file;

    if (file->ahead == NULL)
        return;
    if ((file->flags & (CAPSTAN_OPEN_CREATE | CAPSTAN_OPEN_TRUNCATE)) ||
        found->inode.layout.is_striped ||
        found->object_size != found->data_len ||
        found->data_len == CLI_AHEAD_MAX) {
        free(file->ahead);
        file->ahead = NULL;
        return;
    }
    file->ahead_len = found->data_len;
    file->ahead_until_ns = clock_now(session->clock) + CLI_DIRS_TTL_NS;
}

/* The name was opened, or not: the file joins the session, or goes. */
static int finish(struct capstan_session *session, struct open_args *args,
                  int rc, struct capstan_file **file_out)
{
    struct capstan_file *file = args->file;

    if (rc == 0 && (file->flags & CAPSTAN_OPEN_TRUNCATE) && !args->is_new)
        rc = capstan_file_truncate(file, 0);
    if (rc != 0) {
        free(file->ahead);
        free(file);
        return rc;
    }
    keep_ahead(session, args);
    DL_APPEND(session->files, file);
    *file_out = file;
    return 0;
}

/* Check flags and make the file. */
static int prepare(struct capstan_session *session, const char *path,
                   unsigned flags, struct open_args *args)
{
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    rc = check_open(flags, args->layout);
    if (rc != 0)
        return cli_fail(session, rc, "open %s: flags or layout", path);
    args->file = file_new(session, path, flags);
    if (args->file == NULL)
        return -ENOMEM;
    if ((flags & CAPSTAN_OPEN_AHEAD) && (flags & CAPSTAN_OPEN_READ))
        args->file->ahead = mem_calloc(1, CLI_AHEAD_MAX);
    args->found.data = args->file->ahead;
    args->found.want = args->file->ahead != NULL ? CLI_AHEAD_MAX : 0;
    return 0;
}

/* Those that open by number mind this themselves: they write for many users. */
static void mind_set_id(const struct capstan_session *session,
                        struct open_args *args)
{
    args->file->is_set_id = (args->found.inode.mode & SET_ID) != 0 &&
                            !session->cred.is_checked && session->cred.uid != 0;
}

int capstan_file_open(struct capstan_session *session, const char *path,
                      unsigned flags, const struct capstan_layout *layout,
                      struct capstan_file **file_out)
{
    struct open_args args = {.layout = layout};
    int rc = prepare(session, path, flags, &args);

    if (rc != 0)
        return rc;
    rc = cli_path_act(session, "open", path, open_name, &args);
    if (rc == 0)
        mind_set_id(session, &args);
    return finish(session, &args, rc, file_out);
}

int capstan_create_at(struct capstan_session *session, uint64_t dir,
                      const char *name, unsigned flags,
                      const struct capstan_layout *layout,
                      struct capstan_file **file_out,
                      struct capstan_stat *stat_out)
{
    struct open_args args = {.layout = layout};
    int rc = prepare(session, name,
                     flags | CAPSTAN_OPEN_CREATE | CAPSTAN_OPEN_NOFOLLOW,
                     &args);

    if (rc != 0)
        return rc;
    rc = cli_name_act(session, "open", dir, name, open_name, &args);
    rc = finish(session, &args, rc, file_out);
    if (rc != 0)
        return rc;
    if (args.is_new)
        cli_stat_set(stat_out, &args.found.inode, 0);
    else if (stat_out != NULL)
        rc = capstan_inode_stat(session, args.found.inode.ino, stat_out);
    return rc;
}

int capstan_inode_open(struct capstan_session *session, uint64_t ino,
                       unsigned flags, struct capstan_file **file_out,
                       struct capstan_stat *stat_out)
{
    struct open_args args = {.layout = NULL};
    uint64_t deadline = cli_deadline(session);
    int rc = prepare(session, "inode",
                     (flags & ~(unsigned)CAPSTAN_OPEN_CREATE) |
                         CAPSTAN_OPEN_NOFOLLOW,
                     &args);

    if (rc != 0)
        return rc;
    args.found.may = may_of(flags);
    rc = cli_getattr(session, ino, deadline, "open", &args.found);
    if (rc == 0)
        rc = judge(session, &args);
    rc = finish(session, &args, rc, file_out);
    if (rc != 0 || stat_out == NULL)
        return rc;
    if (flags & CAPSTAN_OPEN_TRUNCATE)
        return capstan_inode_stat(session, ino, stat_out);
    return cli_stat_full(session, &args.found, deadline, "open", stat_out);
}

struct capstan_opened {
    struct inode inode;
};

int cli_opened(const struct inode *inode, struct capstan_opened **opened_out)
{
    struct capstan_opened *opened = mem_calloc(1, sizeof(*opened));

    if (opened == NULL)
        return -ENOMEM;
    opened->inode = *inode;
    *opened_out = opened;
    return 0;
}

int capstan_file_opened(const struct capstan_file *file,
                        struct capstan_opened **opened_out)
{
    return cli_opened(&file->inode, opened_out);
}

int capstan_opened_may(const struct capstan_session *session,
                       const struct capstan_opened *opened, unsigned flags)
{
    return cred_may(&session->cred, &opened->inode, may_of(flags));
}

void capstan_opened_free(struct capstan_opened **opened_p)
{
    free(*opened_p);
    *opened_p = NULL;
}

/* Since then the file may have been striped, as may happen to any open file. */
int capstan_opened_open(struct capstan_session *session,
                        const struct capstan_opened *opened, unsigned flags,
                        struct capstan_file **file_out)
{
    struct open_args args = {.layout = NULL};
    int rc = prepare(
        session, "inode",
        flags & (CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE | CAPSTAN_OPEN_NOSYNC),
        &args);

    if (rc != 0)
        return rc;
    args.found.inode = opened->inode;
    return finish(session, &args, judge(session, &args), file_out);
}
