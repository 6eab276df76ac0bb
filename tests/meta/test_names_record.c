/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_record: bytes and back; whatever bytes come, a verdict and no crash.
 */
#include "meta/names_record.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#include <stdbool.h>

static struct layout random_layout(struct rng *rng)
{
    struct layout layout = {
        .stripe_size = (uint32_t)(1 + rng_below(rng, 1000)) * STRIPE_SIZE_MIN,
        .width = (uint16_t)(1 + rng_below(rng, LAYOUT_WIDTH_MAX)),
        .replicas = (uint16_t)(1 + rng_below(rng, 3)),
        .is_striped = rng_chance(rng, 50),
    };

    for (unsigned i = 0; i < layout.width; i++)
        layout.targets[i] = (uint16_t)(1 + rng_below(rng, TARGETS_MAX));
    return layout;
}

static struct inode random_inode(struct rng *rng)
{
    struct inode inode = {
        .ino = rng_next(rng) | 1,
        .type = (enum inode_type)(1 + rng_below(rng, INODE_TYPE_MAX)),
        .mode = (uint32_t)rng_below(rng, MODE_MAX + 1),
        .uid = (uint32_t)rng_next(rng),
        .gid = (uint32_t)rng_next(rng),
        .nlink = (uint32_t)rng_next(rng),
        .parent = rng_next(rng),
        .special = rng_next(rng),
        .object_ns = rng_next(rng),
        .atime_ns = rng_next(rng),
        .mtime_ns = rng_next(rng),
        .ctime_ns = rng_next(rng),
    };

    if (inode.type == INODE_FILE)
        inode.layout = random_layout(rng);
    return inode;
}

static bool is_same_layout(const struct layout *a, const struct layout *b)
{
    return a->stripe_size == b->stripe_size && a->width == b->width &&
           a->replicas == b->replicas && a->is_striped == b->is_striped &&
           memcmp(a->targets, b->targets, sizeof(a->targets)) == 0;
}

static bool is_same(const struct inode *a, const struct inode *b)
{
    return a->ino == b->ino && a->type == b->type && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid && a->nlink == b->nlink &&
           a->parent == b->parent && a->special == b->special &&
           a->object_ns == b->object_ns && a->atime_ns == b->atime_ns &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
           is_same_layout(&a->layout, &b->layout);
}

static void test_every_inode_comes_back(void)
{
    unsigned char value[NAMES_RECORD_MAX];
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < 2000; round++) {
        struct inode inode = random_inode(&rng), back;
        size_t len;

        CU_ASSERT_EQUAL(names_record_check(&inode), 0);
        len = names_record_encode(&inode, value);
        CU_ASSERT(len <= sizeof(value));
        CU_ASSERT_EQUAL(names_record_decode(value, len, &back), 0);
        CU_ASSERT(is_same(&inode, &back));
    }
}

/* The document's example of bytes: a change of them is a change of format. */
static void test_bytes_are_as_documented(void)
{
    struct inode inode = {.ino = 0x0001000000000002,
                          .type = INODE_FILE,
                          .mode = 0644,
                          .uid = 1,
                          .gid = 2,
                          .nlink = 6,
                          .parent = 7,
                          .special = 8,
                          .object_ns = 9,
                          .atime_ns = 3,
                          .mtime_ns = 4,
                          .ctime_ns = 5,
                          .layout = {.stripe_size = 1 << 20,
                                     .width = 2,
                                     .replicas = 1,
                                     .is_striped = true,
                                     .targets = {1, 0x0203}}};
    static const unsigned char wanted[] = {
        2, 1, 0,    0, 0xa4, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, /* .. gid */
        6, 0, 0,    0,                                        /* nlink */
        2, 0, 0,    0, 0,    0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, /* ino, parent */
        8, 0, 0,    0, 0,    0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, /* special .. */
        4, 0, 0,    0, 0,    0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, /* mtime, ctime */
        9, 0, 0,    0, 0,    0, 0, 0,                         /* object */
        0, 0, 0x10, 0, 2,    0, 1, 0, 1, 0, 1, 0, 3, 2};      /* layout */
    unsigned char value[NAMES_RECORD_MAX];

    CU_ASSERT_EQUAL(names_record_encode(&inode, value), sizeof(wanted));
    CU_ASSERT_EQUAL(memcmp(value, wanted, sizeof(wanted)), 0);
}

/* What format 1 wrote, and what it stands for now. */
static void test_records_of_format_1_are_read(void)
{
    static const unsigned char old[] = {
        1, 2, 0, 0, 0xa4, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, /* .. gid */
        2, 0, 0, 0, 0,    0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, /* ino, atime */
        4, 0, 0, 0, 0,    0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, /* mtime, ctime */
        0, 0, 0, 0, 0,    0, 0, 0, 0, 0};                  /* layout */
    struct inode inode;

    CU_ASSERT_EQUAL(names_record_decode(old, sizeof(old), &inode), 0);
    CU_ASSERT_EQUAL(inode.type, INODE_DIR);
    CU_ASSERT_EQUAL(inode.nlink, 2);
    CU_ASSERT_EQUAL(inode.ino, 0x0001000000000002);
    CU_ASSERT_EQUAL(inode.ctime_ns, 5);
}

static void test_entries_and_directories_come_back(void)
{
    struct names_dir_state state = {NAMES_GONE, 1, 2, 3}, back;
    unsigned char value[NAMES_DIR_LEN];
    enum inode_type type;
    uint64_t ino;

    CU_ASSERT_EQUAL(names_entry_encode(77, INODE_FIFO, value),
                    NAMES_ENTRY_LEN);
    CU_ASSERT_EQUAL(names_entry_decode(value, NAMES_ENTRY_LEN, &ino, &type),
                    0);
    CU_ASSERT_EQUAL(ino, 77);
    CU_ASSERT_EQUAL(type, INODE_FIFO);
    CU_ASSERT_EQUAL(
        names_entry_decode(value, NAMES_ENTRY_LEN - 1, &ino, &type), -EIO);
    value[1] = 0;
    CU_ASSERT_EQUAL(names_entry_decode(value, NAMES_ENTRY_LEN, &ino, &type),
                    -EIO);
    CU_ASSERT_EQUAL(names_dir_encode(&state, value), NAMES_DIR_LEN);
    CU_ASSERT_EQUAL(names_dir_decode(value, NAMES_DIR_LEN, &back), 0);
    CU_ASSERT_EQUAL(memcmp(&state, &back, sizeof(back)), 0);
    CU_ASSERT_EQUAL(names_dir_decode("\2", 1, &back), 0); /* format 1 */
    CU_ASSERT_EQUAL(back.frozen, NAMES_GONE);
    CU_ASSERT_EQUAL(names_dir_decode("\3", 1, &back), -EIO);
}

static void test_every_wrong_length_is_refused(void)
{
    unsigned char value[NAMES_RECORD_MAX + 1] = {0};
    struct inode inode, back;
    struct rng rng;
    size_t len;

    rng_init(&rng, unit_seed());
    inode = random_inode(&rng);
    len = names_record_encode(&inode, value);
    for (size_t short_len = 0; short_len < len; short_len++) {
        unsigned char *copy = malloc(short_len + 1); /* exact, for ASan */

        memcpy(copy, value, short_len);
        CU_ASSERT_EQUAL(names_record_decode(copy, short_len, &back), -EIO);
        copy = realloc(copy, short_len == 0 ? 1 : short_len);
        CU_ASSERT_EQUAL(names_record_decode(copy, short_len, &back), -EIO);
        free(copy);
    }
    CU_ASSERT_EQUAL(names_record_decode(value, len + 1, &back), -EIO);
}

/* What decodes in spite of damage must at least be valid. */
static void test_damage_never_passes_as_nonsense(void)
{
    unsigned char value[NAMES_RECORD_MAX];
    struct inode inode, back;
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < 20000; round++) {
        size_t len;

        inode = random_inode(&rng);
        len = names_record_encode(&inode, value);
        for (unsigned n = 0; n < 3; n++)
            value[rng_below(&rng, len)] = (unsigned char)rng_next(&rng);
        if (names_record_decode(value, len, &back) == 0) {
            CU_ASSERT_EQUAL(names_record_check(&back), 0);
            CU_ASSERT(back.ino != 0);
        }
    }
}

static void test_fields_out_of_range_are_refused(void)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } damages[] = {{0, 3},  {1, 8},  {1, 0},  {2, 1},  {5, 0xff},
                   {80, 1}, {81, 1}, {84, 2}, {85, 1}, {76, 1}};
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        unsigned char value[NAMES_RECORD_MAX] = {0};
        struct inode inode = random_inode(&rng), back;
        size_t len;

        inode.type = INODE_FILE;
        inode.layout = random_layout(&rng);
        inode.layout.width = 3;
        len = names_record_encode(&inode, value);
        value[damages[i].at] = damages[i].byte;
        CU_ASSERT_EQUAL(names_record_decode(value, len, &back), -EIO);
    }
}

static void test_bad_inodes_are_refused(void)
{
    struct rng rng;
    struct inode good, bad;

    rng_init(&rng, 1);
    good = random_inode(&rng);
    good.type = INODE_FILE;
    good.layout = random_layout(&rng);
    CU_ASSERT_EQUAL(names_record_check(&good), 0);
    bad = good;
    bad.type = INODE_TYPE_MAX + 1;
    CU_ASSERT_EQUAL(names_record_check(&bad), -EINVAL);
    bad = good;
    bad.mode = MODE_MAX + 1;
    CU_ASSERT_EQUAL(names_record_check(&bad), -EINVAL);
    bad = good;
    bad.layout.width = 0;
    CU_ASSERT_EQUAL(names_record_check(&bad), -EINVAL);
    bad.type = INODE_DIR;
    CU_ASSERT_EQUAL(names_record_check(&bad), 0);
}

static void test_format_of_another_version_is_told(void)
{
    unsigned char value[6];
    uint32_t version;
    uint16_t target;

    CU_ASSERT_EQUAL(names_format_encode(7, value), 6);
    CU_ASSERT_EQUAL(names_format_decode(value, 6, &version, &target), 0);
    CU_ASSERT_EQUAL(version, NAMES_FORMAT_VERSION);
    CU_ASSERT_EQUAL(target, 7);
    CU_ASSERT_EQUAL(names_format_decode(value, 5, &version, &target), -EIO);
    CU_ASSERT_EQUAL(names_format_decode(value, 3, &version, &target), -EIO);
    value[0] = 9;
    CU_ASSERT_EQUAL(names_format_decode(value, 4, &version, &target), 0);
    CU_ASSERT_EQUAL(version, 9);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_every_inode_comes_back),
        UNIT_TEST(test_bytes_are_as_documented),
        UNIT_TEST(test_records_of_format_1_are_read),
        UNIT_TEST(test_entries_and_directories_come_back),
        UNIT_TEST(test_every_wrong_length_is_refused),
        UNIT_TEST(test_damage_never_passes_as_nonsense),
        UNIT_TEST(test_fields_out_of_range_are_refused),
        UNIT_TEST(test_bad_inodes_are_refused),
        UNIT_TEST(test_format_of_another_version_is_told),
    };

    return UNIT_MAIN("meta/names_record", tests);
}
