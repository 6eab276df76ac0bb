/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC32C against the vectors of RFC 3720, appendix B.4, and against a
 * bit-by-bit sum of every length and alignment near the vector widths that
 * ISA-L may take.
 */
#include "base/crc32c.c"

#include <CUnit/Basic.h>
#include <string.h>

#define LENGTH_MAX 300

static void test_rfc3720_vectors(void)
{
    unsigned char data[32];
    size_t i;

    memset(data, 0, sizeof(data));
    CU_ASSERT_EQUAL(crc32c(0, data, sizeof(data)), 0x8a9136aau);
    memset(data, 0xff, sizeof(data));
    CU_ASSERT_EQUAL(crc32c(0, data, sizeof(data)), 0x62a8ab43u);
    for (i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)i;
    CU_ASSERT_EQUAL(crc32c(0, data, sizeof(data)), 0x46dd794eu);
    for (i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(31 - i);
    CU_ASSERT_EQUAL(crc32c(0, data, sizeof(data)), 0x113fdb5cu);
}

/* The iSCSI SCSI Read (10) command PDU of the same appendix. */
static void test_rfc3720_read_command(void)
{
    static const unsigned char pdu[48] = {
        0x01,        0xc0,        0x00,        0x00,        [16] = 0x14,
        [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
    };

    CU_ASSERT_EQUAL(crc32c(0, pdu, sizeof(pdu)), 0xd9963a56u);
}

static void test_check_value(void)
{
    CU_ASSERT_EQUAL(crc32c(0, "123456789", 9), 0xe3069283u);
}

static void test_sum_of_nothing_is_the_start(void)
{
    CU_ASSERT_EQUAL(crc32c(0, NULL, 0), 0);
    CU_ASSERT_EQUAL(crc32c(0x12345678u, "", 0), 0x12345678u);
}

static uint32_t sum_bit_by_bit(const unsigned char *data, size_t length)
{
    uint32_t state = 0xffffffffu;
    size_t i;
    int bit;

    for (i = 0; i < length; i++) {
        state ^= data[i];
        for (bit = 0; bit < 8; bit++)
            state = (state >> 1) ^ (0x82f63b78u & -(state & 1));
    }
    return ~state;
}

static void test_every_length_and_alignment(void)
{
    unsigned char data[LENGTH_MAX + 16];
    size_t i, start, length;
    unsigned wrong = 0;

    for (i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 37 + 11);
    for (start = 0; start < 16; start++)
        for (length = 0; length <= LENGTH_MAX; length++)
            wrong += crc32c(0, data + start, length) !=
                     sum_bit_by_bit(data + start, length);
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_sum_continues_over_any_cut(void)
{
    unsigned char data[LENGTH_MAX];
    uint32_t whole;
    size_t cut;

    memset(data, 0x5a, sizeof(data));
    data[17] = 3;
    whole = crc32c(0, data, sizeof(data));
    for (cut = 0; cut <= sizeof(data); cut++)
        CU_ASSERT_EQUAL(
            crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut),
            whole);
}

int main(void)
{
    CU_pSuite suite;
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return CU_get_error();
    suite = CU_add_suite("crc32c", NULL, NULL);
    CU_ADD_TEST(suite, test_rfc3720_vectors);
    CU_ADD_TEST(suite, test_rfc3720_read_command);
    CU_ADD_TEST(suite, test_check_value);
    CU_ADD_TEST(suite, test_sum_of_nothing_is_the_start);
    CU_ADD_TEST(suite, test_every_length_and_alignment);
    CU_ADD_TEST(suite, test_sum_continues_over_any_cut);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
