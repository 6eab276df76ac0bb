/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/client/io_kit.h"

struct capstan_file *open_new(struct fake *fake, const char *path)
{
    struct capstan_file *file = NULL;

    CU_ASSERT_EQUAL_FATAL(capstan_file_open(fake->session, path,
                                            CAPSTAN_OPEN_READ |
                                                CAPSTAN_OPEN_WRITE |
                                                CAPSTAN_OPEN_CREATE,
                                            NULL, &file),
                          0);
    return file;
}

struct fake *start(unsigned ntargets, struct capstan_file **file_out)
{
    struct net_sim_config odds = fake_calm(1);
    struct fake *fake = fake_create(ntargets, &odds);

    *file_out = open_new(fake, "/f");
    return fake;
}

void finish(struct fake *fake, struct capstan_file **file_p)
{
    CU_ASSERT_EQUAL(fake->strays, 0);
    CU_ASSERT_EQUAL(capstan_file_close(file_p), 0);
    CU_ASSERT_PTR_NULL(fake->session->requests);
    fake_destroy(fake);
}

void fill(uint8_t *bytes, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(rng_mix(seed + i) | 1); /* never 0 */
}

void write_all(struct capstan_file *file, uint64_t offset,
                      const void *bytes, size_t n)
{
    size_t done = 0;

    CU_ASSERT_EQUAL(capstan_file_write(file, offset, bytes, n, &done), 0);
    CU_ASSERT_EQUAL(done, n);
}

size_t read_some(struct capstan_file *file, uint64_t offset, void *bytes,
                        size_t n)
{
    size_t done = SIZE_MAX;

    CU_ASSERT_EQUAL(capstan_file_read(file, offset, bytes, n, &done), 0);
    return done;
}
