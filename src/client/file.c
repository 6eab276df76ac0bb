/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files: everything but opening, reading and writing.
 *
 * The happy path: size, truncate and sync ask the inode's home, since another
 * client may have marked the file striped meanwhile, and then every column at
 * once.
 *
 * Possible failure modes are: the file was removed (its inode is gone:
 * -ESTALE); one column fails (the others were done; the caller may repeat: all
 * these operations are idempotent).
 */
#include "client/file.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/hold.h"
#include "client/io.h"
#include "client/lock.h"
#include "client/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

int cli_layout_known(const struct capstan_session *session,
                     const struct layout *layout)
{
    unsigned i;

    for (i = 0; i < layout->width; i++)
        if (cluster_target(session->cluster, layout->targets[i]) == NULL)
            return -ERR_CLUSTER;
    return 0;
}

void cli_files_abandon(struct capstan_session *session)
{
    struct capstan_file *file, *next;

    DL_FOREACH_SAFE(session->files, file, next)
    {
        DL_DELETE(session->files, file);
        free(file->ahead);
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
    if (rc == 0 && file->is_dirty && !(file->flags & CAPSTAN_OPEN_NOSYNC))
        rc = capstan_file_sync(file);
    if (rc == -ESTALE) /* removed while open: nothing to keep */
        rc = 0;
    DL_DELETE(session->files, file);
    if (cli_is_ours(session))
        cli_hold_end(session, file->inode.ino);
    free(file->ahead);
    free(file);
    return rc;
}

int capstan_file_size(struct capstan_file *file, uint64_t *size_out)
{
    struct capstan_session *session = file->session;
    struct cli_size size = {.ino = file->inode.ino};
    int rc = cli_enter(session);

    if (rc == 0)
        rc = cli_size_run(session, &size, cli_deadline(session), file->path);
    if (rc != 0)
        return rc;
    file->inode = size.inode;
    *size_out = size.size;
    return 0;
}

static void striped_init(const struct capstan_session *session, uint64_t ino,
                         struct cli_call *call)
{
    memset(call, 0, sizeof(*call));
    call->target = cli_home(session, ino);
    call->opcode = PROTO_OP_set_striped;
    call->req.set_striped.ino = ino;
}

void cli_set_striped_init(const struct capstan_file *file,
                          struct cli_call *call)
{
    striped_init(file->session, file->inode.ino, call);
}

static int set_striped(struct capstan_session *session, struct inode *inode,
                       uint64_t deadline_ns, const char *what)
{
    struct cli_call call;

    striped_init(session, inode->ino, &call);
    if (cli_call(session, &call, deadline_ns) != 0)
        return cli_call_fail(session, &call, what);
    inode->layout.is_striped = true;
    return 0;
}

/* What all columns are asked: obj_sync, obj_truncate to each one's part of
 * `size`, or obj_allocate of its part of what lies between `from` and `size`. */
struct ask {
    uint16_t opcode;
    bool keeps_size;
    uint64_t from;
    uint64_t size;
};

static uint64_t column_size(const struct layout *layout, unsigned column,
                            uint64_t size)
{
    return layout_object_size(layout->stripe_size, layout_columns(layout),
                              column, size);
}

static void column_init(const struct inode *inode, unsigned column,
                        const struct ask *ask, struct cli_call *call)
{
    const struct layout *layout = &inode->layout;
    uint64_t from = column_size(layout, column, ask->from);
    uint64_t size = column_size(layout, column, ask->size);

    call->target = layout->targets[column];
    call->opcode = ask->opcode;
    if (ask->opcode == PROTO_OP_obj_sync)
        call->req.obj_sync.ino = inode->ino;
    else if (ask->opcode == PROTO_OP_obj_truncate)
        call->req.obj_truncate =
            (struct proto_req_obj_truncate){inode->ino, size, PROTO_RESIZE};
    else
        call->req.obj_allocate = (struct proto_req_obj_allocate){
            inode->ino, from, size - from, ask->keeps_size};
}

/* Ask every column that holds bytes at once. */
static int ask_columns(struct capstan_session *session,
                       const struct inode *inode, const struct ask *ask,
                       uint64_t deadline_ns, const char *what)
{
    unsigned n = layout_columns(&inode->layout);
    struct cli_call *calls = mem_calloc(n, sizeof(*calls));
    struct cli_call *failed;
    unsigned i;
    int rc;

    if (calls == NULL)
        return cli_fail(session, -ENOMEM, "%s", what);
    for (i = 0; i < n; i++) {
        column_init(inode, i, ask, &calls[i]);
        cli_call_start(session, &calls[i], deadline_ns);
    }
    rc = cli_calls_wait(session, calls, n, deadline_ns, &failed);
    if (rc != 0)
        cli_call_fail(session, failed, what);
    free(calls);
    return rc;
}

static int resize(struct capstan_session *session, struct inode *inode,
                  const struct ask *ask, uint64_t deadline_ns, const char *what)
{
    const struct layout *layout = &inode->layout;
    int rc = 0;

    cli_ahead_drop(session, inode->ino);
    if (!layout->is_striped && layout->width > 1 &&
        ask->size > layout->stripe_size)
        rc = set_striped(session, inode, deadline_ns, what);
    if (rc == 0)
        rc = ask_columns(session, inode, ask, deadline_ns, what);
    return rc;
}

int cli_resize(struct capstan_session *session, struct inode *inode,
               uint64_t size, uint64_t deadline_ns, const char *what)
{
    const struct ask ask = {.opcode = PROTO_OP_obj_truncate, .size = size};

    return resize(session, inode, &ask, deadline_ns, what);
}

void cli_set_id_drop(struct capstan_file *file)
{
    struct inode inode; /* the layout is minded elsewhere */

    file->is_set_id =
        cli_touch(file->session, file->inode.ino, cli_deadline(file->session),
                  file->path, &inode) != 0;
}

static int change_size(struct capstan_file *file, const struct ask *ask,
                       const char *what)
{
    struct capstan_session *session = file->session;
    uint64_t deadline = cli_deadline(session);
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (!(file->flags & CAPSTAN_OPEN_WRITE))
        return cli_fail(session, -EBADF, "%s %s", what, file->path);
    if (ask->size > INT64_MAX)
        return cli_fail(session, -EFBIG, "%s %s", what, file->path);
    rc =
        cli_touch(session, file->inode.ino, deadline, file->path, &file->inode);
    if (rc == 0)
        rc = resize(session, &file->inode, ask, deadline, file->path);
    if (rc == 0)
        file->is_dirty = true;
    return rc;
}

int capstan_file_truncate(struct capstan_file *file, uint64_t size)
{
    const struct ask ask = {.opcode = PROTO_OP_obj_truncate, .size = size};

    return change_size(file, &ask, "truncate");
}

int capstan_file_allocate(struct capstan_file *file, uint64_t offset,
                          uint64_t length, unsigned flags)
{
    const struct ask ask = {
        .opcode = PROTO_OP_obj_allocate,
        .keeps_size = (flags & CAPSTAN_ALLOCATE_KEEP_SIZE) != 0,
        .from = offset,
        .size = length > UINT64_MAX - offset ? UINT64_MAX : offset + length,
    };

    if ((flags & ~(unsigned)CAPSTAN_ALLOCATE_KEEP_SIZE) != 0)
        return -EINVAL;
    return change_size(file, &ask, "allocate");
}

static const struct ask sync_ask = {.opcode = PROTO_OP_obj_sync};

/* Ask for the layout as it is now, and at the same time the columns that we
 * know of to bring what they have to the device. */
static int refresh_and_sync(struct capstan_file *file, uint64_t deadline_ns)
{
    struct capstan_session *session = file->session;
    unsigned n = layout_columns(&file->inode.layout);
    struct cli_call *calls = mem_calloc(n + 1, sizeof(*calls));
    struct cli_call *failed;
    int rc;

    if (calls == NULL)
        return cli_fail(session, -ENOMEM, "%s", file->path);
    calls[0].target = cli_home(session, file->inode.ino);
    calls[0].opcode = PROTO_OP_getattr;
    calls[0].req.getattr.ino = file->inode.ino;
    for (unsigned i = 0; i < n; i++)
        column_init(&file->inode, i, &sync_ask, &calls[i + 1]);
    for (unsigned i = 0; i <= n; i++)
        cli_call_start(session, &calls[i], deadline_ns);
    rc = cli_calls_wait(session, calls, n + 1, deadline_ns, &failed);
    if (rc != 0)
        cli_call_fail(session, failed, file->path);
    else
        file->inode = calls[0].rep.getattr.inode;
    free(calls);
    return rc;
}

/* Another client may have made the file striped: then once more. */
int capstan_file_sync(struct capstan_file *file)
{
    struct capstan_session *session = file->session;
    uint64_t deadline = cli_deadline(session);
    unsigned ncolumns = layout_columns(&file->inode.layout);
    int rc = cli_enter(session);

    if (rc == 0)
        rc = refresh_and_sync(file, deadline);
    if (rc == 0 && layout_columns(&file->inode.layout) > ncolumns)
        rc = ask_columns(session, &file->inode, &sync_ask, deadline,
                         file->path);
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
