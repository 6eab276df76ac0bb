/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing attributes.
 *
 * The happy path: one SETATTR at the inode's home. A size goes on to the
 * objects, as a truncation does.
 *
 * A time of modification that is set must outlive what the objects say: the
 * home asks its own object; if the file turns out to be striped, the other
 * columns are asked and the home is told a second time. The targets of a
 * directory are told to forget when they last changed.
 *
 * Possible failure modes are: the home refuses; a column does not answer (the
 * attributes are set, the caller may repeat).
 */
#include "client/names.h"

#include "base/placement.h"
#include "client/file.h"

#include <string.h>

#define SETS_MTIME (CHANGE_MTIME | CHANGE_MTIME_NOW)

static void call_init(const struct capstan_session *session, uint64_t ino,
                      const struct capstan_change *change, unsigned valid,
                      uint64_t object_ns, struct cli_call *call)
{
    memset(call, 0, sizeof(*call));
    call->target = cli_home(session, ino);
    call->opcode = PROTO_OP_setattr;
    call->req.setattr = (struct proto_req_setattr){
        .ino = ino,
        .valid = valid,
        .mode = change->mode,
        .uid = change->uid,
        .gid = change->gid,
        .atime_ns = (uint64_t)change->atime_ns,
        .mtime_ns = (uint64_t)change->mtime_ns,
        .object_ns = object_ns,
        .cred = cli_cred(session),
    };
}

static int send(struct capstan_session *session, struct cli_call *call,
                uint64_t deadline_ns, const char *what,
                struct cli_found *found)
{
    const struct proto_rep_setattr *rep = &call->rep.setattr;

    if (cluster_target(session->cluster, call->target) == NULL)
        return cli_fail(session, -ESTALE, "%s", what);
    if (cli_call(session, call, deadline_ns) != 0)
        return cli_call_fail(session, call, what);
    found->inode = rep->inode;
    found->object_size = rep->object_size;
    found->object_mtime_ns = rep->object_mtime_ns;
    return 0;
}

int cli_touch(struct capstan_session *session, uint64_t ino,
              uint64_t deadline_ns, const char *what, struct inode *inode_out)
{
    struct capstan_change change = {.valid = 0};
    struct cli_found found = {.want = 0};
    struct cli_call call;
    int rc;

    call_init(session, ino, &change, CHANGE_WRITTEN, 0, &call);
    rc = send(session, &call, deadline_ns, what, &found);
    if (rc == 0)
        *inode_out = found.inode;
    return rc;
}

/* All columns have their say, then the home is told again. */
static int outlive_columns(struct capstan_session *session,
                           const struct capstan_change *change,
                           uint64_t deadline_ns, const char *what,
                           struct cli_found *found)
{
    struct cli_size size = {
        .ino = found->inode.ino, .found = *found, .has_found = true};
    struct cli_call call;
    int rc = cli_size_run(session, &size, deadline_ns, what);

    if (rc != 0)
        return rc;
    call_init(session, found->inode.ino, change, change->valid & SETS_MTIME,
              size.object_ns, &call);
    return send(session, &call, deadline_ns, what, found);
}

static int reset_directory(struct capstan_session *session, uint64_t dir,
                           uint64_t deadline_ns, const char *what)
{
    struct cli_call calls[FANOUT_MAX] = {0};
    struct cli_call *failed;
    uint16_t fanout[FANOUT_MAX];
    unsigned i, n;
    int rc;

    n = placement_fanout(dir, session->cluster->target_ids,
                         session->cluster->ntargets, fanout);
    for (i = 0; i < n; i++) {
        calls[i].target = fanout[i];
        calls[i].opcode = PROTO_OP_dir_state;
        calls[i].req.dir_state.dir = dir;
        calls[i].req.dir_state.is_reset = 1;
        cli_call_start(session, &calls[i], deadline_ns);
    }
    rc = cli_calls_wait(session, calls, n, deadline_ns, &failed);
    return rc == 0 ? 0 : cli_call_fail(session, failed, what);
}

/* What follows the home's answer. */
static int follow_up(struct capstan_session *session,
                     const struct capstan_change *change, uint64_t deadline_ns,
                     const char *what, struct cli_found *found)
{
    const struct inode *inode = &found->inode;
    int rc = 0;

    if (inode->type == INODE_DIR)
        cli_attrs_forget(session->dirs, inode->ino);
    if (change->valid & SETS_MTIME) {
        if (inode->type == INODE_DIR)
            rc = reset_directory(session, inode->ino, deadline_ns, what);
        else if (inode->layout.is_striped)
            rc = outlive_columns(session, change, deadline_ns, what, found);
    }
    if (rc != 0 || !(change->valid & CAPSTAN_SET_SIZE))
        return rc;
    return cli_resize(session, &found->inode, change->size, deadline_ns, what);
}

/* Only files have a size; the text of the failure says so before any change. */
static int check_size(struct capstan_session *session, uint64_t ino,
                      const struct capstan_change *change,
                      uint64_t deadline_ns, const char *what)
{
    struct cli_found found = {.want = 0};
    int rc;

    if (!(change->valid & CAPSTAN_SET_SIZE))
        return 0;
    if (change->size > INT64_MAX)
        return cli_fail(session, -EFBIG, "%s", what);
    rc = cli_getattr(session, ino, deadline_ns, what, &found);
    if (rc == 0 && found.inode.type != INODE_FILE)
        rc = cli_fail(session,
                      found.inode.type == INODE_DIR ? -EISDIR : -EINVAL, "%s",
                      what);
    return rc;
}

int cli_setattr(struct capstan_session *session, uint64_t ino,
                const struct capstan_change *change, uint64_t deadline_ns,
                const char *what, struct cli_found *found)
{
    struct cli_call call;
    int rc = check_size(session, ino, change, deadline_ns, what);

    if (rc != 0)
        return rc;
    call_init(session, ino, change, change->valid, 0, &call);
    rc = send(session, &call, deadline_ns, what, found);
    return rc == 0 ? follow_up(session, change, deadline_ns, what, found) : rc;
}
