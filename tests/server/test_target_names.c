/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of whole targets, spoken to by bare calls: what they answer, and
 * directories that are removed while targets die.
 */
#include "base/unit.h"

#include "base/err.h"
#include "base/placement.h"
#include "server/kit.h"

#include <string.h>

#define STRIPE 4096u /* as in the kit's map */

static struct kit kit;

static uint16_t owner_of(uint64_t parent, const char *text)
{
    return placement_owner(parent, text, strlen(text),
                           kit.cluster->target_ids, kit.cluster->ntargets);
}

static struct proto_bytes bytes_of(const char *text)
{
    return (struct proto_bytes){(const uint8_t *)text,
                                (uint32_t)strlen(text)};
}

static int create(uint64_t parent, const char *text, bool is_exclusive)
{
    struct proto_req_create req = {
        .parent = parent,
        .text = bytes_of(text),
        .mode = 0644,
        .is_exclusive = is_exclusive,
    };

    return kit_call(&kit, owner_of(parent, text), PROTO_OP_create, &req);
}

static int lookup(uint64_t parent, const char *text)
{
    struct proto_req_lookup req = {.parent = parent, .text = bytes_of(text)};

    return kit_call(&kit, owner_of(parent, text), PROTO_OP_lookup, &req);
}

/* @return the directory's number. */
static uint64_t mkdir_of(const char *text)
{
    struct proto_req_mkdir req = {INO_ROOT, bytes_of(text), 0755, 0, 0};

    CU_ASSERT_EQUAL_FATAL(kit_call(&kit, owner_of(INO_ROOT, text),
                                   PROTO_OP_mkdir, &req), 0);
    return kit.rep.mkdir.inode.ino;
}

static int rmdir_of(const char *text)
{
    struct proto_req_rmdir req = {INO_ROOT, bytes_of(text)};

    return kit_call(&kit, owner_of(INO_ROOT, text), PROTO_OP_rmdir, &req);
}

static int unlink_of(const char *text)
{
    struct proto_req_unlink req = {INO_ROOT, bytes_of(text), 0};

    return kit_call(&kit, owner_of(INO_ROOT, text), PROTO_OP_unlink, &req);
}

static void test_create_chooses_a_layout(void)
{
    struct layout *layout = &kit.rep.create.inode.layout;
    uint16_t owner;
    unsigned i;

    kit_init(&kit);
    CU_ASSERT_EQUAL_FATAL(create(INO_ROOT, "a", true), 0);
    owner = owner_of(INO_ROOT, "a");
    CU_ASSERT_EQUAL(kit.rep.create.is_new, 1);
    CU_ASSERT_EQUAL(layout->stripe_size, STRIPE);
    CU_ASSERT_EQUAL(layout->width, KIT_TARGETS);
    CU_ASSERT_FALSE(layout->is_striped);
    for (i = 0; i < KIT_TARGETS; i++)
        CU_ASSERT_EQUAL(layout->targets[i], (owner - 1 + i) % KIT_TARGETS + 1);
    CU_ASSERT_EQUAL(ino_target(kit.rep.create.inode.ino), owner);
    CU_ASSERT_EQUAL(create(INO_ROOT, "a", true), -EEXIST);
    CU_ASSERT_EQUAL(create(INO_ROOT, "a", false), 0);
    CU_ASSERT_EQUAL(kit.rep.create.is_new, 0);
    CU_ASSERT_EQUAL(create(INO_ROOT, "a/b", false), -EINVAL);
    kit_fini(&kit);
}

static void test_names_of_others_are_stale_here(void)
{
    struct proto_req_lookup req = {.parent = INO_ROOT,
                                   .text = bytes_of("a")};
    uint16_t other;

    kit_init(&kit);
    other = (uint16_t)(owner_of(INO_ROOT, "a") % KIT_TARGETS + 1);
    CU_ASSERT_EQUAL(kit_call(&kit, other, PROTO_OP_lookup, &req), -ESTALE);
    CU_ASSERT_EQUAL(lookup(INO_ROOT, "a"), -ENOENT);
    kit_fini(&kit);
}

static void test_lookup_and_readdir_tell_sizes(void)
{
    struct proto_req_readdir req = {.dir = INO_ROOT};
    struct proto_req_obj_truncate size = {.size = 0};
    const uint8_t *at;
    struct proto_entry entry;
    char text[16];
    unsigned i, n = 0;
    uint16_t target;

    kit_init(&kit);
    for (i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "file%u", i);
        CU_ASSERT_EQUAL_FATAL(create(INO_ROOT, text, true), 0);
        size.ino = kit.rep.create.inode.ino;
        size.size = 100 + i;
        CU_ASSERT_EQUAL_FATAL(kit_call(&kit, owner_of(INO_ROOT, text),
                                       PROTO_OP_obj_truncate, &size), 0);
    }
    CU_ASSERT_EQUAL(lookup(INO_ROOT, "file7"), 0);
    CU_ASSERT_EQUAL(kit.rep.lookup.object_size, 107);
    for (target = 1; target <= KIT_TARGETS; target++) {
        CU_ASSERT_EQUAL_FATAL(
            kit_call(&kit, target, PROTO_OP_readdir, &req), 0);
        CU_ASSERT_EQUAL(kit.rep.readdir.is_end, 1);
        at = kit.rep.readdir.entries.data;
        while (proto_entry_decode(&at, kit.rep.readdir.entries.data +
                                           kit.rep.readdir.entries.len,
                                  &entry) == 0) {
            snprintf(text, sizeof(text), "%.*s", (int)entry.text.len,
                     (const char *)entry.text.data);
            CU_ASSERT_EQUAL(entry.object_size,
                            100 + strtoull(text + 4, NULL, 10));
            n++;
        }
    }
    CU_ASSERT_EQUAL(n, 100);
    kit_fini(&kit);
}

static void test_set_striped_is_said_once_and_for_all(void)
{
    struct proto_req_set_striped req = {0};
    uint16_t owner;
    uint64_t ino;

    kit_init(&kit);
    CU_ASSERT_EQUAL_FATAL(create(INO_ROOT, "a", true), 0);
    owner = owner_of(INO_ROOT, "a");
    ino = kit.rep.create.inode.ino;
    req.ino = ino_make(owner, 1u << 30);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_set_striped, &req),
                    -ESTALE);
    req.ino = ino;
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_set_striped, &req), 0);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_set_striped, &req), 0);
    kit_kill(&kit, owner - 1u);
    kv_mem_disk_power_loss(kit.servers[owner - 1].names, 3);
    kit_start(&kit, owner - 1u);
    CU_ASSERT_EQUAL_FATAL(lookup(INO_ROOT, "a"), 0);
    CU_ASSERT_TRUE(kit.rep.lookup.inode.layout.is_striped);
    kit_fini(&kit);
}

static void test_rmdir_takes_an_empty_directory_only(void)
{
    uint64_t dir;

    kit_init(&kit);
    dir = mkdir_of("d");
    CU_ASSERT_EQUAL(create(dir, "x", true), 0);
    CU_ASSERT_EQUAL(rmdir_of("d"), -ENOTEMPTY);
    CU_ASSERT_EQUAL(create(dir, "y", true), 0); /* thawed everywhere */
    CU_ASSERT_EQUAL(create(dir, "z", true), 0);
    CU_ASSERT_EQUAL(lookup(INO_ROOT, "d"), 0);
    dir = mkdir_of("e");
    CU_ASSERT_EQUAL(rmdir_of("e"), 0);
    CU_ASSERT_EQUAL(kit.rep.rmdir.ino, dir);
    CU_ASSERT_EQUAL(lookup(INO_ROOT, "e"), -ENOENT);
    CU_ASSERT_NOT_EQUAL(create(dir, "x", true), 0);
    CU_ASSERT_EQUAL(rmdir_of("e"), -ENOENT);
    kit_fini(&kit);
}

static void test_rmdir_is_undone_when_a_target_is_dead(void)
{
    unsigned dead, i;
    uint64_t dir;
    char text[8];

    kit_init(&kit);
    dir = mkdir_of("d");
    dead = owner_of(INO_ROOT, "d") % KIT_TARGETS;
    kit_kill(&kit, dead);
    CU_ASSERT_EQUAL(rmdir_of("d"), -ETIMEDOUT);
    kit_start(&kit, dead);
    kit_run(&kit, 20 * NS_PER_SEC);
    for (i = 0; i < 12; i++) {
        snprintf(text, sizeof(text), "f%u", i);
        CU_ASSERT_EQUAL(create(dir, text, true), 0);
    }
    CU_ASSERT_EQUAL(rmdir_of("d"), -ENOTEMPTY);
    kit_fini(&kit);
}

static void test_rmdir_is_undone_when_its_owner_restarts(void)
{
    struct proto_req_rmdir req = {INO_ROOT, bytes_of("d")};
    struct rpc_call call;
    unsigned owner, dead, i;
    uint64_t dir;
    char text[8];

    kit_init(&kit);
    dir = mkdir_of("d");
    owner = owner_of(INO_ROOT, "d") - 1u;
    dead = (owner + 1) % KIT_TARGETS;
    kit_kill(&kit, dead);
    kit_call_start(&kit, &call, (uint16_t)(owner + 1), PROTO_OP_rmdir, &req);
    kit_run(&kit, NS_PER_SEC); /* the third is frozen by now */
    rpc_call_cancel(kit.rpc, &call);
    kit_kill(&kit, owner);
    kit_start(&kit, dead);
    kit_start(&kit, owner);
    kit_run(&kit, 15 * NS_PER_SEC);
    for (i = 0; i < 12; i++) {
        snprintf(text, sizeof(text), "f%u", i);
        CU_ASSERT_EQUAL(create(dir, text, true), 0);
    }
    kit_fini(&kit);
}

static void test_objects_of_removed_files_go_in_the_end(void)
{
    struct proto_req_obj_truncate size = {.size = 1000};
    struct proto_req_set_striped striped = {0};
    uint16_t target;
    unsigned owner, dead;

    kit_init(&kit);
    CU_ASSERT_EQUAL_FATAL(create(INO_ROOT, "a", true), 0);
    striped.ino = size.ino = kit.rep.create.inode.ino;
    CU_ASSERT_EQUAL_FATAL(kit_call(&kit, owner_of(INO_ROOT, "a"),
                                   PROTO_OP_set_striped, &striped),
                          0);
    for (target = 1; target <= KIT_TARGETS; target++)
        CU_ASSERT_EQUAL_FATAL(
            kit_call(&kit, target, PROTO_OP_obj_truncate, &size), 0);
    owner = owner_of(INO_ROOT, "a") - 1u;
    dead = (owner + 1) % KIT_TARGETS;
    kit_kill(&kit, dead);
    CU_ASSERT_EQUAL(unlink_of("a"), 0);
    CU_ASSERT_EQUAL(unlink_of("a"), -ENOENT);
    kit_run(&kit, 8 * NS_PER_SEC);
    CU_ASSERT_EQUAL(kit_counter(&kit, owner, COUNTER_orphans), 1);
    kit_kill(&kit, owner);
    kit_start(&kit, owner);
    kit_start(&kit, dead);
    kit_run(&kit, 15 * NS_PER_SEC);
    for (target = 1; target <= KIT_TARGETS; target++)
        CU_ASSERT_EQUAL(kit_object_size(&kit, target, size.ino), 0);
    CU_ASSERT_EQUAL(kit_counter(&kit, owner, COUNTER_orphans), 0);
    kit_fini(&kit);
}

/* A sync is of the object and of the names at once: whichever fails is told, and
 * only the object's failure stays. */
static void test_a_sync_tells_what_failed(void)
{
    struct proto_req_obj_truncate size = {.size = 10};
    struct proto_req_obj_sync sync;
    struct kit_server *server;
    uint16_t owner;

    kit_init(&kit);
    CU_ASSERT_EQUAL_FATAL(create(INO_ROOT, "a", true), 0);
    owner = owner_of(INO_ROOT, "a");
    server = &kit.servers[owner - 1];
    sync.ino = size.ino = kit.rep.create.inode.ino;
    CU_ASSERT_EQUAL_FATAL(
        kit_call(&kit, owner, PROTO_OP_obj_truncate, &size), 0);
    kv_mem_disk_sync_fault(server->names, ENOSPC);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_obj_sync, &sync), -ENOSPC);
    kv_mem_disk_sync_fault(server->names, 0);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_obj_sync, &sync), 0);
    obj_mem_disk_fault(server->disk, 0, EIO);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_obj_sync, &sync), -EIO);
    CU_ASSERT_EQUAL(kit_call(&kit, owner, PROTO_OP_obj_sync, &sync), -EIO);
    kit_fini(&kit);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_create_chooses_a_layout),
        UNIT_TEST(test_names_of_others_are_stale_here),
        UNIT_TEST(test_lookup_and_readdir_tell_sizes),
        UNIT_TEST(test_set_striped_is_said_once_and_for_all),
        UNIT_TEST(test_rmdir_takes_an_empty_directory_only),
        UNIT_TEST(test_rmdir_is_undone_when_a_target_is_dead),
        UNIT_TEST(test_rmdir_is_undone_when_its_owner_restarts),
        UNIT_TEST(test_objects_of_removed_files_go_in_the_end),
        UNIT_TEST(test_a_sync_tells_what_failed),
    };

    return UNIT_MAIN("target_names", tests);
}
