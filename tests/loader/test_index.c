/* SPDX-License-Identifier: BSD-3-Clause */
/* The index of a dataset: comes back as it went, and nothing else is believed.
 */
#include "loader/index.c"

#include "tests/base/unit.h"

static const struct index_row rows[] = {
    {0, 10, 1}, {10, 5, 2}, {100, 1, 3}, {0, 7, 4}};

/* Three files, the second of them without samples. */
static void fill(struct index *index)
{
    index_init(index, INDEX_TAR);
    index->origin = 77;
    CU_ASSERT_EQUAL(index_add_file(index, "a.tar", 101), 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(index_add_row(index, &rows[i]), 0);
    CU_ASSERT_EQUAL(index_add_file(index, "b.tar", 0), 0);
    CU_ASSERT_EQUAL(index_add_file(index, "sub/c.tar", 7), 0);
    CU_ASSERT_EQUAL(index_add_row(index, &rows[3]), 0);
}

static void check(const struct index *index)
{
    CU_ASSERT_EQUAL(index->format, INDEX_TAR);
    CU_ASSERT_EQUAL(index->origin, 77);
    CU_ASSERT_EQUAL_FATAL(index->nfiles, 3);
    CU_ASSERT_EQUAL_FATAL(index->nrows, 4);
    CU_ASSERT_EQUAL(memcmp(index->rows, rows, sizeof(rows)), 0);
    CU_ASSERT_STRING_EQUAL(index->files[2].name, "sub/c.tar");
    CU_ASSERT_EQUAL(index_file_of(index, 2), 0);
    CU_ASSERT_EQUAL(index_file_of(index, 3), 2);
    CU_ASSERT_EQUAL(index_file_count(index, 0), 3);
    CU_ASSERT_EQUAL(index_file_count(index, 1), 0);
    CU_ASSERT_EQUAL(index_file_count(index, 2), 1);
}

static void test_comes_back_as_it_went(void)
{
    struct index index, back;
    void *data;
    size_t size;
    uint64_t said;

    fill(&index);
    check(&index);
    CU_ASSERT_EQUAL_FATAL(index_encode(&index, &data, &size), 0);
    CU_ASSERT_EQUAL(index_size(data, &said), 0);
    CU_ASSERT_EQUAL(said, size);
    CU_ASSERT_EQUAL_FATAL(index_decode(data, size, &back), 0);
    check(&back);
    index_fini(&back);
    index_fini(&index);
    free(data);
}

/* The origin and the record size say nothing about the rest: they are outside
 * of the sum, and the loader needs neither. */
static bool is_free(size_t at)
{
    return at >= 48 && at < 64;
}

static void test_refuses_what_is_damaged(void)
{
    struct index index, back = {.nfiles = 0};
    unsigned char *data;
    void *memory;
    size_t size;

    fill(&index);
    CU_ASSERT_EQUAL_FATAL(index_encode(&index, &memory, &size), 0);
    data = memory;
    for (size_t i = 0; i < size; i++) {
        if (is_free(i) || i == 12)
            continue;
        data[i] ^= 0x40;
        CU_ASSERT_EQUAL(index_decode(data, size, &back), -EPROTO);
        data[i] ^= 0x40;
        CU_ASSERT_EQUAL(index_decode(data, i, &back), -EPROTO);
    }
    CU_ASSERT_EQUAL(back.nfiles, 0);
    index_fini(&index);
    free(memory);
}

/* A sum that is right does not make samples right. */
static void check_refused(struct index *index)
{
    struct index back;
    void *data;
    size_t size;

    CU_ASSERT_EQUAL_FATAL(index_encode(index, &data, &size), 0);
    CU_ASSERT_EQUAL(index_decode(data, size, &back), -EPROTO);
    free(data);
    index_fini(index);
    fill(index);
}

static void test_refuses_samples_out_of_place(void)
{
    struct index index;

    fill(&index);
    index.rows[2].offset = 101;
    check_refused(&index);
    index.rows[2].offset = UINT64_MAX;
    check_refused(&index);
    index.rows[2].length = 0;
    check_refused(&index);
    index.rows[1].offset = 9;
    check_refused(&index);
    index.files[1].first = 2;
    index.files[2].first = 1;
    check_refused(&index);
    index.files[0].first = 1;
    check_refused(&index);
    index.files[2].first = 5;
    check_refused(&index);
    index.files[0].size = UINT64_MAX;
    check_refused(&index);
    index_fini(&index);
}

static void test_appends_with_numbers_moved(void)
{
    struct index whole, part;

    fill(&part);
    index_init(&whole, INDEX_TAR);
    CU_ASSERT_EQUAL(index_append(&whole, &part), 0);
    CU_ASSERT_EQUAL(index_append(&whole, &part), 0);
    CU_ASSERT_EQUAL(whole.nfiles, 6);
    CU_ASSERT_EQUAL(whole.nrows, 8);
    CU_ASSERT_EQUAL(whole.files[3].first, 4);
    CU_ASSERT_EQUAL(index_file_of(&whole, 7), 5);
    index_fini(&whole);
    index_fini(&part);
}

static void test_survives_every_failed_allocation(void)
{
    struct index index, back = {.nfiles = 0};
    void *data;
    size_t size;
    int n, rc = -ENOMEM;

    fill(&index);
    CU_ASSERT_EQUAL_FATAL(index_encode(&index, &data, &size), 0);
    for (n = 0; n < 100 && rc != 0; n++) {
        mem_fault_set(n);
        rc = index_decode(data, size, &back);
        mem_fault_set(-1);
        CU_ASSERT(rc == 0 || (rc == -ENOMEM && back.nfiles == 0));
    }
    CU_ASSERT(n > 3 && rc == 0);
    index_fini(&back);
    index_fini(&index);
    free(data);
}

static void test_refuses_names(void)
{
    char name[INDEX_NAME_MAX + 2];
    struct index index;

    index_init(&index, INDEX_RAW);
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    CU_ASSERT_EQUAL(index_add_file(&index, "", 1), -EINVAL);
    CU_ASSERT_EQUAL(index_add_file(&index, name, 1), -EINVAL);
    CU_ASSERT_EQUAL(index_add_file(&index, name + 1, 1), 0);
    index_fini(&index);
    CU_ASSERT_EQUAL(index_format_parse("tar"), INDEX_TAR);
    CU_ASSERT_EQUAL((int)index_format_parse("zip"), 0);
    CU_ASSERT_PTR_NULL(index_format_name((enum index_format)0));
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_comes_back_as_it_went),
        UNIT_TEST(test_refuses_what_is_damaged),
        UNIT_TEST(test_refuses_samples_out_of_place),
        UNIT_TEST(test_appends_with_numbers_moved),
        UNIT_TEST(test_survives_every_failed_allocation),
        UNIT_TEST(test_refuses_names),
    };

    return UNIT_MAIN("loader index", tests);
}
