/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CHECK and REPAIR: what capstan fsck asks. CHECK lists what the name store
 * holds of one kind, or which objects there are, page by page; REPAIR puts one
 * thing right.
 *
 * The happy path: run_check() walks the store behind the last key that the
 * client saw and fills the target's one page, which a second CHECK must wait
 * for ("busy, later"). Objects are in check_objects.c.
 *
 * Possible failure modes are: a record that does not decode (it is told as
 * such); a thing that has changed since the client saw it (REPAIR does nothing
 * and says -ESTALE).
 */
#include "base/err.h"
#include "base/mem.h"
#include "meta/names_key.h"
#include "meta/names_record.h"
#include "server/check_page.h"
#include "server/names_task.h"
#include "server/reaper.h"

#include <string.h>

int check_page_init(struct srv_target *target)
{
    target->check_page = mem_calloc(1, sizeof(*target->check_page));
    if (target->check_page == NULL)
        return -ENOMEM;
    target->check_page->target = target;
    return 0;
}

void check_page_fini(struct srv_target *target)
{
    free(target->check_page);
}

static bool layout_is_possible(const struct srv_target *target,
                               const struct inode *inode)
{
    const struct layout *layout = &inode->layout;

    if (inode->type != INODE_FILE)
        return true;
    if (layout->targets[0] != target->config.target)
        return false;
    for (unsigned i = 0; i < layout->width; i++)
        if (cluster_target(target->cluster, layout->targets[i]) == NULL)
            return false;
    return true;
}

static int take_entry(const void *key, size_t key_len, const void *value,
                      size_t value_len, struct proto_check *record)
{
    enum inode_type type = INODE_FILE;
    struct name name;

    if (names_key_entry_parse(key, key_len, &name, NULL) != 0)
        return -EIO;
    record->a = name.parent;
    record->text.data = (const uint8_t *)name.text;
    record->text.len = (uint32_t)name.len;
    if (names_entry_decode(value, value_len, &record->b, &type) != 0)
        return -EIO;
    record->type = (uint8_t)type;
    return 0;
}

static int take_inode(const struct srv_target *target, const void *value,
                      size_t value_len, struct proto_check *record)
{
    struct inode inode;

    if (names_record_decode(value, value_len, &inode) != 0)
        return -EIO;
    record->b = inode.parent;
    record->type = (uint8_t)inode.type;
    record->n = inode.nlink;
    if (!layout_is_possible(target, &inode))
        record->state = PROTO_CHECK_LAYOUT;
    return 0;
}

static int take_dir(const void *value, size_t value_len,
                    struct proto_check *record)
{
    struct names_dir_state state;

    if (names_dir_decode(value, value_len, &state) != 0)
        return -EIO;
    record->type = (uint8_t)state.frozen;
    record->b = state.entries;
    record->n = (uint32_t)state.subdirs;
    return 0;
}

static int take_lock(const void *key, size_t key_len, const void *value,
                     size_t value_len, struct proto_check *record)
{
    struct name name;

    if (names_key_name_parse(key, key_len, &name) != 0)
        return -EIO;
    record->text.data = (const uint8_t *)name.text;
    record->text.len = (uint32_t)name.len;
    return names_u64_decode(value, value_len, &record->b);
}

static bool add_record(void *ctx, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    struct check_page *page = ctx;
    struct proto_check record = {
        .kind = *(const uint8_t *)key,
        .a = key_len >= 9 ? names_key_number_at(key, 1) : 0,
    };
    int rc = 0;

    if (record.kind == NAMES_ENTRY)
        rc = take_entry(key, key_len, value, value_len, &record);
    else if (record.kind == NAMES_INODE)
        rc = take_inode(page->target, value, value_len, &record);
    else if (record.kind == NAMES_FROZEN)
        rc = take_dir(value, value_len, &record);
    else if (record.kind == NAMES_LOCK)
        rc = take_lock(key, key_len, value, value_len, &record);
    if (rc != 0)
        record.state = PROTO_CHECK_DAMAGED;
    record.key.data = key;
    record.key.len = (uint32_t)key_len;
    if (proto_check_encode(&record, &page->at,
                           page->bytes + sizeof(page->bytes)) != 0)
        return false;
    page->count++;
    return true;
}

static void run_check(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_check *req = &task->request->body.check;
    struct check_page *page = task->target->check_page;
    struct proto_rep_check *rep = &task->rep.check;
    bool is_end = false;

    page->at = page->bytes;
    page->count = 0;
    op->rc = names_walk(names, (enum names_kind)req->kind, req->after.data,
                        req->after.len, add_record, page, &is_end);
    rep->is_end = is_end;
    rep->count = page->count;
    rep->records.data = page->bytes;
    rep->records.len = (uint32_t)(page->at - page->bytes);
}

static void check_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;
    struct check_page *page = task->target->check_page;

    names_task_finish(op);
    page->is_busy = false;
}

static bool is_kind(uint8_t kind)
{
    return kind != 0 && memchr("eafmpo", kind, 6) != NULL;
}

void op_check(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_check,
                                           .done = check_done};

    if (target->check_page->is_busy) {
        rpc_reply(request, -ERR_BUSY, NULL, NULL);
    } else if (request->body.check.kind == PROTO_CHECK_OBJECT) {
        check_objects_start(target, request);
    } else if (!is_kind(request->body.check.kind)) {
        rpc_reply(request, -EINVAL, NULL, NULL);
    } else {
        target->check_page->is_busy = true;
        names_task_submit(target, request, &plan);
    }
}

/*
 * Repair.
 */

static int repair(struct names *names, const struct proto_req_repair *req,
                  uint64_t now_ns)
{
    struct name name = name_of(req->a, &req->text);

    switch (req->what) {
    case PROTO_REPAIR_ENTRY:
        return names_repair_entry(names, &name, req->b, now_ns);
    case PROTO_REPAIR_NLINK:
        return names_repair_nlink(names, req->a, req->n, now_ns);
    case PROTO_REPAIR_PARENT:
        return names_repair_parent(names, req->a, req->b);
    case PROTO_REPAIR_COUNTS:
        return names_repair_counts(names, req->a);
    case PROTO_REPAIR_LOCK:
        return names_unlock(names, &name, req->b);
    case PROTO_REPAIR_THAW:
        return names_thaw(names, req->a);
    case PROTO_REPAIR_NAME:
        return names_link(names, &name, req->b, (enum inode_type)req->n,
                          now_ns);
    default:
        return -EINVAL;
    }
}

static void run_repair(struct names_op *op, struct names *names)
{
    struct names_task *task = (struct names_task *)op;
    const struct proto_req_repair *req = &task->request->body.repair;

    op->rc = repair(names, req, clock_wall(task->target->clock));
}

static void repair_done(struct names_op *op)
{
    struct names_task *task = (struct names_task *)op;

    if (op->rc == 0 && !task->target->is_closing)
        reaper_kick(task->target->reaper);
    names_task_finish(op);
}

void op_repair(struct srv_target *target, struct rpc_request *request)
{
    static const struct names_plan plan = {.run = run_repair,
                                           .done = repair_done,
                                           .is_write = true,
                                           .wants_sync = true};

    names_task_submit(target, request, &plan);
}
