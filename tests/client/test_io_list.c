/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists against scripted servers: few messages, few runs, few transfers, and
 * memory that nobody touches once a list is over.
 */
#include "tests/client/io_kit.h"

#include <string.h>

static void test_a_vector_is_one_run_for_each_target(void)
{
    struct capstan_file *file;
    struct fake *fake = start(4, &file);
    static uint8_t in[64 * STRIPE], out[64 * STRIPE / 16];
    struct capstan_run run = {.offset = 5,
                              .length = 64,
                              .stride = 1024,
                              .count = 64 * STRIPE / 1024,
                              .memory = out,
                              .mem_stride = 64};
    uint64_t done = 0;
    size_t i;

    fill(in, sizeof(in), 6);
    write_all(file, 0, in, sizeof(in));
    fake_count_anew(fake);
    CU_ASSERT_EQUAL(capstan_file_readv(file, &run, 1, &done), 0);
    CU_ASSERT_EQUAL(done, sizeof(out));
    for (i = 0; i < sizeof(out) && out[i] == in[5 + i / 64 * 1024 + i % 64];
         i++)
        ;
    CU_ASSERT_EQUAL(i, sizeof(out));
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_read], 4);
    CU_ASSERT_EQUAL(fake->runs, 4);
    finish(fake, &file);
}

static void test_thousands_of_samples_are_one_message_a_target(void)
{
    enum { SAMPLES = 2000, SIZE = 16, SPREAD = 400 * STRIPE };
    struct capstan_file *file;
    struct fake *fake = start(4, &file);
    static struct capstan_run runs[SAMPLES];
    static uint8_t in[SPREAD], out[SAMPLES * SIZE];
    uint64_t done = 0;
    bool is_same = true;

    fill(in, sizeof(in), 7);
    write_all(file, 0, in, sizeof(in));
    for (unsigned i = 0; i < SAMPLES; i++) {
        runs[i].offset = rng_mix(i) % (SPREAD / STRIPE) * STRIPE + i;
        runs[i].length = SIZE;
        runs[i].count = 1;
        runs[i].memory = out + (size_t)i * SIZE;
    }
    fake_count_anew(fake);
    CU_ASSERT_EQUAL(capstan_file_readv(file, runs, SAMPLES, &done), 0);
    CU_ASSERT_EQUAL(done, sizeof(out));
    for (unsigned i = 0; i < SAMPLES; i++)
        is_same &=
            memcmp(out + (size_t)i * SIZE, in + runs[i].offset, SIZE) == 0;
    CU_ASSERT_TRUE(is_same);
    CU_ASSERT_EQUAL(fake->served[PROTO_OP_read], 4);
    finish(fake, &file);
}

/* A list in which file and memory go in different orders. */
static void draw_samples(struct capstan_run *runs, unsigned n, size_t size,
                         uint8_t *memory, uint64_t seed)
{
    for (unsigned i = 0; i < n; i++) {
        runs[i] = (struct capstan_run){.offset = (i * 37u + seed) % n * size,
                                       .length = size,
                                       .count = 1,
                                       .memory = memory + i * size};
    }
}

static bool are_samples(const struct capstan_run *runs, unsigned n,
                        const uint8_t *file)
{
    for (unsigned i = 0; i < n; i++)
        if (memcmp(runs[i].memory, file + runs[i].offset, runs[i].length) != 0)
            return false;
    return true;
}

/* Packed on their way, however large the list is. */
static void test_scattered_samples_are_few_transfers(void)
{
    enum { SAMPLES = 2000, SIZE = 1024 };
    struct capstan_file *file;
    struct fake *fake = start(4, &file);
    static struct capstan_run runs[SAMPLES];
    static uint8_t in[SAMPLES * SIZE], out[SAMPLES * SIZE];
    uint64_t done = 0;

    fill(in, sizeof(in), 21);
    draw_samples(runs, SAMPLES, SIZE, out, 5);
    for (unsigned i = 0; i < SAMPLES; i++)
        memcpy(runs[i].memory, in + runs[i].offset, SIZE);
    CU_ASSERT_EQUAL(capstan_file_writev(file, runs, SAMPLES, &done), 0);
    CU_ASSERT_EQUAL(done, sizeof(out));
    memset(out, 0, sizeof(out));
    CU_ASSERT_EQUAL(capstan_file_readv(file, runs, SAMPLES, &done), 0);
    CU_ASSERT_EQUAL(done, sizeof(out));
    CU_ASSERT_TRUE(are_samples(runs, SAMPLES, in));
    CU_ASSERT_EQUAL(fake->jumps, 0);
    CU_ASSERT(fake->session->nbounces > 0);
    finish(fake, &file);
}

/* What comes too late for one list does not get into the next. */
static void test_a_late_server_cannot_touch_the_next_list(void)
{
    enum { SAMPLES = 512, SIZE = 1024 };
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static struct capstan_run runs[SAMPLES];
    static uint8_t in[SAMPLES * SIZE], out[SAMPLES * SIZE];
    unsigned nlate = 0;
    uint64_t done;

    fill(in, sizeof(in), 22);
    write_all(file, 0, in, sizeof(in));
    for (unsigned i = 0; i < 40; i++) {
        draw_samples(runs, SAMPLES, SIZE, out, i);
        fake->session->timeout_ns = (10 + 10 * i) * NS_PER_US;
        nlate += capstan_file_readv(file, runs, SAMPLES, &done) == -ETIMEDOUT;
        capstan_session_set_timeout(fake->session, 30000);
        draw_samples(runs, SAMPLES, SIZE, out, i + 100);
        memset(out, 0, sizeof(out));
        CU_ASSERT_EQUAL(capstan_file_readv(file, runs, SAMPLES, &done), 0);
        CU_ASSERT_TRUE(are_samples(runs, SAMPLES, in));
    }
    CU_ASSERT(nlate > 0);
    finish(fake, &file);
}

/* A vector so long that it is offered to all columns, though it lies on one of
 * them: another one is told of it and of nothing else, and gets no byte. */
static void test_packed_lists_may_leave_columns_out(void)
{
    enum { N = 101, SIZE = 100, COUNT = 600, TINY = 4, STEP = 3 * SIZE };
    struct capstan_file *file;
    struct fake *fake = start(3, &file);
    static uint8_t in[N * STEP], out[N * STEP];
    struct capstan_run runs[N];
    uint64_t done = 0, all = COUNT * TINY + (N - 1) * SIZE;
    bool is_same = true;

    fill(in, sizeof(in), 23);
    for (unsigned i = 0; i < N; i++)
        runs[i] = (struct capstan_run){.offset = i * 3u * STRIPE,
                                       .length = SIZE,
                                       .count = 1,
                                       .memory = in + i * STEP};
    runs[0] = (struct capstan_run){.offset = STRIPE,
                                   .length = TINY,
                                   .stride = TINY + 1,
                                   .count = COUNT,
                                   .memory = in,
                                   .mem_stride = 2 * TINY};
    CU_ASSERT_EQUAL(capstan_file_writev(file, runs, N, &done), 0);
    CU_ASSERT_EQUAL(done, all);
    for (unsigned i = 0; i < N; i++)
        runs[i].memory = out + ((uint8_t *)runs[i].memory - in);
    CU_ASSERT_EQUAL(capstan_file_readv(file, runs, N, &done), 0);
    CU_ASSERT_EQUAL(done, all);
    for (unsigned i = 0; i < COUNT; i++)
        is_same &= memcmp(out + i * 2 * TINY, in + i * 2 * TINY, TINY) == 0;
    CU_ASSERT_TRUE(is_same);
    finish(fake, &file);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_vector_is_one_run_for_each_target),
        UNIT_TEST(test_thousands_of_samples_are_one_message_a_target),
        UNIT_TEST(test_scattered_samples_are_few_transfers),
        UNIT_TEST(test_a_late_server_cannot_touch_the_next_list),
        UNIT_TEST(test_packed_lists_may_leave_columns_out),
    };

    return UNIT_MAIN("client/io_list", tests);
}
