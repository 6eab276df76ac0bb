/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files: everything but reading and writing.
 *
 * The happy path: open is one LOOKUP or CREATE at the owner of the name, whose
 * answer holds the layout. Size, truncate and sync look the record up again,
 * since another client may have marked it striped meanwhile, and then ask every
 * column at once.
 *
 * Possible failure modes are: the file was removed (its name is gone or stands
 * for another inode: -ESTALE); one column fails (the others were done; the
 * caller may repeat: all these operations are idempotent).
 */
#include "client/file.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/io.h"
#include "client/lock.h"
#include "client/size.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define MODE_FILE_DEFAULT 0644u
#define MODE_MASK 07777u

int cli_layout_known(const struct capstan_session *session,
                     const struct layout *layout)
{
    unsigned i;

    for (i = 0; i < layout->width; i++)
        if (cluster_target(session->cluster, layout->targets[i]) == NULL)
            return -ERR_CLUSTER;
    return 0;
}

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

struct open_args {
    struct capstan_file *file; /* filled on success */
    const struct capstan_layout *layout;
    bool is_new;
};

static void create_init(const struct capstan_session *session,
                        const struct open_args *args,
                        const struct cli_name *name, struct cli_call *call)
{
    const struct capstan_layout *layout = args->layout;
    struct proto_req_create *req = &call->req.create;
    uint32_t mode = layout != NULL ? layout->mode & MODE_MASK : 0;

    memset(call, 0, sizeof(*call));
    call->target = cli_name_owner(session, name);
    call->opcode = PROTO_OP_create;
    req->parent = name->parent;
    req->text.data = (const uint8_t *)name->text;
    req->text.len = (uint32_t)name->len;
    req->mode = mode != 0 ? mode : MODE_FILE_DEFAULT;
    req->uid = session->uid;
    req->gid = session->gid;
    req->is_exclusive = (args->file->flags & CAPSTAN_OPEN_EXCL) != 0;
    if (layout == NULL)
        return;
    req->stripe_size = layout->stripe_size;
    req->width = layout->width;
    if (req->width > session->cluster->ntargets)
        req->width = (uint16_t)session->cluster->ntargets;
    if (req->width > LAYOUT_WIDTH_MAX)
        req->width = LAYOUT_WIDTH_MAX;
}

static int open_name(struct capstan_session *session,
                     const struct cli_name *name, uint64_t deadline_ns,
                     void *ctx)
{
    struct open_args *args = ctx;
    struct capstan_file *file = args->file;
    bool is_create = (file->flags & CAPSTAN_OPEN_CREATE) != 0;
    const struct inode *inode;
    char what[CAPSTAN_ERROR_TEXT_MAX];
    struct cli_call call;

    if (name->len == 0)
        return cli_fail(session, -EISDIR, "%s", file->path);
    if (is_create)
        create_init(session, args, name, &call);
    else
        cli_lookup_init(session, name, &call);
    if (cli_call(session, &call, deadline_ns) != 0) {
        snprintf(what, sizeof(what), "open %s", file->path);
        return cli_call_fail(session, &call, what);
    }
    inode = is_create ? &call.rep.create.inode : &call.rep.lookup.inode;
    if (inode->type != INODE_FILE)
        return cli_fail(session, -EISDIR, "%s", file->path);
    if (cli_layout_known(session, &inode->layout) != 0)
        return cli_fail(session, -ERR_CLUSTER, "%s: layout", file->path);
    args->is_new = is_create && call.rep.create.is_new;
    memcpy(file->name_text, name->text, name->len);
    file->name = *name;
    file->name.text = file->name_text;
    file->inode = *inode;
    return 0;
}

int capstan_file_open(struct capstan_session *session, const char *path,
                      unsigned flags, const struct capstan_layout *layout,
                      struct capstan_file **file_out)
{
    struct open_args args = {.layout = layout};
    struct capstan_file *file;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    rc = check_open(flags, layout);
    if (rc != 0)
        return cli_fail(session, rc, "open %s: flags or layout", path);
    file = mem_calloc(1, sizeof(*file) + strlen(path) + 1);
    if (file == NULL)
        return cli_fail(session, -ENOMEM, "open %s", path);
    memcpy(file->path, path, strlen(path) + 1);
    file->session = session;
    file->flags = flags;
    args.file = file;
    rc = cli_path_act(session, "open", path, open_name, &args);
    if (rc == 0 && (flags & CAPSTAN_OPEN_TRUNCATE) && !args.is_new)
        rc = capstan_file_truncate(file, 0);
    if (rc != 0)
        goto err_open;
    DL_APPEND(session->files, file);
    *file_out = file;
    return 0;

err_open:
    free(file);
    return rc;
}

void cli_files_abandon(struct capstan_session *session)
{
    struct capstan_file *file, *next;

    DL_FOREACH_SAFE(session->files, file, next)
    {
        DL_DELETE(session->files, file);
        free(file);
    }
}

int capstan_file_close(struct capstan_file **file_p)
{
    struct capstan_file *file = *file_p;
    struct capstan_session *session;
    int rc;

    if (file == NULL)
        return 0;
    session = file->session;
    *file_p = NULL;
    rc = cli_enter(session);
    while (rc == 0 && file->active > 0)
        cli_turn(session, cli_deadline(session));
    if (rc == 0)
        cli_locks_abandon(session, file);
    if (rc == 0 && file->is_dirty)
        rc = capstan_file_sync(file);
    if (rc == -ESTALE) /* removed while open: nothing to keep */
        rc = 0;
    DL_DELETE(session->files, file);
    free(file);
    return rc;
}

/* The record as it is now; *size_out may be NULL: then columns are not asked.
 */
static int refresh(struct capstan_file *file, uint64_t deadline_ns,
                   uint64_t *size_out)
{
    struct capstan_session *session = file->session;
    struct cli_size size = {.name = file->name, .ino = file->inode.ino};
    int rc;

    if (size_out != NULL) {
        rc = cli_size_run(session, &size, deadline_ns, file->path);
    } else {
        cli_lookup_init(session, &file->name, &size.lookup);
        rc = cli_call(session, &size.lookup, deadline_ns);
        size.inode = size.lookup.rep.lookup.inode;
        if (rc != 0)
            cli_call_fail(session, &size.lookup, file->path);
    }
    if (rc == -ENOENT || (rc == 0 && size.inode.ino != file->inode.ino))
        rc = cli_fail(session, -ESTALE, "%s: removed", file->path);
    if (rc != 0)
        return rc;
    file->inode = size.inode;
    if (size_out != NULL)
        *size_out = size.size;
    return 0;
}

int capstan_file_size(struct capstan_file *file, uint64_t *size_out)
{
    struct capstan_session *session = file->session;
    int rc = cli_enter(session);

    return rc != 0 ? rc : refresh(file, cli_deadline(session), size_out);
}

void cli_set_striped_init(const struct capstan_file *file,
                          struct cli_call *call)
{
    memset(call, 0, sizeof(*call));
    call->target = cli_name_owner(file->session, &file->name);
    call->opcode = PROTO_OP_set_striped;
    call->req.set_striped.parent = file->name.parent;
    call->req.set_striped.text.data = (const uint8_t *)file->name.text;
    call->req.set_striped.text.len = (uint32_t)file->name.len;
    call->req.set_striped.ino = file->inode.ino;
}

static int set_striped(struct capstan_file *file, uint64_t deadline_ns)
{
    struct cli_call call;

    cli_set_striped_init(file, &call);
    if (cli_call(file->session, &call, deadline_ns) != 0)
        return cli_call_fail(file->session, &call, file->path);
    file->inode.layout.is_striped = true;
    return 0;
}

static void column_init(const struct capstan_file *file, unsigned column,
                        uint16_t opcode, uint64_t size, struct cli_call *call)
{
    const struct layout *layout = &file->inode.layout;

    call->target = layout->targets[column];
    call->opcode = opcode;
    if (opcode == PROTO_OP_obj_sync) {
        call->req.obj_sync.ino = file->inode.ino;
        return;
    }
    call->req.obj_truncate.ino = file->inode.ino;
    call->req.obj_truncate.size = layout_object_size(
        layout->stripe_size, layout_columns(layout), column, size);
}

/* Ask every column that holds bytes at once: obj_sync, or obj_truncate to the
 * column's part of `size`. */
static int ask_columns(struct capstan_file *file, uint16_t opcode,
                       uint64_t size, uint64_t deadline_ns)
{
    unsigned n = layout_columns(&file->inode.layout);
    struct cli_call *calls = mem_calloc(n, sizeof(*calls));
    struct cli_call *failed;
    unsigned i;
    int rc;

    if (calls == NULL)
        return cli_fail(file->session, -ENOMEM, "%s", file->path);
    for (i = 0; i < n; i++) {
        column_init(file, i, opcode, size, &calls[i]);
        cli_call_start(file->session, &calls[i], deadline_ns);
    }
    rc = cli_calls_wait(file->session, calls, n, deadline_ns, &failed);
    if (rc != 0)
        cli_call_fail(file->session, failed, file->path);
    free(calls);
    return rc;
}

int capstan_file_truncate(struct capstan_file *file, uint64_t size)
{
    struct capstan_session *session = file->session;
    uint64_t deadline = cli_deadline(session);
    const struct layout *layout = &file->inode.layout;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (!(file->flags & CAPSTAN_OPEN_WRITE))
        return cli_fail(session, -EBADF, "truncate %s", file->path);
    if (size > INT64_MAX)
        return cli_fail(session, -EFBIG, "truncate %s", file->path);
    rc = refresh(file, deadline, NULL);
    if (rc == 0 && !layout->is_striped && layout->width > 1 &&
        size > layout->stripe_size)
        rc = set_striped(file, deadline);
    if (rc == 0)
        rc = ask_columns(file, PROTO_OP_obj_truncate, size, deadline);
    if (rc == 0)
        file->is_dirty = true;
    return rc;
}

int capstan_file_sync(struct capstan_file *file)
{
    uint64_t deadline = cli_deadline(file->session);
    int rc = cli_enter(file->session);

    if (rc == 0)
        rc = refresh(file, deadline, NULL);
    if (rc == 0)
        rc = ask_columns(file, PROTO_OP_obj_sync, 0, deadline);
    if (rc == 0)
        file->is_dirty = false;
    return rc;
}

uint64_t capstan_file_ino(const struct capstan_file *file)
{
    return file->inode.ino;
}

void capstan_file_layout(const struct capstan_file *file,
                         struct capstan_file_layout *layout_out)
{
    const struct layout *layout = &file->inode.layout;

    layout_out->stripe_size = layout->stripe_size;
    layout_out->width = layout->width;
    layout_out->is_striped = layout->is_striped;
    layout_out->targets = layout->targets;
}
