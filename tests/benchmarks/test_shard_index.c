/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a packed dataset: what is encoded comes back, and whatever is
 * not an index is refused, whichever byte of it is wrong.
 */
#include "benchmarks/shard_index.c"

#include <CUnit/Basic.h>

static struct sample three[] = {
    {.shard = 0, .crc32c = 0xdeadbeef, .offset = 0, .length = 1},
    {.shard = 0, .crc32c = 1, .offset = 1, .length = SAMPLE_LENGTH_MAX},
    {.shard = 2, .crc32c = 0, .offset = 1ull << 40, .length = 47008},
};

static struct shard_index sample_index(void)
{
    return (struct shard_index){.shards = 3, .count = 3, .samples = three};
}

/* Encode, after putting `wrong` in place of sample 1. */
static int decode_with(struct sample wrong)
{
    struct sample samples[3];
    struct shard_index index = sample_index(), back;
    void *data;
    size_t size;
    int rc;

    memcpy(samples, three, sizeof(samples));
    samples[1] = wrong;
    index.samples = samples;
    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    rc = shard_index_decode(data, size, &back);
    if (rc == 0)
        shard_index_fini(&back);
    free(data);
    return rc;
}

static void test_what_is_encoded_comes_back(void)
{
    struct shard_index index = sample_index(), back;
    void *data;
    size_t size;

    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    CU_ASSERT_EQUAL(size, 32 + 3 * 24);
    CU_ASSERT_EQUAL_FATAL(shard_index_decode(data, size, &back), 0);
    CU_ASSERT_EQUAL(back.shards, 3);
    CU_ASSERT_EQUAL(back.count, 3);
    CU_ASSERT_EQUAL(memcmp(back.samples, three, sizeof(three)), 0);
    shard_index_fini(&back);
    CU_ASSERT_PTR_NULL(back.samples);
    free(data);
}

static void test_empty_index_is_an_index(void)
{
    struct shard_index index = {0}, back;
    void *data;
    size_t size;

    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    CU_ASSERT_EQUAL_FATAL(shard_index_decode(data, size, &back), 0);
    CU_ASSERT_EQUAL(back.count, 0);
    shard_index_fini(&back);
    free(data);
}

static void test_any_changed_byte_is_refused(void)
{
    struct shard_index index = sample_index(), back;
    unsigned char *bytes;
    void *data;
    size_t size, i;

    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    bytes = data;
    for (i = 0; i < size; i++) {
        /* The number of shards has no sum over it: a larger one is believed. */
        if (i >= 12 && i < 16)
            continue;
        bytes[i] ^= 0x40;
        CU_ASSERT_EQUAL(shard_index_decode(data, size, &back), -EPROTO);
        bytes[i] ^= 0x40;
    }
    free(data);
}

static void test_any_cut_is_refused(void)
{
    struct shard_index index = sample_index(), back;
    void *data;
    size_t size, cut;

    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    for (cut = 0; cut < size; cut++)
        CU_ASSERT_EQUAL(shard_index_decode(data, cut, &back), -EPROTO);
    free(data);
}

static void test_samples_beyond_limits_are_refused(void)
{
    struct sample good = three[1], bad;

    CU_ASSERT_EQUAL(decode_with(good), 0);
    bad = good;
    bad.shard = 3;
    CU_ASSERT_EQUAL(decode_with(bad), -EPROTO);
    bad = good;
    bad.length = 0;
    CU_ASSERT_EQUAL(decode_with(bad), -EPROTO);
    bad = good;
    bad.length = SAMPLE_LENGTH_MAX + 1;
    CU_ASSERT_EQUAL(decode_with(bad), -EPROTO);
    bad = good;
    bad.offset = (uint64_t)INT64_MAX;
    CU_ASSERT_EQUAL(decode_with(bad), -EPROTO);
}

static void test_too_many_shards_are_refused(void)
{
    struct shard_index index = {.shards = SHARDS_MAX + 1}, back;
    void *data;
    size_t size;

    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    CU_ASSERT_EQUAL(shard_index_decode(data, size, &back), -EPROTO);
    free(data);
}

static void test_want_of_memory_is_told(void)
{
    struct shard_index index = sample_index(), back = {0};
    void *data = NULL;
    size_t size = 0;

    mem_fault_set(0);
    CU_ASSERT_EQUAL(shard_index_encode(&index, &data, &size), -ENOMEM);
    CU_ASSERT_PTR_NULL(data);
    mem_fault_set(-1);
    CU_ASSERT_EQUAL_FATAL(shard_index_encode(&index, &data, &size), 0);
    mem_fault_set(0);
    CU_ASSERT_EQUAL(shard_index_decode(data, size, &back), -ENOMEM);
    CU_ASSERT_PTR_NULL(back.samples);
    mem_fault_set(-1);
    free(data);
}

int main(void)
{
    CU_pSuite suite;
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return CU_get_error();
    suite = CU_add_suite("shard_index", NULL, NULL);
    CU_ADD_TEST(suite, test_what_is_encoded_comes_back);
    CU_ADD_TEST(suite, test_empty_index_is_an_index);
    CU_ADD_TEST(suite, test_any_changed_byte_is_refused);
    CU_ADD_TEST(suite, test_any_cut_is_refused);
    CU_ADD_TEST(suite, test_samples_beyond_limits_are_refused);
    CU_ADD_TEST(suite, test_too_many_shards_are_refused);
    CU_ADD_TEST(suite, test_want_of_memory_is_told);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
