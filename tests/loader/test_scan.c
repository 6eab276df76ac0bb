/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding samples in data files, whole and damaged; members of a tar sample. */
#include "loader/field.c"
#include "loader/scan.c"
#include "loader/tar.c"

#include "base/rng.h"
#include "tests/base/unit.h"

#define ROOM (1u << 20)

static struct {
    unsigned char bytes[ROOM];
    size_t size;
} data;

static struct index_row found[64];
static size_t nfound;

static int read_data(void *context, uint64_t offset, void *buffer,
                     size_t length)
{
    CU_ASSERT_FATAL(offset + length <= data.size);
    memcpy(buffer, data.bytes + offset, length);
    return 0;
}

static int take(void *context, const struct index_row *row)
{
    if (row->length == 0 || row->offset + row->length > data.size)
        return -ERANGE;
    if (nfound < 64)
        found[nfound] = *row;
    nfound++;
    return 0;
}

static int scan_data(enum index_format format, uint64_t record)
{
    struct scan_source source = {.read = read_data, .size = data.size};
    uint64_t at;

    nfound = 0;
    return scan_file(&source, format, record, take, NULL, &at);
}

static void append(const void *bytes, size_t length)
{
    memcpy(data.bytes + data.size, bytes, length);
    data.size += length;
}

static void append_zeros(size_t length)
{
    memset(data.bytes + data.size, 0, length);
    data.size += length;
}

static void append_member(const char *name, char type, const char *text,
                          size_t length)
{
    char block[TAR_BLOCK];

    CU_ASSERT_EQUAL_FATAL(tar_header_encode(block, name, length, type), 0);
    append(block, sizeof(block));
    append(text, length);
    append_zeros((size_t)tar_padded(length) - length);
}

static void append_file(const char *name, const char *text)
{
    append_member(name, '0', text, strlen(text));
}

static struct capstan_sample sample(size_t i)
{
    return (struct capstan_sample){.data = data.bytes + found[i].offset,
                                   .length = found[i].length};
}

static void check_field(const struct capstan_sample *s, size_t *at,
                        const char *name, const char *extension,
                        const char *text)
{
    struct capstan_field field;

    CU_ASSERT_EQUAL_FATAL(capstan_sample_field(s, at, &field), 0);
    CU_ASSERT_EQUAL(field.name_length, strlen(name));
    CU_ASSERT_EQUAL(memcmp(field.name, name, strlen(name)), 0);
    CU_ASSERT_EQUAL(field.extension_length, strlen(extension));
    CU_ASSERT_EQUAL(memcmp(field.extension, extension, strlen(extension)), 0);
    CU_ASSERT_EQUAL(field.length, strlen(text));
    CU_ASSERT_EQUAL(memcmp(field.data, text, strlen(text)), 0);
}

static void make_tar(void)
{
    static const char pax[] = "30 mtime=1350244992.023960108\n"
                              "25 path=dir/pax.long.txt\n";

    data.size = 0;
    append_member("dir/", '5', "", 0);
    append_file("dir/a.jpg", "picture");
    append_file("dir/a.cls.txt", "7");
    append_file("dir/b.jpg", "other");
    append_member("././@LongLink", 'L', "dir/b.a-long-name", 18);
    append_file("dir/b.a-lo", "more");
    append_member("PaxHeader", 'x', pax, sizeof(pax) - 1);
    append_file("dir/pax", "pax");
    append_zeros(1024);
}

static void test_tar_members_of_a_key_are_a_sample(void)
{
    struct capstan_sample s;
    struct capstan_field field;
    size_t at = 0;

    make_tar();
    CU_ASSERT_EQUAL_FATAL(scan_data(INDEX_TAR, 0), 0);
    CU_ASSERT_EQUAL_FATAL(nfound, 3);
    s = sample(0);
    check_field(&s, &at, "dir/a.jpg", "jpg", "picture");
    check_field(&s, &at, "dir/a.cls.txt", "cls.txt", "7");
    CU_ASSERT_EQUAL(capstan_sample_field(&s, &at, &field), -ENODATA);
    s = sample(1);
    at = 0;
    check_field(&s, &at, "dir/b.jpg", "jpg", "other");
    check_field(&s, &at, "dir/b.a-long-name", "a-long-name", "more");
    s = sample(2);
    at = 0;
    check_field(&s, &at, "dir/pax.long.txt", "long.txt", "pax");
    s.length--;
    at = 0;
    CU_ASSERT_EQUAL(capstan_sample_field(&s, &at, &field), -EPROTO);
}

static void append_record(const char *text, size_t length)
{
    uint64_t size = htole64(length);
    uint32_t sum = htole32(scan_mask(crc32c(0, &size, 8)));

    append(&size, 8);
    append(&sum, 4);
    append(text, length);
    sum = htole32(scan_mask(crc32c(0, text, length)));
    append(&sum, 4);
}

static void test_tfrecords_are_samples(void)
{
    data.size = 0;
    append_record("first", 5);
    append_record("", 0);
    append_record("second one", 10);
    CU_ASSERT_EQUAL_FATAL(scan_data(INDEX_TFRECORD, 0), 0);
    CU_ASSERT_EQUAL_FATAL(nfound, 2);
    CU_ASSERT_EQUAL(memcmp(sample(1).data, "second one", 10), 0);
    CU_ASSERT_EQUAL(found[1].crc32c, crc32c(0, "second one", 10));
    /* Any one byte that changes is noticed. */
    for (size_t i = 0; i < data.size; i++) {
        data.bytes[i] ^= 1;
        CU_ASSERT(scan_data(INDEX_TFRECORD, 0) < 0);
        data.bytes[i] ^= 1;
    }
    data.size--;
    CU_ASSERT_EQUAL(scan_data(INDEX_TFRECORD, 0), -EPROTO);
}

static void test_records_and_raw_files(void)
{
    data.size = 0;
    append("aaabbbccc", 9);
    CU_ASSERT_EQUAL(scan_data(INDEX_RECORDS, 3), 0);
    CU_ASSERT_EQUAL(nfound, 3);
    CU_ASSERT_EQUAL(found[2].offset, 6);
    CU_ASSERT_EQUAL(scan_data(INDEX_RECORDS, 4), -EPROTO);
    CU_ASSERT_EQUAL(scan_data(INDEX_RAW, 0), 0);
    CU_ASSERT_EQUAL(nfound, 1);
    CU_ASSERT_EQUAL(found[0].crc32c, crc32c(0, "aaabbbccc", 9));
    data.size = 0;
    CU_ASSERT_EQUAL(scan_data(INDEX_RAW, 0), 0);
    CU_ASSERT_EQUAL(nfound, 0);
}

/* Whatever bytes come: an end, and no sample outside of the file. */
static void test_random_damage_ends(void)
{
    struct capstan_field field;
    struct rng rng;

    rng_init(&rng, unit_seed());
    for (int round = 0; round < 3000; round++) {
        make_tar();
        for (uint64_t i = rng_below(&rng, 4) + 1; i > 0; i--)
            data.bytes[rng_below(&rng, data.size)] =
                (unsigned char)rng_next(&rng);
        data.size -= rng_below(&rng, 600);
        CU_ASSERT(scan_data(INDEX_TAR, 0) != -ERANGE);
        for (size_t i = 0; i < nfound && i < 64; i++) {
            struct capstan_sample s = sample(i);
            size_t at = 0;

            while (capstan_sample_field(&s, &at, &field) == 0)
                CU_ASSERT((const unsigned char *)field.data + field.length <=
                          data.bytes + data.size);
        }
    }
}

/* At most 100 bytes behind a slash, at most 155 before it. */
static bool fits(const char *name, size_t length)
{
    bool is_fit = length <= 100;

    for (size_t i = 1; i < length && i <= 155; i++)
        is_fit |= name[i] == '/' && i + 1 < length && length - i - 1 <= 100;
    return is_fit;
}

static void test_names_that_ustar_holds(void)
{
    char block[TAR_BLOCK], name[300];
    struct tar_header header;

    for (size_t length = 1; length < 290; length++) {
        memset(name, 'n', length);
        for (size_t i = 40; i + 1 < length; i += 40)
            name[i] = '/';
        name[length] = '\0';
        CU_ASSERT_EQUAL_FATAL(tar_header_encode(block, name, length, '0') == 0,
                              fits(name, length));
        if (!fits(name, length))
            continue;
        CU_ASSERT_EQUAL(tar_header_decode(block, &header), 0);
        CU_ASSERT_STRING_EQUAL(header.name, name);
        CU_ASSERT_EQUAL(header.size, length);
    }
    CU_ASSERT_EQUAL(tar_header_encode(block, "x", (uint64_t)1 << 33, '0'),
                    -EFBIG);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_tar_members_of_a_key_are_a_sample),
        UNIT_TEST(test_tfrecords_are_samples),
        UNIT_TEST(test_records_and_raw_files),
        UNIT_TEST(test_random_damage_ends),
        UNIT_TEST(test_names_that_ustar_holds),
    };

    return UNIT_MAIN("loader scan", tests);
}
