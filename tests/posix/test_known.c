/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which files are opened without asking. The library is a few lines here: a
 * capstan_opened is a number that counts down when it is freed.
 */
#include "posix/fuse_known.c"

#include "tests/base/unit.h"

#define INO 77u

struct capstan_opened {
    bool is_denied;
};

static struct known known;
static unsigned nopened; /* that are kept somewhere */

static struct capstan_opened *new_opened(void)
{
    nopened++;
    return calloc(1, sizeof(struct capstan_opened));
}

void capstan_opened_free(struct capstan_opened **opened_p)
{
    nopened -= *opened_p != NULL;
    free(*opened_p);
    *opened_p = NULL;
}

int capstan_opened_may(const struct capstan_session *session,
                       const struct capstan_opened *opened, unsigned flags)
{
    return opened->is_denied ? -EACCES : 0;
}

int capstan_opened_open(struct capstan_session *session,
                        const struct capstan_opened *opened, unsigned flags,
                        struct capstan_file **file_out)
{
    return 0;
}

static struct capstan_opened *keep(uint64_t ino)
{
    struct capstan_stat stat = {.ino = ino, .mode = 0640};
    struct capstan_opened *opened = new_opened();

    known_keep(&known, &stat, opened);
    return opened;
}

static int open_it(uint64_t ino)
{
    struct capstan_file *file = NULL;
    uint32_t mode = 0640;
    int rc = known_open(&known, NULL, ino, CAPSTAN_OPEN_READ, &file, &mode);

    CU_ASSERT_EQUAL(mode, 0640);
    return rc;
}

static void test_only_what_was_seen_is_opened(void)
{
    known_init(&known, 1000);
    CU_ASSERT_EQUAL(open_it(INO), -ENOENT);
    CU_ASSERT_EQUAL(open_it(0), -ENOENT);
    keep(INO);
    CU_ASSERT_EQUAL(open_it(INO), 0);
    CU_ASSERT_EQUAL(open_it(INO + KNOWN_SLOTS), -ENOENT);
    keep(INO + KNOWN_SLOTS); /* in the same slot */
    CU_ASSERT_EQUAL(open_it(INO), -ENOENT);
    CU_ASSERT_EQUAL(nopened, 1);
    known_fini(&known);
    CU_ASSERT_EQUAL(nopened, 0);
}

static void test_rights_are_judged(void)
{
    known_init(&known, 1000);
    keep(INO)->is_denied = true;
    CU_ASSERT_EQUAL(open_it(INO), -EACCES);
    known_fini(&known);
}

static void test_what_was_changed_or_is_old_is_asked_for(void)
{
    known_init(&known, 1000);
    keep(INO);
    known_forget(&known, INO + KNOWN_SLOTS);
    CU_ASSERT_EQUAL(open_it(INO), 0);
    known_forget(&known, INO);
    CU_ASSERT_EQUAL(open_it(INO), -ENOENT);
    keep(INO);
    known.slots[INO % KNOWN_SLOTS].until_ns = clock_now(clock_real());
    CU_ASSERT_EQUAL(open_it(INO), -ENOENT);
    known_fini(&known);
}

static void test_without_a_cache_nothing_is_kept(void)
{
    known_init(&known, 0);
    CU_ASSERT_FALSE(known_is_on(&known));
    CU_ASSERT_EQUAL(open_it(INO), -ENOENT);
    known_fini(&known);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_only_what_was_seen_is_opened),
        UNIT_TEST(test_rights_are_judged),
        UNIT_TEST(test_what_was_changed_or_is_old_is_asked_for),
        UNIT_TEST(test_without_a_cache_nothing_is_kept),
    };

    return UNIT_MAIN("posix/known", tests);
}
