/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One new file on scripted servers, for the tests of reading and writing.
 */
#ifndef CAPSTAN_TESTS_CLIENT_IO_KIT_H
#define CAPSTAN_TESTS_CLIENT_IO_KIT_H

#include "tests/base/unit.h"
#include "tests/client/fake.h"

#define STRIPE STRIPE_SIZE_MIN

struct capstan_file *open_new(struct fake *fake, const char *path);

/** So many targets and the file /f on them. */
struct fake *start(unsigned ntargets, struct capstan_file **file_out);

/** All that was asked for was in order, and is over. */
void finish(struct fake *fake, struct capstan_file **file_p);

/** Bytes of which none is 0. */
void fill(uint8_t *bytes, size_t n, uint64_t seed);

void write_all(struct capstan_file *file, uint64_t offset, const void *bytes,
               size_t n);

/** @return how many bytes were read. */
size_t read_some(struct capstan_file *file, uint64_t offset, void *bytes,
                 size_t n);

#endif
