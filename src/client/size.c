/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The size query.
 *
 * The happy path: LOOKUP tells inode, and size and time of the owner's object;
 * of a stuffed file that is all. Else every other column is asked at once, and
 * the size is the farthest end that any column sees.
 *
 * Possible failure modes are: the name is gone or stands for something else (a
 * removed file); a target does not answer (the size is unknown then, never
 * guessed).
 */
#include "client/size.h"

#include "base/mem.h"
#include "client/file.h"

#include <stdlib.h>

void cli_size_start(struct capstan_session *session, struct cli_size *size,
                    uint64_t deadline_ns)
{
    size->deadline_ns = deadline_ns;
    size->columns = NULL;
    size->ncolumns = 0;
    size->failed = NULL;
    size->rc = 0;
    cli_lookup_init(session, &size->name, &size->lookup);
    cli_call_start(session, &size->lookup, deadline_ns);
}

static bool end(struct cli_size *size, int rc, const struct cli_call *failed)
{
    size->rc = rc;
    size->failed = failed;
    return true;
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
    if (mtime_ns > size->mtime_ns)
        size->mtime_ns = mtime_ns;
}

static void ask_columns(struct capstan_session *session, struct cli_size *size)
{
    unsigned i;

    size->ncolumns = size->inode.layout.width - 1u;
    for (i = 0; i < size->ncolumns; i++) {
        size->columns[i].target = size->inode.layout.targets[i + 1];
        size->columns[i].opcode = PROTO_OP_obj_stat;
        size->columns[i].req.obj_stat.ino = size->inode.ino;
        cli_call_start(session, &size->columns[i], size->deadline_ns);
    }
}

/* The LOOKUP has ended. True: so has everything. */
static bool see_record(struct capstan_session *session, struct cli_size *size)
{
    const struct proto_rep_lookup *rep = &size->lookup.rep.lookup;

    if (size->lookup.rc != 0)
        return end(size, size->lookup.rc, &size->lookup);
    if (size->ino != 0 && rep->inode.ino != size->ino)
        return end(size, -ESTALE, NULL);
    size->inode = rep->inode;
    size->size = 0;
    size->mtime_ns = rep->inode.mtime_ns;
    if (rep->inode.type != INODE_FILE)
        return end(size, 0, NULL);
    if (cli_layout_known(session, &rep->inode.layout) != 0)
        return end(size, -ERR_CLUSTER, NULL);
    see_column(size, 0, rep->object_size, rep->object_mtime_ns);
    if (layout_columns(&size->inode.layout) == 1)
        return end(size, 0, NULL);
    size->columns =
        mem_calloc(size->inode.layout.width - 1u, sizeof(*size->columns));
    if (size->columns == NULL)
        return end(size, -ENOMEM, NULL);
    ask_columns(session, size);
    return false;
}

bool cli_size_step(struct capstan_session *session, struct cli_size *size)
{
    const struct cli_call *call;
    unsigned i;

    if (!size->lookup.is_done)
        return false;
    if (size->columns == NULL)
        return see_record(session, size);
    for (i = 0; i < size->ncolumns; i++)
        if (!size->columns[i].is_done)
            return false;
    for (i = 0; i < size->ncolumns; i++) {
        call = &size->columns[i];
        if (call->rc != 0)
            return end(size, call->rc, call);
        see_column(size, i + 1, call->rep.obj_stat.size,
                   call->rep.obj_stat.mtime_ns);
    }
    return end(size, 0, NULL);
}

void cli_size_stop(struct capstan_session *session, struct cli_size *size)
{
    unsigned i;

    cli_call_stop(session, &size->lookup);
    for (i = 0; i < size->ncolumns; i++)
        cli_call_stop(session, &size->columns[i]);
    free(size->columns);
    size->columns = NULL;
    size->ncolumns = 0;
    size->failed = NULL;
}

int cli_size_run(struct capstan_session *session, struct cli_size *size,
                 uint64_t deadline_ns, const char *what)
{
    cli_size_start(session, size, deadline_ns);
    while (!cli_size_step(session, size)) {
        cli_turn(session, deadline_ns);
        if (clock_now(session->clock) <= deadline_ns)
            continue;
        if (!cli_size_step(session, size))
            size->rc = -ETIMEDOUT;
        break;
    }
    if (size->failed != NULL)
        cli_call_fail(session, size->failed, what);
    else if (size->rc != 0)
        cli_fail(session, size->rc, "%s", what);
    cli_size_stop(session, size);
    return size->rc;
}
