/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared file pointers.
 *
 * The happy path: one call to the target of column 0, which never changes in a
 * file's life, renamed or not.
 *
 * Possible failure modes are those of the call.
 */
#include "client/call.h"
#include "client/file.h"

#include <string.h>

static int step(struct capstan_file *file,
                const struct capstan_pointer *pointer, bool is_set,
                int64_t value, int64_t *before_out)
{
    struct capstan_session *session = file->session;
    struct proto_req_counter_step *req;
    struct cli_call call;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    memset(&call, 0, sizeof(call));
    call.target = file->inode.layout.targets[0];
    call.opcode = PROTO_OP_counter_step;
    req = &call.req.counter_step;
    req->ino = file->inode.ino;
    req->handle = pointer->handle;
    req->generation = pointer->generation;
    req->start = (uint64_t)pointer->start;
    req->value = (uint64_t)value;
    req->is_set = is_set;
    req->age_ns = pointer->age_ns;
    if (cli_call(session, &call, cli_deadline(session)) != 0)
        return cli_call_fail(session, &call, file->path);
    *before_out = (int64_t)call.rep.counter_step.before;
    return 0;
}

int capstan_file_pointer_add(struct capstan_file *file,
                             const struct capstan_pointer *pointer,
                             int64_t add, int64_t *before_out)
{
    return step(file, pointer, false, add, before_out);
}

int capstan_file_pointer_set(struct capstan_file *file,
                             const struct capstan_pointer *pointer,
                             int64_t value, int64_t *before_out)
{
    return step(file, pointer, true, value, before_out);
}

int capstan_file_pointer_drop(struct capstan_file *file,
                              const struct capstan_pointer *pointer)
{
    struct capstan_session *session = file->session;
    struct cli_call call;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    memset(&call, 0, sizeof(call));
    call.target = file->inode.layout.targets[0];
    call.opcode = PROTO_OP_counter_drop;
    call.req.counter_drop.ino = file->inode.ino;
    call.req.counter_drop.handle = pointer->handle;
    if (cli_call(session, &call, cli_deadline(session)) != 0)
        return cli_call_fail(session, &call, file->path);
    return 0;
}
