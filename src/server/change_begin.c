/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How changes begin, and how they commit.
 *
 * The happy path: the names are read and judged. If every entry, inode and
 * directory that the change concerns is kept here, it is done at once and its
 * answer is kept in the same transaction. Else an intent is begun, which locks
 * the name.
 *
 * Possible failure modes are those that POSIX gives each call, a name that is
 * locked for another change ("busy, later"), a directory that is being removed.
 */
#include "base/err.h"
#include "base/placement.h"
#include "server/change.h"

/* CAPSTAN_RENAME_*: the values travel. */
enum { RENAME_NOREPLACE_FLAG = 1, RENAME_EXCHANGE_FLAG = 2 };

uint16_t change_owner(const struct srv_target *target, const struct name *name)
{
    return placement_owner(name->parent, name->text, name->len,
                           target->cluster->target_ids,
                           target->cluster->ntargets);
}

unsigned change_fanout(const struct srv_target *target, uint64_t dir,
                       uint16_t fanout_out[FANOUT_MAX])
{
    return placement_fanout(dir, target->cluster->target_ids,
                            target->cluster->ntargets, fanout_out);
}

bool change_moves_directory(const struct change_task *task)
{
    const struct names_intent *intent = &task->intent;

    if (intent->kind != NAMES_RENAME ||
        intent->name.parent == intent->from.parent)
        return false;
    return intent->type == INODE_DIR ||
           ((intent->flags & NAMES_IS_EXCHANGE) &&
            intent->victim_type == INODE_DIR);
}

static bool is_alone(const struct srv_target *target)
{
    return target->cluster->ntargets == 1;
}

/* Everything was done: keep the answer with it. */
static int finish_at_once(struct change_task *task, struct names *names, int rc)
{
    if (rc == 0)
        rc = once_keep(task->target->once, names, &task->key, &task->rep);
    task->op.is_broken = rc != 0; /* something may have been written */
    task->is_over = true;
    return rc;
}

static int begin_intent(struct change_task *task, struct names *names)
{
    int rc = names_intent_begin(names, &task->intent);

    if (rc == 0)
        rc = names_intent_floor(names, &task->floor);
    return rc;
}

/*
 * unlink
 */

/* The entry goes now; the inode's home hears of it until it has answered. */
static int unlink_away(struct change_task *task, struct names *names,
                       const struct names_gone *gone)
{
    struct names_intent *intent = &task->intent;
    struct inode inode;
    int rc = names_unlink(names, &intent->name, gone, &inode);

    if (rc != 0)
        return rc;
    intent->flags |= NAMES_IS_COMMITTED;
    rc = begin_intent(task, names);
    if (rc == 0)
        rc = once_keep(task->target->once, names, &task->key, &task->rep);
    task->op.is_broken = rc != 0;
    return rc;
}

static int begin_unlink(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    struct names_gone gone = {intent->now_ns,
                              (intent->flags & NAMES_IS_HELD) != 0};
    struct inode inode;
    int rc = names_lookup(names, &intent->name, &inode);

    if (rc != 0)
        return rc;
    intent->victim = inode.ino;
    intent->victim_type = inode.type;
    task->rep.unlink.ino = inode.ino;
    if (inode.type != INODE_DIR && !names_is_home(names, inode.ino))
        return unlink_away(task, names, &gone);
    rc = names_unlink(names, &intent->name, &gone, &inode);
    if (rc != 0)
        return rc;
    if (inode.type == INODE_FILE && inode.nlink == 0)
        task->orphan = inode.ino;
    return finish_at_once(task, names, 0);
}

/*
 * rmdir
 */

static int remove_alone(struct change_task *task, struct names *names)
{
    const struct names_intent *intent = &task->intent;
    int rc = names_freeze(names, intent->victim);

    if (rc != 0)
        return rc;
    rc = names_rmdir(names, &intent->name, intent->now_ns);
    if (rc == 0)
        rc = names_bury(names, intent->victim);
    if (rc == 0)
        rc = names_inode_forget(names, intent->victim);
    return finish_at_once(task, names, rc);
}

static int begin_rmdir(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    struct inode inode;
    int rc = names_lookup(names, &intent->name, &inode);

    if (rc == 0 && inode.type != INODE_DIR)
        rc = -ENOTDIR;
    if (rc == 0)
        rc = names_lock_check(names, &intent->name);
    if (rc != 0)
        return rc;
    intent->victim = inode.ino;
    intent->victim_type = INODE_DIR;
    task->rep.rmdir.ino = inode.ino;
    return is_alone(task->target) ? remove_alone(task, names)
                                  : begin_intent(task, names);
}

/*
 * link
 */

static int begin_link(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    struct inode inode;
    int rc = names_lookup(names, &intent->name, &inode);

    if (rc == 0)
        return -EEXIST;
    if (rc == -ENOENT)
        rc = names_lock_check(names, &intent->name);
    if (rc == 0)
        rc = names_dir_check(names, intent->name.parent);
    if (rc != 0)
        return rc;
    if (!names_is_home(names, intent->ino))
        return begin_intent(task, names);
    rc = names_inode_link(names, intent->ino, intent->now_ns);
    if (rc != 0)
        return rc;
    rc = names_link(names, &intent->name, intent->ino, intent->type,
                    intent->now_ns);
    return finish_at_once(task, names, rc);
}

/*
 * rename
 */

/* May what is there be replaced, or change places? */
static int judge_victim(const struct change_task *task)
{
    const struct names_intent *intent = &task->intent;
    bool is_dir = intent->type == INODE_DIR;

    if (task->rename_flags & RENAME_NOREPLACE_FLAG)
        return -EEXIST;
    if (task->rename_flags & RENAME_EXCHANGE_FLAG)
        return 0;
    if (is_dir && intent->victim_type != INODE_DIR)
        return -ENOTDIR;
    return !is_dir && intent->victim_type == INODE_DIR ? -EISDIR : 0;
}

static int find_victim(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    struct inode inode;
    int rc = names_lookup(names, &intent->name, &inode);

    if (rc == -ENOENT)
        return task->rename_flags & RENAME_EXCHANGE_FLAG ? -ENOENT : 0;
    if (rc != 0)
        return rc;
    intent->victim = inode.ino;
    intent->victim_type = inode.type;
    if (task->rename_flags & RENAME_EXCHANGE_FLAG)
        intent->flags |= NAMES_IS_EXCHANGE;
    return judge_victim(task);
}

/* Is all of it here, and none of it a directory that moves or goes? */
static bool is_local(const struct change_task *task, struct names *names)
{
    const struct names_intent *intent = &task->intent;
    const struct srv_target *target = task->target;

    if (change_owner(target, &intent->from) != target->config.target ||
        change_moves_directory(task) || !names_is_home(names, intent->ino))
        return false;
    if (intent->victim == 0)
        return true;
    return names_is_home(names, intent->victim) &&
           ((intent->flags & NAMES_IS_EXCHANGE) ||
            intent->victim_type != INODE_DIR);
}

static int settle_local(struct change_task *task, struct names *names)
{
    const struct names_intent *intent = &task->intent;
    struct names_gone gone = {intent->now_ns,
                              (intent->flags & NAMES_IS_HELD) != 0};
    struct names_settle_step step = {.what = NAMES_MOVE,
                                     .ino = intent->ino,
                                     .parent = intent->name.parent,
                                     .now_ns = intent->now_ns};
    struct inode inode;
    int rc = names_settle(names, &step);

    if (rc != 0 || intent->victim == 0)
        return rc;
    step.ino = intent->victim;
    step.parent = intent->from.parent;
    if (intent->flags & NAMES_IS_EXCHANGE)
        return names_settle(names, &step);
    rc = names_inode_unlink(names, intent->victim, &gone, &inode);
    if (rc == 0 && inode.type == INODE_FILE && inode.nlink == 0)
        task->orphan = inode.ino;
    return rc;
}

/* The old name goes, or stands for what was at the new one. */
static int move_from(const struct change_task *task, struct names *names)
{
    const struct names_intent *intent = &task->intent;
    bool is_exchange = (intent->flags & NAMES_IS_EXCHANGE) != 0;

    return names_rename_from(names, &intent->from, intent->id,
                             is_exchange ? intent->victim : 0,
                             intent->victim_type, intent->now_ns);
}

static int rename_at_once(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    int rc = names_issue(names, &intent->id);

    if (rc == 0)
        rc = names_rename_lock(names, &intent->from, intent->ino, intent->id);
    if (rc != 0)
        return rc;
    rc = names_rename_to(names, intent);
    if (rc == 0)
        rc = move_from(task, names);
    if (rc == 0)
        rc = settle_local(task, names);
    return finish_at_once(task, names, rc);
}

static int begin_rename(struct change_task *task, struct names *names)
{
    struct names_intent *intent = &task->intent;
    int rc = find_victim(task, names);

    if (rc == 0)
        rc = names_lock_check(names, &intent->name);
    if (rc == 0)
        rc = names_dir_check(names, intent->name.parent);
    if (rc != 0)
        return rc;
    task->rep.rename.victim =
        intent->flags & NAMES_IS_EXCHANGE ? 0 : intent->victim;
    if (intent->victim == intent->ino) { /* names of one file: they stay */
        task->rep.rename.victim = 0;
        return finish_at_once(task, names, 0);
    }
    if (is_local(task, names))
        return rename_at_once(task, names);
    if (change_moves_directory(task))
        intent->flags |= NAMES_IS_LOCKING;
    return begin_intent(task, names);
}

/*
 * All kinds.
 */

int change_begin(struct change_task *task, struct names *names)
{
    switch (task->intent.kind) {
    case NAMES_UNLINK:
        return begin_unlink(task, names);
    case NAMES_RMDIR:
        return begin_rmdir(task, names);
    case NAMES_LINK:
        return begin_link(task, names);
    case NAMES_RENAME:
        return begin_rename(task, names);
    }
    return -EINVAL;
}

/* The old name, if it is here, goes in the same transaction. */
static int commit_rename(struct change_task *task, struct names *names)
{
    const struct srv_target *target = task->target;
    int rc = names_rename_to(names, &task->intent);

    if (rc == 0 &&
        change_owner(target, &task->intent.from) == target->config.target)
        rc = move_from(task, names);
    return rc;
}

int change_commit(struct change_task *task, struct names *names)
{
    const struct names_intent *intent = &task->intent;

    switch (intent->kind) {
    case NAMES_RMDIR:
        return names_rmdir(names, &intent->name, intent->now_ns);
    case NAMES_LINK:
        return names_link(names, &intent->name, intent->ino, intent->type,
                          intent->now_ns);
    case NAMES_RENAME:
        return commit_rename(task, names);
    case NAMES_UNLINK:
        break;
    }
    return -EINVAL;
}
