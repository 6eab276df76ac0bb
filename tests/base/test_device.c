/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies on a device, shown with plain files in its place; real devices:
 * tests/cluster/test_device.sh.
 */
#include "base/device_blkid.c"

#include "tests/base/unit.h"

#include <stdlib.h>

#define SIZE ((off_t)64 << 20)

static char path[300], directory[256];

static int make_blank(void)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SIZE), 0);
    return fd;
}

static const char *what_is_on(int fd, struct device_content *content)
{
    static char text[160];

    CU_ASSERT_EQUAL(device_look(fd, content), 0);
    device_describe(content, text, sizeof(text));
    return text;
}

static void test_only_a_block_device_is_claimed(void)
{
    int fd = make_blank(), claimed = -1;

    close(fd);
    CU_ASSERT_EQUAL(device_claim(path, &claimed), -ENOTBLK);
    CU_ASSERT_EQUAL(device_claim("/dev/null", &claimed), -ENOTBLK);
    CU_ASSERT_EQUAL(device_claim("/nonexistent/device", &claimed), -ENOENT);
    CU_ASSERT_EQUAL(claimed, -1);
}

static void test_zeros_are_nothing_and_one_bit_is_something(void)
{
    static const off_t places[] = {0, 12345, END_SIZE - 1, SIZE - END_SIZE,
                                   SIZE - 1};
    struct device_content content;
    int fd = make_blank();

    CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content), "nothing");
    CU_ASSERT(content.is_blank);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        CU_ASSERT_EQUAL(pwrite(fd, "\1", 1, places[i]), 1);
        CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content),
                               "bytes of no kind that is known");
        CU_ASSERT(!content.is_blank);
        CU_ASSERT_EQUAL(pwrite(fd, "\0", 1, places[i]), 1);
    }
    CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content), "nothing");
    close(fd);
}

static void test_partitions_are_something(void)
{
    /* One partition of type 0x83 from sector 2048 on, 8192 sectors long. */
    static const unsigned char entry[16] = {0, 0, 0, 0, 0x83, 0,  0, 0,
                                            0, 8, 0, 0, 0,    32, 0, 0};
    struct device_content content;
    int fd = make_blank();

    CU_ASSERT_EQUAL(pwrite(fd, entry, 16, 446), 16);
    CU_ASSERT_EQUAL(pwrite(fd, "\x55\xaa", 2, 510), 2);
    CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content), "partitions (dos)");
    CU_ASSERT(content.is_table && !content.is_blank);
    CU_ASSERT_EQUAL(device_wipe(fd), 0);
    CU_ASSERT_STRING_NOT_EQUAL(what_is_on(fd, &content), "partitions (dos)");
    close(fd);
}

/* A swap area: its mark at the end of the first page. */
static void test_signatures_have_names_and_are_wiped(void)
{
    struct device_content content;
    int fd = make_blank();

    CU_ASSERT_EQUAL(pwrite(fd, "\1\0\0\0\xff\3\0\0", 8, 1024), 8);
    CU_ASSERT_EQUAL(pwrite(fd, "spare", 5, 1024 + 28), 5);
    CU_ASSERT_EQUAL(pwrite(fd, "SWAPSPACE2", 10, 4096 - 10), 10);
    CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content),
                           "swap with the label spare");
    CU_ASSERT_STRING_EQUAL(content.type, "swap");
    CU_ASSERT_STRING_EQUAL(content.label, "spare");
    CU_ASSERT_EQUAL(device_wipe(fd), 0);
    CU_ASSERT_STRING_EQUAL(what_is_on(fd, &content),
                           "bytes of no kind that is known");
    close(fd);
}

static void test_what_cannot_be_read_is_an_error(void)
{
    struct device_content content = {.type = "before"};
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(device_look(fd, &content) < 0);
    CU_ASSERT_STRING_EQUAL(content.type, "before");
    close(fd);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_only_a_block_device_is_claimed),
        UNIT_TEST(test_zeros_are_nothing_and_one_bit_is_something),
        UNIT_TEST(test_partitions_are_something),
        UNIT_TEST(test_signatures_have_names_and_are_wiped),
        UNIT_TEST(test_what_cannot_be_read_is_an_error),
    };
    int rc;

    unit_tempdir_make(directory);
    snprintf(path, sizeof(path), "%s/device", directory);
    rc = UNIT_MAIN("base/device", tests);
    unit_tempdir_remove(directory);
    return rc;
}
