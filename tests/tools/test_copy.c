/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/copy.c"

#include "tests/base/unit.h"

#include <limits.h>
#include <stdarg.h>

/*
 * The cluster is one file in memory. Every call into it counts; number fail_at
 * fails. Requests end when they are waited for, and only then is their buffer
 * read or written, so that one which is used too early shows.
 */
#define STORE_MAX (7u * CHUNK)

struct capstan_request {
    struct capstan_run run;
    bool is_write;
};

static char store[STORE_MAX];
static uint64_t store_size;
static bool exists;
static int fail_at = -1;
static int calls;
static int under_way;
static int most_under_way;
static uint64_t claimed_size; /* if not 0: what capstan_file_size says */
static int errors_said;

static bool fails_now(void)
{
    return calls++ == fail_at;
}

int capstan_file_open(struct capstan_session *session, const char *path,
                      unsigned flags, const struct capstan_layout *layout,
                      struct capstan_file **file_out)
{
    if (fails_now())
        return -EIO;
    if (flags & CAPSTAN_OPEN_TRUNCATE) {
        exists = true;
        store_size = 0;
    } else if (!exists) {
        return -ENOENT;
    }
    *file_out = (struct capstan_file *)store;
    return 0;
}

int capstan_file_close(struct capstan_file **file_p)
{
    CU_ASSERT_EQUAL(under_way, 0);
    *file_p = NULL;
    return fails_now() ? -EIO : 0;
}

static int request_start(const struct capstan_run *run, bool is_write,
                         struct capstan_request **request_out)
{
    if (fails_now())
        return -EIO;
    *request_out = malloc(sizeof(**request_out));
    (*request_out)->run = *run;
    (*request_out)->is_write = is_write;
    if (++under_way > most_under_way)
        most_under_way = under_way;
    return 0;
}

int capstan_file_writev_start(struct capstan_file *file,
                              const struct capstan_run *runs, size_t nruns,
                              struct capstan_request **request_out)
{
    return request_start(runs, true, request_out);
}

int capstan_file_readv_start(struct capstan_file *file,
                             const struct capstan_run *runs, size_t nruns,
                             struct capstan_request **request_out)
{
    return request_start(runs, false, request_out);
}

static uint64_t run_end_in_store(const struct capstan_run *run)
{
    uint64_t end = run->offset + run->length;

    return end < store_size ? end : store_size;
}

int capstan_request_wait(struct capstan_request **request_p,
                         uint64_t *bytes_out)
{
    struct capstan_run run = (*request_p)->run;
    bool is_write = (*request_p)->is_write;
    uint64_t end;

    free(*request_p);
    *request_p = NULL;
    under_way--;
    if (fails_now())
        return -EIO;
    if (is_write) {
        memcpy(store + run.offset, run.memory, run.length);
        if (run.offset + run.length > store_size)
            store_size = run.offset + run.length;
        *bytes_out = run.length;
        return 0;
    }
    end = run_end_in_store(&run);
    *bytes_out = end > run.offset ? end - run.offset : 0;
    memcpy(run.memory, store + run.offset, *bytes_out);
    return 0;
}

int capstan_file_size(struct capstan_file *file, uint64_t *size_out)
{
    if (fails_now())
        return -EIO;
    *size_out = claimed_size != 0 ? claimed_size : store_size;
    return 0;
}

int capstan_stat(struct capstan_session *session, const char *path,
                 struct capstan_stat *stat_out)
{
    if (fails_now())
        return -EIO;
    memset(stat_out, 0, sizeof(*stat_out));
    stat_out->mode = 0640;
    return 0;
}

int capstan_unlink(struct capstan_session *session, const char *path)
{
    exists = false;
    return 0;
}

void progress_add(struct progress *shown, uint64_t bytes)
{
    shown->done += bytes;
}

void tool_error(const char *object, const char *format, ...)
{
    errors_said++;
}

void tool_session_error(const struct capstan_session *session,
                        const char *object)
{
    errors_said++;
}

bool tool_interrupted(void)
{
    return false;
}

static char directory[256], source[300], target[300];
static struct copy copy;
static struct progress progress;

static int copy_put(const char *local, const char *remote)
{
    return copy_file(&copy, (struct copy_end){local, false},
                     (struct copy_end){remote, true});
}

static int copy_get(const char *remote, const char *local)
{
    return copy_file(&copy, (struct copy_end){remote, true},
                     (struct copy_end){local, false});
}

static void setup(void)
{
    unit_tempdir_make(directory);
    snprintf(source, sizeof(source), "%s/source", directory);
    snprintf(target, sizeof(target), "%s/target", directory);
    CU_ASSERT_EQUAL_FATAL(copy_init(&copy, NULL, &progress), 0);
    exists = false;
    fail_at = -1;
    claimed_size = 0;
    most_under_way = 0;
}

static void teardown(void)
{
    copy_fini(&copy);
    unit_tempdir_remove(directory);
}

static void write_source(size_t size)
{
    FILE *file = fopen(source, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (size_t i = 0; i < size; i++)
        putc_unlocked((int)((i * 2654435761u) >> 13), file);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

/* Is this file what is in the store? */
static bool is_stored(const char *path)
{
    FILE *file = fopen(path, "r");
    uint64_t i = 0;
    int c;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while ((c = getc_unlocked(file)) != EOF && i < store_size &&
           store[i] == (char)c)
        i++;
    fclose(file);
    return c == EOF && i == store_size;
}

static void test_any_size_goes_there_and_back(void)
{
    static const size_t sizes[] = {
        0,         1,         CHUNK - 1,     CHUNK,
        CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 6 * CHUNK + 12345};
    struct stat stat_buf;

    setup();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_source(sizes[i]);
        progress.done = 0;
        CU_ASSERT_EQUAL(copy_put(source, "/x"), 0);
        CU_ASSERT_EQUAL(progress.done, sizes[i]);
        CU_ASSERT_EQUAL(store_size, sizes[i]);
        CU_ASSERT_TRUE(is_stored(source));
        CU_ASSERT_EQUAL(copy_get("/x", target), 0);
        CU_ASSERT_EQUAL(progress.done, 2 * sizes[i]);
        CU_ASSERT_TRUE(is_stored(target));
    }
    CU_ASSERT_EQUAL(stat(target, &stat_buf), 0);
    CU_ASSERT_EQUAL(stat_buf.st_mode & 0777 & ~0640u, 0);
    CU_ASSERT_EQUAL(most_under_way, DEPTH);
    teardown();
}

static void test_a_file_that_shrinks_meanwhile_ends_early(void)
{
    setup();
    exists = true;
    store_size = CHUNK + 5;
    claimed_size = 6 * CHUNK;
    CU_ASSERT_EQUAL(copy_get("/x", target), 0);
    CU_ASSERT_TRUE(is_stored(target));
    CU_ASSERT_EQUAL(under_way, 0);
    teardown();
}

/* Fail call 0, 1, 2 ... until the copy succeeds. */
static void test_every_failure_removes_what_was_begun(void)
{
    int rc = -1, n;

    setup();
    write_source(6 * CHUNK + 12345);
    for (n = 0; n < 100 && rc != 0; n++) {
        exists = false;
        errors_said = calls = 0;
        fail_at = n;
        rc = copy_put(source, "/x");
        CU_ASSERT_EQUAL(under_way, 0);
        CU_ASSERT_EQUAL(exists, rc == 0);
        CU_ASSERT_EQUAL(errors_said, rc == 0 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_TRUE(n > 14);
    fail_at = -1;
    CU_ASSERT_TRUE(is_stored(source));
    teardown();
}

static void test_every_failure_of_get_removes_the_local_file(void)
{
    bool is_there, is_late;
    int n;

    setup();
    write_source(6 * CHUNK + 12345);
    CU_ASSERT_EQUAL_FATAL(copy_put(source, "/x"), 0);
    for (n = 0; n < 100; n++) {
        int rc;

        unlink(target);
        errors_said = calls = 0;
        fail_at = n;
        rc = copy_get("/x", target);
        is_late = rc == 0;
        is_there = access(target, F_OK) == 0;
        CU_ASSERT_EQUAL(under_way, 0);
        CU_ASSERT_EQUAL(is_there, rc == 0);
        CU_ASSERT_EQUAL(errors_said, rc == 0 ? 0 : 1);
        if (is_late)
            break;
    }
    CU_ASSERT_TRUE(n > 14);
    fail_at = -1;
    CU_ASSERT_TRUE(is_stored(target));
    teardown();
}

static void test_what_cannot_be_read_is_not_created(void)
{
    setup();
    errors_said = 0;
    CU_ASSERT_EQUAL(copy_put(source, "/x"), -1); /* there is none */
    CU_ASSERT_FALSE(exists);
    CU_ASSERT_EQUAL(copy_put(directory, "/x"), -1);
    CU_ASSERT_FALSE(exists);
    CU_ASSERT_EQUAL(copy_get("/x", target), -1);
    CU_ASSERT_NOT_EQUAL(access(target, F_OK), 0);
    CU_ASSERT_EQUAL(errors_said, 3);
    teardown();
}

static void test_a_device_is_not_removed(void)
{
    setup();
    write_source(10);
    CU_ASSERT_EQUAL(copy_put(source, "/x"), 0);
    CU_ASSERT_EQUAL(copy_get("/x", "/dev/null"), 0);
    CU_ASSERT_EQUAL(symlink("/dev/full", target), 0);
    CU_ASSERT_EQUAL(copy_get("/x", target), -1);
    CU_ASSERT_EQUAL(access(target, F_OK), 0);
    teardown();
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_any_size_goes_there_and_back),
        UNIT_TEST(test_a_file_that_shrinks_meanwhile_ends_early),
        UNIT_TEST(test_every_failure_removes_what_was_begun),
        UNIT_TEST(test_every_failure_of_get_removes_the_local_file),
        UNIT_TEST(test_what_cannot_be_read_is_not_created),
        UNIT_TEST(test_a_device_is_not_removed),
    };

    return UNIT_MAIN("copy", tests);
}
