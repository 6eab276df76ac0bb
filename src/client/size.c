/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The size query.
 *
 * The happy path: GETATTR tells inode, and size and time of the home's object;
 * of a stuffed file that is all. Else every other column is asked at once, and
 * the size is the farthest end that any column sees. A directory's targets are
 * asked at the same time as its home.
 *
 * Possible failure modes are: the inode is gone (a removed file); a target does
 * not answer (the size is unknown then, never guessed).
 */
#include "client/size.h"

#include "base/mem.h"
#include "base/placement.h"
#include "client/file.h"

#include <stdlib.h>

void cli_size_start(struct capstan_session *session, struct cli_size *size,
                    uint64_t deadline_ns)
{
    size->deadline_ns = deadline_ns;
    size->calls = NULL;
    size->ncalls = 0;
    size->failed = NULL;
    size->rc = 0;
    size->size = size->object_ns = size->entries = size->subdirs = 0;
    size->getattr = (struct cli_call){.target = cli_home(session, size->ino),
                                      .opcode = PROTO_OP_getattr,
                                      .is_done = true};
    if (size->has_found)
        return;
    size->getattr.req.getattr.ino = size->ino;
    if (cluster_target(session->cluster, size->getattr.target) == NULL)
        size->getattr.rc = -ESTALE;
    else
        cli_call_start(session, &size->getattr, deadline_ns);
}

static bool end(struct cli_size *size, int rc, const struct cli_call *failed)
{
    size->rc = rc;
    size->failed = failed;
    return true;
}

/*
 * Files.
 */

void cli_size_times(struct inode *inode, uint64_t object_ns)
{
    if (object_ns <= inode->object_ns)
        return;
    if (inode->object_ns != 0 || (int64_t)object_ns > inode->mtime_ns)
        inode->mtime_ns = (int64_t)object_ns;
    if ((int64_t)object_ns > inode->ctime_ns)
        inode->ctime_ns = (int64_t)object_ns;
}

static void see_column(struct cli_size *size, unsigned column,
                       uint64_t object_size, uint64_t mtime_ns)
{
    const struct layout *layout = &size->inode.layout;
    uint64_t end_seen = object_size;

    if (layout->is_striped)
        end_seen = layout_file_end(layout->stripe_size, layout->width, column,
                                   object_size);
    if (end_seen > size->size)
        size->size = end_seen;
    if (mtime_ns > size->object_ns)
        size->object_ns = mtime_ns;
}

static bool make_calls(struct cli_size *size, unsigned n)
{
    size->calls = mem_calloc(n, sizeof(*size->calls));
    if (size->calls != NULL)
        size->ncalls = n;
    return size->calls != NULL;
}

static void ask_columns(struct capstan_session *session, struct cli_size *size)
{
    for (unsigned i = 0; i < size->ncalls; i++) {
        size->calls[i].target = size->inode.layout.targets[i + 1];
        size->calls[i].opcode = PROTO_OP_obj_stat;
        size->calls[i].req.obj_stat.ino = size->inode.ino;
        cli_call_start(session, &size->calls[i], size->deadline_ns);
    }
}

static bool end_file(struct cli_size *size)
{
    cli_size_times(&size->inode, size->object_ns);
    return end(size, 0, NULL);
}

static bool see_file(struct capstan_session *session, struct cli_size *size)
{
    const struct layout *layout = &size->inode.layout;

    if (layout->width == 0)
        return end(size, -ERR_PROTOCOL, NULL);
    if (cli_layout_known(session, layout) != 0)
        return end(size, -ERR_CLUSTER, NULL);
    see_column(size, 0, size->found.object_size, size->found.object_mtime_ns);
    if (layout_columns(layout) == 1)
        return end_file(size);
    if (!make_calls(size, layout->width - 1u))
        return end(size, -ENOMEM, NULL);
    ask_columns(session, size);
    return false;
}

/*
 * Directories.
 */

static bool see_dir(struct capstan_session *session, struct cli_size *size)
{
    uint16_t fanout[FANOUT_MAX];
    unsigned i, n;

    n = placement_fanout(size->inode.ino, session->cluster->target_ids,
                         session->cluster->ntargets, fanout);
    if (!make_calls(size, n))
        return end(size, -ENOMEM, NULL);
    for (i = 0; i < n; i++) {
        size->calls[i].target = fanout[i];
        size->calls[i].opcode = PROTO_OP_dir_state;
        size->calls[i].req.dir_state.dir = size->inode.ino;
        cli_call_start(session, &size->calls[i], size->deadline_ns);
    }
    return false;
}

static void see_state(struct cli_size *size,
                      const struct proto_rep_dir_state *rep)
{
    struct inode *inode = &size->inode;

    if (rep->changed_ns != 0 && (int64_t)rep->changed_ns > inode->mtime_ns)
        inode->mtime_ns = (int64_t)rep->changed_ns;
    if (rep->changed_ns != 0 && (int64_t)rep->changed_ns > inode->ctime_ns)
        inode->ctime_ns = (int64_t)rep->changed_ns;
    size->entries += rep->entries;
    size->subdirs += rep->subdirs;
}

/* GETATTR has ended. True: so has everything. */
static bool see_inode(struct capstan_session *session, struct cli_size *size)
{
    const struct proto_rep_getattr *rep = &size->getattr.rep.getattr;

    if (size->getattr.rc != 0)
        return end(size, size->getattr.rc, &size->getattr);
    if (!size->has_found) {
        size->found.inode = rep->inode;
        size->found.object_size = rep->object_size;
        size->found.object_mtime_ns = rep->object_mtime_ns;
    }
    size->inode = size->found.inode;
    if (size->inode.type == INODE_FILE)
        return see_file(session, size);
    if (size->inode.type == INODE_DIR)
        return see_dir(session, size);
    size->size = size->inode.type == INODE_SYMLINK ? size->inode.special : 0;
    return end(size, 0, NULL);
}

bool cli_size_step(struct capstan_session *session, struct cli_size *size)
{
    const struct cli_call *call;
    unsigned i;

    if (!size->getattr.is_done)
        return false;
    if (size->calls == NULL)
        return see_inode(session, size);
    for (i = 0; i < size->ncalls; i++)
        if (!size->calls[i].is_done)
            return false;
    for (i = 0; i < size->ncalls; i++) {
        call = &size->calls[i];
        if (call->rc != 0)
            return end(size, call->rc, call);
        if (size->inode.type == INODE_DIR)
            see_state(size, &call->rep.dir_state);
        else
            see_column(size, i + 1, call->rep.obj_stat.size,
                       call->rep.obj_stat.mtime_ns);
    }
    if (size->inode.type == INODE_FILE)
        return end_file(size);
    size->inode.nlink += (uint32_t)size->subdirs;
    return end(size, 0, NULL);
}

void cli_size_stop(struct capstan_session *session, struct cli_size *size)
{
    unsigned i;

    cli_call_stop(session, &size->getattr);
    for (i = 0; i < size->ncalls; i++)
        cli_call_stop(session, &size->calls[i]);
    free(size->calls);
    size->calls = NULL;
    size->ncalls = 0;
    size->failed = NULL;
}

/* The first that has not answered. */
static struct cli_call *silent_call(struct cli_size *size)
{
    if (!size->getattr.is_done)
        return &size->getattr;
    for (unsigned i = 0; i < size->ncalls; i++)
        if (!size->calls[i].is_done)
            return &size->calls[i];
    return NULL;
}

/* The deadline has passed, but what has come, or ended, by then counts. */
static void end_late(struct capstan_session *session, struct cli_size *size)
{
    struct cli_call *call;

    cli_progress(session);
    if (cli_size_step(session, size))
        return;
    call = silent_call(size);
    if (call != NULL)
        cli_call_stop(session, call);
    end(size, -ETIMEDOUT, call);
}

int cli_size_run(struct capstan_session *session, struct cli_size *size,
                 uint64_t deadline_ns, const char *what)
{
    cli_size_start(session, size, deadline_ns);
    while (!cli_size_step(session, size)) {
        cli_turn(session, deadline_ns);
        if (clock_now(session->clock) <= deadline_ns)
            continue;
        end_late(session, size);
        break;
    }
    if (size->failed != NULL)
        cli_call_fail(session, size->failed, what);
    else if (size->rc != 0)
        cli_fail(session, size->rc, "%s", what);
    cli_size_stop(session, size);
    return size->rc;
}
