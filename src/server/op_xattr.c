/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XATTR_GET (also the list of names) and XATTR_SET (also removal), at the
 * inode's home.
 *
 * The happy path: the name's space says who may; the answer's bytes lie in the
 * task.
 *
 * Possible failure modes are: a space that is not kept here (-EOPNOTSUPP, as
 * ACLs); what POSIX gives for permissions.
 */
#include "base/err.h"
#include "server/names_task.h"

#include <assert.h>
#include <string.h>

static_assert(NAMES_XATTR_MAX == PROTO_XATTR_MAX &&
                  NAMES_XATTRS_MAX == PROTO_XATTRS_MAX &&
                  NAMES_XATTRS_MAX <= PROTO_INLINE_MAX,
              "what fits the store fits the wire and a task");

static bool is_in(const struct proto_bytes *name, const char *space)
{
    size_t len = strlen(space);

    return name->len > len && memcmp(name->data, space, len) == 0;
}

/* May they read it, or write it? */
static int check(const struct cred *cred, const struct inode *inode,
                 const struct proto_bytes *name, bool is_write)
{
    bool is_super = cred->is_checked || cred->uid == 0;

    if (is_in(name, "user.")) {
        if (inode->type != INODE_FILE && inode->type != INODE_DIR)
            return is_write ? -EPERM : -ENODATA;
        return cred_may(cred, inode, is_write ? CRED_WRITE : CRED_READ);
    }
    if (is_in(name, "trusted."))
        return is_super ? 0 : is_write ? -EPERM : -ENODATA;
    if (is_in(name, "security."))
        return !is_write || is_super ? 0 : -EPERM;
    return -EOPNOTSUPP;
}

static int judge(struct names *names, uint64_t ino,
                 const struct proto_bytes *cred_bytes,
                 const struct proto_bytes *name, bool is_write)
{
    struct inode inode;
    struct cred cred;
    int rc = proto_cred_decode(cred_bytes, &cred);

    if (rc == 0)
        rc = names_inode_get(names, ino, &inode);
    if (rc == 0 && name->len > 0)
        rc = check(&cred, &inode, name, is_write);
    return rc;
}

static void run_get(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_xattr_get *req = &task->request->body.xattr_get;
    const char *text = (const char *)req->name.data;
    size_t len = 0;

    op->rc = judge(names, req->ino, &req->cred, &req->name, false);
    if (op->rc != 0)
        return;
    if (req->name.len == 0)
        op->rc = names_xattr_list(names, req->ino, (char *)task->data,
                                  sizeof(task->data), &len);
    else
        op->rc = names_xattr_get(names, req->ino, text, req->name.len,
                                 task->data, sizeof(task->data), &len);
    task->rep.xattr_get.value.data = task->data;
    task->rep.xattr_get.value.len = (uint32_t)len;
}

static void run_set(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_xattr_set *req = &task->request->body.xattr_set;
    struct names_xattr xattr = {
        .text = (const char *)req->name.data,
        .text_len = req->name.len,
        .value = req->value.data,
        .len = req->value.len,
        .flags = req->flags,
    };
    uint64_t now = clock_wall(task->target->clock);

    if (names_task_is_decided(task, names))
        return;
    op->rc = judge(names, req->ino, &req->cred, &req->name, true);
    if (op->rc == 0 && req->is_removal)
        op->rc = names_xattr_remove(names, req->ino, xattr.text,
                                    xattr.text_len, now);
    else if (op->rc == 0)
        op->rc = names_xattr_set(names, req->ino, &xattr, now);
    if (op->rc == 0)
        names_task_keep(task, names);
}

/* Both requests begin with the inode's number. */
static void submit(struct srv_target *target, struct rpc_request *request,
                   const struct names_plan *plan, bool has_name)
{
    if (!is_home(target, request->body.xattr_get.ino))
        rpc_reply(request, -ESTALE, NULL, NULL);
    else if (!has_name)
        rpc_reply(request, -EINVAL, NULL, NULL);
    else
        names_task_submit(target, request, plan);
}

void op_xattr_get(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_get,
                                           .done = names_task_finish};

    submit(target, request, &plan, true);
}

void op_xattr_set(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {
        .run = run_set, .done = names_task_finish, .is_write = true};

    submit(target, request, &plan, request->body.xattr_set.name.len > 0);
}
